"""Data sets of records as what a run reads: columns, labels, ids, and what is left out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tiny
import tunesmith
from serving import run
from tunesmith import records
from tunesmith.config import Settings
from tunesmith.errors import DataError, NothingToTrain, RowError
from tunesmith.pipeline import HFTrainer
from tunesmith.records import opened
from tunesmith.records.datasets import (
    DatasetForText2Text,
    DatasetForTextClassification,
    DatasetForTokenClassification,
)
from tunesmith.records.settings import TextClassificationSettings, TokenClassificationSettings
from tunesmith.records.store.history import Event
from tunesmith.records.types import Text2TextRecord, TextClassificationRecord, TokenClassificationRecord
from tunesmith.registry import tasks
from tunesmith.tasks.base import Examples, Span
from tunesmith.tasks.parts import read_data

QUICK: dict[str, Any] = {"num_train_epochs": 1, "disable_tqdm": True}


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No variables, a home of its own, and nothing open before and after."""
    for name in (*opened.URLS, *opened.KEYS, *opened.WORKSPACES):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TUNESMITH_HOME", str(tmp_path / "home"))
    records.close()
    yield
    records.close()


def classes(*labels: Any, **fields: Any) -> DatasetForTextClassification:
    """A record for each label, with the ids r0, r1, …"""
    found = [
        TextClassificationRecord(f"text {n}", id=f"r{n}", annotation=label, **fields) for n, label in enumerate(labels)
    ]
    return DatasetForTextClassification(found)


def examples(data: Any, task: str = "text-classification", **given: Any) -> dict[str, Examples]:
    settings = Settings.make(train=data, task=task, **given)
    return read_data(tasks.get(task), data, given.get("validation"), given.get("test"), settings)


def test_records_are_read_as_text_and_label_under_their_own_ids() -> None:
    data = classes("pos", "neg")
    data.append(TextClassificationRecord("by number", id=7, annotation="pos"))
    found = examples(data)["train"]
    assert [(e.id, e.text, e.label) for e in found] == [
        ("r0", "text 0", "pos"),
        ("r1", "text 1", "neg"),
        (7, "by number", "pos"),
    ]


def test_labels_have_the_order_of_the_settings_those_that_no_record_has_too() -> None:
    data = classes("pos", "neg")
    data.settings = TextClassificationSettings(["pos", "plain", "neg"])
    found = examples(data)["train"].labels
    assert found is not None
    assert (found.kind, found.names) == ("single", ("pos", "plain", "neg"))


def test_without_settings_label_ids_are_those_of_prepare_for_training() -> None:
    data = classes("10", "9", " 9", "1,5", "2,5")
    with pytest.warns(UserWarning, match="no settings"):
        prepared = data.prepare_for_training("transformers")
    found = examples(data)["train"]
    assert found.labels is not None
    assert list(found.labels.names) == prepared.features["label"].names == [" 9", "1,5", "10", "2,5", "9"]
    assert [found.labels.encode(e.label) for e in found] == prepared["label"]


def test_a_label_outside_the_settings_is_an_error_that_names_the_record() -> None:
    data = classes("pos", "neg", "other")
    data.settings = TextClassificationSettings(["pos", "neg"])
    with pytest.raises(RowError, match=r"row r2, column 'annotation'.*'other' is not in the settings: pos, neg"):
        examples(data)


def test_several_labels_are_multi_label_even_where_every_record_has_one_or_none() -> None:
    found = examples(classes(["pos"], [], ["neg"], [], [], multi_label=True))["train"]
    assert (found.kind, [e.label for e in found]) == ("multi", [("pos",), (), ("neg",), (), ()])


def test_several_inputs_are_joined_as_in_preparing() -> None:
    data = DatasetForTextClassification(
        TextClassificationRecord(inputs={"subject": f"offer {n}", "body": ["now", "or never"]}, annotation=label)
        for n, label in enumerate(["spam", "ham"])
    )
    assert [e.text for e in examples(data)["train"]] == [
        "subject: offer 0\nbody: now or never",
        "subject: offer 1\nbody: now or never",
    ]


def test_discarded_and_unannotated_records_are_left_out_and_counted() -> None:
    data = classes("pos", "neg", None, "neg", None)
    data[3].status = "Discarded"
    account = examples(data)["train"].account
    assert account.left_out == {"not annotated": ["r2", "r4"], "discarded": ["r3"]}
    assert (account.total, account.kept) == (5, 2)


def test_what_is_held_out_leaves_the_account_with_the_training_rows() -> None:
    data = classes(*["pos", "neg"] * 10, None)
    found = examples(data, validation=0.2)
    assert [len(found["train"]), len(found["validation"])] == [16, 4]
    assert found["train"].account.left_out == {"not annotated": ["r20"]}
    assert found["validation"].account.left_out == {}
    assert not {e.id for e in found["train"]} & {e.id for e in found["validation"]}


def test_where_nothing_is_left_the_error_tells_why() -> None:
    with pytest.raises(NothingToTrain, match="2 left out: not annotated"):
        examples(classes(None, None))


