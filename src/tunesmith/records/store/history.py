"""What happened to a record: one line for each time its annotation, prediction or status changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, insert, select

from .clock import moment
from .facts import FOLLOWED, dump, parse
from .schema import Row, events

_COLUMNS = "place", "at", "kind", "author", "body"
_VALUES = itemgetter(*_COLUMNS)
_ADD = f"INSERT INTO events ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"


@dataclass(frozen=True)
class Event:
    """One line of a history. `kind`: logged, changed, discarded or used.

    `set` holds what had its value from then on: those of FOLLOWED that were set (None: taken away), or the split and
    run that used the record. `author` is who logged it where that was said.
    """

    at: datetime
    kind: str
    author: str | None
    set: dict[str, Any]


def changes(place: int, sides: tuple[Mapping[str, Any], Mapping[str, Any]], at: int, author: str | None) -> list[Row]:
    """The line of an update from the first side to the second; none where nothing that is followed changed."""
    old, new = sides
    held = {name: new.get(name) for name in FOLLOWED if old.get(name) != new.get(name)}
    return [line(place, at, "changed", author, held)] if held else []


def line(place: int, at: int, kind: str, author: str | None, held: Mapping[str, Any]) -> Row:
    return {"place": place, "at": at, "kind": kind, "author": author, "body": dump(held, place)}


def add(connection: Connection, lines: list[Row]) -> None:
    """Writes lines; on SQLite as `writing.add` does records, without SQLAlchemy's work on each row."""
    if lines and connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_ADD, list(map(_VALUES, lines)))
    elif lines:
        connection.execute(insert(events), lines)


def read(connection: Connection, place: int) -> list[Event]:
    """The history of the record at a place, oldest first."""
    found = connection.execute(select(events).where(events.c.place == place).order_by(events.c.id))
    return [Event(moment(row.at), row.kind, row.author, parse(row.body)) for row in found]
