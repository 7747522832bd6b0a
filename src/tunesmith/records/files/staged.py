"""Files and folders that appear when they are whole."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from ...errors import ArtifactError

_PACK: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}


@contextmanager
def staged(path: Path) -> Iterator[Path]:
    """A path beside `path`, for a file or a folder, which takes its place when the block ends well.

    Raises:
        ArtifactError: it cannot be written, or there is a folder with something in it.
    """
    if path.is_dir() and any(path.iterdir()):
        raise ArtifactError(path, "is a folder that holds something: give a new one")
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield aside
        if path.is_dir():
            path.rmdir()
        os.replace(aside, path)
    except OSError as error:
        raise ArtifactError(path, f"cannot be written: {error.strerror or error}") from error
    finally:
        if aside.is_dir():
            shutil.rmtree(aside, ignore_errors=True)
        else:
            aside.unlink(missing_ok=True)


@contextmanager
def text_file(path: Path) -> Iterator[IO[str]]:
    """A file of UTF-8 text, line ends as they are written, packed as the suffix says.

    Raises:
        ArtifactError: it cannot be written.
    """
    if path.suffix.lower() == ".zst":
        raise ArtifactError(path, "is not packed this way: .gz, .bz2 and .xz are")
    pack = _PACK.get(path.suffix.lower(), open)
    with staged(path) as aside, io.TextIOWrapper(pack(aside, "wb"), encoding="utf-8", newline="") as file:
        yield file
