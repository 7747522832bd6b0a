from __future__ import annotations

import pytest

from tunesmith.errors import DataError
from tunesmith.metrics.answers import best, exact_match, f1, normalize_answer, score


def test_answers_are_normalized_by_the_squad_rules() -> None:
    assert normalize_answer("  The Quick,  brown-fox (an\tanimal)! ") == "quick brownfox animal"
    assert normalize_answer("Theatre") == "theatre"


def test_f1_counts_shared_words() -> None:
    # gold: denver broncos; predicted: denver broncos team -> P 2/3, R 1
    assert f1("the Denver Broncos", "Denver Broncos team") == pytest.approx(0.8)
    assert f1("a b b c", "b b b") == pytest.approx(2 * 2 / (3 + 3))  # 'a' is an article
    assert f1("cat", "dog") == 0.0
    assert exact_match("The cat.", "cat") == 1.0


def test_the_best_accepted_answer_counts_for_each_metric_on_its_own() -> None:
    assert best(["cat", "a black cat"], "cat") == (1.0, 1.0)
    assert best(["the black cat", "cats"], "black cat sat") == (0.0, pytest.approx(0.8))


def test_a_row_without_answer_wants_silence() -> None:
    assert best([], "") == (1.0, 1.0)
    assert best([], "cat") == (0.0, 0.0)
    assert best([""], "") == (1.0, 1.0)
    assert best(["", "cat"], "") == (0.0, 0.0)  # an empty text beside an answer is none
    assert f1("cat", "the") == 0.0  # normalized away


def test_scores_are_means_and_split_where_kinds_are_mixed() -> None:
    assert score([["cat"], ["dog"]], ["cat", "dog house"]) == pytest.approx({"exact_match": 0.5, "f1": (1 + 2 / 3) / 2})
    scores = score([["cat"], []], ["dog", ""])
    assert scores == {
        "exact_match": 0.5,
        "f1": 0.5,
        "exact_match_has_answer": 0.0,
        "f1_has_answer": 0.0,
        "exact_match_no_answer": 1.0,
        "f1_no_answer": 1.0,
    }


def test_unequal_lengths_and_no_rows_are_errors() -> None:
    with pytest.raises(DataError) as caught:
        score([["cat"]], [])
    assert "1 gold rows but 0 predictions" in str(caught.value)
    with pytest.raises(DataError):
        score([], [])
