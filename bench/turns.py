"""Sides that take turns, A B A B: each a process of its own that stays, asked once a turn by a line on its input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from statistics import median

from . import records
from .reading import ROOT

Told = Mapping[str, float]


def take(commands: Mapping[str, Sequence[str]], rounds: int) -> list[dict[str, Told]]:
    """What each side told in each round; one round more warms up and is left out. A command follows `python -m`."""
    with ExitStack() as stack:
        held = {side: stack.enter_context(_start(command)) for side, command in commands.items()}
        try:
            return [{side: _ask(process) for side, process in held.items()} for _ in range(rounds + 1)][1:]
        finally:
            for process in held.values():
                assert process.stdin is not None
                process.stdin.close()


def _start(command: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", *command], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def _ask(process: subprocess.Popen[str]) -> Told:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"a side ended with {process.wait()}: {process.args!r}")
    return dict(json.loads(line))


def serve(turn: Callable[[], Mapping[str, float]]) -> None:
    """In a side's process: one `turn` for each line; its figures, its seconds and the peak of memory are the answer."""
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    for _ in sys.stdin:
        start = time.perf_counter()
        told = dict(turn())
        told |= {"call": time.perf_counter() - start, "peak": records.peak_bytes()}
        print(json.dumps(told), file=answer, flush=True)


def quiet() -> None:
    """No progress bars and no advice from the libraries, on any side."""
    import datasets
    import transformers

    datasets.disable_progress_bars()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()


def spread(ratios: Iterable[float]) -> dict[str, float]:
    """Median, least and greatest."""
    found = sorted(ratios)
    return {"median": round(median(found), 2), "min": round(found[0], 2), "max": round(found[-1], 2)}


def said(ratio: Mapping[str, float]) -> str:
    return f"x{ratio['median']:.2f} ({ratio['min']:.2f} to {ratio['max']:.2f})"
