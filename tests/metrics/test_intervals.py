from __future__ import annotations

import math
import random
from collections.abc import Sequence
from statistics import fmean

import pytest

from tunesmith.errors import ConfigError, DataError
from tunesmith.metrics.intervals import bootstrap, paired_bootstrap


def accuracy(gold: Sequence[object], predicted: Sequence[object]) -> float:
    return fmean(g == p for g, p in zip(gold, predicted, strict=True))


def test_the_interval_of_a_mean_is_that_of_the_normal_law() -> None:
    draw = random.Random(0)
    values = [draw.gauss(10, 2) for _ in range(400)]
    found = bootstrap(values, fmean, seed=1)
    spread = math.sqrt(fmean((v - fmean(values)) ** 2 for v in values) / len(values))
    assert found.value == pytest.approx(fmean(values))
    assert found.low == pytest.approx(found.value - 1.96 * spread, abs=0.2 * spread)
    assert found.high == pytest.approx(found.value + 1.96 * spread, abs=0.2 * spread)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    draw = random.Random(3)
    covered = 0
    for trial in range(200):
        found = bootstrap([draw.random() < 0.7 for _ in range(100)], fmean, seed=trial, samples=300, level=0.9)
        covered += found.low <= 0.7 <= found.high
    assert 165 <= covered <= 195


def test_equal_seeds_give_equal_intervals_and_others_do_not() -> None:
    values = [float(v) for v in range(30)]
    assert bootstrap(values, fmean, seed=0, samples=100) == bootstrap(values, fmean, seed=0, samples=100)
    assert bootstrap(values, fmean, seed=0, samples=100) != bootstrap(values, fmean, seed=1, samples=100)


def test_pairs_stay_together() -> None:
    # both miss the same rows: unpaired draws would differ, paired ones never do
    gold = [1] * 20
    a = [1] * 10 + [0] * 10
    found = paired_bootstrap(gold, a, list(a), accuracy, seed=5, samples=200)
    assert (found.difference, found.low, found.high, found.p) == (0.0, 0.0, 0.0, 1.0)


def test_a_clear_difference_is_told_and_p_is_never_zero() -> None:
    gold = [1] * 100
    a, b = [1] * 90 + [0] * 10, [1] * 60 + [0] * 40
    found = paired_bootstrap(gold, a, b, accuracy, seed=0, samples=500)
    assert found.difference == pytest.approx(0.3)
    assert 0.15 < found.low < 0.25
    assert 0.35 < found.high < 0.45
    assert found.p == pytest.approx(2 / 501)
    turned = paired_bootstrap(gold, b, a, accuracy, seed=0, samples=500)
    assert (turned.difference, turned.low, turned.high) == pytest.approx((-0.3, -found.high, -found.low))


def test_chance_alone_is_seldom_significant() -> None:
    draw = random.Random(11)
    small = 0
    for trial in range(100):
        gold = [draw.random() < 0.5 for _ in range(80)]
        a, b = ([g if draw.random() < 0.8 else not g for g in gold] for _ in range(2))
        small += paired_bootstrap(gold, a, b, accuracy, seed=trial, samples=200).p < 0.05
    assert small <= 12


def test_bad_arguments_are_named() -> None:
    with pytest.raises(DataError) as caught:
        bootstrap([], fmean, seed=0)
    assert "at least one row" in str(caught.value)
    with pytest.raises(DataError) as caught:
        paired_bootstrap([1], [1], [], accuracy, seed=0)
    assert "1 gold rows, 1 and 0 predictions" in str(caught.value)
    with pytest.raises(ConfigError):
        bootstrap([1.0], fmean, seed=0, level=95)
    with pytest.raises(ConfigError):
        bootstrap([1.0], fmean, seed=0, samples=0)
