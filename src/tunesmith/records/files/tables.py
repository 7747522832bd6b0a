"""Rows of files that hold tables, a chunk at a time: csv, parquet, CoNLL and plain text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...data.dataset import Dataset
from ...data.formats import open_file
from ...data.places import Paths, located
from ...data.rows import is_json
from ...data.tables import settled
from ...errors import DataError
from ..kept_labels import told_beside
from .asked import Order, Row
from .own import FREE


def rows(path: str, suffix: str | None = None, order: Order | None = None) -> Iterator[tuple[int, Row]]:
    """(place, row) of a path, or of all files of a glob, in order; cells are plain Python values.

    suffix: the format, where it is not told by the path. order: is told the class names that the files declare.

    Raises:
        DataError: no such file, or one that is damaged or no table.
    """
    found = located(path, None)
    if not isinstance(found, Paths):
        raise DataError(f"{path} is no file: a folder or a data set of the hub is read with the format 'hf'.")
    place = 0
    for file in found:
        opened = open_file(file, suffix=suffix)
        if order is not None:
            order.declare(opened.declared)
        for table in opened.tables:
            if order is not None:
                order.keep_all(told_beside(table))
            for row in _rows(table, opened, str(file)):
                yield place, row
                place += 1


def _rows(table: Any, opened: Any, name: str) -> Iterator[Row]:
    from datasets import Dataset as Table

    if table.num_columns and table.num_rows:
        found = Dataset(Table(settled(table)), name, opened.declared, opened.untyped)
        yield from (row for _, row in filled(found, table.schema))


def filled(found: Dataset, schema: Any) -> Iterator[tuple[int, Row]]:
    """The rows, without the keys that Arrow fills in where other rows have them."""
    free = [name for name in FREE if name in schema.names and not is_json(schema.field(name).type)]
    for place, (_, row) in enumerate(found):
        for name in free:
            row[name] = without_none(row[name])
        yield place, row


def without_none(value: Any) -> Any:
    """Mappings without the keys whose value is None, at any depth."""
    if isinstance(value, dict):
        return {key: without_none(part) for key, part in value.items() if part is not None}
    return [without_none(part) for part in value] if isinstance(value, list) else value
