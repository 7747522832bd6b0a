"""Text classification: what an example is, of which kind, and how predictions are scored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import pandas
import pytest

from tunesmith.config import Settings
from tunesmith.data.dataset import Dataset
from tunesmith.data.labels import Labels
from tunesmith.errors import DataError, RowError
from tunesmith.tasks.base import Example, Examples, Prediction, Reading
from tunesmith.tasks.parts import read_data
from tunesmith.tasks.text_classification import TASK, by_scores


def read(rows: list[dict[str, Any]], **settings: Any) -> Examples:
    return TASK.examples(Dataset(datasets.Dataset.from_list(rows)), Reading(**settings))


@pytest.mark.parametrize(
    ("labels", "kind", "read_as"),
    [
        (["b", "a"], "single", ["b", "a"]),
        ([3, 1], "single", ["3", "1"]),
        ([0.25, 1.0], "regression", [0.25, 1.0]),
        ([["x"], ["x", "y"]], "multi", [("x",), ("x", "y")]),
    ],
)
def test_the_kind_is_read_off_the_labels(labels: list[Any], kind: str, read_as: list[Any]) -> None:
    found = read([{"text": f"text {place}", "label": label} for place, label in enumerate(labels)])
    assert found.kind == kind
    assert [example.label for example in found] == read_as


@pytest.mark.parametrize("cells", [[["x", "y"], [], ["y"]], [[0, 1, 1], [1, 0, 0], [0, 0, 1]]])
def test_a_table_that_spells_its_lists_out_is_read_as_one_that_has_lists(cells: list[Any], tmp_path: Path) -> None:
    rows = [{"text": f"text {place}", "label": cell} for place, cell in enumerate(cells)]
    frame = pandas.DataFrame(rows)
    frame.to_csv(tmp_path / "rows.csv", index=False)
    expected, notes = read(rows), []
    forms = {"csv": tmp_path / "rows.csv", "frame": pandas.read_csv(tmp_path / "rows.csv"), "lists": frame}
    for name, form in forms.items():
        found = read_data(TASK, form, None, None, Settings(), note=notes.append)["train"]
        assert (name, found.labels, found.fingerprint) == (name, expected.labels, expected.fingerprint)
    assert all("several labels a row" in note for note in notes)
    assert len(notes) == 3


def test_spelled_lists_of_mappings_are_no_labels() -> None:
    with pytest.raises(DataError, match="holds lists of mappings, not labels"):
        read([{"text": "a", "label": "[{'start': 0, 'end': 1, 'label': 'x'}]"}, {"text": "b", "label": "[]"}])


def test_rows_without_a_label_are_left_out_and_counted() -> None:
    found = read([{"text": "a", "label": "x"}, {"text": "b", "label": None}, {"text": "c", "label": "y"}])
    assert [example.id for example in found] == [0, 2]
    assert found.account.left_out == {"no label": [1]}
    assert found.account.total == 3


def test_labels_of_the_training_rows_are_the_only_ones_elsewhere() -> None:
    with pytest.raises(RowError, match=r"row 0, column 'label'.*'z'"):
        read([{"text": "a", "label": "z"}], labels=Labels("single", ("x", "y")))


def test_unlabelled_rows_are_read_where_no_labels_are_needed() -> None:
    assert [e.label for e in read([{"text": "a"}], need_labels=False)] == [None]


def test_two_texts_are_a_pair() -> None:
    rows = [{"sentence1": "a", "sentence2": "b", "score": 0.5}, {"sentence1": "c", "sentence2": "d", "score": 1.5}]
    assert [(example.text, example.pair) for example in read(rows)] == [("a", "b"), ("c", "d")]


@pytest.mark.parametrize(
    ("first", "second", "label"), [("premise", "hypothesis", "label"), ("question1", "question2", "is_duplicate")]
)
def test_columns_of_inference_and_of_duplicate_questions_are_found(first: str, second: str, label: str) -> None:
    rows = [{"id": n, first: "a", second: f"b{n}", label: n} for n in range(2)]
    assert read(rows).columns == {"text": first, "pair": second, "label": label}
    assert TASK.inputs([{first: "a", second: "b"}]) == [Example(0, "a", pair="b")]


@pytest.mark.parametrize("value", ["a", ("a",), {"text": "a"}, {"sentence": "a"}])
def test_a_text_to_predict_is_given_in_any_form(value: Any) -> None:
    assert TASK.inputs([value]) == [Example(0, "a")]


@pytest.mark.parametrize("value", [("a", "b"), {"text": "a", "text_pair": "b"}])
def test_a_pair_to_predict_is_given_in_any_form(value: Any) -> None:
    assert TASK.inputs([value]) == [Example(0, "a", pair="b")]


def test_an_input_that_is_no_text_is_told_with_its_place() -> None:
    with pytest.raises(RowError, match="row 1, column 'text': is not text: found int 7"):
        TASK.inputs(["a", 7])


def test_scores_of_one_class_by_hand() -> None:
    gold = [Example(0, label="a"), Example(1, label="b"), Example(2, label="b")]
    said = [Prediction(label=label, scores={"a": 0.5, "b": 0.5}) for label in ("a", "a", "b")]
    scores = TASK.score(gold, said)
    assert scores["accuracy"] == pytest.approx(2 / 3)
    assert scores["f1"] == pytest.approx(2 / 3)  # a: 2/3, b: 2/3
    assert scores["precision"] == pytest.approx((1 / 2 + 1) / 2)


def test_scores_of_several_labels_by_hand() -> None:
    gold = [Example(0, label=("a",)), Example(1, label=("a", "b"))]
    said = [
        Prediction(labels=("a",), scores={"a": 0.9, "b": 0.2}),
        Prediction(labels=("b",), scores={"a": 0.3, "b": 0.8}),
    ]
    scores = TASK.score(gold, said)
    assert scores["micro_f1"] == pytest.approx(2 * 2 / (2 * 2 + 1))  # two right, one missed
    assert scores["f1"] == pytest.approx((2 / 3 + 1) / 2)


def test_scores_of_numbers_by_hand() -> None:
    gold = [Example(place, label=float(place)) for place in range(3)]
    scores = TASK.score(gold, [Prediction(value=value) for value in (0.0, 2.0, 4.0)])
    assert scores["pearson"] == pytest.approx(1)
    assert scores["mse"] == pytest.approx((0 + 1 + 4) / 3)


def test_predictions_must_be_as_many_as_examples() -> None:
    with pytest.raises(DataError, match="1 examples but 0 predictions"):
        TASK.score([Example(0, label="a")], [])


def test_the_likeliest_label_is_predicted_and_of_several_each_from_one_half_on() -> None:
    scores = {"a": 0.2, "b": 0.5, "c": 0.5, "d": 0.4999}
    one, several = by_scores("r", scores, several=False), by_scores(7, scores, several=True)
    assert (one.id, one.label, one.score, one.labels, one.scores) == ("r", "b", 0.5, None, scores)
    assert (several.id, several.labels, several.label, several.score, several.scores) == (
        7,
        ("b", "c"),
        None,
        None,
        scores,
    )
    assert by_scores(0, dict.fromkeys("ab", 0.1), several=True).labels == ()
