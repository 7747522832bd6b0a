"""Models that a service tunes: what is sent, when it is not, and who is asked."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import small_tasks
import tunesmith.argilla as rg
from openai_kit import (
    HELD,
    ROWS,
    SYSTEM,
    TARGET,
    TOKENS,
    UPLOADED,
    count,
    notes,
    train,
    unread,
)
from openai_service import BASE, KEY, Service
from tunesmith import cli
from tunesmith.argilla_trainer import ArgillaTrainer
from tunesmith.errors import (
    ConfigError,
    DataError,
    MissingCredential,
    NotInstalled,
    UnsupportedTask,
)
from tunesmith.frameworks import openai_plan
from tunesmith.frameworks.openai_arguments import ARGUMENTS
from tunesmith.records import session

# What is sent


def test_the_rows_are_sent_row_by_row_with_one_system_message_that_names_the_labels(service: Service) -> None:
    train()
    rows = service.rows("file-1")
    turns = [[(turn["role"], turn["content"]) for turn in row["messages"]] for row in rows]
    assert [(user, answer) for _, (_, user), (_, answer) in turns] == [(row["text"], row["label"]) for row in ROWS]
    (system,) = {system for system, _, _ in turns}
    assert system[0] == "system"
    assert '"ham", "spam"' in system[1]


def test_rows_of_the_test_part_are_never_uploaded(service: Service) -> None:
    """Argilla's split for openai held every row twice."""
    train(ROWS + HELD, test=0.25, validation=0.2, seed=3)
    sent = [row["messages"][1]["content"] for name in service.files for row in service.rows(name)]
    asked = [turns["messages"][1]["content"] for turns in service.asked]
    held = [row["text"] for row in ROWS + HELD if row["text"] not in sent]
    assert len(sent) + len(held) == len(ROWS + HELD)
    assert (len(held), len(service.files)) == (8, 2)
    assert set(held) <= set(asked), "the test rows are scored"


def test_the_job_has_the_hyperparameters_and_nothing_that_was_not_said(service: Service, tmp_path: Path) -> None:
    train(output_dir=tmp_path / "my-model", seed=7)  # Argilla took the folder for the suffix
    train(n_epochs=2, batch_size=4, learning_rate_multiplier=0.5, suffix="mine", validation=HELD)
    first, second = (job.wanted for job in service.jobs.values())
    assert first == {
        "model": BASE,
        "training_file": "file-1",
        "seed": 7,
        "method": {"type": "supervised", "supervised": {}},
    }
    assert second["method"]["supervised"]["hyperparameters"] == {
        "n_epochs": 2,
        "batch_size": 4,
        "learning_rate_multiplier": 0.5,
    }
    assert (second["suffix"], second["validation_file"]) == ("mine", "file-3")
    assert service.keys == {f"Bearer {KEY}"}


def test_a_text_for_a_text_is_sent_without_any_instruction(service: Service) -> None:
    """Argilla put "Classify the following text:" before texts to translate."""
    words = "one two three four five six seven eight nine ten eleven twelve".split()
    rows = [{"source": f"{word} of them", "target": f"{word.upper()} OF THEM"} for word in words]
    run = train(rows, task=TARGET)
    assert [row["messages"] for row in service.rows("file-1")] == [
        [{"role": "user", "content": row["source"]}, {"role": "assistant", "content": row["target"]}] for row in rows
    ]
    assert [found.text for found in run.predict(["two of them", "ten of them"])] == ["TWO OF THEM", "TEN OF THEM"]
    assert all("logprobs" not in asked for asked in service.asked)


def test_a_system_message_of_the_user_opens_training_and_predicting(service: Service) -> None:
    run = train(system="Ham or spam?")
    run.predict(["hello"])
    opening = {"role": "system", "content": "Ham or spam?"}
    assert all(row["messages"][0] == opening for row in service.rows("file-1"))
    assert service.asked[-1]["messages"][0] == opening


def test_several_labels_are_learned(service: Service) -> None:
    rows, held = small_tasks.several()
    run = train(rows, test=held)
    assert run.metrics["test"]["micro_f1"] > 0.7
    found = run.predict([held[0]["text"]])[0]
    assert list(found.scores) == ["figures", "question", "spam"]
    assert found.labels == tuple(name for name, score in found.scores.items() if score > 0)


