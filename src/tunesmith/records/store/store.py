"""A store of records: one database, and the verbs on it. Nothing here knows of an active workspace."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...errors import DataError
from ..query.sorting import Order
from ..record import Record
from ..settings import SETTINGS, Settings
from ..types import TYPES
from . import catalog, changing, history, paging, vectors, writing
from .catalog import StoredDataset
from .changing import Deleted
from .engine import Database
from .history import Event
from .paging import Asked
from .reading import Source
from .writing import BATCH, Logged


class Store:
    """Named data sets in workspaces, in one SQLite file or PostgreSQL database; safe for threads and processes.

    url: a path, `sqlite:///path`, or `postgresql://user@host/database`; None is `records.db` in tunesmith's home.
    longest: seconds that a search may take; one that takes longer is a DataError. None is no bound.
    """

    def __init__(self, url: str | Path | None = None, *, longest: float | None = None) -> None:
        self._database = Database(url, longest=longest)

    @property
    def where(self) -> str:
        """The file or the URL, without its password."""
        return self._database.where

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets the connections go. The store opens new ones where it is used again."""
        self._database.close()

    def log(
        self,
        records: Record | Iterable[Record],
        name: str,
        workspace: str,
        *,
        tags: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        author: str | None = None,
        batch: int = BATCH,
        annotating: bool = False,
    ) -> Logged:
        """Adds records to a data set, made with its workspace where it is new; one with a known id is replaced,
        but keeps its vectors, and its metrics, where the new one has None of them (`{}` takes them away).

        Each `batch` of records is one transaction: it is written whole, or not at all where one of its records is
        refused; batches before it stay. `tags` and `metadata` replace those of the data set where they are given.
        annotating: of a record that is there only the annotation, its agent and the status may change.

        Raises:
            DataError: no records, a name that cannot be, or records of another task. RowError: a value that cannot
            be kept, or ids of one spelling and two kinds, as 7 and "7". StoreError: the database.
        """
        found: Iterable[Record] = [records] if isinstance(records, Record) else records
        catalog.check_name(name)
        catalog.check_workspace(workspace)
        catalog.check_author(author)
        said = catalog.notes(tags=tags, metadata=metadata)
        written: set[str] = set()
        for each in writing.batches(found, batch):
            with self._database.writing() as connection:
                dataset = catalog.ensure(connection, name, workspace, each.task)
                writing.write(connection, dataset, each, author, annotating=annotating)
                if said:
                    catalog.touch(connection, dataset.id, **said)
                    said = {}
            written.update(each.rounds[0])
        if not written:
            raise DataError(f"there are no records to log to {name!r}.")
        return Logged(name, len(written))

    def load(
        self,
        name: str,
        workspace: str,
        *,
        query: str | None = None,
        ids: Iterable[int | str] | None = None,
        limit: int | None = None,
        sort: Order | None = None,
        after: int | str | None = None,
        with_vectors: bool = True,
    ) -> list[Record]:
        """The records that `query` matches and, where `ids` are given, have one of them, in the order of insertion.

        sort: fields with "asc" or "desc", such as `[("metadata.n", "desc"), ("id", "asc")]`. after: the id of a
        record; what comes after it in the order. limit: None is all; 0 is none.

        Raises:
            DataError: an unknown data set, workspace or field, or a bad query (QueryError).
        """
        wanted = None if ids is None else [ids] if isinstance(ids, (int, str)) else list(ids)
        with self._source(name, workspace) as source:
            start = None if after is None else source.mark(sort, source.place_of(after))
            return paging.read(source, Asked(query, wanted, sort, start, with_vectors), limit)

    def page(
        self, name: str, workspace: str, limit: int, *, asked: Asked, after: int | str | None = None
    ) -> tuple[list[str], list[Any] | None]:
        """(up to `limit` records as JSON, the mark that the next page begins after; None where there is none).

        Raises:
            DataError: as `load`, or a mark of another order.
        """
        with self._source(name, workspace) as source:
            if after is not None:
                asked = replace(asked, mark=source.mark(asked.sort, source.place_of(after)))
            found, last = paging.read_json(source, asked, limit)
            return found, source.mark(asked.sort, last) if len(found) == limit and last else None

    def iterate(
        self, name: str, workspace: str, *, query: str | None = None, page: int = 250, with_vectors: bool = True
    ) -> Iterator[Record]:
        """The records in the order of insertion, `page` of them in memory at a time.

        Each page is read when it is needed, by itself: what is logged meanwhile comes too, what is deleted does not.

        Raises:
            DataError: as `load`, at once and not at the first record.
        """
        if isinstance(page, bool) or not isinstance(page, int) or page < 1:
            raise DataError(f"page is {page!r}: expected a whole number, 1 or more.")
        with self._source(name, workspace) as source:
            dataset = source.dataset
            source.chosen(query)
        return self._iterate(dataset, query, page, with_vectors)

    def _iterate(self, dataset: StoredDataset, query: str | None, page: int, with_vectors: bool) -> Iterator[Record]:
        trusted, place = TYPES[dataset.task].trusted, 0
        while True:
            with self._database.reading() as connection:
                source = Source(connection, dataset)
                rows = [row for part in source.pages(query, after=place, limit=page) for row in part]
                found = list(map(trusted, source.fields(rows, with_vectors=with_vectors)))
            yield from found
            if len(rows) < page:
                return
            place = rows[-1][0]

    def count(self, name: str, workspace: str, *, query: str | None = None) -> int:
        """How many records a query matches; all where there is none."""
        with self._source(name, workspace) as source:
            return source.count(query)

    def delete(self, name: str, workspace: str) -> int:
        """Takes a data set out, with its records, their vectors and history; returns how many records it had."""
        with self._changing(name, workspace) as source:
            return catalog.drop(source.connection, source.dataset.id)

    def delete_records(
        self,
        name: str,
        workspace: str,
        *,
        query: str | None = None,
        ids: Iterable[int | str] | None = None,
        discard_only: bool = False,
        author: str | None = None,
    ) -> Deleted:
        """Takes out the records that a query matches and, where ids are given, have one of them; or discards them.

        Raises:
            DataError: neither a query nor ids, or an empty query: `delete` takes out a whole data set.
        """
        catalog.check_author(author)
        if query is None and ids is None:
            raise DataError("delete_records needs a query or ids; `delete` takes out the whole data set.")
        if isinstance(query, str) and not query.strip():
            raise DataError("the query is empty, which is every record: write *:* for that, or leave it out.")
        wanted = None if ids is None else [ids] if isinstance(ids, (int, str)) else list(ids)
        if query is not None and self._database.longest is not None:
            self.count(name, workspace, query=query)  # a search that takes too long is broken off here
        with self._changing(name, workspace) as source:
            if discard_only:
                return changing.discard(source, query, wanted, author)
            return changing.erase(source, query, wanted)

    def copy(self, name: str, workspace: str, new_name: str, new_workspace: str | None = None) -> StoredDataset:
        """Copies a data set with its settings, records, vectors and history; the order stays.

        Raises:
            DataError: there is a data set of the new name.
        """
        with self._changing(name, workspace) as source:
            return changing.copy(source, new_name, workspace if new_workspace is None else new_workspace)

    def create(self, name: str, workspace: str, task: str) -> StoredDataset:
        """A data set without records, or the one that is there, of this task."""
        with self._database.writing() as connection:
            return catalog.ensure(connection, name, workspace, task)

    def dataset(self, name: str, workspace: str) -> StoredDataset:
        """One data set as it is listed."""
        with self._source(name, workspace) as source:
            return source.dataset

    def datasets(self, workspace: str | None = None) -> list[StoredDataset]:
        """By workspace and name; of one workspace where it is named."""
        with self._database.reading() as connection:
            return catalog.listed(connection, workspace)

    def workspaces(self) -> list[str]:
        """The names, sorted."""
        with self._database.reading() as connection:
            return catalog.workspace_names(connection)

    def settings(self, name: str, workspace: str) -> Settings | None:
        """The label schema of a data set, or None where it has none."""
        with self._source(name, workspace) as source:
            held = catalog.settings(source.connection, source.dataset.id)
        return None if held is None else SETTINGS[source.dataset.task].from_dict(held)

    def configure(self, name: str, workspace: str, settings: Settings) -> None:
        """Sets the label schema of a data set, which is made where it is new.

        Raises:
            DataError: settings of another task than the data set's.
        """
        if settings.task not in SETTINGS:
            raise DataError(f"a {type(settings).__name__} is no settings: expected one of those of tunesmith.records.")
        with self._database.writing() as connection:
            dataset = catalog.ensure(connection, name, workspace, settings.task)
            catalog.touch(connection, dataset.id, settings=settings.to_dict())

    def similar(
        self,
        name: str,
        workspace: str,
        vector: tuple[str, Sequence[float]],
        *,
        query: str | None = None,
        limit: int = 10,
    ) -> list[tuple[Record, float]]:
        """The records whose vector of this name is nearest by cosine, with it, the nearest first; exact.

        Raises:
            DataError: no record has such a vector, or the numbers do not fit it.
        """
        with self._source(name, workspace) as source:
            nearest = vectors.nearest(source, vector, query, limit)
            trusted = TYPES[source.dataset.task].trusted
            rows = {row[0]: row for row in source.at([place for place, _ in nearest])}
            fields = source.fields([rows[place] for place, _ in nearest])
            return [(trusted(held), score) for held, (_, score) in zip(fields, nearest, strict=True)]

    def history(self, name: str, workspace: str, id: int | str) -> list[Event]:
        """What happened to a record, oldest first. Raises DataError where there is none of this id."""
        with self._source(name, workspace) as source:
            return history.read(source.connection, source.place_of(id))

    def mark(
        self,
        name: str,
        workspace: str,
        ids: Iterable[int | str],
        *,
        split: str | None = None,
        run: str | None = None,
    ) -> int:
        """Notes in the history of records which split they were in and which run trained on them; returns how many."""
        with self._changing(name, workspace) as source:
            return changing.mark(source, list(ids), split=split, run=run)

    @contextlib.contextmanager
    def _source(self, name: str, workspace: str) -> Iterator[Source]:
        with self._database.reading() as connection:
            yield Source(connection, catalog.known(connection, name, workspace))

    @contextlib.contextmanager
    def _changing(self, name: str, workspace: str) -> Iterator[Source]:
        with self._database.writing() as connection:
            yield Source(connection, catalog.known(connection, name, workspace, lock=True))
