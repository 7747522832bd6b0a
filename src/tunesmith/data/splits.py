"""A held-out part of a data set: exact in size, seeded, stratified, equal texts on one side."""

from __future__ import annotations

import random
from array import array
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, DataError

Places = NDArray[np.int64]


def hold_out(
    keys: Iterable[Any], fraction: float, *, seed: int, strata: Iterable[Any] | None = None
) -> tuple[list[int], list[int]]:
    """(kept places, held places), both in order; the rows of one key stay together.

    The held part has round(rows * fraction) rows, or as near as whole keys allow. Where `strata` is given (one label
    a row; a tuple counts as its rarest label; None is a stratum of its own) each stratum gives its share and keeps at
    least one key, so a class of one key stays in training.

    Raises:
        ConfigError: the fraction is not between 0 and 1. DataError: fewer than two keys.
    """
    kept, held = places_held_out(keys, fraction, seed=seed, strata=strata)
    return kept.tolist(), held.tolist()


def places_held_out(
    keys: Iterable[Any], fraction: float, *, seed: int, strata: Iterable[Any] | None = None
) -> tuple[Places, Places]:
    """`hold_out` as arrays, for tables of millions of rows; integer arrays are taken as keys without a copy of each."""
    if isinstance(fraction, bool) or not isinstance(fraction, (int, float)) or not 0 < fraction < 1:
        raise ConfigError("fraction", fraction, "a fraction of the rows, between 0 and 1")
    groups = _grouped(_codes(keys))
    rows = len(groups.order)
    if len(groups.sizes) < 2:
        raise DataError(f"{rows} rows with {len(groups.sizes)} distinct keys cannot be split: at least two are needed.")
    target = min(max(round(rows * fraction), 1), rows - 1)
    alike = np.zeros(rows, dtype=np.int64)
    labels = alike if strata is None else _strata(strata, rows)
    held = _draw(groups, labels, target, random.Random(seed))
    if not held:  # every class has a single key: there is nothing to stratify by
        held = _draw(groups, alike, target, random.Random(seed))
    is_held = np.zeros(rows, dtype=bool)
    for group in held:
        is_held[groups.rows(group)] = True
    return np.flatnonzero(~is_held), np.flatnonzero(is_held)


@dataclass(frozen=True)
class _Groups:
    """The rows of each key, keys numbered as they appear.

    order: rows, key after key. starts, sizes: of each key in it.
    """

    order: Places
    starts: Places
    sizes: Places

    def rows(self, group: int) -> Places:
        start = self.starts[group]
        return self.order[start : start + self.sizes[group]]


def _grouped(codes: Places) -> _Groups:
    sizes = np.bincount(codes).astype(np.int64)
    return _Groups(np.argsort(codes, kind="stable"), np.cumsum(sizes) - sizes, sizes)


def _codes(values: Iterable[Any]) -> Places:
    """Equal values as equal numbers, counted from 0 as they first appear."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "iu":
        return _renumbered(values)
    known: dict[Hashable, int] = {}
    found = array("q", (known.setdefault(hashable(value), len(known)) for value in values))
    return np.frombuffer(found, dtype=np.int64) if found else np.zeros(0, dtype=np.int64)


def _renumbered(values: NDArray[Any]) -> Places:
    _, first, codes = np.unique(values, return_index=True, return_inverse=True)
    ranks = np.empty(len(first), dtype=np.int64)
    ranks[np.argsort(first)] = np.arange(len(first))
    renumbered: Places = ranks[codes]
    return renumbered


def _draw(groups: _Groups, labels: Places, target: int, rng: random.Random) -> list[int]:
    """The keys held out."""
    strata = _renumbered(_majority(groups, labels))
    of_stratum = _grouped(strata)
    shuffled = [_shuffled(of_stratum.rows(name), rng) for name in range(len(of_stratum.sizes))]
    quotas = _quotas(np.bincount(strata, weights=groups.sizes).astype(np.int64).tolist(), target)
    held: list[int] = []
    spares: list[Sequence[int]] = []  # of each stratum, in the order in which they are drawn if rows are still due
    total = 0
    for members, quota in zip(shuffled, quotas, strict=True):
        taken, spare = 0, array("q")
        for place, group in enumerate(members[:-1]):  # the last group of each stratum stays in training
            if taken == quota:
                spare.extend(members[place:-1])
                break
            if taken + (size := int(groups.sizes[group])) <= quota:
                held.append(group)
                taken += size
            else:
                spare.append(group)
        total += taken
        spares.append(spare)
    for group in _in_turn(spares):
        if total == target:
            break
        if total + (size := int(groups.sizes[group])) <= target:
            held.append(group)
            total += size
    if not held and any(spares):  # every key is larger than the part asked for
        held = [min((group for spare in spares for group in spare), key=lambda group: int(groups.sizes[group]))]
    return held


def _shuffled(groups: Places, rng: random.Random) -> array[int]:
    found = array("q", groups.astype(np.int64).tobytes())
    rng.shuffle(found)
    return found


def _in_turn(lists: Sequence[Sequence[int]]) -> Iterator[int]:
    """The first of each list, then the second of each …"""
    left = list(lists)
    rank = 0
    while left := [each for each in left if rank < len(each)]:
        yield from (each[rank] for each in left)
        rank += 1


def _majority(groups: _Groups, labels: Places) -> Places:
    """Of each key the label that most of its rows have, the first of equals."""
    found: Places = labels[groups.order[groups.starts]]
    for group in np.flatnonzero(groups.sizes > 1).tolist():
        found[group] = Counter(labels[groups.rows(group)].tolist()).most_common(1)[0][0]
    return found


def _quotas(sizes: Sequence[int], target: int) -> list[int]:
    """Rows due from each stratum, by largest remainder; they add up to `target`."""
    rows = sum(sizes)
    exact = [size * target / rows for size in sizes]
    quotas = [int(share) for share in exact]
    by_remainder = sorted(range(len(sizes)), key=lambda name: quotas[name] - exact[name])
    for name in by_remainder[: target - sum(quotas)]:
        quotas[name] += 1
    return quotas


def _strata(given: Iterable[Any], rows: int) -> Places:
    labels = list(given)
    if len(labels) != rows:
        raise ValueError(f"{len(labels)} strata for {rows} keys: one for each is needed")
    counts = Counter(part for label in labels if isinstance(label, (list, tuple)) for part in label)
    return _codes(
        min(label, key=lambda part: (counts[part], str(part)), default=None)
        if isinstance(label, (list, tuple))
        else label
        for label in labels
    )


def hashable(value: Any) -> Hashable:
    """A cell as a key: lists as tuples, mappings as their sorted items."""
    if isinstance(value, Mapping):
        return tuple(sorted((str(key), hashable(part)) for key, part in value.items()))
    return tuple(hashable(part) for part in value) if isinstance(value, (list, tuple)) else value