def test_spans_of_texts_are_learned(service: Service) -> None:
    rows, held = small_tasks.tagged()
    spans = [tunesmith_spans(row) for row in rows]
    run = train(spans, test=[tunesmith_spans(row) for row in held], task=TOKENS)
    assert run.metrics["test"]["f1"] > 0.8
    found = run.predict(["Omar Haddad lives in New York ."])[0]
    assert [(span.label, span.start, span.end) for span in found.spans] == [("PER", 0, 11), ("LOC", 21, 29)]
    assert found.tags is None


def tunesmith_spans(row: Any) -> dict[str, Any]:
    from tunesmith.tasks.token_classification import spans_of

    found = spans_of(row["tokens"], row["tags"], row["tags"])
    spans = [{"label": span.label, "start": span.start, "end": span.end} for span in found]
    return {"text": " ".join(row["tokens"]), "spans": spans}


# What is refused, and when


@pytest.mark.parametrize(
    ("settings", "kind", "told"),
    [
        ({"base": None}, ConfigError, "the name of a model that the service tunes.*no default"),
        ({"base": ("a", "b")}, ConfigError, "the name of a model"),
        ({"n_epoch": 3}, TypeError, "unknown setting 'n_epoch'. Did you mean 'n_epochs'"),
        ({"learning_rate": 1e-3}, TypeError, "'learning_rate' says nothing to openai. Its own settings: n_epochs"),
        ({"n_epochs": 0}, ConfigError, "a whole number from 1, or 'auto'"),
        ({"batch_size": 2.5}, ConfigError, "a whole number from 1, or 'auto'"),
        ({"learning_rate_multiplier": "fast"}, ConfigError, "a number above 0, or 'auto'"),
        ({"suffix": "x" * 65}, ConfigError, "a text of at most 64 characters"),
        ({"base_url": "api.example.com"}, ConfigError, "the address of a service"),
        ({"base_url": "http://[::1"}, ConfigError, "the address of a service"),
        ({"base_url": "https://me:secret@example.com/v1"}, ConfigError, "https://…@example.com.*without a password"),
        ({"checkpoint": "model/checkpoint-1"}, ConfigError, "the job is found in output_dir"),
        ({"checkpoint": True}, ConfigError, "an output_dir with a job to go on with"),
        ({"callbacks": [print]}, ConfigError, "openai takes no such object"),
    ],
)
def test_what_cannot_be_is_refused_before_data_is_read(
    service: Service, settings: dict[str, Any], kind: Any, told: str
) -> None:
    with pytest.raises(kind, match=told) as caught:
        train(unread(), **settings)
    assert "secret" not in str(caught.value)
    assert not service.requests


def test_a_missing_key_is_named_before_data_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(MissingCredential, match=r"api\.openai\.com needs a credential: set OPENAI_API_KEY"):
        train(unread())


def test_a_missing_client_is_named_before_data_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(NotInstalled, match=r"pip install 'tunesmith\[openai\]'"):
        train(unread())


def test_numbers_and_pairs_and_few_rows_are_refused_before_an_upload(service: Service) -> None:
    with pytest.raises(UnsupportedTask, match="'regression'"):
        train([{"text": f"text {n}", "label": n / 7} for n in range(20)])
    with pytest.raises(UnsupportedTask, match="pairs of texts"):
        train([{"text": f"text {n}", "pair": "b", "label": "ab"[n % 2]} for n in range(20)])
    with pytest.raises(DataError, match="9 training rows: the service takes 10 or more"):
        train(ROWS[:9])
    assert not service.requests


# Consent


def test_nothing_is_uploaded_without_consent_and_the_error_tells_what_would_be(service: Service) -> None:
    with pytest.raises(ConfigError) as caught:
        train(yes=False, validation=HELD, test=HELD, price_per_million_tokens=25, n_epochs=4)
    told = str(caught.value)
    assert "yes=True, as consent to this upload: " in told
    assert f"train 24 rows ({bytes_of(ROWS):,} bytes), validation 8 rows ({bytes_of(HELD):,} bytes)" in told
    assert f"go to {service.url.removeprefix('http://').removesuffix('/v1')} to tune {BASE}" in told
    tokens = tokens_of(ROWS)
    assert f"about {4 * tokens:,} tokens in 4 epochs (an estimate: bytes / 4)" in told
    assert f"about {4 * tokens * 25 / 1e6:,.2f} at 25 per million tokens" in told
    held = 2 * sum(len(row["text"].encode()) for row in HELD)
    assert f"then the texts of 16 held-out rows ({held:,} bytes), to be scored" in told
    assert not service.requests


