from __future__ import annotations

import math
from typing import Any

import datasets
import pytest

from tunesmith.data.dataset import Dataset
from tunesmith.errors import DataError, RowError
from tunesmith.tasks.base import Example, Examples, Prediction, Reading
from tunesmith.tasks.language import DETECTION, GENERATION, MODELING, Language


def read(rows: list[dict[str, Any]], **settings: Any) -> Examples:
    return GENERATION.examples(Dataset(datasets.Dataset.from_list(rows)), Reading(**settings))


@pytest.mark.parametrize("columns", [None, "text", ("text",), ("text", None), {"text": "text"}])
def test_one_column_is_enough_however_it_is_named(columns: Any) -> None:
    found = read([{"text": "a line", "label": "x"}, {"text": "", "label": "y"}], columns=columns)
    assert list(found) == [Example(0, "a line"), Example(1, "")]


def test_a_second_column_is_the_pair() -> None:
    assert read([{"q": "a", "r": "b"}], columns=("q", "r"))[0] == Example(0, "a", pair="b")
    with pytest.raises(RowError) as caught:
        read([{"q": "a", "r": None}], columns=("q", "r"))
    assert "row 0, column 'r': is empty" in str(caught.value)


def test_a_null_is_told_and_may_be_dropped() -> None:
    rows = [{"text": "a"}, {"text": None}]
    with pytest.raises(RowError):
        read(rows)
    assert read(rows, bad_rows="drop").account.left_out == {"column 'text' is empty": [1]}


def test_inputs_are_texts_or_pairs() -> None:
    assert MODELING.inputs(["a [MASK]", ("a", "b"), {"content": "c"}]) == [
        Example(0, "a [MASK]"),
        Example(1, "a", pair="b"),
        Example(2, "c"),
    ]


@pytest.mark.parametrize("task", [GENERATION, MODELING])
def test_loss_weighs_tokens_and_merged_rows_need_not_match(task: Language) -> None:
    predictions = [Prediction(loss=1.0, tokens=1), Prediction(loss=3.0, tokens=3), Prediction(loss=None, tokens=0)]
    assert task.score([Example(0)], predictions) == pytest.approx({"loss": 2.5, "perplexity": math.exp(2.5)})
    assert (task.primary_metric, task.greater_is_better) == ("loss", False)


def test_a_masked_model_has_an_accuracy_over_tokens() -> None:
    predictions = [Prediction(loss=1.0, tokens=1, score=1.0), Prediction(loss=1.0, tokens=3, score=1 / 3)]
    assert MODELING.score([], predictions)["accuracy"] == pytest.approx(2 / 4)


def test_no_scored_token_is_an_error() -> None:
    with pytest.raises(DataError) as caught:
        GENERATION.score([Example(0)], [Prediction(loss=0.0, tokens=0)])
    assert "no token was scored" in str(caught.value)


def test_detection_ranks_all_tokens_of_all_rows_together() -> None:
    rows = [
        Prediction(loss=2.0, tokens=2, detections=((0.9, True), (0.05, False))),
        Prediction(loss=5.0, tokens=1, detections=((0.6, False), (0.3, True))),
    ]
    # pairs (replaced over original): .9 over .05 and .6, .3 over .05 but not over .6
    expected = {"loss": 3.0, "roc_auc": 3 / 4, "accuracy": 2 / 4}
    assert DETECTION.score([], rows) == pytest.approx(expected)
    assert DETECTION.primary_metric in expected
    assert DETECTION.greater_is_better
    with pytest.raises(DataError) as caught:
        DETECTION.score([], [Prediction(loss=1.0, tokens=1)])
    assert "token detection is scored by `detections`" in str(caught.value)
