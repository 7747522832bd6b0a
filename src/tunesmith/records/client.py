"""The verbs of a store over HTTP: `Remote` does with a server what `Store` does with a database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

import orjson

from ..errors import DataError
from .calling import Server
from .record import Record
from .settings import SETTINGS, Settings
from .store.catalog import StoredDataset, notes
from .store.changing import Deleted
from .store.history import Event
from .store.writing import Logged
from .types import TYPES

BULK, PAGE = 1_000, 1_000  # records of one request
BYTES = 16_000_000  # of the records in one request; a single larger record goes alone


class Remote:
    """The store of a server. Safe for threads; every call names its workspace.

    What may be sent twice is sent again where the connection breaks or the server is busy; a copy or a deletion is
    only where it never left this machine.

    Raises (every call):
        RequestRefused: the server says no to what was asked; also a `DataError`. ServerError: no answer, or a failure.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        timeout: float = 60,
        headers: Mapping[str, str] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self._server = Server(url, key, timeout=timeout, headers=headers or {}, options=options or {})
        self._call = self._server.call

    @property
    def where(self) -> str:
        return self._server.url

    def close(self) -> None:
        """Lets the connections go."""
        self._server.close()

    def home(self) -> str:
        """The workspace of the key's user where none is named."""
        return str(self._call("GET", "workspaces")["home"])

    def workspaces(self) -> list[str]:
        return list(self._call("GET", "workspaces")["workspaces"])

    def datasets(self, workspace: str | None = None) -> list[StoredDataset]:
        said: dict[str, Any] = {"all": True} if workspace is None else {"workspace": workspace}
        return [_dataset(each) for each in self._call("GET", "datasets", said)]

    def dataset(self, name: str, workspace: str) -> StoredDataset:
        return _dataset(self._call("GET", _place(name), {"workspace": workspace}))

    def log(
        self,
        records: Record | Iterable[Record],
        name: str,
        workspace: str,
        *,
        tags: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        author: str | None = None,
        batch: int = BULK,
    ) -> Logged:
        """See `Store.log`: each request is one transaction."""
        said: dict[str, Any] = notes(tags=tags, metadata=metadata)
        keys: set[str] = set()  # a record that is there twice is written once
        for task, parts in _bulks([records] if isinstance(records, Record) else records, batch, keys):
            more = {**said, "author": author, "task": task}
            body = _json(more)
            body = body[:-1] + b',"records":[' + b",".join(parts) + b"]}"
            self._call("POST", _place(name, "log"), {"workspace": workspace}, body)
            said = {}
        if not keys:
            raise DataError(f"there are no records to log to {name!r}.")
        return Logged(name, len(keys))

    def load(
        self,
        name: str,
        workspace: str,
        *,
        query: str | None = None,
        ids: Sequence[str | int] | None = None,
        limit: int | None = None,
        sort: Sequence[tuple[str, str]] | None = None,
        after: str | int | None = None,
        with_vectors: bool = True,
        page: int = PAGE,
    ) -> list[Record]:
        """See `Store.load`."""
        asked = {"query": query, "ids": None if ids is None else list(ids), "sort": sort, "after": after}
        asked["with_vectors"] = with_vectors
        pages = self._pages(name, workspace, asked, page, limit)
        return [record for part in pages for record in part]

    def iterate(self, name: str, workspace: str, *, query: str | None = None, page: int = 250) -> Iterator[Record]:
        """See `Store.iterate`."""
        for part in self._pages(name, workspace, {"query": query}, page, None):
            yield from part

    def _pages(
        self, name: str, workspace: str, asked: Mapping[str, Any], page: int, limit: int | None
    ) -> Iterator[list[Record]]:
        given = {key: each for key, each in asked.items() if each is not None}
        left = limit
        while left is None or left > 0:
            size = page if left is None else min(page, left)
            found = self._call("POST", _place(name, "page"), {"workspace": workspace}, _json({**given, "limit": size}))
            read = TYPES[found["task"]].trusted
            records = [read(each) for each in found["records"]][:size]
            if records:
                yield records
            if not found["more"] or not records:
                return
            left = None if left is None else left - len(records)
            given.pop("after", None)
            given["mark"] = found["mark"]

    def count(self, name: str, workspace: str, *, query: str | None = None) -> int:
        return int(self._about(name, "count", workspace, query=query)["count"])

    def similar(
        self,
        name: str,
        workspace: str,
        vector: tuple[str, Sequence[float]],
        *,
        query: str | None = None,
        limit: int = 10,
    ) -> list[tuple[Record, float]]:
        """See `Store.similar`."""
        asked = {"name": vector[0], "value": list(map(float, vector[1]))}
        found = self._about(name, "similar", workspace, vector=asked, query=query, limit=limit)
        read = TYPES[found["task"]].trusted
        return [(read(values), score) for values, score in found["records"]]

    def delete(self, name: str, workspace: str) -> int:
        return int(self._call("DELETE", _place(name), {"workspace": workspace}, twice=False)["deleted"])

    def delete_records(
        self,
        name: str,
        workspace: str,
        *,
        query: str | None = None,
        ids: Sequence[str | int] | None = None,
        discard_only: bool = False,
    ) -> Deleted:
        """See `Store.delete_records`; the author of a discard is the key's user."""
        asked = _json({"query": query, "ids": None if ids is None else list(ids), "discard_only": discard_only})
        found = self._call("POST", _place(name, "delete-records"), {"workspace": workspace}, asked, twice=discard_only)
        return Deleted(found["matched"], found["processed"])

    def copy(self, name: str, workspace: str, new_name: str, new_workspace: str | None = None) -> StoredDataset:
        asked = _json({"name": new_name, "workspace": new_workspace})
        found = self._call("POST", _place(name, "copy"), {"workspace": workspace}, asked, twice=False)
        return _dataset(found)

    def settings(self, name: str, workspace: str) -> Settings | None:
        found = self._call("GET", _place(name, "settings"), {"workspace": workspace})
        return None if found["settings"] is None else SETTINGS[found["task"]].from_dict(found["settings"])

    def configure(self, name: str, workspace: str, settings: Settings) -> None:
        asked = _json({"task": settings.task, "settings": settings.to_dict()})
        self._call("PUT", _place(name, "settings"), {"workspace": workspace}, asked)

    def history(self, name: str, workspace: str, id: str | int) -> list[Event]:
        found = self._call("GET", _place(name, "history"), {"workspace": workspace, "id": str(id)})
        return [Event(**{**each, **_times(each, "at")}) for each in found]

    def mark(
        self,
        name: str,
        workspace: str,
        ids: Iterable[str | int],
        *,
        split: str | None = None,
        run: str | None = None,
    ) -> int:
        return int(self._about(name, "mark", workspace, ids=list(ids), split=split, run=run)["marked"])

    def _about(self, name: str, verb: str, workspace: str, **asked: Any) -> Any:
        return self._call("POST", _place(name, verb), {"workspace": workspace}, _json(asked))


