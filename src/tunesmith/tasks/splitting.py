"""Examples held out of examples: equal texts and groups on one side, classes in proportion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..data.splits import hold_out
from ..errors import DataError, nearest
from .base import Account, Example, Examples, RowId
from .reading import fingerprint


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

    Rows of one text (of one context, where `by_context`) or, where `groups` is given, of one group stay together.
    Single-label and multi-label examples are stratified. What was left out before stays in the account of `kept`.
    """
    keys: list[Any] = [
        groups[example.id] if groups is not None else (example.pair if by_context else (example.text, example.pair))
        for example in examples
    ]
    strata = [example.label for example in examples] if examples.kind in ("single", "multi") else None
    kept, held = hold_out(keys, fraction, seed=seed, strata=strata)
    left_out = examples.account.left_out
    return _chosen(examples, kept, left_out), _chosen(examples, held, {})


def _chosen(examples: Examples, places: Sequence[int], left_out: dict[str, list[RowId]]) -> Examples:
    items: list[Example] = [examples[place] for place in places]
    account = Account(len(items) + sum(map(len, left_out.values())), left_out)
    return replace(examples, items=items, account=account, fingerprint=fingerprint(items))
