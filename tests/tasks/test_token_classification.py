from __future__ import annotations

from typing import Any

import datasets
import pytest
from datasets import ClassLabel, Features, List, Value

from tunesmith.data.dataset import Dataset
from tunesmith.data.labels import Labels
from tunesmith.errors import DataError, RowError
from tunesmith.tasks.base import Example, Examples, Prediction, Reading, Span
from tunesmith.tasks.tagged_cells import Tags, read_spans, read_tags
from tunesmith.tasks.token_classification import TASK, is_by_word, label_names, spans_of


def table(rows: list[dict[str, Any]], **settings: Any) -> Dataset:
    return Dataset(datasets.Dataset.from_list(rows), **settings)


def read(rows: list[dict[str, Any]], *, untyped: bool = False, **settings: Any) -> Examples:
    return TASK.examples(table(rows, untyped=untyped), Reading(**settings))


ANNA = {"tokens": ["Anna", "Bell", "saw", "Rome"], "tags": ["B-PER", "I-PER", "O", "B-LOC"]}
ANNA_SPANS = (Span("PER", 0, 9), Span("LOC", 14, 18))


def test_words_and_tags_become_text_and_character_spans() -> None:
    found = read([ANNA])
    assert found[0] == Example(
        0, "Anna Bell saw Rome", tokens=tuple(ANNA["tokens"]), tags=tuple(ANNA["tags"]), spans=ANNA_SPANS
    )
    assert found.kind == "tags"
    assert found.labels == Labels("single", ("O", "B-LOC", "I-LOC", "B-PER", "I-PER"))


@pytest.mark.parametrize(
    "spans",
    [
        [{"label": "LOC", "start": 14, "end": 18}, {"label": "PER", "start": 0, "end": 9}],
        {"label": ["PER", "LOC"], "start": [0, 14], "end": [9, 18]},
        '[["PER", 0, 9], [14, 18, "LOC"]]',
    ],
)
def test_text_and_spans_in_any_form_are_the_same_example(spans: Any) -> None:
    found = read([{"text": "Anna Bell saw Rome", "spans": spans}])
    assert found[0] == Example(0, "Anna Bell saw Rome", spans=ANNA_SPANS)
    assert found.kind == "spans"
    assert found.labels is not None
    assert found.labels.names == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")


def test_python_spans_are_read_too() -> None:
    free = Tags(None, None)
    for cell in ([("PER", 0, 9), ("LOC", 14, 18)], [(0, 9, "PER"), (14, 18, "LOC")], list(ANNA_SPANS)):
        assert read_spans(cell, "Anna Bell saw Rome", 0, "spans", tags=free) == ANNA_SPANS


@pytest.mark.parametrize("columns", [("w", "t"), {"tokens": "w", "tags": "t"}, {"text": "w", "spans": "t"}])
def test_columns_may_have_any_name(columns: Any) -> None:
    assert read([{"w": ANNA["tokens"], "t": ANNA["tags"]}], columns=columns)[0].spans == ANNA_SPANS


def test_the_usual_names_are_found_and_the_form_is_told_by_the_cells() -> None:
    assert read([{"id": "7", "words": ANNA["tokens"], "ner_tags": ANNA["tags"]}])[0].spans == ANNA_SPANS
    spans = [{"label": "PER", "start": 0, "end": 9}]
    assert read([{"sentence": "Anna Bell", "entities": spans, "n": 1}])[0].spans == (Span("PER", 0, 9),)
    assert read([{"text": "Anna Bell", "label": spans}])[0].spans == (Span("PER", 0, 9),)


def test_cells_of_plain_files_are_read_as_lists() -> None:
    row = {"tokens": "Anna Bell saw Rome", "tags": "B-PER I-PER O B-LOC"}
    assert read([row], untyped=True)[0].tags == tuple(ANNA["tags"])
    row = {"tokens": '["Anna", "Bell"]', "tags": '["B-PER", "I-PER"]'}
    assert read([row], untyped=True)[0].tokens == ("Anna", "Bell")


def test_class_label_names_keep_their_declared_order() -> None:
    names = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-NEVER"]
    features = Features({"tokens": List(Value("string")), "tags": List(ClassLabel(names=names))})
    data = datasets.Dataset.from_dict({"tokens": [ANNA["tokens"]], "tags": [[1, 2, 0, 3]]}, features=features)
    found = TASK.examples(Dataset(data, declared={"tags": tuple(names)}), Reading())
    assert found[0].tags == tuple(ANNA["tags"])
    assert found.labels is not None
    assert found.labels.names == tuple(names)


