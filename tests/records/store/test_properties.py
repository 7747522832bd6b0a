"""Records of any text come back as they were, and the full text knows exactly what is there."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fuzz import examples
from tunesmith.records.query.words import words
from tunesmith.records.store.store import Store
from tunesmith.records.types import Record, Text2TextRecord, TextClassificationRecord

counter = itertools.count()

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
name = text.filter(bool)
key = name.filter(lambda each: "\0" not in each)
score = st.floats(0, 1)
json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=5,
)
shared: dict[str, Any] = {
    "prediction_agent": st.none() | name,
    "annotation_agent": st.none() | name,
    "id": st.none() | st.integers(-(2**63), 2**63 - 1) | key,
    "metadata": st.dictionaries(text, json, max_size=3),
    "status": st.none() | st.sampled_from(["Default", "Edited", "Discarded", "Validated"]),
    "event_timestamp": st.none() | st.datetimes(),
    "vectors": st.none() | st.dictionaries(key, st.lists(st.floats(-1e300, 1e300), min_size=2, max_size=2), max_size=2),
}
classified = st.builds(
    TextClassificationRecord,
    inputs=st.dictionaries(name, text | st.lists(text, max_size=2), min_size=1, max_size=3),
    multi_label=st.just(True),
    annotation=st.none() | st.lists(name, max_size=3, unique=True),
    prediction=st.none() | st.lists(st.tuples(name, score), max_size=3, unique_by=lambda pair: pair[0]),
    **shared,
)
written = st.builds(
    Text2TextRecord,
    text,
    annotation=st.none() | text,
    prediction=st.none() | st.lists(st.tuples(text, score), max_size=2),
    **shared,
)


def unique(records: list[Record]) -> list[Record]:
    return list({record.key: record for record in records}.values())


@examples(60)
@given(records=st.lists(classified, min_size=1, max_size=4) | st.lists(written, min_size=1, max_size=4))
def test_any_record_comes_back_equal_and_is_found_by_its_words_and_labels(store: Store, records: list[Record]) -> None:
    dataset = f"d{next(counter)}"
    held = unique(records)
    store.log(held, dataset, "w", batch=2)
    assert store.load(dataset, "w") == held
    for record in held:
        assert store.load(dataset, "w", ids=[record.id]) == [record]
        for label in record.annotation if isinstance(record.annotation, list) else []:
            escaped = label.replace("\\", "\\\\").replace('"', '\\"')
            assert record in store.load(dataset, "w", query=f'annotated_as:"{escaped}"')
    said = held[0].text or next(iter(getattr(held[0], "inputs", {"": ""}).values()))
    if isinstance(said, str) and words(said):
        assert held[0] in store.load(dataset, "w", query=" ".join(words(said)))


step = st.one_of(
    st.tuples(st.just("log"), st.integers(0, 5), st.sampled_from(["fox", "dog", "fox dog", ""]), st.sampled_from("xy")),
    st.tuples(st.just("delete"), st.integers(0, 5)),
    st.tuples(st.just("discard"), st.integers(0, 5)),
    st.tuples(st.just("copy")),
)


@examples(40)
@given(steps=st.lists(step, max_size=12))
def test_after_any_changes_the_full_text_is_that_of_the_records(store: Store, steps: list[tuple[Any, ...]]) -> None:
    dataset = f"s{next(counter)}"
    store.create(dataset, "w", "TextClassification")
    model: dict[int, tuple[str, str, str]] = {}
    for kind, *rest in steps:
        if kind == "log":
            number, said, label = rest
            store.log(TextClassificationRecord(said, id=number, annotation=label), dataset, "w")
            model[number] = (said, label, "Validated")
        elif kind == "copy":
            store.copy(dataset, "w", f"{dataset}c")
            store.delete(dataset, "w")
            dataset += "c"
        elif rest[0] in model and kind == "discard":
            store.delete_records(dataset, "w", ids=rest, discard_only=True)
            model[rest[0]] = (*model[rest[0]][:2], "Discarded")
        elif kind == "delete":
            store.delete_records(dataset, "w", ids=rest)
            model.pop(rest[0], None)
    for query, wanted in {
        "fox": lambda said, label, status: "fox" in said,
        "dog AND status:Validated": lambda said, label, status: "dog" in said and status == "Validated",
        "annotated_as:x NOT fox": lambda said, label, status: label == "x" and "fox" not in said,
        "status:Discarded": lambda said, label, status: status == "Discarded",
        "text:*": lambda said, label, status: bool(said),
    }.items():
        found = [record.id for record in store.load(dataset, "w", query=query)]
        assert found == [number for number, held in model.items() if wanted(*held)], query
    if store._database.sqlite:
        with store._database.writing() as connection:
            connection.exec_driver_sql("INSERT INTO records_fts (records_fts, rank) VALUES ('integrity-check', 1)")
