"""The progress of a run on standard error, drawn from its events: live bars at a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TextIO

from ..folder import Listener

_PAUSE = 5.0  # seconds between plain lines of one phase
_PHASES = {"features": "tokenizing", "train": "training"}


@contextmanager
def watch(stream: TextIO | None = None) -> Iterator[Listener]:
    """A listener for the events of one run; the bars end with the block."""
    out = sys.stderr if stream is None else stream
    if out.isatty():
        with _bars(out) as listener:
            yield listener
    else:
        yield Plain(out)


def told(kind: str, values: Mapping[str, Any]) -> str | None:
    """The line that a note, an evaluation or a saved folder is worth; None for other events."""
    if kind == "note":
        return str(values.get("text", ""))
    if kind == "evaluate":
        metrics = values.get("metrics") or {}
        numbers = [(name, value) for name, value in metrics.items() if isinstance(value, int | float)]
        shown = ", ".join(f"{name} {value:.4g}" for name, value in numbers if not name.startswith("f1_"))
        epoch = values.get("epoch")
        when = f" after epoch {epoch:.3g}" if epoch is not None else ", final model" if values.get("final") else ""
        return f"{values.get('split', 'held-out')}{when}: {shown}"
    if kind == "saved":
        return f"saved {values.get('folder')}"
    return None


def place(kind: str, values: Mapping[str, Any]) -> tuple[float, float | None]:
    """(done, total) of a phase; total None where it is not known (a stream)."""
    done, total = values.get("step" if kind == "train" else "done", 0), values.get("total")
    return float(done or 0), float(total) if total and total > 0 else None


def clock(seconds: float) -> str:
    """1:05, or 1:02:05."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@dataclass
class Plain:
    """A line an event, and at most one in `_PAUSE` seconds for the steps of a phase; its first and last are told."""

    out: TextIO
    started: dict[str, tuple[float, float]] = field(default_factory=dict)  # phase -> (clock, done) of its first event
    last: dict[str, float] = field(default_factory=dict)

    def __call__(self, kind: str, values: Mapping[str, Any]) -> None:
        line = self._step(kind, values) if kind in _PHASES else told(kind, values)
        if line:
            print(line, file=self.out, flush=True)

    def _step(self, kind: str, values: Mapping[str, Any]) -> str | None:
        now = time.monotonic()
        done, total = place(kind, values)
        began, first = self.started.get(kind, (now, done))
        if done < first or kind not in self.started:  # a phase that begins, or begins again for another split
            began, first = self.started[kind] = (now, done)
            self.last.pop(kind, None)
        complete = total is not None and done >= total
        if kind in self.last and not complete and now - self.last[kind] < _PAUSE:
            return None
        self.last[kind] = now
        if complete:
            del self.started[kind]
        rate = (done - first) / (now - began) if now > began else 0.0
        return "  ".join([_PHASES[kind], _share(done, total), *_pace(kind, done, total, rate), *_loss(values)])


def _share(done: float, total: float | None) -> str:
    return f"{done:.0f}" if total is None else f"{done:.0f}/{total:.0f} ({100 * done / total:.0f}%)"


def _pace(kind: str, done: float, total: float | None, rate: float) -> list[str]:
    if not rate:
        return []
    pace = [f"{rate:.3g} {'steps' if kind == 'train' else 'rows'}/s"]
    return pace if total is None or done >= total else [*pace, f"{clock((total - done) / rate)} left"]


def _loss(values: Mapping[str, Any]) -> list[str]:
    return [f"loss {values['loss']:.4g}"] if values.get("loss") is not None else []


@contextmanager
def _bars(out: TextIO) -> Iterator[Listener]:
    """One live bar a phase: share, rate, time left, loss; other events are lines above the bars."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = [
        TextColumn("{task.description:<10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[pace]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[loss]}"),
    ]
    bars: dict[str, Any] = {}
    with Progress(*columns, console=Console(file=out), refresh_per_second=4) as progress:

        def listen(kind: str, values: Mapping[str, Any]) -> None:
            line = told(kind, values)
            if line:
                progress.console.print(line, markup=False, highlight=False)
            if kind not in _PHASES:
                return
            done, total = place(kind, values)
            if kind not in bars:
                bars[kind] = progress.add_task(_PHASES[kind], total=total, pace="", loss="")
            bar = bars[kind]
            now = progress.tasks[progress.task_ids.index(bar)]
            if done < now.completed:  # the same phase for another split
                progress.reset(bar, total=total)
            unit = "step" if kind == "train" else "row"
            pace = f"{now.speed:.3g} {unit}s/s" if now.speed else ""
            loss = "".join(_loss(values)) or now.fields["loss"]
            progress.update(bar, completed=done, total=total, pace=pace, loss=loss)

        yield listen