def bytes_of(rows: Any) -> int:
    turns = [[("system", SYSTEM), ("user", row["text"]), ("assistant", row["label"])] for row in rows]
    made = [{"messages": [{"role": role, "content": text} for role, text in each]} for each in turns]
    return sum(len(json.dumps(row, ensure_ascii=False).encode()) + 1 for row in made)


def tokens_of(rows: Any) -> int:
    texts = [text for row in rows for text in (SYSTEM, row["text"], row["label"])]
    return sum(-(-len(text.encode()) // 4) + 4 for text in texts)


def test_who_is_asked_and_says_no_sends_nothing_and_who_says_yes_trains(service: Service) -> None:
    asked: list[str] = []
    with pytest.raises(ConfigError, match="nothing was uploaded"):
        train(yes=False, ask=lambda told: bool(asked.append(told)))
    assert not service.requests
    train(yes=False, ask=lambda told: asked.append(told) is None)
    assert "24 rows" in asked[0]
    assert asked[0] == asked[1]
    assert count(service, *UPLOADED) == [1, 1]


def test_the_upload_is_told_before_it_is_done(service: Service) -> None:
    said: list[str] = []
    train(listener=notes(said))
    assert next(place for place, text in enumerate(said) if "go to 127.0.0.1" in text) < said.index(
        f"uploading train: 24 rows ({bytes_of(ROWS):,} bytes)"
    )
    assert any("price_per_million_tokens tells the cost" in text for text in said)
    assert any("without output_dir no call can go on with it" in text for text in said)


def test_tiktoken_counts_where_it_is_installed_and_knows_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    encoding = SimpleNamespace(encode=lambda text, disallowed_special: text.split())
    known = SimpleNamespace(encoding_for_model=lambda name: {"gpt-known": encoding}[name])
    monkeypatch.setitem(sys.modules, "tiktoken", known)
    tokens, how = openai_plan.counter("gpt-known")
    assert (tokens("a b c"), how) == (3, "counted by tiktoken")
    tokens, how = openai_plan.counter("gpt-unknown")
    assert (tokens("äbc"), tokens("abcde"), how) == (1, 2, "an estimate: bytes / 4")


# The command line, and Argilla's trainer


@pytest.fixture
def csv_file(tmp_path: Path) -> str:
    with (tmp_path / "rows.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["text", "label"])
        writer.writeheader()
        writer.writerows(ROWS)
    return str(tmp_path / "rows.csv")


def command(csv_file: str, *more: str) -> list[str]:
    folder = str(Path(csv_file).with_name("out"))
    given = ["--framework", "openai", "--base", BASE, "--poll-interval", "0.02", "--output-dir", folder]
    return ["train", csv_file, *given, *more]


def test_a_script_trains_with_yes_and_is_refused_without(
    service: Service, csv_file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(command(csv_file)) == 2
    told = capsys.readouterr().err
    assert "expected --yes True, as consent to this upload: train 24 rows" in told
    assert not service.requests
    assert cli.main(command(csv_file, "--yes", "--n-epochs", "2", "--test", "0.25")) == 0
    assert "accuracy" in capsys.readouterr().out
    assert cli.main(["predict", str(Path(csv_file).with_name("out")), "free prize"]) == 0
    assert json.loads(capsys.readouterr().out)["label"] in ("ham", "spam")
    service.answers = {"odd": "both"}
    assert cli.main(["predict", str(Path(csv_file).with_name("out")), "odd"]) == 0
    shown = capsys.readouterr()
    assert "label" not in json.loads(shown.out)
    assert "tunesmith: warning: 1 of 1 answers cannot be read as asked" in shown.err


def test_stored_records_are_tuned_on_with_yes_and_not_without(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = [rg.TextClassificationRecord(text=row["text"], annotation=row["label"]) for row in ROWS]
    rg.log(made, "messages", verbose=False)
    session.close()
    words = ["train", "--name", "messages", "--framework", "openai", "--model", BASE, "--output-dir", str(tmp_path)]
    words += ["--update-config-kwargs", '{"poll_interval": 0.02}']
    assert cli.main(words) == 2
    assert "--yes True, as consent to this upload: train 24 rows" in capsys.readouterr().err
    assert not service.requests
    assert cli.main([*words, "--yes"]) == 0
    assert count(service, *UPLOADED) == [1, 1]


@pytest.mark.parametrize(("reply", "code", "jobs"), [("y", 0, 1), ("n", 2, 0), ("", 2, 0)])
def test_on_a_terminal_the_user_is_asked(service: Service, csv_file: str, reply: str, code: int, jobs: int) -> None:
    master, slave = pty.openpty()
    words = [sys.executable, "-m", "tunesmith", *command(csv_file)]
    process = subprocess.Popen(words, stdin=slave, stderr=slave, stdout=subprocess.DEVNULL)
    os.close(slave)
    shown = ""
    while "Upload? [y/N]" not in shown:
        shown += os.read(master, 4096).decode()
    assert not service.requests
    os.write(master, f"{reply}\n".encode())
    with contextlib.suppress(OSError):  # the other end was closed
        while part := os.read(master, 4096):
            shown += part.decode()
    os.close(master)
    assert (process.wait(), len(service.jobs)) == (code, jobs)
    assert "24 rows" in shown
    assert f"tune {BASE}" in " ".join(shown.split())


def test_help_explains_each_setting(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "--framework", "openai", "--help"]) == 0
    told = capsys.readouterr().out
    assert "Training arguments of openai" in told
    for name, argument in ARGUMENTS.items():
        assert f"--{name.replace('_', '-')}" in told
        assert argument.help.endswith(".")


def test_the_key_is_no_setting(service: Service) -> None:
    with pytest.raises(TypeError, match="unknown setting 'api_key'"):
        train(unread(), api_key=KEY)


def test_argillas_trainer_tunes_predicts_and_drops_no_key(service: Service, tmp_path: Path) -> None:
    """There the folder was the suffix, unknown keys were dropped, and tuned chat models could not be asked."""
    made = [rg.TextClassificationRecord(text=row["text"], annotation=row["label"]) for row in ROWS + HELD]
    records = rg.DatasetForTextClassification(made)
    with pytest.raises(ConfigError, match="the name of a model that openai can tune"):
        ArgillaTrainer(framework="openai", dataset=records)
    trainer = ArgillaTrainer(framework="openai", dataset=records, model=BASE, train_size=0.75, seed=1)
    with pytest.raises(TypeError, match="prompt_loss_wait"):
        trainer.update_config(prompt_loss_wait=0.1)
    trainer.update_config(hyperparameters={"n_epochs": 2}, suffix="mine", poll_interval=0.02)
    with pytest.raises(ConfigError, match="yes=True"):
        trainer.train(str(tmp_path))
    trainer.update_config(yes=True)
    metrics = trainer.train(str(tmp_path))
    (job,) = service.jobs.values()
    assert job.wanted["suffix"] == "mine"
    assert job.wanted["method"]["supervised"]["hyperparameters"] == {"n_epochs": 2}
    assert list(service.files) == ["file-1"]
    sent = [row["messages"][1]["content"] for row in service.rows("file-1")]
    assert len(sent) == 24
    assert metrics["test"]["accuracy"] > 0.5
    assert len({asked["messages"][1]["content"] for asked in service.asked} - set(sent)) == 8
    service.answers = {"odd": "no label"}
    found = trainer.predict(["free prize", "odd"])
    assert {label for label, _ in found[0].prediction} == {"ham", "spam"}
    assert sum(score for _, score in found[0].prediction) == pytest.approx(1)
    assert found[0].prediction_agent == f"openai:{tmp_path}"
    assert {score for _, score in found[1].prediction} == {0.0}
    again = ArgillaTrainer.load(tmp_path)
    assert again.predict("free prize").prediction == found[0].prediction


def test_a_former_model_of_the_service_is_sent_no_held_out_record_without_consent(
    service: Service, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = [
        rg.TextClassificationRecord(text=row["text"], annotation=row["label"], id=at)
        for at, row in enumerate(ROWS + HELD)
    ]
    rg.log(made, "asked", verbose=False)
    consented = {"yes": True, "poll_interval": 0.02}
    first = ArgillaTrainer("asked", "openai", model=BASE, train_size=0.75, framework_kwargs=consented)
    first.train(tmp_path / "first")
    again = ArgillaTrainer("asked", "openai", model=BASE, train_size=0.5, seed=1, framework_kwargs=consented)
    again.train(tmp_path / "again")
    assert again.comparison is not None
    before = len(service.requests)
    other = ArgillaTrainer("asked", "baseline", train_size=0.5, seed=2)
    other.train()
    first.update_config(yes=False)
    with pytest.raises(ConfigError, match="yes=True"):
        first.train()
    assert len(service.requests) == before
    assert other.comparison is None
    assert "which is sent no record without yes=True: it is not compared" in caplog.text
    session.close()
