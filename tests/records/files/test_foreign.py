"""Files as other tools write them: Label Studio, Prodigy, Argilla 1 and 2, spaCy."""

import json
import logging
from pathlib import Path

import pytest

from tunesmith.errors import DataError, RowError, UnknownName
from tunesmith.records import Text2TextRecord, TextClassificationRecord, TokenClassificationRecord
from tunesmith.records.files import read, write


def put(path: Path, value) -> Path:
    lines = "\n".join(map(json.dumps, value)) if path.suffix == ".jsonl" else json.dumps(value)
    path.write_text(lines, encoding="utf-8")
    return path


def result(kind, value, control="label", **more):
    return {
        "id": "x",
        "from_name": control,
        "to_name": "text",
        "type": kind,
        "value": value,
        "origin": "manual",
        **more,
    }


def task(place, text, *annotations, predictions=(), **more):
    return {
        "id": place,
        "annotations": list(annotations),
        "file_upload": "a.csv",
        "drafts": [],
        "predictions": list(predictions),
        "data": {"text": text, "source": "mail"},
        "meta": {},
        "inner_id": place,
        **more,
    }


def annotation(*results, **more):
    return {"id": 9, "completed_by": 3, "result": list(results), "was_cancelled": False, "ground_truth": False, **more}


def test_label_studio_choices_spans_and_texts(tmp_path):
    choices = put(
        tmp_path / "c.json",
        [
            task(4, "Great", annotation(result("choices", {"choices": ["pos"]}))),
            task(5, "Bad", annotation(was_cancelled=True)),
            task(
                6,
                "New",
                predictions=[
                    {"model_version": "m1", "score": 0.75, "result": [result("choices", {"choices": ["neg"]})]}
                ],
            ),
        ],
    )
    first, second, third = read(choices)
    assert (first.id, first.text, first.annotation, first.annotation_agent) == (4, "Great", "pos", "3")
    assert (first.status, first.metadata) == ("Validated", {"source": "mail"})
    assert (second.status, second.annotation) == ("Discarded", None)
    assert (third.prediction, third.prediction_agent, third.status) == ([("neg", 0.75)], "m1", "Default")

    spans = put(
        tmp_path / "s.json",
        [
            task(
                1,
                "Ada met Bob",
                annotation(result("labels", {"start": 8, "end": 11, "text": "Bob", "labels": ["PER"]})),
            )
        ],
    )
    (record,) = read(spans)
    assert isinstance(record, TokenClassificationRecord)
    assert record.annotation == [("PER", 8, 11)]

    texts = put(tmp_path / "t.json", [task(1, "Hallo", annotation(result("textarea", {"text": ["Hello"]}, "answer")))])
    (record,) = read(texts)
    assert (type(record), record.annotation) == (Text2TextRecord, "Hello")


def test_label_studio_with_several_choices_gives_lists_for_every_record(tmp_path):
    rows = [
        task(n, "t", annotation(result("choices", {"choices": list(found)}))) for n, found in enumerate(["a", "ab"])
    ]
    assert [record.annotation for record in read(put(tmp_path / "a.json", rows))] == [["a"], ["a", "b"]]


CONFIG = """<View><!-- two controls --><Text name="text" value="$text"/>
<Choices name="label" toName="text"><Choice value="pos"/><Choice value="Not good" alias="neg"/><Choice value="mixed"/>
</Choices><Labels name="spans" toName="text"><Label value="PER"/><Label value="LOC"/></Labels></View>"""


@pytest.mark.parametrize("place", [{"label_config": CONFIG}, {"project": {"id": 1, "label_config": CONFIG}}])
def test_label_studio_labels_have_the_order_of_the_project(tmp_path, place):
    rows = [
        {**task(n, "t", annotation(result("choices", {"choices": [name]}))), **place}
        for n, name in enumerate(["neg", "pos"])
    ]
    found = read(put(tmp_path / "a.json", rows))
    assert [record.annotation for record in found] == ["neg", "pos"]
    assert found.labels == ("pos", "neg", "mixed")
    span = result("labels", {"start": 0, "end": 1, "text": "t", "labels": ["LOC"]}, "spans")
    found = read(put(tmp_path / "b.json", [{**task(1, "t", annotation(span)), **place}]))
    assert [record.annotation for record in found] == [[("LOC", 0, 1)]]
    assert found.labels == ("PER", "LOC")


