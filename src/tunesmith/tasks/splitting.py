"""Examples held out of examples: equal texts and groups on one side, classes in proportion."""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

import numpy as np

from ..data.cells import is_missing
from ..data.splits import Places, hashable, places_held_out
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
    texts, labels = array("q"), []
    given: list[Any] = []
    for example in examples:  # once, as examples may be read from a file
        text = example.pair if by_context else (example.text, example.pair)
        texts.frombytes(sha256(repr(text).encode()).digest()[:8])
        labels.append(example.label)
        if groups:
            given.append(hashable(groups[example.id]))
    keys = np.frombuffer(texts, dtype=np.int64)
    strata = labels if examples.kind in ("single", "multi") else None
    joined = _joined(keys.tolist(), given) if groups else keys
    kept, held = places_held_out(joined, fraction, seed=seed, strata=strata)
    left_out = examples.account.left_out
    return _chosen(examples, kept, left_out), _chosen(examples, held, {})


def _joined(texts: Sequence[int], groups: Sequence[Hashable]) -> list[int]:
    """One number a row: the same for all that share either, if only by way of other rows."""
    above = list(range(len(texts)))  # each row's place, or that of an earlier row it goes with
    first: dict[tuple[str, Hashable], int] = {}

    def top(place: int) -> int:
        while above[place] != place:
            above[place] = above[above[place]]
            place = above[place]
        return place

    for place, (text, group) in enumerate(zip(texts, groups, strict=True)):
        above[top(place)] = top(first.setdefault(("text", text), place))
        if not is_missing(group):
            above[top(place)] = top(first.setdefault(("group", group), place))
    return [top(place) for place in range(len(texts))]


def _chosen(examples: Examples, places: Places, left_out: dict[str, list[RowId]]) -> Examples:
    items = examples.items
    items = items.select(places) if isinstance(items, Reread) else [items[place] for place in places.tolist()]
    account = Account(len(items) + sum(map(len, left_out.values())), left_out)
    return replace(examples, items=items, account=account, fingerprint=fingerprint(items))
