"""Sentence similarity: scored pairs, pairs and triplets."""

from __future__ import annotations

from typing import Any

import pytest

from tunesmith.data.sources import read
from tunesmith.errors import DataError, RowError
from tunesmith.tasks.base import Example, Examples, Prediction, Reading, followed
from tunesmith.tasks.sentence_similarity import TASK

SCORED = [("a cat", "a feline", 5), ("a cat", "a car", 1.5), ("red", "blue", 2)]


def examples(rows: Any, columns: Any = None, names: tuple[str, ...] = (), **reading: Any) -> Examples:
    rows = [dict(zip(names, row, strict=True)) for row in rows] if names else rows
    return TASK.examples(read(rows, name="rows"), Reading(columns, **reading))


def test_whole_grades_are_numbers_and_no_classes() -> None:
    found = examples([("a", "b", 5), ("c", "d", 0)], names=("sentence1", "sentence2", "score"))
    assert found.kind == "scores"
    assert found.labels is not None
    assert found.labels.kind == "regression"
    assert [(e.text, e.pair, e.label) for e in found] == [("a", "b", 5.0), ("c", "d", 0.0)]


def test_scores_that_are_spelled_out_are_read() -> None:
    found = examples([("a", "b", "3.25")], names=("text1", "text2", "similarity"))
    assert (found[0].text, found[0].pair, found[0].label) == ("a", "b", 3.25)


def test_pairs_and_triplets_are_told_by_their_columns() -> None:
    assert examples([("q", "right")], names=("anchor", "positive")).kind == "pairs"
    found = examples([("q", "right", "wrong")], names=("anchor", "positive", "negative"))
    assert found.kind == "triplets"
    assert (found[0].text, found[0].pair, found[0].fields) == ("q", "right", (("negative", "wrong"),))


def test_the_third_of_three_columns_is_what_it_holds() -> None:
    assert examples(SCORED, ("x", "y", "z"), ("x", "y", "z")).columns == {
        "sentence1": "x",
        "sentence2": "y",
        "score": "z",
    }
    triplets = examples([("q", "right", "wrong")], ("x", "y", "z"), ("x", "y", "z"))
    assert triplets.columns == {"sentence1": "x", "sentence2": "y", "negative": "z"}


def test_duplicate_questions_are_pairs_with_a_score() -> None:
    found = examples([{"qid": n, "question1": "a", "question2": f"b{n}", "is_duplicate": n % 2} for n in range(4)])
    assert found.columns == {"sentence1": "question1", "sentence2": "question2", "score": "is_duplicate"}


def test_a_row_without_a_score_is_left_out_and_counted() -> None:
    found = examples([*SCORED, ("lone", "pair", None)], names=("sentence1", "sentence2", "score"))
    assert len(found) == 3
    assert found.account.counts() == {"no score": 1}
    whole = examples([("lone", "pair", None)], names=("sentence1", "sentence2", "score"), need_labels=False)
    assert whole[0].label is None


def test_a_score_that_is_no_number_names_its_row() -> None:
    with pytest.raises(RowError, match=r"it is no finite number: 'alike'") as caught:
        examples([("a", "b", 1), ("c", "d", "alike")], names=("sentence1", "sentence2", "score"))
    assert caught.value.row == 1


def test_a_score_beside_a_negative_is_an_error() -> None:
    with pytest.raises(DataError, match=r"'negative' \(a negative text\) and 'score' \(a score\) do not go together"):
        examples([("a", "b", "c", 1)], names=("anchor", "positive", "negative", "score"))


def test_inputs_are_pairs_of_texts() -> None:
    by_name = {"anchor": "a", "positive": "b"}
    assert [(e.text, e.pair) for e in TASK.inputs([("a", "b"), by_name])] == [("a", "b")] * 2
    with pytest.raises(RowError, match="is empty: expected text"):
        TASK.inputs(["alone"])


def test_scored_pairs_are_scored_by_rank() -> None:
    gold = [Example(i, "a", pair="b", label=score) for i, score in enumerate((0.0, 1.0, 2.0, 5.0))]
    found = TASK.score(gold, [Prediction(i, value=value) for i, value in enumerate((-9.0, 0.1, 0.2, 0.3))])
    assert found["spearman"] == pytest.approx(1)
    assert found["pearson"] < 0.9
    assert followed(TASK, "scores") == ("spearman", True)


def test_pairs_are_scored_by_how_often_the_right_text_wins() -> None:
    rows = [Example(i, "a", pair="b") for i in range(4)]
    rivals = [{"positive": 0.9, "negative": 0.8}, {"positive": 0.5, "negative": 0.5}, {"positive": 0.1}, None]
    found = TASK.score(rows, [Prediction(i, value=0.5, scores=each) for i, each in enumerate(rivals)])
    assert found == {"accuracy": 0.5}, "a tie is no win; rows without a rival do not count"
    assert followed(TASK, "pairs") == ("accuracy", True)
