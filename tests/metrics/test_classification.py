from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from tunesmith.errors import DataError
from tunesmith.metrics.classification import multi, regression, roc_auc, single


def test_single_label_scores_are_those_worked_by_hand() -> None:
    # a: 1 right of 2 gold, 1 predicted -> P 1, R 1/2, F 2/3. b: 1 right of 1 gold, 2 predicted -> P 1/2, R 1, F 2/3
    scores = single(["a", "a", "b"], ["a", "b", "b"], ["a", "b"])
    assert scores == pytest.approx(
        {"accuracy": 2 / 3, "f1": 2 / 3, "precision": 0.75, "recall": 0.75, "f1_a": 2 / 3, "f1_b": 2 / 3}
    )
    assert all(type(value) is float for value in scores.values())


def test_macro_runs_over_the_classes_found_as_in_scikit_learn() -> None:
    gold, predicted = ["a", "b", "b", "a"], ["a", "b", "c", "b"]
    scores = single(gold, predicted, ["a", "b", "c", "never"])
    assert scores["f1"] == pytest.approx(f1_score(gold, predicted, average="macro"))
    assert scores["f1_c"] == 0.0
    assert "f1_never" not in scores


def test_a_class_that_is_not_among_the_names_still_counts() -> None:
    scores = single(["a", "new"], ["a", "a"], ["a"])
    assert scores["f1_new"] == 0.0
    assert scores["f1"] == pytest.approx((2 / 3 + 0) / 2)


def test_several_labels_are_scored_by_set() -> None:
    gold, predicted = [{"x", "y"}, {"x"}, ()], [("x",), ("x",), ("y",)]
    scores = multi(gold, predicted, None, ["x", "y", "z"])
    # x: 2 right of 2 and 2; y: 0 right of 1 and 1; z nowhere. micro: 2*2 / (3+3)
    assert scores == pytest.approx({"f1": 0.5, "micro_f1": 2 / 3, "accuracy": 1 / 3, "f1_x": 1.0, "f1_y": 0.0})


def test_average_precision_is_macro_over_names_with_a_positive_row() -> None:
    gold = [("x",), (), ("x", "y"), ()]
    matrix = [[0.9, 0.1, 0.3], [0.8, 0.7, 0.2], [0.7, 0.6, 0.1], [0.1, 0.2, 0.9]]
    found = multi(gold, gold, matrix, ["x", "y", "z"])["average_precision"]
    # x: positives at ranks 1 and 3 -> (1 + 2/3) / 2; y: at rank 2 -> 1/2
    assert found == pytest.approx(((1 + 2 / 3) / 2 + 1 / 2) / 2)
    columns = np.array(matrix).T
    assert found == pytest.approx(
        np.mean([average_precision_score([1, 0, 1, 0], columns[0]), average_precision_score([0, 0, 1, 0], columns[1])])
    )


def test_several_labels_without_any_are_zero_and_scores_of_another_shape_are_refused() -> None:
    assert multi([()], [()], [[0.5]], ["x"]) == {"f1": 0.0, "micro_f1": 0.0, "accuracy": 1.0, "average_precision": 0.0}
    with pytest.raises(DataError) as caught:
        multi([()], [()], [[0.5, 0.1]], ["x"])
    assert "(1, 2): expected (rows, names) = (1, 1)" in str(caught.value)


def test_regression_by_hand() -> None:
    scores = regression([1, 2, 3, 4], [1, 4, 9, 16])  # growing alike: equal ranks
    assert scores["spearman"] == pytest.approx(1.0)
    a, b = [-1.5, -0.5, 0.5, 1.5], [-6.5, -3.5, 1.5, 8.5]
    by_hand = sum(x * y for x, y in zip(a, b, strict=True)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))
    assert scores["pearson"] == pytest.approx(by_hand)
    assert scores["mse"] == pytest.approx((0 + 4 + 36 + 144) / 4)
    assert scores["mae"] == pytest.approx((0 + 2 + 6 + 12) / 4)


def test_spearman_shares_ranks_among_ties() -> None:
    # ranks 1.5 1.5 3 and 1 2 3: deviations (-.5 -.5 1) and (-1 0 1) -> 1.5 / sqrt(1.5 * 2)
    assert regression([1, 1, 2], [1, 2, 3])["spearman"] == pytest.approx(1.5 / math.sqrt(3))


@pytest.mark.parametrize(
    ("gold", "predicted"), [([1, 1, 1], [1, 2, 3]), ([0.1, 0.1, 0.1], [0.1, 0.1, 0.1]), ([1], [2])]
)
def test_constant_values_have_the_correlation_zero_not_nan(gold: list[float], predicted: list[float]) -> None:
    scores = regression(gold, predicted)
    assert (scores["pearson"], scores["spearman"]) == (0.0, 0.0)


def test_roc_auc_counts_pairs_and_halves_ties() -> None:
    truth, scores = [True, False, True, False], [0.9, 0.5, 0.5, 0.1]
    assert roc_auc(truth, scores) == pytest.approx((1 + 1 + 0.5 + 1) / 4) == roc_auc_score(truth, scores)
    assert roc_auc([True, True], [0.1, 0.2]) == 0.5


def test_unequal_lengths_and_no_rows_are_errors() -> None:
    with pytest.raises(DataError) as caught:
        single(["a"], [], ["a"])
    assert str(caught.value) == "1 gold values but 0 predictions: expected one each."
    with pytest.raises(DataError) as caught:
        regression([], [])
    assert "nothing to score" in str(caught.value)