def test_numbers_are_names_of_the_training_labels_or_their_own() -> None:
    rows = [{"tokens": ["a", "b", "c"], "tags": [10, 2, 0]}]
    assert read(rows).labels == Labels("single", ("0", "2", "10"))
    known = Labels("single", ("O", "B-X", "I-X"))
    assert read([{"tokens": ["a", "b"], "tags": [1, 2]}], labels=known)[0].tags == ("B-X", "I-X")
    with pytest.raises(RowError) as caught:
        read([{"tokens": ["a"], "tags": [3]}], labels=known)
    assert "has a tag number out of range: 3, expected 0 to 2" in str(caught.value)
    with pytest.raises(RowError) as caught:
        read([{"tokens": ["a"], "tags": [1]}], labels=Labels("single", ("0", "2")))
    assert "has a tag that is not among the training data's: '1', known: 0, 2" in str(caught.value)


@pytest.mark.parametrize(
    ("tags", "names"),
    [
        (["I-X", "B-A"], ("O", "B-A", "I-A", "B-X", "I-X")),
        (["S-X", "E-X", "O", "B-A"], ("O", "B-A", "I-A", "E-A", "S-A", "B-X", "I-X", "E-X", "S-X")),
        (["B", "O"], ("O", "B", "I")),
        (["VERB", "NOUN"], ("NOUN", "VERB")),
        (["PER", "O", "LOC"], ("O", "LOC", "PER")),
        (["O"], ("O",)),
    ],
)
def test_label_names_do_not_depend_on_the_order_of_rows(tags: list[str], names: tuple[str, ...]) -> None:
    assert label_names(tags) == label_names(reversed(tags)) == names


def test_parts_of_speech_are_words_of_their_own() -> None:
    found = read([{"tokens": ["old", "red", "hat"], "upos": ["ADJ", "ADJ", "NOUN"]}])
    assert found[0].spans == (Span("ADJ", 0, 3), Span("ADJ", 4, 7), Span("NOUN", 8, 11))
    assert is_by_word(found.labels.names)  # type: ignore[union-attr]
    scores = TASK.score(found, [Prediction(tags=("ADJ", "NOUN", "NOUN"))])
    # by word micro F1 is accuracy; ADJ: 1 right of 2 and 1, NOUN: 1 of 1 and 2
    assert scores == pytest.approx(
        {"accuracy": 2 / 3, "f1": 2 / 3, "precision": 2 / 3, "recall": 2 / 3, "macro_f1": 2 / 3,
         "f1_ADJ": 2 / 3, "f1_NOUN": 2 / 3}
    )  # fmt: skip


def test_plain_entity_types_beside_o_join_neighbours() -> None:
    assert spans_of(["Anna", "Bell", "saw"], ["PER", "PER", "O"], ("O", "PER")) == (Span("PER", 0, 9),)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"tokens": ["a", "b"], "tags": ["O"]}, "column 'tags': words and tags differ in number: 2 words, 1 tags"),
        ({"tokens": ["a"], "tags": None}, "column 'tags': is empty: expected a tag for each word"),
        ({"tokens": None, "tags": ["O"]}, "column 'tokens': is empty: expected a list of words"),
        ({"tokens": [], "tags": []}, "column 'tokens': has no words"),
        ({"tokens": ["a", None], "tags": ["O", "O"]}, "column 'tokens': holds a word that is not text: word 1 is None"),
        ({"tokens": ["a"], "tags": [None]}, "column 'tags': holds what is no tag: None"),
        ({"tokens": ["a"], "tags": [True]}, "column 'tags': holds what is no tag: True"),
        ({"tokens": ["a"], "tags": [0.5]}, "column 'tags': holds what is no tag: 0.5"),
        ({"tokens": ["a"], "tags": [-100]}, "column 'tags': has a tag number out of range: -100, expected 0 or more"),
        ({"tokens": 5, "tags": ["O"]}, "column 'tokens': is no list of words: found int 5"),
        ({"tokens": ["a"], "tags": 1}, "column 'tags': is no list of tags: found int 1"),
    ],
)
def test_bad_words_and_tags_are_told_with_their_row(row: dict[str, Any], told: str) -> None:
    with pytest.raises(RowError) as caught:
        read([row], columns=("tokens", "tags"))
    assert str(caught.value).startswith("train: row 0, ")
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("spans", "told"),
    [
        ([("X", 0, 3), ("Y", 2, 4)], "has overlapping spans: Span(label='X', start=0, end=3"),
        ([("X", 0, 3), ("X", 0, 3)], "has overlapping spans"),
        ([("X", 2, 6)], "has a span out of range: Span(label='X', start=2, end=6, score=1.0) in 5 characters"),
        ([("X", -1, 2)], "has a span out of range"),
        ([("X", 2, 2)], "has a span out of range"),
        ([("X", 0)], "holds what is no span: ('X', 0), expected a label, a start and an end"),
        ([{"label": "X", "start": 0}], "holds what is no span"),
        ([(7, 0, 1)], "holds what is no span"),
        ([("X", 0, True)], "holds what is no span"),
        (None, "is empty: expected a list of spans, [] where there are none"),
        (5, "is no list of spans: found int 5"),
    ],
)
def test_bad_spans_are_told(spans: Any, told: str) -> None:
    with pytest.raises(RowError) as caught:
        read_spans(spans, "abcde", 3, "spans", tags=Tags(None, None))
    assert str(caught.value).startswith("row 3, column 'spans': ")
    assert told in str(caught.value)


