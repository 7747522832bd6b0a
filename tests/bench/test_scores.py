import numpy as np
import pytest

from bench import scores

NAMES = ("a", "b", "c")


def _drawn(rows, values, seed):
    rng = np.random.default_rng(seed)
    return [values[i] for i in rng.integers(0, len(values), rows)]


def _point(kind, gold, predicted, labels=()):
    return scores.point(scores.metrics(kind, gold, predicted, labels), len(gold))


def test_accuracy_and_macro_f1_by_hand():
    # a: 1 hit of 2 guessed and 2 real -> F1 0.5; b: 1 hit, 2 guessed, 1 real -> 2/3; c: none found of 1 -> 0
    found = _point("single", ["a", "a", "b", "c"], ["a", "b", "b", "a"])
    assert found["accuracy"] == 0.5
    assert found["macro_f1"] == pytest.approx((0.5 + 2 / 3 + 0) / 3)


def test_macro_f1_is_scikit_learns():
    from sklearn.metrics import f1_score

    gold, predicted = _drawn(60, NAMES, 0), _drawn(60, NAMES[:2], 1)
    assert _point("single", gold, predicted)["macro_f1"] == pytest.approx(f1_score(gold, predicted, average="macro"))


@pytest.fixture
def several():
    rng = np.random.default_rng(3)
    values = np.round(rng.random((80, 3)), 1)  # one decimal: many ties
    gold = [[name for name, value in zip(NAMES, row, strict=True) if value > 0.6] for row in rng.random((80, 3))]
    predicted = [
        {"labels": [name for name, value in zip(NAMES, row, strict=True) if value >= 0.5], "scores": row.tolist()}
        for row in values
    ]
    return gold, predicted, values


def test_scores_of_several_labels_are_scikit_learns(several):
    from sklearn.metrics import average_precision_score, f1_score

    gold, predicted, values = several
    real = np.array([[name in row for name in NAMES] for row in gold])
    found = _point("multi", gold, predicted, NAMES)
    assert found["micro_f1"] == pytest.approx(f1_score(real, values >= 0.5, average="micro"))
    assert found["macro_f1"] == pytest.approx(f1_score(real, values >= 0.5, average="macro"))
    assert found["macro_average_precision"] == pytest.approx(average_precision_score(real, values, average="macro"))


@pytest.mark.parametrize("kind", ["single", "multi", "regression", "tags", "answers"])
def test_a_resample_scores_as_the_rows_it_repeats(kind, several):
    rng = np.random.default_rng(5)
    if kind == "multi":
        gold, predicted, _ = several
    elif kind == "regression":
        gold, predicted = list(np.round(rng.random(80), 1)), list(np.round(rng.random(80), 1))
    elif kind == "tags":
        tags = ("O", "B-X", "I-X", "B-Y")
        gold, predicted = ([_drawn(6, tags, seed + i) for i in range(80)] for seed in (0, 100))
    elif kind == "answers":
        words = ("the cat", "cat sat", "a dog", "")
        gold, predicted = [[word] for word in _drawn(80, words, 1)], _drawn(80, words, 2)
    else:
        gold, predicted = _drawn(80, NAMES, 1), _drawn(80, NAMES, 2)
    places = rng.integers(0, 80, 80)
    weights = np.bincount(places, minlength=80).astype(float)[None]
    repeated = _point(kind, [gold[i] for i in places], [predicted[i] for i in places], NAMES)
    weighted = {name: float(m(weights)[0]) for name, m in scores.metrics(kind, gold, predicted, NAMES).items()}
    assert weighted == pytest.approx(repeated)


def test_correlations_are_scipys():
    from scipy.stats import pearsonr, spearmanr

    rng = np.random.default_rng(0)
    gold = np.round(rng.random(50) * 5)  # whole numbers: many ties
    predicted = gold + rng.normal(size=50)
    found = _point("regression", gold, predicted)
    assert found["pearson"] == pytest.approx(pearsonr(gold, predicted).statistic)
    assert found["spearman"] == pytest.approx(spearmanr(gold, predicted).statistic)


def test_entities_count_only_whole_and_with_their_type():
    gold = [["B-PER", "I-PER", "O", "B-LOC"], ["B-ORG", "O", "O", "O"]]
    predicted = [["B-PER", "O", "O", "B-LOC"], ["B-LOC", "O", "O", "O"]]  # 1 hit, 3 guessed, 3 real
    assert _point("tags", gold, predicted)["entity_f1"] == pytest.approx(1 / 3)


def test_entity_f1_is_seqevals():
    from seqeval.metrics import f1_score

    tags = ("O", "B-X", "I-X", "B-Y", "I-Y")
    gold, predicted = ([_drawn(8, tags, seed + i) for i in range(30)] for seed in (0, 7))
    assert _point("tags", gold, predicted)["entity_f1"] == pytest.approx(f1_score(gold, predicted))


def test_answers_follow_the_rules_of_squad():
    gold = [["The Eiffel Tower", "Eiffel"], ["in 1999"], ["blue"], ["an ape"]]
    found = _point("answers", gold, ["eiffel tower!", "1999", "red", "a ape"])
    assert found["exact_match"] == pytest.approx(2 / 4)  # case, points and articles do not count
    assert found["f1"] == pytest.approx((1 + 2 / 3 + 0 + 1) / 4)


def test_the_bootstrap_is_paired_and_holds_the_difference():
    gold = ["a"] * 200
    better = ["a"] * 180 + ["b"] * 20
    worse = ["a"] * 150 + ["b"] * 50
    sides = [scores.metrics("single", gold, side) for side in (worse, better)]
    found = scores.compare(*sides, 200)["accuracy"]
    assert found.difference == pytest.approx(-0.15)
    # 30 of 200 rows differ, all one way: the interval is the binomial one of 30 / 200
    assert (found.low, found.high) == pytest.approx((-0.2, -0.1), abs=0.011)
    assert found.lower


def test_equal_sides_differ_by_nothing():
    side = scores.metrics("single", ["a", "b"] * 20, ["a"] * 40)
    found = scores.compare(side, side, 40, resamples=50)["accuracy"]
    assert (found.difference, found.low, found.high, found.lower) == (0, 0, 0, False)


def test_a_missing_prediction_is_an_error():
    with pytest.raises(ValueError) as caught:
        scores.metrics("single", ["a", "b"], ["a"])
    assert str(caught.value) == "1 predictions for 2 rows"
