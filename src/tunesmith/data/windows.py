"""Files read a window of rows at a time, for work that needs no more than one of them in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from .dataset import Dataset
from .formats import open_file
from .sources import one_declaration
from .tables import limited, settled

ROWS = 10_000  # of a window, at most
BYTES = 16 * 2**20  # of a window's cells in Arrow, more or less: long documents come fewer at a time


def windows(
    paths: Sequence[Path], *, name: str, limit: int | None = None, names: Sequence[str] | None = None
) -> Iterator[Dataset]:
    """The first `limit` rows of files, read one after the other as one data set, in their order.

    Ids go on from window to window. A column that an earlier window had is None where it is missing. Each window has
    types of its own: what is fit for a task is the task's to judge.

    Raises:
        DataError: what cannot be read, with file and line; windows before it have been given.
    """
    opened = [open_file(path, names) for path in paths]
    declared = one_declaration(opened, paths)
    untyped = all(part.untyped for part in opened)
    columns: dict[str, None] = {}
    start = 0
    tables = (table for part in opened for table in part.tables)
    for table in _sliced(limited(map(settled, tables), limit)):
        columns |= dict.fromkeys(table.column_names)
        whole = _with(table, columns)
        yield Dataset(_dataset(whole), name, declared, untyped, range(start, start + len(whole)))
        start += len(whole)


def _dataset(table: pa.Table) -> object:
    from datasets import Dataset as Table

    return Table(table)


def _with(table: pa.Table, columns: Iterable[str]) -> pa.Table:
    for column in columns:
        if column not in table.column_names:
            table = table.append_column(column, pa.nulls(len(table)))
    return table


def _sliced(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The tables cut to windows; those without rows left out."""
    for table in tables:
        rows = max(1, min(ROWS, BYTES * len(table) // max(table.nbytes, 1)))
        for start in range(0, len(table), rows):
            yield table.slice(start, rows)
