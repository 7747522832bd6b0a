"""Batches of records into a data set: each whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select, text, update

from ...errors import DataError
from ..query.words import dataset_mark
from . import catalog, fulltext, vectors
from .clock import now
from .facts import Encoded, Storable, encode, parse
from .history import add as add_lines
from .history import changes
from .merging import check_same, merge
from .schema import Row, places, records, stored

BATCH = 1_000  # records a transaction
_VALUES = itemgetter(*(column.name for column in stored))
_ADD = f"INSERT INTO records ({', '.join(column.name for column in stored)}) VALUES ({', '.join('?' * len(stored))})"
"""What SQLAlchemy would say, without its work on each row: a third of the time of a log."""
_CHANGED = ("status", "score", "event_timestamp", "has_vectors", "facts", "body", "terms", "updated")


@dataclass(frozen=True)
class Logged:
    """What a log did. `processed`: records written; several with one id are one. `failed` is 0: a record that cannot
    be kept is an error, and its batch is not written."""

    dataset: str
    processed: int
    failed: int = 0


@dataclass
class Batch:
    """Encoded records of one task, in order; one whose key came before stands in a later round."""

    task: str
    count: int = 0
    rounds: list[dict[str, Encoded]] = field(default_factory=list)

    def add(self, record: Storable) -> None:
        made = encode(record)
        self.count += 1
        for each in self.rounds:
            if made.key not in each:
                each[made.key] = made
                return
            check_same(made.identity, each[made.key].identity)
        self.rounds.append({made.key: made})


def batches(found: Iterable[Storable], size: int) -> Iterator[Batch]:
    """Encoded batches of up to `size` records.

    Raises:
        DataError: records of several tasks, or what is no record. RowError: a value that cannot be kept.
    """
    batch: Batch | None = None
    for record in found:
        task = getattr(record, "task", None)
        if task is None or not hasattr(record, "to_dict"):
            raise DataError(f"a {type(record).__name__} is no record: log records, or a data set of them.")
        if batch is None:
            batch = Batch(task)
        elif task != batch.task:
            raise DataError(f"a data set holds records of one task: these are {batch.task} and {task}.")
        batch.add(record)
        if batch.count == size:
            yield batch
            batch = Batch(task)
    if batch is not None and batch.count:
        yield batch


def write(
    connection: Connection,
    dataset: catalog.StoredDataset,
    batch: Batch,
    author: str | None,
    *,
    annotating: bool = False,
) -> None:
    """Inserts what is new and updates what is there, at its place, with a line of history for what changed.

    annotating: of what is there, only what an annotator may change. Raises RowError: see `merge`.
    """
    sizes = dict(dataset.vectors)
    for found in batch.rounds:
        for each in found.values():
            vectors.check(each.vectors or {}, sizes, each.identity)
    stamp = now(), author
    for found in batch.rounds:
        _round(connection, dataset.id, found, stamp, annotating)
    changed: dict[str, Any] = {"vectors": sizes} if sizes != dataset.vectors else {}
    catalog.touch(connection, dataset.id, **changed)


def _round(
    connection: Connection,
    dataset: int,
    found: dict[str, Encoded],
    stamp: tuple[int, str | None],
    annotating: bool,
) -> None:
    at, author = stamp
    before = existing(connection, dataset, found)
    pairs = [(each, before[key]) for key, each in found.items() if key in before]
    merge(connection, pairs, annotating=annotating)
    mark = dataset_mark(dataset) + " "
    fresh, changed, terms, history = [], [], [], []
    taken = iter(allot(connection, len(found) - len(before)))
    for key, each in found.items():
        row, old = each.row, before.get(key)
        row["terms"] = mark + row["terms"]
        row["updated"] = at
        if old is None:
            row["place"], row["dataset"], row["logged"] = next(taken), dataset, at
            fresh.append(row)
            line = {"place": row["place"], "at": at, "kind": "logged", "author": author, "body": each.line}
            history.append(line)
        else:
            row["place"] = old.place
            if old.body != row["body"] or old.terms != row["terms"]:
                changed.append(row)
                terms.append(old.terms)
                history += changes(old.place, (parse(old.body), parse(row["body"])), at, author)
    add(connection, fresh)
    replace(connection, changed, terms)
    add_lines(connection, history)
    gone = [old.place for key, old in before.items() if old.has_vectors and found[key].vectors is not None]
    vectors.write(connection, dataset, {e.row["place"]: e.vectors for e in found.values() if e.vectors}, gone)


def existing(connection: Connection, dataset: int, keys: Iterable[str]) -> dict[str, Any]:
    """The rows under these keys, with what an update is compared to."""
    columns = records.c.key, records.c.place, records.c.body, records.c.terms, records.c.has_vectors
    wanted = select(*columns).where(records.c.dataset == dataset, records.c.key.in_(list(keys)))
    return {row.key: row for row in connection.execute(wanted)}


def allot(connection: Connection, count: int) -> Sequence[int]:
    """New places, in order, after all that were ever given."""
    if not count:
        return []
    if connection.dialect.name == "sqlite":
        moved = update(places).values(next=places.c.next + count).returning(places.c.next)
        end = int(connection.execute(moved).scalar_one())
        return range(end - count, end)
    drawn = text("SELECT nextval('records_place') FROM generate_series(1, :count)")
    return sorted(connection.scalars(drawn, {"count": count}))


def add(connection: Connection, rows: list[Row]) -> None:
    """Inserts whole rows."""
    if rows and connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_ADD, list(map(_VALUES, rows)))
        fulltext.index(connection, rows)
    elif rows:
        connection.execute(insert(records), _searchable(connection, rows))


def replace(connection: Connection, rows: list[Row], terms: Sequence[str]) -> None:
    """Writes rows over those at their places, which were indexed with `terms`, one for each row."""
    if not rows:
        return
    moved = [(row, old) for row, old in zip(rows, terms, strict=True) if row["terms"] != old]
    fulltext.forget(connection, [(row["place"], old) for row, old in moved])
    columns = [*_CHANGED] if connection.dialect.name == "sqlite" else [*_CHANGED, "search"]
    values = {name: bindparam(f"new_{name}", type_=records.c[name].type) for name in columns}
    statement = update(records).where(records.c.place == bindparam("at_place")).values(values)
    found = _searchable(connection, rows)
    connection.execute(
        statement, [{"at_place": row["place"], **{f"new_{name}": row[name] for name in columns}} for row in found]
    )
    fulltext.index(connection, [row for row, _ in moved])


def _searchable(connection: Connection, rows: list[Row]) -> list[Row]:
    if connection.dialect.name == "sqlite":  # it has its full text in a table
        return rows
    return [{**row, "search": fulltext.tsvector(row["terms"])} for row in rows]


def erase(connection: Connection, found: Sequence[int]) -> int:
    """Takes the records at these places out, with their vectors and history; returns how many there were."""
    gone = 0
    for start in range(0, len(found), BATCH):
        chosen = records.c.place.in_(found[start : start + BATCH])
        fulltext.forget_where(connection, chosen)
        gone += int(connection.execute(delete(records).where(chosen)).rowcount)
    return gone