def test_one_label_beside_several_is_an_error() -> None:
    data = classes("pos", "neg")
    data.append(TextClassificationRecord("x", annotation=["pos"], multi_label=True, id="m"))
    with pytest.raises(DataError, match=r"1 of 3 records have multi_label=True \(as 'm'\)"):
        examples(data)


def test_spans_are_learned_as_they_stand_in_the_text() -> None:
    data = DatasetForTokenClassification(
        [
            TokenClassificationRecord("Ann  saw Acme", ["Ann", "saw", "Acme"], annotation=[("ORG", 9, 13)], id="a"),
            TokenClassificationRecord("Nobody came", ["Nobody", "came"], annotation=[], id="b"),
            TokenClassificationRecord("Not yet seen", ["Not", "yet", "seen"], id="c"),
        ]
    )
    data.settings = TokenClassificationSettings(["PER", "ORG"])
    found = examples(data, "token-classification")["train"]
    spans = [(e.id, e.text, [(s.label, s.start, s.end) for s in e.spans or ()]) for e in found]
    assert spans == [("a", "Ann  saw Acme", [("ORG", 9, 13)]), ("b", "Nobody came", [])]
    assert found.labels is not None
    assert found.labels.names == ("O", "B-PER", "I-PER", "B-ORG", "I-ORG")
    assert found.account.left_out == {"not annotated": ["c"]}


def tagged(text: str, *spans: tuple[str, int, int], id: str) -> TokenClassificationRecord:
    return TokenClassificationRecord(text, text.split(), annotation=list(spans), id=id)


def test_words_are_learned_as_wholes_where_the_annotation_is_of_whole_words() -> None:
    data = DatasetForTokenClassification(
        [tagged("Ann saw Acme Ltd", ("ORG", 8, 16), id="a"), tagged("So it is", id="b")]
    )
    data.settings = TokenClassificationSettings(["PER", "ORG"])
    found = examples(data, "token-classification")["train"]
    assert [(e.id, e.tokens, e.tags) for e in found] == [
        ("a", ("Ann", "saw", "Acme", "Ltd"), ("O", "O", "B-ORG", "I-ORG")),
        ("b", ("So", "it", "is"), ("O", "O", "O")),
    ]
    assert found.labels is not None
    assert found.labels.names == ("O", "B-PER", "I-PER", "B-ORG", "I-ORG")


@pytest.mark.parametrize("order", [1, -1])
def test_splits_may_differ_in_whether_all_annotations_are_of_whole_words(order: int) -> None:
    whole = DatasetForTokenClassification([tagged("Acme won it", ("ORG", 0, 4), id="a")])
    apart = DatasetForTokenClassification([tagged("Acme  lost", ("ORG", 0, 4), id="b")])
    train, test = [whole, apart][::order]
    found = examples({"train": train, "test": test}, "token-classification")
    assert {name: [e.spans for e in part] for name, part in found.items()} == {
        "train": [(Span("ORG", 0, 4),)],
        "test": [(Span("ORG", 0, 4),)],
    }


def test_text_to_text_learns_the_annotation() -> None:
    data = DatasetForText2Text([Text2TextRecord("hallo", annotation="hello", id="a"), Text2TextRecord("du", id="b")])
    found = examples(data, "sequence-sequence")["train"]
    assert [(e.id, e.text, e.target) for e in found] == [("a", "hallo", "hello")]


def test_a_task_without_labels_reads_records_without_annotation_too() -> None:
    data = classes("pos", None, None)
    data[2].status = "Discarded"
    found = examples(data, "language-modeling")["train"]
    assert ([e.text for e in found], found.account.left_out) == (["text 0", "text 1"], {"discarded": ["r2"]})


def test_a_mapping_of_data_sets_gives_the_splits() -> None:
    found = examples({"train": classes("pos", "neg"), "test": classes("neg"), "extra": classes("pos")})
    assert {name: len(part) for name, part in found.items()} == {"train": 2, "test": 1}


def test_a_split_that_nobody_annotated_is_not_used() -> None:
    assert list(examples({"train": classes("pos", "neg"), "test": classes(None)})) == ["train"]


def test_a_list_of_records_is_read_as_their_data_set() -> None:
    found = examples(classes("pos", "neg", None)[:])["train"]
    assert ([e.id for e in found], found.account.left_out) == (["r0", "r1"], {"not annotated": ["r2"]})
    with pytest.raises(DataError, match="must only contain TextClassificationRecord"):
        examples([*classes("pos", "neg"), Text2TextRecord("a")])


def test_limit_takes_the_first_records() -> None:
    found = examples(classes("pos", None, "neg", "pos"), limit=3)["train"]
    assert ([e.id for e in found], found.account.total) == (["r0", "r2"], 3)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny.bert(tmp_path_factory.mktemp("bert"))


def stored(count: int = 12) -> DatasetForTextClassification:
    """Records logged and loaded: the last one discarded, the one before not annotated."""
    data = classes(*[["good", "bad"][n % 2] for n in range(count)], None, "bad")
    data[-1].status = "Discarded"
    records.log(data, "reviews", verbose=False)
    found: DatasetForTextClassification = records.load("reviews")
    return found


