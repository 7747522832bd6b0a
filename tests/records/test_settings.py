"""Label schemas: the order of the settings is the order of label ids."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from tunesmith.errors import DataError
from tunesmith.records import (
    Text2TextRecord,
    TextClassificationRecord,
    TextClassificationSettings,
    TokenClassificationRecord,
    TokenClassificationSettings,
)

BOTH = [TextClassificationSettings, TokenClassificationSettings]


@pytest.mark.parametrize("kind", BOTH)
def test_labels_keep_their_order_and_come_once(kind: Any) -> None:
    settings = kind(["pos", "neg", "pos", "zero"])
    assert settings.label_schema == ("pos", "neg", "zero")
    assert settings.label2id == {"pos": 0, "neg": 1, "zero": 2}
    assert settings.id2label == {0: "pos", 1: "neg", 2: "zero"}
    assert repr(settings) == f"{kind.__name__}(['pos', 'neg', 'zero'])"


@pytest.mark.parametrize("kind", BOTH)
def test_settings_come_back_from_the_form_of_the_wire(kind: Any) -> None:
    settings = kind(("b", "a"))
    wire = {"label_schema": {"labels": [{"name": "b"}, {"name": "a"}]}}
    assert settings.to_dict() == wire
    assert kind.from_dict(wire) == settings == pickle.loads(pickle.dumps(settings))
    assert kind.from_dict({"label_schema": ["b", "a"]}) == settings
    assert kind(("a", "b")) != settings


def test_settings_of_two_tasks_differ() -> None:
    assert TextClassificationSettings(["a"]) != TokenClassificationSettings(["a"])
    assert len({TextClassificationSettings(["a"]), TextClassificationSettings(["a"])}) == 1


def test_a_set_has_no_order_so_it_is_sorted() -> None:
    assert TextClassificationSettings({"b", "a", "c"}).label_schema == ("a", "b", "c")
    assert TextClassificationSettings([1, 0]).label_schema == ("1", "0")  # type: ignore[list-item]


@pytest.mark.parametrize("wrong", ["pos", None, 3, {"a": 1}])
def test_what_is_no_list_is_refused(wrong: Any) -> None:
    with pytest.raises(DataError, match=r"label_schema is .*: expected a list of label names"):
        TextClassificationSettings(wrong)


def test_a_label_that_is_none_is_refused() -> None:
    with pytest.raises(DataError, match="label_schema holds None, of type NoneType: expected a name"):
        TextClassificationSettings(["a", None])  # type: ignore[list-item]
    with pytest.raises(DataError, match=r"settings \{'labels': "):
        TextClassificationSettings.from_dict({"labels": ["a"]})


def test_settings_do_not_change() -> None:
    with pytest.raises(AttributeError, match="make new ones with TextClassificationSettings"):
        TextClassificationSettings(["a"]).label_schema = ("b",)


def test_labels_are_inferred_sorted_from_annotations() -> None:
    records = [
        TextClassificationRecord("a", annotation=["b", "a"], multi_label=True),
        TextClassificationRecord("a", annotation=[], multi_label=True),
        TextClassificationRecord("a", prediction=[("z", 1.0)]),
        TextClassificationRecord("a", annotation="c"),
    ]
    assert TextClassificationSettings.infer(records).label_schema == ("a", "b", "c")
    spans = [TokenClassificationRecord("x y", annotation=[("PER", 0, 1), ("LOC", 2, 3), ("PER", 2, 3)])]
    assert TokenClassificationSettings.infer(spans).label_schema == ("LOC", "PER")
    with pytest.raises(DataError, match="no record has a label"):
        TextClassificationSettings.infer([records[2], Text2TextRecord("a", annotation="b")])
