"""The three types of records: what they take, what they refuse, and that nothing changes on the way round."""

from __future__ import annotations

import copy
import json
import pickle
import timeit
from datetime import date, datetime, timedelta, timezone
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pytest

from tunesmith.errors import DataError, RowError, UnknownField
from tunesmith.records import (
    Text2TextRecord,
    TextClassificationRecord,
    TokenAttributions,
    TokenClassificationRecord,
)
from tunesmith.records.types import TYPES, Record

WHEN = datetime(2024, 5, 17, 9, 30)


def classified(**fields: Any) -> TextClassificationRecord:
    return TextClassificationRecord(**{"text": "Good film", "id": "r", **fields})


def tagged(**fields: Any) -> TokenClassificationRecord:
    return TokenClassificationRecord(**{"text": "I like New York", "tokens": "I like New York".split(), **fields})


def refused(make: Any, *arguments: Any, **fields: Any) -> str:
    with pytest.raises(RowError) as caught:
        make(*arguments, **fields)
    return str(caught.value)


EVERY: list[Record] = [
    TextClassificationRecord("Good film"),
    TextClassificationRecord(
        inputs={"title": "Good", "body": ["a", "b"]},
        prediction=[("pos", 0.75), ("neg", 0.25)],
        prediction_agent="model",
        annotation=["pos", "long"],
        annotation_agent="ann",
        vectors={"mini": [0.5, -1.0]},
        multi_label=True,
        explanation={"title": [TokenAttributions("Good", {"pos": 0.5, "neg": -0.25})]},
        id=7,
        metadata={"split": "train", "n": 3, "deep": {"list": [1, 2.5, None, True]}},
        status="Edited",
        event_timestamp=WHEN,
        metrics={"chars": 4},
        search_keywords=["good"],
    ),
    TokenClassificationRecord(
        text="I like New York",
        tokens=["I", "like", "New", "York"],
        prediction=[("LOC", 7, 15, 0.9967)],
        annotation=[("LOC", 7, 15), ("WORD", 7, 10)],
        event_timestamp=datetime(2024, 5, 17, tzinfo=timezone(timedelta(hours=2))),
    ),
    Text2TextRecord(text="Bonjour", prediction=["Hello", ("Hi", 0.5)], annotation="Hello", status="Discarded"),
]


# Both ways


@pytest.mark.parametrize("record", EVERY, ids=lambda record: record.task)
def test_a_record_comes_back_from_its_json(record: Record) -> None:
    values = json.loads(json.dumps(record.to_dict()))
    for again in (type(record).from_dict(values), type(record).trusted(values), TYPES[record.task].from_dict(values)):
        assert again == record
        assert again.to_dict() == record.to_dict()
        assert list(again.to_dict()) == [name for name in record.FIELDS if name in values]


@pytest.mark.parametrize("record", EVERY, ids=lambda record: record.task)
def test_a_record_is_copied_and_crosses_a_process(record: Record) -> None:
    deep = copy.deepcopy(record)
    assert deep == copy.copy(record) == pickle.loads(pickle.dumps(record)) == record
    deep.metadata["new"] = 1
    assert "new" not in record.metadata


def test_a_dict_of_a_record_is_a_copy() -> None:
    record = classified(metadata={"deep": {"list": [1]}})
    record.to_dict()["metadata"]["deep"]["list"].append(2)
    assert record.metadata == {"deep": {"list": [1]}}


def test_the_callers_mapping_is_not_the_records() -> None:
    given = {"deep": {"list": [1]}}
    record = classified(metadata=given)
    given["deep"]["list"].append(2)
    assert record.metadata == {"deep": {"list": [1]}}


def test_the_dict_says_inputs_only_where_text_does_not() -> None:
    assert "inputs" not in TextClassificationRecord("a").to_dict()
    both = TextClassificationRecord("a", {"text": "a", "title": "b"})
    assert both.to_dict()["inputs"] == {"text": "a", "title": "b"}
    assert TextClassificationRecord.trusted(TextClassificationRecord("a").to_dict()).inputs == {"text": "a"}


