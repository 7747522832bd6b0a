"""Models that a service tunes: what is sent, when it is not, what fails, and how a job is found again."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import openai_service
import small_tasks
import tunesmith
import tunesmith.argilla as rg
from openai_service import BASE, KEY, Fault, Service
from tunesmith import Run, cli
from tunesmith.argilla_trainer import ArgillaTrainer
from tunesmith.errors import (
    ArtifactError,
    ConfigError,
    DataError,
    MissingCredential,
    NotInstalled,
    RowError,
    ServerError,
    TrainingFailed,
    TunesmithError,
    UnknownName,
    UnsupportedTask,
)
from tunesmith.frameworks import openai_calls, openai_plan
from tunesmith.frameworks.openai_arguments import ARGUMENTS
from tunesmith.frameworks.openai_jobs import STATE
from tunesmith.records import session

TEXT, TOKENS, TARGET = "text-classification", "token-classification", "sequence-sequence"
JOBS, FILES, CHAT = "/v1/fine_tuning/jobs", "/v1/files", "/v1/chat/completions"
ROWS, HELD = small_tasks.classes()
ROWS, HELD = ROWS[:24], HELD[:8]


@pytest.fixture(scope="module")
def running() -> Iterator[Service]:
    with openai_service.run() as running:
        yield running


@pytest.fixture
def service(running: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    """The service, knowing nothing."""
    running.forget()
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", running.url)
    monkeypatch.setattr(openai_calls, "FIRST_WAIT", 0.01)
    return running


def train(rows: Any = ROWS, **more: Any) -> Run:
    settings = {"framework": "openai", "base": BASE, "yes": True, "poll_interval": 0.02, **more}
    return tunesmith.train(rows, **settings)


def unread() -> Iterator[dict[str, Any]]:
    raise AssertionError("a row was read")
    yield {}


def notes(found: list[str]) -> Any:
    return lambda kind, values: found.append(values["text"]) if kind == "note" else None


def contents(service: Service) -> str:
    return "\n".join(content.decode() for content in service.files.values())


def count(service: Service, *requests: str) -> list[int]:
    return [service.requests[request] for request in requests]


UPLOADED = ("POST /v1/files", "POST /v1/fine_tuning/jobs")


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
    run = train(ROWS + HELD, test=0.25, validation=0.2, seed=3)
    lock = run.framework_model.chosen
    assert lock["model"].startswith("ft:")
    sent = [row["messages"][1]["content"] for name in ("file-1", "file-2") for row in service.rows(name)]
    asked = [turns["messages"][1]["content"] for turns in service.asked]
    held = [row["text"] for row in ROWS + HELD if row["text"] not in sent]
    assert len(sent) + len(held) == len(ROWS + HELD)
    assert len(held) == 8
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
    assert "then the texts of 16 held-out rows, to be scored" in told
    assert not service.requests


SYSTEM = 'Which label does the text have? Answer with one of these labels and nothing else. Labels: ["ham", "spam"]'


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


def test_tiktoken_counts_where_it_is_installed_and_knows_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    encoding = SimpleNamespace(encode=lambda text, disallowed_special: text.split())
    known = SimpleNamespace(encoding_for_model=lambda name: {"gpt-known": encoding}[name])
    monkeypatch.setitem(sys.modules, "tiktoken", known)
    tokens, how = openai_plan.counter("gpt-known")
    assert (tokens("a b c"), how) == (3, "counted by tiktoken")
    tokens, how = openai_plan.counter("gpt-unknown")
    assert (tokens("äbc"), tokens("abcde"), how) == (1, 2, "an estimate: bytes / 4")


# What fails


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503, 0])
def test_a_call_that_may_succeed_is_tried_again(service: Service, status: int) -> None:
    """status 0: the connection breaks."""
    service.faults += [Fault("GET", f"{JOBS}/ftjob", status, times=2), Fault("POST", CHAT, status)]
    said: list[str] = []
    train(test=HELD, listener=notes(said))
    assert sum("again in 0.01 s (try 2 of 6)" in text for text in said) == 2
    assert sum("again in 0.02 s (try 3 of 6)" in text for text in said) == 1
    assert count(service, *UPLOADED) == [1, 1]


@pytest.mark.parametrize("wait", ["0.3", "date"])
def test_the_wait_that_the_service_asks_for_is_kept(service: Service, wait: str) -> None:
    begun = time.time()
    header = formatdate(int(begun) + 2, usegmt=True) if wait == "date" else wait
    service.faults.append(Fault("POST", FILES, 429, headers={"Retry-After": header}))
    train()
    assert time.time() >= (int(begun) + 2 if wait == "date" else begun + 0.3)


def test_a_wait_of_an_hour_is_an_error_at_once(service: Service) -> None:
    service.faults.append(Fault("POST", FILES, 429, headers={"Retry-After": "3600"}))
    with pytest.raises(ServerError, match=r"answered 429: uploading train.jsonl: the tests want it so") as caught:
        train()
    assert caught.value.retryable


def test_tries_end(service: Service) -> None:
    """Argilla's loop had no end."""
    service.faults.append(Fault("GET", f"{JOBS}/ftjob", 500, times=1000))
    with pytest.raises(ServerError, match=r"answered 500: asking for the job: .*\(3 tries\)") as caught:
        train(retries=2)
    assert caught.value.retryable
    assert service.requests[f"failed GET {JOBS}/ftjob-0001"] == 3


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [
        (401, "invalid_api_key", "The key is the one in OPENAI_API_KEY"),
        (403, None, "The key is the one in OPENAI_API_KEY"),
        (400, None, "the tests want it so"),
        (429, "insufficient_quota", "the tests want it so"),
    ],
)
def test_a_refusal_is_an_error_at_once(service: Service, status: int, code: str | None, told: str) -> None:
    service.faults.append(Fault("POST", FILES, status, times=9, code=code))
    with pytest.raises(ServerError, match=told) as caught:
        train()
    assert (caught.value.status, caught.value.retryable) == (status, False)
    assert service.requests[f"failed POST {FILES}"] == 1


