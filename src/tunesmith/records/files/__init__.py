"""Records in and out of files. A format is a module with `read(asked)` and `write(records, path, account)`."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from ...data.columns import Given
from ...errors import ConfigError, DataError
from ..record import Record
from ..settings import Settings
from .asked import Account, Asked, task_named
from .finding import FORMATS, KEEP_LABELS, format_of, format_to, named

__all__ = ["read", "write"]

_log = logging.getLogger(__name__)

BAD_ROWS = ("error", "drop")
_SAID: dict[str, dict[str, Any]] = {"tsv": {"mark": "\t"}, "json": {"as_list": True}, "jsonl": {"as_list": False}}
SIDES = ("annotation", "prediction")
_NO_ORDER = "%s: the label order of the settings is not kept: this format has no place for it. These keep it: %s."


class Records(Iterator[Record]):
    """The records that `read` gives, one after the other."""

    def __init__(self, found: Iterator[Record], asked: Asked) -> None:
        self._found, self._asked, self._task = found, asked, asked.task

    def __next__(self) -> Record:
        record = next(self._found)
        self._task = record.task
        return record

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels in the order that the data declares, as far as it was read; empty where it declares none."""
        return self._asked.order.labels(self._task)


def read(
    path: str | Path,
    *,
    task: str | None = None,
    format: str | None = None,
    columns: Given = None,
    side: str = "annotation",
    bad_rows: str = "error",
    separator: str | None = None,
    split: str | None = None,
) -> Records:
    """The records of a file, a folder or a data set of the hub, one after the other; memory is that of a few pages.

    task: "TextClassification", "TokenClassification" or "Text2Text", or a name of the task that learns from them;
        None is found by the columns. format: one of `finding.FORMATS`; None is found by suffix and content.
    columns: roles and columns, as for training; what no role takes goes to the metadata.
    side: whether labels are annotations or predictions. bad_rows: "drop" counts rows that cannot be, and says so.
    separator: what stands between the labels of one cell. split: which one, of a data set with several; None reads
        all, each record with its split in the metadata.

    A row without an id gets one that is the same when the same file is read again. Where the data declares an order of
    its labels (a `ClassLabel`, the options of a question), it stands in `labels` once records were read.

    Raises:
        UnknownName: an unknown format or task. ConfigError: another setting that cannot be.
        DataError: what cannot be read. RowError: a row that is no record, with its place from 0.
    """
    for key, value, known in (("bad_rows", bad_rows, BAD_ROWS), ("side", side, SIDES)):
        if value not in known:
            raise ConfigError(key, value, " or ".join(map(repr, known)))
    kind = None if task is None else task_named(task)
    asked = Asked(str(path), kind, columns, side, bad_rows, separator, split, format)
    module = _module(named(format) if format else format_of(str(path)))
    return Records(_told(module.read(asked), asked.account, f"{path}: not read"), asked)


def write(
    records: Iterable[Record], path: str | Path, *, format: str | None = None, settings: Settings | None = None
) -> int:
    """Writes records to a file or folder, which appears when it is whole; returns how many are in it.

    settings: whose labels, in their order, go with the records; None takes those of a Dataset of records. What the
    format cannot hold is counted, and said in one line of the log; so is an order of labels that it has no place for.

    Raises:
        UnknownName: an unknown format. DataError: a task that the format has no form for.
        ArtifactError: the file cannot be written.
    """
    account = Account()
    name = named(format) if format else format_to(str(path))
    known = getattr(records, "settings", None) if settings is None else settings
    said: dict[str, Any] = dict(_SAID.get(format or "", {}))
    if name in KEEP_LABELS:
        said["settings"] = known
    elif known is not None and known.label_schema:
        _log.warning(_NO_ORDER, path, ", ".join(each for each, of in FORMATS.items() if of in KEEP_LABELS))
    count = int(_module(name).write(_of_one_task(records, path), Path(path), account, **said))
    account.tell(f"{path}: not written")
    return count


def _of_one_task(records: Iterable[Record], path: str | Path) -> Iterator[Record]:
    """The records, of which there is one at least.

    Raises:
        DataError: there is none, or one of another task than the first.
    """
    left = iter(records)
    first = next(left, None)
    if first is None:
        raise DataError(f"there are no records to write to {path}.")
    return _like(first, left)


def _like(first: Record, left: Iterator[Record]) -> Iterator[Record]:
    yield first
    for record in left:
        if record.task != first.task:
            raise DataError(f"a file holds records of one task: these are {first.task} and {record.task}.")
        yield record


def _module(name: str) -> Any:
    return import_module(f".{name}", __name__)


def _told(records: Iterator[Record], account: Account, what: str) -> Iterator[Record]:
    yield from records
    account.tell(what)
