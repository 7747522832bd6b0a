"""Rows of real data sets as their files have them; a test skips where a file is absent."""

from __future__ import annotations

import csv
import gzip
import os
from io import StringIO
from itertools import islice
from pathlib import Path

import pytest

from tunesmith import samples
from tunesmith.data.conll import conll

FOLDER = Path(os.environ.get("TUNESMITH_TEST_DATA") or Path(__file__).parents[2] / "shared" / "data")


def _path(name: str) -> Path:
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"{path} is not here: TUNESMITH_DATA names the folder of real data")
    return path


def banking77(count: int) -> list[tuple[str, str]]:
    """(text, label) of every n-th row of the sample in the package, so that there are many labels."""
    with samples.path("banking77").open(encoding="utf-8", newline="") as file:
        rows = [(row["text"], row["label"]) for row in csv.DictReader(file)]
    return rows[:: len(rows) // count][:count]


def go_emotions(count: int) -> tuple[list[tuple[str, str, tuple[str, ...]]], list[str]]:
    """((id, text, labels) of each row, all label names in the order of their ids)."""
    names = _path("go_emotions/labels.txt").read_text(encoding="utf-8").split()
    text = _path("go_emotions/test.csv").read_text(encoding="utf-8")
    rows = islice(csv.DictReader(StringIO(text, newline="")), count)
    return [(r["id"], r["text"], tuple(names[int(i)] for i in r["labels"].split())) for r in rows], names


def conll2003(count: int) -> list[tuple[list[str], list[str]]]:
    """(tokens, tags) of the first sentences of the test part."""
    rows = (row for table in conll(_path("conll2003/test.conll.gz")) for row in table.to_pylist())
    return [(row["tokens"], row["tags"]) for row in islice(rows, count)]


def multi30k(count: int) -> list[tuple[str, str]]:
    """(English, German) of the first lines of the validation part."""
    sides = [
        gzip.decompress(_path(f"multi30k/val.{code}.gz").read_bytes()).decode("utf-8").split("\n")
        for code in ("en", "de")
    ]
    return [(one, other) for one, other in islice(zip(*sides, strict=True), count)]
