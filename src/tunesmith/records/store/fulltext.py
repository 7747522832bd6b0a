"""The full-text index beside the records: a table of its own in SQLite, a column in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import ColumnElement, Connection, column, insert, literal, select, table

from .schema import Row, records

LARGEST = 900_000  # bytes; PostgreSQL refuses more than a megabyte
_LAST = 16_383  # the position that PostgreSQL gives to all words from there on
_MOST = 256  # positions of one word

_INDEX = table("records_fts", column("records_fts"), column("rowid"), column("terms"))
_ADD = "INSERT INTO records_fts (rowid, terms) VALUES (?, ?)"
_FORGET = "INSERT INTO records_fts (records_fts, rowid, terms) VALUES ('delete', ?, ?)"


def index(connection: Connection, rows: Iterable[Row]) -> None:
    """Adds the terms of new rows; in PostgreSQL they are a column of the row."""
    _run(connection, _ADD, [(row["place"], row["terms"]) for row in rows])


def forget(connection: Connection, held: Sequence[tuple[int, str]]) -> None:
    """Takes (place, terms) out, exactly as they were indexed."""
    _run(connection, _FORGET, list(held))


def forget_where(connection: Connection, chosen: ColumnElement[bool]) -> None:
    """Takes out the rows of `records` that are about to be deleted."""
    if connection.dialect.name == "sqlite":
        gone = select(literal("delete"), records.c.place, records.c.terms).where(chosen)
        connection.execute(insert(_INDEX).from_select(["records_fts", "rowid", "terms"], gone))


def _run(connection: Connection, statement: str, rows: list[tuple[int, str]]) -> None:
    if rows and connection.dialect.name == "sqlite":
        connection.exec_driver_sql(statement, rows)


def tsvector(terms: str) -> str:
    """Each word with its positions, in the text form of a tsvector; of a very long text its first words.

    A word has its first 256 places, none from 16,383 on, which PostgreSQL does not tell apart: a phrase late in a long
    text may not be found. Single words are found anywhere.

    Words are letters, digits and `_`, so that none has a sign to escape.
    """
    positions: dict[str, list[str]] = {}
    size = 0
    for place, word in enumerate(terms.split(" "), start=1):
        held = positions.get(word)
        if held is None:
            size += 4 * len(word) + 8
            if size > LARGEST:
                break
            held = positions[word] = []
        if len(held) < _MOST and place < _LAST:
            held.append(str(place))
            size += 2
    return " ".join(f"'{word}':{','.join(held)}" if held else f"'{word}'" for word, held in positions.items())
