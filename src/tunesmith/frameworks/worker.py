"""A framework's library in a process of another environment: one long-lived process, spoken to by JSON lines."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import FrameworkError, OutOfMemory, TunesmithError
from .worker_environment import Environment

Answer = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
_TAIL = 15  # lines of the log that an error shows
_PATIENCE = 10  # seconds that a worker has to end by itself
_SECRET = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "OPENAI_API_KEY")


class Worker:
    """One process, started at the first question and ended with this object or with this process.

    The library works offline, in `scratch`, a folder that goes with the worker; files of rows and of predictions lie
    there. log: where what the library prints is kept; None keeps it in `scratch`. alone: held by the thread that asks,
    and by one whose files in `scratch` are not to be written over. device: as the setting of that name.
    """

    def __init__(self, name: str, log: Path | None = None, device: str | int = "auto") -> None:
        self.environment = Environment(name)
        self.environment.check()
        self._visible = visible_gpus(device)
        self.scratch = Path(tempfile.mkdtemp(prefix=f"tunesmith-{name}-"))
        self.log = log or self.scratch / "worker.log"
        self._process: subprocess.Popen[str] | None = None
        self._asked = 0
        self.alone = threading.RLock()
        self._cleaning = weakref.finalize(self, _leave, None, self.scratch)

    @property
    def running(self) -> bool:
        """Whether the process is there, with what it has loaded."""
        return self._process is not None and self._process.poll() is None

    def ask(
        self,
        do: str,
        *,
        failed: Callable[[str], TunesmithError] = FrameworkError,
        answer: Answer | None = None,
        **request: Any,
    ) -> Mapping[str, Any]:
        """What the worker's function `do` returns.

        answer: is told of events and questions on the way; to a question it returns the answer. failed: makes the
        error of an error there.

        Raises:
            TunesmithError: by `failed`, what the library raised, or how the process ended.
            OutOfMemory: the library had no memory left.
        """
        with self.alone:
            return self._ask({"do": do, **request}, failed, answer)

    def _ask(
        self, request: Mapping[str, Any], failed: Callable[[str], TunesmithError], answer: Answer | None
    ) -> Mapping[str, Any]:
        process = self._process if self._process is not None and self.running else self._start()
        self._asked += 1
        waits = False  # for another question: an error there leaves it so
        try:
            _tell(process, {"id": self._asked, **request})
            while heard := self._hear(process, failed):
                if waits := "error" in heard:
                    raise self._error(heard["error"], failed)
                if "done" in heard:
                    done: Mapping[str, Any] = heard["done"]
                    return done
                kind = heard.pop("ask", None)
                said = answer(kind or heard.pop("event"), heard) if answer is not None else {}
                if kind is not None:
                    _tell(process, {"do": "answer", **said})
                elif said.get("stop"):
                    _tell(process, {"do": "stop"})
        except BaseException:
            if not waits:  # Ctrl-C, or an error of `answer`: it is in the middle of something
                self.end()
            raise
        raise AssertionError("unreachable: a message is never empty")

    def end(self) -> None:
        """End the process now; the next question starts another."""
        if self._process is not None:
            _kill(self._process)
            self._process = None

    def _start(self) -> subprocess.Popen[str]:
        inherited = os.environ.items()
        environment = {name: value for name, value in inherited if name not in _SECRET and name[:6] != "PYTHON"}
        environment |= {
            "HF_HUB_OFFLINE": "1",
            "HF_DATASETS_OFFLINE": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HOME": str(self.scratch / "hf"),
            **({} if self._visible is None else {"CUDA_VISIBLE_DEVICES": self._visible}),
            "PATH": os.pathsep.join([str(self.environment.python.parent), os.environ.get("PATH", "")]),
        }
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [str(self.environment.python), "-I", str(self.environment.script)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self.scratch,
                env=environment,
                text=True,
                encoding="utf-8",
                start_new_session=True,  # Ctrl-C comes to us alone, and what the library starts ends with it
            )
        self._cleaning.detach()
        self._cleaning = weakref.finalize(self, _leave, process, self.scratch)
        self._process = process
        return process

    def _hear(self, process: subprocess.Popen[str], failed: Callable[[str], TunesmithError]) -> dict[str, Any]:
        """The next message; the process's end is an error."""
        assert process.stdout is not None
        line = process.stdout.readline()
        if line.endswith("\n"):
            heard: dict[str, Any] = json.loads(line)
            return heard
        code = process.wait()
        self._process = None
        raise failed(f"{self.environment.name}: its worker {_ending(code)}.{self._tail()}")

    def _error(self, told: Mapping[str, Any], failed: Callable[[str], TunesmithError]) -> TunesmithError:
        said = f"{self.environment.name}: {told['type']}: {told['message']}"
        if told["memory"]:
            return OutOfMemory(f"{said}. Lower the batch size, or the length that is read.")
        return failed(f"{said}{'' if said.endswith('.') else '.'}{self._tail()}")

    def _tail(self) -> str:
        """The end of the log, and where the log is."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        shown = "\n".join(lines[-_TAIL:])
        where = f" Its log, {self.log}, ends:" if lines else " Its log is empty."
        return f"{where}\n{shown}" if lines else where


def visible_gpus(device: str | int) -> str | None:
    """What `CUDA_VISIBLE_DEVICES` says to a library that is to compute on a device; None leaves it as it is.

    Raises:
        ConfigError: there is no such GPU.
    """
    if device == "auto":
        return None
    if not isinstance(device, int):
        return ""
    from ..training import devices

    devices.check(device, {})
    seen = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    return seen[device].strip() if device < len(seen) and seen[0] else str(device)


def write_rows(path: Path, columns: Mapping[str, Sequence[Any]], forms: Mapping[str, str]) -> None:
    """Write an Arrow IPC file. forms: what a cell of each column is, a text, an id, words or ids."""
    import pyarrow

    types = {
        "text": pyarrow.string(),
        "id": pyarrow.int32(),
        "words": pyarrow.list_(pyarrow.string()),
        "ids": pyarrow.list_(pyarrow.int32()),
    }
    schema = pyarrow.schema([(name, types[forms[name]]) for name in columns])
    table = pyarrow.table({name: list(cells) for name, cells in columns.items()}, schema=schema)
    with pyarrow.OSFile(str(path), "wb") as sink, pyarrow.ipc.new_file(sink, schema) as writer:
        writer.write_table(table)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of an Arrow IPC file."""
    import pyarrow

    with pyarrow.memory_map(str(path)) as source:
        rows: list[dict[str, Any]] = pyarrow.ipc.open_file(source).read_all().to_pylist()
    return rows


def _tell(process: subprocess.Popen[str], message: Mapping[str, Any]) -> None:
    """A pipe that is broken says nothing here: what is heard next is the process's end."""
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(message) + "\n")
        process.stdin.flush()
    except (BrokenPipeError, OSError):
        return


def _ending(code: int) -> str:
    if code >= 0:
        return f"ended by itself, with code {code}"
    name = signal.Signals(-code).name
    return f"was ended by {name}" + (", as a host does that has no memory left" if name == "SIGKILL" else "")


def _kill(process: subprocess.Popen[str]) -> None:
    """End a process and those that it started."""
    try:
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait(_PATIENCE)
    for pipe in (process.stdin, process.stdout):
        try:
            if pipe is not None:
                pipe.close()
        except OSError:  # what was still to be written has no reader
            continue


def _leave(process: subprocess.Popen[str] | None, scratch: Path) -> None:
    if process is not None:
        _kill(process)
    shutil.rmtree(scratch, ignore_errors=True)
