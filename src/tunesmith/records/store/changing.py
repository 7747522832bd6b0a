"""Changes to records that are there: deleting, discarding, copying, marking. Each is one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, insert, select

from ...errors import DataError
from ..query.words import dataset_mark, status_mark
from . import catalog, history, writing
from .catalog import StoredDataset
from .clock import now
from .facts import dump, parse
from .history import line
from .reading import Source
from .schema import Row, events, records, stored, vectors

Ids = Sequence[int | str] | None
DISCARDED = "Discarded"


@dataclass(frozen=True)
class Deleted:
    """How many records were matched, and how many of them were changed: a discarded one is not discarded again."""

    matched: int
    processed: int


def erase(source: Source, query: str | None, ids: Ids) -> Deleted:
    matched = 0
    for rows in source.pages(query, ids):
        matched += writing.erase(source.connection, [row[0] for row in rows])
    catalog.touch(source.connection, source.dataset.id)
    return Deleted(matched, matched)


def discard(source: Source, query: str | None, ids: Ids, author: str | None) -> Deleted:
    """Gives the status Discarded, with a line of history."""
    matched = processed = 0
    for part in source.pages(query, ids):
        matched += len(part)
        places = [row[0] for row in part]
        wanted = select(*stored).where(records.c.place.in_(places), records.c.status != DISCARDED)
        changed, terms, lines, at = [], [], [], now()
        for found in source.connection.execute(wanted):
            row: Row = dict(found._mapping)
            fields = parse(row["body"])
            terms.append(row["terms"])
            row.update(
                terms=_with_status(row["terms"], row["status"]),
                body=dump(fields | {"status": DISCARDED}, row["key"]),
                status=DISCARDED,
                updated=at,
            )
            changed.append(row)
            lines.append(line(row["place"], at, "discarded", author, {"status": DISCARDED}))
        writing.replace(source.connection, changed, terms)
        history.add(source.connection, lines)
        processed += len(lines)
    catalog.touch(source.connection, source.dataset.id)
    return Deleted(matched, processed)


def _with_status(terms: str, old: str) -> str:
    marks, held, text = terms.partition(f" {status_mark(old)}")  # the first of its kind is the mark
    return f"{marks} {status_mark(DISCARDED)}{text}" if held else terms


def copy(source: Source, name: str, workspace: str) -> StoredDataset:
    """Everything of a data set under another name."""
    connection, old = source.connection, source.dataset
    new = catalog.make(connection, name, workspace, old.task)
    held = catalog.settings(connection, old.id)
    catalog.touch(connection, new.id, settings=held, tags=old.tags, metadata=old.metadata, vectors=old.vectors)
    for part in source.pages():
        places = [row[0] for row in part]
        moved = dict(zip(places, writing.allot(connection, len(places)), strict=True))
        rows = [dict(row._mapping) for row in connection.execute(select(*stored).where(records.c.place.in_(places)))]
        for row in rows:
            row.update(place=moved[row["place"]], dataset=new.id)
            row["terms"] = dataset_mark(new.id) + row["terms"][len(dataset_mark(old.id)) :]
        writing.add(connection, sorted(rows, key=lambda row: int(row["place"])))
        _follow(source, events, moved, {"id"})
        _follow(source, vectors, moved, set(), dataset=new.id)
    return catalog.known(connection, name, workspace)


def _follow(source: Source, table: Table, moved: dict[int, int], left: set[str], **changes: Any) -> None:
    """Copies the rows that belong to the moved records."""
    columns = [column for column in table.c if column.name not in left]
    wanted = select(*columns).where(table.c.place.in_(list(moved))).order_by(*table.primary_key.columns)
    rows = [dict(row._mapping) | changes for row in source.connection.execute(wanted)]
    for row in rows:
        row["place"] = moved[row["place"]]
    if rows:
        source.connection.execute(insert(table), rows)


def mark(source: Source, ids: Sequence[int | str], *, split: str | None, run: str | None) -> int:
    """Raises DataError where an id is unknown, or neither a split nor a run is said."""
    held = {name: value for name, value in (("split", split), ("run", run)) if value is not None}
    if not held:
        raise DataError("mark needs a split or a run.")
    found = {key: place for part in source.pages(None, ids) for place, key in _keys(source, part)}
    missing = [each for each in ids if str(each) not in found]
    if missing:
        raise DataError(f"data set {source.dataset.name!r} has no record with the id {missing[0]!r}.")
    at = now()
    lines = [line(place, at, "used", None, held) for place in found.values()]
    history.add(source.connection, lines)
    return len(lines)


def _keys(source: Source, rows: Sequence[Any]) -> list[tuple[int, str]]:
    wanted = select(records.c.place, records.c.key).where(records.c.place.in_([row[0] for row in rows]))
    return [(row.place, row.key) for row in source.connection.execute(wanted)]
