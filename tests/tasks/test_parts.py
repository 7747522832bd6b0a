"""What is told of the parts of a run: a part held out that is not of the size asked for, rows that lack context."""

from __future__ import annotations

from typing import Any

import pytest

from tunesmith.config import Settings
from tunesmith.errors import DataError
from tunesmith.registry import tasks
from tunesmith.tasks.base import Examples
from tunesmith.tasks.parts import read_data

TEXTS = [{"text": f"text {n}", "label": "yn"[n % 2], "author": n % 2} for n in range(40)]


def read(rows: Any, *, task: str = "text-classification", **more: Any) -> tuple[dict[str, Examples], list[str]]:
    """The parts, and what was said of them after the columns."""
    settings = Settings.make(train=rows, task=task, **more)
    notes: list[str] = []
    found = read_data(tasks.get(task), rows, settings.validation, settings.test, settings, note=notes.append)
    return found, notes[1:]


def test_training_rows_of_one_class_alone_are_refused_where_a_fraction_took_the_others() -> None:
    rows = [("great phone", "good"), ("broken on arrival", "bad")] * 20
    with pytest.raises(DataError, match=r"20 rows .* label '(good|bad)': equal texts stay .* Give validation as data"):
        read(rows, validation=0.2)
    with pytest.raises(DataError, match=r"equal texts and rows of one group stay .* Give validation and test as data"):
        read([*TEXTS, {"text": "other", "label": "y", "author": 2}], validation=0.2, test=0.2, group="author")


def test_a_class_that_was_only_declared_is_not_asked_for() -> None:
    from datasets import ClassLabel, Dataset, Features, Value

    features = Features({"text": Value("string"), "label": ClassLabel(names=["no", "yes"])})
    rows = Dataset.from_list([{"text": f"text {n}", "label": 1} for n in range(10)], features=features)
    assert len(read(rows, validation=0.2)[0]["train"]) == 8


def no_row(part: str, label: str, rows: int) -> str:
    return f"{part}: no row of {label!r} ({rows} to train on): its scores say nothing of these"


def test_a_part_far_from_the_size_asked_for_is_told_with_the_reason() -> None:
    few = [{"text": text, "label": label} for text, label in ("ay", "by", "cn", "dn")] * 10
    assert read(few, validation=0.1)[1] == [
        "validation: 10 rows instead of 4: equal texts stay on one side",
        no_row("validation", "n", 20),
    ]
    single = [{"text": f"text {n}", "label": str(n // 2)} for n in range(6)] + [{"text": "text 0", "label": "0"}] * 50
    held = "equal texts stay on one side, and every class keeps one to train on"
    assert read(single, test=0.4)[1] == [f"test: 3 rows instead of 22: {held}"]
    one = {"context": "Anna came from Rome.", "answers": "Rome"}
    asked = [{**one, "question": f"where {n}?", "context": f"{n // 10}: {one['context']}"} for n in range(20)]
    told = "validation: 10 rows instead of 2: rows of one context stay on one side"
    assert read(asked, task="question-answering", validation=0.1)[1] == [told]


def test_a_part_near_the_size_asked_for_is_not_talked_about() -> None:
    assert read(TEXTS, validation=0.2, test=0.1)[1] == []
    assert read(TEXTS[:5], validation=0.1)[1] == [no_row("validation", "n", 2)]


def test_texts_of_a_given_part_that_are_trained_on_too_are_counted() -> None:
    rows = [{"text": f"text {n}", "label": "ab"[n % 2]} for n in range(20)]
    held = [{"text": text, "label": "a"} for text in ("text 3", "text 3", "other", "text 19")]
    told = "test: 3 of 4 rows have a text that training rows have too: their scores are not of new texts"
    assert read({"train": rows, "test": held})[1] == [told, no_row("test", "b", 10)]
    assert read({"train": rows, "test": held[2:3]})[1] == [no_row("test", "b", 10)]
    asked = [{"question": f"where {n % 2}?", "context": f"In {n}.", "answers": str(n)} for n in range(8)]
    other = [{"question": "where 0?", "context": "In 1.", "answers": "1"}]
    assert (
        read({"train": asked, "test": other}, task="question-answering")[1] == []
    )  # question and context make the text


def test_a_table_of_one_word_a_row_is_told_of() -> None:
    rows = [{"word": f"word{n}", "tag": "O" if n % 3 else "B-PER"} for n in range(30)]
    (note,) = read(rows, task="token-classification")[1]
    assert note.startswith("every row has one word: ")
    assert "CoNLL" in note
    assert "lists" in note
    assert read(rows[:20], task="token-classification")[1] == []
    sentence = {"word": ["Anna", "came"], "tag": ["B-PER", "O"]}
    lists = [*({name: [cell] for name, cell in row.items()} for row in rows), sentence]
    assert read(lists, task="token-classification")[1] == []


def found(rows: Any) -> str:
    notes: list[str] = []
    read_data(tasks.get("text-classification"), rows, None, None, Settings.make(train=rows), note=notes.append)
    return notes[0]


def test_few_classes_are_named_and_many_are_counted() -> None:
    assert found(TEXTS) == "columns: text=text, label=label (not used: author); single labels, 2 classes (n, y)"
    assert found([(f"text {n}", f"class {n % 11}") for n in range(22)]).endswith("single labels, 11 classes")


@pytest.mark.parametrize(("cell", "said"), [("a|b", True), ("a, b", True), ("c; d", False), ("a-b", False)])
def test_labels_that_seem_to_be_several_are_told_of(cell: str, said: bool) -> None:
    told = found([("one", "a"), ("two", "b"), ("three", cell)] * 4)
    assert ("say label_kind='multi' if a row has several labels" in told) == said


def test_spans_in_the_place_of_labels_are_refused() -> None:
    with pytest.raises(DataError) as caught:
        found([{"text": "Anna sang", "spans": [{"start": 0, "end": 4, "label": "PER"}]}] * 4)
    assert "column 'spans' holds lists of mappings" in str(caught.value)
    assert "task='token-classification'" in str(caught.value)


def test_what_the_scores_cannot_tell_is_said() -> None:
    rows = [(f"text {place}", "ham" if place % 2 else "spam") for place in range(20)] + [("odd one", "rare")]
    found, said = read(rows, test=0.2)
    assert {each.label for each in found["test"]} == {"ham", "spam"}
    assert said == [no_row("test", "rare", 1)]
    assert read(rows[:20], test=0.2)[1] == []


def test_labels_that_differ_in_case_alone_are_told_of() -> None:
    rows = [(f"text {place}", ("ham", "Ham", "spam")[place % 3]) for place in range(30)]
    assert "labels that differ in case alone are classes of their own: 'Ham', 'ham'" in read(rows)[1]
    assert not any("case" in text for text in read([(text, label.lower()) for text, label in rows])[1])
