from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from itertools import islice
from typing import Any

import datasets
import pytest

from tunesmith.data.dataset import Dataset
from tunesmith.errors import ConfigError, DataError, NothingToTrain, RowError
from tunesmith.tasks import reading
from tunesmith.tasks.base import Account, Example, Prediction, Span
from tunesmith.tasks.reading import (
    by_role,
    check_pairs,
    collect,
    fingerprint,
    is_blank,
    optional_text,
    text_cell,
    walk,
)


def table(texts: list[Any], name: str = "train") -> Dataset:
    return Dataset(datasets.Dataset.from_dict({"text": texts}), name)


def read(row: int | str, values: Mapping[str, Any]) -> Example | str:
    text = text_cell(values["text"], row, "text")
    return "said to skip" if text == "skip" else Example(row, text)


def test_text_is_taken_as_it_stands() -> None:
    assert text_cell("", 0, "text") == ""
    assert text_cell(" a\n", 0, "text") == " a\n"
    assert optional_text(None, 0, "text") is None


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        (None, "row 4, column 'body': is empty: expected text"),
        (float("nan"), "row 4, column 'body': is empty: expected text"),
        (5, "row 4, column 'body': is not text: found int 5, expected a string"),
        (["a", "b"], "row 4, column 'body': is not text: found list ['a', 'b'], expected a string"),
    ],
)
def test_a_cell_that_is_no_text_is_named_with_row_column_and_type(cell: Any, told: str) -> None:
    with pytest.raises(RowError) as caught:
        text_cell(cell, 4, "body")
    assert str(caught.value) == told


def test_a_bad_row_stops_with_the_name_of_its_data_set() -> None:
    with pytest.raises(RowError) as caught:
        collect(table(["a", None, "b"], "reviews.csv"), read)
    assert str(caught.value) == "reviews.csv: row 1, column 'text': is empty: expected text"


def test_dropped_rows_are_counted_under_their_reason_and_ids_stay() -> None:
    found = collect(table(["a", None, "skip", "b", None]), read, bad_rows="drop")
    assert [(e.id, e.text) for e in found] == [(0, "a"), (3, "b")]
    assert found.account.left_out == {"column 'text' is empty": [1, 4], "said to skip": [2]}
    assert (found.account.total, found.account.kept) == (5, 2)


def test_no_usable_row_tells_why() -> None:
    with pytest.raises(NothingToTrain) as caught:
        collect(table([None, "skip", None]), read, bad_rows="drop")
    told = "2 left out: column 'text' is empty; 1 left out: said to skip"
    assert str(caught.value) == f"the data set 'train' has no usable row ({told})."
    with pytest.raises(NothingToTrain) as caught:
        collect(table([]), read)
    assert str(caught.value).endswith("has no usable row: it is empty.")


def test_an_unknown_way_with_bad_rows_is_an_error() -> None:
    with pytest.raises(ConfigError) as caught:
        collect(table(["a"]), read, bad_rows="ignore")
    assert "'bad_rows' is 'ignore': expected 'error' or 'drop'" in str(caught.value)


def test_a_stream_is_read_row_by_row() -> None:
    def endless() -> Any:
        while True:
            yield {"text": "a"}
            yield {"text": None}

    account = Account()
    examples = walk(enumerate(endless()), read, account=account, bad_rows="drop")
    assert [e.id for e in islice(examples, 3)] == [0, 2, 4]
    assert account.total == 5


