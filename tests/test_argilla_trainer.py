"""The trainer as a user of Argilla writes it, with the import changed; each defect of the original has a test."""

from __future__ import annotations

import itertools
import json
import logging
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

import small_tasks
import tiny
import tunesmith.argilla as rg
from real_rows import conll2003
from tunesmith import Prediction
from tunesmith.argilla import ArgillaTrainer
from tunesmith.data import sources
from tunesmith.errors import (
    ArtifactError,
    ConfigError,
    DataError,
    FrameworkError,
    NothingToTrain,
    RowError,
    TunesmithError,
    UnknownName,
    UnknownSetting,
    UnsupportedTask,
)
from tunesmith.records import session
from tunesmith.records.store.store import Store


@pytest.fixture(autouse=True)
def store(tmp_path: Path) -> Any:
    session.init(database=tmp_path / "records.db")
    yield
    session.close()


def messages(count: int = 120, **more: Any) -> list[Any]:
    """Messages that are spam or ham, ids of their own."""
    rows = (small_tasks.classes()[0] + small_tasks.classes()[1])[:count]
    return [
        rg.TextClassificationRecord(row["text"], annotation=row["label"], id=f"{at:03}", **more)
        for at, row in enumerate(rows)
    ]


def marked(count: int = 120) -> list[Any]:
    """Messages with several labels each."""
    rows = small_tasks.several()[0][:count]
    return [
        rg.TextClassificationRecord(row["text"], annotation=row["label"], multi_label=True, id=at)
        for at, row in enumerate(rows)
    ]


def sentences() -> list[Any]:
    train, held = small_tasks.tagged()
    return [
        rg.TokenClassificationRecord(tokens=row["tokens"], tags=row["tags"], id=at)
        for at, row in enumerate(train + held)
    ]


@pytest.fixture
def spam() -> str:
    rg.log(messages(), "spam", verbose=False)
    rg.configure_dataset_settings("spam", rg.TextClassificationSettings(["spam", "ham", "never"]))
    return "spam"


@pytest.fixture
def people() -> str:
    rg.log(sentences(), "people", verbose=False)
    return "people"


@pytest.fixture(scope="module")
def bert(tmp_path_factory: Any) -> str:
    return tiny.bert(tmp_path_factory.mktemp("base"), [row["text"] for row in small_tasks.classes()[0]])


def held_rows(trainer: Any, split: str = "test") -> list[Any]:
    return trainer.get_trainer().folder.read_json("run.lock")["data"][split]["rows"]


TEXTS = ["Free entry! Call now to claim your prize", "see you at home tonight"]


# the scenario


def test_a_token_data_set_is_trained_predicted_and_logged_back(people: str, tmp_path: Path) -> None:
    trainer = ArgillaTrainer(name=people, framework="baseline", train_size=0.8)
    trainer.update_config(share=0.4)
    metrics = trainer.train(output_dir=tmp_path / "run")
    assert metrics["test"]["f1"] > 0.8
    records = trainer.predict(["Maria Lopez lives in Berlin .", "Nothing here ."])
    assert rg.log(records, "people", verbose=False).processed == 2
    found = rg.load("people", query="NOT annotated_as:*")
    assert [record.text for record in found] == ["Maria Lopez lives in Berlin .", "Nothing here ."]
    assert [(label, found[0].text[start:end]) for label, start, end, _ in found[0].prediction] == [
        ("PER", "Maria Lopez"),
        ("LOC", "Berlin"),
    ]
    assert found[0].prediction_agent == f"baseline:{tmp_path / 'run'}"


def test_spacy_is_trained_on_conll_predicted_and_logged_back(tmp_path: Path) -> None:
    pytest.importorskip("spacy")
    rows = [
        rg.TokenClassificationRecord(tokens=tokens, tags=tags, id=at)
        for at, (tokens, tags) in enumerate(conll2003(150))
    ]
    rg.log(rows, "conll", verbose=False)
    trainer = ArgillaTrainer(name="conll", framework="spacy", train_size=0.8)
    trainer.update_config(max_epochs=2)
    metrics = trainer.train(output_dir=tmp_path / "run")
    assert 0 <= metrics["test"]["f1"] <= 1
    assert (len(held_rows(trainer, "train")), len(held_rows(trainer))) == (120, 30)
    records = trainer.predict([" ".join(row.tokens) for row in rows[:40]])
    found = [span for record in records for span in record.prediction]
    assert found
    assert any(0 < score < 1 for *_, score in found)
    rg.log(records, "conll", verbose=False)
    logged = rg.load("conll", ids=[record.id for record in records])
    assert [record.prediction for record in logged] == [record.prediction for record in records]
    assert {record.prediction_agent for record in logged} == {f"spacy:{tmp_path / 'run'}"}
    import spacy

    assert spacy.load(tmp_path / "run").pipe_names


def test_spacy_begins_where_it_is_told_to(people: str) -> None:
    pytest.importorskip("spacy")
    trainer = ArgillaTrainer(people, "spacy", lang="de")
    trainer.update_config(max_epochs=1)
    trainer.train()
    assert trainer.get_trainer_model().lang == "de"
    with pytest.raises(TunesmithError, match="no_such_pipeline"):
        ArgillaTrainer(people, "spacy", model="no_such_pipeline").train()
    with pytest.raises(TypeError, match=r"unknown setting 'max_epoch'\. Did you mean 'max_epochs'"):
        trainer.update_config(max_epoch=2)


def test_setfit_names_labels_as_the_settings_do(spam: str) -> None:
    pytest.importorskip("setfit")
    trainer = ArgillaTrainer(spam, "setfit", train_size=0.5, limit=32)
    trainer.update_config(num_iterations=1)
    trainer.train()
    found = trainer.predict(TEXTS, as_argilla_records=False)
    assert list(found[0].scores) == ["spam", "ham", "never"]
    assert found[0].scores["spam"] > found[1].scores["spam"]


