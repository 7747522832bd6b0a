"""Pairs of rows, drawn one after another."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from itertools import islice

import numpy as np
import pytest

from tunesmith.training.pairs import Pairs, grouped

FEW = Pairs(np.array([0] * 8 + [1] * 8))


def test_every_pair_comes_once_before_one_comes_again() -> None:
    alike, unlike = FEW.amounts("unique", None)
    drawn = list(islice(FEW.stream(alike, unlike, 1), alike + unlike))
    assert (alike, unlike) == (2 * 8 * 9 // 2, 8 * 8)
    assert {(i, j) for i, j, _ in drawn} == {(i, j) for j in range(16) for i in range(j + 1)}
    assert all(label == ((i < 8) == (j < 8)) for i, j, label in drawn)


@pytest.mark.parametrize(
    ("strategy", "iterations", "expected"),
    [
        ("oversampling", None, (72, 72)),
        ("undersampling", None, (64, 64)),
        ("unique", None, (72, 64)),
        ("", 20, (320,) * 2),
    ],
)
def test_an_epoch_has_as_many_pairs_as_the_library_makes(
    strategy: str, iterations: int | None, expected: tuple[int, int]
) -> None:
    sampler = pytest.importorskip("setfit.sampler")
    labels = FEW.gold.tolist()
    theirs = sampler.ContrastiveDataset([str(i) for i in range(16)], labels, False, iterations, strategy or "unique")
    assert FEW.amounts(strategy, iterations) == expected == (theirs.len_pos_pairs, theirs.len_neg_pairs)


def test_rows_of_several_labels_are_alike_where_they_share_one() -> None:
    gold = np.random.default_rng(0).random((40, 4)) < 0.3
    pairs = Pairs(gold)
    alike, unlike = pairs.amounts("unique", None)
    drawn = list(islice(pairs.stream(alike, unlike, 1), alike + unlike))
    assert len({(i, j) for i, j, _ in drawn}) == 40 * 41 // 2
    assert all(label == (gold[i] & gold[j]).any() for i, j, label in drawn)


def test_a_batch_holds_as_many_pairs_of_either_kind() -> None:
    drawn = [label for *_, label in islice(FEW.stream(320, 320, 1), 64)]
    assert [sum(drawn[at : at + 16]) for at in range(0, 64, 16)] == [8] * 4


def test_the_seed_decides_the_order() -> None:
    one, same, other = (list(islice(FEW.stream(72, 64, seed), 50)) for seed in (1, 1, 2))
    assert one == same != other


def test_memory_does_not_grow_with_the_square_of_the_rows() -> None:
    pairs = Pairs(np.arange(50_000) % 77)
    tracemalloc.start()
    drawn = Counter(label for *_, label in islice(pairs.stream(*pairs.amounts("oversampling", 20), seed=3), 10_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert drawn == {1.0: 5000, 0.0: 5000}
    assert peak < 8_000_000, "1.25 billion pairs would take gigabytes"


def test_rows_of_one_class_make_pairs_of_one_kind() -> None:
    pairs = Pairs(np.zeros(5, dtype=int))
    assert pairs.amounts("oversampling", 20) == (100, 0)
    assert {label for *_, label in islice(pairs.stream(100, 0, 1), 30)} == {1.0}


def test_rows_of_one_label_stand_together_and_a_label_of_too_few_is_left_out() -> None:
    gold = np.array([0, 0, 0, 1, 1, 1, 1, 2])
    drawn = list(islice(grouped(gold, 2, 1), 60))
    assert all(gold[one] == gold[two] and one != two for one, two in zip(drawn[::2], drawn[1::2], strict=True))
    assert set(drawn) == set(range(7))
    with pytest.raises(ValueError, match="no label has 5 rows"):
        next(grouped(gold, 5, 1))