def test_equal_content_has_one_fingerprint_whatever_the_ids() -> None:
    first = collect(table(["a", "b"]), read)
    dropped = collect(table([None, "a", "b"]), read, bad_rows="drop")
    assert first.fingerprint == dropped.fingerprint == fingerprint([Example("x", "a"), Example("y", "b")])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([Example(0, "a"), Example(1, "b")], [Example(0, "b"), Example(1, "a")]),
        ([Example(0, "a\nb")], [Example(0, "a"), Example(1, "b")]),
        ([Example(0, "a", pair="b")], [Example(0, "a", target="b")]),
        ([Example(0, "a", target="b")], [Example(0, "a", target="c")]),
        ([Example(0, "a", pair="b")], [Example(0, "a", pair="c")]),
        ([Example(0, "a b", tokens=("a b",))], [Example(0, "a b", tokens=("a", "b"))]),
        ([Example(0, "a", tags=("O",))], [Example(0, "a", tags=("X",))]),
        ([Example(0, "a", answers=(("a", 0),))], [Example(0, "a", answers=(("a", 1),))]),
        ([Example(0, "a", label="b")], [Example(0, "a", label=("b",))]),
        ([Example(0, "a", label="1")], [Example(0, "a", label=1.0)]),
        ([Example(0, "a", spans=(Span("X", 0, 1),))], [Example(0, "a", spans=())]),
        ([Example(0, "a", answers=())], [Example(0, "a")]),
        ([Example(0, "\ud800")], [Example(0, "?")]),
        ([Example(0, "a: b", fields=(("a", "b"),))], [Example(0, "a: b")]),
        ([Example(0, "a: b", fields=(("a", "b"),))], [Example(0, "a: b", fields=(("b", "a"),))]),
    ],
)
def test_other_content_or_order_has_another_fingerprint(one: list[Example], other: list[Example]) -> None:
    assert fingerprint(one) != fingerprint(other)


def test_an_example_without_fields_keeps_the_fingerprint_that_it_had_before_there_were_any() -> None:
    line = json.dumps(["a", None, "b", None, None, [["X", 0, 1]], None, None], separators=(",", ":")) + "\n"
    example = Example(0, "a", label="b", spans=(Span("X", 0, 1),))
    assert fingerprint([example]) == hashlib.sha256(line.encode()).hexdigest()


def test_examples_beyond_memory_are_read_again_and_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [None if i % 7 == 3 else "skip" if i % 7 == 5 else f"text {i}" for i in range(50)]
    data = table(texts).select(range(49, -1, -1))  # ids run backwards
    held = collect(data, read, bad_rows="drop")
    monkeypatch.setattr(reading, "IN_MEMORY", 100)
    reread = collect(data, read, bad_rows="drop")
    assert isinstance(held.items, list)
    assert not isinstance(reread.items, list)
    assert list(reread) == list(held)
    assert [reread[i] for i in range(len(reread))] == list(held)
    assert (reread[-1], reread[2:9:3]) == (held[-1], held[2:9:3])
    assert (reread.fingerprint, reread.account) == (held.fingerprint, held.account)


def test_inputs_go_by_role() -> None:
    hints = {"text": ("text", "sentence"), "pair": ("text_pair",)}
    values = ["a", ("a", "b"), ["a"], {"Sentence": 1, "sentence": "a", "text_pair": "b", "label": "x"}, {"text": "a"}]
    assert list(by_role(values, hints)) == [
        (0, {"text": "a"}),
        (1, {"text": "a", "pair": "b"}),
        (2, {"text": "a"}),
        (3, {"text": "a", "pair": "b"}),
        (4, {"text": "a"}),
    ]


def test_inputs_of_the_wrong_form_are_errors() -> None:
    with pytest.raises(DataError) as caught:
        list(by_role("one text", {"text": ()}))
    assert str(caught.value) == "expected a list of inputs, found one str: put it in a list."
    with pytest.raises(RowError) as caught:
        list(by_role([("a", "b", "c")], {"text": (), "pair": ()}))
    assert "has too many parts: 3, at most (text, pair)" in str(caught.value)


def test_predictions_go_with_examples_one_by_one() -> None:
    check_pairs([Example(0)], [Prediction()])
    with pytest.raises(DataError) as caught:
        check_pairs([Example(0)], [])
    assert str(caught.value) == "1 examples but 0 predictions: expected one each."


def test_a_cell_without_a_label_is_blank() -> None:
    blank = [None, float("nan"), "", -1, -1.0, [], [-1, -1], {"text": [], "answer_start": []}]
    assert [is_blank(cell) for cell in blank] == [True] * len(blank)
    labelled = [0, False, True, "no", "-", [0, 0], [-1, 2], {"text": ["Anna"], "answer_start": [3]}]
    assert [is_blank(cell) for cell in labelled] == [False] * len(labelled)