def test_records_differ_by_any_field_and_by_type() -> None:
    one = classified(event_timestamp=WHEN)
    assert one == classified(event_timestamp=WHEN)
    assert one != classified(event_timestamp=WHEN, metadata={"a": 1})
    assert one != classified(event_timestamp=WHEN, status="Edited")
    assert one != Text2TextRecord("Good film", id="r", event_timestamp=WHEN)
    with pytest.raises(TypeError, match="unhashable"):
        hash(one)


def test_a_repr_is_one_short_line() -> None:
    record = classified(text="word " * 1000, annotation="pos")
    assert repr(record).startswith("TextClassificationRecord(id='r', text='word word")
    assert repr(record).endswith("annotation='pos', status='Validated')")
    assert len(repr(record)) < 200
    assert "inputs={'title': 'a'}" in repr(TextClassificationRecord(inputs={"title": "a"}))


def test_fields_have_the_order_of_columns() -> None:
    assert (
        *("text", "inputs", "prediction", "prediction_agent", "annotation", "annotation_agent", "vectors"),
        *("multi_label", "explanation", "id", "metadata", "status", "event_timestamp", "metrics", "search_keywords"),
    ) == TextClassificationRecord.FIELDS
    assert list(TYPES) == ["TextClassification", "TokenClassification", "Text2Text"]


# id, status, time


@pytest.mark.parametrize("given", ["007", "1", 7, -1, 2**63 - 1, "ä"])
def test_an_id_stays_what_it_was(given: Any) -> None:
    record = classified(id=given)
    assert record.id == given
    assert type(record.id) is type(given)
    assert record.key == str(given)
    assert type(TextClassificationRecord.from_dict(json.loads(json.dumps(record.to_dict()))).id) is type(given)


def test_an_id_is_made_up_where_none_is_given() -> None:
    first, second = TextClassificationRecord("a"), TextClassificationRecord("a", id=None)
    assert isinstance(first.id, str)
    assert str(UUID(first.id)) == first.id
    assert first.id != second.id
    assert classified(id=np.int64(5)).id == 5
    assert type(classified(id=np.int64(5)).id) is int
    assert classified(id=UUID(int=1)).id == "00000000-0000-0000-0000-000000000001"


@pytest.mark.parametrize("given", [1.0, True, np.bool_(True), ["a"], b"a"])
def test_an_id_of_another_type_is_refused(given: Any) -> None:
    message = refused(classified, id=given)
    assert f"column 'id': is {given!r}" in message
    assert "expected text or a whole number" in message


def test_an_empty_or_endless_id_is_refused() -> None:
    assert "column 'id': is empty" in refused(classified, id="")
    assert "beyond 64 bits: write it as text" in refused(classified, id=2**63)


@pytest.mark.parametrize("status", ["Default", "Edited", "Discarded", "Validated"])
def test_the_four_statuses_are_taken(status: str) -> None:
    assert classified(status=status, annotation="a").status == status


def test_another_status_is_refused() -> None:
    message = refused(classified, status="Foo")
    assert message == ("row r, column 'status': is 'Foo': expected Default, Edited, Discarded or Validated")
    assert "did you mean 'Validated'?" in refused(classified, status="validated")
    record = classified()
    with pytest.raises(RowError, match="expected Default"):
        record.status = "Done"
    assert record.status == "Default"


def test_an_annotation_makes_a_record_validated() -> None:
    assert classified().status == "Default"
    assert classified(annotation="pos").status == "Validated"
    assert tagged(tags=["O", "O", "B-LOC", "I-LOC"]).status == "Validated"
    assert tagged(annotation=[]).status == "Validated"


def test_an_annotation_assigned_later_validates_a_default_record_only() -> None:
    record = classified()
    record.annotation = "pos"
    assert (record.annotation, record.status) == ("pos", "Validated")
    for status in ("Discarded", "Edited"):
        other = classified(status=status)
        other.annotation = "pos"
        assert other.status == status
    missing = classified()
    missing.annotation = float("nan")
    assert (missing.annotation, missing.status) == (None, "Default")


