"""The defects of Argilla v1's records, data sets, preparing and client, by their numbers in our study of it.

Each is the whole call as a user of the drop-in makes it; the closest tests of a part stand beside that part. Those of
training (1, 3, 5-7, 10-13, 16, 17, 21, 24, 26) are no matter of records.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pandas
import pytest
from datasets import Dataset

from serving import run
from tunesmith import argilla as rg
from tunesmith.errors import TunesmithError
from tunesmith.records import opened, session
from tunesmith.records.preparing import TASKS, prepare
from tunesmith.registry import frameworks

SETTINGS = rg.TextClassificationSettings(["pos", "neg", "zero"])
ENTITIES = rg.TokenClassificationSettings(["PER", "LOC"])
CLASSIFIERS = ("transformers", "peft", "setfit", "spacy", "spacy-transformers", "spark-nlp", "openai", "autotrain")


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No variables, a home and a working folder of its own, and nothing open before and after."""
    for name in (*opened.URLS, *opened.KEYS, *opened.WORKSPACES):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TUNESMITH_HOME", str(tmp_path / "home"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    session.close()
    yield
    session.close()


def reviews(count: int = 12) -> Any:
    """Annotated pos and neg in turn, with the texts "text 0" …"""
    return rg.DatasetForTextClassification(
        [rg.TextClassificationRecord(f"text {n}", annotation=["pos", "neg"][n % 2], id=n) for n in range(count)]
    )


def texts_of(made: Any) -> list[str]:
    """The texts of one part in any framework's form."""
    if hasattr(made, "get_docs"):
        import spacy

        return [doc.text for doc in made.get_docs(spacy.blank("en").vocab)]
    if hasattr(made, "rows") or isinstance(made, list):
        return [row["messages"][0]["content"] for row in made]
    return list(made["text"])


def parts_of(made: Any) -> tuple[Any, Any]:
    return (made["train"], made["test"]) if isinstance(made, dict) else made


def prepared(data: Any, framework: str, **options: Any) -> Any:
    lang = "en" if framework.startswith("spacy") else None
    if lang:
        pytest.importorskip("spacy", reason="spaCy is not installed")
    return data.prepare_for_training(framework, options.pop("settings", SETTINGS), lang, **options)


@pytest.mark.parametrize("framework", CLASSIFIERS)
def test_02_a_split_holds_no_row_twice(framework: str) -> None:
    train, test = map(texts_of, parts_of(prepared(reviews(), framework, train_size=0.5, seed=1)))
    assert (len(train), len(test), len({*train, *test})) == (6, 6, 12)


def test_04_a_span_that_is_corrected_keeps_its_score() -> None:
    record = rg.TokenClassificationRecord("Bo Li came", ["Bo", "Li", "came"], prediction=[("PER", 0, 6, 0.7)])
    assert record.prediction == [("PER", 0, 5, 0.7)]


@pytest.mark.parametrize("framework", CLASSIFIERS)
def test_08_label_ids_are_those_of_the_settings_in_every_framework(framework: str) -> None:
    made = prepared(reviews(2), framework)
    if framework in ("transformers", "peft", "setfit", "autotrain"):
        label = "target" if framework == "autotrain" else "label"
        assert (made.features[label].names, made[label]) == (["pos", "neg", "zero"], [0, 1])
    elif framework == "openai":
        rows = prepared(reviews(2), framework, format="prompt")
        assert [row["completion"].split() for row in rows] == [["0"], ["1"]]
    elif framework == "spark-nlp":
        assert list(made["label"]) == ["pos", "neg"]  # names, so there is nothing to shift
    else:
        import spacy

        cats = [doc.cats for doc in made.get_docs(spacy.blank("en").vocab)]
        assert [list(each.items()) for each in cats] == [
            [("pos", 1.0), ("neg", 0.0), ("zero", 0.0)],
            [("pos", 0.0), ("neg", 1.0), ("zero", 0.0)],
        ]


