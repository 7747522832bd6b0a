"""Several frameworks on the same rows, side by side: scores, times and sizes, and which of them to take."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

from . import api
from .config import Settings, arguments, check, settings
from .errors import ConfigError, TrainingFailed, TunesmithError, UnknownSetting
from .evaluation import record
from .evaluation.choice import Candidate, Choice, decide
from .folder import Listener, RunFolder
from .hooks import Hooks
from .metrics.intervals import affordable, bootstrap
from .registry import frameworks as registered
from .registry import tasks
from .run import Run
from .tasks.base import Examples, Prediction, Task, followed
from .values import read_seconds

SHARE = 0.2  # of the rows that are held out, where the data has no part for it
_AGAIN = 1.0  # seconds until the next alarm, where the first went nowhere
_WARM = 32  # rows predicted before the clock runs


def choose(
    train: Any,
    *,
    frameworks: str | Sequence[str],
    task: str = "text-classification",
    validation: Any = None,
    test: Any = None,
    budget: float | str | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    output_dir: str | os.PathLike[str] = "",
    listener: Listener | None = None,
    **shared: Any,
) -> Choice:
    """Train each framework on the same rows, score it on the same others, and say which to take.

    A framework that is not installed, or fails, or is out of time, is a candidate with its reason.
    train, validation, test: as of `train`; without any test rows, a fifth of the rows is held out.
    frameworks: names, or text with commas between them.
    budget: seconds for all, or "5m"; each may use its share of what is left.
    options: a framework's name -> its own settings.
    output_dir: where each run is kept, in a folder of the framework's name; empty keeps none.
    shared: settings of the data (`columns`, `limit`, `label_kind` …), `seed` and `device` (the number of a GPU
        is for those that compute on one).

    Raises:
        UnknownName: no such task or framework. ConfigError: a setting that no framework could use.
        DataError: data that cannot be used.
    """
    job = _Job(tasks.get(task), _made(listed(frameworks), task, options or {}, shared), listener)
    try:
        seconds = None if budget is None else read_seconds(budget)
    except ValueError as error:
        raise ConfigError("budget", budget, "a time above 0: seconds, or 90s, 5m, 1h") from error
    splits = _splits(job.task, train, validation, test, next(iter(job.settings.values())))
    metric, _ = followed(job.task, splits["train"].kind)
    found: list[tuple[Candidate, Sequence[Prediction]]] = []
    end = None if seconds is None else time.monotonic() + seconds
    with _kept(output_dir) as where:
        for place, name in enumerate(job.settings):
            left = None if end is None else (end - time.monotonic()) / (len(job.settings) - place)
            found.append(job.candidate(name, splits, where / name, left, keep=bool(output_dir)))
    return decide(job.task, metric, splits, found)


@dataclass(frozen=True)
class _Job:
    """The task, the settings of each framework, and who is told of events."""

    task: Task
    settings: Mapping[str, Settings]
    listener: Listener | None

    def candidate(
        self, name: str, splits: Mapping[str, Examples], folder: Path, left: float | None, *, keep: bool
    ) -> tuple[Candidate, Sequence[Prediction]]:
        """One framework trained, scored and weighed, and its predictions of the test rows; () where there is no score.

        left: seconds that it may take.
        """
        if left is not None and left <= 0:
            return Candidate(name, reason="no time of the budget was left"), ()
        if self.listener is not None:
            self.listener("note", {"text": f"— {name}"})
        try:
            return self._weighed(name, splits, folder, left, keep=keep)
        except TunesmithError as error:
            return Candidate(name, reason=" ".join(str(error).split())), ()
        except Exception as error:  # of a library that does not keep to the contract: it is one row of the table
            return Candidate(name, reason=" ".join(f"{type(error).__name__}: {error}".split())), ()

    def _weighed(
        self, name: str, splits: Mapping[str, Examples], path: Path, left: float | None, *, keep: bool
    ) -> tuple[Candidate, Sequence[Prediction]]:
        chosen = replace(self.settings[name], output_dir=str(path), columns=dict(splits["train"].columns))
        member = api.able(name, self.task.name)
        hooks = member.open(self.task.name, chosen, Hooks(base=chosen.base, lora=chosen.lora))
        folder = RunFolder.create(path, self.listener)
        test = splits["test"]
        learned = {part: rows for part, rows in splits.items() if part != "test"}
        with api.whole(folder), _within(left):
            began = time.perf_counter()
            model = member.fit(self.task, learned, chosen, folder, hooks)
            seconds = time.perf_counter() - began
            size = _size(path)
            model.predictions(test[:_WARM])
            began = time.perf_counter()
            found = model.predictions(test)
            speed = len(test) / max(time.perf_counter() - began, 1e-9)
            metric, _ = followed(self.task, test.kind)
            scores = self.task.score(test, found)
            if keep:
                folder.write_text("config.yaml", chosen.to_yaml())
                run = Run(self.task, model, folder, chosen, {"test": scores})
                record.write(run, splits, {"test": found})
        interval = bootstrap(
            list(zip(test, found, strict=True)),
            lambda rows: self.task.score([one for one, _ in rows], [other for _, other in rows])[metric],
            seed=chosen.seed,
            samples=affordable(len(test)),
        )
        return Candidate(name, interval, seconds, speed, size, folder=str(path) if keep else ""), found


def listed(names: str | Sequence[str]) -> list[str]:
    """Frameworks' names, each in one spelling; text has commas between them."""
    apart = names.split(",") if isinstance(names, str) else names
    return [plain(name) for name in apart if str(name).strip()]


