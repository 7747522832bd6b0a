"""A held-out part of a data set: exact in size, seeded, stratified, equal texts on one side."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

from ..errors import ConfigError, DataError

Group = list[int]  # the places of the rows of one key


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
    if isinstance(fraction, bool) or not isinstance(fraction, (int, float)) or not 0 < fraction < 1:
        raise ConfigError("fraction", fraction, "a fraction of the rows, between 0 and 1")
    groups: dict[Hashable, Group] = {}
    for place, key in enumerate(keys):
        groups.setdefault(hashable(key), []).append(place)
    rows = sum(map(len, groups.values()))
    if len(groups) < 2:
        raise DataError(f"{rows} rows with {len(groups)} distinct keys cannot be split: at least two are needed.")
    target = min(max(round(rows * fraction), 1), rows - 1)
    labels = _strata(list(strata), rows) if strata is not None else [None] * rows
    held = _draw(list(groups.values()), labels, target, random.Random(seed))
    if not held:  # every class has a single key: there is nothing to stratify by
        held = _draw(list(groups.values()), [None] * rows, target, random.Random(seed))
    chosen = set(held)
    return [place for place in range(rows) if place not in chosen], sorted(chosen)


def _draw(groups: Sequence[Group], labels: Sequence[Hashable], target: int, rng: random.Random) -> list[int]:
    rows = sum(map(len, groups))
    strata: dict[Hashable, list[Group]] = {}
    for group in groups:
        strata.setdefault(Counter(labels[place] for place in group).most_common(1)[0][0], []).append(group)
    for members in strata.values():
        rng.shuffle(members)
    sizes = {name: sum(map(len, members)) for name, members in strata.items()}
    quotas = _quotas(sizes, target, rows)
    held: list[int] = []
    waiting: list[tuple[int, Group]] = []  # (rank in its stratum, group): drawn next if rows are still due
    for name, members in strata.items():
        taken = 0
        spare: list[Group] = []
        for group in members[:-1]:  # the last group of each stratum stays in training
            if taken + len(group) <= quotas[name]:
                held += group
                taken += len(group)
            else:
                spare.append(group)
        waiting += enumerate(spare)
    for _, group in sorted(waiting, key=lambda pair: pair[0]):
        if len(held) + len(group) <= target:
            held += group
    if not held and waiting:  # every key is larger than the part asked for
        held = min((group for _, group in waiting), key=len)
    return held


def _quotas(sizes: dict[Hashable, int], target: int, rows: int) -> dict[Hashable, int]:
    """Rows due from each stratum, by largest remainder; they add up to `target`."""
    exact = {name: size * target / rows for name, size in sizes.items()}
    quotas = {name: int(share) for name, share in exact.items()}
    by_remainder = sorted(exact, key=lambda name: quotas[name] - exact[name])
    for name in by_remainder[: target - sum(quotas.values())]:
        quotas[name] += 1
    return quotas


def _strata(labels: Sequence[Any], rows: int) -> list[Hashable]:
    if len(labels) != rows:
        raise ValueError(f"{len(labels)} strata for {rows} keys: one for each is needed")
    counts = Counter(part for label in labels if isinstance(label, (list, tuple)) for part in label)
    return [
        min(label, key=lambda part: (counts[part], str(part)), default=None)
        if isinstance(label, (list, tuple))
        else hashable(label)
        for label in labels
    ]


def hashable(value: Any) -> Hashable:
    """A cell as a key: lists as tuples, mappings as their sorted items."""
    if isinstance(value, Mapping):
        return tuple(sorted((str(key), hashable(part)) for key, part in value.items()))
    return tuple(hashable(part) for part in value) if isinstance(value, (list, tuple)) else value
