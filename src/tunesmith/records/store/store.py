"""A store of records: one database, and the verbs on it. Nothing here knows of an active workspace."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ...errors import DataError
from . import catalog, writing
from .engine import Database
from .facts import Storable
from .writing import BATCH, Logged

Trusted = Callable[[Mapping[str, Any]], Any]  # the fields of a stored record -> the record


class Store:
    """Named data sets in workspaces, in one SQLite file or PostgreSQL database; safe for threads and processes.

    url: a path, `sqlite:///path`, or `postgresql://user@host/database`; None is `records.db` in tunesmith's home.
    """

    def __init__(self, url: str | Path | None = None) -> None:
        self._database = Database(url)

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
        records: Storable | Iterable[Storable],
        name: str,
        workspace: str,
        *,
        tags: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        author: str | None = None,
        batch: int = BATCH,
    ) -> Logged:
        """Adds records to a data set, made with its workspace where it is new; one with a known id is replaced.

        Each `batch` of records is one transaction: it is written whole, or not at all where one of its records is
        refused; batches before it stay. `tags` and `metadata` replace those of the data set where they are given.

        Raises:
            DataError: no records, a name that cannot be, or records of another task. RowError: a value that cannot
            be kept. StoreError: the database.
        """
        found: Iterable[Storable] = [records] if hasattr(records, "to_dict") else records  # type: ignore[list-item]
        catalog.check_name(name)
        catalog.check_workspace(workspace)
        said = {key: dict(value) for key, value in (("tags", tags), ("metadata", metadata)) if value is not None}
        processed = 0
        for each in writing.batches(found, batch):
            with self._database.writing() as connection:
                dataset = catalog.ensure(connection, name, workspace, each.task)
                writing.write(connection, dataset, each, author)
                if said:
                    catalog.touch(connection, dataset.id, **said)
                    said = {}
            processed += each.count
        if not processed:
            raise DataError(f"there are no records to log to {name!r}.")
        return Logged(name, processed)