def test_a_model_that_the_service_does_not_tune_is_told_in_its_words(service: Service) -> None:
    with pytest.raises(ServerError, match="model gpt-9 is not available for fine-tuning"):
        train(base="gpt-9")


def test_a_job_whose_creation_had_no_answer_is_not_created_twice(service: Service) -> None:
    service.faults.append(Fault("POST", JOBS, 0, done=True))
    train()
    assert count(service, *UPLOADED) == [1, 1]
    assert list(service.jobs) == ["ftjob-0001"]


def test_a_job_that_fails_is_an_error_in_the_services_words(service: Service, tmp_path: Path) -> None:
    service.failing = "The job failed due to an unsafe training file"
    with pytest.raises(TrainingFailed, match=r"ftjob-0001 at 127.* failed: The job failed due to an unsafe training"):
        train(output_dir=tmp_path)
    service.failing = None
    train(output_dir=tmp_path)
    assert count(service, *UPLOADED) == [1, 2], "a new job, of the file that is there"


def test_files_that_expired_are_uploaded_again(service: Service, tmp_path: Path) -> None:
    service.failing = "no"
    with pytest.raises(TrainingFailed):
        train(output_dir=tmp_path, validation=HELD)
    service.failing = None
    del service.files["file-1"]
    train(output_dir=tmp_path, validation=HELD)
    assert count(service, *UPLOADED) == [3, 2]


def test_an_address_that_answers_with_a_page_is_told(service: Service) -> None:
    with pytest.raises(ServerError, match=r"answered 404|Is base_url right"):
        train(base_url=service.url.removesuffix("/v1") + "/docs")


# The job


def test_events_are_told_as_progress_and_kept_as_history(service: Service) -> None:
    service.losses = [1 / place for place in range(1, 131)]  # more than one page
    seen: list[tuple[str, Any]] = []
    run = train(validation=HELD, listener=lambda kind, values: seen.append((kind, dict(values))))
    steps = [values for kind, values in seen if kind == "train"]
    assert [step["step"] for step in steps] == [10 * place for place in range(1, 131)]
    assert steps[0]["total"] == 1300
    assert run.history[1] == {"step": 20, "loss": 0.5, "eval_loss": 0.5}
    texts = [values["text"] for kind, values in seen if kind == "note"]
    assert texts.count("the service: Created fine-tuning job") == 1


