"""Vectors beside their records, and the records nearest to one by cosine: exact, in bounded memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy import Connection, delete, insert, select

from ...errors import RowError
from .schema import Row, vectors

BLOCK = 4_096  # vectors in memory at once


def check(named: Mapping[str, Sequence[float]], sizes: dict[str, int], identity: int | str) -> None:
    """That vectors are finite and as long as those before of their name; notes a new name in `sizes`.

    Raises:
        RowError: they are not.
    """
    for name, values in named.items():
        column = f"vectors.{name}"
        if not len(values) or not np.isfinite(np.asarray(values, dtype=np.float64)).all():
            raise RowError(identity, column, "is empty or holds a number that is not finite.")
        if sizes.setdefault(name, len(values)) != len(values):
            raise RowError(identity, column, f"has {len(values)} numbers, and those before it {sizes[name]}.")


def write(
    connection: Connection, dataset: int, found: Mapping[int, Mapping[str, Sequence[float]]], gone: Sequence[int] = ()
) -> None:
    """Stores vectors by place and name, after taking out all of the places `gone`."""
    if gone:
        connection.execute(delete(vectors).where(vectors.c.place.in_(gone)))
    rows: list[Row] = [
        {"place": place, "dataset": dataset, "name": name, "size": len(values), "data": pack(values)}
        for place, named in found.items()
        for name, values in named.items()
    ]
    if rows:
        connection.execute(insert(vectors), rows)


def read(connection: Connection, places: Sequence[int]) -> dict[int, dict[str, list[float]]]:
    """place -> name -> numbers, of those that have any."""
    wanted = select(vectors.c.place, vectors.c.name, vectors.c.size, vectors.c.data)
    found: dict[int, dict[str, list[float]]] = {}
    for row in connection.execute(wanted.where(vectors.c.place.in_(places)).order_by(vectors.c.place, vectors.c.name)):
        found.setdefault(row.place, {})[row.name] = unpack(row.data, row.size).tolist()
    return found


def pack(values: Sequence[float]) -> bytes:
    """float32 where that is exact, as it is for what models give; float64 otherwise."""
    wide = np.asarray(values, dtype="<f8")
    with np.errstate(over="ignore"):
        narrow = wide.astype("<f4")
    return (narrow if (narrow == wide).all() else wide).tobytes()


def unpack(data: bytes, size: int) -> Any:
    return np.frombuffer(data, dtype="<f4" if len(data) == 4 * size else "<f8")
