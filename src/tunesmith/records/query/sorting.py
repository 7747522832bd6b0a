"""Orders of records by their fields: what is missing comes last, equals stand in the order of insertion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, case, or_

from ...errors import DataError, nearest
from ..store.facts import is_kept, plain
from ..store.schema import records
from . import facts
from .names import LABELS

Order = Sequence[tuple[str, str]]
"""(field, "asc" or "desc"), the first one first."""

_COLUMNS = {
    "id": records.c.key,
    "status": records.c.status,
    "score": records.c.score,
    "event_timestamp": records.c.event_timestamp,
    "last_updated": records.c.updated,
}
_DIRECTIONS = ("asc", "desc")


@dataclass(frozen=True)
class Key:
    """One expression to order by; never NULL where the one before it says so."""

    expression: Any
    falling: bool = False


def keys(order: Order, *, sqlite: bool) -> list[Key]:
    """For each field whether it is missing, then its value; at the end the place.

    Raises:
        DataError: a field that has no order, or a direction that is none.
    """
    found: list[Key] = []
    for field, direction in _checked(order):
        for expression in _expressions(field, sqlite):
            found.append(Key(case((expression.is_(None), 1), else_=0)))
            found.append(Key(expression, direction == "desc"))
    return [*found, Key(records.c.place)]


def _checked(order: Any) -> list[tuple[str, str]]:
    if isinstance(order, str) or not all(isinstance(each, (tuple, list)) and len(each) == 2 for each in order):
        raise DataError(f"sort is {order!r}: expected a list of (field, 'asc' or 'desc').")
    for field, direction in order:
        if direction not in _DIRECTIONS:
            raise DataError(f"sort by {field!r}: {direction!r} is no direction: expected 'asc' or 'desc'.")
    return [(field, direction) for field, direction in order]


def _expressions(field: str, sqlite: bool) -> list[Any]:
    if field in _COLUMNS:
        column = _COLUMNS[field]
        return [column if sqlite or field not in ("id", "status") else column.collate("C")]
    if field in LABELS:
        return [facts.first(field, numeric=False, sqlite=sqlite)]
    if isinstance(field, str) and field.startswith("metadata.") and field != "metadata.":
        named = plain(field)
        return [facts.first(named, numeric=numeric, sqlite=sqlite) for numeric in (True, False)]
    known = (*_COLUMNS, *LABELS, "metadata.NAME")
    close = nearest(str(field), known)
    hint = f" Did you mean {close!r}?" if close else ""
    raise DataError(f"records cannot be sorted by {field!r}.{hint} Known: {', '.join(known)}.")


def beyond(found: Sequence[Key], values: Sequence[Any]) -> Any:
    """The condition of what comes after the record whose keys have these values.

    Raises:
        DataError: values that are not those of the keys: a mark of another order.
    """
    if len(values) != len(found) or not all(map(_is_of, found, values)):
        raise DataError("the mark to go on from is of another order: begin with the first page again.")
    choices: list[Any] = []
    equal: list[Any] = []
    for key, value in zip(found, values, strict=True):
        if value is None:  # a missing value equals a missing one: the key before says that both are
            continue
        further = key.expression < value if key.falling else key.expression > value
        choices.append(and_(*equal, further))
        equal.append(key.expression == value)
    return or_(*choices)


def _is_of(key: Key, value: Any) -> bool:
    wanted = key.expression.type.python_type
    if value is None or isinstance(value, bool):
        return value is None and key.expression is not records.c.place
    if wanted is str:
        return isinstance(value, str) and is_kept(value)
    return isinstance(value, int | float) and -(2**63) <= value < 2**63 and (wanted is float or isinstance(value, int))