@pytest.mark.parametrize("config", ["<View>", f'<!DOCTYPE View [<!ENTITY b "c">]>{CONFIG}', "", None, 3, "<View/>"])
def test_a_label_studio_config_that_cannot_be_read_declares_no_order(tmp_path, config):
    rows = [{**task(1, "t", annotation(result("choices", {"choices": ["pos"]}))), "label_config": config}]
    found = read(put(tmp_path / "a.json", rows))
    assert ([record.annotation for record in found], found.labels) == (["pos"], ())


def test_label_studio_counts_what_it_does_not_take(tmp_path, caplog):
    choice = result("choices", {"choices": ["pos"]})
    rows = [task(1, "a", annotation(choice, result("rating", {"rating": 4}, "stars")), annotation(choice))]
    with caplog.at_level(logging.WARNING):
        assert [record.annotation for record in read(put(tmp_path / "a.json", rows))] == ["pos"]
    assert "not read: 1 further annotations of a task; 1 results of type 'rating' of other controls" in caplog.text


def test_label_studio_offsets_that_do_not_fit_the_text_are_told(tmp_path):
    rows = [
        task(1, "Ada met Bob", annotation(result("labels", {"start": 0, "end": 3, "text": "Bob", "labels": ["PER"]})))
    ]
    with pytest.raises(RowError, match="row 0, column 'annotations': marks 'Bob', but the text has 'Ada' there"):
        list(read(put(tmp_path / "a.json", rows)))


def test_label_studio_without_annotations_is_told_how_to_export(tmp_path):
    rows = [{"id": 1, "text": "a", "sentiment": "pos"}]
    with pytest.raises(DataError, match=r"no list of Label Studio tasks.*not as JSON_MIN"):
        list(read(put(tmp_path / "a.json", rows), format="label-studio"))


def test_prodigy_answers_become_statuses(tmp_path):
    hashes = {"_input_hash": 1, "_task_hash": 2, "_annotator_id": "ann", "_timestamp": 1_700_000_000}
    rows = [
        {"text": "a", "label": "POS", "answer": "accept", "meta": {"source": "web"}, **hashes},
        {"text": "b", "label": "POS", "answer": "reject", **hashes},
        {"text": "c", "label": "POS", "answer": "ignore", **hashes},
    ]
    first, second, third = read(put(tmp_path / "p.jsonl", rows))
    assert (first.annotation, first.status, first.metadata) == ("POS", "Validated", {"source": "web"})
    assert (first.annotation_agent, first.event_timestamp.isoformat()) == ("ann", "2023-11-14T22:13:20+00:00")
    assert [(one.status, one.metadata) for one in (second, third)] == [
        ("Discarded", {"answer": "reject"}),
        ("Discarded", {"answer": "ignore"}),
    ]


def test_prodigy_choices_and_spans(tmp_path):
    options = [{"id": name, "text": name.title()} for name in ("sport", "news")]
    base = {"text": "a", "options": options, "answer": "accept"}
    one = put(tmp_path / "1.jsonl", [{**base, "accept": ["news"], "config": {"choice_style": "single"}}])
    many = put(tmp_path / "2.jsonl", [{**base, "accept": ["news"], "config": {"choice_style": "multiple"}}])
    assert [record.annotation for record in (*read(one), *read(many))] == ["news", ["news"]]

    tokens = [
        {"text": word, "start": start, "end": start + 3, "id": place}
        for place, (word, start) in enumerate([("Ada", 0), ("met", 4), ("Bob", 8)])
    ]
    spans = [{"start": 0, "end": 3, "label": "PER", "token_start": 0, "token_end": 0}]
    row = {"text": "Ada met Bob", "tokens": tokens, "spans": spans, "answer": "accept", "_view_id": "ner_manual"}
    (record,) = read(put(tmp_path / "3.jsonl", [row]))
    assert (record.tokens, record.annotation) == (("Ada", "met", "Bob"), [("PER", 0, 3)])


