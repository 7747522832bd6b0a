"""Percentile bootstrap intervals: how far a score would move with other rows of the same kind.

Follows Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapters 13 and 16. Rows are drawn with
replacement, all rows of a draw from one seeded generator, so equal seeds give equal intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ..errors import ConfigError, DataError

Row = TypeVar("Row")
Gold = TypeVar("Gold")


@dataclass(frozen=True, slots=True)
class Interval:
    """A statistic of the rows given, and the ends of its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference:
    """A metric of `a` less that of `b`, its interval, and the two-sided p-value of no difference."""

    difference: float
    low: float
    high: float
    p: float


def bootstrap(
    values: Sequence[Row],
    statistic: Callable[[Sequence[Row]], float],
    *,
    seed: int,
    samples: int = 2000,
    level: float = 0.95,
) -> Interval:
    """The percentile interval of `statistic(values)`. `statistic` gets a list of as many values."""
    rows = list(values)
    drawn = [float(statistic([rows[i] for i in places])) for places in _draws(len(rows), seed, samples)]
    return Interval(float(statistic(rows)), *_percentiles(drawn, level))


def paired_bootstrap(
    gold: Sequence[Gold],
    a: Sequence[Row],
    b: Sequence[Row],
    metric: Callable[[Sequence[Gold], Sequence[Row]], float],
    *,
    seed: int,
    samples: int = 2000,
    level: float = 0.95,
) -> Difference:
    """Two systems on the same rows: each draw scores both on the rows it drew.

    p is twice the smaller share of draws on one side of zero (a draw at zero is on both), with one added above and
    below, so that it is never 0: 2 / (samples + 1) is the least that can be told.
    """
    if not len(gold) == len(a) == len(b):
        raise DataError(f"{len(gold)} gold rows, {len(a)} and {len(b)} predictions: expected as many of each.")
    rows, first, second = list(gold), list(a), list(b)

    def difference(places: Sequence[int]) -> float:
        truth = [rows[i] for i in places]
        return float(metric(truth, [first[i] for i in places])) - float(metric(truth, [second[i] for i in places]))

    drawn = [difference(places) for places in _draws(len(rows), seed, samples)]
    side = min(sum(d <= 0 for d in drawn), sum(d >= 0 for d in drawn))
    low, high = _percentiles(drawn, level)
    return Difference(difference(range(len(rows))), low, high, min(1.0, 2 * (side + 1) / (samples + 1)))


def affordable(rows: int) -> int:
    """How many draws a table is worth whose metric reads `rows` rows in each: seconds, not minutes."""
    return min(max(150_000 // max(rows, 1), 100), 500)


def _draws(size: int, seed: int, samples: int) -> Iterator[list[int]]:
    import numpy as np

    if not size:
        raise DataError("nothing to draw from: expected at least one row.")
    if samples < 1:
        raise ConfigError("samples", samples, "a positive number of draws")
    generator = np.random.default_rng(seed)
    for _ in range(samples):
        yield generator.integers(size, size=size).tolist()


def _percentiles(drawn: Sequence[float], level: float) -> tuple[float, float]:
    import numpy as np

    if not 0 < level < 1:
        raise ConfigError("level", level, "a share between 0 and 1, as 0.95")
    tail: Any = (1 - level) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return float(low), float(high)
