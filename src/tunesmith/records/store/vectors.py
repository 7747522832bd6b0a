"""Vectors beside their records, and the records nearest to one by cosine: exact, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import Connection, delete, insert, select

from ...errors import DataError, RowError
from ...errors import nearest as nearest_name
from .facts import is_kept, plain
from .schema import Row, records, vectors

if TYPE_CHECKING:
    from .reading import Source

BLOCK = 4_096  # vectors in memory at once


def check(named: Mapping[str, Sequence[float]], sizes: dict[str, int], identity: int | str) -> None:
    """That vectors are finite and as long as those before of their name; notes a new name in `sizes`.

    Raises:
        RowError: they are not.
    """
    for name, values in named.items():
        column = f"vectors.{name}"
        if not is_kept(name):
            raise RowError(identity, plain(column), "has a NUL or half a surrogate pair in its name.")
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


def nearest(
    source: Source, vector: tuple[str, Sequence[float]], query: str | None, limit: int
) -> list[tuple[int, float]]:
    """(place, cosine) of the `limit` records nearest to a vector, nearest first; equals in the order of insertion.

    Raises:
        DataError: no record has a vector of this name, or the numbers do not fit.
    """
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise DataError(f"limit is {limit!r}: expected a whole number, 1 or more.")
    name, target = _target(source, vector)
    places, scores = np.empty(0, dtype=np.int64), np.empty(0)
    for found, block in _blocks(source, name, query):
        lengths = np.linalg.norm(block, axis=1)
        cosines = np.divide(block @ target, lengths, out=np.zeros(len(block)), where=lengths > 0)
        places, scores = np.concatenate([places, found]), np.concatenate([scores, cosines])
        best = np.lexsort((places, -scores))[:limit]
        places, scores = places[best], scores[best]
    return [(int(place), float(score)) for place, score in zip(places, scores, strict=True)]


def _target(source: Source, vector: tuple[str, Sequence[float]]) -> tuple[str, Any]:
    """The name, and the vector with length 1 (or 0)."""
    try:
        name, values = vector
        target = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError("a vector to search by is a pair of its name and its numbers.") from error
    known = source.dataset.vectors
    if name not in known:
        close = nearest_name(str(name), known)
        hint = f" Did you mean {close!r}?" if close else ""
        raise DataError(f"no record has a vector {name!r}.{hint} Known: {', '.join(known) or 'none'}.")
    if target.shape != (known[name],) or not np.isfinite(target).all():
        raise DataError(
            f"the vector {name!r} has {known[name]} finite numbers: these are {target.size}, or not finite."
        )
    return name, target / (np.linalg.norm(target) or 1.0)


def _blocks(source: Source, name: str, query: str | None) -> Iterator[tuple[Any, Any]]:
    """(places, vectors as rows of float64) of what a query matches, BLOCK at a time."""
    chosen, _ = source.chosen(query, vectors.c.place, vectors.c.size, vectors.c.data)
    same = (vectors.c.place == records.c.place) & (vectors.c.name == name)
    wanted = chosen.where(same)
    if query is None:
        wanted = wanted.where(vectors.c.dataset == source.dataset.id)
    result = source.connection.execution_options(yield_per=BLOCK).execute(wanted)
    for rows in result.partitions(BLOCK):
        found = np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows))
        yield found, np.stack([unpack(row[2], row[1]).astype(np.float64) for row in rows])
