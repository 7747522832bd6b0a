"""Data sets of the Hugging Face family: transformers, peft, SetFit, SpanMarker, AutoTrain."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from datasets import ClassLabel, Dataset, DatasetDict

from real_rows import banking77, conll2003, go_emotions, multi30k
from tunesmith.data.labels import Labels
from tunesmith.errors import DataError, RowError, UnknownName, UnsupportedTask
from tunesmith.frameworks.tables import input_columns
from tunesmith.registry import frameworks
from tunesmith.tasks.base import Account, Example, Examples, Span
from tunesmith.tasks.reading import fingerprint
from tunesmith.tasks.token_classification import spans_of

TEXT, TOKENS, TARGET = "text-classification", "token-classification", "sequence-sequence"
ENTITIES = ["PER", "LOC", "ORG", "MISC", "NEVER"]


def examples(items: list[Example], kind: str = "") -> Examples:
    labels = Labels(kind) if kind else None  # type: ignore[arg-type]
    return Examples(items, labels, Account(len(items)), fingerprint(items), kind)


def banking(count: int = 60) -> tuple[Examples, list[str]]:
    rows = banking77(count)
    names = sorted({label for _, label in rows}, reverse=True)
    return examples([Example(i, text, label=label) for i, (text, label) in enumerate(rows)], "single"), [*names, "none"]


def entities(count: int = 60) -> tuple[Examples, list[tuple[list[str], list[str]]]]:
    rows = conll2003(count)
    made = [
        Example(f"s{i}", " ".join(words), tokens=tuple(words), spans=spans_of(words, tags, tags))
        for i, (words, tags) in enumerate(rows)
    ]
    return examples(made), rows


def prepare(framework: str, task: str, train: Examples, labels: list[str], **options: Any) -> Any:
    return frameworks.get(framework).prepare(task, {"train": train}, labels=labels, **options)


@pytest.mark.parametrize("framework", ["transformers", "peft", "setfit"])
def test_texts_and_labels_are_the_sources_row_by_row_with_ids_in_the_order_of_the_settings(framework: str) -> None:
    train, names = banking()
    made = prepare(framework, TEXT, train, names)
    assert isinstance(made, Dataset)
    assert made.column_names == ["id", "text", "label"]
    assert made.features["label"] == ClassLabel(names=names), "unseen labels count"
    assert made.features["id"].dtype == "string"
    assert [(row["text"], names[row["label"]]) for row in made] == banking77(60)
    assert list(made["id"]) == [str(i) for i in range(60)]


def test_autotrain_finds_text_and_target_under_its_own_names() -> None:
    train, names = banking()
    made = prepare("autotrain", TEXT, train, names)
    assert made.column_names == ["id", "text", "target"]
    assert made.features["target"].names == names
    assert [names[place] for place in made["target"]] == [label for _, label in banking77(60)]


@pytest.mark.parametrize("framework", ["transformers", "setfit"])
def test_several_labels_are_ids_and_a_row_of_the_full_width(framework: str) -> None:
    rows, names = go_emotions(80)
    rows.append(("none", "Nothing of it.", ()))
    names.append("unseen")
    train = examples([Example(key, text, label=labels) for key, text, labels in rows], "multi")
    made = prepare(framework, TEXT, train, names)
    assert made.column_names == ["id", "text", "label", "binarized_label"]
    assert made.features["label"].feature == ClassLabel(names=names)
    for row, (key, text, labels) in zip(made, rows, strict=True):
        assert (row["id"], row["text"]) == (key, text)
        assert {names[place] for place in row["label"]} == set(labels)
        assert len(row["binarized_label"]) == len(names)
        assert [names[place] for place, bit in enumerate(row["binarized_label"]) if bit] == [
            names[place] for place in row["label"]
        ]


def test_autotrain_refuses_several_labels_and_says_who_takes_them() -> None:
    train = examples([Example(0, "a", label=("x", "y"))], "multi")
    with pytest.raises(UnsupportedTask) as caught:
        prepare("autotrain", TEXT, train, ["x", "y"])
    assert "autotrain cannot prepare text-classification: its text classification has one label" in str(caught.value)
    assert "setfit" in str(caught.value)


@pytest.mark.parametrize(
    ("framework", "column"), [("transformers", "ner_tags"), ("span_marker", "ner_tags"), ("autotrain", "tags")]
)
def test_tags_are_the_sources_row_by_row_and_their_order_is_that_of_the_settings(framework: str, column: str) -> None:
    train, rows = entities()
    made = prepare(framework, TOKENS, train, ENTITIES)
    assert made.column_names == ["id", "text", "tokens", column]
    names = made.features[column].feature.names
    assert names[:5] == ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
    assert names[-2:] == ["B-NEVER", "I-NEVER"]
    assert [(row["tokens"], [names[i] for i in row[column]]) for row in made] == rows


@pytest.mark.parametrize("framework", ["transformers", "peft"])
def test_targets_are_the_sources_row_by_row(framework: str) -> None:
    rows = multi30k(50)
    train = examples([Example(i, one, target=other) for i, (one, other) in enumerate(rows)])
    made = prepare(framework, TARGET, train, [])
    assert made.column_names == ["id", "text", "target"]
    assert list(zip(made["text"], made["target"], strict=True)) == rows


def test_two_parts_are_a_dataset_dict_of_equal_types() -> None:
    train, names = banking()
    parts = {"train": replace(train, items=train.items[:40]), "test": replace(train, items=train.items[40:])}
    made = frameworks.get("transformers").prepare(TEXT, parts, labels=names)
    assert isinstance(made, DatasetDict)
    assert list(made) == ["train", "test"]
    assert [len(made["train"]), len(made["test"])] == [40, 20]
    assert made["train"].features == made["test"].features
    assert list(made["test"]["text"]) == [text for text, _ in banking77(60)][40:]


def test_inputs_have_columns_of_their_own_the_same_in_both_parts() -> None:
    train = examples([Example(0, "title: T\nbody: B", label="a", fields=(("title", "T"), ("body", "B")))], "single")
    test = examples([Example(1, "title: U\nnote: N", label="a", fields=(("title", "U"), ("note", "N")))], "single")
    made = frameworks.get("setfit").prepare(TEXT, {"train": train, "test": test}, labels=["a", "b"])
    for part in made.values():
        assert part.column_names == ["id", "text", "label", "title", "body", "note"]
    assert made["train"][0]["title"] == "T"
    assert made["train"][0]["note"] is None
    assert made["test"][0] == {
        "id": "1",
        "text": "title: U\nnote: N",
        "label": 0,
        "title": "U",
        "body": None,
        "note": "N",
    }


def test_an_input_named_as_one_of_our_columns_is_not_lost() -> None:
    given = (("text", "x"), ("label", "y"), ("input_text", "z"))
    train = examples([Example(0, "all", label="a", fields=given)], "single")
    assert input_columns([train], ["id", "text", "label"]) == {
        "text": "input_text_",
        "label": "input_label",
        "input_text": "input_text",
    }
    row = prepare("transformers", TEXT, train, ["a", "b"])[0]
    assert (row["text"], row["input_text_"], row["input_label"], row["input_text"]) == ("all", "x", "y", "z")


def test_a_label_outside_names_the_row_and_the_label() -> None:
    train = examples([Example(0, "x", label="a"), Example("r7", "y", label="c")], "single")
    with pytest.raises(RowError) as caught:
        prepare("transformers", TEXT, train, ["a", "b"])
    assert str(caught.value) == "row r7, column 'label': label 'c' is not one of a, b"


def test_spans_that_give_no_tags_are_refused_by_the_ids_of_their_rows() -> None:
    words = ("in", "New", "York", "City")
    text = " ".join(words)
    crossing = (Span("LOC", 3, 11), Span("LOC", 7, 16))
    items = [
        Example("fine", text, tokens=words, spans=(Span("LOC", 3, 11),)),
        Example("over", text, tokens=words, spans=crossing),
        Example("half", text, tokens=words, spans=(Span("LOC", 3, 9),)),
        Example("gone", "in New Jersey", tokens=words, spans=()),
    ]
    framework = frameworks.get("span-marker")
    with pytest.raises(DataError) as caught:
        framework.prepare(TOKENS, {"train": examples(items)}, labels=["LOC"])
    told = str(caught.value)
    assert "the spans of 3 records" in told
    assert "'over': overlapping spans: LOC 'New York' (3, 11) and LOC 'York City' (7, 16)" in told
    assert "'half': spans that do not align with the tokens: LOC 'New Yo' (3, 9)" in told
    assert "'gone': tokens that are not in the text: token 'York'" in told
    assert "misaligned='skip'" in told
    assert "fine" not in told
    assert list(framework.misfits(TOKENS, items)) == ["over", "half", "gone"]


def test_an_unknown_option_names_the_known_ones() -> None:
    train, names = banking(20)
    with pytest.raises(UnknownName) as caught:
        prepare("setfit", TEXT, train, names, fromat="chat")
    assert "unknown option of preparing for setfit 'fromat'" in str(caught.value)
