"""Train and test parts: disjoint, exact to one record, seeded."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz import examples
from tunesmith.errors import ConfigError, DataError
from tunesmith.records.parts import Parts

shares = st.floats(0.01, 0.99)


def ids(count: int) -> list[str]:
    return [f"r{i}" for i in range(count)]


@examples(150)
@given(
    st.integers(2, 60),
    shares,
    st.none() | shares,
    st.integers(0, 2**40),
    st.none() | st.lists(st.sampled_from("abcdefghij"), min_size=60, max_size=60),
)
def test_parts_are_disjoint_and_exact_to_one_record(
    rows: int, train: float, test: float | None, seed: int, classes: list[str] | None
) -> None:
    if test is not None and train + test > 1:
        train, test = 1 - train, 1 - test
        if train + test > 1:
            return
    made = Parts.make(train, test, seed, classes is not None)
    found = made.divide(ids(rows), (classes or ["x"] * 60)[:rows])
    assert sorted(place for part in found for place in part) == list(range(rows))
    for part, share in zip(found, (train, 1 - train if test is None else test), strict=False):
        assert part == sorted(part)
        assert abs(len(part) - rows * share) < 1 or len(part) == 1 or rows - len(part) == 1
    assert made.divide(ids(rows), (classes or ["x"] * 60)[:rows]) == found


@pytest.mark.parametrize(
    ("train", "test", "wanted"),
    [
        (0.8, None, (8, 2, 0)),
        (None, 0.3, (7, 3, 0)),
        (0.7, 0.3, (7, 3, 0)),  # 0.7 + 0.3 is 1, but 1 - 0.7 is not 0.3
        (0.11, 0.1 * 8.9, (1, 9, 0)),  # 1.0000000000000002 as floats add
        (0.5, 0.2, (5, 2, 3)),
        (0.01, None, (1, 9, 0)),
        (None, None, (10, 0, 0)),
        (1, None, (10, 0, 0)),
        (1.0, None, (10, 0, 0)),
    ],
)
def test_sizes(train: float | None, test: float | None, wanted: tuple[int, int, int]) -> None:
    found = Parts.make(train, test, None, False).divide(ids(10), ["x"] * 10)
    assert tuple(map(len, found)) == wanted


@pytest.mark.parametrize("size", [0, 0.0, -0.5, 1.5, 2, True, "0.5", float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["train_size", "test_size"])
def test_what_is_no_share_is_an_error_that_names_the_setting(name: str, size: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        Parts.make(**{"train_size": None, "test_size": None, name: size}, seed=None, stratify=False)
    assert f"setting '{name}' is {size!r}: expected a share of the records, above 0 and below 1" in str(caught.value)


def test_sizes_above_one_together_are_an_error() -> None:
    with pytest.raises(ConfigError, match=r"setting 'test_size' is 0.5: expected at most 0.3, as train_size is 0.7"):
        Parts.make(0.7, 0.5, None, False)


@pytest.mark.parametrize("seed", [-1, 1.5, True, "0"])
def test_a_seed_is_a_whole_number(seed: Any) -> None:
    with pytest.raises(ConfigError, match="setting 'seed'"):
        Parts.make(0.5, None, seed, False)


def test_seed_zero_is_a_seed_and_none_is_the_seed_of_a_run() -> None:
    def drawn(seed: int | None) -> list[int]:
        return Parts.make(0.5, None, seed, False).divide(ids(40), [None] * 40)[1]

    assert drawn(0) == drawn(0)
    assert drawn(0) != drawn(1)
    assert drawn(None) == drawn(None) == drawn(42) != drawn(0)


def test_records_of_one_id_stay_together() -> None:
    repeated = [f"r{i // 2}" for i in range(40)]
    train, test, _ = Parts.make(0.5, None, 3, False).divide(repeated, [None] * 40)
    assert not {repeated[place] for place in train} & {repeated[place] for place in test}
    assert len(train) == 20


def test_a_stratified_split_keeps_the_shares_of_the_labels() -> None:
    classes = ["a"] * 60 + ["b"] * 30 + ["c"] * 10
    train, test, _ = Parts.make(0.8, None, 0, True).divide(ids(100), classes)
    assert Counter(classes[place] for place in test) == {"a": 12, "b": 6, "c": 2}
    assert len(train) == 80


def test_a_stratified_split_of_labels_that_are_there_once_is_exact_all_the_same() -> None:
    train, test, _ = Parts.make(0.5, None, 0, True).divide(ids(10), [*"abcdefgh", "i", "i"])
    assert (len(train), len(test)) == (5, 5)


def test_one_record_makes_no_two_parts() -> None:
    with pytest.raises(DataError, match="1 annotated record cannot be split into train and test"):
        Parts.make(0.5, None, 0, False).divide(["a"], [None])
