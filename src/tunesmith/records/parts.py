"""Records in two parts, train and test: exact to one record, by record id, seeded."""

from __future__ import annotations

import random
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from ..data.splits import hold_out
from ..errors import ConfigError, DataError

SEED = 42  # where none is given, as in a run
_NEAR = 1e-9  # 0.7 + 0.3 is 1 as it is meant, not as floats add


@dataclass(frozen=True)
class Parts:
    """What is asked for: the share of the test part, and what neither part has; test 0 is no split.

    train, test, unused: shares of the records that are used; they add up to 1.
    """

    train: float = 1.0
    test: float = 0.0
    unused: float = 0.0
    seed: int = SEED
    stratify: bool = False

    @classmethod
    def make(cls, train_size: Any, test_size: Any, seed: Any, stratify: Any) -> Parts:
        """Sizes are shares above 0 and below 1; one of them alone leaves the rest to the other part.

        Neither, or train_size 1 alone, is no split. Both may leave records out. `seed` None is 42.

        Raises:
            ConfigError: a size, or a sum of sizes, that is no share; a seed that is no whole number from 0.
        """
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, Integral) or seed < 0):
            raise ConfigError("seed", seed, "a whole number from 0, or None")
        rest: tuple[int, bool] = (SEED if seed is None else int(seed), bool(stratify))
        if test_size is None and (train_size is None or (_is_number(train_size) and train_size == 1)):
            return cls(1.0, 0.0, 0.0, *rest)
        train = None if train_size is None else _share("train_size", train_size)
        test = None if test_size is None else _share("test_size", test_size)
        if train is None or test is None:
            known = train if test is None else test
            assert known is not None
            return cls(known, 1 - known, 0.0, *rest) if test is None else cls(1 - known, known, 0.0, *rest)
        if train + test > 1 + _NEAR:
            raise ConfigError("test_size", test_size, f"at most {1 - train:g}, as train_size is {train_size}")
        left = 1 - train - test
        return cls(train, test, left if left > _NEAR else 0.0, *rest)

    def counts(self, rows: int) -> tuple[int, int]:
        """(train, test) records of `rows`, each exact to one, and at least one.

        Raises:
            DataError: one record, which makes no two parts.
        """
        if not self.test:
            return rows, 0
        if rows < 2:
            raise DataError(f"{rows} annotated record cannot be split into train and test: at least two are needed.")
        train = min(max(round(rows * self.train), 1), rows - 1)
        if not self.unused:
            return train, rows - train
        return train, min(max(round(rows * self.test), 1), rows - train)

    def divide(self, ids: Sequence[str], strata: Sequence[Any]) -> tuple[list[int], list[int], list[int]]:
        """The places of (train, test, neither), each in order; records of one id stay together.

        strata: the label of each record, or its labels; looked at where `stratify` is set.

        Raises:
            DataError: fewer than two ids.
        """
        every = list(range(len(ids)))
        train, test = self.counts(len(ids))
        if not test:
            return every, [], []
        rest, tested = self._drawn(every, test, ids, strata)
        if spare := len(rest) - train if self.unused else 0:
            rest, unused = self._drawn(rest, spare, ids, strata)
            return rest, tested, unused
        return rest, tested, []

    def _drawn(
        self, places: Sequence[int], count: int, ids: Sequence[str], strata: Sequence[Any]
    ) -> tuple[list[int], list[int]]:
        """(others, drawn): `count` of the places, or as near as whole ids allow."""
        keys = [ids[place] for place in places]
        classes = [strata[place] for place in places] if self.stratify else None
        _, found = hold_out(keys, count / len(places), seed=self.seed, strata=classes)
        chosen = set(found)
        if len(chosen) < count:  # stratified, and each class had to keep one: exactness comes first
            chosen |= _more(keys, chosen, count, random.Random(self.seed))
        held = [places[at] for at in sorted(chosen)]
        return [place for at, place in enumerate(places) if at not in chosen], held


def _more(keys: Sequence[str], chosen: set[int], count: int, rng: random.Random) -> set[int]:
    groups: dict[Hashable, list[int]] = {}
    for at, key in enumerate(keys):
        if at not in chosen:
            groups.setdefault(key, []).append(at)
    waiting = list(groups.values())
    rng.shuffle(waiting)
    found: set[int] = set()
    for group in waiting[:-1]:
        if len(chosen) + len(found) + len(group) <= count:
            found.update(group)
    return found


def _share(name: str, value: Any) -> float:
    if not _is_number(value) or not 0 < value < 1:
        raise ConfigError(name, value, "a share of the records, above 0 and below 1")
    return float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
