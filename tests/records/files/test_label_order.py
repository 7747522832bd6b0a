"""The label schema of a data set goes with its records: into files, tables and frames, and back, in its order."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from datasets import Dataset, concatenate_datasets, load_from_disk

from tunesmith.records import (
    DatasetForTextClassification,
    DatasetForTokenClassification,
    TextClassificationRecord,
    TextClassificationSettings,
    TokenClassificationRecord,
    TokenClassificationSettings,
)
from tunesmith.records.files import read, write

ORDER = ("zebra", "nobody's", "ant", "B-é\n✓")  # neither sorted, nor all of them in a record
KEEPING = {"jsonl": "a.jsonl", "json": "a.json", "parquet": "a.parquet", "hf": "folder", "docbin": "a.spacy"}
KEEPING |= {"label-studio": "l.json", "prodigy": "p.jsonl", "argilla": "exported"}
LOSING = {"csv": "a.csv", "tsv": "a.tsv", "argilla1": "1.jsonl"}


@pytest.fixture
def texts() -> DatasetForTextClassification:
    records = [TextClassificationRecord("a b", annotation="ant"), TextClassificationRecord("c", annotation="zebra")]
    found = DatasetForTextClassification(records)
    found.settings = TextClassificationSettings(ORDER)
    return found


@pytest.fixture
def spans() -> DatasetForTokenClassification:
    found = DatasetForTokenClassification([TokenClassificationRecord("a b", annotation=[("ant", 0, 1)])])
    found.settings = TokenClassificationSettings(ORDER)
    return found


def labels(path: Path, **options: Any) -> tuple[str, ...]:
    found = read(path, **options)
    assert list(found)
    return found.labels


@pytest.mark.parametrize("name", ["texts", "spans"])
@pytest.mark.parametrize("format", KEEPING)
def test_labels_come_back_in_their_order_unseen_ones_too(
    format: str, name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if format == "docbin":
        pytest.importorskip("spacy", reason="spaCy is not installed")
    given = request.getfixturevalue(name)
    path = tmp_path / KEEPING[format]
    write(given, path, format=format)
    assert labels(path, format=format) == ORDER
    if format not in ("argilla",):
        assert list(read(path, format=format)) == list(given)


@pytest.mark.parametrize("format", LOSING)
def test_a_format_without_a_place_says_that_the_order_is_lost_and_who_keeps_it(
    format: str, texts: DatasetForTextClassification, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / LOSING[format]
    with caplog.at_level(logging.WARNING):
        write(texts, path, format=format)
    (told,) = [one for one in caplog.messages if "order" in one]
    assert told == (
        f"{path}: the label order of the settings is not kept: this format has no place for it. These keep it: "
        "parquet, hf, jsonl, json, docbin, label-studio, prodigy, argilla."
    )
    assert labels(path, format=format) == ()


def test_records_without_settings_say_nothing_of_an_order(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    records = [TextClassificationRecord("a", annotation="x", event_timestamp=None)]
    with caplog.at_level(logging.WARNING):
        write(records, tmp_path / "a.csv")
    assert caplog.messages == []
    write(records, tmp_path / "a.jsonl")
    assert "tunesmith" not in json.loads((tmp_path / "a.jsonl").read_text(encoding="utf-8"))


def test_other_readers_see_the_columns_of_the_records_and_nothing_else(
    texts: DatasetForTextClassification, tmp_path: Path
) -> None:
    write(texts, tmp_path / "a.parquet")
    write(texts, tmp_path / "a")
    assert list(pd.read_parquet(tmp_path / "a.parquet")["annotation"]) == ["ant", "zebra"]
    names = list(texts.to_pandas())
    assert list(pd.read_parquet(tmp_path / "a.parquet")) == names
    assert load_from_disk(str(tmp_path / "a")).column_names == names
    write(texts, tmp_path / "a.jsonl")
    assert Dataset.from_json(str(tmp_path / "a.jsonl"), cache_dir=str(tmp_path))["annotation"][:] == ["ant", "zebra"]


def test_a_label_config_of_the_tool_goes_before_the_order_that_was_exported(
    texts: DatasetForTextClassification, tmp_path: Path
) -> None:
    path = tmp_path / "l.json"
    write(texts, path, format="label-studio")
    tasks = json.loads(path.read_text(encoding="utf-8"))
    config = '<View><Choices name="label"><Choice value="ant"/><Choice value="zebra"/></Choices></View>'
    path.write_text(json.dumps([{**task, "label_config": config} for task in tasks]), encoding="utf-8")
    assert labels(path) == ("ant", "zebra")


def test_files_that_declare_different_orders_declare_none(texts: DatasetForTextClassification, tmp_path: Path) -> None:
    write(texts, tmp_path / "1.parquet")
    texts.settings = TextClassificationSettings(["ant", "zebra"])
    write(texts, tmp_path / "2.parquet")
    assert labels(tmp_path / "*.parquet") == ()
    assert labels(tmp_path / "2*.parquet") == ("ant", "zebra")


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_settings_are_of_the_annotations_and_not_of_another_column(name: str, tmp_path: Path) -> None:
    found = DatasetForTextClassification([TextClassificationRecord("a", annotation="ant", prediction_agent="m")] * 2)
    found.settings = TextClassificationSettings(ORDER)
    write(found, tmp_path / name)
    assert labels(tmp_path / name, columns={"text": "text", "label": "annotation"}) == ORDER
    assert labels(tmp_path / name, columns={"text": "text", "label": "prediction_agent"}) == ()
    first, second = read(tmp_path / name, columns={"text": "text", "label": "annotation"})
    assert set(first.metadata) == set(second.metadata), "the labels are no metadata of the first record"


def test_settings_go_through_a_table_of_datasets(texts: DatasetForTextClassification, tmp_path: Path) -> None:
    table = texts.to_datasets()
    table.save_to_disk(str(tmp_path / "saved"))
    back = load_from_disk(str(tmp_path / "saved"))
    for each in (table, back, back.select([1]), back.map(lambda row: row), concatenate_datasets([table, back])):
        assert DatasetForTextClassification.from_datasets(each).settings == texts.settings
    assert labels(tmp_path / "saved") == ORDER
    assert DatasetForTextClassification.from_datasets(texts.to_arrow()).settings == texts.settings


def test_settings_go_through_a_frame_and_its_parquet_file(texts: DatasetForTextClassification, tmp_path: Path) -> None:
    frame = texts.to_pandas()
    assert DatasetForTextClassification.from_pandas(frame[frame.index > 0]).settings == texts.settings
    frame[["text", "annotation"]].to_parquet(tmp_path / "a.parquet")
    assert labels(tmp_path / "a.parquet") == ORDER


def test_tables_with_two_orders_or_those_of_another_task_give_none(
    texts: DatasetForTextClassification, spans: DatasetForTokenClassification
) -> None:
    first = texts.to_datasets()
    texts.settings = TextClassificationSettings(["ant", "zebra"])
    both = concatenate_datasets([first, texts.to_datasets()])
    assert DatasetForTextClassification.from_datasets(both).settings is None
    frame = texts.to_pandas()
    frame.attrs = spans.to_pandas().attrs
    assert DatasetForTextClassification.from_pandas(frame).settings is None
    assert DatasetForTextClassification.from_pandas(pd.DataFrame({"text": ["a"]})).settings is None
