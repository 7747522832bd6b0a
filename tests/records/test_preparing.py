"""Records to training data: which are used, which labels, which part; the same for every framework."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Sequence
from typing import Any

import pytest
from datasets import DatasetDict

from real_rows import banking77, conll2003, multi30k
from tunesmith.config import Settings
from tunesmith.errors import ConfigError, DataError, NothingToTrain, RowError, UnknownName, UnsupportedTask
from tunesmith.records.choosing import text_of
from tunesmith.records.datasets import DATASETS, DatasetForTextClassification
from tunesmith.records.preparing import TASKS, choose, prepare
from tunesmith.records.settings import TextClassificationSettings, TokenClassificationSettings
from tunesmith.records.types import Text2TextRecord, TextClassificationRecord, TokenClassificationRecord
from tunesmith.registry import frameworks, tasks
from tunesmith.tasks.parts import read_data

CLASSES, SPANS, TARGETS = "TextClassification", "TokenClassification", "Text2Text"
HF = ["transformers", "peft", "setfit", "span_marker", "autotrain"]
ALL = [*HF, "spacy", "spacy-transformers", "spark-nlp", "openai"]
MATRIX = {
    "transformers": {CLASSES, SPANS, TARGETS},
    "peft": {CLASSES, SPANS, TARGETS},
    "setfit": {CLASSES},
    "span_marker": {SPANS},
    "autotrain": {CLASSES, SPANS},
    "spacy": {CLASSES, SPANS},
    "spacy-transformers": {CLASSES, SPANS},
    "spark-nlp": {CLASSES, SPANS, TARGETS},
    "openai": {CLASSES, SPANS, TARGETS},
}
SENTIMENT = TextClassificationSettings(["pos", "neg", "zero"])
ENTITIES = TokenClassificationSettings(["PER", "LOC", "ORG", "MISC"])


def text(id: str | int, label: Any, **more: Any) -> TextClassificationRecord:
    return TextClassificationRecord(f"text {id}", annotation=label, id=id, **more)


def texts(count: int) -> list[TextClassificationRecord]:
    return [text(i, "neg" if i % 3 else "pos") for i in range(count)]


def lang(framework: str) -> str | None:
    if framework.startswith("spacy"):
        pytest.importorskip("spacy")
        return "en"
    return None


def prepared(records: Sequence[Any], task: str, framework: str, settings: Any = None, **more: Any) -> Any:
    return DATASETS[task](records).prepare_for_training(framework, settings, lang(framework), **more)


def ids_of(part: Any) -> list[str]:
    """The record ids of what any framework gives."""
    if hasattr(part, "get_docs"):
        import spacy

        return [doc.user_data["id"] for doc in part.get_docs(spacy.blank("en").vocab)]
    return list(part.ids) if hasattr(part, "ids") else list(part["id"])


def parts_of(made: Any) -> tuple[list[str], list[str]]:
    train, test = (made["train"], made["test"]) if isinstance(made, DatasetDict) else made
    return ids_of(train), ids_of(test)


def label_ids(made: Any, framework: str) -> dict[str, int]:
    """Label -> id, as each framework has it."""
    if framework in HF:
        column = next(iter({"label", "target"} & set(made.column_names)))
        return {name: place for place, name in enumerate(made.features[column].names)}
    if framework == "openai":
        return {"pos": int(made[0]["completion"]), "neg": int(made[1]["completion"]), "zero": 2}
    import spacy

    doc = next(iter(made.get_docs(spacy.blank("en").vocab)))
    return {name: place for place, name in enumerate(doc.cats)}


@pytest.mark.parametrize("framework", sorted({*MATRIX} - {"span_marker", "spark-nlp"}))
def test_label_ids_are_equal_in_every_framework_and_those_of_the_settings(framework: str) -> None:
    options = {"format": "prompt"} if framework == "openai" else {}
    made = prepared(texts(6), CLASSES, framework, SENTIMENT, **options)
    assert label_ids(made, framework) == {"pos": 0, "neg": 1, "zero": 2}


@pytest.mark.parametrize("framework", sorted({*ALL} - {"span_marker"}))
def test_what_is_left_out_and_the_order_of_the_rest_are_the_same_for_every_framework(framework: str) -> None:
    records = [
        text("b", "pos"),
        text("gone", "pos", status="Discarded"),
        text("none", None),
        text(7, "neg"),
        text("007", "neg", status="Default"),
        text("a", "pos", status="Edited"),
    ]
    assert ids_of(prepared(records, CLASSES, framework, SENTIMENT)) == ["b", "7", "007", "a"]
    with_discarded = prepared(records, CLASSES, framework, SENTIMENT, include_discarded=True)
    assert ids_of(with_discarded) == ["b", "gone", "7", "007", "a"]


def test_what_is_left_out_is_said_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    records = [*texts(10), text("d", "pos", status="Discarded"), text("n", None), text("m", None)]
    with caplog.at_level(logging.INFO, "tunesmith"):
        prepared(records, CLASSES, "transformers", SENTIMENT, train_size=0.5, test_size=0.3, seed=1)
    (line,) = caplog.messages
    assert line == (
        "transformers: 5 to train and 3 to test; 1 left out: discarded; 2 left out: not annotated; "
        "2 left out: in neither part"
    )
    assert caplog.records[0].levelno == logging.WARNING


def test_nothing_left_tells_why() -> None:
    with pytest.raises(NothingToTrain) as caught:
        prepared([text(1, None), text(2, "pos", status="Discarded"), text(3, None)], CLASSES, "transformers")
    told = "the data set has no usable row (2 left out: not annotated; 1 left out: discarded)."
    assert str(caught.value) == told
    assert isinstance(caught.value, ValueError)
    with pytest.raises(NothingToTrain, match="the data set has no usable row: it is empty"):
        prepared([], CLASSES, "transformers")


@pytest.mark.parametrize("framework", ALL)
def test_parts_are_disjoint_exact_and_the_same_for_every_framework(framework: str) -> None:
    task = SPANS if framework == "span_marker" else CLASSES
    records: list[Any] = [*texts(10), *(text(f"n{i}", None) for i in range(10))]
    if task == SPANS:
        records = [TokenClassificationRecord("Bo x", annotation=[("PER", 0, 2)], id=i) for i in range(10)]
    settings = ENTITIES if task == SPANS else SENTIMENT
    train, test = parts_of(prepared(records, task, framework, settings, train_size=0.7, seed=0))
    assert (len(train), len(test)) == (7, 3), "of the annotated records, whatever stands beside them"
    assert sorted(train + test) == [str(i) for i in range(10)]
    again = parts_of(prepared(records, task, framework, settings, test_size=0.3, seed=0))
    assert (train, test) == again, "seed=0 is a seed"
    assert (train, test) == parts_of(prepared(records, task, "transformers", settings, train_size=0.7, seed=0))
    assert test != parts_of(prepared(records, task, framework, settings, train_size=0.7, seed=1))[1]


def test_a_split_is_stratified_where_asked() -> None:
    records = [text(i, "pos" if i % 10 == 0 else "neg") for i in range(50)]
    made = prepared(records, CLASSES, "transformers", SENTIMENT, test_size=0.2, stratify=True)
    assert [made["test"]["label"].count(0), made["train"]["label"].count(0)] == [1, 4]


@pytest.mark.parametrize(("task", "record"), [
    (CLASSES, TextClassificationRecord("a b", annotation="pos")),
    (SPANS, TokenClassificationRecord("a b", annotation=[("PER", 0, 1)])),
    (TARGETS, Text2TextRecord("a b", annotation="c")),
])  # fmt: skip
@pytest.mark.parametrize("framework", ALL)
def test_the_support_matrix(framework: str, task: str, record: Any) -> None:
    settings = {CLASSES: SENTIMENT, SPANS: ENTITIES}.get(task)
    if task in MATRIX[framework]:
        made = prepared([record], task, framework, settings)
        assert ids_of(made) == [record.id]
        return
    with pytest.raises(UnsupportedTask) as caught:
        prepared([record], task, framework, settings)
    assert f"{frameworks.resolve(framework)} cannot prepare" in str(caught.value)
    assert "Frameworks that can: transformers" in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_an_unknown_framework_names_the_known_ones() -> None:
    with pytest.raises(UnknownName, match=r"unknown framework 'mock'.* Known: transformers, .*setfit"):
        prepare([], CLASSES, "mock")


@pytest.mark.parametrize(
    ("task", "settings", "wanted"),
    [
        (CLASSES, ENTITIES, "TextClassificationSettings or None"),
        (SPANS, SENTIMENT, "TokenClassificationSettings or None"),
        (CLASSES, ["pos"], "TextClassificationSettings or None"),
        (TARGETS, SENTIMENT, "None: Text2Text has no labels"),
    ],
)
def test_settings_of_the_wrong_class_are_an_error(task: str, settings: Any, wanted: str) -> None:
    with pytest.raises(ConfigError) as caught:
        prepare([], task, "transformers", settings)
    assert f"expected {wanted}" in str(caught.value)


def test_a_label_outside_the_settings_names_the_record_and_the_label() -> None:
    with pytest.raises(RowError) as caught:
        prepared([text("x", "pos"), text("r7", "good")], CLASSES, "openai", SENTIMENT)
    assert str(caught.value) == "row r7, column 'annotation': label 'good' is not in the settings: pos, neg, zero"
    record = TokenClassificationRecord("Bo", annotation=[("GPE", 0, 2)], id="r8")
    with pytest.raises(RowError, match="row r8, column 'annotation': label 'GPE' is not in the settings: PER"):
        prepared([record], SPANS, "spark-nlp", ENTITIES)


def test_without_settings_the_annotated_labels_are_taken_sorted_and_it_is_said() -> None:
    records = [text(1, "b"), text(2, "a"), text(3, "c", status="Discarded")]
    with pytest.warns(UserWarning, match=r"label ids are the places of the 2 annotated labels, sorted") as caught:
        made = prepared(records, CLASSES, "transformers")
    assert caught[0].filename == __file__
    assert made.features["label"].names == ["a", "b"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prepared(records, CLASSES, "transformers", TextClassificationSettings(["b", "a", "c"]))


def test_an_annotation_without_labels_is_an_annotation() -> None:
    made = prepared([TokenClassificationRecord("Bo", annotation=[])], SPANS, "transformers", ENTITIES)
    assert made["ner_tags"] == [[0]]
    empty = TextClassificationRecord("x", annotation=[], multi_label=True)
    assert prepared([empty], CLASSES, "setfit", SENTIMENT)["binarized_label"] == [[0, 0, 0]]


def test_several_labels_have_the_full_width_in_the_order_of_the_settings() -> None:
    records = [
        TextClassificationRecord("x", annotation=["neg", "pos"], multi_label=True),
        TextClassificationRecord("y", annotation=["neg"], multi_label=True),
    ]
    made = prepared(records, CLASSES, "transformers", SENTIMENT)
    assert made["label"] == [[0, 1], [1]]
    assert made["binarized_label"] == [[1, 1, 0], [0, 1, 0]]
    assert list(prepared(records, CLASSES, "spark_nlp", SENTIMENT)["labels"]) == [["pos", "neg"], ["neg"]]


def test_one_label_and_several_are_not_mixed() -> None:
    records = [text("one", "pos"), TextClassificationRecord("x", annotation=["pos"], multi_label=True, id="many")]
    with pytest.raises(DataError, match=r"1 of 2 records have multi_label=True \(as 'many'\).*\(as 'one'\)"):
        prepared(records, CLASSES, "transformers", SENTIMENT)


@pytest.mark.parametrize("framework", ["transformers", "setfit", "autotrain", "spark-nlp"])
def test_inputs_give_one_text_by_one_template_and_a_column_each(framework: str) -> None:
    inputs = {"title": "Rain", "body": ["It", "pours."]}
    records = [TextClassificationRecord(inputs=inputs, annotation="neg", id=1), text(2, "pos")]
    made = prepared(records, CLASSES, framework, SENTIMENT)
    assert list(made["text"]) == ["title: Rain\nbody: It pours.", "text 2"]
    assert list(made["title"]) == ["Rain", None]
    assert list(made["body"]) == ["It pours.", None]


def test_inputs_give_the_same_text_in_chats_and_docs() -> None:
    record = TextClassificationRecord(inputs={"title": "Rain", "body": ["It", "pours."]}, annotation="neg")
    (row,) = prepared([record], CLASSES, "openai", SENTIMENT)
    assert row["messages"][0]["content"] == "title: Rain\nbody: It pours."
    spacy = pytest.importorskip("spacy")
    (doc,) = prepared([record], CLASSES, "spacy", SENTIMENT).get_docs(spacy.blank("en").vocab)
    assert doc.text == "title: Rain\nbody: It pours."


def test_one_input_is_the_text_whatever_its_name() -> None:
    assert text_of({"header": "x"}) == "x"
    assert text_of({"header": ["x", "y"]}) == "x y"
    assert prepared(
        [TextClassificationRecord(inputs={"header": "x"}, annotation="pos")], CLASSES, "transformers", SENTIMENT
    ).column_names == ["id", "text", "label"]


def overlapping() -> list[TokenClassificationRecord]:
    crossing = [("LOC", 3, 11), ("LOC", 7, 16)]
    return [
        *(TokenClassificationRecord("Bo", annotation=[("PER", 0, 2)], id=f"r{i}") for i in range(8)),
        TokenClassificationRecord("in New York City", annotation=crossing, id="over"),
        TokenClassificationRecord("Bo met Alfred", ["Bo", "met", "Al", "fred"], annotation=[("PER", 7, 9)], id="cut"),
    ]


@pytest.mark.parametrize(
    ("framework", "bad"),
    [("transformers", ["over"]), ("span_marker", ["over"]), ("spark-nlp", ["over"]), ("spacy", ["over", "cut"])],
)
def test_spans_that_do_not_fit_are_named_by_record_or_skipped_with_a_count_before_the_split(
    framework: str, bad: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(DataError) as caught:
        prepared(overlapping(), SPANS, framework, ENTITIES)
    assert all(f"'{row}': " in str(caught.value) for row in bad)
    made = prepared(overlapping(), SPANS, framework, ENTITIES, train_size=0.5, seed=0, misaligned="skip")
    train, test = parts_of(made)
    left = 10 - len(bad)
    assert (len(train), len(test)) in ((left // 2, left - left // 2), (left - left // 2, left // 2))
    assert not set(bad) & {*train, *test}
    (line,) = caplog.messages
    assert "1 left out: overlapping spans" in line
    assert ("1 left out: spans that do not align with the tokens" in line) == ("cut" in bad)


def test_an_answer_that_is_written_holds_overlapping_spans() -> None:
    rows = prepared(overlapping(), SPANS, "openai", ENTITIES)
    assert json.loads(rows[8]["messages"][1]["content"]) == [
        {"label": "LOC", "text": "New York"},
        {"label": "LOC", "text": "York City"},
    ]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"misaligned": "ignore"}, "setting 'misaligned' is 'ignore': expected 'error' or 'skip'"),
        ({"train_size": 2}, "setting 'train_size' is 2: expected a share of the records"),
        ({"test_size": 0}, "setting 'test_size' is 0: expected a share of the records"),
        ({"seed": -1}, "setting 'seed' is -1"),
    ],
)
def test_settings_that_cannot_be_used_are_errors_before_the_records_are_read(options: Any, told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        prepare([], CLASSES, "transformers", **options)
    assert told in str(caught.value)


def test_the_call_of_the_studied_library_is_understood() -> None:
    dataset = DatasetForTextClassification(texts(10))
    whole = dataset.prepare_for_training("transformers", SENTIMENT, None, 1, None, 5)
    assert ids_of(whole) == [str(i) for i in range(10)]
    train, test = parts_of(dataset.prepare_for_training("openai", SENTIMENT, None, 0.8, 0.2, 5))
    assert (len(train), len(test)) == (8, 2)
    assert ids_of(dataset.prepare_for_training(settings=SENTIMENT)) == ids_of(whole)


def test_texts_to_be_written_have_no_classes_to_stratify_by() -> None:
    with pytest.raises(ConfigError, match="setting 'stratify' is True: expected False"):
        prepare([Text2TextRecord("a", annotation="b")], TARGETS, "transformers", train_size=0.5, stratify=True)


def test_spacy_without_a_language_says_what_to_pass() -> None:
    with pytest.raises(ConfigError, match="setting 'lang' is None: expected a spaCy Language, or the code"):
        prepare(texts(3), CLASSES, "spacy", SENTIMENT)


def test_records_are_not_changed() -> None:
    records = overlapping()[:8]
    before = [record.to_dict() for record in records]
    for framework in sorted(set(ALL) - {"setfit"}):
        prepared(records, SPANS, framework, ENTITIES)
    assert [record.to_dict() for record in records] == before


def test_equal_records_give_equal_fingerprints_and_inputs_count() -> None:
    def made(**more: Any) -> str:
        record = TextClassificationRecord(annotation="pos", id=1, **more)
        from tunesmith.records.parts import Parts

        return choose([record], CLASSES, SENTIMENT).divided(Parts())["train"].fingerprint

    assert made(text="a: 1\nb: 2") == made(text="a: 1\nb: 2")
    assert made(text="a: 1\nb: 2") != made(inputs={"a": "1", "b": "2"})


def test_banking77_is_prepared_for_every_framework_row_by_row() -> None:
    rows = banking77(120)
    records = [TextClassificationRecord(t, annotation=label, id=f"b{i}") for i, (t, label) in enumerate(rows)]
    settings = TextClassificationSettings(sorted({label for _, label in rows}, reverse=True))
    names = settings.label_schema
    for framework in ("transformers", "peft", "setfit", "autotrain"):
        made = prepared(records, CLASSES, framework, settings)
        column = "target" if framework == "autotrain" else "label"
        assert [(row["text"], names[row[column]]) for row in made] == rows
    frame = prepared(records, CLASSES, "spark-nlp", settings)
    assert list(zip(frame["text"], frame["label"], strict=True)) == rows
    chats = prepared(records, CLASSES, "openai", settings)
    assert [tuple(turn["content"] for turn in row["messages"]) for row in chats] == rows
    spacy = pytest.importorskip("spacy")
    docs = prepared(records, CLASSES, "spacy", settings).get_docs(spacy.blank("en").vocab)
    assert [(doc.text, max(doc.cats, key=doc.cats.__getitem__)) for doc in docs] == rows


def test_conll2003_is_prepared_for_every_framework_row_by_row() -> None:
    rows = conll2003(100)
    records = [TokenClassificationRecord(tokens=words, tags=tags, id=i) for i, (words, tags) in enumerate(rows)]
    names = ["O", *(f"{prefix}-{label}" for label in ENTITIES.label_schema for prefix in "BI")]
    for framework, column in (("transformers", "ner_tags"), ("span_marker", "ner_tags"), ("autotrain", "tags")):
        made = prepared(records, SPANS, framework, ENTITIES)
        assert [(row["tokens"], [names[place] for place in row[column]]) for row in made] == rows
    frame = prepared(records, SPANS, "spark-nlp", ENTITIES)
    assert list(zip(frame["token"], frame["label"], strict=True)) == rows
    for record, row in zip(records, prepared(records, SPANS, "openai", ENTITIES), strict=True):
        said = [(one["label"], one["text"]) for one in json.loads(row["messages"][1]["content"])]
        assert said == [(label, record.text[start:end]) for label, start, end in record.annotation or []]
    spacy = pytest.importorskip("spacy")
    made = prepared(records, SPANS, "spacy", ENTITIES, misaligned="skip")
    kept = {doc.user_data["id"]: doc for doc in made.get_docs(spacy.blank("en").vocab)}
    assert len(kept) > 95
    for record in records:
        if doc := kept.get(record.key):
            assert [(e.label_, e.start_char, e.end_char) for e in doc.ents] == record.annotation


def test_multi30k_is_prepared_for_every_framework_row_by_row() -> None:
    rows = multi30k(100)
    records = [Text2TextRecord(one, annotation=other, id=i) for i, (one, other) in enumerate(rows)]
    for framework in ("transformers", "peft", "spark-nlp"):
        made = prepared(records, TARGETS, framework)
        assert list(zip(made["text"], made["target"], strict=True)) == rows
    chats = prepared(records, TARGETS, "openai")
    assert [tuple(turn["content"] for turn in row["messages"]) for row in chats] == rows


@pytest.mark.parametrize(
    ("task", "records", "settings", "names"),
    [
        (CLASSES, texts(6), SENTIMENT, ("pos", "neg", "zero")),
        (
            CLASSES,
            [TextClassificationRecord(t, annotation=[t], multi_label=True) for t in ("pos", "neg", "zero")],
            SENTIMENT,
            ("pos", "neg", "zero"),
        ),
        (
            SPANS,
            [TokenClassificationRecord("Bo x", annotation=[("PER", 0, 2)], id=i) for i in range(3)],
            TokenClassificationSettings(["ORG", "PER"]),
            ("O", "B-ORG", "I-ORG", "B-PER", "I-PER"),
        ),
        (TARGETS, [Text2TextRecord("a b", annotation="c", id=i) for i in range(3)], None, None),
    ],
)
def test_what_is_prepared_is_read_for_training_with_the_same_label_ids(
    task: str, records: list[Any], settings: Any, names: tuple[str, ...] | None
) -> None:
    made = prepared(records, task, "transformers", settings)
    read = read_data(tasks.get(TASKS[task]), made, None, None, Settings())["train"]
    assert [example.text for example in read] == [record.text for record in records]
    assert (None if read.labels is None else read.labels.names) == names
