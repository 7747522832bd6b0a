"""What a foreign format has no place for: kept beside its own keys under KEY, and taken back from there.

What the format itself says goes before it: a record that was corrected in another tool comes back corrected.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...errors import RowError, UnknownField
from ..kept_labels import KEY as KEY
from ..kept_labels import LABELS
from ..record import Record
from ..types import TYPES


def with_labels(kept: dict[str, Any], labels: Sequence[str], place: int) -> dict[str, Any]:
    """What is kept with a record; with the first of a file, the labels of the settings too."""
    return {**kept, LABELS: list(labels)} if labels and not place else kept


def rest_of(record: Record, told: Iterable[str]) -> dict[str, Any]:
    """The fields that are set, without those that the format says itself, and the status where it goes without saying.

    So a record that is annotated in another tool comes back validated.
    """
    said = set(told)
    if record.status == ("Default" if record.annotation is None else "Validated"):
        said.add("status")
    return {name: value for name, value in record.to_dict().items() if name not in said}


def made(task: str, kept: Any, said: Mapping[str, Any], place: int, names: Mapping[str, str]) -> Record:
    """The record of what a format says, and of what was kept beside it.

    names: field -> where the format has it, for errors.

    Raises:
        RowError: with the row's place.
    """
    values = dict(kept) if isinstance(kept, Mapping) else {}
    for name in ("task", LABELS):
        values.pop(name, None)
    values |= {name: value for name, value in said.items() if value is not None}
    if values.get("inputs") is not None:
        values.pop("text", None)
    try:
        try:
            return TYPES[task].from_dict(values)
        except RowError:
            if "tokens" not in values:
                raise
            return TYPES[task].from_dict({name: value for name, value in values.items() if name != "tokens"})
    except RowError as error:
        raise RowError(place, names.get(error.column, error.column), error.reason) from error
    except UnknownField as error:
        raise RowError(place, KEY, str(error)) from error


def text_of(record: Any) -> str:
    """The text of a record; of several inputs a line each, `name: value`."""
    if record.text is not None:
        return str(record.text)
    parts = ((name, value if isinstance(value, str) else " ".join(value)) for name, value in record.inputs.items())
    return "\n".join(f"{name}: {value}" for name, value in parts)