@pytest.mark.parametrize("framework", CLASSIFIERS)
def test_09_discarded_records_are_not_trained_on(framework: str) -> None:
    data = reviews(4)
    data[1].status = "Discarded"
    assert texts_of(prepared(data, framework)) == ["text 0", "text 2", "text 3"]


@pytest.mark.parametrize("framework", CLASSIFIERS)
def test_09_seed_0_is_a_seed(framework: str) -> None:
    found = []
    for noise in (1, 2):
        random.seed(noise)
        found.append(tuple(map(texts_of, parts_of(prepared(reviews(40), framework, train_size=0.5, seed=0)))))
    other = tuple(map(texts_of, parts_of(prepared(reviews(40), framework, train_size=0.5, seed=1))))
    assert found[0] == found[1] != other


def test_09_ids_that_look_like_numbers_stay_text() -> None:
    rg.log([rg.Text2TextRecord("a", id="007"), rg.Text2TextRecord("b", id="1")], "ids", verbose=False)
    assert [record.id for record in rg.load("ids")] == ["007", "1"]


def test_09_nan_is_no_label() -> None:
    frame = pandas.DataFrame({"text": ["a", "b"], "annotation": ["pos", float("nan")]})
    assert [record.annotation for record in rg.read_pandas(frame, "TextClassification")] == ["pos", None]


def test_09_18_one_label_and_a_list_are_not_confused() -> None:
    with pytest.raises(ValueError, match=r"\['pos'\]"):
        rg.TextClassificationRecord("a", annotation="pos", multi_label=True)
    with pytest.raises(ValueError, match="multi_label=True"):
        rg.TextClassificationRecord("a", annotation=["pos", "neg"])
    table = Dataset.from_dict({"text": ["a", "b"], "annotation": [["pos", "neg"], []]})
    made = rg.read_datasets(table, "TextClassification").prepare_for_training("transformers", SETTINGS)
    assert (made["label"], made["binarized_label"]) == ([[0, 1], []], [[1, 1, 0], [0, 0, 0]])


def test_14_spans_of_local_and_of_stored_records_are_prepared_for_spark_nlp() -> None:
    local = rg.DatasetForTokenClassification(
        [rg.TokenClassificationRecord("Bo is in Oslo", annotation=[("PER", 0, 2), ("LOC", 9, 13)], id="a")]
    )
    rg.log(local, "spans", verbose=False)
    for data in (local, rg.load("spans")):
        frame = prepared(data, "spark-nlp", settings=ENTITIES)
        assert frame.iloc[0].to_dict() == {
            "id": "a",
            "text": "Bo is in Oslo",
            "token": ["Bo", "is", "in", "Oslo"],
            "label": ["B-PER", "O", "O", "B-LOC"],
        }


def test_15_texts_to_be_written_get_no_instruction_to_classify() -> None:
    data = rg.DatasetForText2Text([rg.Text2TextRecord("hallo", annotation="hello")])
    (row,) = data.prepare_for_training("openai")
    assert [turn["content"] for turn in row["messages"]] == ["hallo", "hello"]


def test_19_a_missing_column_of_tokens_is_an_error_that_names_it() -> None:
    table = Dataset.from_dict({"words": [["a"]], "annotation": [[]]})
    with pytest.raises(ValueError, match=r"no column 'tokens'.* Columns: words, annotation") as caught:
        rg.DatasetForTokenClassification.from_datasets(table)
    assert isinstance(caught.value, TunesmithError)


def test_20_everything_works_without_a_server() -> None:
    rg.log(reviews(), "reviews", verbose=False)
    rg.configure_dataset_settings("reviews", SETTINGS)
    found = rg.load("reviews", query="annotated_as:pos")
    assert texts_of(found.prepare_for_training("setfit")) == [f"text {n}" for n in range(0, 12, 2)]


