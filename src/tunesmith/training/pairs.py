"""Pairs of rows that share a label or do not, drawn one after another: no list of all pairs is ever made.

n rows have n (n + 1) / 2 pairs, each row with itself among them. They are numbered, visited in a shuffled order that is
computed (a Feistel network over the numbers, Luby and Rackoff 1988), and those of the wanted kind are kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BLOCK = 8192  # pairs looked at together
_CELLS = 4_000_000  # of a block of the table of rows by rows, where several labels are counted
_ROUNDS = 4

Ints = NDArray[np.int64]
Words = NDArray[np.uint64]
Pair = tuple[int, int, float]
"""The places of two rows, and 1.0 where they share a label, else 0.0."""


@dataclass(frozen=True)
class Pairs:
    """The pairs of labelled rows. gold: (rows,) label ids, or (rows, labels) booleans where a row has several."""

    gold: NDArray[Any]

    @property
    def total(self) -> int:
        return len(self.gold) * (len(self.gold) + 1) // 2

    def same(self, left: Ints, right: Ints) -> NDArray[np.bool_]:
        """Whether the rows of each pair share a label; a row without any shares none with itself."""
        one, other = self.gold[left], self.gold[right]
        return np.asarray(one == other if self.gold.ndim == 1 else (one & other).any(axis=1))

    @cached_property
    def alike(self) -> int:
        """How many pairs share a label."""
        if self.gold.ndim == 1:
            sizes = np.unique(self.gold, return_counts=True)[1].astype(object)
            return int((sizes * (sizes + 1) // 2).sum())
        ordered = sum(found for found, _ in self._sharing())
        return int(ordered + self.gold.any(axis=1).sum()) // 2

    @cached_property
    def kinds(self) -> tuple[bool, bool]:
        """Whether there are pairs that share a label, and pairs that do not."""
        if self.gold.ndim == 1:
            return True, len(np.unique(self.gold)) > 1
        return bool(self.gold.any()), any(found < cells for found, cells in self._sharing())

    def _sharing(self) -> Iterator[tuple[int, int]]:
        """(cells that share a label, cells) of each block of the table of rows by rows."""
        whole = self.gold.astype(np.float32)
        rows = max(1, _CELLS // len(whole))
        for start in range(0, len(whole), rows):
            shared = whole[start : start + rows] @ whole.T
            yield int((shared > 0).sum()), shared.size

    def amounts(self, strategy: str, iterations: int | None) -> tuple[int, int]:
        """How many pairs an epoch draws that share a label, and that do not; 0 of a kind that there is none of.

        iterations: that many of each kind a row; None leaves it to `strategy`: unique draws each pair once,
        oversampling the smaller kind again and again, undersampling as many of each as the smaller kind has.
        """
        if iterations:
            alike, unlike = (iterations * len(self.gold) * there for there in self.kinds)
            return alike, unlike
        found = (self.alike, self.total - self.alike)
        if strategy == "unique" or 0 in found:
            return found
        each = max(found) if strategy == "oversampling" else min(found)
        return each, each

    def stream(self, alike: int, unlike: int, seed: int) -> Iterator[Pair]:
        """Endless epochs of so many pairs of both kinds, evenly mixed; no pair comes twice before all of its kind did.

        Raises:
            ValueError: there is no pair at all.
        """
        every = alike + unlike
        if not every:
            raise ValueError("no two rows make a pair")
        rng = np.random.default_rng(seed)
        drawn = (self._drawn(False, rng.spawn(1)[0]), self._drawn(True, rng.spawn(1)[0]))
        for place in count():
            at = place % every
            sharing = (at + 1) * alike // every > at * alike // every
            yield (*next(drawn[sharing]), float(sharing))

    def _drawn(self, sharing: bool, rng: np.random.Generator) -> Iterator[tuple[int, int]]:
        """The pairs of one kind in a shuffled order, in another one when all were drawn."""
        while True:
            keys = rng.integers(0, 2**63, _ROUNDS, dtype=np.uint64)
            for start in range(0, self.total, _BLOCK):
                places = np.arange(start, min(start + _BLOCK, self.total), dtype=np.uint64)
                left, right = _rows(_shuffled(places, self.total, keys))
                kept = self.same(left, right) == sharing
                yield from zip(left[kept].tolist(), right[kept].tolist(), strict=True)


def _rows(places: Words) -> tuple[Ints, Ints]:
    """The pair (i, j), i <= j, of each number: (0, 0), (0, 1), (1, 1), (0, 2) …"""
    numbers = places.astype(np.int64)
    right = ((np.sqrt(8.0 * numbers + 1) - 1) / 2).astype(np.int64)
    right += (right + 1) * (right + 2) // 2 <= numbers  # the root may be rounded down, or up
    right -= right * (right + 1) // 2 > numbers
    return numbers - right * (right + 1) // 2, right


def _shuffled(places: Words, size: int, keys: Sequence[Any] | Words) -> Words:
    """Where each of the numbers below `size` goes in a shuffled order; every number goes to another place."""
    half = np.uint64(max(1, ((size - 1).bit_length() + 1) // 2))
    mask = np.uint64((1 << int(half)) - 1)
    found, outside = places.copy(), np.ones(len(places), dtype=bool)
    while outside.any():  # a number that left the range goes on until it is back
        left, right = found[outside] >> half, found[outside] & mask
        for key in keys:
            left, right = right, left ^ (_mixed(right + key) & mask)
        found[outside] = left << half | right
        outside = found >= size
    return found


def _mixed(words: Words) -> Words:
    """The bits of each word stirred, as splitmix64 does."""
    words = (words ^ words >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ words >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return words ^ words >> np.uint64(31)


def grouped(gold: Ints, each: int, seed: int) -> Iterator[int]:
    """Endless places of rows, `each` of one label after another; a label of fewer rows is left out.

    Raises:
        ValueError: no label has so many rows.
    """
    rng = np.random.default_rng(seed)
    members = [places for label in np.unique(gold) if len(places := np.flatnonzero(gold == label)) >= each]
    if not members:
        raise ValueError(f"no label has {each} rows")
    while True:
        runs = [run for places in members for run in _cut(rng.permutation(places), each)]
        for place in rng.permutation(len(runs)):
            yield from runs[place].tolist()


def _cut(places: Ints, each: int) -> list[Ints]:
    whole = len(places) - len(places) % each
    return np.split(places[:whole], whole // each)
