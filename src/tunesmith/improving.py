"""Training again on records: the run before, and whether the new one is better than it."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from . import api
from .config import arguments
from .errors import TunesmithError
from .evaluation.comparison import Comparison, compared
from .run import Run
from .tasks.base import Prediction

_ASKED = 5  # records of each part whose history is looked at for the run before
_log = logging.getLogger("tunesmith")


@dataclass(frozen=True)
class Former:
    """What the run before says of the records that the new one holds out; known: ids that it was trained on."""

    name: str
    known: Collection[Any]
    predictions: Sequence[Prediction]


def former(train: Any, test: Any, task: str, output_dir: str, last: Run | None, *, consent: bool) -> Former | None:
    """The run before on these data sets of records: the last one, else that of their history, else that in the folder.

    None where there is none, or none that predicts the task. Call it before `output_dir` is written anew.
    consent: whether records may be sent to a service; without, a model that a service keeps is not asked.
    """
    if last is not None:
        return _former_of(last, train, test, task, consent)
    for folder in (_in_history(train, test), output_dir):
        if folder and Path(folder, "run.lock").is_file():
            found = _former_of(folder, train, test, task, consent)
            if found is not None:
                return found
    return None


def _former_of(run: Run | str | os.PathLike[str], train: Any, test: Any, task: str, consent: bool) -> Former | None:
    """A run, or that of a folder, and what it predicts; None where it cannot."""
    where = (run.folder.path or "the run before") if isinstance(run, Run) else run
    try:
        opened = run if isinstance(run, Run) else api.load(run)
        if opened.task.name == task and _may_ask(opened, consent):
            return Former(os.fspath(where), _learned(opened, train), opened.predict(test))
    except Exception as error:  # whatever an old folder holds, it is no reason not to train
        _log.warning("this run cannot be compared with %s: %s", where, error)
    return None


def _learned(run: Run, train: Any) -> Collection[Any]:
    """The ids of the records that a run was trained on; of all of `train` where it wrote nothing."""
    if run.folder.path is None:
        return {record.id for record in train}
    return set(run.folder.read_json("run.lock")["data"]["train"]["rows"])


def _may_ask(run: Run, consent: bool) -> bool:
    if consent or "yes" not in arguments(run.settings.framework):
        return True
    _log.warning("the run before is a model of a service, which is sent no record without yes=True: it is not compared")
    return False


def _in_history(train: Any, test: Any) -> str | None:
    """The folder of the run that was the last to use the first records, of those whose folder is here."""
    origin = test.origin
    if origin is None:
        return None
    found = []
    asked = [each for each in (*islice(test, _ASKED), *islice(train, _ASKED)) if each.key in origin.keys]
    try:
        for record in asked:
            events = origin.holder.history(origin.name, origin.workspace, record.id)
            found += [(event.at, event.set["run"]) for event in events if event.set.get("run")]
    except TunesmithError as error:  # records are gone, or the server is: no reason not to train
        _log.warning("the run before cannot be looked up: %s", error)
    here = (run for _, run in sorted(found, reverse=True) if Path(run, "run.lock").is_file())
    return next(here, None)


def judged(before: Former, run: Run, train: Any, test: Any) -> Comparison | None:
    """The new run against the one before, in its log and in comparison.json; None where no record tests both."""
    examples = run.examples(test.as_dataset("test"))
    after = run.predict(test)
    trained = (len(before.known), len(_learned(run, train)))
    found = compared(
        run.task,
        examples,
        (before.predictions, after),
        former=before.name,
        trained=trained,
        known=before.known,
    )
    told = f"against {before.name}: it was trained on every record that is held out now"
    run.folder.note(str(found) if found is not None else told)
    if found is not None:
        run.folder.write_json("comparison.json", found.to_dict())
    return found
