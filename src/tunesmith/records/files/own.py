"""Rows whose columns are the fields of records, as `to_dict`, `to_datasets` and the exports of Argilla 1 have them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ...data.cells import spelled
from ...errors import RowError, UnknownField
from ..columns import NUMBERED
from ..fields import is_none, listed
from ..record import Record
from ..rows import settle_labels
from ..types import TYPES
from .asked import Asked, Make, Row

FREE = ("inputs", "metadata", "vectors", "explanation", "metrics")
_LISTS = ("tokens", "tags", "prediction", "search_keywords")
_TELLING = {"annotation", "prediction", "inputs", "multi_label"}
_ALL = {"task", "tags", NUMBERED, *(name for kind in TYPES.values() for name in kind.FIELDS)}
_KEYS = ("label", "text", "start", "end", "score")


def is_own(names: Iterable[str], rows: Sequence[Row]) -> bool:
    """Whether the columns are fields of records."""
    found = set(names)
    if any(row.get("task") in TYPES for row in rows):
        return True
    return bool(found & _TELLING) and found <= _ALL


def maker(names: Iterable[str], rows: Sequence[Row], asked: Asked) -> Make:
    """What makes a record of a row; the task is that of the row, or the one that the first rows speak of."""
    found = set(names)
    usual = asked.task or _guessed(found, rows)
    asked.order.column = "tags" if "tags" in found else "annotation"

    def make(place: int, row: Row) -> Record:
        task = row.get("task") or usual
        if task not in TYPES:
            raise RowError(place, "task", f"is {task!r}: expected {', '.join(TYPES)}")
        if asked.task and task != asked.task:
            raise RowError(place, "task", f"is {task}, but {asked.task} is asked for")
        return record_of(place, row, TYPES[task])

    return make


def record_of(place: int, row: Row, kind: type[Record]) -> Record:
    """The record of a row; cells that are missing are no fields.

    Raises:
        RowError: a cell that does not hold, or a column that is no field.
    """
    values = {name: cell for name, cell in row.items() if not is_none(cell) and name != "task"}
    if values.pop(NUMBERED, None):
        values["id"] = int(values["id"])
    values = {name: _opened(name, cell, kind.task, place) for name, cell in values.items()}
    if kind.task == "TextClassification":
        values.setdefault("multi_label", listed(values.get("annotation")) is not None)
        if isinstance(values["multi_label"], bool):  # what is none is told by the record
            settle_labels(values, None)
    if "inputs" in values and isinstance(values["inputs"], Mapping):
        values["inputs"] = {name: part for name, part in values["inputs"].items() if part is not None}
    try:
        return kind.from_dict(values)
    except UnknownField as error:
        raise RowError(place, error.key, str(error)) from error


def _opened(name: str, cell: Any, task: str, place: int) -> Any:
    is_list = name in _LISTS or (name == "annotation" and task == "TokenClassification")
    if isinstance(cell, str) and (is_list or name in FREE):
        found = spelled(cell)
        if found is None:
            raise RowError(place, name, f"is {cell[:60]!r}: expected a list or a mapping, as JSON")
        cell = found
    if name == "multi_label" and isinstance(cell, str):
        return {"true": True, "false": False}.get(cell.lower(), cell)
    if is_list and name != "tokens":
        parts = listed(cell)
        return cell if parts is None else [_tuple(part) if isinstance(part, Mapping) else part for part in parts]
    return cell


def _tuple(part: Mapping[str, Any]) -> Any:
    """(label, score), (label, start, end), (label, start, end, score) or (text, score) of a mapping."""
    cells = tuple(part[key] for key in _KEYS if part.get(key) is not None)
    return cells[0] if len(cells) == 1 and "text" in part else cells


def _guessed(names: set[str], rows: Sequence[Row]) -> str:
    if names & {"tokens", "tags"}:
        return "TokenClassification"
    if names & {"inputs", "multi_label", "explanation"}:
        return "TextClassification"
    parts = [part for row in rows for name in ("annotation", "prediction") for part in listed(row.get(name)) or ()]
    if any(isinstance(part, Mapping) and "start" in part for part in parts):
        return "TokenClassification"
    if any(listed(part) is not None and len(part) >= 3 for part in parts):
        return "TokenClassification"
    if any(isinstance(part, Mapping) and "text" in part for part in parts) or "metrics" in names:
        return "Text2Text"
    return "TextClassification"


def row_of(record: Record) -> dict[str, Any]:
    """The record in JSON values, with its task: what `record_of` takes back to an equal record."""
    return {"task": record.task, **record.to_dict()}


Encode = Callable[[Any], str]


def cell_of(name: str, value: Any, task: str) -> str:
    """A field as the text of a cell; text as it stands wherever it is taken back as the same, JSON otherwise."""
    if value is None:
        return ""
    if isinstance(value, str) and value and cell_value(name, value, task) == value:
        return value
    return json.dumps(value, ensure_ascii=False)


def cell_value(name: str, cell: str, task: str) -> Any:
    """What `cell_of` wrote, again. Only what says so by its first and last character is JSON."""
    ends = cell[:1] + cell[-1:] if len(cell) > 1 else ""
    if ends == '""' or (ends in ("[]", "{}") and name not in ("text", "id", "status", "event_timestamp")):
        try:
            return json.loads(cell)
        except ValueError:
            return cell
    if name == "id" and cell.removeprefix("-").isdecimal() and cell.isascii():
        number = int(cell)
        return number if str(number) == cell and -(2**63) <= number < 2**63 else cell
    if name == "multi_label":
        return {"true": True, "false": False}.get(cell, cell)
    return cell