def test_prodigy_with_an_unknown_answer_is_one_error_or_counted(tmp_path, caplog):
    path = put(
        tmp_path / "p.jsonl", [{"text": "a", "answer": "maybe"}, {"text": "b", "label": "x", "answer": "accept"}]
    )
    with pytest.raises(RowError, match="row 0, column 'answer': is 'maybe': expected accept, reject or ignore"):
        list(read(path, format="prodigy"))
    assert [record.text for record in read(path, format="prodigy", bad_rows="drop")] == ["b"]
    assert "not read: 1 rows whose 'answer' is" in caplog.text


ARGILLA2 = {
    "id": "r1",
    "status": "completed",
    "fields": {"text": "Ada met Bob"},
    "metadata": {"split": "train"},
    "suggestions": {"label": {"value": "pos", "score": 0.9, "agent": "m1"}},
    "responses": {
        "label": [{"value": "neg", "user_id": "u1"}, {"value": "pos", "user_id": "u2"}],
        "why": [{"value": "because", "user_id": "u1"}],
    },
    "vectors": {"mini": [0.5, 0.25]},
    "_server_id": "s1",
}


def argilla_folder(path, rows, *questions):
    (path / ".argilla").mkdir(parents=True)
    settings = {"questions": [{"name": name, "settings": kind} for name, kind in questions], "fields": []}
    put(path / ".argilla" / "settings.json", settings)
    put(path / "records.json", rows)
    return path


def test_an_argilla_2_folder_is_read(tmp_path, caplog):
    kinds = ("label", {"type": "label_selection"}), ("why", {"type": "text"})
    (record,) = read(argilla_folder(tmp_path / "a", [ARGILLA2], *kinds))
    assert (record.id, record.text, record.metadata) == ("r1", "Ada met Bob", {"split": "train"})
    assert (record.annotation, record.annotation_agent, record.status) == ("neg", "u1", "Validated")
    assert (record.prediction, record.prediction_agent) == ([("pos", 0.9)], "m1")
    assert record.vectors == {"mini": [0.5, 0.25]}
    assert "1 answers to the question 'why'; 1 further responses to a record" in caplog.text


def test_an_argilla_2_question_can_be_named(tmp_path):
    kinds = ("label", {"type": "label_selection"}), ("why", {"type": "text"})
    (record,) = read(argilla_folder(tmp_path / "a", [ARGILLA2], *kinds), columns={"target": "why"}, task="text2text")
    assert (type(record), record.annotation) == (Text2TextRecord, "because")
    with pytest.raises(DataError, match=r"no question 'whi'\. Questions: label, why"):
        list(read(tmp_path / "a", columns={"label": "whi"}))


def test_argilla_2_spans_and_discarded_responses(tmp_path):
    spans = [{"start": 0, "end": 3, "label": "PER"}]
    row = {"id": "a", "fields": {"text": "Ada met"}, "metadata": {}, "vectors": {}}
    answered = {
        **row,
        "responses": {"ner": [{"value": spans, "user_id": "u"}]},
        "suggestions": {"ner": {"value": spans, "score": [0.5], "agent": None}},
    }
    refused = {
        **row,
        "id": "b",
        "responses": {"ner": [{"value": None, "user_id": "u", "status": "discarded"}]},
        "suggestions": {},
    }
    both = [{"value": [], "user_id": "v", "status": "discarded"}, {"value": spans, "user_id": "u"}]
    third = {**row, "id": "c", "responses": {"ner": both}, "suggestions": {}}
    first, second, third = read(put(tmp_path / "records.json", [answered, refused, third]))
    assert (first.annotation, first.prediction) == ([("PER", 0, 3)], [("PER", 0, 3, 0.5)])
    assert (second.annotation, second.status) == (None, "Discarded")
    assert (third.annotation, third.annotation_agent, third.status) == ([("PER", 0, 3)], "u", "Validated")


