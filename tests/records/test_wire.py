"""The JSON of Argilla 1.x: there and back for any record that it can say."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz import examples
from tunesmith.errors import DataError, RowError
from tunesmith.records.record import Record
from tunesmith.records.types import Text2TextRecord, TextClassificationRecord, TokenClassificationRecord
from tunesmith.records.wire import from_wire, to_wire

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
SCORE = st.floats(0, 1)
AGENT = st.text("abc", min_size=1, max_size=64)


@st.composite
def classified(draw: Any) -> Record:
    several = draw(st.booleans())
    label = st.lists(TEXT, max_size=3) if several else TEXT
    annotation = draw(st.none() | label)
    prediction = draw(st.none() | st.lists(st.tuples(TEXT, SCORE), max_size=3))
    return TextClassificationRecord(
        inputs=draw(st.dictionaries(TEXT, TEXT | st.lists(TEXT, max_size=2), min_size=1, max_size=3)),
        prediction=prediction,
        prediction_agent=None if prediction is None else draw(AGENT),
        annotation=annotation,
        annotation_agent=None if annotation is None else draw(AGENT),
        multi_label=several,
        vectors=draw(st.none() | st.just({"v": [0.1, -2.0]})),
        id=draw(TEXT | st.integers(-(2**63), 2**63 - 1)),
        metadata=draw(st.dictionaries(TEXT, TEXT | st.integers(-5, 5) | st.booleans() | st.none(), max_size=2)),
        status=draw(st.none() | st.sampled_from(["Default", "Edited", "Discarded", "Validated"])),
    )


@examples(80)
@given(record=classified())
def test_any_record_comes_back_as_it_was(record: Record) -> None:
    sent = orjson.loads(orjson.dumps(to_wire(record)))
    assert from_wire(record.task, sent) == record


@pytest.mark.parametrize(
    "record",
    [
        TokenClassificationRecord(
            text="Ada met Bob", tokens=["Ada", "met", "Bob"], prediction=[("P", 0, 3, 0.5)], prediction_agent="m"
        ),
        TokenClassificationRecord(tokens=["a", "b"], annotation=[("P", 0, 3)], annotation_agent="ada"),
        TokenClassificationRecord(tokens=["a"], annotation=[]),
        Text2TextRecord(text="danke", prediction=[("thanks", 0.5)], prediction_agent="m"),
        Text2TextRecord(text="danke", annotation="", annotation_agent="ada"),
    ],
)
def test_tagged_and_written_records_come_back_as_they_were(record: Record) -> None:
    assert from_wire(record.task, orjson.loads(orjson.dumps(to_wire(record)))) == record


def test_the_form_is_that_of_the_protocol() -> None:
    record = TextClassificationRecord(
        text="x", id="007", prediction=[("a", 0.5)], annotation="b", annotation_agent="m" * 70, vectors={"v": [1]}
    )
    sent = to_wire(record)
    assert sent["id"] == "007"
    assert sent["inputs"] == {"text": "x"}
    assert sent["prediction"] == {"agent": "", "labels": [{"class": "a", "score": 0.5}]}
    assert sent["annotation"] == {"agent": "m" * 64, "labels": [{"class": "b", "score": 1.0}]}  # its client takes 64
    assert sent["vectors"] == {"v": {"value": [1.0]}}
    assert sent["status"] == "Validated"
    assert to_wire(record, vectors=False)["vectors"] == {}


def test_a_number_for_a_label_is_its_name_and_numeric_ids_stay_what_they_are() -> None:
    given = {"inputs": {"text": "x"}, "annotation": {"agent": "m", "labels": [{"class": 3}]}}
    assert from_wire("TextClassification", given | {"id": "7"}).annotation == "3"
    assert from_wire("TextClassification", given | {"id": "7"}).id == "7"
    assert from_wire("TextClassification", given | {"id": 7}).id == 7


@pytest.mark.parametrize(
    ("task", "more", "told"),
    [
        ("TextClassification", {"annotation": []}, '{"agent": …, "labels": […]}'),
        ("TextClassification", {"annotation": {"labels": [{}]}}, '"class" and "score" in each'),
        ("TextClassification", {"annotation": {"labels": [{"class": "a"}] * 2}}, "expected one label, or multi_label"),
        ("TextClassification", {"prediction": {"labels": [{"class": "a", "score": 2}]}}, "0 to 1"),
        ("TextClassification", {"vectors": {"v": [1]}}, '{"name": {"value": […]}}'),
        ("TextClassification", {"text": "x"}, "is no field of a TextClassification record"),
        ("TokenClassification", {"annotation": {"entities": [{"label": "P", "start": 1}]}}, '"label", "start", "end"'),
        ("TokenClassification", {"annotation": {"entities": [{"label": "P", "start": 1, "end": 2}]}}, "annotation"),
        ("Text2Text", {"annotation": {"sentences": []}}, "expected one text"),
    ],
)
def test_what_has_another_form_is_an_error_of_that_record_and_field(task: str, more: dict[str, Any], told: str) -> None:
    own: dict[str, Any] = {
        "TextClassification": {"inputs": {"text": "x"}},
        "TokenClassification": {"text": "abc d", "tokens": ["abc", "d"]},
        "Text2Text": {"text": "x"},
    }[task]
    with pytest.raises(RowError) as caught:
        from_wire(task, {"id": "r1"} | own | more)
    assert caught.value.row == "r1"
    assert told in str(caught.value)
    with pytest.raises(DataError, match="expected an object"):
        from_wire(task, ["x"])