def _json(asked: Mapping[str, Any]) -> bytes:
    return orjson.dumps({key: each for key, each in asked.items() if each is not None})


def _place(name: str, *verb: str) -> str:
    return "/".join(["datasets", quote(str(name), safe=""), *verb])


def _dataset(values: Mapping[str, Any]) -> StoredDataset:
    return StoredDataset(**{**values, **_times(values, "created", "updated")})


def _times(values: Mapping[str, Any], *names: str) -> dict[str, datetime]:
    return {name: datetime.fromisoformat(values[name]) for name in names}


def _bulks(records: Iterable[Record], batch: int, keys: set[str]) -> Iterator[tuple[str, list[bytes]]]:
    """(task, encoded records) of each request. `keys` gets those of the records.

    Raises:
        DataError: what is no record, or records of several tasks.
    """
    task: str | None = None
    parts, size = list[bytes](), 0
    for record in records:
        if not isinstance(record, Record):
            raise DataError(f"a {type(record).__name__} is no record: log records, or a data set of them.")
        if task is not None and task != record.task:
            raise DataError(f"a data set holds records of one task: these are {task} and {record.task}.")
        task = record.task
        keys.add(record.key)
        part = orjson.dumps(record.to_dict())
        if parts and (len(parts) >= batch or size + len(part) > BYTES):
            yield task, parts
            parts, size = [], 0
        parts.append(part)
        size += len(part)
    if task is not None and parts:
        yield task, parts
