"""Data sets of records: lists of one type."""

from __future__ import annotations

from typing import Any

import pytest

import tunesmith.records as package
from tunesmith.errors import DataError, UnknownName, WrongRecordType
from tunesmith.records import (
    DatasetForText2Text,
    DatasetForTextClassification,
    Text2TextRecord,
    TextClassificationRecord,
    TokenClassificationRecord,
    read_datasets,
    read_pandas,
)
from tunesmith.records.datasets import DATASETS
from tunesmith.records.types import TYPES


def three() -> list[TextClassificationRecord]:
    return [TextClassificationRecord(text, id=text) for text in "abc"]


def test_a_data_set_is_a_list() -> None:
    records = three()
    dataset = DatasetForTextClassification(records)
    assert len(dataset) == 3
    assert list(dataset) == records
    assert dataset[0] is records[0]
    assert dataset[-1] is records[2]
    assert type(dataset[1:]) is list
    assert dataset[1:] == records[1:]
    new = TextClassificationRecord("d", id="d", annotation="x")
    dataset[0] = new
    assert dataset[0] is new
    del dataset[1]
    dataset.append(records[0])
    dataset[:1] = []
    assert [record.id for record in dataset] == ["c", "a"]
    assert records[0].id == "a", "the caller's list is not the data set's"
    assert len(DatasetForTextClassification()) == len(DatasetForTextClassification([])) == 0
    assert DatasetForTextClassification(iter(three()))[2].id == "c"


def test_a_repr_says_how_many_are_annotated() -> None:
    dataset = DatasetForTextClassification([*three(), TextClassificationRecord("d", annotation="x")])
    assert repr(dataset) == "DatasetForTextClassification(4 records, 1 annotated)"


def test_data_sets_are_equal_by_their_records() -> None:
    records = three()
    assert DatasetForTextClassification(records) == DatasetForTextClassification(records)
    assert DatasetForTextClassification(records) != DatasetForTextClassification(records[:2])
    assert DatasetForTextClassification() != DatasetForText2Text()


def test_another_type_of_record_is_refused() -> None:
    with pytest.raises(WrongRecordType) as caught:
        DatasetForText2Text(three())  # type: ignore[arg-type]
    assert str(caught.value) == (
        "A DatasetForText2Text must only contain Text2TextRecords, but you provided TextClassificationRecord."
    )
    assert isinstance(caught.value, DataError)
    mixed: Any = [*three(), Text2TextRecord("a"), "text"]
    with pytest.raises(WrongRecordType, match="various types: TextClassificationRecord, Text2TextRecord, str"):
        DatasetForTextClassification(mixed)
    dataset = DatasetForTextClassification(three())
    other: Any = TokenClassificationRecord("a b")
    for change in (
        lambda: dataset.__setitem__(0, other),
        lambda: dataset.__setitem__(slice(0, 1), [other]),
        lambda: dataset.append(other),
        lambda: dataset.extend([other]),
    ):
        with pytest.raises(WrongRecordType, match="TokenClassificationRecord"):
            change()
    assert dataset == DatasetForTextClassification([*dataset])
    for one in (three()[0], "abc", 3):
        with pytest.raises(WrongRecordType):
            DatasetForTextClassification(one)  # type: ignore[arg-type]


def test_each_type_has_its_data_set() -> None:
    assert list(DATASETS) == list(TYPES)
    assert all(DATASETS[task].record_type is TYPES[task] and DATASETS[task].task == task for task in TYPES)


def test_the_task_chooses_the_class() -> None:
    import datasets
    import pandas as pd

    rows = {"text": ["a"], "tokens": [["a"]]}
    for task, kind in DATASETS.items():
        assert type(read_pandas(pd.DataFrame(rows), task)) is kind
        assert type(read_datasets(datasets.Dataset.from_dict(rows), task)) is kind
    labelled = read_pandas(pd.DataFrame({"review": ["a"], "stars": [3]}), "TextClassification", text="review")
    assert labelled[0].text == "a"
    with pytest.raises(UnknownName, match=r"unknown task of records 'TextClasification'\. Did you mean 'TextClass"):
        read_pandas(pd.DataFrame(rows), "TextClasification")


@pytest.mark.parametrize("name", package.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(package, name) is not None
    assert name in dir(package)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Recrod'"):
        _ = package.Recrod
