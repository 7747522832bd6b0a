"""Every test runs offline, with a home of its own, and without the user's tokens or caches."""

from __future__ import annotations

import gc
import os
import shutil
import socket
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

import fuzz

_LOCAL = ("127.", "::1", "localhost", "0.0.0.0")
_scratch = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    """The environment is set before the first library is imported: they read it once."""
    settings.load_profile(fuzz.PROFILE)
    scratch = tempfile.mkdtemp(prefix="tunesmith-tests-")
    config.stash[_scratch] = scratch
    os.environ.update(
        HF_HUB_OFFLINE="1",
        HF_DATASETS_OFFLINE="1",
        HF_HUB_DISABLE_TELEMETRY="1",
        HF_HOME=str(Path(scratch, "hf")),
        TOKENIZERS_PARALLELISM="false",
        TUNESMITH_HOME=str(Path(scratch, "home")),
    )
    os.environ.setdefault("TUNESMITH_TEST_WORKERS", "")  # the home that `make test-workers` makes environments in
    _lend_environments(Path(scratch, "home"))
    os.environ.setdefault("TUNESMITH_TEST_DATA", os.environ.get("TUNESMITH_DATA", ""))  # of tests on real data
    for name in (
        "HF_TOKEN",
        "HUGGING_FACE_HUB_TOKEN",
        "HF_ENDPOINT",
        "TUNESMITH_DATA",
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
    ):
        os.environ.pop(name, None)


def pytest_unconfigure(config: pytest.Config) -> None:
    shutil.rmtree(config.stash[_scratch], ignore_errors=True)


@pytest.fixture(autouse=True, scope="module")
def _frozen() -> None:
    """What is there before a file's tests is not looked through again by the collection of garbage of each training."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test finds the feature cache of another."""
    home = tmp_path_factory.mktemp("home")
    _lend_environments(home)
    monkeypatch.setenv("TUNESMITH_HOME", str(home))


def _lend_environments(home: Path) -> None:
    """Put the workers' environments into a home of the tests, where there are any."""
    if os.environ["TUNESMITH_TEST_WORKERS"]:
        home.mkdir(exist_ok=True)
        (home / "environments").symlink_to(Path(os.environ["TUNESMITH_TEST_WORKERS"], "environments").absolute())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not os.environ["TUNESMITH_TEST_WORKERS"]:
        absent = pytest.mark.skip(reason="needs the environments of workers: make test-workers")
        for item in items:
            if item.get_closest_marker("workers"):
                item.add_marker(absent)


@pytest.fixture(autouse=True, scope="session")
def _no_network() -> Any:
    """A connection that leaves the machine fails at once and says which test tool stopped it."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> Any:
        outside = isinstance(address, tuple) and not str(address[0]).startswith(_LOCAL)
        if outside and self.family != socket.AF_UNIX:
            raise OSError(f"tests run offline: a connection to {address[0]} was refused by tests/conftest.py")
        return connect(self, address)

    patch = pytest.MonkeyPatch()
    patch.setattr(socket.socket, "connect", guarded)
    yield
    patch.undo()
