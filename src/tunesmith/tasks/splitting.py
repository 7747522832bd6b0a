"""Examples held out of examples: equal texts and groups on one side, classes in proportion."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

from ..data.labels import is_missing
from ..data.splits import hashable, hold_out
from ..errors import DataError, nearest
from .base import Account, Examples, RowId
from .reading import Reread, fingerprint


def group_values(dataset: Any, column: str) -> dict[RowId, Any]:
    """Each row's value in the group column.

    Raises:
        DataError: there is no such column.
    """
    if column not in dataset.columns:
        close = nearest(column, dataset.columns)
        hint = f" Did you mean {close!r}?" if close else ""
        raise DataError(
            f"{dataset.name} has no column {column!r} to group by.{hint} It has {', '.join(dataset.columns)}."
        )
    return {row: values[column] for row, values in dataset}


def part(
    examples: Examples, fraction: float, *, seed: int, by_context: bool = False, groups: dict[RowId, Any] | None = None
) -> tuple[Examples, Examples]:
    """(kept, held): `fraction` of the examples held out, drawn by `seed`.

    Rows of one text (of one context, where `by_context`) stay together, and so do, where `groups` is given, those of
    one group; a row without a group is of none. Single-label and multi-label examples are stratified. What was left
    out before stays in the account of `kept`.
    """
    keys: list[tuple[Hashable, Hashable]] = []
    labels: list[Any] = []
    for example in examples:  # once, as examples may be read from a file
        text = example.pair if by_context else (example.text, example.pair)
        keys.append((sha256(repr(text).encode()).digest(), hashable(groups[example.id]) if groups else None))
        labels.append(example.label)
    strata = labels if examples.kind in ("single", "multi") else None
    kept, held = hold_out(_joined(keys), fraction, seed=seed, strata=strata)
    left_out = examples.account.left_out
    return _chosen(examples, kept, left_out), _chosen(examples, held, {})


def _joined(keys: Sequence[tuple[Hashable, Hashable]]) -> list[int]:
    """One number a row of (text, group): the same for all that share either, if only by way of other rows."""
    above = list(range(len(keys)))  # each row's place, or that of an earlier row it goes with
    first: dict[tuple[str, Hashable], int] = {}

    def top(place: int) -> int:
        while above[place] != place:
            above[place] = above[above[place]]
            place = above[place]
        return place

    for place, (text, group) in enumerate(keys):
        above[top(place)] = top(first.setdefault(("text", text), place))
        if not is_missing(group):
            above[top(place)] = top(first.setdefault(("group", group), place))
    return [top(place) for place in range(len(keys))]


def _chosen(examples: Examples, places: Sequence[int], left_out: dict[str, list[RowId]]) -> Examples:
    items = examples.items
    items = items.select(places) if isinstance(items, Reread) else [items[place] for place in places]
    account = Account(len(items) + sum(map(len, left_out.values())), left_out)
    return replace(examples, items=items, account=account, fingerprint=fingerprint(items))
