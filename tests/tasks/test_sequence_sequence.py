from __future__ import annotations

from typing import Any

import datasets
import pytest

from tunesmith.data.dataset import Dataset
from tunesmith.errors import DataError, RowError
from tunesmith.tasks.base import Example, Examples, Prediction, Reading
from tunesmith.tasks.sequence_sequence import TASK


def read(rows: list[dict[str, Any]], **settings: Any) -> Examples:
    return TASK.examples(Dataset(datasets.Dataset.from_list(rows)), Reading(**settings))


@pytest.mark.parametrize(
    ("names", "columns"),
    [
        (("source", "target"), None),
        (("article", "highlights"), None),
        (("mr", "ref"), None),
        (("en", "de"), None),
        (("x", "y"), ("x", "y")),
        (("x", "y"), {"target": "y", "source": "x"}),
    ],
)
def test_source_and_target_are_found_or_named(names: tuple[str, str], columns: Any) -> None:
    found = read([{names[1]: "ein Hund", names[0]: "a dog", "id": 3}], columns=columns)
    assert list(found) == [Example(0, "a dog", target="ein Hund")]


@pytest.mark.parametrize("column", ["source", "target"])
def test_a_null_on_either_side_is_told(column: str) -> None:
    row: dict[str, Any] = {"source": "a", "target": "b", column: None}
    with pytest.raises(RowError) as caught:
        read([row])
    assert str(caught.value) == f"train: row 0, column {column!r}: is empty: expected text"


def test_the_target_is_needed_to_learn_and_not_to_predict() -> None:
    assert read([{"source": "a"}], need_labels=False)[0] == Example(0, "a")
    with pytest.raises(DataError) as caught:
        read([{"source": "a"}])
    assert "sequence-sequence finds no column for target" in str(caught.value)
    assert TASK.inputs(["a", {"text": "b", "target": "c"}]) == [Example(0, "a"), Example(1, "b")]


def test_scores_compare_the_text_with_the_target() -> None:
    found = read([{"source": "a", "target": "a dog ran home"}, {"source": "b", "target": "the cat"}])
    scores = TASK.score(found, [Prediction(text="a dog ran home"), Prediction()])
    assert scores["exact_match"] == 0.5
    assert scores["rouge1"] == 0.5
    assert {"bleu", "chrf", "rouge1", "rouge2", "rougeL"} <= set(scores)
    assert TASK.primary_metric in scores
    with pytest.raises(DataError):
        TASK.score(found, [])
