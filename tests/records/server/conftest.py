"""Servers for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from serving import Served, run


@pytest.fixture
def serve(tmp_path: Path) -> Callable[..., AbstractContextManager[Served]]:
    """`serve(limits)`: a server of its own, with the limits that a test needs."""
    return lambda limits=None: run(tmp_path / "records.db", limits)


@pytest.fixture
def served(serve: Callable[..., AbstractContextManager[Served]]) -> Iterator[Served]:
    with serve() as found:
        yield found
