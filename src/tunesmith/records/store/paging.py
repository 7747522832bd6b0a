"""One page of what is asked, and where it ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import DataError
from ..query.sorting import Order
from ..record import Record
from ..types import TYPES
from .reading import Source


@dataclass(frozen=True)
class Asked:
    """What `Store.load` is asked for. mark: what a page before ended with; the records come after it."""

    query: str | None = None
    ids: Sequence[int | str] | None = None
    sort: Order | None = None
    mark: Sequence[Any] | None = None
    with_vectors: bool = True


def read(source: Source, asked: Asked, limit: int | None) -> list[Record]:
    """Raises:
    DataError: a limit below 0, a mark of another order, an unknown field, or a bad query (QueryError).
    """
    trusted = TYPES[source.dataset.task].trusted
    found: list[Record] = []
    for rows in _parts(source, asked, limit):
        found += map(trusted, source.fields(rows, with_vectors=asked.with_vectors))
    return found


def read_json(source: Source, asked: Asked, limit: int) -> tuple[list[str], int]:
    """(the records as JSON, the place of the last one; 0 without any). Raises as `read`."""
    found: list[str] = []
    last = 0
    for rows in _parts(source, asked, limit):
        found += source.bodies(rows, with_vectors=asked.with_vectors)
        last = rows[-1][0] if rows else last
    return found, last


def _parts(source: Source, asked: Asked, limit: int | None) -> Iterator[Sequence[Any]]:
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 0):
        raise DataError(f"limit is {limit!r}: expected a whole number, 0 or more, or None for all.")
    if asked.sort:
        return source.sorted(asked.query, asked.sort, asked.ids, after=asked.mark, limit=limit)
    return source.pages(asked.query, asked.ids, after=_place(asked.mark), limit=limit)


def _place(mark: Sequence[Any] | None) -> int:
    if mark is None:
        return 0
    if len(mark) != 1 or type(mark[0]) is not int or not 0 <= mark[0] < 2**63:
        raise DataError("the mark to go on from is of another order: begin with the first page again.")
    return mark[0]
