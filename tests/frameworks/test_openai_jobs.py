"""Jobs of a service: what fails, what is tried again, how a job is found again, and the saved model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

import tunesmith
from openai_kit import (
    CHAT,
    FILES,
    HELD,
    JOBS,
    ROWS,
    SYSTEM,
    UPLOADED,
    count,
    notes,
    train,
)
from openai_service import BASE, KEY, Fault, Service
from tunesmith.errors import (
    ArtifactError,
    ConfigError,
    MissingCredential,
    ServerError,
    TrainingFailed,
    UnknownName,
)
from tunesmith.frameworks.openai_jobs import STATE

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


@pytest.mark.parametrize("wait", ["0.3", "300 ms", "date"])
def test_the_wait_that_the_service_asks_for_is_kept(service: Service, wait: str) -> None:
    begun = time.time()
    header = formatdate(int(begun) + 2, usegmt=True) if wait == "date" else wait
    headers = {"Retry-After-Ms": "300", "Retry-After": "9"} if wait == "300 ms" else {"Retry-After": header}
    service.faults.append(Fault("POST", FILES, 429, headers=headers))
    train()
    assert time.time() < begun + 9
    assert time.time() >= (int(begun) + 2 if wait == "date" else begun + 0.3)


def test_a_wait_of_an_hour_is_an_error_at_once(service: Service) -> None:
    service.faults.append(Fault("POST", FILES, 429, headers={"Retry-After": "3600"}))
    with pytest.raises(ServerError, match=r"answered 429: uploading train.jsonl: the tests want it so") as caught:
        train()
    assert caught.value.retryable


def test_tries_end(service: Service) -> None:
    """Argilla's loop had no end."""
    service.faults.append(Fault("GET", f"{JOBS}/ftjob", 500, times=1000))
    with pytest.raises(
        ServerError, match=r"answered 500: asking for the job ftjob-0001, which goes on there: .*\(3 tries\)"
    ) as caught:
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
    page = "<!doctype html><title>Documentation</title>"
    service.faults.append(Fault("POST", "/docs/files", 200, body=page, kind="text/html"))
    with pytest.raises(ServerError, match=r"/docs answered 200: .*<title>Documentation.* Is base_url right\?"):
        train(base_url=service.url.removesuffix("/v1") + "/docs")


STEPS = [
    ("POST", FILES),
    ("POST", JOBS),
    ("GET", f"{JOBS}/ftjob-0001"),
    ("GET", f"{JOBS}/ftjob-0001/events"),
    ("GET", f"{JOBS}/ftjob-0001/checkpoints"),
]


@pytest.mark.parametrize(("method", "path"), STEPS)
def test_an_answer_that_is_cut_is_asked_for_again(service: Service, method: str, path: str) -> None:
    service.faults.append(Fault(method, path, 200, times=2, body='{"id": "fi'))
    said: list[str] = []
    train(listener=notes(said))
    assert sum("is no whole JSON" in text and "again in" in text for text in said) == 2
    service.faults.append(Fault(method, path.replace("0001", "0002"), 200, times=99, body='{"id": "fi'))
    with pytest.raises(ServerError, match=r"answered 200: .*is no whole JSON.*\(2 tries\)\.$") as caught:
        train(retries=1)
    assert (caught.value.status, caught.value.retryable) == (200, True)


def test_a_job_whose_creation_had_a_cut_answer_is_not_created_twice(service: Service) -> None:
    service.faults.append(Fault("POST", JOBS, 200, done=True, body='{"id": "ft'))
    train()
    assert list(service.jobs) == ["ftjob-0001"]


@pytest.mark.parametrize(("method", "path"), STEPS[:3])
@pytest.mark.parametrize("body", ["null", "[]", "5", '{"error": {"message": "out of money"}}'])
def test_an_answer_of_another_form_is_an_error_at_once(service: Service, method: str, path: str, body: str) -> None:
    service.faults.append(Fault(method, path, 200, times=99, body=body))
    with pytest.raises(ServerError, match=r"answered 200: .*has no id.*Is base_url right\?$") as caught:
        train()
    assert (caught.value.status, caught.value.retryable) == (200, False)
    assert service.requests[f"failed {method} {path}"] == 1
    assert "out of money" in str(caught.value) or "error" not in body


@pytest.mark.parametrize(("method", "path"), STEPS[3:])
@pytest.mark.parametrize("body", ["null", "[]", '{"data": 5}', '{"data": [null]}'])
def test_a_list_of_another_form_is_an_error_at_once(service: Service, method: str, path: str, body: str) -> None:
    service.faults.append(Fault(method, path, 200, times=99, body=body))
    with pytest.raises(ServerError, match=r"answered 200: asking for .*Is base_url right\?$") as caught:
        train(validation=HELD)
    assert not caught.value.retryable


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
    run = train(output_dir=tmp_path / "out", checkpoint=True, test=HELD)
    assert count(service, *UPLOADED) == [1, 1]
    assert run.model.job == "ftjob-0001"
    assert run.metrics["test"]["accuracy"] > 0.5


def test_held_out_texts_leave_with_consent_alone_also_when_a_job_is_gone_on_with(
    service: Service, tmp_path: Path
) -> None:
    train(output_dir=tmp_path)
    size = sum(len(row["text"].encode()) for row in HELD)
    host = service.url.removeprefix("http://").removesuffix("/v1")
    wanted = f"the texts of 8 held-out rows ({size:,} bytes) go to {host}, to be scored"
    with pytest.raises(ConfigError) as caught:
        train(output_dir=tmp_path, yes=False, test=HELD)
    assert f"yes=True, as consent to this upload: {wanted}" in str(caught.value)
    asked: list[str] = []
    with pytest.raises(ConfigError, match="expected a yes"):
        train(output_dir=tmp_path, yes=False, test=HELD, ask=lambda told: bool(asked.append(told)))
    assert not service.asked
    train(output_dir=tmp_path, yes=False, test=HELD, ask=lambda told: asked.append(told) is None)
    assert asked == [f"{wanted}."] * 2
    said: list[str] = []
    train(output_dir=tmp_path, test=HELD, listener=notes(said))
    assert f"{wanted}." in said
    assert {turns["messages"][1]["content"] for turns in service.asked} == {row["text"] for row in HELD}
    assert count(service, *UPLOADED) == [1, 1]


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
