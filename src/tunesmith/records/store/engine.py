"""One database: its engine, its pragmas, its transactions, and how its errors are told."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from ...data.cache import home
from ...errors import ConfigError, DataError, NotInstalled, StoreError
from .migrations import migrate

PATIENCE = 60.0  # seconds that a writer waits for the others
_PRAGMAS = (
    "synchronous = NORMAL",  # a crash of the machine may take the last batches, whole; one of the process takes none
    "foreign_keys = ON",
    "cache_size = -65536",  # KB
    "temp_store = MEMORY",
    "wal_autocheckpoint = 4000",  # pages of 4 KB
)
_STEPS = 20_000  # of SQLite's machine between two looks at the clock
_LOCK = 0x74756E65  # of the migrations, in PostgreSQL's table of advisory locks


class Database:
    """An open database of a store; safe for threads, and for processes that were forked from this one.

    longest: the seconds after which a reading is broken off: of a statement on PostgreSQL, of all of them on SQLite.
    """

    def __init__(self, url: str | Path | None = None, *, longest: float | None = None) -> None:
        self.url = _url(url)
        self.longest = longest
        self.where = self.url.render_as_string(hide_password=True)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        if self.sqlite:
            self.where = str(self.url.database)
        self._pid = os.getpid()
        self._engine = _engine(self.url)
        self._open()

    def close(self) -> None:
        self._engine.dispose()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database, and changes nothing."""
        engine = self._ours()
        if not self.sqlite:  # where each statement sees a state of its own otherwise
            engine = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with self._told(), engine.connect() as connection, self._bounded(connection):
            yield connection

    @contextlib.contextmanager
    def _bounded(self, connection: Connection) -> Iterator[None]:
        if self.longest is None:
            yield
        elif not self.sqlite:
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {max(int(self.longest * 1000), 1)}")
            yield
        else:
            until = time.monotonic() + self.longest
            raw: Any = connection.connection.driver_connection
            raw.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
            try:
                yield
            finally:
                raw.set_progress_handler(None, 0)

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is kept whole where the block ends, and not at all where it raises."""
        engine = self._ours().execution_options(writing=True)
        with self._told(), engine.begin() as connection:
            yield connection

    def _open(self) -> None:
        if self.sqlite:
            with self._told():
                Path(self.where).parent.mkdir(parents=True, exist_ok=True)
                _write_ahead(self._engine)
        with self.writing() as connection:
            if not self.sqlite:
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            migrate(connection, self.where)

    def _ours(self) -> Engine:
        if self._pid != os.getpid():  # a fork: the connections are the parent's
            self._engine.dispose(close=False)
            self._pid = os.getpid()
        return self._engine

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            if self.longest is not None and _is_broken_off(error.orig):
                raise DataError(
                    f"the search took longer than {self.longest:g} s, which is as long as one may take here: "
                    "ask for less at once, with fewer wildcards and clauses."
                ) from error
            raise StoreError(self.where, f"{str(error.orig).strip() or type(error.orig).__name__}.") from error
        except (sqlite3.Error, OSError) as error:  # before SQLAlchemy has a hand in it
            raise StoreError(self.where, f"{error}.") from error
        except SQLAlchemyError as error:
            raise StoreError(self.where, f"{type(error).__name__}: {str(error).splitlines()[0]}") from error


def _is_broken_off(error: BaseException | None) -> bool:
    return str(error) == "interrupted" or getattr(error, "sqlstate", None) == "57014"


def _url(said: str | Path | None) -> URL:
    if said is None:
        said = home() / "records.db"
    if isinstance(said, Path) or "://" not in said:
        return URL.create("sqlite+pysqlite", database=str(Path(said).expanduser().absolute()))
    expected = "a path, sqlite:///path or postgresql://user@host/database"
    try:
        url = make_url(said)
    except ArgumentError as error:
        raise ConfigError("database", said.partition("://")[0] + "://…", expected) from error
    kind = url.get_backend_name()
    if kind == "sqlite":
        if not url.database or url.database == ":memory:":
            raise ConfigError("database", said, "a file: several threads and processes share a store")
        return URL.create("sqlite+pysqlite", database=str(Path(url.database).absolute()))
    if kind in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+psycopg")
    raise ConfigError("database", f"{kind}://…", expected)


def _engine(url: URL) -> Engine:
    shared: dict[str, Any] = {
        "json_serializer": _as_it_is,
        "json_deserializer": _as_it_is,
    }
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, connect_args={"timeout": PATIENCE}, **shared)
        event.listen(engine, "connect", _settle)
        event.listen(engine, "begin", _begin)
        return engine
    try:
        return create_engine(url, pool_pre_ping=True, **shared)
    except ImportError as error:
        raise NotInstalled("psycopg", "postgres", "a store on PostgreSQL") from error


def _as_it_is(text: str | bytes) -> str:
    """Columns of JSON take and give its text: it is made once, where a record is encoded."""
    return text if isinstance(text, str) else text.decode()


def _settle(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # transactions begin where we say
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    # A writer takes its lock at once: one that began as a reader could not wait for it.
    writing = connection.get_execution_options().get("writing")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _write_ahead(engine: Engine) -> None:
    """WAL mode, which the file keeps. Two processes that switch a new file at once must try again."""
    until = time.monotonic() + PATIENCE
    while True:
        raw = engine.raw_connection()
        try:
            mode = raw.cursor().execute("PRAGMA journal_mode = WAL").fetchone()
            if mode and mode[0] == "wal":
                return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
        finally:
            raw.close()
        if time.monotonic() > until:
            return
        time.sleep(0.02)
