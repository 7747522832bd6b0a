"""`tunesmith train` by the name of a data set and by framework: what it asks, what it refuses before data is read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import small_tasks
import tunesmith.argilla as rg
from serving import run as served
from tunesmith import cli
from tunesmith.argilla_trainer import ArgillaTrainer
from tunesmith.records import session


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A folder of its own, and a store with messages in it."""
    monkeypatch.chdir(tmp_path)
    rows = small_tasks.classes()[0]
    records = [
        rg.TextClassificationRecord(
            row["text"], annotation=row["label"], id=at, metadata={"split": ("a", "b")[at % 3 > 0]}
        )
        for at, row in enumerate(rows)
    ]
    rg.log(records, "spam", verbose=False)
    rg.log(records[:40], "theirs", workspace="other", verbose=False)
    session.close()
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    yield
    session.close()


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    def command(*words: str) -> tuple[int, str, str]:
        code = cli.main(["train", *words])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return command


def lock(folder: str = "model") -> Any:
    return json.loads(Path(folder, "run.lock").read_text())


def test_a_stored_data_set_is_trained_whole_into_the_folder_model(run: Any) -> None:
    code, out, err = run("--name", "spam", "--framework", "baseline")
    assert code == 0, err
    assert out.startswith("no held-out rows, so no scores: --train-size 0.9 holds some out")
    assert "model in model; `tunesmith predict model TEXT` predicts." in out
    told = lock()
    assert (told["settings"]["framework"], told["seed"]) == ("baseline", 42)
    assert {part: len(rows["rows"]) for part, rows in told["data"].items()} == {"train": 120}


def test_every_flag_reaches_the_run(run: Any) -> None:
    flags = ["--workspace", "default", "--limit", "60", "--query", "metadata.split:b", "--train-size", "0.75"]
    flags += ["--seed", "0", "--device", "cpu", "--output-dir", "out", "--update-config-kwargs", '{"ngrams": 3}']
    code, out, err = run("--name", "spam", "--framework", "baseline", *flags, "--json")
    assert code == 0, err
    assert json.loads(out)["test"]["accuracy"] > 0.5
    told = lock("out")
    assert (told["seed"], told["settings"]["ngrams"], told["settings"]["device"]) == (0, 3, "cpu")
    rows = told["data"]
    assert (len(rows["train"]["rows"]), len(rows["test"]["rows"])) == (45, 15)
    assert all(row % 3 for row in rows["train"]["rows"] + rows["test"]["rows"])


