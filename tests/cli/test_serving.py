"""`tunesmith users` and `tunesmith records server`: keys, and a server as a process of its own."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tunesmith.cli import main
from tunesmith.records.client import Remote
from tunesmith.records.types import Text2TextRecord


@pytest.fixture
def file(tmp_path: Path) -> str:
    return str(tmp_path / "records.db")


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TUNESMITH_HOME", str(tmp_path))


def said(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = main(argv)
    out, err = capsys.readouterr()
    return code, out, err


def test_a_user_is_created_listed_and_deleted_and_the_key_is_printed_once(
    capsys: pytest.CaptureFixture[str], file: str
) -> None:
    there = ("--database", file)
    code, key, told = said(capsys, "users", "create", "ada", "--role", "owner", *there)
    assert code == 0
    assert re.fullmatch(r"ts-[0-9a-f]{16}-[\w-]{43}\n", key)  # alone: a shell takes it
    assert "ada is owner of default" in told
    code, other, _ = said(
        capsys, "users", "create", "bob", "--role", "admin", "--workspace", "a", "--workspace", "b", *there
    )
    assert (code, other == key) == (0, False)
    code, listed, _ = said(capsys, "users", "list", *there)
    assert "bob\n  role     admin\n  in       a, b\n" in listed
    _, as_json, _ = said(capsys, "users", "list", "--json", *there)
    assert [each["workspaces"] for each in json.loads(as_json)] == [["default"], ["a", "b"]]
    assert key.strip() not in listed + as_json
    assert said(capsys, "users", "delete", "bob", *there)[0] == 0
    assert "bob" not in said(capsys, "users", "list", *there)[1]
    said(capsys, "users", "delete", "ada", *there)
    assert "no users yet" in said(capsys, "users", "list", *there)[1]


@pytest.mark.parametrize(
    ("argv", "code", "told"),
    [
        (["users", "create", "ada"], 2, "--role is missing: expected owner, admin or annotator."),
        (["users", "create", "ada", "--role", "root"], 2, "--role is 'root': expected owner, admin or annotator."),
        (["users", "create", "Ada", "--role", "owner"], 1, "a user cannot be called 'Ada'"),
        (["users", "create", "ada", "--role", "admin"], 1, "name at least one"),
        (["users", "delete", "ada"], 2, "unknown user 'ada'"),
        (["users", "remove", "ada"], 2, "unknown command of users 'remove'"),
        (["user"], 2, "Did you mean 'users'?"),
        (["records", "serve"], 2, "Did you mean 'server'?"),
        (["records", "server", "--port", "x"], 2, "--port is 'x'"),
        (["records", "server", "--port", "65536"], 2, "--port is '65536'"),
        (["records", "server", "--prot", "1"], 2, "Did you mean '--port'?"),
        (["records", "server", "--host", "203.0.113.1"], 2, "203.0.113.1:6900"),
        (["records", "server", "--database", "mysql://a:secret@b/c"], 2, "postgresql://"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_to_do(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    argv: list[str],
    code: int,
    told: str,
) -> None:
    monkeypatch.setenv("TUNESMITH_HOME", str(tmp_path))
    found, out, err = said(capsys, *argv)
    assert (found, out) == (code, "")
    assert told in err
    assert err.count("\n") == 1
    assert "secret" not in err


def test_an_address_that_cannot_be_had_leaves_the_logging_of_the_process_alone(
    capsys: pytest.CaptureFixture[str], home: None
) -> None:
    closed: list[str] = []

    class Kept(logging.Handler):
        def close(self) -> None:
            closed.append("closed")

    kept = Kept()
    assert said(capsys, "records", "server", "--host", "203.0.113.1")[0] == 2
    assert closed == []
    del kept


def test_a_group_without_a_command_lists_its_commands(capsys: pytest.CaptureFixture[str]) -> None:
    for argv, code in ((["users"], 2), (["users", "--help"], 0)):
        found, out, _ = said(capsys, *argv)
        assert found == code
        assert "users create" in out
        assert "train" not in out


def test_a_port_that_is_taken_is_told(capsys: pytest.CaptureFixture[str], file: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        code, _, told = said(capsys, "records", "server", "--port", str(taken.getsockname()[1]), "--database", file)
    assert code == 2
    assert "in use" in told


@contextmanager
def process(*argv: str, **more: Any) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """(the server's process, its address)"""
    command = [sys.executable, "-m", "tunesmith", "records", "server", "--port", "0", *argv]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, env=os.environ | more, **pipes) as found:
        try:
            line = found.stdout.readline()
            yield found, re.search(r"http://[\d.]+:\d+", line)[0]
        finally:
            found.kill()


def test_a_server_of_the_command_line_serves_with_the_key_that_was_printed_until_interrupted(
    capsys: pytest.CaptureFixture[str], file: str
) -> None:
    _, key, _ = said(capsys, "users", "create", "ada", "--role", "owner", "--database", file)
    with process("--database", file) as (server, url):
        assert url.startswith("http://127.0.0.1:")  # loopback where nothing is said
        assert httpx.get(f"{url}/healthz").text == "ok"
        remote = Remote(url, key.strip())
        remote.log(Text2TextRecord(text="danke", id=1), "mine", remote.home())
        assert [record.id for record in remote.load("mine", "default")] == [1]
        server.send_signal(signal.SIGINT)
        assert server.wait(timeout=20) == 0
        assert server.stderr.read() == ""


def test_a_server_open_to_others_or_without_users_says_so(file: str) -> None:
    with process("--database", file, "--host", "0.0.0.0") as (server, _):
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=20)
        told = server.stderr.read()
    assert "open to other machines" in told
    assert "there are no users yet" in told
