"""Real data goes round: imported, queried, exported in every format, and compared row by row with the source."""

import csv
import gzip
import os
from itertools import islice
from pathlib import Path

import pytest

from tunesmith.records import Text2TextRecord, TextClassificationRecord, TokenClassificationRecord
from tunesmith.records.files import read, write
from tunesmith.records.store.store import Store

DATA = Path(os.environ.get("TUNESMITH_TEST_DATA") or Path(__file__).parents[4] / "shared" / "data")
ROWS = 300


def source(name):
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is not here: TUNESMITH_DATA names the folder of real data")
    return path


@pytest.fixture(params=["jsonl", "csv", "parquet", "hf", "label-studio", "prodigy", "docbin", "argilla1"])
def form(request):
    if request.param == "docbin":
        pytest.importorskip("spacy", reason="spaCy is not installed")
    return request.param


def through(records, form, folder, task):
    """The records by way of a store and a file of this format."""
    with Store(folder / "a.db") as store:
        store.log(records, "real", "default")
        stored = list(store.iterate("real", "default"))
        assert stored == records
    path = folder / {"hf": "out"}.get(form, "out.json")
    assert write(stored, path, format=form) == len(records)
    back = list(read(path, format=form, task=task))
    assert back == records
    return back


def test_banking77_comes_back_row_by_row(form, tmp_path):
    path = source("banking77/test.csv")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(islice(csv.DictReader(file), ROWS))
    records = list(islice(read(path, columns=("text", "label_text")), ROWS))
    back = through(records, form, tmp_path, "TextClassification")
    assert all(isinstance(record, TextClassificationRecord) for record in back)
    found = [{"text": one.text, "label": one.metadata["label"], "label_text": one.annotation} for one in back]
    assert found == rows


def test_conll2003_comes_back_row_by_row(form, tmp_path):
    path = source("conll2003/test.conll.gz")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        blocks = [block.splitlines() for block in file.read().strip().split("\n\n")][:ROWS]
    records = list(islice(read(path), ROWS))
    back = through(records, form, tmp_path, "TokenClassification")
    assert all(isinstance(record, TokenClassificationRecord) for record in back)
    write(back, tmp_path / "back.conll")
    written = (tmp_path / "back.conll").read_text(encoding="utf-8").strip().split("\n\n")
    assert [block.replace("\t", " ").splitlines() for block in written] == blocks


def test_multi30k_comes_back_row_by_row(form, tmp_path):
    if form == "docbin":
        pytest.skip("a DocBin does not hold text to be written")
    sides = []
    for language in ("en", "de"):
        with gzip.open(source(f"multi30k/val.{language}.gz"), "rt", encoding="utf-8", newline="\n") as file:
            sides.append([line.rstrip("\n") for line in islice(file, ROWS)])
    pairs = list(zip(*sides, strict=True))
    with (tmp_path / "pairs.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("en", "de"), *pairs])
    records = list(read(tmp_path / "pairs.csv"))
    back = through(records, form, tmp_path, "Text2Text")
    assert all(isinstance(record, Text2TextRecord) for record in back)
    assert [(record.text, record.annotation) for record in back] == pairs


def test_what_is_imported_can_be_queried(tmp_path):
    path = source("banking77/test.csv")
    with Store(tmp_path / "a.db") as store:
        store.log(read(path, columns=("text", "label_text")), "bank", "default")
        with path.open(encoding="utf-8", newline="") as file:
            wanted = [row["text"] for row in csv.DictReader(file) if row["label_text"] == "card_arrival"]
        found = store.load("bank", "default", query="status:Validated AND annotated_as:card_arrival")
        assert [record.text for record in found] == wanted
        store.log(read(path, columns=("text", "label_text")), "bank", "default")
        assert store.count("bank", "default") == 3_080  # the same file again is the same records
