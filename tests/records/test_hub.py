"""Data sets of records pushed to a hub on this machine, and loaded from it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

import hub
import tunesmith
from tunesmith.errors import DataError, ServerError
from tunesmith.records import (
    DatasetForText2Text,
    DatasetForTextClassification,
    Text2TextRecord,
    TextClassificationRecord,
    TextClassificationSettings,
    load_from_hub,
)
from tunesmith.records.hub import _files_of, _task, front_matter, written

TOKEN = "hf_" + "Secret" * 6
WORK = """
import json, sys
from tunesmith.errors import TunesmithError
from tunesmith.records import *
url, token = json.load(sys.stdin)

def told(call):
    try:
        call()
    except TunesmithError as error:
        return f"{type(error).__name__}: {error}"

train = DatasetForTextClassification([
    TextClassificationRecord("Good ✓", annotation="pos", id="007", metadata={"n": 1, "mixed": "a"}),
    TextClassificationRecord("Bad", annotation="neg", id=8, metadata={"mixed": 2}),
    TextClassificationRecord("?", prediction=[("pos", 0.5)]),
])
test = DatasetForTextClassification([TextClassificationRecord("So so", annotation="mid", id="t")])
spans = DatasetForTokenClassification([TokenClassificationRecord("I like New York", annotation=[("LOC", 7, 15)])])
at = {"token": token, "endpoint": url}
address = train.push_to_hub("films", private=True, **at)
test.push_to_hub("tester/films", split="test", **at)
spans.push_to_hub("lab/spans", settings=TokenClassificationSettings(["PER", "LOC"]), **at)
loaded = load_from_hub("tester/films", **at)
failures = {
    "no split": told(lambda: load_from_hub("tester/films", split="dev", **at)),
    "no repository": told(lambda: load_from_hub("tester/nothing", **at)),
    "wrong token": told(lambda: load_from_hub("tester/films", token="hf_" + "z" * 30, endpoint=url)),
    "wrong push": told(lambda: train.push_to_hub("films", token="hf_" + "z" * 30, endpoint=url)),
}
json.dump({
    "address": address,
    "same": loaded == train and type(loaded) is DatasetForTextClassification,
    "test": DatasetForTextClassification.from_hub("tester/films", split="test", **at) == test,
    "spans": load_from_hub("lab/spans", **at) == spans,
    "settings": [load_from_hub("lab/spans", **at).settings, loaded.settings] == [
        TokenClassificationSettings(["PER", "LOC"]), None
    ],
    "failures": failures,
}, sys.stdout)
"""


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """(hub, what the work above told): in a process of its own, as the library reads its environment once."""
    place = tmp_path_factory.mktemp("hub")
    with hub.serve(TOKEN) as served:
        environment = {
            **os.environ,
            "PYTHONPATH": str(Path(tunesmith.__file__).parents[1]),
            "HF_HUB_OFFLINE": "0",
            "HF_DATASETS_OFFLINE": "0",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HOME": str(place / "hf"),
        }
        made = subprocess.run(
            [sys.executable, "-c", WORK],
            input=json.dumps([served.url, TOKEN]),
            capture_output=True,
            text=True,
            cwd=place,
            env=environment,
        )
    assert made.returncode == 0, made.stderr
    assert TOKEN not in made.stdout + made.stderr
    return served, json.loads(made.stdout)


def test_a_data_set_comes_back_from_the_hub(pushed: Any) -> None:
    served, told = pushed
    assert (told["same"], told["test"], told["spans"]) == (True, True, True)
    assert told["settings"], "those that were pushed, and none where none were"
    assert told["address"] == f"{served.url}/datasets/tester/films"
    assert served.unknown == []


def test_a_repository_holds_a_file_a_split_and_a_card(pushed: Any) -> None:
    served, _ = pushed
    files = served.repositories["datasets/tester/films"]
    assert set(files) == {"README.md", "data/train.parquet", "data/test.parquet"}
    assert pq.read_table(io.BytesIO(files["data/test.parquet"])).column("annotation").to_pylist() == ["mid"]
    assert served.private == {"datasets/tester/films"}
    assert served.messages[0] == "train: 3 records of TextClassification"


def test_the_card_says_task_labels_and_counts_of_every_split(pushed: Any) -> None:
    served, _ = pushed
    card = served.repositories["datasets/tester/films"]["README.md"].decode()
    front = yaml.safe_load(card.split("---\n")[1])
    assert front["task_categories"] == ["text-classification"]
    assert front["size_categories"] == ["n<1K"]
    assert front["configs"] == [
        {
            "config_name": "default",
            "data_files": [
                {"split": "train", "path": "data/train.parquet"},
                {"split": "test", "path": "data/test.parquet"},
            ],
        }
    ]
    assert front["tunesmith"] == {
        "task": "TextClassification",
        "labels": ["neg", "pos", "mid"],
        "splits": {"train": {"records": 3, "annotated": 2}, "test": {"records": 1, "annotated": 1}},
    }
    assert "| train | 3 | 2 |\n| test | 1 | 1 |" in card
    assert "Labels, in the order of their ids: `neg`, `pos`, `mid`" in card
    spans = front_matter(served.repositories["datasets/lab/spans"]["README.md"].decode())
    assert spans["tunesmith"]["labels"] == ["PER", "LOC"]
    assert spans["task_categories"] == ["token-classification"]


def test_datasets_reads_what_was_pushed(pushed: Any, tmp_path: Path) -> None:
    import datasets

    served, _ = pushed
    for name, content in served.repositories["datasets/tester/films"].items():
        tmp_path.joinpath(name).parent.mkdir(exist_ok=True)
        tmp_path.joinpath(name).write_bytes(content)
    found = datasets.load_dataset(str(tmp_path), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in found.items()} == {"train": 3, "test": 1}
    assert found["train"]["text"][0] == "Good ✓"


def test_failures_of_a_hub_are_told(pushed: Any) -> None:
    served, told = pushed
    failures = told["failures"]
    assert failures["no split"] == (
        "DataError: tester/films has no parquet file of a split 'dev'. Files: data/test.parquet, data/train.parquet."
    )
    assert failures["no repository"].startswith(f"ServerError: {served.url} answered 404: ")
    for name in ("wrong token", "wrong push"):
        assert failures[name].startswith(f"ServerError: {served.url} answered 401: ")


def test_a_hub_that_does_not_answer_is_told() -> None:
    """Here because the tests are offline."""
    with pytest.raises(ServerError, match=r"http://127\.0\.0\.1:9 answered nothing: ") as caught:
        load_from_hub("lab/films", "Text2Text", endpoint="http://127.0.0.1:9")
    assert caught.value.retryable


def test_a_task_that_no_card_says_is_asked_for() -> None:
    with pytest.raises(DataError, match="the card of a/b does not say which task its records have: pass task='TextCl"):
        _task("# By hand", "a/b")
    assert _task(written("", DatasetForText2Text(), "train", None), "a/b") == "Text2Text"


def test_files_of_others_are_found() -> None:
    theirs = ["README.md", "data/train-00000-of-00002-ab.parquet", "data/train-00001-of-00002-cd.parquet"]
    assert _files_of("train", theirs, "a/b") == theirs[1:]
    assert _files_of("test", ["plain/test-00000-of-00001.parquet"], "a/b") == ["plain/test-00000-of-00001.parquet"]


def test_a_split_that_no_file_can_have_is_refused() -> None:
    with pytest.raises(DataError, match=r"split '\.\./train': expected letters, digits and underscores"):
        DatasetForText2Text().push_to_hub("a/b", split="../train")


def test_what_others_wrote_in_a_card_stays() -> None:
    dataset = DatasetForText2Text([Text2TextRecord("a", annotation="b")])
    card = "---\nlicense: mit\ntags:\n- mine\n---\n# My data\n\nBy hand.\n"
    once = written(card, dataset, "train", None)
    front = front_matter(once)
    assert front["license"] == "mit"
    assert front["tags"] == ["mine", "tunesmith"]
    assert "# My data\n\nBy hand.\n" in once
    assert "| train | 1 | 1 |" in once
    dataset.append(Text2TextRecord("c"))
    again = written(once + "\nMore by hand.\n", dataset, "train", None)
    assert "| train | 2 | 1 |" in again
    assert "| train | 1 | 1 |" not in again
    assert again.count("By hand.") == again.count("More by hand.") == 1
    assert "labels" not in front_matter(again)["tunesmith"]
    assert front_matter(written("---\na: [\n---\nText\n", dataset, "train", None))["tunesmith"]["task"] == "Text2Text"


def test_the_settings_order_the_labels_of_the_card() -> None:
    dataset = DatasetForTextClassification([TextClassificationRecord("a", annotation="neg")])
    settings = TextClassificationSettings(["pos", "neg", "zero"])
    assert front_matter(written("", dataset, "train", settings))["tunesmith"]["labels"] == ["pos", "neg", "zero"]
