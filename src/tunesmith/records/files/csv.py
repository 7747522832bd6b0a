"""CSV and TSV. What is written has a column for each field: text as it stands, lists and mappings as JSON."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from ...data.formats import suffix_of
from ..record import Record
from . import rows, tables
from .asked import Account, Asked, Row
from .own import cell_of, cell_value, row_of
from .staged import text_file


def read(asked: Asked) -> Iterator[Record]:
    """The rows of a table of plain cells (csv, tsv, plain text: a row a line); an empty cell says nothing."""
    return rows.records(map(_opened, tables.rows(asked.path, _suffix(asked))), asked)


def _suffix(asked: Asked) -> str | None:
    """What a named format stands for; that of the path where none is named, or one that is as good."""
    if asked.format is None or suffix_of(asked.path) in (".csv", ".tsv", ".tab", ".txt", ".text"):
        return None
    return f".{asked.format.lower()}"


def _opened(found: tuple[int, Row]) -> tuple[int, Row]:
    """A row that `write` wrote with its cells as they were; any other as it is."""
    place, row = found
    task = row.get("task")
    if not isinstance(task, str) or "status" not in row:
        return found
    return place, {name: None if cell is None else cell_value(name, cell, task) for name, cell in row.items()}


def write(records: Iterator[Record], path: Path, account: Account, mark: str = ",") -> int:
    """RFC 4180; a tab between the cells where `mark` is one, or the path ends in .tsv."""
    first = next(records)
    mark = "\t" if {".tsv", ".tab"} & set(path.suffixes) else mark
    names = ("task", *first.FIELDS)
    count = 0
    with text_file(path) as file:
        writer: Any = csv.writer(file, delimiter=mark)  # lines end in \r\n, so that a lone \r is quoted
        writer.writerow(names)
        for record in chain([first], records):
            count += 1
            told = row_of(record)
            writer.writerow([cell_of(name, told.get(name), record.task) for name in names])
    return count
