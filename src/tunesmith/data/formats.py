"""Files of each format as Arrow tables; what is wrong in one is told with file and line."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from ..errors import DataError
from .conll import conll, conllu
from .files import BROKEN, COMPRESSIONS, lines, open_packed
from .json_files import json_file, json_lines
from .rows import CHUNK, tables
from .spreadsheets import SUFFIXES, sheet_rows

Names = Sequence[str] | None
Quoting = Literal[0, 3]  # csv.QUOTE_MINIMAL, csv.QUOTE_NONE


@dataclass(frozen=True)
class Opened:
    """The tables of a file, read as they are asked for; `declared` and `untyped` as in `Dataset`."""

    tables: Iterator[pa.Table]
    declared: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    untyped: bool = False


def suffix_of(path: str | Path) -> str:
    """The suffix that tells the format, that of a compression left out: ".csv" of "a.csv.gz"; "" if unknown."""
    name = Path(path)
    if name.suffix.lower() in COMPRESSIONS:
        name = name.with_suffix("")
    return name.suffix.lower() if name.suffix.lower() in _FORMATS else ""


def open_file(path: Path, names: Names = None, *, suffix: str | None = None) -> Opened:
    """A file by its suffix, or by the one that is said. `names` are the columns of JSON rows that are lists.

    Raises:
        DataError: an unknown suffix, or (while the tables are read) a file that is damaged or not what it is named.
    """
    suffix = suffix_of(path) if suffix is None else suffix
    if not suffix:
        raise DataError(
            f"{path}: the format is not known by this suffix. Known: {', '.join(sorted(_FORMATS))}; each also with "
            f"{', '.join(sorted(COMPRESSIONS))}."
        )
    return _FORMATS[suffix](path, names)


def _csv(path: Path, _: Names) -> Opened:
    return Opened(_separated(path, delimiter=None, quoting=csv.QUOTE_MINIMAL), untyped=True)


def _tsv(path: Path, _: Names) -> Opened:
    """Quotes are quoting where the whole file is sound that way, plain characters where it is not.

    A file that is sound either way, but with tabs or line ends within quotes, has plain ones: else rows would be lost.
    """
    return Opened(_tsv_tables(path), untyped=True)


def _tsv_tables(path: Path) -> Iterator[pa.Table]:
    for _ in lines(path):  # a file that is damaged, rather than quoted otherwise, is told as such
        pass
    quoting: Quoting = csv.QUOTE_MINIMAL
    try:
        joins = any(map(_has_marks, _separated(path, delimiter="\t", quoting=quoting)))
    except DataError:
        joins = True
    if joins and _is_sound(_separated(path, delimiter="\t", quoting=csv.QUOTE_NONE)):
        quoting = csv.QUOTE_NONE
    yield from _separated(path, delimiter="\t", quoting=quoting)


def _has_marks(table: pa.Table) -> bool:
    """Whether a cell holds a tab or a line end."""
    return any("\t" in cell or "\n" in cell for column in table.columns for cell in column.to_pylist() if cell)


def _is_sound(tables: Iterable[pa.Table]) -> bool:
    try:
        for _ in tables:
            pass
    except DataError:
        return False
    return True


def _delimiter(header: str) -> str:
    """A comma, or ';' or a tab where the header line is one cell by commas and several by that one alone."""

    def cells(mark: str) -> int:
        return len(next(csv.reader([header], delimiter=mark), []))

    others = [mark for mark in ";\t" if cells(mark) > 1]
    return others[0] if cells(",") < 2 and len(others) == 1 else ","


def _separated(path: Path, *, delimiter: str | None, quoting: Quoting) -> Iterator[pa.Table]:
    """Cells by RFC 4180, all text, an empty one None. Blank lines are no rows. delimiter: None to find it."""
    left = lines(path)
    first = next(left, "")
    if csv.field_size_limit() < 2**31 - 1:  # the module's own limit, 128 KiB, is less than a long document
        csv.field_size_limit(2**31 - 1)
    mark = delimiter or _delimiter(first)
    reader: Any = csv.reader(chain([first], left), delimiter=mark, quoting=quoting, strict=True)
    try:
        header = _header(next((row for row in reader if row), []), path)
        yield from _text_tables(header, _of_width(reader, header, path))
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}. Quote cells as RFC 4180 says.") from error


def _spreadsheet(path: Path, _: Names) -> Opened:
    return Opened(_sheet(path), untyped=True)


def _sheet(path: Path) -> Iterator[pa.Table]:
    rows = sheet_rows(path)
    yield from _text_tables(_header(next(rows, []), path), rows)


def _text_tables(header: Sequence[str], rows: Iterator[Sequence[str]]) -> Iterator[pa.Table]:
    yield _text_table(header, [()] * len(header))  # the columns of a file without rows
    while chunk := list(islice(rows, CHUNK)):
        yield _text_table(header, zip(*chunk, strict=True))


def _text_table(header: Sequence[str], columns: Iterable[Sequence[str]]) -> pa.Table:
    return pa.table([pa.array([cell or None for cell in cells], pa.string()) for cells in columns], names=header)


def _of_width(reader: Any, header: Sequence[str], path: Path) -> Iterator[list[str]]:
    for row in reader:
        if not row:
            continue
        if len(row) != len(header):
            told = f"{len(row)} cells where {len(header)} are expected ({', '.join(header)})"
            raise DataError(f"{path}, line {reader.line_num}: {told}. A cell with a separator in it needs quotes.")
        yield row


def _header(cells: Sequence[str], path: Path) -> list[str]:
    names = [cell.strip() or f"unnamed_{place}" for place, cell in enumerate(cells)]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{path}: two columns have the name {', '.join(map(repr, twice))}: give each its own.")
    if not names:
        raise DataError(f"{path} is empty: a header line with the column names is expected.")
    return names


def _text(path: Path, _: Names) -> Opened:
    """One row a line in the column "text"; blank lines are no rows."""
    rows = ({"text": line.rstrip("\r\n")} for line in lines(path) if line.strip())
    return Opened(tables(rows, str(path)), untyped=True)


def _parquet(path: Path, _: Names) -> Opened:
    import pyarrow.parquet as pq

    try:
        if path.suffix.lower() in COMPRESSIONS:
            with open_packed(path) as packed:
                file = pq.ParquetFile(io.BytesIO(packed.read()))
        else:
            file = pq.ParquetFile(str(path), memory_map=True)
    except BROKEN as error:
        raise DataError(f"{path} cannot be read as parquet: {error}") from error
    return Opened(_parquet_tables(file, path), declared_in(file.schema_arrow))


def _parquet_tables(file: Any, path: Path) -> Iterator[pa.Table]:
    yield file.schema_arrow.empty_table()
    try:
        for batch in file.iter_batches(CHUNK):
            yield pa.Table.from_batches([batch])
    except BROKEN as error:
        raise DataError(f"{path} cannot be read as parquet: {error}") from error


def declared_in(schema: pa.Schema) -> dict[str, tuple[str, ...]]:
    """The class names that Hugging Face's own metadata gives for columns of an Arrow schema."""
    from datasets import Features

    if b"huggingface" not in (schema.metadata or {}):
        return {}
    return declared_by(Features.from_arrow_schema(schema))


def declared_by(features: Mapping[str, Any] | None) -> dict[str, tuple[str, ...]]:
    """The class names of the `ClassLabel` columns, and of lists of `ClassLabel`, among `datasets.Features`."""
    found: dict[str, tuple[str, ...]] = {}
    for column, feature in (features or {}).items():
        while hasattr(feature, "feature"):
            feature = feature.feature
        names = getattr(feature, "names", None)
        if names:
            found[column] = tuple(names)
    return found


_FORMATS: dict[str, Callable[[Path, Names], Opened]] = {
    ".csv": _csv,
    ".tsv": _tsv,
    ".tab": _tsv,
    ".json": lambda path, names: Opened(json_file(path, names)),
    ".parquet": _parquet,
    ".pq": _parquet,
    **dict.fromkeys((".jsonl", ".ndjson"), lambda path, names: Opened(json_lines(path, names))),
    **dict.fromkeys((".txt", ".text", ".raw", ".tokens"), _text),
    **dict.fromkeys((".conll", ".iob", ".iob2", ".bio", ".bioes"), lambda path, _: Opened(conll(path))),
    ".conllu": lambda path, _: Opened(conllu(path)),
    **dict.fromkeys(SUFFIXES, _spreadsheet),
}