def test_the_columns_of_argilla_2_data_sets_are_known(tmp_path):
    row = {
        "id": "r1",
        "status": "completed",
        "_server_id": "s",
        "text": "hello",
        "split": "test",
        "mini": [0.5, 1.5],
        "label.responses": ["pos"],
        "label.responses.users": ["u1"],
        "label.responses.status": ["submitted"],
        "label.suggestion": "neg",
        "label.suggestion.score": 0.25,
        "label.suggestion.agent": "m",
    }
    (record,) = read(put(tmp_path / "a.jsonl", [row]))
    assert (record.id, record.text, record.annotation, record.prediction) == ("r1", "hello", "pos", [("neg", 0.25)])
    assert (record.metadata, record.vectors) == ({"split": "test"}, {"mini": [0.5, 1.5]})


def test_records_go_to_argilla_2_and_back(tmp_path, caplog):
    records = [
        TextClassificationRecord(text="a", annotation="x", prediction=[("y", 0.5)], metadata={"n": 1}, id="1"),
        TextClassificationRecord(text="b", id="2", vectors={"v": [1.0]}),
        TextClassificationRecord(text="c", id="3", status="Discarded"),
        TextClassificationRecord(text="d", id="4", status="Discarded", annotation="x"),
    ]
    assert write(records, tmp_path / "out", format="argilla") == 4
    assert "not written: 4 event times" in caplog.text
    settings = json.loads((tmp_path / "out" / ".argilla" / "settings.json").read_text())
    assert [option["value"] for option in settings["questions"][0]["settings"]["options"]] == ["x", "y"]
    back = list(read(tmp_path / "out"))
    for field in ("id", "text", "annotation", "prediction", "metadata", "status", "vectors"):
        assert [getattr(one, field) for one in back] == [getattr(one, field) for one in records], field


@pytest.mark.parametrize(
    "record",
    [
        TextClassificationRecord(text="a", annotation="x", prediction=[("x", 0.5)], metadata={"a": [1]}),
        TextClassificationRecord(inputs={"a": "1", "b": "2"}, annotation=["x", "y"], multi_label=True),
        TokenClassificationRecord(text="Ada met", annotation=[("PER", 0, 3)], prediction=[("PER", 0, 3, 0.5)]),
        Text2TextRecord("a", prediction=[("b", 0.5)], annotation="c"),
    ],
)
def test_records_go_to_argilla_1_and_back(tmp_path, record):
    write([record], tmp_path / "a.jsonl", format="argilla1")
    (row,) = map(json.loads, (tmp_path / "a.jsonl").read_text().splitlines())
    assert list(row) == list(record.FIELDS)
    assert record.prediction is None or isinstance(row["prediction"][0], dict)
    assert list(read(tmp_path / "a.jsonl")) == [record]


def test_a_docbin_made_by_spacy_is_read(tmp_path):
    spacy = pytest.importorskip("spacy", reason="spaCy is not installed")
    nlp = spacy.blank("en")
    doc = nlp("Ada  met Bob.")
    doc.set_ents([doc.char_span(9, 12, label="PER")])
    spacy.tokens.DocBin(docs=[doc, nlp("Nobody")]).to_disk(tmp_path / "ner.spacy")
    first, second = read(tmp_path / "ner.spacy")
    assert (first.text, first.annotation) == ("Ada  met Bob.", [("PER", 9, 12)])
    assert first.tokens == ("Ada", "met", "Bob", ".")
    assert second.annotation is None
    texts = [nlp("good"), nlp("bad")]
    for doc, score in zip(texts, (1.0, 0.0), strict=True):
        doc.cats = {"pos": score, "neg": 1.0 - score}
    spacy.tokens.DocBin(docs=texts).to_disk(tmp_path / "cats.spacy")
    assert [record.annotation for record in read(tmp_path / "cats.spacy")] == ["pos", "neg"]


def test_overlapping_spans_stand_in_a_docbin_too(tmp_path):
    spacy = pytest.importorskip("spacy", reason="spaCy is not installed")
    record = TokenClassificationRecord(text="New York City", annotation=[("LOC", 0, 8), ("LOC", 0, 13)])
    write([record], tmp_path / "a.spacy")
    (doc,) = spacy.tokens.DocBin().from_disk(tmp_path / "a.spacy").get_docs(spacy.blank("en").vocab)
    assert [(span.text, span.label_) for span in doc.spans["sc"]] == [("New York", "LOC"), ("New York City", "LOC")]
    assert list(read(tmp_path / "a.spacy")) == [record]


