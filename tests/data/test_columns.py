from __future__ import annotations

from typing import Any

import pytest

from tunesmith.data.columns import again, gold_role, resolve
from tunesmith.errors import ConfigError, DataError, UnknownName

HINTS = {"text": ("text", "sentence", "sentence1"), "pair": ("pair", "sentence2"), "label": ("label", "labels")}


def classify(columns: list[str], given: Any = None) -> dict[str, str]:
    return resolve(
        columns,
        roles=("text", "pair", "label"),
        optional=("pair",),
        hints=HINTS,
        given=given,
        task="text-classification",
    )


def language(columns: list[str], given: Any = None) -> dict[str, str]:
    return resolve(
        columns, roles=("text", "pair"), optional=("pair",), hints={"text": ("text",)}, given=given, task="language"
    )


def test_columns_are_found_by_their_names_in_any_case() -> None:
    assert classify(["id", "Text", "LABELS"]) == {"text": "Text", "label": "LABELS"}
    assert classify(["sentence1", "sentence2", "label"]) == {
        "text": "sentence1",
        "pair": "sentence2",
        "label": "label",
    }


def test_the_earlier_hint_wins() -> None:
    assert classify(["sentence", "text", "label"])["text"] == "text"


def test_the_other_of_two_columns_is_taken() -> None:
    assert classify(["review", "label"]) == {"text": "review", "label": "label"}
    assert classify(["text", "stars"]) == {"text": "text", "label": "stars"}
    assert language(["line"]) == {"text": "line"}


def test_a_row_counter_is_not_taken_for_a_label() -> None:
    with pytest.raises(DataError, match="finds no column for label"):
        classify(["text", "id"])


@pytest.mark.parametrize(
    ("columns", "other"),
    [
        (["id", "Question", "context", "answers"], "question-answering"),
        (["tokens", "ner_tags"], "token-classification"),
        (["words", "tags"], "token-classification"),
    ],
)
def test_columns_of_another_task_name_it(columns: list[str], other: str) -> None:
    with pytest.raises(DataError, match=rf"; or is it task='{other}'\?$"):
        classify(columns)


@pytest.mark.parametrize("columns", [["id", "question", "answers"], ["tokens", "context"]])
def test_half_the_columns_of_another_task_name_none(columns: list[str]) -> None:
    with pytest.raises(DataError, match=r"Say it with [^;?]*\.$"):
        classify(columns)


def test_what_is_not_clear_is_an_error_that_says_how_to_tell() -> None:
    with pytest.raises(DataError) as caught:
        classify(["a", "b", "c"])
    message = str(caught.value)
    assert "no column for text and label" in message
    assert "'a', 'b', 'c'" in message
    assert "columns={'text': …, 'label': …}" in message
    with pytest.raises(DataError, match="'TEXT', 'Text' could each be the text"):
        classify(["TEXT", "Text", "label"])


@pytest.mark.parametrize(
    ("known", "there", "expected"),
    [
        ("text=s label=y", "s t pair y", "text=s pair= label=y"),  # a second text plays no part that it had not before
        ("text=s pair=t label=y", "s t y", "text=s pair=t label=y"),
        ("text=s label=y", "s label", "text=s pair="),  # the label is found by name
        ("text=s label=y", "text y", "pair= label=y"),
        ("text=s pair=t label=y", "s", "text=s pair=t"),  # the second text is missing: an error of `resolve`
        ("text=s pair=t label=y", "sentence pair", ""),
        ("", "s y", ""),
    ],
)
def test_other_data_is_read_as_the_training_rows_were(known: str, there: str, expected: str) -> None:
    def mapping(text: str) -> dict[str, Any]:
        return {role: column or None for role, _, column in (item.partition("=") for item in text.split())}

    said = again(mapping(known), there.split(), roles=("text", "pair", "label"), optional=("pair",))
    assert said == mapping(expected)


def test_gold_is_the_last_role_unless_the_text_itself_is() -> None:
    assert gold_role(("text", "pair", "label"), ("pair",)) == "label"
    assert gold_role(("text", "pair"), ("pair",)) is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("s", "y"), {"text": "s", "label": "y"}),
        (("s", None, "y"), {"text": "s", "label": "y"}),
        (("s", "t", "y"), {"text": "s", "pair": "t", "label": "y"}),
        (["s", "y"], {"text": "s", "label": "y"}),
        ({"label": "y", "text": "s"}, {"text": "s", "label": "y"}),
        ({"label": "y", "text": "s", "pair": None}, {"text": "s", "label": "y"}),
    ],
)
def test_given_columns_may_have_any_name(given: Any, expected: dict[str, str]) -> None:
    assert classify(["s", "t", "y", "pair", "label"], given) == expected


def test_what_is_left_unsaid_is_inferred_while_a_role_is_due() -> None:
    assert classify(["s", "text", "label"], "s") == {"text": "s", "label": "label"}
    assert classify(["s", "label"], ("s",)) == {"text": "s", "label": "label"}
    assert classify(["text", "y", "z"], {"label": "y"}) == {"text": "text", "label": "y"}


def test_one_column_is_enough_for_a_language_task() -> None:
    assert language(["text", "pair"], ("text",)) == {"text": "text"}
    assert language(["story", "pair"], "story") == {"text": "story"}
    assert language(["a", "b"], ("a", None)) == {"text": "a"}
    assert language(["a", "b"], ("a", "b")) == {"text": "a", "pair": "b"}


def test_a_missing_column_names_the_nearest() -> None:
    with pytest.raises(DataError) as caught:
        classify(["text", "label"], {"text": "txt", "label": "label"})
    assert str(caught.value) == (
        "no column 'txt' (the text of text-classification). Did you mean 'text'? Columns: 'text', 'label'."
    )


def test_an_unknown_role_and_a_long_tuple_are_refused() -> None:
    with pytest.raises(UnknownName, match=r"column role of text-classification 'texts'. Did you mean 'text'"):
        classify(["a"], {"texts": "a"})
    with pytest.raises(ConfigError, match="at most 3 items for text-classification: text, pair, label"):
        classify(["a", "b", "c", "d"], ("a", "b", "c", "d"))
