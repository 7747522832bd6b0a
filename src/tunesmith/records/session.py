"""The verbs of a session: what `init` opened, the active workspace, and log, load, delete … on them.

Without `init` the first verb opens what the environment names, or the store on this machine. A `workspace` argument is
of that call alone: only `init` and `set_workspace` change the active one.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import ConfigError, DataError, MissingCredential, ServerError
from .holder import Holder
from .record import Record
from .settings import Settings
from .store.catalog import StoredDataset, check_workspace
from .store.users import HOME
from .store.writing import Logged

URLS = ("TUNESMITH_API_URL", "ARGILLA_API_URL")  # the first that is set
KEYS = ("TUNESMITH_API_KEY", "ARGILLA_API_KEY")
WORKSPACES = ("TUNESMITH_WORKSPACE", "ARGILLA_WORKSPACE")
_log = logging.getLogger(__name__)


class Workspace(str):
    """The name of a workspace: text, and `.name` for those who know it so."""

    __slots__ = ()

    @property
    def name(self) -> str:
        return str(self)


@dataclass(frozen=True)
class Session:
    """What verbs work on: where the records are, and the workspace of a call that names none."""

    holder: Holder
    workspace: str
    one_by_one: ThreadPoolExecutor  # of what is logged in the background: in order


_lock = threading.RLock()
_active: Session | None = None


def init(
    api_url: str | None = None,
    api_key: str | None = None,
    workspace: str | None = None,
    timeout: float = 60,
    extra_headers: Mapping[str, str] | None = None,
    httpx_extra_kwargs: Mapping[str, Any] | None = None,
    *,
    database: str | Path | None = None,
) -> None:
    """Open what the verbs work on, from now on.

    api_url, api_key: a server; without them the variables of URLS and KEYS, ours first. workspace: the active one;
    without it the variables of WORKSPACES, then 'default' (of a server: the user's own). database: the store of an
    SQLite file or a PostgreSQL address in place of a server. Without any, the store is a file in tunesmith's home.

    Raises:
        ConfigError: an address or name that cannot be. MissingCredential: a server without a key.
        ServerError: the server does not answer, or does not know the key. StoreError: the database cannot be opened.
    """
    global _active
    url, key, named = api_url or _said(URLS), api_key or _said(KEYS), workspace or _said(WORKSPACES)
    if database is not None and (api_url or api_key):
        raise ConfigError("database", str(database), "either a database or a server, not both")
    if api_key and not url:
        raise ConfigError("api_key", "…", f"an address with it: api_url, or the variable {URLS[0]}")
    if named:
        check_workspace(named)
    holder: Holder
    if url and database is None:
        if not key:
            other = "pass api_key=… (`tunesmith users create` prints one)"
            raise MissingCredential(f"the server at {url}", KEYS[0], other)
        from .client import Remote

        remote = Remote(url, key, timeout=timeout, headers=extra_headers, options=httpx_extra_kwargs)
        own = remote.home()  # also says now, not later, that the address or the key is wrong
        holder, named = remote, named or own
    else:
        from .store.store import Store

        holder = Store(database)
    with _lock:
        _active = Session(holder, named or HOME, ThreadPoolExecutor(1, "tunesmith-log"))


def _said(variables: Sequence[str]) -> str | None:
    return next((os.environ[name] for name in variables if os.environ.get(name)), None)


def active() -> Session:
    """The open session; opened now where there was none."""
    with _lock:
        if _active is None:
            init()
        assert _active is not None
        return _active


def close() -> None:
    """Wait for what is logged in the background and forget the session; the next verb opens one anew."""
    global _active
    with _lock:
        session, _active = _active, None
    if session is not None:
        session.one_by_one.shutdown()
        getattr(session.holder, "close", lambda: None)()


def _place(workspace: str | None) -> tuple[Holder, str]:
    session = active()
    return session.holder, workspace or session.workspace


def get_workspace() -> str:
    """The name of the active workspace."""
    return active().workspace


def set_workspace(workspace: str) -> None:
    """Make a workspace the active one; it need not exist: its first log makes it.

    Raises:
        DataError: a workspace cannot be called so.
    """
    global _active
    check_workspace(workspace)
    with _lock:
        _active = replace(active(), workspace=workspace)


def list_workspaces() -> list[Workspace]:
    """The names of the workspaces, sorted."""
    return [Workspace(name) for name in active().holder.workspaces()]


def list_datasets(workspace: str | None = None) -> list[StoredDataset]:
    """The data sets of a workspace, or of all where none is named."""
    return active().holder.datasets(workspace)


def log(
    records: Record | Iterable[Record],
    name: str,
    workspace: str | None = None,
    tags: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    batch_size: int = 1_000,
    *,
    verbose: bool = True,
    background: bool = False,
    author: str | None = None,
) -> Logged | Future[Logged]:
    """Add records to a data set, made where it is new; one with a known id is replaced.

    batch_size: records a transaction; each is written whole or not at all. verbose: tell the log of Python when it is
    done. background: give a `Future` back at once; the records are read before that. Logs in the background are
    done one after the other, in the order of the calls.

    Raises:
        DataError: no records, records of several tasks or of another than the data set's, a name that cannot be.
    """
    session = active()
    place = workspace or session.workspace
    _whole("batch_size", batch_size)
    found = records if isinstance(records, Record) else list(records) if background else records

    def run() -> Logged:
        logged = session.holder.log(found, name, place, tags=tags, metadata=metadata, author=author, batch=batch_size)
        if verbose:
            _log.info("%d records logged to %s in %s at %s", logged.processed, name, place, session.holder.where)
        return logged

    return session.one_by_one.submit(run) if background else run()


def load(
    name: str,
    workspace: str | None = None,
    query: str | None = None,
    vector: tuple[str, Sequence[float]] | None = None,
    ids: Sequence[str | int] | None = None,
    limit: int | None = None,
    *,
    sort: Sequence[tuple[str, str]] | None = None,
    id_from: str | int | None = None,
    include_vectors: bool = True,
    include_metrics: bool = True,
) -> Any:
    """The records of a data set as a Dataset of its task, in the order of their first log.

    query: Lucene syntax. ids: those alone. vector: (name, numbers), the nearest first, 100 where there is no limit.
    sort: (field, "asc" or "desc") pairs. id_from: the records after this one. include_vectors, include_metrics: False
    leaves them None.

    Raises:
        DataError: an unknown data set or workspace, a limit below 1, a query that cannot be read.
    """
    from .datasets import DATASETS

    holder, place = _place(workspace)
    if limit is not None:
        _whole("limit", limit)
    if vector is not None:
        if ids is not None or sort is not None or id_from is not None:
            raise DataError("a search by vector has an order of its own: it takes no ids, sort or id_from.")
        found = [record for record, _ in holder.similar(name, place, vector, query=query, limit=limit or 100)]
    else:
        found = holder.load(
            name, place, query=query, ids=ids, limit=limit, sort=sort, after=id_from, with_vectors=include_vectors
        )
    for record in found:
        if not include_vectors:
            record.vectors = None
        if not include_metrics:
            record.metrics = None
    return DATASETS[found[0].task if found else holder.dataset(name, place).task](found)


def iterate(name: str, query: str | None = None, *, workspace: str | None = None, page: int = 250) -> Iterator[Record]:
    """The records of a data set one after the other, with one page of them in memory."""
    _whole("page", page)
    holder, place = _place(workspace)
    return holder.iterate(name, place, query=query, page=page)


def count(name: str, query: str | None = None, *, workspace: str | None = None) -> int:
    """How many records match."""
    holder, place = _place(workspace)
    return holder.count(name, place, query=query)


def delete(name: str, workspace: str | None = None) -> None:
    """Take a data set out, with its records."""
    holder, place = _place(workspace)
    holder.delete(name, place)


def delete_records(
    name: str,
    workspace: str | None = None,
    query: str | None = None,
    ids: Sequence[str | int] | None = None,
    discard_only: bool = False,
    discard_when_forbidden: bool = True,
) -> tuple[int, int]:
    """Take out the records of the query and of the ids; one of the two is needed. (matched, processed)

    discard_only: mark them Discarded in place of that. discard_when_forbidden: do so where the user may not delete.
    """
    holder, place = _place(workspace)
    try:
        done = holder.delete_records(name, place, query=query, ids=ids, discard_only=discard_only)
    except ServerError as error:
        if discard_only or error.status != 403 or not discard_when_forbidden:
            raise
        _log.warning("%s The records are marked Discarded instead.", error)
        done = holder.delete_records(name, place, query=query, ids=ids, discard_only=True)
    return done.matched, done.processed


def copy(dataset: str, name_of_copy: str, workspace: str | None = None) -> None:
    """Copy a data set of the active workspace under a new name, into `workspace` where it is given."""
    holder, place = _place(None)
    holder.copy(dataset, place, name_of_copy, workspace)


def configure_dataset_settings(name: str, settings: Settings, workspace: str | None = None) -> None:
    """Set the label schema of a data set, made where it is new."""
    holder, place = _place(workspace)
    holder.configure(name, place, settings)


def load_dataset_settings(name: str, workspace: str | None = None) -> Settings | None:
    """The label schema of a data set, None where none was set."""
    holder, place = _place(workspace)
    return holder.settings(name, place)


def _whole(what: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise DataError(
            f"{what} is {value!r}: expected a whole number from 1" + ("." if what != "limit" else ", or None for all.")
        )
