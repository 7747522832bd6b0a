"""Frames for Spark NLP: pandas, and Spark's own."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from real_rows import banking77, conll2003, go_emotions, multi30k
from tunesmith.data.labels import Labels
from tunesmith.errors import ConfigError
from tunesmith.frameworks.spark_nlp import FRAMEWORK
from tunesmith.tasks.base import Account, Example, Examples
from tunesmith.tasks.token_classification import spans_of

TEXT, TOKENS, TARGET = "text-classification", "token-classification", "sequence-sequence"


def examples(items: list[Example], kind: str = "") -> Examples:
    return Examples(items, Labels(kind) if kind else None, Account(len(items)), "", kind)  # type: ignore[arg-type]


def frame(task: str, items: list[Example], labels: list[str], kind: str = "", **options: Any) -> Any:
    return FRAMEWORK.prepare(task, {"train": examples(items, kind)}, labels=labels, **options)


def test_texts_and_labels_are_the_sources_row_by_row() -> None:
    rows = banking77(40)
    items = [Example(i, text, label=label) for i, (text, label) in enumerate(rows)]
    made = frame(TEXT, items, sorted({label for _, label in rows}), "single")
    assert isinstance(made, pd.DataFrame)
    assert list(made.columns) == ["id", "text", "label"]
    assert list(zip(made["text"], made["label"], strict=True)) == rows
    assert list(made["id"]) == [str(i) for i in range(40)]


def test_several_labels_are_lists_of_names_in_order() -> None:
    rows, names = go_emotions(50)
    items = [*(Example(key, text, label=labels) for key, text, labels in rows), Example("e", "nothing", label=())]
    made = frame(TEXT, items, names, "multi")
    assert list(made.columns) == ["id", "text", "labels"]
    wanted = [sorted(example.label or (), key=names.index) for example in items]  # type: ignore[arg-type]
    assert list(made["labels"]) == wanted


def tagged() -> tuple[list[Example], list[tuple[list[str], list[str]]]]:
    rows = conll2003(50)
    return [
        Example(i, " ".join(words), tokens=tuple(words), spans=spans_of(words, tags, tags))
        for i, (words, tags) in enumerate(rows)
    ], rows


def test_words_and_tags_are_the_sources_row_by_row() -> None:
    items, rows = tagged()
    made = frame(TOKENS, items, ["PER", "LOC", "ORG", "MISC"])
    assert list(made.columns) == ["id", "text", "token", "label"]
    assert list(zip(made["token"], made["label"], strict=True)) == rows


def test_targets_are_the_sources_row_by_row_and_two_parts_are_a_pair() -> None:
    rows = multi30k(40)
    items = [Example(i, one, target=other) for i, (one, other) in enumerate(rows)]
    parts = {"train": examples(items[:30]), "test": examples(items[30:])}
    train, test = FRAMEWORK.prepare(TARGET, parts, labels=[])
    assert list(train.columns) == ["id", "text", "target"]
    assert list(zip(train["text"], train["target"], strict=True)) == rows[:30]
    assert list(zip(test["text"], test["target"], strict=True)) == rows[30:]


def test_a_spark_frame_of_words_and_tags_is_the_source_row_by_row(session: Any) -> None:
    items, rows = tagged()
    made = frame(TOKENS, items, ["PER", "LOC", "ORG", "MISC"], spark=session)
    assert [(f.name, f.dataType.simpleString()) for f in made.schema.fields] == [
        ("id", "string"),
        ("text", "string"),
        ("token", "array<string>"),
        ("label", "array<string>"),
    ]
    assert [(row["token"], row["label"]) for row in made.collect()] == rows


def test_spark_frames_by_the_active_session_hold_inputs_and_empty_lists_with_their_types(session: Any) -> None:
    items = [Example(0, "a: 1", label=(), fields=(("a", "1"), ("b", "2"))), Example(1, "a: 3", label=())]
    made = frame(TEXT, items, ["x"], "multi", as_spark=True)
    assert [(f.name, f.dataType.simpleString()) for f in made.schema.fields][2:] == [
        ("labels", "array<string>"),
        ("a", "string"),
        ("b", "string"),
    ]
    assert [tuple(row) for row in made.collect()] == [("0", "a: 1", [], "1", "2"), ("1", "a: 3", [], None, None)]
    assert made.sparkSession.sparkContext is session.sparkContext


def test_what_is_no_session_is_an_error() -> None:
    with pytest.raises(ConfigError, match="setting 'spark' is 'local': expected a SparkSession"):
        frame(TEXT, [], ["x"], "single", spark="local")
