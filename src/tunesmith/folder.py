"""The folder of a run: paths, events, and files that are either whole or absent."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from .errors import ArtifactError

Listener = Callable[[str, Mapping[str, Any]], None]

STAGED = ".final.tmp"  # in a run's folder: where the files of a model are put together

# How Python, safetensors and torch, each in its own class of error, say that a file cannot be written.
_NO_ROOM = re.compile(r"No space left|Disk quota exceeded|File too large|Read-only file system|inline_container")

_log = logging.getLogger("tunesmith")


def write_text(path: Path, text: str | Iterable[str]) -> None:
    """Write `text` (or its pieces) to `path` whole or not at all: a temporary file beside it, flushed, renamed."""
    staged = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with staged.open("w", encoding="utf-8") as file:
            file.writelines([text] if isinstance(text, str) else text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(staged, path)
    except OSError as error:
        staged.unlink(missing_ok=True)
        raise ArtifactError(path, f"cannot be written: {error.strerror or error}") from error


def no_room(error: BaseException) -> bool:
    """Whether it tells that the disk took no more."""
    return _NO_ROOM.search(str(error)) is not None


def move_files(staged: Path, folder: Path) -> None:
    """Rename every file under `staged` into its place under `folder`, and remove `staged`."""
    for source in sorted(path for path in staged.rglob("*") if path.is_file()):
        target = folder / source.relative_to(staged)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(source, target)
    shutil.rmtree(staged, ignore_errors=True)


@contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """A folder to write files into; they are renamed into `folder` when all of them are written, or none is.

    Raises:
        ArtifactError: the disk did not take them.
    """
    staged = folder / STAGED
    shutil.rmtree(staged, ignore_errors=True)
    try:
        staged.mkdir(parents=True)
        yield staged
        move_files(staged, folder)
    except BaseException as error:
        shutil.rmtree(staged, ignore_errors=True)
        if no_room(error) and not isinstance(error, ArtifactError):
            raise ArtifactError(folder, f"the disk did not take a file: {error}") from error
        raise


@dataclass(frozen=True)
class RunFolder:
    """Where a run writes, and who listens. `path` None writes nothing; events still reach the listener."""

    path: Path | None = None
    listener: Listener | None = None

    @classmethod
    def create(cls, output_dir: str | os.PathLike[str] | None, listener: Listener | None = None) -> RunFolder:
        """The folder of a new run; '' and None write nothing.

        Raises:
            ArtifactError: the folder cannot be made or written.
        """
        if not output_dir:
            return cls(None, listener)
        path = Path(output_dir)
        try:
            path.mkdir(parents=True, exist_ok=True)
            probe = path / f".probe.{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise ArtifactError(path, f"cannot be written: {error.strerror or error}") from error
        return cls(path, listener)

    def event(self, kind: str, **values: Any) -> None:
        """Append one line to events.jsonl and tell the listener."""
        if self.path is not None:
            line = json.dumps({"time": round(time.time(), 3), "kind": kind, **values}, default=str)
            with (self.path / "events.jsonl").open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        if self.listener is not None:
            self.listener(kind, values)

    def note(self, text: str) -> None:
        """Say something aloud: to the log, to events.jsonl and to the listener."""
        _log.info(text)
        self.event("note", text=text)

    def write_json(self, name: str, value: Any) -> None:
        """Write `value` as JSON under `name`; nothing where the run has no folder."""
        if self.path is not None:
            pieces = json.JSONEncoder(indent=2, ensure_ascii=False, default=str).iterencode(value)
            write_text(self.path / name, chain(pieces, "\n"))  # a large table's rows are not told as one text

    def write_text(self, name: str, text: str) -> None:
        """Write a text file under `name`; nothing where the run has no folder."""
        if self.path is not None:
            write_text(self.path / name, text)

    def read_json(self, name: str) -> Any:
        """What `name` holds.

        Raises:
            ArtifactError: the file is missing or is no JSON.
        """
        if self.path is None:
            raise ArtifactError("a run without a folder", f"has no {name}")
        try:
            return json.loads((self.path / name).read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise ArtifactError(self.path, f"has no {name}: it is no run of tunesmith") from error
        except ValueError as error:
            raise ArtifactError(self.path / name, f"is not valid JSON: {error}") from error
