"""Parquet, with a column for each field of the records."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..kept_labels import in_schema
from ..record import Record
from ..settings import Settings
from . import arrow, rows, tables
from .asked import Account, Asked
from .staged import staged


def read(asked: Asked) -> Iterator[Record]:
    """The rows, a chunk at a time; ids of a `ClassLabel` column are its names."""
    return rows.records(tables.rows(asked.path, None if asked.format is None else ".parquet", asked.order), asked)


def write(records: Iterator[Record], path: Path, account: Account, settings: Settings | None = None) -> int:
    """See `columns.arrow_table` for the types, and `kept_labels` for the place of the settings."""
    import pyarrow.parquet as pq

    with arrow.gathered(records) as table, staged(path) as aside:
        with pq.ParquetWriter(str(aside), in_schema(table.features.arrow_schema, settings)) as writer:
            for chunk in table.with_format("arrow").iter(arrow.CHUNK):
                writer.write_table(chunk)
        return len(table)
