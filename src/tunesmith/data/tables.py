"""Arrow tables of one source gathered: in memory while small, in a memory-mapped file of the cache beyond."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa

from ..errors import RowError
from .cache import FeatureCache
from .rows import JSON, as_json

SPILL = 128 * 2**20  # bytes of Arrow held in memory before the rows go to a file


def gather(tables: Iterable[pa.Table], *, source: str, limit: int | None = None, cache: bool = True) -> Any:
    """The first `limit` rows as one `datasets.Dataset`. A column that a table lacks is None there.

    cache: whether a large source may go to the cache; if not, it goes to a temporary folder that ends with the process.

    Raises:
        RowError: a column changes its type to or from one that JSON cannot hold, such as a date.
    """
    from datasets import Dataset

    held: list[pa.Table] = []
    schema, size = pa.schema([]), 0
    left = limited(map(settled, tables), limit)
    for table in left:
        schema = _unified(schema, table, sum(map(len, held)), source)
        held.append(table)
        size += table.nbytes
        if size > SPILL:
            return Dataset.from_file(str(_spilled(chain(held, left), source, cache)))
    if not held:
        return Dataset(pa.table({}))
    return Dataset(pa.concat_tables([_cast(table, schema) for table in held]))


def settled(table: pa.Table) -> pa.Table:
    """The table in types that every later step knows: categories as their values, decimals as floats."""
    fields = [pa.field(column.name, _plain_type(column.type)) for column in table.schema]
    schema = pa.schema(fields)
    return table.replace_schema_metadata(None) if schema.types == table.schema.types else table.cast(schema)


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return _plain_type(kind.value_type)
    if pa.types.is_decimal(kind):
        return pa.float64()
    if pa.types.is_string_view(kind):
        return pa.large_string()
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        inner = _plain_type(kind.value_type)
        return kind if inner == kind.value_type and not pa.types.is_fixed_size_list(kind) else pa.large_list(inner)
    return kind


def limited(tables: Iterable[pa.Table], limit: int | None) -> Iterator[pa.Table]:
    """The first `limit` rows."""
    left = limit
    for table in tables:
        if left is not None and left <= len(table):
            yield table.slice(0, left)
            return
        yield table
        left = None if left is None else left - len(table)


def _unified(schema: pa.Schema, table: pa.Table, start: int, source: str) -> pa.Schema:
    """The schema that holds the rows so far and those of `table`, which begin at row `start`."""
    fields = {column.name: column for column in schema}
    for column in table.schema:
        before = fields.get(column.name)
        if before is None or before.type == column.type:
            fields.setdefault(column.name, column)
            continue
        try:
            fields[column.name] = pa.field(column.name, _wider(before.type, column.type))
        except pa.ArrowException as error:
            cells = table.column(column.name).is_valid().to_pylist()
            reason = f"it is {column.type}, but the rows before hold {before.type}"
            raise RowError(start + cells.index(True), column.name, reason, source=source) from error
    return pa.schema(list(fields.values()))


def _wider(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    both_spell = _spells(one) and _spells(other)
    if JSON in (one, other) and both_spell:
        return JSON
    try:
        pair = [pa.schema([("", one)]), pa.schema([("", other)])]
        return pa.unify_schemas(pair, promote_options="permissive").types[0]
    except pa.ArrowException:
        if both_spell:
            return JSON
        raise


def _spells(kind: pa.DataType) -> bool:
    """Whether JSON can hold what is of this type."""
    known = (pa.types.is_null, pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_string)
    if any(test(kind) for test in (*known, pa.types.is_large_string)):
        return True
    return pa.types.is_nested(kind) and all(_spells(kind.field(place).type) for place in range(kind.num_fields))


def _spilled(tables: Iterator[pa.Table], source: str, cache: bool) -> Path:
    """A file of the cache with all the rows, named by its content."""
    if cache:
        return FeatureCache().put(None, lambda path: _write(tables, path, source))
    folder = Path(tempfile.mkdtemp(prefix="tunesmith-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return FeatureCache(folder=folder).put("rows", lambda path: _write(tables, path, source))


def _write(tables: Iterator[pa.Table], path: Path, source: str) -> None:
    """An Arrow stream file. A wider schema met on the way has what is written copied once into that schema."""
    schema: pa.Schema = pa.schema([])
    writer: Any = None
    start = 0
    try:
        for table in tables:
            wider = _unified(schema, table, start, source)
            if writer is None or wider != schema:
                if writer is not None:
                    writer.close()
                writer = _widened(path, wider, copy=writer is not None)
                schema = wider
            writer.write_table(_cast(table, schema))
            start += len(table)
    finally:
        if writer is not None:
            writer.close()


def _widened(path: Path, schema: pa.Schema, *, copy: bool) -> Any:
    """A writer of `path` in this schema that begins with the rows already there."""
    if not copy:
        return pa.ipc.new_stream(str(path), schema)
    before = path.with_suffix(".before.tmp")
    os.replace(path, before)
    try:
        writer = pa.ipc.new_stream(str(path), schema)
        with pa.memory_map(str(before)) as file, pa.ipc.open_stream(file) as reader:
            for batch in reader:
                writer.write_table(_cast(pa.Table.from_batches([batch]), schema))
    finally:
        before.unlink()
    return writer


def _cast(table: pa.Table, schema: pa.Schema) -> pa.Table:
    for place, column in enumerate(table.schema):
        if schema.field(column.name).type == JSON != column.type:
            table = table.set_column(place, column.name, as_json(table.column(place).to_pylist()))
    whole = pa.concat_tables([table, schema.empty_table()], promote_options="permissive")
    return whole.select(schema.names).cast(schema)
