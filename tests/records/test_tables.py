"""From data sets and frames to records: columns, labels, what is left out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import datasets
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from datasets import ClassLabel, Features, List, Value

from tunesmith.errors import DataError, RowError
from tunesmith.records import (
    DatasetForText2Text,
    DatasetForTextClassification,
    DatasetForTokenClassification,
    Text2TextRecord,
    TextClassificationRecord,
    TokenClassificationRecord,
)

FORMS = {
    "datasets": datasets.Dataset.from_dict,
    "pandas": pd.DataFrame,
    "polars": lambda columns: pl.DataFrame(columns, strict=False),
    "arrow": pa.table,
}
every_form = pytest.mark.parametrize("form", FORMS)


def classified(table: Any, **columns: Any) -> DatasetForTextClassification:
    return DatasetForTextClassification.from_datasets(table, **columns)


# columns


@every_form
def test_columns_are_read_by_the_name_asked_for(form: str) -> None:
    columns = {"review": ["good", "bad"], "nr": [1, 2], "stars": ["five", "one"], "by": ["x", "y"], "year": [1, 2]}
    dataset = classified(FORMS[form](columns), text="review", id="nr", annotation="stars", metadata=["by", "year"])
    first = dataset[0]
    assert (first.text, first.id, first.annotation, first.metadata) == ("good", 1, "five", {"by": "x", "year": 1})
    assert first.status == "Validated"
    assert dataset.left_out == {}


@every_form
def test_several_columns_make_the_inputs(form: str) -> None:
    columns = {"text": ["other"] * 3, "title": ["a", None, "c"], "body": ["d", "e", None]}
    dataset = classified(FORMS[form](columns), inputs=["title", "body"])
    assert [record.inputs for record in dataset] == [{"title": "a", "body": "d"}, {"body": "e"}, {"title": "c"}]
    assert classified(FORMS[form](columns), inputs="body")[0].inputs == {"body": "d"}


def test_one_column_of_mappings_is_the_metadata_itself() -> None:
    frame = pd.DataFrame({"text": ["a", "b"], "info": [{"year": 1}, {"year": None}], "n": [1, 2]})
    assert [record.metadata for record in classified(frame, metadata="info")] == [{"year": 1}, {"year": None}]
    assert [record.metadata for record in classified(frame, metadata="n")] == [{"n": 1}, {"n": 2}]


@every_form
def test_a_column_that_is_missing_is_an_error(form: str) -> None:
    table = FORMS[form]({"text": ["a"], "label": ["b"]})
    with pytest.raises(DataError) as caught:
        classified(table, annotation="lable")
    assert str(caught.value) == (
        "there is no column 'lable', asked for as annotation. Did you mean 'label'? Columns: text, label."
    )
    with pytest.raises(DataError, match=r"there is no column 'tokens': say which one it is, tokens=…\. Columns: text"):
        DatasetForTokenClassification.from_datasets(table)
    with pytest.raises(DataError, match="there is no column 'text' or 'inputs'"):
        classified(FORMS[form]({"a": [1]}))


def test_columns_that_are_no_field_are_named(caplog: pytest.LogCaptureFixture) -> None:
    table = datasets.Dataset.from_dict({"text": ["a"], "stars": [1], "url": ["b"]})
    classified(table)
    assert caplog.messages == [
        "2 columns are no fields of a TextClassificationRecord and not read: stars, url (to keep them: metadata=[…])"
    ]
    caplog.clear()
    classified(table, metadata=["stars", "url"])
    assert caplog.messages == []


def test_the_splits_of_a_dataset_dict_are_named() -> None:
    splits = datasets.DatasetDict(
        {"train": datasets.Dataset.from_dict({"text": ["a"]}), "test": datasets.Dataset.from_dict({"text": ["b"]})}
    )
    with pytest.raises(DataError) as caught:
        classified(splits)
    assert str(caught.value) == (
        "a DatasetDict holds several splits (train, test): pass one of them, as dataset['train']."
    )


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(DataError, match="a list cannot be read as records of TextClassification: expected a datasets"):
        classified([{"text": "a"}])
    twice = pd.DataFrame([["a", "b"]], columns=["text", "text"])
    with pytest.raises(DataError, match="two columns have the name 'text'"):
        classified(twice)


# rows left out


@every_form
def test_rows_without_text_are_left_out_and_counted(form: str, caplog: pytest.LogCaptureFixture) -> None:
    dataset = classified(FORMS[form]({"text": ["a", None, "b", None]}))
    assert [record.text for record in dataset] == ["a", "b"]
    assert dataset.left_out == {"no text": 2}
    assert caplog.messages == ["2 of 4 rows left out: 2 with no text"]


@every_form
def test_rows_without_tokens_are_left_out_and_counted(form: str) -> None:
    table = FORMS[form]({"tokens": [["a"], [], None, ["b"]], "text": ["a", "", "", "b"]})
    dataset = DatasetForTokenClassification.from_datasets(table)
    assert [record.tokens for record in dataset] == [("a",), ("b",)]
    assert dataset.left_out == {"no tokens": 2}


def test_text_that_is_nan_is_left_out() -> None:
    dataset = DatasetForText2Text.from_pandas(pd.DataFrame({"text": ["a", np.nan], "annotation": [np.nan, "b"]}))
    assert [(record.text, record.annotation) for record in dataset] == [("a", None)]
    assert dataset.left_out == {"no text": 1}


@every_form
def test_a_wrong_cell_names_the_record_or_else_the_row(form: str) -> None:
    make = FORMS[form]
    with pytest.raises(RowError, match=r"row r2, column 'status': is 'Foo': expected Default"):
        classified(make({"text": ["a", "b"], "id": ["r1", "r2"], "status": ["Default", "Foo"]}))
    with pytest.raises(RowError, match=r"row 1, column 'nr': is 2.5, of type float"):
        classified(make({"text": ["a", "b"], "nr": [1.0, 2.5]}), id="nr")
    tokens = make({"words": [["a"]], "ner": [["LOC"]]})
    with pytest.raises(RowError, match=r"row 0, column 'ner': has tags that are not in the IOB or BILOU format: 'LOC'"):
        DatasetForTokenClassification.from_datasets(tokens, tokens="words", tags="ner")


# labels


def test_class_ids_become_names_and_minus_one_is_no_label() -> None:
    features = Features({"text": Value("string"), "label": ClassLabel(names=["neg", "pos"])})
    table = datasets.Dataset.from_dict({"text": ["a", "b", "c", "d"], "label": [1, 0, -1, None]}, features=features)
    dataset = classified(table, annotation="label")
    assert [record.annotation for record in dataset] == ["pos", "neg", None, None]
    assert [record.status for record in dataset] == ["Validated", "Validated", "Default", "Default"]
    assert [record.annotation for record in classified(table.select([1, 0]), annotation="label")] == ["neg", "pos"]


def test_a_list_of_class_ids_is_multi_label() -> None:
    features = Features({"text": Value("string"), "labels": List(ClassLabel(names=["a", "b"]))})
    rows = {"text": ["x", "y", "z", "w"], "labels": [[0, 1], [], None, [-1, 1]]}
    dataset = classified(datasets.Dataset.from_dict(rows, features=features), annotation="labels")
    assert [record.annotation for record in dataset] == [["a", "b"], [], None, ["b"]]
    assert all(record.multi_label for record in dataset)


def test_class_ids_of_tags_become_spans() -> None:
    names = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
    features = Features(
        {"tokens": List(Value("string")), "ner_tags": List(ClassLabel(names=names)), "id": Value("string")}
    )
    rows = {"tokens": [["I", "like", "New", "York"], ["a"]], "ner_tags": [[1, 0, 3, 4], [0]], "id": ["0", "007"]}
    table = datasets.Dataset.from_dict(rows, features=features)
    dataset = DatasetForTokenClassification.from_datasets(table, tags="ner_tags")
    assert dataset[0].annotation == [("PER", 0, 1), ("LOC", 7, 15)]
    assert [record.annotation for record in dataset][1] == []
    assert [record.id for record in dataset] == ["0", "007"]


def test_tags_that_are_numbers_without_names_are_refused() -> None:
    table = datasets.Dataset.from_dict({"tokens": [["a"]], "tags": [[1]]})
    with pytest.raises(RowError, match=r"row 0, column 'tags': is \[1\]: expected a list of tags such as 'B-PER'"):
        DatasetForTokenClassification.from_datasets(table)


@every_form
def test_missing_labels_are_no_labels(form: str) -> None:
    dataset = classified(FORMS[form]({"text": ["a", "b", "c"], "annotation": ["pos", None, ""]}))
    assert [record.annotation for record in dataset] == ["pos", None, None]
    assert not any(record.multi_label for record in dataset)


def test_nan_is_no_label() -> None:
    frame = pd.DataFrame({"text": ["a", "b"], "annotation": ["pos", np.nan], "prediction": [np.nan, [("x", 0.5)]]})
    dataset = DatasetForTextClassification.from_pandas(frame)
    assert [record.annotation for record in dataset] == ["pos", None]
    assert [record.prediction for record in dataset] == [None, [("x", 0.5)]]


def test_numbers_of_a_column_with_gaps_are_whole() -> None:
    frame = pd.DataFrame({"text": ["a", "b"], "annotation": [3, np.nan], "id": [7, np.nan]})
    dataset = DatasetForTextClassification.from_pandas(frame)
    assert [record.annotation for record in dataset] == ["3", None]
    assert dataset[0].id == 7
    assert isinstance(dataset[1].id, str)


@every_form
def test_multi_label_can_be_asked_for(form: str) -> None:
    dataset = classified(FORMS[form]({"text": ["a", "b"], "annotation": ["pos", None]}), multi_label=True)
    assert [record.annotation for record in dataset] == [["pos"], None]
    assert all(record.multi_label for record in dataset)
    with pytest.raises(RowError, match=r"row 0, column 'annotation': is a list, .*, but multi_label is False"):
        classified(FORMS[form]({"text": ["a"], "annotation": [["x", "y"]]}), multi_label=False)


@every_form
def test_lists_of_labels_are_multi_label(form: str) -> None:
    dataset = classified(FORMS[form]({"text": ["a", "b"], "annotation": [["x", "y"], []]}))
    assert [(record.annotation, record.multi_label) for record in dataset] == [(["x", "y"], True), ([], True)]


# predictions


@every_form
def test_predictions_are_read_as_mappings(form: str) -> None:
    make = FORMS[form]
    found = classified(make({"text": ["a"], "prediction": [[{"label": "x", "score": 0.5}]]}))
    assert found[0].prediction == [("x", 0.5)]
    spans = {"text": ["a b"], "tokens": [["a", "b"]]}
    scored = make({**spans, "prediction": [[{"label": "P", "start": 0, "end": 1, "score": 0.5}]]})
    assert DatasetForTokenClassification.from_datasets(scored)[0].prediction == [("P", 0, 1, 0.5)]
    bare = make({**spans, "prediction": [[{"label": "P", "start": 0, "end": 1}]]})
    assert DatasetForTokenClassification.from_datasets(bare)[0].prediction == [("P", 0, 1, 0.0)]
    gold = make({**spans, "annotation": [[{"label": "P", "start": 0, "end": 1}]]})
    assert DatasetForTokenClassification.from_datasets(gold)[0].annotation == [("P", 0, 1)]
    texts = make({"text": ["a"], "prediction": [["x", "y"]]})
    assert DatasetForText2Text.from_datasets(texts)[0].prediction == [("x", 1.0), ("y", 1.0)]
    texts = make({"text": ["a"], "prediction": [[{"text": "x", "score": 0.25}]]})
    assert DatasetForText2Text.from_datasets(texts)[0].prediction == [("x", 0.25)]


def test_a_mapping_of_lists_is_read_as_a_list_of_mappings() -> None:
    """How older data sets hold a sequence of structs."""
    frame = pd.DataFrame({"text": ["a"], "prediction": [{"label": ["x", "y"], "score": np.array([0.5, 0.25])}]})
    assert classified(frame)[0].prediction == [("x", 0.5), ("y", 0.25)]


def test_lists_spelled_out_in_text_are_opened() -> None:
    """As a csv file of a frame has them."""
    frame = pd.DataFrame(
        {"tokens": ["['a', 'b']"], "tags": ["['B-P', 'O']"], "metadata": ['{"year": 1}'], "text": ["a b"]}
    )
    record = DatasetForTokenClassification.from_pandas(frame)[0]
    assert (record.tokens, record.annotation, record.metadata) == (("a", "b"), [("P", 0, 1)], {"year": 1})


# out


def test_every_field_is_a_column_in_order() -> None:
    dataset = DatasetForTextClassification([TextClassificationRecord("a")])
    assert dataset.to_datasets().column_names == list(TextClassificationRecord.FIELDS)
    assert list(dataset.to_pandas().columns) == dataset.to_polars().columns == list(TextClassificationRecord.FIELDS)
    assert DatasetForText2Text().to_datasets().column_names == list(Text2TextRecord.FIELDS)
    assert DatasetForText2Text.from_datasets(DatasetForText2Text().to_datasets()) == DatasetForText2Text()


def test_columns_are_typed_where_nothing_is_lost() -> None:
    records = [
        TextClassificationRecord("a", metadata={"split": "train"}, prediction=[("x", 0.5)], id=1),
        TextClassificationRecord("b", metadata={"split": "test", "n": 1}, id=2),
    ]
    table = DatasetForTextClassification(records).to_datasets()
    assert table[0]["metadata"] == {"split": "train", "n": None}
    assert table[0]["prediction"] == [{"label": "x", "score": 0.5}]
    assert table.features["id"] == Value("int64")
    assert table.features["event_timestamp"] == Value("timestamp[us]")
    assert [r.metadata for r in classified(table)] == [{"split": "train"}, {"split": "test", "n": 1}]


@pytest.mark.parametrize("form", ["datasets", "pandas", "polars"])
def test_metadata_of_mixed_types_survives(form: str) -> None:
    given: list[dict[str, Any]] = [{"a": 1}, {"a": "x", "b": None}, {"a": 1.0, "c": [1, "y", {"z": True}]}, {}]
    dataset = DatasetForTextClassification([TextClassificationRecord("t", metadata=one) for one in given])
    back = getattr(DatasetForTextClassification, f"from_{form}")(getattr(dataset, f"to_{form}")())
    assert [record.metadata for record in back] == given
    assert type(back[2].metadata["a"]) is float
    assert type(back[0].metadata["a"]) is int


@pytest.mark.parametrize("form", ["datasets", "pandas", "polars"])
def test_ids_of_both_types_survive(form: str) -> None:
    dataset = DatasetForText2Text([Text2TextRecord("t", id=one) for one in ("007", 7, "7")])
    back = getattr(DatasetForText2Text, f"from_{form}")(getattr(dataset, f"to_{form}")())
    assert [record.id for record in back] == ["007", 7, "7"]


@pytest.mark.parametrize("form", ["datasets", "pandas", "polars"])
def test_one_label_and_several_survive_in_one_data_set(form: str) -> None:
    records = [
        TextClassificationRecord("a", annotation="x"),
        TextClassificationRecord("b", annotation=["x"], multi_label=True),
        TextClassificationRecord("c", annotation=[], multi_label=True),
        TextClassificationRecord("d"),
    ]
    dataset = DatasetForTextClassification(records)
    back = getattr(DatasetForTextClassification, f"from_{form}")(getattr(dataset, f"to_{form}")())
    assert back == dataset


@pytest.mark.parametrize("form", ["datasets", "pandas", "polars"])
def test_times_with_and_without_a_zone_survive(form: str) -> None:
    naive, zoned = datetime(2024, 5, 17, 9, 30, 0, 123456), datetime(2024, 5, 17, tzinfo=UTC)
    for times in ([naive], [zoned], [naive, zoned]):
        dataset = DatasetForText2Text([Text2TextRecord("t", event_timestamp=one) for one in times])
        back = getattr(DatasetForText2Text, f"from_{form}")(getattr(dataset, f"to_{form}")())
        assert [record.event_timestamp for record in back] == times


def test_the_order_of_inputs_survives() -> None:
    records = [
        TextClassificationRecord(inputs={"a": "1", "b": "2"}),
        TextClassificationRecord(inputs={"b": "1", "a": "2"}),
    ]
    back = DatasetForTextClassification.from_datasets(DatasetForTextClassification(records).to_datasets())
    assert [list(record.inputs) for record in back] == [["a", "b"], ["b", "a"]]


def test_predicted_spans_keep_their_scores() -> None:
    record = TokenClassificationRecord("New York", tokens=["New", "York"], prediction=[("LOC", 0, 8, 0.9967)])
    dataset = DatasetForTokenClassification([record])
    assert DatasetForTokenClassification.from_datasets(dataset.to_datasets()) == dataset
    assert dataset.to_datasets()[0]["prediction"][0]["score"] == 0.9967