def test_times_stay_as_given() -> None:
    zoned = datetime(2024, 5, 17, 9, 30, tzinfo=timezone(timedelta(hours=2)))
    assert classified(event_timestamp=WHEN).event_timestamp == WHEN
    assert classified(event_timestamp=zoned).event_timestamp.utcoffset() == timedelta(hours=2)
    assert classified(event_timestamp="2024-05-17T09:30:00").event_timestamp == WHEN
    assert classified(event_timestamp=date(2024, 5, 17)).event_timestamp == datetime(2024, 5, 17)
    assert classified(event_timestamp=np.datetime64("2024-05-17T09:30")).event_timestamp == WHEN
    stamp = classified(event_timestamp=pd.Timestamp(WHEN)).event_timestamp
    assert (type(stamp), stamp) == (datetime, WHEN)
    assert classified(event_timestamp=zoned).to_dict()["event_timestamp"] == "2024-05-17T09:30:00+02:00"


@pytest.mark.parametrize("missing", [None, pd.NaT])
def test_a_missing_time_is_now(missing: Any) -> None:
    before = datetime.now()
    assert before <= classified(event_timestamp=missing).event_timestamp <= datetime.now()


def test_a_time_that_is_none_is_refused() -> None:
    assert "is 'yesterday': expected a time as 2024-05-17T09:30:00" in refused(classified, event_timestamp="yesterday")
    assert "of type int: expected a datetime" in refused(classified, event_timestamp=3)


# what every record has


def test_an_unknown_keyword_names_the_nearest() -> None:
    with pytest.raises(TypeError, match=r"no field 'anotation'\. Did you mean 'annotation'") as caught:
        TextClassificationRecord(text="a", anotation="pos")
    assert isinstance(caught.value, UnknownField)
    assert isinstance(caught.value, ValueError)
    with pytest.raises(UnknownField, match="Text2TextRecord has no field 'multi_label'"):
        Text2TextRecord(text="a", multi_label=True)


def test_an_unknown_field_cannot_be_assigned() -> None:
    record = classified()
    with pytest.raises(AttributeError, match="no field 'anotation': did you mean 'annotation'"):
        record.anotation = "pos"  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="assign None to `annotation`"):
        del record.annotation


def test_what_a_record_is_about_is_fixed() -> None:
    for record, names in ((classified(), ("text", "inputs")), (tagged(), ("text", "tokens"))):
        for name in names:
            with pytest.raises(AttributeError, match=f"You cannot assign a new value to `{name}`"):
                setattr(record, name, "other")


def test_metadata_is_kept_in_json_values() -> None:
    given = {
        "when": WHEN,
        "day": date(2024, 5, 17),
        "pair": (1, 2),
        "some": {"b", "a"},
        "array": np.array([[1, 2]]),
        "float32": np.float32(0.5),
        "nan": float("nan"),
        "nat": pd.NaT,
        "path": PurePosixPath("a/b"),
        3: "number",
    }
    assert classified(metadata=given).metadata == {
        "when": "2024-05-17T09:30:00",
        "day": "2024-05-17",
        "pair": [1, 2],
        "some": ["a", "b"],
        "array": [[1, 2]],
        "float32": 0.5,
        "nan": None,
        "nat": None,
        "path": "a/b",
        "3": "number",
    }
    assert classified(metadata=None).metadata == classified().metadata == {}


def test_metadata_that_json_cannot_say_is_refused() -> None:
    deep: Any = []
    for _ in range(500):
        deep = [deep]
    for value, reason in [
        (float("inf"), "holds inf, which JSON cannot say"),
        (10**30, "a number beyond 64 bits: write it as text"),
        (object, "of type type: expected text, numbers"),
        (deep, "is nested deeper than 100 levels"),
        ({1: "a", "1": "b"}, "two keys that are the same as text"),
        ("\ud800", "has half a character, '\\ud800', at 0"),
    ]:
        assert reason in refused(classified, metadata={"a": value})
    assert "expected a mapping from names to values" in refused(classified, metadata=["a"])
    assert "has the key (1,), of type tuple: expected text" in refused(classified, metadata={(1,): 2})


