"""Batches of like length: little padding, every row once an epoch, the same rows however a batch is cut."""

from __future__ import annotations

import numpy as np
import pytest
from datasets import Dataset

from tunesmith.training.sampling import ByLength, lengths


def sizes(count: int, columns: int = 1) -> np.ndarray:
    """Lengths as texts have them: many short, few long."""
    return np.random.default_rng(0).lognormal(3, 0.6, (count, columns)).astype(np.int64) + 2


def padding(of: np.ndarray, batches: list[list[int]]) -> float:
    padded = sum(int(of[batch].max(axis=0).sum()) * len(batch) for batch in batches)
    return 1 - of.sum() / padded


def test_every_row_comes_once_an_epoch_and_the_shorter_batch_last() -> None:
    batches = list(ByLength(sizes(1003), micro=8, batch=8, seed=1))
    assert sorted(place for batch in batches for place in batch) == list(range(1003))
    assert [len(batch) for batch in batches] == [8] * 125 + [3]


@pytest.mark.parametrize("columns", [1, 2], ids=["source", "source and target"])
def test_at_most_three_percent_are_padding_and_rows_still_meet_by_chance(columns: int) -> None:
    of = sizes(3000) if columns == 1 else sizes(3000).repeat(2, axis=1)
    sampler = ByLength(of, micro=8, batch=8, seed=1)
    batches = list(sampler)
    assert padding(of, batches) <= 0.03
    assert sampler.window < 3000, "one sorted list of all rows: their order would hardly change"
    sampler.set_epoch(1)
    assert {frozenset(batch) for batch in batches}.isdisjoint({frozenset(batch) for batch in sampler})
    random = np.random.default_rng(0).permutation(3000).reshape(-1, 8).tolist()
    assert padding(of, random) > 0.2, "these rows have lengths too much alike: the test says nothing"


def test_a_window_stops_growing_where_it_gains_nothing() -> None:
    nearly = np.random.default_rng(0).integers(1000, 1004, (3000, 1))
    assert ByLength(nearly, micro=8, batch=8, seed=1, padding=0.0).window == 8


def test_rows_of_one_length_are_shuffled_whole() -> None:
    sampler = ByLength(np.full((100, 1), 9), micro=4, batch=4, seed=1)
    assert sampler.window == 4


def test_the_order_follows_from_seed_and_epoch_alone() -> None:
    first, same, other = (ByLength(sizes(200), micro=8, batch=8, seed=seed) for seed in (0, 0, 1))
    assert list(first) == list(first) == list(same) != list(other)
    same.set_epoch(1)
    assert list(same) != list(first)
    same.set_epoch(0)
    assert list(same) == list(first)


@pytest.mark.parametrize("micro", [1, 2, 4])
def test_a_batch_of_the_optimizer_has_the_same_rows_however_it_is_cut(micro: int) -> None:
    whole = list(ByLength(sizes(205), micro=8, batch=8, seed=3))
    cut = list(ByLength(sizes(205), micro=micro, batch=8, seed=3))
    assert [place for batch in cut for place in batch] == [place for batch in whole for place in batch]
    assert all(len(batch) == micro for batch in cut[: 200 // micro])


def test_drop_last_leaves_out_the_micro_batch_that_is_not_whole() -> None:
    sampler = ByLength(sizes(21), micro=4, batch=8, seed=0, drop_last=True)
    assert [len(batch) for batch in sampler] == [4] * 5
    assert len(sampler) == 5


def test_a_batch_that_cannot_be_cut_is_refused() -> None:
    with pytest.raises(ValueError, match="10 rows is not cut into micro-batches of 4"):
        ByLength(sizes(20), micro=4, batch=10, seed=0)


def test_a_target_counts_where_it_has_a_length_of_its_own() -> None:
    rows = {"input_ids": [[1, 2, 3], [1]], "labels": [[1], [1, 2]], "example": [0, 1]}
    assert lengths(Dataset.from_dict(rows)).tolist() == [[3, 1], [1, 2]]
    tagged = {**rows, "labels": [[0, 0, 0], [0]]}
    assert lengths(Dataset.from_dict(tagged)).tolist() == [[3], [1]]
    several = {**rows, "labels": [[0.0] * 50, [1.0] * 50]}  # one number a class: never padded
    assert lengths(Dataset.from_dict(several)).tolist() == [[3], [1]]
    classes = {**rows, "labels": [0, 1]}
    assert lengths(Dataset.from_dict(classes).select([1, 0])).tolist() == [[1], [3]]
