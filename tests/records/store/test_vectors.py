"""Vectors: kept to the last digit, and the nearest of them found exactly."""

from __future__ import annotations

import math
import random

import pytest

from tunesmith.errors import DataError, QueryError
from tunesmith.records.store import vectors
from tunesmith.records.store.store import Store
from tunesmith.records.types import TextClassificationRecord

SIZE = 8


def records(count: int) -> list[TextClassificationRecord]:
    draw = random.Random(0)
    return [
        TextClassificationRecord(
            f"{'even' if number % 2 == 0 else 'odd'} {number}",
            id=number,
            vectors={"v": [draw.gauss(0, 1) for _ in range(SIZE)]} if number % 10 else None,
        )
        for number in range(count)
    ]


def cosine(first: list[float], second: list[float]) -> float:
    return math.fsum(a * b for a, b in zip(first, second, strict=True)) / math.hypot(*first) / math.hypot(*second)


@pytest.mark.parametrize("block", [7, vectors.BLOCK])
def test_the_nearest_are_those_of_the_largest_cosine(store: Store, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(vectors, "BLOCK", block)
    held = records(100)
    store.log(held, "d", "w", batch=30)
    store.log([TextClassificationRecord("other", vectors={"v": [1.0] * SIZE})], "e", "w")
    target = [1.0, -2.0, 0.5, 0.0, 3.0, 0.0, 1.0, 1.0]
    for query, wanted in ((None, held), ("even", held[::2])):
        scores = {each.id: cosine(each.vectors["v"], target) for each in wanted if each.vectors}
        nearest = sorted(scores, key=lambda identity: -scores[identity])[:5]
        found = store.similar("d", "w", ("v", target), query=query, limit=5)
        assert [record.id for record, _ in found] == nearest
        assert [score for _, score in found] == pytest.approx([scores[identity] for identity in nearest])
        assert found[0][0] == held[int(nearest[0])]


def test_a_vector_of_zeros_is_near_to_nothing(store: Store) -> None:
    store.log([TextClassificationRecord("a", id=n, vectors={"v": [n, 0]}) for n in (0, 1, -1)], "d", "w")
    assert [(record.id, score) for record, score in store.similar("d", "w", ("v", [2, 0]))] == [
        (1, 1),
        (0, 0),
        (-1, -1),
    ]
    assert {score for _, score in store.similar("d", "w", ("v", [0, 0]))} == {0.0}


def test_an_update_replaces_vectors_and_a_deletion_takes_them(store: Store) -> None:
    store.log(TextClassificationRecord("a", id="a", vectors={"v": [1, 0], "w": [1]}), "d", "w")
    store.log(TextClassificationRecord("a", id="a", vectors={"v": [0, 1]}), "d", "w")
    assert store.load("d", "w")[0].vectors == {"v": [0.0, 1.0]}
    assert store.count("d", "w", query="vectors.w:*") == 0
    assert store.similar("d", "w", ("v", [0, 1]))[0][1] == 1
    store.log(TextClassificationRecord("a", id="a", vectors={}), "d", "w")
    assert store.load("d", "w")[0].vectors == {}
    assert store.similar("d", "w", ("v", [0, 1])) == []


@pytest.mark.parametrize("values", [[0.1, 1e-300], [1 / 3], [0.5, -2.0], [1e39], [3.4e38]])
def test_every_digit_comes_back(values: list[float]) -> None:
    assert vectors.unpack(vectors.pack(values), len(values)).tolist() == values


def test_vectors_can_be_left_out(store: Store) -> None:
    store.log(TextClassificationRecord("a", id="a", vectors={"v": [1, 0]}), "d", "w")
    assert store.load("d", "w", with_vectors=False)[0].vectors is None
    assert next(store.iterate("d", "w", with_vectors=False)).vectors is None


def test_what_no_vector_fits_is_said(store: Store) -> None:
    store.log(TextClassificationRecord("a", vectors={"sense": [1, 0]}), "d", "w")
    with pytest.raises(DataError, match=r"no record has a vector 'sence'. Did you mean 'sense'\? Known: sense."):
        store.similar("d", "w", ("sence", [1, 0]))
    for bad in ([1], [1, 2, 3], [1, math.nan], [[1, 0]]):
        with pytest.raises(DataError, match="the vector 'sense' has 2 finite numbers"):
            store.similar("d", "w", ("sense", bad))  # type: ignore[arg-type]
    with pytest.raises(DataError, match="a pair of its name and its numbers"):
        store.similar("d", "w", ("sense", ["x", "y"]))  # type: ignore[list-item]
    with pytest.raises(DataError, match="limit is 0"):
        store.similar("d", "w", ("sense", [1, 0]), limit=0)
    with pytest.raises(QueryError):
        store.similar("d", "w", ("sense", [1, 0]), query="(")
