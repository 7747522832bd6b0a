"""A private PostgreSQL server of the machine's own package, on a socket in a folder of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

HOMES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)


def _as_owner(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """PostgreSQL refuses root: there it runs as the user of its package."""
    if os.geteuid() == 0:
        command = ["runuser", "-u", "postgres", "--", *command]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def _run(command: list[str], folder: Path) -> None:
    done = _as_owner(command, folder)
    if done.returncode:
        pytest.fail(f"{' '.join(command)}: {done.stderr or done.stdout}")


@contextlib.contextmanager
def server() -> Iterator[str]:
    """The URL of the server up to the name of a database; the test is skipped where there are no binaries."""
    pytest.importorskip("psycopg", reason="psycopg is not installed: the extra 'postgres'")
    if not HOMES:
        pytest.skip("no PostgreSQL under /usr/lib/postgresql")
    if os.geteuid() == 0 and _as_owner(["true"], Path("/")).returncode:
        pytest.skip("there is no user postgres, and PostgreSQL refuses root")
    binaries, folder = HOMES[0], Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # a socket's path is short
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
        data = str(folder / "data")
        _run([str(binaries / "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"], folder)
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off -c max_connections=60"
        control = [str(binaries / "pg_ctl"), "-D", data, "-w", "-l", str(folder / "log")]
        _run([*control, "-o", options, "start"], folder)
        try:
            yield f"postgresql://postgres@/DATABASE?host={quote(str(folder), safe='')}"
        finally:
            _as_owner([*control, "-m", "immediate", "stop"], folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