def test_the_checkpoint_that_fits_the_validation_rows_best_is_the_model(service: Service) -> None:
    service.losses = (0.4, 0.2, 0.3)
    best = train(validation=HELD)
    assert best.model.model.endswith(":ckpt-step-20")
    assert best.framework_model.chosen["full_valid_loss"] == 0.2
    assert best.framework_model.chosen["n_epochs"] == 3, "what the service made of 'auto'"
    service.losses = (0.4, 0.2)
    assert "ckpt" not in train(validation=HELD).model.model, "the last checkpoint is the model itself"
    assert "ckpt" not in train().model.model


def test_a_service_without_checkpoints_and_events_trains(service: Service) -> None:
    service.faults += [
        Fault("GET", f"{JOBS}/ftjob-0001/checkpoints", 404, 99),
        Fault("GET", f"{JOBS}/ftjob-0001/events", 404, 99),
        Fault("GET", f"{FILES}/file-results", 404, 99),
    ]
    run = train(validation=HELD)
    assert run.history == ()
    assert run.predict(["hello"])[0].label in ("ham", "spam")


def test_the_wait_for_a_job_ends_and_the_same_call_goes_on_with_it(service: Service, tmp_path: Path) -> None:
    service.hold.set()
    with pytest.raises(TrainingFailed, match=r"ftjob-0001 is still \w+ after 0.1 s; it goes on at 127"):
        train(output_dir=tmp_path, timeout=0.1)
    service.hold.clear()
    said: list[str] = []
    train(output_dir=tmp_path, yes=False, listener=notes(said))
    assert any("goes on with the job ftjob-0001" in text and "nothing is uploaded" in text for text in said)
    assert count(service, *UPLOADED) == [1, 1]


def test_a_process_that_was_killed_is_gone_on_with_by_one_upload_and_one_job(service: Service, tmp_path: Path) -> None:
    service.hold.set()
    (tmp_path / "rows.json").write_text(json.dumps(ROWS))
    code = (
        "import json, sys, tunesmith; rows = json.load(open(sys.argv[1])); tunesmith.train("
        f"rows, framework='openai', base='{BASE}', yes=True, poll_interval=0.02, output_dir=sys.argv[2])"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "rows.json"), str(tmp_path / "out")])
    end = time.monotonic() + 60
    while not service.jobs and time.monotonic() < end:
        time.sleep(0.02)
    state = tmp_path / "out" / STATE
    while json.loads(state.read_text())["job"] is None and time.monotonic() < end:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    service.hold.clear()
    run = train(output_dir=tmp_path / "out", checkpoint=True, yes=False, test=HELD)
    assert count(service, *UPLOADED) == [1, 1]
    assert run.model.job == "ftjob-0001"
    assert run.metrics["test"]["accuracy"] > 0.5


def test_a_process_that_died_before_it_wrote_the_job_down_finds_it(service: Service, tmp_path: Path) -> None:
    service.hold.set()
    with pytest.raises(TrainingFailed):
        train(output_dir=tmp_path, timeout=0)
    service.hold.clear()
    state = json.loads((tmp_path / STATE).read_text())
    assert state["files"] == {"train": "file-1"}
    (tmp_path / STATE).write_text(json.dumps({**state, "job": None}))
    assert train(output_dir=tmp_path, yes=False).model.job == "ftjob-0001"
    assert count(service, *UPLOADED) == [1, 1]


def test_other_data_is_another_job(service: Service, tmp_path: Path) -> None:
    train(output_dir=tmp_path)
    with pytest.raises(ConfigError, match=r"the job ftjob-0001 in .* has another data. False starts a new one"):
        train(ROWS[2:], output_dir=tmp_path, checkpoint=True)
    with pytest.raises(ConfigError, match="has another method and seed"):
        train(output_dir=tmp_path, checkpoint=True, n_epochs=2, seed=1)
    assert len(service.jobs) == 1
    said: list[str] = []
    train(ROWS[2:], output_dir=tmp_path, listener=notes(said))
    assert any("the job ftjob-0001" in text and "it is left alone" in text for text in said)
    assert len(service.jobs) == 2
    train(ROWS[2:], output_dir=tmp_path, checkpoint=False)
    assert len(service.jobs) == 3