def uses(id: str, kind: str = "used") -> list[dict[str, Any]]:
    session = opened.active()
    found: list[Event] = session.holder.history("reviews", session.workspace, id)
    return [event.set for event in found if event.kind == kind]


def test_the_history_of_a_record_tells_its_split_and_the_run_that_trained_on_it(bert: str, tmp_path: Path) -> None:
    done = tunesmith.train(stored(), base=bert, validation=0.25, output_dir=tmp_path / "out", **QUICK)
    told = {f"r{n}": uses(f"r{n}") for n in range(14)}
    run_of = str((tmp_path / "out").resolve())
    assert sorted(each[0]["split"] for each in told.values() if each) == ["train"] * 9 + ["validation"] * 3
    assert all(each == [{"split": each[0]["split"], "run": run_of}] for each in told.values() if each)
    assert (told["r12"], told["r13"]) == ([], [])
    assert set(done.evaluate(records.load("reviews"))) >= {"accuracy", "f1_good", "f1_bad"}
    assert uses("r0") == told["r0"]  # scoring is no training


def test_each_data_set_of_a_run_is_told_by_its_own_name(bert: str) -> None:
    train = stored()
    records.log(classes("good", "bad"), "held", workspace="other", verbose=False)
    tunesmith.train(train, base=bert, test=records.load("held", workspace="other"), **QUICK)
    assert uses("r0") == [{"split": "train", "run": "in memory"}]
    found = opened.active().holder.history("held", "other", "r0")
    assert [event.set for event in found if event.kind == "used"] == [{"split": "test", "run": "in memory"}]


def test_a_run_stands_though_the_store_lost_a_record_meanwhile(bert: str) -> None:
    data = stored()
    records.delete_records("reviews", ids=["r3"])
    notes: list[str] = []
    listener = lambda kind, said: notes.append(said.get("text", ""))  # noqa: E731
    data.append(TextClassificationRecord("of this session alone", id="new", annotation="bad"))
    done = tunesmith.train(data, base=bert, listener=listener, **QUICK)
    assert len(done.predict(["x"])) == 1
    told = [note for note in notes if "not noted in the history" in note]
    assert len(told) == 1
    assert "'reviews' of default at " in told[0]
    assert "no record with the id 'r3'" in told[0]


def test_records_added_after_the_load_are_passed_over_in_the_history() -> None:
    data = stored()
    data.append(TextClassificationRecord("of this session alone", id="new", annotation="bad"))
    data.prepare_for_training("transformers", TextClassificationSettings(["good", "bad"]))
    assert uses("r0") == [{"split": "train"}]


def test_a_prediction_has_the_id_of_its_record_discarded_or_not(bert: str) -> None:
    data = stored()
    done = tunesmith.train(data, base=bert, **QUICK)
    found = done.predict(data)
    assert [each.id for each in found] == [record.id for record in data]
    assert [each.label for each in found] == [each.label for each in done.predict([record.text for record in data])]
    assert done.predict(DatasetForTextClassification()) == []


def test_the_drop_in_for_txtai_reads_records_too(bert: str) -> None:
    model, _ = HFTrainer()(bert, stored(), **QUICK)
    assert model.config.id2label == {0: "bad", 1: "good"}
    assert {each["run"] for n in range(12) for each in uses(f"r{n}")} == {"in memory"}


def test_a_language_model_is_scored_on_records_without_annotation_too(bert: str) -> None:
    data = classes(None, None)
    done = tunesmith.train(data, task="language-modeling", base=bert, **QUICK)
    assert done.evaluate(data)["perplexity"] > 1
    process, _, _ = HFTrainer().prepare(
        "language-modeling", data, done.tokenizer, None, 64, 8, None, None, HFTrainer().parse(QUICK)
    )
    assert len(process(data)) > 0


def test_preparing_a_stored_data_set_notes_the_parts() -> None:
    settings = TextClassificationSettings(["good", "bad"])
    made = stored().prepare_for_training("spark-nlp", settings, train_size=0.75, seed=1)
    for name, part in zip(("train", "test"), made, strict=True):
        assert [uses(each) for each in part["id"]] == [[{"split": name}]] * len(part)
    assert (uses("r12"), uses("r13")) == ([], [])


def test_a_server_is_told_too_and_an_annotator_may_not_tell_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = TextClassificationSettings(["good", "bad"])
    with run(tmp_path / "served.db") as served:
        records.init(served.url, served.key("ada"), workspace="team")
        data = stored()
        data.prepare_for_training("transformers", settings)
        assert uses("r0") == [{"split": "train"}]
        records.init(served.url, served.key("ann", "annotator", "team"), workspace="team")
        rows = records.load("reviews").prepare_for_training("transformers", settings)
        assert len(rows) == 12
        assert uses("r0") == [{"split": "train"}]
        assert "the parts are not noted in the history of 'reviews' of team at http://127.0.0.1" in caplog.text
        held = records.load("reviews")
        records.close()
        held.prepare_for_training("transformers", settings)
        assert "the connection to this server was closed" in caplog.text
