"""What holds records, said once for `Store` on this machine and `Remote` at a server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from .settings import Settings
from .store.catalog import StoredDataset
from .store.changing import Deleted
from .store.history import Event
from .store.writing import Logged


class Holder(Protocol):
    """The calls that a session makes; each names its workspace."""

    @property
    def where(self) -> str: ...
    def close(self) -> None: ...
    def log(
        self,
        records: Any,
        name: str,
        workspace: str,
        *,
        tags: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        author: str | None = None,
        batch: int = ...,
    ) -> Logged: ...
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
    ) -> list[Any]: ...
    def iterate(self, name: str, workspace: str, *, query: str | None = None, page: int = ...) -> Iterator[Any]: ...
    def count(self, name: str, workspace: str, *, query: str | None = None) -> int: ...
    def similar(
        self,
        name: str,
        workspace: str,
        vector: tuple[str, Sequence[float]],
        *,
        query: str | None = None,
        limit: int = ...,
    ) -> list[tuple[Any, float]]: ...
    def delete(self, name: str, workspace: str) -> int: ...
    def delete_records(
        self,
        name: str,
        workspace: str,
        *,
        query: str | None = None,
        ids: Sequence[str | int] | None = None,
        discard_only: bool = False,
    ) -> Deleted: ...
    def copy(self, name: str, workspace: str, new_name: str, new_workspace: str | None = None) -> StoredDataset: ...
    def dataset(self, name: str, workspace: str) -> StoredDataset: ...
    def datasets(self, workspace: str | None = None) -> list[StoredDataset]: ...
    def workspaces(self) -> list[str]: ...
    def settings(self, name: str, workspace: str) -> Settings | None: ...
    def configure(self, name: str, workspace: str, settings: Settings) -> None: ...
    def history(self, name: str, workspace: str, id: str | int) -> list[Event]: ...
    def mark(
        self,
        name: str,
        workspace: str,
        ids: Iterable[str | int],
        *,
        split: str | None = None,
        run: str | None = None,
    ) -> int: ...
