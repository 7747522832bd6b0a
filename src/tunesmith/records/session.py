"""The verbs of a session: log, load, delete … on what is open.

A `workspace` argument is of that call alone: only `init` and `set_workspace` change the active one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from ..errors import DataError, ServerError
from .opened import active, close, get_workspace, init, placed, set_workspace
from .origin import Origin
from .record import Record
from .settings import SETTINGS, Settings
from .store.catalog import StoredDataset
from .store.writing import Logged

__all__ = [
    "init",
    "close",
    "log",
    "load",
    "iterate",
    "count",
    "delete",
    "delete_records",
    "copy",
    "list_datasets",
    "list_workspaces",
    "get_workspace",
    "set_workspace",
    "configure_dataset_settings",
    "load_dataset_settings",
]

_log = logging.getLogger(__name__)


class Workspace(str):
    """The name of a workspace: text, and `.name` for those who know it so."""

    __slots__ = ()

    @property
    def name(self) -> str:
        return str(self)


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
    """Add records to a data set, made where it is new; one with a known id is replaced, but keeps its vectors, and
    its metrics, where the new one has None of them (`{}` takes them away).

    batch_size: records a transaction; each is written whole or not at all. verbose: tell the log of Python when it is
    done. background: give a `Future` back at once; the records are read before that. Logs in the background are
    done one after the other, in the order of the calls.

    Raises:
        DataError: no records, records of several tasks or of another than the data set's, a name that cannot be.
    """
    session = active()
    place = workspace or session.workspace
    whole("batch_size", batch_size)
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
    page: int | None = None,
    include_vectors: bool = True,
    include_metrics: bool = True,
) -> Any:
    """The records of a data set as a Dataset of its task, with its settings, in the order of their first log.

    query: Lucene syntax. ids: those alone. vector: (name, numbers), the nearest first, 100 where there is no limit.
    sort: (field, "asc" or "desc") pairs. id_from: the records after this one. page: records in one request to a
    server, 1,000 where it is not said. include_vectors, include_metrics: False leaves them None.

    Raises:
        DataError: an unknown data set or workspace, a limit below 1, a query that cannot be read.
    """
    from .client import Remote
    from .datasets import DATASETS

    holder, place = placed(workspace)
    for what, said in (("limit", limit), ("page", page)):
        if said is not None:
            whole(what, said)
    if vector is not None:
        if ids is not None or sort is not None or id_from is not None:
            raise DataError("a search by vector has an order of its own: it takes no ids, sort or id_from.")
        found = [record for record, _ in holder.similar(name, place, vector, query=query, limit=limit or 100)]
    else:
        asked: dict[str, Any] = {"query": query, "ids": ids, "limit": limit, "sort": sort, "after": id_from}
        asked |= {"page": page} if page and isinstance(holder, Remote) else {}
        found = holder.load(name, place, with_vectors=include_vectors, **asked)
    task = found[0].task if found else holder.dataset(name, place).task
    dataset = DATASETS[task](list(map(_without(include_vectors, include_metrics), found)))
    dataset.settings = holder.settings(name, place) if task in SETTINGS else None
    dataset.origin = Origin(holder, name, place, frozenset(record.key for record in found))
    return dataset


def _without(vectors: bool, metrics: bool) -> Callable[[Record], Record]:
    def strip(record: Record) -> Record:
        if not vectors:
            record.vectors = None
        if not metrics:
            record.metrics = None
        return record

    return strip


def iterate(name: str, query: str | None = None, *, workspace: str | None = None, page: int = 250) -> Iterator[Record]:
    """The records of a data set one after the other, with one page of them in memory."""
    whole("page", page)
    holder, place = placed(workspace)
    return holder.iterate(name, place, query=query, page=page)


def count(name: str, query: str | None = None, *, workspace: str | None = None) -> int:
    """How many records match."""
    holder, place = placed(workspace)
    return holder.count(name, place, query=query)


def delete(name: str, workspace: str | None = None) -> None:
    """Take a data set out, with its records."""
    holder, place = placed(workspace)
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
    holder, place = placed(workspace)
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
    holder, place = placed(None)
    holder.copy(dataset, place, name_of_copy, workspace)


def configure_dataset_settings(name: str, settings: Settings, workspace: str | None = None) -> None:
    """Set the label schema of a data set, made where it is new.

    Raises:
        DataError: what are no settings, or those of another task than the data set's.
    """
    given: object = settings
    if not isinstance(given, Settings):
        kinds = " or ".join(f"{kind.__name__}(label_schema=[…])" for kind in SETTINGS.values())
        raise DataError(f"settings are {given!r}: expected {kinds}.")
    holder, place = placed(workspace)
    holder.configure(name, place, settings)


def load_dataset_settings(name: str, workspace: str | None = None) -> Settings | None:
    """The label schema of a data set, None where none was set."""
    holder, place = placed(workspace)
    return holder.settings(name, place)


def whole(what: str, value: object) -> None:
    """Raises: DataError, where the value is no whole number from 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise DataError(
            f"{what} is {value!r}: expected a whole number from 1" + ("." if what != "limit" else ", or None for all.")
        )
