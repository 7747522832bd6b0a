from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
import polars as pl
import pytest

from tunesmith.data.splits import hold_out
from tunesmith.errors import ConfigError, DataError

TEXTS = [f"text {place}" for place in range(100)]


def test_sizes_are_exact_and_every_row_is_on_one_side_in_order() -> None:
    for fraction in (0.01, 0.1, 0.25, 0.5, 0.99):
        kept, held = hold_out(TEXTS, fraction, seed=1)
        assert len(held) == round(100 * fraction)
        assert sorted(kept + held) == list(range(100))
        assert kept == sorted(kept)
        assert held == sorted(held)


def test_the_seed_decides_and_zero_is_a_seed() -> None:
    assert hold_out(TEXTS, 0.2, seed=0) == hold_out(TEXTS, 0.2, seed=0)
    assert hold_out(TEXTS, 0.2, seed=0) != hold_out(TEXTS, 0.2, seed=1)


def test_equal_keys_stay_on_one_side() -> None:
    keys = [f"text {place % 30}" for place in range(90)]
    kept, held = hold_out(keys, 0.2, seed=3)
    assert len(held) == 18
    assert not {keys[place] for place in kept} & {keys[place] for place in held}


def test_the_size_is_exact_to_one_key_where_keys_are_large() -> None:
    keys = [place // 10 for place in range(100)]
    _, held = hold_out(keys, 0.25, seed=0)
    assert len(held) == 20
    _, held = hold_out(["a"] * 50 + ["b"] * 50, 0.1, seed=0)
    assert len(held) == 50


def test_classes_are_held_in_proportion() -> None:
    strata = ["ham"] * 80 + ["spam"] * 20
    _, held = hold_out(TEXTS, 0.2, seed=7, strata=strata)
    assert Counter(strata[place] for place in held) == {"ham": 16, "spam": 4}


def test_a_class_of_one_row_goes_to_training() -> None:
    strata = ["a"] * 95 + ["b"] * 4 + ["c"]
    for seed in range(20):
        kept, held = hold_out(TEXTS, 0.2, seed=seed, strata=strata)
        assert 99 in kept
        assert len(held) == 20
        assert {strata[place] for place in kept} == {"a", "b", "c"}


def test_what_classes_of_one_row_do_not_give_comes_from_the_others() -> None:
    strata = ["a" if place < 50 else f"own {place}" for place in range(100)]
    kept, held = hold_out(TEXTS, 0.3, seed=0, strata=strata)
    assert len(held) == 30
    assert {strata[place] for place in held} == {"a"}
    assert len({strata[place] for place in kept}) == 51


def test_every_class_keeps_a_row_for_training() -> None:
    strata = ["a"] * 8 + ["b"] * 2
    for seed in range(10):
        kept, _ = hold_out(range(10), 0.9, seed=seed, strata=strata)
        assert {strata[place] for place in kept} == {"a", "b"}


def test_classes_of_one_row_each_are_split_without_strata() -> None:
    kept, held = hold_out(TEXTS, 0.1, seed=0, strata=TEXTS)
    assert (len(kept), len(held)) == (90, 10)


def test_several_labels_count_as_the_rarest_and_a_missing_one_is_a_stratum() -> None:
    strata = [("common", "rare") if place < 10 else ("common",) if place < 90 else None for place in range(100)]
    _, held = hold_out(TEXTS, 0.5, seed=0, strata=strata)
    assert Counter(strata[place] for place in held) == {("common", "rare"): 5, ("common",): 40, None: 5}


def test_the_container_of_the_keys_does_not_matter() -> None:
    strata = [place % 3 for place in range(100)]
    expected = hold_out(TEXTS, 0.3, seed=5, strata=strata)
    for make in (tuple, np.array, pl.Series, lambda values: pd.Series(values, index=range(200, 300)), iter):
        assert hold_out(make(TEXTS), 0.3, seed=5, strata=make(strata)) == expected


@pytest.mark.parametrize("fraction", [0, 1, 1.5, -0.1, True, "0.2", float("nan")])
def test_a_fraction_outside_zero_and_one_is_refused(fraction: object) -> None:
    with pytest.raises(ConfigError, match="between 0 and 1"):
        hold_out(TEXTS, fraction, seed=0)  # type: ignore[arg-type]


def test_what_cannot_be_split_is_told() -> None:
    with pytest.raises(DataError, match="3 rows with 1 distinct keys cannot be split"):
        hold_out(["a", "a", "a"], 0.5, seed=0)