@pytest.mark.filterwarnings("ignore:no settings were given")
@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"train_size": 2}, "train_size"),
        ({"train_size": 0}, "train_size"),
        ({"train_size": -0.5}, "train_size"),
        ({"train_size": 0.7, "test_size": 0.5}, "test_size"),
        ({"framework": "mock"}, "unknown framework 'mock'"),
        ({"framework": "trl"}, "trl"),
        ({"framework": "spacy"}, "lang"),
        ({"framework": "span-marker"}, "span-marker cannot prepare"),
        ({"settings": ENTITIES}, "TextClassificationSettings"),
    ],
)
def test_22_errors_are_value_errors_with_a_reason(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told) as caught:
        reviews().prepare_for_training(**options)
    assert isinstance(caught.value, TunesmithError)
    assert not isinstance(caught.value, AssertionError | NotImplementedError)


@pytest.mark.filterwarnings("ignore:no settings were given")
def test_22_every_framework_prepares_a_task_or_says_why_not() -> None:
    records = {
        "TextClassification": reviews(2)[:],
        "TokenClassification": [rg.TokenClassificationRecord("Bo x", annotation=[("PER", 0, 2)])],
        "Text2Text": [rg.Text2TextRecord("a", annotation="b")],
    }
    refused = []
    for task, framework in product(TASKS, frameworks.names()):
        try:
            prepare(records[task], task, framework, None, "en")
        except ValueError as error:
            refused.append((framework, task, str(error)))
    assert len(refused) >= 8
    assert [told for framework, _, told in refused if not told.startswith(f"{framework} cannot prepare")] == []


def test_22_where_nothing_is_annotated_the_error_counts_why() -> None:
    data = rg.DatasetForTextClassification([rg.TextClassificationRecord("a"), rg.TextClassificationRecord("b")])
    with pytest.raises(ValueError, match="2 left out: not annotated"):
        data.prepare_for_training()


def test_23_no_file_is_written_and_no_variable_is_needed() -> None:
    env = {name: value for name, value in os.environ.items() if not name.endswith(("_KEY", "_TOKEN"))}
    script = """
import logging, sys
logging.basicConfig(level="INFO", stream=sys.stdout, format="%(message)s")
import tunesmith.argilla as rg
records = [rg.TextClassificationRecord(f"t{n}", annotation="ab"[n % 2]) for n in range(200)]
data = rg.DatasetForTextClassification(records)
data.prepare_for_training("openai", rg.TextClassificationSettings(["a", "b"]), train_size=0.5)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=env)
    assert done.stdout == "openai: 100 to train and 100 to test\n"
    assert list(Path.cwd().iterdir()) == []


def test_25_a_workspace_argument_is_of_its_call_alone_at_a_server_too(tmp_path: Path) -> None:
    with run(tmp_path / "served.db") as served:
        rg.init(served.url, served.key("ada"), workspace="one")
        rg.log(reviews(2), "reviews", workspace="two", verbose=False)
        assert len(rg.load("reviews", workspace="two")) == 2
        rg.delete_records("reviews", "two", ids=[0])
        assert rg.get_workspace() == "one"
        with pytest.raises(ValueError, match="unknown workspace: 'one'"):
            rg.load("reviews")


def test_25_a_data_set_made_anew_is_not_taken_for_the_one_before() -> None:
    rg.log(reviews(2), "d", verbose=False)
    assert rg.load("d")[0].text == "text 0"
    rg.delete("d")
    rg.log(rg.Text2TextRecord("now a text"), "d", verbose=False)
    assert [type(record).__name__ for record in rg.load("d")] == ["Text2TextRecord"]


def test_26_what_the_caller_gave_stays_as_it_was() -> None:
    record = rg.TextClassificationRecord("a", annotation="pos", metadata={"k": 1}, vectors={"v": [1.0]})
    before = json.dumps(record.to_dict())
    options: dict[str, Any] = {"system": "Be brief."}
    rg.log(record, "d", verbose=False)
    rg.DatasetForTextClassification([record]).prepare_for_training("openai", SETTINGS, **options)
    assert (json.dumps(record.to_dict()), options) == (before, {"system": "Be brief."})
