"""The rows of each work load: how they are read and drawn.

Rows are read from `$TUNESMITH_DATA` (default `../shared/data`) at run time; none is kept in the project.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

Row = dict[str, Any]
ROOT = Path(__file__).resolve().parent.parent
DATA_SEED = 20  # which rows are drawn; fixed, so that training seeds differ in nothing but training


@dataclass(frozen=True)
class Rows:
    """The rows of a work load. `labels` are the class names that are scored, in order; empty where there are none."""

    train: Sequence[Row]
    test: Sequence[Row]
    labels: tuple[str, ...] = ()

    def fingerprint(self) -> str:
        """sha256 of the content and order of both splits: runs are compared on equal rows only."""
        text = json.dumps([list(self.train), list(self.test)], sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


def data_folder() -> Path:
    return Path(os.environ.get("TUNESMITH_DATA") or ROOT.parent / "shared" / "data")


def read_text(path: Path) -> str:
    return gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text(encoding="utf-8")


def _table(path: Path) -> list[Row]:
    return list(csv.DictReader(StringIO(read_text(path), newline="")))


def draw(rows: Sequence[Row], count: int) -> list[Row]:
    """The first `count` rows of a shuffle that is the same on every machine."""
    order = np.random.default_rng(DATA_SEED).permutation(len(rows))
    return [rows[index] for index in order[:count]]


def _classes(train: list[Row], test: list[Row]) -> Rows:
    return Rows(train, test, tuple(sorted({row["label"] for row in train})))


def sst2(folder: Path) -> Rows:
    names = ("negative", "positive")
    train, test = (
        [{"text": row["text"], "label": names[int(row["label"])]} for row in _table(folder / "sst2" / name)]
        for name in ("train.csv.gz", "test.csv")
    )
    return _classes(draw(train, 3000), test)


def _named(path: Path) -> list[Row]:
    return [{"text": row["text"], "label": row["label_text"]} for row in _table(path)]


def trec6(folder: Path) -> Rows:
    return _classes(_named(folder / "trec6" / "train.csv"), _named(folder / "trec6" / "test.csv"))


def banking77(folder: Path) -> Rows:
    train, test = (_named(folder / "banking77" / name) for name in ("train.csv.gz", "test.csv"))
    return _classes(draw(train, 3000), test)


def sms(folder: Path) -> Rows:
    """Four fifths to train. Equal messages stay on one side: the collection has many, and a leak flatters everyone."""
    rows = _named(folder / "sms_spam" / "all.csv")
    texts = list(dict.fromkeys(row["text"] for row in rows))
    order = np.random.default_rng(DATA_SEED).permutation(len(texts))
    held = {texts[index] for index in order[: len(texts) // 5]}
    return _classes([row for row in rows if row["text"] not in held], [row for row in rows if row["text"] in held])


def _news(folder: Path) -> tuple[list[Row], list[Row]]:
    """AG News, title and description as one text."""
    train, test = (
        [{"text": f"{row['title']}. {row['description']}", "label": row["label_text"]} for row in _table(folder / name)]
        for name in ("ag_news/train.csv.gz", "ag_news/test.csv.gz")
    )
    return train, test


def ag_news(folder: Path) -> Rows:
    """3,000 rows to train, 2,000 of the test set."""
    train, test = _news(folder)
    return _classes(draw(train, 3000), draw(test, 2000))


def documents(folder: Path) -> Rows:
    """Long texts: 12 drawn news of one class each; 500 documents to train, 200 to test."""
    train, test = _news(folder)
    return _classes(_documents(train, 500), _documents(test, 200))


def _documents(rows: Sequence[Row], count: int) -> list[Row]:
    rng = np.random.default_rng(DATA_SEED)
    classes: dict[str, list[str]] = {}
    for row in rows:
        classes.setdefault(row["label"], []).append(row["text"])
    found = []
    for label in rng.choice(sorted(classes), count):
        texts = rng.choice(len(classes[label]), 12, replace=False)
        found.append({"text": " ".join(classes[label][place] for place in texts), "label": str(label)})
    return found


def stsb(folder: Path) -> Rows:
    train, test = (
        [{**row, "score": float(row["score"])} for row in _table(folder / "stsb" / name)]
        for name in ("train.csv.gz", "test.csv")
    )
    return Rows(train, test)


def _sentences(path: Path) -> list[Row]:
    blocks = (block.strip("\n").split("\n") for block in read_text(path).split("\n\n") if block.strip())
    words = ([line.split(" ") for line in block] for block in blocks)
    return [{"tokens": [word[0] for word in block], "tags": [word[-1] for word in block]} for block in words]


def conll2003(folder: Path) -> Rows:
    train = draw(_sentences(folder / "conll2003" / "train.conll.gz"), 2000)
    tags = tuple(sorted({tag for row in train for tag in row["tags"]}))
    return Rows(train, _sentences(folder / "conll2003" / "test.conll.gz"), tags)


def go_emotions(folder: Path) -> Rows:
    names = tuple((folder / "go_emotions" / "labels.txt").read_text().split())
    train, test = (
        [
            {"text": row["text"], "labels": [names[int(i)] for i in row["labels"].split()]}
            for row in _table(folder / "go_emotions" / name)
        ]
        for name in ("train.csv.gz", "test.csv")
    )
    return Rows(draw(train, 4000), test, names)


def sentences_of_wikipedia(folder: Path) -> Rows:
    """WikiText-2: 8,000 drawn sentences of 4 words and more to train, 1,000 of the test text."""
    train, test = (
        [
            {"text": f"{sentence} ."}
            for line in read_text(folder / "wikitext2_raw" / f"wiki.{name}.raw.gz").split("\n")
            if line.strip() and not line.startswith(" =")
            for sentence in line.strip().removesuffix(" .").split(" . ")
            if sentence.count(" ") >= 3
        ]
        for name in ("valid", "test")
    )
    return Rows(draw(train, 8000), draw(test, 1000))


def translations(folder: Path) -> Rows:
    """Multi30k, English to German: 8,000 drawn pairs to train, 1,000 held back of the same file."""
    english, german = (
        read_text(folder / "multi30k" / f"train.{language}.gz").strip().split("\n") for language in ("en", "de")
    )
    drawn = draw([{"source": a, "target": b} for a, b in zip(english, german, strict=True)], 9000)
    return Rows(drawn[:8000], drawn[8000:])


def _questions(path: Path) -> list[Row]:
    rows = []
    for article in json.loads(read_text(path))["data"]:
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                answers = {
                    "text": [answer["text"] for answer in question["answers"]],
                    "answer_start": [answer["answer_start"] for answer in question["answers"]],
                }
                rows.append({"question": question["question"], "context": paragraph["context"], "answers": answers})
    return rows


def squad(folder: Path) -> Rows:
    train = draw(_questions(folder / "squad_v1" / "train-v1.1-subset.json.gz"), 4000)
    return Rows(train, _questions(folder / "squad_v1" / "dev-v1.1.json.gz")[:1000])
