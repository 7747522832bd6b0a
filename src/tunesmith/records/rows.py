"""One row of a table as a record: cells in the forms that tables have, opened for the record's own checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..data.cells import spelled, whole
from ..errors import RowError
from .columns import NUMBERED
from .fields import is_none, listed
from .record import Record

FREE = ("inputs", "metadata", "vectors", "explanation", "metrics")  # mappings whose keys differ from row to row
_PLAIN = ("text", "inputs", "annotation", "prediction_agent", "annotation_agent", "id", "status", "event_timestamp")


@dataclass(frozen=True)
class Plan:
    """How a row becomes a record. sources: field -> columns. several: multi_label; None is as the row says."""

    kind: type[Record]
    sources: Mapping[str, tuple[str, ...]]
    several: bool | None


def record_of(place: int, row: Mapping[str, Any], plan: Plan) -> Record | str:
    """The record of a row, or the reason to leave the row out.

    Raises:
        RowError: with the record's id, or `place` where it has none, and the column's name.
    """
    values = {field: _cell(row, field, plan) for field in plan.sources}
    if values.pop(NUMBERED, None):
        values["id"] = int(values["id"])
    reason = _nothing(values, plan.kind.task)
    if reason:
        return reason
    if plan.kind.task == "TextClassification":
        settle_labels(values, plan.several)
    try:
        return plan.kind(**values)
    except RowError as error:
        field = "tags" if error.column == "annotation" and values.get("tags") is not None else error.column
        known = values.get("id") if field != "id" else None
        columns = ", ".join(plan.sources.get(field, (field,)))
        raise RowError(place if known is None else known, columns, error.reason) from error


def _cell(row: Mapping[str, Any], field: str, plan: Plan) -> Any:
    """What a row says of a field: None where that is nothing."""
    names = plan.sources[field]
    cell = _opened(row[names[0]], field, plan.kind.task)
    if field in ("inputs", "metadata") and names != (field,) and (len(names) > 1 or not isinstance(cell, Mapping)):
        cell = {name: None if is_none(row[name]) else row[name] for name in names}
    if cell is None:
        return None
    read = _READERS[plan.kind.task].get(field)
    return cell if read is None else read(cell)


def _opened(cell: Any, field: str, task: str) -> Any:
    """Text that spells a list or a mapping, as files of plain cells have it, opened where the field is no text."""
    if is_none(cell):
        return None
    is_text = field in _PLAIN and (field, task) != ("annotation", "TokenClassification")
    if is_text or not isinstance(cell, str):
        return cell
    found = spelled(cell)
    return found if found is not None else cell if cell.strip() else None


def _nothing(values: Mapping[str, Any], task: str) -> str | None:
    if task == "TokenClassification":
        tokens = values.get("tokens")
        return "no tokens" if tokens is None or listed(tokens) in ([], ()) else None
    return "no text" if values.get("text") is None and not values.get("inputs") else None


def settle_labels(values: dict[str, Any], several: bool | None) -> None:
    """multi_label, and the annotation in the form that goes with it; labels that are missing left out."""
    label = values.get("annotation")
    flag = bool(values.get("multi_label") if several is None else several)
    many = listed(label)
    if many is not None:
        many = [part for part in many if not is_none(part) and part != ""]
        label = many[0] if several is None and not flag and len(many) == 1 else many
    elif label == "":
        label = None
    elif flag and label is not None:
        label = [label]
    values["annotation"], values["multi_label"] = label, flag


def _id(cell: Any) -> Any:
    number = whole(cell) if isinstance(cell, float) else None  # a frame's column of numbers with gaps
    return cell if number is None else number


def _inputs(cell: Any) -> Any:
    return {name: part for name, part in cell.items() if not is_none(part)} if isinstance(cell, Mapping) else cell


def _tuples(*fields: str) -> Callable[[Any], Any]:
    """A reader of lists of mappings with these keys, as tuples; a mapping of lists is the same turned round."""

    def read(cell: Any) -> Any:
        if isinstance(cell, Mapping) and set(cell) <= set(fields):
            turned = [listed(cell[name]) or [] for name in cell]
            cell = [dict(zip(cell, part, strict=True)) for part in zip(*turned, strict=True)]
        parts = listed(cell)
        return cell if parts is None else [_tuple(part, fields) for part in parts]

    return read


def _tuple(part: Any, fields: Sequence[str]) -> Any:
    if not isinstance(part, Mapping):
        return part
    cells = [part.get(name) for name in fields]
    if cells[-1] is None:
        cells.pop()
    return cells[0] if len(cells) == 1 and fields[0] == "text" else tuple(cells)


_EVERY: dict[str, Callable[[Any], Any]] = {"id": _id}
_READERS: dict[str, dict[str, Callable[[Any], Any]]] = {
    "TextClassification": {**_EVERY, "inputs": _inputs, "prediction": _tuples("label", "score")},
    "TokenClassification": {
        **_EVERY,
        "prediction": _tuples("label", "start", "end", "score"),
        "annotation": _tuples("label", "start", "end"),
    },
    "Text2Text": {**_EVERY, "prediction": _tuples("text", "score")},
}