def test_the_environment_names_the_workspace(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARGILLA_WORKSPACE", "other")
    assert run("--name=theirs", "--framework=baseline", "--device=-1")[0] == 0
    assert len(lock()["data"]["train"]["rows"]) == 40


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--name", "spam"], "--framework is missing: a data set is trained by one of transformers, peft"),
        (["--name", "spam", "--framework", "setfitt"], "unknown framework 'setfitt'. Did you mean 'setfit'?"),
        (["rows.jsonl", "--framework", "setfitt"], "unknown framework 'setfitt'. Did you mean 'setfit'?"),
        (["rows.jsonl", "--name", "spam", "--framework", "baseline"], "FILE (rows.jsonl) and --name are both given"),
        ([], "FILE is missing: give the training data, --name with a stored data set, or a run file"),
        (["--framework", "baseline"], "FILE is missing"),
        (["--name", "--framework", "baseline"], "expected one argument"),
        (
            ["--name", "spam", "--framework", "baseline", "--update-config-kwargs", "{ngrams: 3}"],
            "--update-config-kwargs is '{ngrams: 3}', which is no JSON",
        ),
        (
            ["--name", "spam", "--framework", "baseline", "--update-config-kwargs", "[3]"],
            "--update-config-kwargs is '[3]': expected a mapping",
        ),
        (
            ["--name", "spam", "--framework", "baseline", "--update-config-kwargs", '{"ngram": 3}'],
            "unknown setting 'ngram'. Did you mean 'ngrams'?",
        ),
        (["--name", "spam", "--framework", "baseline", "--train-size", "2"], "--train-size is '2': expected a share"),
        (["--name", "spam", "--framework", "baseline", "--device", "tpu"], "--device is 'tpu': expected auto, -1, cpu"),
        (
            ["--name", "spam", "--framework", "baseline", "--limits", "2"],
            "unknown flag --limits. Did you mean '--limit'",
        ),
        (
            ["--name", "spam", "--framework", "baseline", "--ngrams", "3"],
            "--ngrams goes with FILE: beside --name say --update-config-kwargs '{\"ngrams\": …}'",
        ),
        (
            ["--name", "spam", "--framework", "baseline", "--validation=0.2"],
            "--validation goes with FILE: beside --name, --train-size X scores the other records",
        ),
        (
            ["--name", "spam", "--framework", "spacy", "--update-config-kwargs", '{"dropout": null}'],
            "setting 'dropout' is None: expected a number from 0 to 1",
        ),
        (["rows.jsonl", "--framework", "baseline", "--lora"], "unknown flag --lora"),
        (
            ["rows.jsonl", "--framework", "baseline", "--update_config_kwargs", "{}"],
            "--update-config-kwargs goes with --name: beside FILE each setting is a flag of its own",
        ),
        (
            ["rows.jsonl", "--framework", "baseline", "--train-size=0.8"],
            "--train-size goes with --name: beside FILE, --test X holds",
        ),
        (["rows.jsonl", "--query", "good"], "--query goes with --name: FILE is not in a store of records"),
        (
            ["rows.jsonl", "--framework", "baseline", "--device", "0"],
            "expected 'cpu' or 'auto': the baseline counts on",
        ),
    ],
)
def test_what_cannot_be_is_one_line_and_exit_2_before_data_is_read(
    run: Any, words: list[str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "load", lambda *_, **__: pytest.fail("records were read"))
    monkeypatch.setattr("tunesmith.api.read_data", lambda *_, **__: pytest.fail("data was read"))
    code, out, err = run(*words)
    assert (code, out) == (2, ""), err
    assert err.startswith("tunesmith: error: ")
    assert told in err
    assert err.count("\n") == 1


def test_a_data_set_that_is_not_there_is_one_line_and_exit_1(run: Any) -> None:
    code, _, err = run("--name", "spma", "--framework", "baseline")
    assert code == 1
    assert "spma" in err
    assert err.count("\n") == 1


def test_a_file_is_trained_by_a_framework_with_its_own_flags(run: Any) -> None:
    words = ["rows.jsonl", "--framework", "baseline", "--ngrams", "3", "--test", "0.25", "--limit", "80", "--seed", "0"]
    code, out, err = run(*words, "--device", "-1")
    assert code == 0, err
    assert "accuracy" in out
    told = lock()
    assert (told["settings"]["ngrams"], told["settings"]["limit"], told["seed"]) == (3, 80, 0)
    assert len(told["data"]["train"]["rows"]) == 60


def test_a_run_file_names_the_framework_of_its_keys(run: Any, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("train: rows.jsonl\nframework: baseline\nngrams: 1\n", encoding="utf-8")
    assert run("--config", "run.yaml")[0] == 0
    assert lock()["settings"]["ngrams"] == 1
    (tmp_path / "run.yaml").write_text("train: rows.jsonl\nframework: baseline\nbf16: true\n", encoding="utf-8")
    code, _, err = run("--config", "run.yaml")
    assert code == 2
    assert "run.yaml, line 3: setting 'bf16' says nothing to baseline. Its own settings: ngrams" in err


def test_help_shows_the_settings_of_the_framework_that_is_asked_for(run: Any) -> None:
    code, out, _ = run("--framework", "baseline", "--help")
    assert code == 0
    assert "Training arguments of baseline:" in out
    assert "--max-iter N" in out
    assert "--num-train-epochs" not in out
    assert "--num-train-epochs" in run("--help")[1]
    code, out, _ = run("--name", "--help")
    assert code == 0
    assert "--update-config-kwargs JSON" in out


def test_the_model_is_the_base(run: Any) -> None:
    for words in (["rows.jsonl"], ["--name", "spam"]):
        code, _, err = run(*words, "--framework", "baseline", "--model", "minilm")
        assert code == 2
        assert "setting 'base' is 'minilm': expected None: the baseline starts from no model" in err


def test_python_m_tunesmith_is_the_same(tmp_path: Path) -> None:
    words = ["train", "--name", "spam", "--framework", "baseline", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "tunesmith", *words], capture_output=True, text=True, env={**os.environ}, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {}
    assert (tmp_path / "model" / "tunesmith.json").is_file()


def test_records_of_a_server_are_trained_and_marked_there(run: Any, tmp_path: Path) -> None:
    with served(tmp_path / "server.db") as server:
        key = server.key("ana", "owner")
        session.init(server.url, key, "default")
        rows = small_tasks.classes()[0][:40]
        rg.log(
            [rg.TextClassificationRecord(row["text"], annotation=row["label"], id=at) for at, row in enumerate(rows)],
            "far",
            verbose=False,
        )
        session.close()
        words = ["--name", "far", "--framework", "baseline", "--train-size", "0.5", "--workspace", "default"]
        code, out, err = run(*words, "--api-url", server.url, "--api-key", key)
        assert code == 0, err
        assert "accuracy" in out
        code, _, err = run(*words, "--api-url", server.url, "--api-key", key)  # the same again: the former run is known
        assert code == 0, err
        assert f"against {tmp_path / 'model'}, with +0 training rows" in err
        assert "on 20 rows: too few to tell" in err
        events = server.remote(key).history("far", "default", 0)
        assert [event.set["run"] for event in events if event.kind == "used"] == [str(tmp_path / "model")] * 2
        asked = ["--name", "far", "--strategy", "disagreement", "--api-url", server.url, "--api-key", key]
        assert cli.main(["records", "next", *asked]) == 0
        code, _, err = run("--name", "far", "--framework", "baseline", "--api-url", server.url, "--api-key", "wrong")
        assert code == 1
        assert "answered 401" in err
        assert err.count("\n") == 1


def test_predictions_are_stored_with_the_records_and_tell_what_to_label_next(
    run: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Train, predict, ask what is next: the loop of a night, without a line of Python."""
    assert run("--name", "spam", "--framework", "baseline", "--query", "metadata.split:a")[0] == 0
    whole = rg.load("spam")
    assert cli.main(["records", "predict", "spam", "model", "--query", "metadata.split:b"]) == 0
    asked = sum(record.metadata["split"] == "b" for record in whole)
    assert capsys.readouterr().out == f"predicted {asked:,} records of 'spam' by model\n"
    session.close()
    for before, after in zip(whole, rg.load("spam"), strict=True):
        assert (after.id, after.annotation, after.inputs) == (before.id, before.annotation, before.inputs)
        assert (after.prediction_agent == "baseline:model") == (before.metadata["split"] == "b")
        assert after.prediction is None or {name for name, _ in after.prediction} == {"ham", "spam"}
    assert cli.main(["records", "predict", "spam", "model", "--limit", "3"]) == 0
    assert sum(record.prediction is not None for record in rg.load("spam")) > asked
    rg.log([rg.TextClassificationRecord(record.text, id=record.id) for record in whole], "open", verbose=False)
    session.close()
    assert cli.main(["records", "predict", "open", "model"]) == 0
    capsys.readouterr()
    assert cli.main(["records", "next", "open", "--limit", "5", "--json"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 5


def test_windows_of_records_are_predicted_one_after_another(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tunesmith.cli.labelling._WINDOW", 7)
    assert run("--name", "spam", "--framework", "baseline")[0] == 0
    assert cli.main(["records", "predict", "spam", "model"]) == 0
    found = rg.load("spam")
    assert all(record.prediction_agent == "baseline:model" for record in found)
    assert [record.id for record in found] == list(range(len(small_tasks.classes()[0])))


def test_a_model_of_another_task_is_refused_and_changes_no_record(run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--name", "spam", "--framework", "baseline")[0] == 0
    rg.log([rg.TokenClassificationRecord("Ann left", id=1)], "names", verbose=False)
    session.close()
    assert cli.main(["records", "predict", "names", "model"]) == 1
    told = "the run is trained for text-classification, the data set holds records of token-classification."
    assert told in capsys.readouterr().err
    assert rg.load("names")[0].prediction is None
    assert cli.main(["records", "predict", "nothing", "model"]) == 1
    assert cli.main(["records", "predict", "spam", "nowhere"]) == 1
    assert cli.main(["records", "predict", "spam", "model", "--limit", "-1"]) == 2


def test_labels_that_the_data_set_does_not_have_are_not_stored(run: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--name", "spam", "--framework", "baseline")[0] == 0
    rg.log([rg.TextClassificationRecord("a day", id=1)], "days", verbose=False)
    rg.configure_dataset_settings("days", settings=rg.TextClassificationSettings(["good", "ham"]))
    rg.log([rg.TextClassificationRecord("a day", id=1, multi_label=True)], "many", verbose=False)
    session.close()
    assert cli.main(["records", "predict", "days", "model"]) == 1
    assert "the run knows spam: not among the labels" in capsys.readouterr().err
    assert cli.main(["records", "predict", "many", "model"]) == 1
    assert "record 1 holds several labels, the run predicts one label." in capsys.readouterr().err
    assert [rg.load(name)[0].prediction for name in ("days", "many")] == [None, None]


def test_what_others_write_while_a_model_predicts_stays(
    run: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One record is annotated, one deleted and one rewritten between reading and storing."""
    assert run("--name", "spam", "--framework", "baseline")[0] == 0
    texts = ("first", "second", "third", "fourth")
    rg.log(
        [
            rg.TextClassificationRecord(text, id=at, vectors={"v": [float(at), 1.0]}, metadata={"at": at})
            for at, text in enumerate(texts)
        ],
        "open",
        verbose=False,
    )
    plain = ArgillaTrainer.predict

    def slow(self: Any, *given: Any, **more: Any) -> Any:
        made = plain(self, *given, **more)
        session.close()
        rg.log(rg.TextClassificationRecord("second", id=1, annotation="ham", status="Discarded"), "open", verbose=False)
        rg.delete_records("open", ids=[2])
        rg.log(rg.TextClassificationRecord("rewritten", id=3), "open", verbose=False)
        session.close()
        return made

    monkeypatch.setattr(ArgillaTrainer, "predict", slow)
    capsys.readouterr()
    assert cli.main(["records", "predict", "open", "model"]) == 0
    told = "predicted 2 records of 'open' by model\n2 records changed or went meanwhile, and got no prediction\n"
    assert capsys.readouterr().out == told
    first, second, fourth = rg.load("open")
    assert (second.annotation, second.status) == ("ham", "Discarded")
    assert (first.vectors, first.metadata) == ({"v": [0.0, 1.0]}, {"at": 0})
    assert [record.prediction_agent for record in (first, second, fourth)] == ["baseline:model"] * 2 + [None]
