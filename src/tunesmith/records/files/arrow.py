"""Records of any number as one Arrow table on disk, with one type for each column."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from ...data.rows import JSON, as_json
from ..columns import NUMBERED
from ..record import Record
from .own import FREE
from .tables import without_none

CHUNK = 10_000  # records in memory at a time


@contextmanager
def gathered(records: Iterator[Record]) -> Iterator[Any]:
    """A memory-mapped `datasets.Dataset` of the records, gone with the block.

    A column has the type that `columns.arrow_table` gives it, where all chunks agree; else one that loses nothing:
    JSON for mappings, lists of labels, ids as texts beside a column that tells which are numbers, times as ISO texts.
    """
    import pyarrow as pa
    from datasets import Dataset

    from ..columns import arrow_table

    with tempfile.TemporaryDirectory(prefix="tunesmith-", ignore_cleanup_errors=True) as folder:
        parts: list[Path] = []
        found: dict[str, dict[Any, None]] = {}
        while chunk := list(islice(records, CHUNK)):
            table = arrow_table(chunk, type(chunk[0]))
            for name in table.column_names:
                empty = table[name].null_count == len(table)
                found.setdefault(name, {}).update({} if empty else {table[name].type: None})
            parts.append(Path(folder, f"{len(parts)}.arrow"))
            with pa.ipc.new_stream(str(parts[-1]), table.schema) as writer:
                writer.write_table(table)
        schema = _schema(found)
        whole = Path(folder, "whole.arrow")
        with pa.ipc.new_stream(str(whole), schema) as writer:
            for part in parts:
                with pa.memory_map(str(part)) as file, pa.ipc.open_stream(file) as reader:
                    writer.write_table(_cast(reader.read_all(), schema))
        yield Dataset.from_file(str(whole))


def _schema(found: dict[str, dict[Any, None]]) -> Any:
    import pyarrow as pa

    fields = {name: _one(name, list(kinds)) for name, kinds in found.items()}
    if len(found["id"]) > 1:
        fields[NUMBERED] = pa.bool_()
    return pa.schema(list(fields.items()))


def _one(name: str, kinds: list[Any]) -> Any:
    """The type of a column that has these in its chunks; chunks of nothing but None have none."""
    import pyarrow as pa

    if not kinds:
        return JSON if name in FREE else pa.list_(pa.string()) if name == "search_keywords" else pa.string()
    if len(kinds) == 1:
        return kinds[0]
    if name in ("id", "event_timestamp"):
        return pa.string()
    return pa.list_(pa.string()) if any(map(pa.types.is_list, kinds)) else JSON


def _cast(table: Any, schema: Any) -> Any:
    import pyarrow as pa

    columns = []
    for field in schema:
        name = field.name
        if name not in table.column_names:  # NUMBERED alone
            column = pa.array([pa.types.is_integer(table["id"].type)] * len(table))
        elif table[name].null_count == len(table):
            column = pa.nulls(len(table), field.type)
        elif table[name].type == field.type:
            column = table[name]
        else:
            column = _as(table[name], field.type)
        columns.append(column)
    return pa.table(columns, schema=schema)


def _as(column: Any, kind: Any) -> Any:
    import pyarrow as pa

    values: Iterable[Any] = column.to_pylist()
    if kind == JSON:
        return as_json(map(without_none, values))
    if pa.types.is_timestamp(column.type):
        return pa.array([value.isoformat() for value in values], kind)
    if pa.types.is_list(kind):
        return pa.array([None if value is None else [value] for value in values], kind)
    return column.cast(kind)