def test_half_a_character_is_refused_with_its_place() -> None:
    assert "row r, column 'text': has half a character, '\\ud83d', at 2" in refused(classified, text="ab\ud83d")


def test_vectors_are_lists_of_finite_numbers() -> None:
    record = classified(vectors={"a": np.array([0.5, 1.0], dtype=np.float32), "b": (1, 2)})
    assert record.vectors == {"a": [0.5, 1.0], "b": [1.0, 2.0]}
    assert all(type(number) is float for values in record.vectors.values() for number in values)
    for value, reason in [
        ([], "expected a list of numbers, at least one"),
        ("12", "expected a list of numbers"),
        ([1.0, "2"], "holds '2', of type str: expected numbers"),
        ([True, False], "holds True, of type bool"),
        ([1.0, float("nan")], "not finite"),
    ]:
        assert reason in refused(classified, vectors={"mini": value})


def test_explanations_are_token_attributions() -> None:
    attributions = TokenAttributions(token="Good", attributions={"pos": 0.5})
    given = {"text": [attributions, {"token": "film", "attributions": {"pos": -1}}]}
    record = classified(explanation=given)
    assert record.explanation == {"text": [attributions, TokenAttributions("film", {"pos": -1.0})]}
    assert "expected TokenAttributions(token=" in refused(classified, explanation={"text": [("Good", 0.5)]})
    assert "has the attribution 'much' for 'pos'" in refused(
        classified, explanation={"text": [{"token": "a", "attributions": {"pos": "much"}}]}
    )


# classification


def test_text_and_inputs_say_the_same() -> None:
    assert TextClassificationRecord("a").inputs == {"text": "a"}
    assert TextClassificationRecord(inputs={"text": "a"}).text == "a"
    assert TextClassificationRecord(inputs="a").text == "a"
    assert TextClassificationRecord(inputs=["a", "b"]).inputs == {"text": ["a", "b"]}
    assert TextClassificationRecord(inputs=["a", "b"]).text is None
    assert TextClassificationRecord(inputs={"title": "a"}).text is None
    assert TextClassificationRecord(text="a", inputs={"text": "a", "title": "b"}).text == "a"
    assert TextClassificationRecord("").text == ""


def test_text_or_inputs_is_needed() -> None:
    assert "needs 'text' or 'inputs'" in refused(TextClassificationRecord, id="r")
    message = refused(TextClassificationRecord, text="a", inputs={"text": "b"}, id="r")
    assert message.startswith("row r, column 'inputs': says 'b' for 'text', but text is 'a': ")
    assert "says None for 'text'" in refused(TextClassificationRecord, text="a", inputs={"title": "b"})
    assert "column 'inputs': 'text' is of type NoneType" in refused(TextClassificationRecord, inputs={"text": None})
    assert "'body' is of type int, 3: expected text" in refused(TextClassificationRecord, inputs={"body": 3})
    assert "expected at least one input" in refused(TextClassificationRecord, inputs={})
    assert "column 'text': is of type int, 3: expected text" in refused(TextClassificationRecord, text=3)


def test_one_label_and_a_list_are_never_confused() -> None:
    assert classified(annotation="pos").annotation == "pos"
    assert classified(annotation=["pos"], multi_label=True).annotation == ["pos"]
    assert classified(annotation=[], multi_label=True).annotation == []
    assert refused(classified, annotation="pos", multi_label=True) == (
        "row r, column 'annotation': is one label, 'pos', but multi_label is True: write annotation=['pos']"
    )
    assert refused(classified, annotation=["a", "b"]) == (
        "row r, column 'annotation': is a list, ['a', 'b'], but multi_label is False: write multi_label=True"
    )
    assert refused(classified, annotation=["a"]).endswith("write multi_label=True, or annotation='a'")
    record = classified(annotation="pos")
    with pytest.raises(RowError, match="set the annotation to None first"):
        record.multi_label = True
    record.annotation = None
    record.multi_label = True
    record.annotation = ["pos"]
    assert record.annotation == ["pos"]


