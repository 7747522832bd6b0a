"""Environments for libraries that cannot live beside transformers 5: made from a lock file, one folder each."""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..data.cache import home
from ..errors import FrameworkError, NoEnvironment

WORKERS = Path(__file__).with_name("workers")
MARKER = "installed"  # the file that is written last
_TAIL = 12  # lines of pip's output that an error shows

_log = logging.getLogger("tunesmith")


@dataclass(frozen=True)
class Environment:
    """The environment of a framework; another lock file or another Python is another folder."""

    name: str

    @property
    def lock(self) -> Path:
        """The file with the exact version of every package."""
        return self._file(".txt")

    @property
    def script(self) -> Path:
        """What runs in the environment."""
        return self._file(".py", "run_")

    @property
    def folder(self) -> Path:
        told = f"{sys.implementation.cache_tag} {sys.platform}\n".encode() + self.lock.read_bytes()
        return home() / "environments" / f"{self.name}-{hashlib.sha256(told).hexdigest()[:12]}"

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self.folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")

    def versions(self, packages: Sequence[str]) -> dict[str, str]:
        """The locked versions of some packages."""
        pins = (line.split("==") for line in self.lock.read_text(encoding="utf-8").splitlines() if "==" in line)
        known = {name.lower().replace("_", "-"): version for name, version in pins}
        return {package: known[package] for package in packages}

    def installed(self) -> bool:
        """Whether it is there, whole."""
        return (self.folder / MARKER).is_file()

    def check(self) -> None:
        """Raises: NoEnvironment, where it is not there or does not run any more."""
        if not self.installed():
            raise NoEnvironment(self.name)
        if not os.access(self.python, os.X_OK):  # the Python it was made from has gone
            raise NoEnvironment(self.name, f"has lost its Python ({self.folder})")

    def install(self, pip_args: Sequence[str] = ()) -> Path:
        """Make the environment, where it is not there; its folder. Another process that makes it is waited for.

        Raises:
            FrameworkError: a step failed; it shows the end of what the step said.
        """
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with _alone(self.folder.with_suffix(".lock")):
            if self.installed() and os.access(self.python, os.X_OK):
                return self.folder
            shutil.rmtree(self.folder, ignore_errors=True)
            pip = [str(self.python), "-I", "-m", "pip", "--disable-pip-version-check", "install"]
            torch = next(line for line in self.lock.read_text(encoding="utf-8").splitlines() if line[:7] == "torch==")
            self._run([sys.executable, "-I", "-m", "venv", str(self.folder)])
            # torch comes first, with what a machine's own build of it needs; the lock has all else to the last package
            self._run([*pip, torch, *pip_args])
            self._run([*pip, "--no-deps", "-r", str(self.lock), *pip_args])
            (self.folder / MARKER).write_bytes(self.lock.read_bytes())
        return self.folder

    def _run(self, command: list[str]) -> None:
        _log.info("%s: %s", self.name, " ".join(command))
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        if done.returncode:
            tail = "\n".join(done.stdout.decode(errors="replace").splitlines()[-_TAIL:])
            raise FrameworkError(f"the environment of {self.name} was not made: `{' '.join(command)}` failed.\n{tail}")

    def _file(self, suffix: str, prefix: str = "") -> Path:
        return WORKERS / f"{prefix}{self.name.replace('-', '_')}{suffix}"


def names() -> tuple[str, ...]:
    """The frameworks that run in an environment of their own."""
    return tuple(sorted(path.stem.replace("_", "-") for path in WORKERS.glob("*.txt")))


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Only one process at a time is in here; a process that dies leaves. SQLite's lock is one on every platform."""
    with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        while True:
            try:
                connection.execute("BEGIN EXCLUSIVE")
                break
            except sqlite3.OperationalError as error:
                if "locked" not in str(error):
                    raise FrameworkError(f"{path}: cannot be written ({error})") from error
                time.sleep(0.2)
        yield