def test_the_parts_are_those_of_prepare_for_training(spam: str, tmp_path: Path) -> None:
    trainer = ArgillaTrainer(spam, "baseline", train_size=0.75, seed=7)
    trainer.train(tmp_path / "run")
    prepared = rg.load(spam).prepare_for_training("transformers", train_size=0.75, seed=7)
    assert held_rows(trainer, "train") == prepared["train"]["id"]
    assert held_rows(trainer) == prepared["test"]["id"]


def test_labels_have_the_order_of_the_settings_one_that_no_record_has_too(spam: str) -> None:
    trainer = ArgillaTrainer(spam, "baseline", train_size=0.8)
    trainer.train()
    assert trainer.get_trainer().framework_model.labels.names == ("spam", "ham", "never")
    found = trainer.predict(TEXTS, as_argilla_records=False)
    assert list(found[0].scores) == ["spam", "ham", "never"]


def test_a_class_that_only_the_test_part_has_shifts_no_label() -> None:
    rows = messages(60)
    rg.log(rows, "few", verbose=False)
    held = rg.load("few").prepare_for_training("transformers", train_size=0.5, seed=1)["test"]["id"]
    alone = next(row for row in rows if row.id == held[0])
    rg.log(rg.TextClassificationRecord(alone.text, annotation="alone", id=alone.id), "few", verbose=False)
    trainer = ArgillaTrainer("few", "baseline", train_size=0.5, seed=1)
    trainer.train()
    found = trainer.predict([row.text for row in rows], as_argilla_records=False)
    assert list(found[0].scores) == ["alone", "ham", "spam"]
    right = [each.label == row.annotation for each, row in zip(found, rows, strict=True) if row.id not in held]
    assert sum(right) / len(right) > 0.8


# predictions


def test_one_text_gives_one_record_and_a_list_a_list_in_order(spam: str) -> None:
    trainer = ArgillaTrainer(spam, "baseline")
    assert trainer.train() == {}
    one = trainer.predict(TEXTS[0])
    assert isinstance(one, rg.TextClassificationRecord)
    many = trainer.predict(TEXTS)
    assert [record.text for record in many] == TEXTS
    assert many[0].prediction == one.prediction
    assert {label for label, _ in one.prediction} == {"spam", "ham", "never"}
    assert sum(score for _, score in one.prediction) == pytest.approx(1)
    assert one.prediction[0][0] == "spam"
    assert one.prediction == sorted(one.prediction, key=lambda part: -part[1])
    assert (one.status, one.annotation, one.multi_label) == ("Default", None, False)
    assert one.prediction_agent.startswith("baseline:")
    assert isinstance(trainer.predict(TEXTS[0], as_argilla_records=False), Prediction)
    assert trainer.predict([]) == []


def test_several_labels_are_trained_without_a_split_and_predicted_with_every_score() -> None:
    trainer = ArgillaTrainer(dataset=rg.DatasetForTextClassification(marked()), framework="baseline")
    trainer.train()
    record = trainer.predict("Call 0800 now for your FREE prize! Want it?")
    assert record.multi_label
    assert record.prediction[0][0] in ("figures", "spam")
    assert len(record.prediction) == 3


def test_spans_keep_their_scores_and_their_ends(people: str) -> None:
    trainer = ArgillaTrainer(people, "baseline")
    trainer.train()
    first, second = trainer.predict(["Anna Weber flew home.", "They met in New York."])
    assert first.tokens == ("Anna", "Weber", "flew", "home.")
    assert second.tokens == ("They", "met", "in", "New", "York", ".")
    (label, start, end, score) = second.prediction[0]
    assert (label, second.text[start:end]) == ("LOC", "New York")
    assert score > 0.9
    assert len(second.prediction) == 1


def test_words_of_a_text_stay_words(people: str) -> None:
    trainer = ArgillaTrainer(people, "baseline")
    trainer.train()
    found = trainer.predict([["Omar", "Haddad", "lives", "here"], "Lima"])
    assert found[0].tokens == ("Omar", "Haddad", "lives", "here")
    assert found[0].prediction[0][:3] == ("PER", 0, 11)
    assert found[1].text == "Lima"


def test_records_are_predicted_in_copies_that_keep_all_else(people: str) -> None:
    trainer = ArgillaTrainer(people, "baseline")
    trainer.train()
    known = rg.load(people, limit=3)
    found = trainer.predict(known)
    assert [record.id for record in found] == [0, 1, 2]
    assert [record.annotation for record in found] == [record.annotation for record in known]
    assert found[0].prediction
    assert known[0].prediction is None
    rg.log(found, people, verbose=False)
    assert rg.load(people, ids=[0])[0].annotation == known[0].annotation


def test_several_inputs_are_predicted_as_they_were_trained() -> None:
    rows = [
        rg.TextClassificationRecord(inputs={"title": f"offer {at % 2}", "body": row.text}, annotation=row.annotation)
        for at, row in enumerate(messages(60))
    ]
    trainer = ArgillaTrainer(dataset=rg.DatasetForTextClassification(rows), framework="baseline")
    trainer.train()
    inputs = {"title": "offer", "body": "Free entry! Call now"}
    record = trainer.predict(inputs)
    assert record.inputs == inputs
    by_text = trainer.predict("title: offer\nbody: Free entry! Call now")
    assert record.prediction == by_text.prediction


def test_named_inputs_and_lists_of_them_keep_their_form_and_how_many_labels_they_may_have() -> None:
    rows = [
        rg.TextClassificationRecord(
            inputs={"title": "message", "body": row.text}, annotation=row.annotation, multi_label=True
        )
        for row in marked(60)
    ]
    trainer = ArgillaTrainer(dataset=rg.DatasetForTextClassification(rows), framework="baseline")
    trainer.train()
    record = trainer.predict({"title": "message", "body": ["Free entry!", "Call now"]})
    assert record.inputs == {"title": "message", "body": ["Free entry!", "Call now"]}
    assert record.multi_label
    assert len(record.prediction) == 3


