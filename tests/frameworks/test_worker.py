"""The pipe to a worker, with a small worker of our own that runs as the real ones do, by `python -I`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tunesmith.errors import ConfigError, FrameworkError, NoEnvironment, OutOfMemory, TrainingFailed
from tunesmith.frameworks import worker_environment
from tunesmith.frameworks.worker import Worker, read_rows, visible_gpus, write_rows

SCRIPT = """
import importlib.util, os, subprocess, sys, time

spec = importlib.util.spec_from_file_location("protocol", {protocol!r})
protocol = importlib.util.module_from_spec(spec)
spec.loader.exec_module(protocol)

def turn(channel, request):
    import pyarrow
    print("the library talks")
    os.system("echo and so does its C part")
    rows = protocol.read(request["rows"])
    protocol.write(request["found"], {{"text": [text[::-1] for text in rows["text"]]}}, {{"text": pyarrow.string()}})
    return {{"isolated": sys.flags.isolated, "folder": os.getcwd(), "token": os.environ.get("HF_TOKEN")}}

def fail(channel, request):
    if request["what"] == "memory":
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
    if request["what"] == "exit":
        sys.exit("the library gave up")
    raise KeyError("labels")

def steps(channel, request):
    for step in range(1000):
        channel.event("train", step=step)
        if channel.stopped.wait(0.01):
            return {{"steps": step, "answer": channel.ask("well", step=step)["said"]}}

def sleep(channel, request):
    child = subprocess.Popen(["sleep", "60"])
    channel.event("started", pids=[os.getpid(), child.pid])
    time.sleep(60)

protocol.Channel().serve({{"turn": turn, "fail": fail, "steps": steps, "sleep": sleep}})
"""
PROTOCOL = worker_environment.WORKERS / "protocol.py"


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of worker scripts with one worker, `small`, whose environment is the Python of the tests."""
    monkeypatch.setattr(worker_environment, "WORKERS", tmp_path)
    monkeypatch.setenv("TUNESMITH_HOME", str(tmp_path / "home"))  # the tests' own may hold real environments
    (tmp_path / "small.txt").write_text("torch==2.13.0\n")
    (tmp_path / "run_small.py").write_text(SCRIPT.format(protocol=str(PROTOCOL)))
    folder = worker_environment.Environment("small").folder
    folder.mkdir(parents=True)
    for part in ("bin", "lib", "pyvenv.cfg"):
        if Path(sys.prefix, part).exists():
            (folder / part).symlink_to(Path(sys.prefix, part))
    (folder / worker_environment.MARKER).touch()
    return tmp_path


