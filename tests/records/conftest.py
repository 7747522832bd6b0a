"""Stores to test: a file of its own for each test, and a schema of its own on one PostgreSQL server."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from postgres_kit import server
from tunesmith.records.store.store import Store


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    with server() as url:
        yield url


@pytest.fixture
def postgres_url(postgres: str) -> str:
    import psycopg

    name = f"t{uuid.uuid4().hex}"
    with psycopg.connect(postgres.replace("DATABASE", "postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")  # a database has 300 files, which took a minute to take away
    return postgres.replace("DATABASE", "postgres") + f"&options=-csearch_path%3D{name}"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Each database in turn."""
    return str(tmp_path / "records.db") if request.param == "sqlite" else request.getfixturevalue("postgres_url")


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with Store(url) as opened:
        yield opened