def test_an_input_called_text_stands_beside_the_others_after_reopening_too(tmp_path: Path) -> None:
    rows = [
        rg.TextClassificationRecord(
            inputs={"text": row.text, "pair": f"it is {row.annotation}"}, annotation=row.annotation
        )
        for row in messages(60)
    ]
    trainer = ArgillaTrainer(dataset=rg.DatasetForTextClassification(rows), framework="baseline")
    trainer.train(tmp_path / "run")
    inputs = {"text": "Free entry", "pair": "it is ham"}
    for each in (trainer, ArgillaTrainer.load(tmp_path / "run")):
        record = each.predict(inputs)
        assert record.inputs == inputs
        assert record.prediction == each.predict(rg.TextClassificationRecord(inputs=inputs)).prediction
        assert record.prediction == each.predict("text: Free entry\npair: it is ham").prediction
        assert record.prediction != each.predict("Free entry").prediction


def test_rows_of_a_table_are_read_by_the_columns_that_were_trained_on(tmp_path: Path) -> None:
    rows = [{"body": row["text"], "kind": row["label"], "row": at} for at, row in enumerate(small_tasks.classes()[0])]
    columns = {"text": "body", "label": "kind"}
    trainer = ArgillaTrainer(dataset=rows, framework="baseline", columns=columns)
    trainer.train(tmp_path / "run")
    for each in (trainer, ArgillaTrainer.load(tmp_path / "run")):
        record = each.predict({"body": "Free entry", "row": 7})
        assert (record.text, record.prediction) == ("Free entry", each.predict("Free entry").prediction)


def test_texts_in_any_row_of_them_are_predicted_one_by_one(spam: str) -> None:
    import numpy
    import pandas

    trainer = ArgillaTrainer(spam, "baseline")
    trainer.train()
    for texts in (tuple(TEXTS), pandas.Series(TEXTS), numpy.array(TEXTS), iter(TEXTS)):
        assert [record.text for record in trainer.predict(texts)] == TEXTS
    for one in (None, 3, pandas.DataFrame({"text": TEXTS})):
        with pytest.raises(RowError, match="row 0, column 'text'"):
            trainer.predict(one)


def test_nothing_is_predicted_before_training(spam: str) -> None:
    with pytest.raises(FrameworkError, match="nothing is trained yet: call `train`"):
        ArgillaTrainer(spam, "baseline").predict("a text")


def test_numbers_are_no_records() -> None:
    rows = [{"text": f"text {at} " + "good " * at, "label": at / 10} for at in range(20)]
    trainer = ArgillaTrainer(dataset=rows, framework="baseline", label_kind="regression")
    trainer.train()
    assert trainer.predict("good good", as_argilla_records=False).value is not None
    with pytest.raises(ConfigError, match="as_argilla_records' is True: expected False"):
        trainer.predict("good good")


# data


def test_data_in_memory_and_a_file_need_no_store(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in small_tasks.classes()[0]), encoding="utf-8")
    for data in (rg.DatasetForTextClassification(messages()), small_tasks.classes()[0], str(file)):
        trainer = ArgillaTrainer(framework="baseline", dataset=data, train_size=0.75)
        assert trainer.train()["test"]["accuracy"] > 0.7
    tagged = ArgillaTrainer(dataset=small_tasks.tagged()[0], framework="baseline", task="token-classification")
    tagged.train()
    assert tagged.predict("Li Wei lives in Nairobi .").prediction[0][0] == "PER"


def test_rows_of_an_iterator_are_there_for_each_training() -> None:
    rows = small_tasks.classes()[0]
    trainer = ArgillaTrainer(framework="baseline", dataset=iter(rows), train_size=0.75)
    first = trainer.train()
    assert trainer.train() == first == ArgillaTrainer(framework="baseline", dataset=rows, train_size=0.75).train()


def test_an_iterator_without_an_end_is_read_as_far_as_it_is_needed(bert: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "AHEAD", 16)
    taken: list[int] = []
    rows = small_tasks.classes()[0]
    endless = (taken.append(at) or rows[at % len(rows)] for at in itertools.count())
    trainer = ArgillaTrainer(framework="transformers", model=bert, dataset=endless)
    trainer.update_config(max_steps=2, per_device_train_batch_size=4)
    for _ in range(2):
        trainer.train()
        assert len(taken) == 17, "one more than two steps and reading ahead take; each is fetched once"


def test_an_iterator_that_breaks_off_does_not_train_on_what_came_before() -> None:
    rows = small_tasks.classes()[0]
    trainer = ArgillaTrainer(framework="baseline", dataset=(row if at < 90 else 1 / 0 for at, row in enumerate(rows)))
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            trainer.train()


def test_what_is_loaded_is_asked_for_as_of_load(spam: str, tmp_path: Path) -> None:
    trainer = ArgillaTrainer(spam, "baseline", query="annotated_as:spam OR annotated_as:ham", limit=50)
    trainer.train(path=tmp_path / "run")
    assert len(held_rows(trainer, "train")) == 50
    with pytest.raises(UnknownSetting, match=r"unknown setting 'limits'. Did you mean 'limit'"):
        ArgillaTrainer(spam, "baseline", limits=50)
    with pytest.raises(DataError, match="nope"):
        ArgillaTrainer("nope", "baseline")
    with pytest.raises(NothingToTrain, match="'spam'"):
        ArgillaTrainer(spam, "baseline", query="annotated_as:nothing")


def test_a_limit_of_a_data_set_in_memory_is_a_whole_number() -> None:
    data = rg.DatasetForTextClassification(messages(20))
    assert "3 annotated records to train" in repr(ArgillaTrainer(dataset=data, framework="baseline", limit=3))
    for limit in (-1, 0, "3", True):
        with pytest.raises(DataError, match=f"limit is {limit!r}: expected a whole number from 1, or None for all"):
            ArgillaTrainer(dataset=data, framework="baseline", limit=limit)