def test_a_file_that_is_no_docbin_is_one_error(tmp_path):
    pytest.importorskip("spacy", reason="spaCy is not installed")
    (tmp_path / "a.spacy").write_bytes(b"not")
    with pytest.raises(DataError, match=r"a\.spacy cannot be read as a DocBin"):
        list(read(tmp_path / "a.spacy"))


def test_text_to_text_has_no_docbin(tmp_path):
    pytest.importorskip("spacy", reason="spaCy is not installed")
    with pytest.raises(DataError, match="not text to be written: choose another format"):
        write([Text2TextRecord("a", annotation="b")], tmp_path / "a.spacy")
    assert not list(tmp_path.iterdir())


def test_an_unknown_format_names_the_nearest(tmp_path):
    with pytest.raises(UnknownName, match=r"unknown format 'prodgy'\. Did you mean 'prodigy'\?"):
        list(read(tmp_path / "a.jsonl", format="prodgy"))
    with pytest.raises(UnknownName, match="Known: csv, tsv, parquet"):
        write([Text2TextRecord("a")], tmp_path / "a", format="xlsx")


def test_tokens_of_white_space_come_back_from_a_docbin(tmp_path):
    pytest.importorskip("spacy", reason="spaCy is not installed")
    records = [
        TokenClassificationRecord(text="0  ", tokens=["0", " "], id=1),
        TokenClassificationRecord(text="a \x1c", tokens=["a", "\x1c"], id=2, prediction=[("X", 2, 3, 0.5)]),
        TokenClassificationRecord(text="b  c", tokens=["b", "c"], id=3, annotation=[("Y", 0, 1)]),
    ]
    write(records, tmp_path / "a.spacy")
    assert list(read(tmp_path / "a.spacy", task="TokenClassification")) == records


def test_the_order_of_labels_that_the_data_declares_is_told(tmp_path):
    from datasets import ClassLabel, Dataset, Features, Sequence, Value

    label = Features({"text": Value("string"), "label": ClassLabel(names=["neg", "pos", "mixed"])})
    tags = Sequence(ClassLabel(names=["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]))
    tagged = Features({"tokens": Sequence(Value("string")), "ner_tags": tags})
    Dataset.from_dict({"text": ["a"], "label": [1]}, features=label).to_parquet(str(tmp_path / "a.parquet"))
    Dataset.from_dict({"tokens": [["a"]], "ner_tags": [[3]]}, features=tagged).save_to_disk(str(tmp_path / "t"))
    (tmp_path / "o").mkdir()
    options = [{"value": "z"}, {"value": "a"}]
    question = {"name": "q", "settings": {"type": "label_selection", "options": options}}
    (tmp_path / "o" / ".argilla").mkdir()
    (tmp_path / "o" / ".argilla" / "settings.json").write_text(json.dumps({"questions": [question]}))
    answers = {"q": [{"value": "a", "user_id": None, "status": "submitted"}]}
    row = {"id": "1", "fields": {"text": "x"}, "responses": answers}
    (tmp_path / "o" / "records.json").write_text(json.dumps([row]))
    task = {"text": "x", "options": [{"id": "Y"}, {"id": "B"}], "accept": ["B"], "answer": "accept"}
    (tmp_path / "p.jsonl").write_text(json.dumps(task) + "\n" + json.dumps(task))
    wanted = {
        "a.parquet": ("neg", "pos", "mixed"),
        "t": ("PER", "LOC"),
        "o": ("z", "a"),
        "p.jsonl": ("Y", "B"),
    }
    for name, labels in wanted.items():
        found = read(tmp_path / name)
        next(found)
        assert found.labels == labels, name
    (tmp_path / "p.jsonl").write_text(json.dumps(task) + "\n" + json.dumps({**task, "options": [{"id": "B"}]}))
    found = read(tmp_path / "p.jsonl")
    assert (len(list(found)), found.labels) == (2, ())
