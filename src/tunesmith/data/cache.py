"""Where tunesmith keeps its own files, and a bounded folder of Arrow files."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigError, DataError

_DAY = 86_400  # seconds; a temporary file older than this was left by a process that died


def home() -> Path:
    """`$TUNESMITH_HOME`, or the user's data folder as the platform has it. Not created here."""
    said = os.environ.get("TUNESMITH_HOME")
    if said:
        return Path(said).expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "tunesmith"


def default_limit() -> int:
    """Bytes the cache may hold: `$TUNESMITH_CACHE_GB` gibibytes, 10 where it is not set."""
    said = os.environ.get("TUNESMITH_CACHE_GB", "10")
    try:
        size = float(said)
    except ValueError as error:
        raise ConfigError("TUNESMITH_CACHE_GB", said, "a number of gibibytes") from error
    if not 0 <= size < float("inf"):
        raise ConfigError("TUNESMITH_CACHE_GB", said, "a number of gibibytes, 0 or more")
    return int(size * 2**30)


@dataclass(frozen=True)
class FeatureCache:
    """Arrow files by key, the least recently used out first; several processes may share the folder.

    limit_bytes: None takes `default_limit()`. folder: None takes `home()/cache`. The file written last is never put
    out, so one file may be larger than the limit.
    """

    limit_bytes: int | None = None
    folder: Path | None = None

    @property
    def root(self) -> Path:
        return self.folder or home() / "cache"

    def get(self, key: str) -> Path | None:
        """The file of this key, marked as used now, or None."""
        path = self._path(key)
        try:
            os.utime(path)
        except OSError:
            # a folder that may only be read still serves its files
            return path if path.is_file() else None
        return path

    def put(self, key: str | None, write: Callable[[Path], object]) -> Path:
        """The file of this key, made by `write(temporary path)`; where key is None, of the content's own hash.

        Raises:
            DataError: the folder or the disk does not take the file; nothing is left behind.
        """
        temporary = self.root / f".{uuid.uuid4().hex}.tmp"
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            write(temporary)
            path = self._path(key if key is not None else _digest(temporary))
            _rename(temporary, path)
        except OSError as error:
            raise DataError(
                f"{self.root}: the cache cannot be written ({error}). Make room, set TUNESMITH_HOME to another folder, "
                "or train with cache=False."
            ) from error
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        self._evict(path)
        return path

    def _path(self, key: str) -> Path:
        plain = key if re.fullmatch(r"[A-Za-z0-9_-]{1,128}", key) else hashlib.sha256(key.encode()).hexdigest()
        return self.root / f"{plain}.arrow"

    def _evict(self, kept: Path) -> None:
        limit = default_limit() if self.limit_bytes is None else self.limit_bytes
        files: list[tuple[float, int, Path]] = []
        for path in self.root.iterdir():
            with contextlib.suppress(OSError):  # another process may have taken it
                found = path.stat()
                if path.suffix == ".tmp" and time.time() - found.st_mtime > _DAY:
                    path.unlink()
                elif path.suffix == ".arrow":
                    files.append((found.st_mtime, found.st_size, path))
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total <= limit:
                break
            if path == kept:
                continue
            with contextlib.suppress(OSError):  # Windows does not remove a file that is mapped
                path.unlink()
                total -= size


def _rename(temporary: Path, path: Path) -> None:
    try:
        os.replace(temporary, path)
    except PermissionError:  # Windows, and another process has the same content open: theirs serves
        if not path.is_file():
            raise
        os.utime(path)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