def test_each_label_keeps_its_share_where_that_is_asked_for(tmp_path: Path) -> None:
    rows = [
        rg.TextClassificationRecord(f"text {at}", annotation="rare" if at < 4 else "often", id=at) for at in range(40)
    ]
    data = rg.DatasetForTextClassification(rows)
    data.settings = rg.TextClassificationSettings(["often", "rare"])
    for seed in range(4):
        trainer = ArgillaTrainer(dataset=data, framework="baseline", train_size=0.5, seed=seed, stratify=True)
        trainer.train(tmp_path / str(seed))
        held = held_rows(trainer)
        assert sum(at < 4 for at in held) == 2
        prepared = data.prepare_for_training("transformers", train_size=0.5, seed=seed, stratify=True)
        assert [str(at) for at in held] == prepared["test"]["id"]
    texts = rg.DatasetForText2Text([rg.Text2TextRecord(f"a {at}", annotation="b") for at in range(4)])
    with pytest.raises(ConfigError, match="setting 'stratify' is True: expected False: texts to be written have no"):
        ArgillaTrainer(dataset=texts, framework="transformers", train_size=0.5, stratify=True)


def test_the_name_or_the_data_set_but_not_both(spam: str) -> None:
    for given in ({}, {"name": spam, "dataset": messages()}):
        with pytest.raises(ConfigError, match=r"the name of a data set, or dataset=… in its place, not both"):
            ArgillaTrainer(framework="baseline", **given)


def test_discarded_records_are_left_out_and_counted(tmp_path: Path) -> None:
    rows = messages(60)
    rows[0].status = "Discarded"
    rows.append(rg.TextClassificationRecord("to be labelled", id="new"))
    rg.log(rows, "some", verbose=False)
    trainer = ArgillaTrainer("some", "baseline")
    trainer.train(tmp_path / "run")
    assert "000" not in held_rows(trainer, "train")
    told = trainer.get_trainer().folder.read_json("audit.json")["train"]
    assert told["left_out"] == {"discarded": ["000"], "not annotated": ["new"]}


def test_the_seed_zero_is_a_seed_and_ids_of_figures_stay_texts(spam: str, tmp_path: Path) -> None:
    found = []
    for at, seed in enumerate((0, 0, 1)):
        trainer = ArgillaTrainer(spam, "baseline", train_size=0.8, seed=seed)
        trainer.train(tmp_path / str(at))
        found.append(held_rows(trainer))
    assert found[0] == found[1] != found[2]
    assert all(isinstance(row, str) and len(row) == 3 for row in found[0])


def test_the_history_of_the_records_knows_the_run(spam: str, tmp_path: Path) -> None:
    ArgillaTrainer(spam, "baseline").train(tmp_path / "run")
    with Store(tmp_path / "records.db") as store:
        event = store.history(spam, "default", "000")[-1]
    assert (event.kind, event.set) == ("used", {"split": "train", "run": str((tmp_path / "run").resolve())})


def test_the_active_workspace_stays(spam: str) -> None:
    rg.log(messages(40), "theirs", workspace="other", verbose=False)
    trainer = ArgillaTrainer("theirs", "baseline", workspace="other")
    trainer.train()
    assert rg.get_workspace() == "default"


# the loop


def test_training_again_says_whether_it_helped(tmp_path: Path) -> None:
    rows = messages(160)
    rg.log(rows[:24], "loop", verbose=False)
    first = ArgillaTrainer("loop", "baseline", train_size=0.5)
    first.train(tmp_path / "model")
    assert first.comparison is None
    open_rows = [rg.TextClassificationRecord(row.text, id=row.id) for row in rows[24:]]
    rg.log(first.predict(open_rows), "loop", verbose=False)
    asked = rg.next_to_label("loop", "uncertainty", limit=100)
    agents = {each.record.prediction_agent for each in asked}
    assert agents == {f"baseline:{tmp_path / 'model'}"}
    by_id = {row.id: row.annotation for row in rows}
    for each in asked:
        each.record.annotation = by_id[each.record.id]
    rg.log([each.record for each in asked], "loop", verbose=False)
    known = set(held_rows(first, "train"))
    second = ArgillaTrainer("loop", "baseline", train_size=0.5)
    events: list[str] = []
    second.train(tmp_path / "model", listener=lambda kind, values: events.append(str(values.get("text"))))
    found = second.comparison
    assert found is not None
    assert found.former == str(tmp_path / "model")
    assert found.trained == (12, 62)
    assert found.rows == len([row for row in held_rows(second) if row not in known])
    assert found.after > found.before
    assert found.difference.low <= found.after - found.before <= found.difference.high
    assert f"against {tmp_path / 'model'}, with +50 training rows: f1 {found.before:.4f} → {found.after:.4f}" in (
        " ".join(events)
    )
    assert second.get_trainer().folder.read_json("comparison.json")["rows"] == found.rows


def test_a_run_of_other_settings_is_compared_with_the_one_before(spam: str) -> None:
    trainer = ArgillaTrainer(spam, "baseline", train_size=0.7)
    trainer.train()
    trainer.train()
    found = trainer.comparison
    assert found is not None
    assert (found.difference.difference, found.helped, found.rows) == (0.0, None, 36)
    assert str(found).endswith("on 36 rows: no difference can be told")


def test_a_run_that_was_not_kept_does_not_hide_the_one_before_it(spam: str, tmp_path: Path) -> None:
    ArgillaTrainer(spam, "baseline", train_size=0.7).train(tmp_path / "kept")
    ArgillaTrainer(spam, "baseline", train_size=0.7).train()
    third = ArgillaTrainer(spam, "baseline", train_size=0.7)
    third.train()
    assert third.comparison is not None
    assert third.comparison.former == str(tmp_path / "kept")


@pytest.mark.parametrize("damaged", ["tunesmith.json", "*.safetensors"])
def test_a_former_run_that_is_gone_is_no_hindrance(
    spam: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, damaged: str
) -> None:
    ArgillaTrainer(spam, "baseline", train_size=0.7).train(tmp_path / "model")
    next((tmp_path / "model").glob(damaged)).write_text("{", encoding="utf-8")
    again = ArgillaTrainer(spam, "baseline", train_size=0.7)
    again.train(tmp_path / "other")
    assert again.comparison is None
    assert "cannot be compared with" in caplog.text


