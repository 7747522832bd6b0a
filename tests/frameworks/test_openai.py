"""Rows for OpenAI's fine-tuning: chats, and the older prompts with completions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from real_rows import banking77, conll2003, go_emotions, multi30k
from tunesmith.data.labels import Labels
from tunesmith.errors import ConfigError, RowError
from tunesmith.frameworks.openai import FRAMEWORK, SEPARATOR, Rows
from tunesmith.tasks.base import Account, Example, Examples, Span
from tunesmith.tasks.token_classification import spans_of

TEXT, TOKENS, TARGET = "text-classification", "token-classification", "sequence-sequence"


def examples(items: list[Example], kind: str = "") -> Examples:
    return Examples(items, Labels(kind) if kind else None, Account(len(items)), "", kind)  # type: ignore[arg-type]


def rows(task: str, items: list[Example], labels: list[str], kind: str = "", **options: Any) -> Rows:
    made = FRAMEWORK.prepare(task, {"train": examples(items, kind)}, labels=labels, **options)
    assert isinstance(made, Rows)
    return made


def turns(row: dict[str, Any]) -> tuple[str, str]:
    assert list(row) == ["messages"], "the service knows no other key"
    user, assistant = row["messages"]
    assert (user["role"], assistant["role"]) == ("user", "assistant")
    return user["content"], assistant["content"]


def test_texts_and_labels_are_the_sources_row_by_row_and_ids_are_kept_beside_them() -> None:
    source = banking77(40)
    made = rows(
        TEXT, [Example(i, t, label=n) for i, (t, n) in enumerate(source)], sorted({n for _, n in source}), "single"
    )
    assert [turns(row) for row in made] == source
    assert made.ids == tuple(str(i) for i in range(40))


def test_prompts_answer_with_ids_in_the_order_of_the_settings() -> None:
    source = banking77(40)
    names = sorted({label for _, label in source}, reverse=True)
    items = [Example(i, text, label=label) for i, (text, label) in enumerate(source)]
    for row, (text, label) in zip(rows(TEXT, items, names, "single", format="prompt"), source, strict=True):
        assert row["prompt"] == text + SEPARATOR
        assert row["completion"] == f" {names.index(label)}"


def test_several_labels_are_a_json_list_or_ids_in_order() -> None:
    source, names = go_emotions(60)
    items = [*(Example(key, text, label=labels) for key, text, labels in source), Example("e", "nothing", label=())]
    chats = rows(TEXT, items, names, "multi")
    prompts = rows(TEXT, items, names, "multi", format="prompt")
    for example, chat, prompt in zip(items, chats, prompts, strict=True):
        ordered = sorted(example.label or (), key=names.index)  # type: ignore[arg-type]
        assert json.loads(turns(chat)[1]) == ordered
        assert [int(part) for part in prompt["completion"].split()] == [names.index(name) for name in ordered]
        assert prompt["id"] == example.id


def test_entities_are_listed_in_the_order_of_the_text_as_often_as_they_are_there() -> None:
    source = conll2003(60)
    items = [
        Example(i, " ".join(words), tokens=tuple(words), spans=spans_of(words, tags, tags))
        for i, (words, tags) in enumerate(source)
    ]
    for example, row in zip(items, rows(TOKENS, items, ["LOC", "PER", "ORG", "MISC"]), strict=True):
        text, answer = turns(row)
        wanted = [{"label": s.label, "text": text[s.start : s.end]} for s in example.spans or ()]
        assert text == example.text
        assert json.loads(answer) == wanted
    twice = [Example("t", "Bo met Bo", tokens=("Bo", "met", "Bo"), spans=(Span("PER", 7, 9), Span("PER", 0, 2)))]
    (row,) = rows(TOKENS, twice, ["LOC", "PER"], format="prompt")
    assert row["completion"] == " - Bo 1\n- Bo 1 END"
    assert json.loads(turns(rows(TOKENS, twice, ["LOC", "PER"])[0])[1]) == [{"label": "PER", "text": "Bo"}] * 2


def test_a_text_without_entities_has_an_empty_answer() -> None:
    none = [Example(0, "nobody", tokens=("nobody",), spans=())]
    assert turns(rows(TOKENS, none, ["PER"])[0])[1] == "[]"
    assert rows(TOKENS, none, ["PER"], format="prompt")[0]["completion"] == " END"


def test_targets_are_the_sources_row_by_row_without_any_instruction_put_before_them() -> None:
    source = multi30k(40)
    items = [Example(i, one, target=other) for i, (one, other) in enumerate(source)]
    assert [turns(row) for row in rows(TARGET, items, [])] == source
    for row, (one, other) in zip(rows(TARGET, items, [], format="prompt"), source, strict=True):
        assert (row["prompt"], row["completion"]) == (one + SEPARATOR, f" {other} END")


def test_two_parts_hold_different_rows() -> None:
    source = banking77(40)
    items = [Example(i, text, label=label) for i, (text, label) in enumerate(source)]
    parts = {"train": examples(items[:30], "single"), "test": examples(items[30:], "single")}
    train, test = FRAMEWORK.prepare(TEXT, parts, labels=sorted({label for _, label in source}))
    assert [turns(row) for row in train] == source[:30]
    assert [turns(row) for row in test] == source[30:]
    assert not set(train.ids) & set(test.ids)


def test_a_system_message_opens_each_chat() -> None:
    (row,) = rows(TEXT, [Example(0, "hi", label="a")], ["a", "b"], "single", system="Name the label.")
    assert row["messages"][0] == {"role": "system", "content": "Name the label."}
    with pytest.raises(ConfigError, match="a prompt has no system message"):
        rows(TEXT, [], ["a", "b"], "single", system="x", format="prompt")


def test_another_format_is_an_error() -> None:
    with pytest.raises(ConfigError, match="expected 'chat' or 'prompt'"):
        rows(TEXT, [], ["a", "b"], "single", format="jsonl")


def test_a_label_outside_names_the_row() -> None:
    with pytest.raises(RowError, match="row r1, column 'label': label 'z' is not one of a, b"):
        rows(TEXT, [Example("r1", "x", label="z")], ["a", "b"], "single")


@pytest.mark.parametrize("form", ["chat", "prompt"])
def test_the_file_has_one_json_object_a_line_without_ids(tmp_path: Path, form: str) -> None:
    items = [Example(0, "zwei\u2028Zeilen\nund ä", label="a"), Example(1, "y", label="b")]
    made = rows(TEXT, items, ["a", "b"], "single", format=form)
    made.write(tmp_path / "rows.jsonl")
    lines = (tmp_path / "rows.jsonl").read_bytes().decode("utf-8").removesuffix("\n").split("\n")
    assert [json.loads(line) for line in lines] == [{k: v for k, v in row.items() if k != "id"} for row in made]
