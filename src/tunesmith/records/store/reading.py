"""Records out of a data set: by query, by id, in order, in pages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, select

from . import vectors
from .facts import parse
from .schema import records

PAGE = 1_000  # rows in memory between the database and the records


def in_order(dataset: int, after: int = 0) -> Select[Any]:
    return (
        select(records.c.place, records.c.has_vectors, records.c.body)
        .where(records.c.dataset == dataset, records.c.place > after)
        .order_by(records.c.place)
    )


def fields(connection: Connection, rows: Sequence[Any], *, with_vectors: bool = True) -> list[dict[str, Any]]:
    """The fields of records from rows of place, has_vectors and body, in their order."""
    found = [parse(row[2]) for row in rows]
    if with_vectors:
        placed = {row[0]: held for row, held in zip(rows, found, strict=True) if row[1]}
        if placed:
            for place, named in vectors.read(connection, list(placed)).items():
                placed[place]["vectors"] = named
    return found