def test_a_folder_of_its_own_last_run_that_is_gone_is_no_hindrance(
    spam: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trainer = ArgillaTrainer(spam, "baseline", train_size=0.7)
    trainer.train(tmp_path / "kept")
    trainer.train(tmp_path / "gone")
    shutil.rmtree(tmp_path / "gone")
    assert trainer.train(tmp_path / "gone")["test"]["f1"] > 0.5
    assert f"this run cannot be compared with {tmp_path / 'gone'}: " in caplog.text
    assert trainer.comparison is None, "the one before is of another run"


def test_records_that_are_gone_meanwhile_are_no_hindrance(
    spam: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trainer = ArgillaTrainer(spam, "baseline", train_size=0.7)
    rg.delete_records(spam, ids=[f"{at:03}" for at in range(120)])
    assert trainer.train(tmp_path / "model")["test"]["f1"] > 0.5
    assert "the run before cannot be looked up: data set 'spam' has no record with the id" in caplog.text


def test_runs_of_one_folder_that_disagree_are_found(spam: str, tmp_path: Path) -> None:
    texts = [record for record in rg.load(spam) if record.id < "040"]
    rg.log([rg.TextClassificationRecord(each.text, id=each.id) for each in texts], "open", verbose=False)
    trainer = ArgillaTrainer(spam, "baseline")
    for ngrams in (1, 4):
        trainer.update_config(ngrams=ngrams)
        trainer.train(tmp_path / "model")
        rg.log(trainer.predict(list(rg.load("open"))), "open", verbose=False)
    agent = f"baseline:{tmp_path / 'model'}"
    found = rg.next_to_label("open", "disagreement")
    assert found
    assert found[0].why == f"{agent} and {agent} before"


# what is refused


def test_an_unfit_pair_is_refused_before_records_are_read(people: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "load", lambda *_, **__: pytest.fail("records were read"))
    rg.log(rg.Text2TextRecord("a", annotation="b"), "texts", verbose=False)
    with pytest.raises(UnsupportedTask, match="baseline cannot train sequence-sequence") as told:
        ArgillaTrainer("texts", "baseline")
    assert "transformers" in str(told.value)
    assert not isinstance(told.value, NotImplementedError)


def test_a_framework_is_needed_and_the_nearest_is_named(spam: str) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'setfit'"):
        ArgillaTrainer(spam, "setfitt")
    with pytest.raises(ConfigError, match="setting 'framework' is None: expected the name of one: transformers"):
        ArgillaTrainer(spam)


@pytest.mark.parametrize("size", [0, 2, -0.5, "0.8"])
def test_a_wrong_size_is_a_value_error(spam: str, size: Any) -> None:
    with pytest.raises(ValueError, match="train_size"):
        ArgillaTrainer(spam, "baseline", train_size=size)


def test_a_model_that_is_not_there_is_not_ignored(spam: str) -> None:
    trainer = ArgillaTrainer(spam, "transformers", model="no/such-model")
    with pytest.raises(ArtifactError, match="no/such-model"):
        trainer.train()
    with pytest.raises(ConfigError, match="'base' is 'minilm'"):
        ArgillaTrainer(spam, "baseline", model="minilm").train()


def test_a_language_is_refused_where_none_is_read(spam: str) -> None:
    with pytest.raises(ConfigError, match="'lang' is 'de': expected None: baseline asks for no language"):
        ArgillaTrainer(spam, "baseline", lang="de")


def test_a_language_may_be_an_object_of_spacy(spam: str) -> None:
    spacy = pytest.importorskip("spacy")
    assert ArgillaTrainer(spam, "spacy", lang=spacy.blank("de")).get_trainer_kwargs()["lang"] == "de"
    pipeline = spacy.blank("en")
    pipeline.add_pipe("sentencizer")
    with pytest.raises(ConfigError, match="one with components is given as model="):
        ArgillaTrainer(spam, "spacy", lang=pipeline)


def test_an_empty_text_to_tag_is_told_by_its_place(people: str) -> None:
    trainer = ArgillaTrainer(people, "baseline")
    trainer.train()
    with pytest.raises(DataError, match=r"text 1 is empty: a record of tokens needs a word"):
        trainer.predict(["Maria Lopez lives in New York .", " "])
    assert len(trainer.predict(["Maria Lopez lives in New York .", ""], as_argilla_records=False)) == 2


def test_an_evaluation_needs_rows_that_training_may_see(spam: str, bert: str) -> None:
    trainer = ArgillaTrainer(spam, "transformers", model=bert, train_size=0.8)
    trainer.update_config(evaluation_strategy="epoch", max_steps=1)
    with pytest.raises(ConfigError, match=r"'eval_strategy' is 'epoch': expected validation rows to watch: set valid"):
        trainer.train()
    held = [{"text": row["text"], "label": row["label"]} for row in small_tasks.classes()[1]]
    assert "validation" in trainer.train(validation=held)


def test_given_data_lies_in_no_workspace() -> None:
    with pytest.raises(ConfigError, match="'workspace' is 'team': expected None: data that is given"):
        ArgillaTrainer(framework="baseline", dataset=small_tasks.classes()[0], workspace="team")


def test_the_keywords_of_load_are_those_of_argilla(spam: str) -> None:
    assert "120 annotated records" in repr(ArgillaTrainer(spam, "baseline", batch_size=50))


def test_a_device_that_is_not_there_is_refused(spam: str) -> None:
    with pytest.raises(ConfigError, match="'device' is 3: expected 'cpu' or 'auto'"):
        ArgillaTrainer(spam, "baseline", gpu_id=3).train()
    ArgillaTrainer(spam, "baseline", gpu_id="cpu").train()


def test_a_label_outside_the_settings_is_told_by_its_record(spam: str) -> None:
    rg.log(rg.TextClassificationRecord("x", annotation="odd", id="bad"), spam, verbose=False)
    with pytest.raises(RowError, match="row bad, column 'annotation': label 'odd' is not in the settings"):
        ArgillaTrainer(spam, "baseline")


# settings


@pytest.mark.parametrize(
    ("said", "meant"), [("train_sise", "train_size"), ("stratified", "stratify"), ("frameworks", "framework")]
)
def test_an_unknown_keyword_of_the_trainer_names_the_nearest(spam: str, said: str, meant: str) -> None:
    with pytest.raises(UnknownSetting, match=f"unknown setting '{said}'. Did you mean '{meant}'"):
        ArgillaTrainer(spam, "baseline", **{said: True})
    with pytest.raises(UnknownSetting, match=f"unknown setting '{said}'. Did you mean '{meant}'"):
        ArgillaTrainer(dataset=[("a", "x"), ("b", "y")], framework="baseline", **{said: True})


def test_an_unknown_key_names_the_nearest(spam: str) -> None:
    trainer = ArgillaTrainer(spam, "transformers")
    with pytest.raises(TypeError, match=r"unknown setting 'learning_rat'. Did you mean 'learning_rate'"):
        trainer.update_config(learning_rat=1e-3)
    with pytest.raises(UnknownSetting, match="unknown setting 'resume_download': downloads are resumed without being"):
        trainer.update_config(resume_download=True)
    with pytest.raises(ConfigError, match="num_train_epochs"):
        trainer.update_config(num_train_epochs="many")
    assert trainer.get_trainer_kwargs()["num_train_epochs"] == 3


def test_defaults_are_the_documented_ones_but_not_where_those_are_in_error(spam: str) -> None:
    told = ArgillaTrainer(spam, "transformers", seed=5).get_trainer_kwargs()
    assert told["per_device_train_batch_size"] == 8
    assert (told["learning_rate"], told["save_steps"], told["seed"]) == (5e-5, 500, 5)
    assert not {"adam_beta2", "max_steps", "hub_token", "hub_model_id"} & set(told)
    lora = ArgillaTrainer(spam, "peft").get_model_kwargs()["lora"]
    assert (lora["r"], lora["lora_alpha"], lora["lora_dropout"]) == (8, 16, 0.1)


@pytest.mark.parametrize(
    ("framework", "given", "settings"),
    [
        (
            "setfit",
            {"learning_rate": 1e-5, "loss_class": "SupConLoss"},
            {"body_learning_rate": 1e-5, "loss": "SupConLoss"},
        ),
        ("spacy", {"max_epochs": 2, "dropout": 0.2}, {"max_epochs": 2, "dropout": 0.2, "patience": 1600}),
        (
            "spacy-transformers",
            {"max_epochs": 2, "batcher": {"size": 500}},
            {
                "max_epochs": 2,
                "batcher": {"size": 500},
                "dropout": 0.1,
                "accumulate_gradient": 1,
                "eval_frequency": 200,
            },
        ),
        ("openai", {"hyperparameters": {"n_epochs": 3}}, {"n_epochs": 3, "base": "gpt"}),
        ("openai", {"model": "other", "batch_size": 4}, {"base": "other", "n_epochs": 1, "batch_size": 4}),
        (
            "autotrain",
            {"hub_model": [{"learning_rate": 1e-3, "train_batch_size": 4}]},
            {"lr": 1e-3, "batch_size": 4, "epochs": 10, "weight_decay": 0.1},
        ),
        ("autotrain", {"autotrain": [{"epochs": 2}]}, {"epochs": 2, "batch_size": 8}),
        ("peft", {"r": 4, "learning_rate": 1e-4}, {"learning_rate": 1e-4}),
        ("spacy", {"language": "de", "optimize": "accuracy"}, {"lang": "de", "optimize": "accuracy"}),
    ],
)
def test_documented_keys_are_the_settings_of_today(
    spam: str, framework: str, given: dict[str, Any], settings: dict[str, Any]
) -> None:
    trainer = ArgillaTrainer(spam, framework, model="gpt" if framework == "openai" else None)
    trainer.update_config(**given)
    told = {**trainer.get_model_kwargs(), **trainer.get_trainer_kwargs()}
    assert settings.items() <= told.items()


def test_a_class_stands_for_its_name(spam: str) -> None:
    losses = pytest.importorskip("sentence_transformers.sentence_transformer.losses")
    trainer = ArgillaTrainer(spam, "setfit")
    trainer.update_config(loss_class=losses.ContrastiveLoss)
    assert trainer.get_trainer_kwargs()["loss"] == "ContrastiveLoss"


@pytest.mark.parametrize("value", ["bert-base-uncased", [], [{"epochs": 1}, {"epochs": 2}], ["epochs"]])
def test_settings_of_other_than_one_model_are_refused(spam: str, value: Any) -> None:
    trainer = ArgillaTrainer(spam, "autotrain")
    with pytest.raises(ConfigError, match=r"'hub_model' is .*: expected a mapping of settings, or a list of one"):
        trainer.update_config(hub_model=value)
    assert trainer.get_trainer_kwargs()["epochs"] == 10


def test_documented_settings_of_one_model_pass_as_they_are_written(spam: str, caplog: pytest.LogCaptureFixture) -> None:
    trainer = ArgillaTrainer(spam, "autotrain")
    before = trainer.get_trainer_kwargs()
    trainer.update_config(autotrain=[{"source_language": "en", "num_models": 5}])
    trainer.update_config(hub_model=[{"epochs": 3, "task": "text_binary_classification"}])
    assert trainer.get_trainer_kwargs() == before | {"epochs": 3}
    assert "task='text_binary_classification' is left out: it is that of the data set" in caplog.text
    with pytest.raises(UnknownSetting, match="it is that of the data set"):
        trainer.update_config(hub_model=[{"task": "text_entity_extraction"}])
    with pytest.raises(UnknownSetting, match="'num_models': one model is trained"):
        trainer.update_config(autotrain=[{"num_models": 3}])
    service = ArgillaTrainer(spam, "openai", model="gpt")
    before = service.get_trainer_kwargs()
    service.update_config(hyperparameters=None)
    assert service.get_trainer_kwargs() == before


@pytest.mark.parametrize(
    ("framework", "name", "told"),
    [
        ("spacy-transformers", "optimize", "it is accuracy: for efficiency spaCy has no transformer classify"),
        ("span-marker", "save_steps", "span-marker has none of this name; `tunesmith train --framework span-marker"),
        ("autotrain", "num_models", "one model is trained"),
        ("transformers", "output_dir", "it is said when training begins"),
        ("openai", "prompt_loss_weight", "the service has no such setting any more"),
        ("spacy", "task", "it is that of the data set"),
    ],
)
def test_a_documented_key_that_nothing_stands_for_tells_why(people: str, framework: str, name: str, told: str) -> None:
    trainer = ArgillaTrainer(people, framework, model="gpt" if framework == "openai" else None)
    with pytest.raises(UnknownSetting, match=f"^unknown setting '{name}': {told}"):
        trainer.update_config(**{name: 1})


def test_a_service_needs_the_name_of_a_model(spam: str) -> None:
    with pytest.raises(ConfigError, match="'model' is None: expected the name of a model that openai can tune"):
        ArgillaTrainer(spam, "openai")


def test_documented_keys_take_effect(spam: str, bert: str, tmp_path: Path) -> None:
    trainer = ArgillaTrainer(spam, "transformers", limit=16)
    trainer.update_config(pretrained_model_name_or_path=bert, local_files_only=True)
    trainer.update_config(max_steps=2, adam_beta2=0.9, per_device_train_batch_size=4, evaluation_strategy="no")
    trainer.train(tmp_path / "run")
    args = trainer.get_trainer().folder.read_json("training_args.json")
    assert (args["max_steps"], args["adam_beta2"], args["per_device_train_batch_size"]) == (2, 0.9, 4)
    assert trainer.get_trainer_model().config.hidden_size == 32
    assert trainer.get_model_kwargs() == {
        "base": bert,
        "model_args": {"local_files_only": True},
    }
    assert trainer.get_trainer_tokenizer()("free")["input_ids"]


def test_predictions_do_not_change_between_calls(spam: str, bert: str) -> None:
    trainer = ArgillaTrainer(spam, "transformers", model=bert, limit=16, framework_kwargs={"max_steps": 1})
    trainer.train()
    first = [record.prediction for record in trainer.predict(TEXTS)]
    assert [record.prediction for record in trainer.predict(TEXTS)] == first


def test_an_adapter_is_trained_by_its_documented_settings(spam: str, bert: str, tmp_path: Path) -> None:
    trainer = ArgillaTrainer(spam, "peft", model=bert, limit=16)
    trainer.update_config(r=2, lora_alpha=4, max_steps=1)
    trainer.train(tmp_path / "run")
    told = json.loads((tmp_path / "run" / "adapter_config.json").read_text())
    assert (told["r"], told["lora_alpha"], told["task_type"]) == (2, 4, "SEQ_CLS")
    assert ArgillaTrainer.load(tmp_path / "run").framework == "peft"


def test_what_the_caller_gave_stays_as_it_is(spam: str) -> None:
    given = {"C": 0.5}
    trainer = ArgillaTrainer(spam, "baseline", framework_kwargs=given)
    trainer.update_config(C=2.0)
    assert given == {"C": 0.5}
    assert ArgillaTrainer(spam, "baseline").get_trainer_kwargs() == {"seed": 42}


@pytest.mark.parametrize(
    ("framework", "documented", "left"),
    [
        ("setfit", {"resume_download": False, "metric": "accuracy", "column_mapping": None}, {}),
        (
            "span-marker",
            {"log_level": "passive", "save_strategy": "steps", "save_steps": 500, "push_to_hub": False, "token": None},
            {},
        ),
        (
            "spacy",
            {"gpu_allocator": "${system.gpu_allocator}", "seed": "${system.seed}", "dropout": 0.2},
            {"dropout": 0.2},
        ),
        ("spacy-transformers", {"dev_corpus": "corpora.dev", "frozen_components": [], "patience": 9}, {"patience": 9}),
        ("openai", {"training_file": None, "prompt_loss_weight": 0.1, "n_epochs": 2}, {"n_epochs": 2}),
        ("autotrain", {"model": "autotrain", "hub_model": [{"optimizer": "adam"}]}, {"optimizer": "adamw_torch"}),
        (
            "spacy-transformers",
            {"optimize": "accuracy", "patience": 9, "update_transformer": False},
            {"patience": 9, "update_transformer": False},
        ),
        ("autotrain", {"source_language": "en", "num_models": 5, "task": "text_multi_class_classification"}, {}),
    ],
)
def test_a_documented_value_that_asks_for_nothing_passes_with_a_word(
    people: str,
    spam: str,
    framework: str,
    documented: dict[str, Any],
    left: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    data = spam if framework == "setfit" else people
    trainer = ArgillaTrainer(data, framework, model="gpt" if framework == "openai" else None)
    before = trainer.get_trainer_kwargs()
    trainer.update_config(**documented)
    assert trainer.get_trainer_kwargs() == before | left
    gone = set(documented) - {*left, "model", "hub_model"}
    assert all(f"{name}={documented[name]!r} is left out" in caplog.text for name in gone)


def test_an_allocator_is_taken_back_and_a_documented_value_has_its_name_of_today(people: str) -> None:
    trainer = ArgillaTrainer(people, "spacy")
    trainer.update_config(gpu_allocator="pytorch")
    trainer.update_config(gpu_allocator=None)
    assert trainer.get_trainer_kwargs()["gpu_allocator"] is None
    other = ArgillaTrainer(people, "autotrain", model="autotrain")
    assert other.get_model_kwargs() == {"base": "minilm"}
    other.update_config(optimizer="adam")
    assert other.get_trainer_kwargs()["optimizer"] == "adamw_torch"
    with pytest.raises(ConfigError, match="optimizer"):
        other.update_config(optimizer=["adam"])


def test_every_setting_of_lora_has_a_name_and_the_others_stay(spam: str) -> None:
    trainer = ArgillaTrainer(spam, "peft")
    trainer.update_config(use_rslora=True, lora={"r": 3})
    lora = trainer.get_model_kwargs()["lora"]
    assert (lora["use_rslora"], lora["r"], lora["lora_alpha"]) == (True, 3, 16)
    with pytest.raises(UnknownSetting, match="use_rslor"):
        trainer.update_config(use_rslor=True)


def test_an_argument_of_lora_is_said_after_lora_itself(spam: str) -> None:
    trainer = ArgillaTrainer(spam, "peft", framework_kwargs={"lora": True})
    trainer.update_config(lora={"r": 4})
    trainer.update_config(lora_alpha=2)
    assert trainer.get_model_kwargs()["lora"] == {"r": 4, "lora_alpha": 2}
    trainer.update_config(lora=pytest.importorskip("peft").LoraConfig(r=3))
    for given in ({"r": 4}, {"lora": {"r": 4}}):
        with pytest.raises(ConfigError, match=r"'lora' is LoraConfig.*: expected a mapping where one of its arguments"):
            trainer.update_config(**given)
    trainer.update_config(lora=True)
    trainer.update_config(r=4)
    assert trainer.get_model_kwargs()["lora"] == {"r": 4}


@pytest.mark.parametrize(
    "wrong", [{"bias": "foo"}, {"target_modules": ["nope"]}, {"init_lora_weights": "nope"}, {"task_type": "NOPE"}]
)
def test_what_peft_cannot_use_is_our_error(spam: str, bert: str, wrong: dict[str, Any]) -> None:
    trainer = ArgillaTrainer(spam, "peft", model=bert)
    trainer.update_config(**wrong)
    with pytest.raises(ConfigError, match=r"setting 'lora' is .*: expected arguments that peft can use with this base"):
        trainer.train()


@pytest.mark.parametrize("data", ["rows.csv", small_tasks.classes()[0], {"text": ["a", "b"], "label": ["x", "y"]}])
def test_data_that_is_no_records_is_told_as_what_it_is(data: Any, tmp_path: Path) -> None:
    told = repr(ArgillaTrainer(framework="baseline", dataset=data, train_size=0.8))
    rows = {"str": "'rows.csv'", "list": "list of 120 rows", "dict": "dict of 2 rows"}[type(data).__name__]
    assert f"{rows} to train, a share of 0.2 to score" in told


def test_it_is_told_in_short(spam: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        trainer = ArgillaTrainer(spam, "baseline", train_size=0.8)
    trainer.update_config(ngrams=3)
    told = repr(trainer)
    assert told.splitlines()[0] == "ArgillaTrainer('spam', framework='baseline', task='text-classification')"
    assert "96 annotated records to train, 24 annotated records to score" in told
    assert "ngrams=3" in told
    assert len(told.splitlines()) < 6
    assert len(caplog.records) < 3


def test_a_token_is_not_told(spam: str) -> None:
    trainer = ArgillaTrainer(spam, "transformers")
    trainer.update_config(hub_token="hf_very_secret", token="hf_other_secret", hub_model_id="me/mine")
    told = repr(trainer)
    assert "hub_model_id='me/mine'" in told
    assert "secret" not in told
    assert trainer.get_trainer_kwargs()["hub_token"] == "hf_very_secret"


# folders


def test_a_model_is_reopened_in_a_new_process_without_its_data_set(spam: str, tmp_path: Path) -> None:
    trainer = ArgillaTrainer(spam, "baseline", train_size=0.8)
    trainer.train(tmp_path / "run")
    code = (
        "import sys, json; from tunesmith.argilla import ArgillaTrainer; t = ArgillaTrainer.load(sys.argv[1]); "
        "print(json.dumps([[r.prediction, r.prediction_agent] for r in t.predict(json.loads(sys.argv[2]))]))"
    )
    given = [sys.executable, "-c", code, str(tmp_path / "run"), json.dumps(TEXTS)]
    done = subprocess.run(given, capture_output=True, text=True, check=True)
    for record, (scores, agent) in zip(trainer.predict(TEXTS), json.loads(done.stdout), strict=True):
        assert [label for label, _ in scores] == [label for label, _ in record.prediction]
        assert [score for _, score in scores] == pytest.approx([score for _, score in record.prediction], abs=1e-6)
        assert agent == record.prediction_agent


def test_a_reopened_trainer_has_no_data_to_train_on(spam: str, tmp_path: Path) -> None:
    trainer = ArgillaTrainer(spam, "baseline")
    trainer.update_config(ngrams=3)
    trainer.train()
    trainer.save(tmp_path / "kept")
    again = ArgillaTrainer.load(tmp_path / "kept")
    assert again.get_trainer_kwargs() == {"ngrams": 3}
    assert "opened from a folder" in repr(again)
    with pytest.raises(FrameworkError, match="has no data set to train on"):
        again.train()
    with pytest.raises(ArtifactError, match="no such run"):
        ArgillaTrainer.load(tmp_path / "nowhere")


def test_all_that_is_written_is_in_the_folder(spam: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = tmp_path / "cwd"
    empty.mkdir()
    monkeypatch.chdir(empty)
    trainer = ArgillaTrainer(spam, "baseline", train_size=0.8)
    trainer.train()
    assert list(empty.iterdir()) == []
    trainer.train("run")
    assert [path.name for path in empty.iterdir()] == ["run"]
    with pytest.raises(ConfigError, match="'path' is 'b': expected the same as output_dir, 'a', or neither"):
        trainer.train("a", path="b")


def test_training_on_records_without_settings_warns_of_no_ids() -> None:
    """A trained model tells names: only what is prepared for others has ids that settings would fix."""
    records = [
        rg.TextClassificationRecord(text=f"a {name} day {i}", annotation=name)
        for i in range(4)
        for name in ("good", "bad")
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ArgillaTrainer(dataset=rg.DatasetForTextClassification(records), framework="baseline")
    with pytest.warns(UserWarning, match="no settings were given"):
        rg.DatasetForTextClassification(records).prepare_for_training(framework="transformers")