def gone(pid: int) -> bool:
    """Whether a process has ended, waited for."""
    for _ in range(100):
        try:
            os.kill(pid, 0)
            if Path(f"/proc/{pid}/stat").exists() and ") Z" in Path(f"/proc/{pid}/stat").read_text():
                return True
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_rows_go_there_and_back_and_prints_go_to_the_log(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    worker = Worker("small")
    rows, found = worker.scratch / "rows.arrow", worker.scratch / "found.arrow"
    write_rows(rows, {"text": ["añb", ""]}, {"text": "text"})
    told = worker.ask("turn", rows=str(rows), found=str(found))
    assert read_rows(found) == [{"text": "bña"}, {"text": ""}]
    assert told == {"isolated": 1, "folder": str(worker.scratch), "token": None}
    assert worker.log.read_text() == "the library talks\nand so does its C part\n"


def test_an_error_there_is_ours_here_and_the_worker_goes_on(small: Path) -> None:
    worker = Worker("small")
    with pytest.raises(TrainingFailed, match=r"^small: KeyError: 'labels'\. Its log, .*worker.log, ends:\n") as caught:
        worker.ask("fail", what="key", failed=TrainingFailed)
    assert "in fail" in str(caught.value)  # the traceback is in the log
    with pytest.raises(OutOfMemory, match=r"can't allocate memory.*Lower the batch size"):
        worker.ask("fail", what="memory")
    with pytest.raises(FrameworkError, match="SystemExit: the library gave up"):
        worker.ask("fail", what="exit")
    assert worker.running


def test_events_are_heard_and_a_stop_is_obeyed(small: Path) -> None:
    heard: list[tuple[str, Any]] = []

    def answer(kind: str, told: Mapping[str, Any]) -> Mapping[str, Any]:
        heard.append((kind, told["step"]))
        return {"said": "yes"} if kind == "well" else {"stop": told["step"] >= 3}

    told = Worker("small").ask("steps", answer=answer)
    assert heard[:4] == [("train", step) for step in range(4)]
    assert heard[-1] == ("well", told["steps"])
    assert told["steps"] < 100
    assert told["answer"] == "yes"


def test_an_error_of_ours_in_an_answer_ends_the_worker_and_the_next_question_starts_another(small: Path) -> None:
    def answer(kind: str, told: Mapping[str, Any]) -> Mapping[str, Any]:
        raise FrameworkError("no score")

    worker = Worker("small")
    with pytest.raises(FrameworkError, match="no score"):
        worker.ask("steps", answer=answer)
    assert not worker.running
    with pytest.raises(FrameworkError, match="KeyError"):
        worker.ask("fail", what="key")


def test_a_killed_worker_is_one_error_with_the_end_of_its_log(small: Path) -> None:
    def answer(kind: str, told: Mapping[str, Any]) -> Mapping[str, Any]:
        worker.log.write_text("line 1\nthe last line\n")
        os.kill(told["pids"][0], signal.SIGKILL)
        return {}

    worker = Worker("small")
    with pytest.raises(TrainingFailed, match=r"was ended by SIGKILL.*no memory left.*\nline 1\nthe last line$"):
        worker.ask("sleep", answer=answer, failed=TrainingFailed)


def test_ctrl_c_ends_the_worker_and_what_its_library_has_started(small: Path) -> None:
    pids: list[int] = []

    def answer(kind: str, told: Mapping[str, Any]) -> Mapping[str, Any]:
        pids.extend(told["pids"])
        raise KeyboardInterrupt

    worker = Worker("small")
    with pytest.raises(KeyboardInterrupt):
        worker.ask("sleep", answer=answer)
    assert all(map(gone, pids))


@pytest.mark.parametrize("way", ["kill", "exit"])
def test_the_worker_ends_with_its_parent(small: Path, tmp_path: Path, way: str) -> None:
    code = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom tunesmith.frameworks import worker_environment\n"
        f"worker_environment.WORKERS = Path({str(small)!r})\nfrom tunesmith.frameworks.worker import Worker\n"
        "worker = Worker('small')\n"
        "def answer(kind, told):\n    print(*told['pids'], worker.scratch, flush=True)\n"
        f"    {'os.kill(os.getpid(), signal.SIGKILL)' if way == 'kill' else 'sys.exit(3)'}\n"
        "worker.ask('sleep', answer=answer)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    one, other, scratch = done.stdout.split()
    assert done.returncode == (-signal.SIGKILL if way == "kill" else 3)
    assert gone(int(one))
    assert gone(int(other))
    assert Path(scratch).exists() == (way == "kill")


def test_a_worker_goes_with_its_object(small: Path) -> None:
    worker = Worker("small")
    with pytest.raises(FrameworkError):
        worker.ask("fail", what="key")
    assert worker._process is not None
    pid, scratch = worker._process.pid, worker.scratch
    del worker
    assert gone(pid)
    assert not scratch.exists()


def test_an_absent_environment_is_one_error_with_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNESMITH_HOME", str(tmp_path))
    with pytest.raises(NoEnvironment, match=r"not installed: tunesmith frameworks install span-marker$") as caught:
        Worker("span-marker")
    assert isinstance(caught.value, ImportError)


def test_a_worker_sees_the_device_that_was_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert [visible_gpus(device) for device in ("auto", "cpu", 0, 1)] == [None, "", "0", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    assert [visible_gpus(device) for device in ("auto", "cpu", 0, 1)] == [None, "", "2", "5"]
    with pytest.raises(ConfigError, match="'device' is 2: expected the number of a GPU: one of the 2 here"):
        visible_gpus(2)