@pytest.mark.parametrize("missing", [None, float("nan"), np.float32("nan"), pd.NaT, pd.NA])
def test_a_missing_value_is_no_label(missing: Any) -> None:
    record = classified(annotation=missing, prediction=missing, prediction_agent=missing, vectors=missing)
    assert (record.annotation, record.prediction, record.prediction_agent, record.vectors) == (None, None, None, None)
    assert record.status == "Default"
    assert classified(annotation=missing, multi_label=True).annotation is None


def test_a_missing_label_within_a_list_is_refused() -> None:
    assert "label that is missing (NaN)" in refused(classified, annotation=["a", float("nan")], multi_label=True)
    assert "expected a name" in refused(classified, annotation=["a", None], multi_label=True)
    assert "empty name" in refused(classified, annotation="")


def test_labels_that_are_numbers_become_names() -> None:
    assert classified(annotation=3).annotation == "3"
    assert classified(annotation=3.0).annotation == "3"
    assert classified(annotation=np.int64(3)).annotation == "3"
    assert classified(annotation=True).annotation == classified(annotation=np.bool_(True)).annotation == "True"
    assert classified(prediction=[(3, 0.5)]).prediction == [("3", 0.5)]
    assert classified(annotation=" pos ").annotation == " pos "


def test_predictions_keep_their_order_and_scores_lie_between_0_and_1() -> None:
    record = classified(prediction=[("a", 0.1), ("b", np.float32(0.5)), ["c", 1]])
    assert record.prediction == [("a", 0.1), ("b", 0.5), ("c", 1.0)]
    assert all(type(part) is tuple and type(part[1]) is float for part in record.prediction)
    assert classified(prediction=[("a", np.float32(1.0000001))]).prediction == [("a", 1.0)]
    for score in (1.01, -0.2, float("nan"), float("inf")):
        assert refused(classified, prediction=[("a", score)]) == (
            f"row r, column 'prediction': has the score {score!r}: expected 0 to 1 (for logits, take the softmax first)"
        )
    for odd in (None, "0.5", True):
        assert "expected a number from 0 to 1" in refused(classified, prediction=[("a", odd)])
    assert "holds ('a',): expected (label, score)" in refused(classified, prediction=[("a",)])
    assert "expected a list of (label, score)" in refused(classified, prediction="pos")
    with pytest.raises(RowError, match="expected 0 to 1"):
        record.prediction = [("a", 2.0)]
    assert record.prediction[0] == ("a", 0.1)


# text to text


def test_predicted_texts_without_a_score_are_certain() -> None:
    record = Text2TextRecord("a", prediction=["b", ("c", 0.5)], annotation="")
    assert record.prediction == [("b", 1.0), ("c", 0.5)]
    assert record.annotation == ""
    record.text = "new"
    assert record.text == "new"


def test_a_text_to_text_record_needs_text() -> None:
    assert "column 'text': is missing: expected text" in refused(Text2TextRecord, id="r")
    assert "expected text" in refused(Text2TextRecord, text="a", annotation=["b"])
    assert "column 'text'" in refused(Text2TextRecord, text=float("nan"))


# speed


def seconds(make: Any) -> float:
    return min(timeit.repeat(make, number=500, repeat=5)) / 500


def test_a_record_is_quick_to_make() -> None:
    """A store gives tens of thousands a second back; the bounds are three times what one slow core takes."""
    text = " ".join(f"word{place}" for place in range(30))
    fields: dict[str, Any] = {"text": text, "annotation": "pos", "prediction": [("pos", 0.9), ("neg", 0.1)]}
    values = TextClassificationRecord(**fields, metadata={"split": "train"}).to_dict()
    assert seconds(lambda: TextClassificationRecord(**fields, metadata={"split": "train"})) < 45e-6
    assert seconds(lambda: TextClassificationRecord.trusted(values)) < 15e-6


def test_errors_are_value_errors_of_the_tree() -> None:
    with pytest.raises(DataError):
        TextClassificationRecord()
    with pytest.raises(ValueError, match="needs 'text'"):
        TextClassificationRecord()