def test_a_job_that_the_service_forgot_is_started_again(service: Service, tmp_path: Path) -> None:
    train(output_dir=tmp_path)
    del service.jobs["ftjob-0001"]
    train(output_dir=tmp_path)
    assert count(service, *UPLOADED) == [1, 2]


def test_a_state_that_is_broken_says_so_before_anything_is_sent(service: Service, tmp_path: Path) -> None:
    (tmp_path / STATE).write_text("[]")
    with pytest.raises(ArtifactError, match="delete it to start a new one"):
        train(output_dir=tmp_path)
    assert not service.requests


# The saved model


def test_a_saved_model_predicts_the_same_in_a_new_process_and_no_file_holds_the_key(
    service: Service, tmp_path: Path
) -> None:
    run = train(output_dir=tmp_path, test=HELD)
    assert (tmp_path / "openai_results.csv").read_text() == "step,train_loss\n10,1.0\n20,0.5\n"
    told = json.loads((tmp_path / "tunesmith.json").read_text())
    assert (told["framework"], told["model"], told["job"]) == ("openai", run.model.model, "ftjob-0001")
    assert told["system"] == SYSTEM
    assert told["labels"]["names"] == ["ham", "spam"]
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or KEY.encode() not in path.read_bytes()
    code = (
        "import json, sys, tunesmith; found = tunesmith.load(sys.argv[1]).predict(json.loads(sys.argv[2])); "
        "print(json.dumps([each.to_dict() for each in found]))"
    )
    texts = [row["text"] for row in HELD]
    environment = {name: value for name, value in os.environ.items() if name != "OPENAI_BASE_URL"}
    command = [sys.executable, "-c", code, str(tmp_path), json.dumps(texts)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert json.loads(done.stdout.splitlines()[-1]) == [each.to_dict() for each in run.predict(texts)]


def test_a_key_goes_to_no_host_that_a_saved_file_alone_names(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(output_dir=tmp_path)
    told = json.loads((tmp_path / "tunesmith.json").read_text())
    told["service"]["base_url"] = "https://elsewhere.example/v1"
    (tmp_path / "tunesmith.json").write_text(json.dumps(told))
    assert tunesmith.load(tmp_path).predict(["hi"])[0].label, "OPENAI_BASE_URL wins over the file"
    monkeypatch.delenv("OPENAI_BASE_URL")
    with pytest.raises(ConfigError, match=r"OPENAI_BASE_URL=https://elsewhere.example/v1 set.* may go to elsewhere"):
        tunesmith.load(tmp_path).predict(["hi"])
    assert tunesmith.load(tmp_path, model_args={"base_url": service.url}).predict(["hi"])[0].label
    with pytest.raises(UnknownName, match="Did you mean 'base_url'"):
        tunesmith.load(tmp_path, model_args={"base-url": service.url})
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(MissingCredential, match="set OPENAI_API_KEY"):
        tunesmith.load(tmp_path, model_args={"base_url": service.url}).predict(["hi"])


def test_a_model_that_is_gone_is_told(service: Service, tmp_path: Path) -> None:
    run = train(output_dir=tmp_path)
    service.models.clear()
    with pytest.raises(ServerError, match=r"The model `ft:.*` does not exist"):
        run.predict(["hi"] * 3)


# Answers


@pytest.fixture
def tuned(service: Service) -> Run:
    return train()


def test_order_is_kept_each_text_is_asked_once_and_so_many_at_a_time(service: Service, tuned: Run) -> None:
    texts = [row["text"] for row in ROWS] * 2
    alone = [tuned.predict([text])[0].scores for text in texts[:24]]
    service.asked.clear()
    service.delay, service.busiest = 0.05, 0
    found = tuned.predict(texts)
    assert [each.scores for each in found] == alone * 2
    assert [each.id for each in found] == list(range(48))
    assert len(service.asked) == 24
    assert 1 < service.busiest <= 8


def test_concurrency_is_bounded(service: Service) -> None:
    run = train(concurrency=2)
    service.delay = 0.02
    run.predict([f"text {place}" for place in range(12)])
    assert service.busiest == 2


def test_an_answer_that_is_no_label_is_counted_and_told_and_becomes_none(service: Service) -> None:
    said: list[str] = []
    run = train(listener=notes(said))
    texts = [row["text"] for row in HELD]
    service.answers = {texts[1]: "I think it is spam", texts[3]: None}
    found = run.predict(texts)
    assert [each.label for each in found].count(None) == 2
    assert (found[1].label, found[1].score, found[1].scores) == (None, 0.0, {"ham": 0.0, "spam": 0.0})
    assert said[-1] == (
        "2 of 8 answers cannot be read as asked (the label is None): that of row 1 is no label: 'I think it is spam'"
    )
    service.answers = dict.fromkeys(texts, "no")
    assert run.evaluate(HELD)["accuracy"] == 0


def test_a_class_that_is_called_none_is_not_what_is_not_read(service: Service) -> None:
    rows = [{"text": row["text"], "label": "None" if row["label"] == "ham" else "spam"} for row in ROWS]
    run = train(rows)
    service.answers = {row["text"]: "?" for row in rows}
    assert run.evaluate(rows)["accuracy"] == 0


@pytest.mark.parametrize(("probable", "requests"), [(False, 3), (None, 4)])
def test_a_service_without_probabilities_gives_the_answer_a_score_of_1(
    service: Service, probable: bool | None, requests: int
) -> None:
    run = train(concurrency=1)
    service.probable = probable
    found = run.predict(["one", "two", "three"])
    assert [each.scores for each in found] == [
        {"ham": float(e.label == "ham"), "spam": float(e.label == "spam")} for e in found
    ]
    assert service.requests[f"POST {CHAT}"] == requests


def test_threads_that_learn_at_once_that_there_are_no_probabilities_all_go_on(service: Service) -> None:
    run = train()
    service.probable, service.delay = None, 0.02
    assert all(each.label for each in run.predict([f"text {place}" for place in range(8)]))


def test_lists_that_cannot_be_read_give_no_labels_and_no_spans(service: Service) -> None:
    said: list[str] = []
    run = train(small_tasks.several()[0], listener=notes(said))
    service.answers = {"a": "spam", "b": '["spam", "other"]', "c": '[["spam"]]'}
    assert [each.labels for each in run.predict(["a", "b", "c"])] == [(), ("spam",), ()]
    assert "3 of 3 answers" in said[-1]
    assert "that of row 0 is no list of labels: 'spam'" in said[-1]
    run = train(small_tasks.tagged()[0], task=TOKENS, listener=notes(said))
    here = '[{"label": "LOC", "text": "Lima"}, {"label": "LOC", "text": "Rome"}, {"label": "X", "text": "Lima"}]'
    service.answers = {"Lima is far": here, "x": "none"}
    found = run.predict([["Lima", "is", "far"], ["x"]])
    assert [[(span.label, span.start, span.end) for span in each.spans] for each in found] == [[("LOC", 0, 4)], []]
    assert [each.tags for each in found] == [("B-LOC", "O", "O"), ("O",)]
    assert "that of row 0 holds 2 that the text has not" in said[-1]


def test_a_refused_text_is_empty_and_told(service: Service) -> None:
    rows = [{"source": f"{n} is a number", "target": f"number {n}"} for n in range(12)]
    said: list[str] = []
    run = train(rows, task=TARGET, listener=notes(said))
    service.answers = {"bad": None}
    assert run.predict(["bad"])[0].text == ""
    assert "that of row 0 ends early (refused)" in said[-1]


def test_a_second_text_is_refused_in_predicting(tuned: Run) -> None:
    with pytest.raises(RowError, match="row 0, column 'pair'"):
        tuned.predict([("one", "two")])


def test_an_error_in_the_middle_stops_the_rest(service: Service, tuned: Run) -> None:
    service.faults.append(Fault("POST", CHAT, 400, times=1))
    service.delay = 0.02
    with pytest.raises(TunesmithError, match="asking the model"):
        tuned.predict([f"text {place}" for place in range(200)])
    assert len(service.asked) < 60


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


@pytest.mark.filterwarnings("ignore:no settings were given")
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


@pytest.mark.filterwarnings("ignore:no settings were given")
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