def plain(name: str) -> str:
    """A framework's name in one spelling."""
    return str(name).strip().lower().replace("_", "-")


def _made(
    names: Sequence[str], task: str, options: Mapping[str, Mapping[str, Any]], shared: Mapping[str, Any]
) -> dict[str, Settings]:
    """The settings of each framework, in the order asked for.

    Raises:
        UnknownName, UnknownSetting, ConfigError: a name, or a value that cannot be used.
    """
    known = {name for name, each in settings().items() if each.group == "Data"} | {"seed", "device"}
    for name in shared:
        if name not in known:
            raise UnknownSetting(name, known)
    if not names:
        raise ConfigError("frameworks", list(names), f"names of some: {', '.join(registered.offered())}")
    made: dict[str, Settings] = {}
    own = {plain(name): each for name, each in options.items()}
    for name in names:
        made[name] = Settings.make(framework=name, task=task, **{**_heard(name, shared), **own.get(name, {})})
    for name in options:
        if plain(name) not in made:
            raise ConfigError("options", name, f"frameworks that are asked for: {', '.join(made)}")
    return made


def _heard(name: str, shared: Mapping[str, Any]) -> dict[str, Any]:
    """The settings for all that a framework can use; the number of a GPU is for those that compute on one.

    Raises:
        UnknownName, ConfigError: no such framework, or device.
    """
    heard = {key: value for key, value in shared.items() if key in arguments(name)}
    member = registered.get(name)
    on_gpu = "device" in getattr(member, "heeds", ()) and not getattr(member, "cpu_alone", "")
    if not on_gpu and isinstance(check("device", heard.get("device"), name), int):
        del heard["device"]
    return heard


def _splits(task: Task, train: Any, validation: Any, test: Any, chosen: Settings) -> dict[str, Examples]:
    if isinstance(train, Iterator):
        train = list(train)
    splits = api.read_data(task, train, validation, test, chosen)
    return splits if "test" in splits else api.read_data(task, train, validation, SHARE, chosen)


def _size(folder: Path) -> int:
    """Bytes of the files of a run, but for its checkpoints, which hold the optimizer too."""
    own = (each for each in folder.iterdir() if not each.name.startswith("checkpoint-"))
    files = (file for each in own for file in (each.rglob("*") if each.is_dir() else [each]))
    return sum(file.stat().st_size for file in files if file.is_file())


@contextmanager
def _kept(output_dir: str | os.PathLike[str]) -> Iterator[Path]:
    if output_dir:
        yield Path(output_dir)
        return
    with tempfile.TemporaryDirectory(prefix="tunesmith-choose-") as aside:
        yield Path(aside)


@contextmanager
def _within(left: float | None) -> Iterator[None]:
    """Ends what is done within when its time is over: by an alarm, which only the main thread can have.

    Raises:
        TrainingFailed: the time is over.
    """
    if left is None or threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def stop(_: int, frame: FrameType | None) -> None:
        if _is_swallowed(frame):
            return  # the next alarm comes
        raise TrainingFailed(f"stopped after {left:.0f} s, its share of the budget")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, left, _AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _is_swallowed(frame: FrameType | None) -> bool:
    """Whether an exception raised there would go nowhere: an object is being taken away."""
    while frame is not None:
        if frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False