def test_labels_outside_the_training_set_are_errors_or_counted() -> None:
    known = Labels("single", ("O", "B-LOC", "I-LOC"))
    with pytest.raises(RowError) as caught:
        read([ANNA], labels=known)
    expected = "row 0, column 'tags': has a tag that is not among the training data's: 'B-PER', known: O, B-LOC, I-LOC"
    assert expected in str(caught.value)
    rows = [{"text": "in Rome", "spans": [{"label": label, "start": 3, "end": 7}]} for label in ("LOC", "PER")]
    found = read(rows, labels=known, bad_rows="drop")
    assert found.account.left_out == {"column 'spans' has a label that is not among the training data's": [1]}
    assert found.labels == known


def test_rows_of_two_forms_do_not_mix() -> None:
    rows = [{"tokens": "Anna Bell", "tags": '[["PER", 0, 9]]'}, {"tokens": '["Anna"]', "tags": '["B-PER"]'}]
    with pytest.raises(RowError) as caught:
        read(rows)
    assert "row 1, column 'tokens': holds words where the rows before hold text" in str(caught.value)
    with pytest.raises(RowError) as caught:
        read([{"tokens": ["Anna"], "tags": [{"label": "PER", "start": 0, "end": 4}]}])
    assert "holds what is no tag" in str(caught.value)


def test_rows_without_gold_are_read_for_prediction() -> None:
    found = read([{"tokens": ["Anna", "saw"]}], need_labels=False)
    assert found[0] == Example(0, "Anna saw", tokens=("Anna", "saw"))
    assert read([{"text": "Anna saw"}], need_labels=False)[0] == Example(0, "Anna saw")
    with pytest.raises(DataError) as caught:
        read([{"tokens": ["Anna"], "n": 1, "m": 2}])
    assert "token-classification finds no column for tags" in str(caught.value)


def test_prediction_inputs_are_texts_or_lists_of_words() -> None:
    found = TASK.inputs(["Anna saw", ["Anna", "saw"], {"tokens": ["Anna"]}, {"text": "Anna"}])
    assert found == [
        Example(0, "Anna saw"),
        Example(1, "Anna saw", tokens=("Anna", "saw")),
        Example(2, "Anna", tokens=("Anna",)),
        Example(3, "Anna"),
    ]
    with pytest.raises(RowError) as caught:
        TASK.inputs([{"words_": []}])
    assert "is missing: expected the key 'text' or 'tokens', found words_" in str(caught.value)
    with pytest.raises(DataError):
        TASK.inputs("Anna")


def test_spans_are_scored_where_words_have_no_tags() -> None:
    found = read([{"text": "Anna Bell saw Rome", "spans": [{"label": "PER", "start": 0, "end": 9}]}])
    scores = TASK.score(found, [Prediction(spans=ANNA_SPANS)])
    assert scores == pytest.approx(
        {"f1": 2 / 3, "precision": 1 / 2, "recall": 1.0, "macro_f1": 1 / 2, "f1_PER": 1.0, "f1_LOC": 0.0}
    )
    assert TASK.score(read([ANNA]), [Prediction(spans=ANNA_SPANS)])["f1"] == 1.0
    with pytest.raises(DataError) as caught:
        TASK.score(found, [Prediction(label="x")])
    assert "a prediction without spans" in str(caught.value)


def test_tags_and_spans_of_one_prediction_give_one_score() -> None:
    found = read([ANNA, ANNA])
    tags = [("B-PER", "O", "O", "I-LOC"), tuple(ANNA["tags"])]
    spans = [spans_of(ANNA["tokens"], row, found.labels.names) for row in tags]  # type: ignore[union-attr]
    by_tags = TASK.score(found, [Prediction(tags=row) for row in tags])
    assert by_tags.pop("accuracy") == pytest.approx(6 / 8)
    assert by_tags == TASK.score(found, [Prediction(spans=row) for row in spans])
    assert TASK.primary_metric in by_tags


def test_read_tags_takes_whole_floats_for_numbers() -> None:
    assert read_tags([1.0, 0.0], 2, 0, "tags", tags=Tags(("O", "B-X"), None)) == ("B-X", "O")


def test_lists_that_a_csv_has_from_python_are_lists() -> None:
    cells = {"tokens": "['Anna', 'Bell', 'saw', 'Rome']", "tags": "['B-PER', 'I-PER', 'O', 'B-LOC']"}
    assert read([cells], untyped=True)[0] == read([ANNA])[0]
    numbered = {"tokens": '["Anna", "came"]', "tags": "[1 0]"}
    assert read([numbered], untyped=True)[0].tags == ("1", "0")
    spans = {"text": "Anna came", "spans": "[{'label': 'PER', 'start': 0, 'end': 4}]"}
    assert read([spans], untyped=True)[0].spans == (Span("PER", 0, 4),)
