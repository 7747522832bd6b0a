"""Files of each format as Arrow tables; what is wrong in one is told with file and line."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import re
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyarrow as pa

from ..errors import DataError
from .rows import CHUNK, columns_table, named_rows, tables

Names = Sequence[str] | None


@dataclass(frozen=True)
class Opened:
    """The tables of a file, read as they are asked for; `declared` and `untyped` as in `Dataset`."""

    tables: Iterator[pa.Table]
    declared: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    untyped: bool = False


def suffix_of(path: str | Path) -> str:
    """The suffix that tells the format, that of a compression left out: ".csv" of "a.csv.gz"; "" if unknown."""
    name = Path(path)
    if name.suffix.lower() in _COMPRESSIONS:
        name = name.with_suffix("")
    return name.suffix.lower() if name.suffix.lower() in _FORMATS else ""


def open_file(path: Path, names: Names = None) -> Opened:
    """A file by its suffix. `names` are the columns of a csv or tsv file without a header, or of rows that are lists.

    Raises:
        DataError: an unknown suffix, or (while the tables are read) a file that is damaged or not what it is named.
    """
    suffix = suffix_of(path)
    if not suffix:
        raise DataError(
            f"{path}: the format is not known by this suffix. Known: {', '.join(sorted(_FORMATS))}; each also with "
            f"{', '.join(sorted(_COMPRESSIONS))}."
        )
    return _FORMATS[suffix](path, names)


def lines(path: Path) -> Iterator[str]:
    """The lines of a UTF-8 file with their ends; a byte order mark is dropped.

    Raises:
        DataError: with the line that is not UTF-8, or the last one that could be unpacked.
    """
    number = 0
    try:
        with _open(path) as file:
            for number, raw in enumerate(file, start=1):
                yield raw.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        reason = f"not UTF-8 ({error.reason} at byte {error.start} of the line). Save the file as UTF-8."
        raise DataError(f"{path}, line {number}: {reason}") from error
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        after = f" after line {number}" if number else ""
        raise DataError(f"{path} cannot be read{after}: {error}") from error


def _zstd(path: Path) -> BinaryIO:
    return cast(BinaryIO, io.BufferedReader(pa.CompressedInputStream(pa.OSFile(str(path)), "zstd")))


_COMPRESSIONS: dict[str, Callable[[Path], Any]] = {
    ".gz": lambda path: gzip.open(path, "rb"),
    ".bz2": lambda path: bz2.open(path, "rb"),
    ".xz": lambda path: lzma.open(path, "rb"),
    ".zst": _zstd,
}


def _open(path: Path) -> Any:
    unpack = _COMPRESSIONS.get(path.suffix.lower())
    return unpack(path) if unpack else path.open("rb")


def _csv(path: Path, names: Names) -> Opened:
    return Opened(_separated(path, names, _delimiter), untyped=True)


def _tsv(path: Path, names: Names) -> Opened:
    return Opened(_separated(path, names, lambda _: "\t"), untyped=True)


def _delimiter(header: str) -> str:
    """A comma, or ';' or a tab where the header line is one cell by commas and several by that one alone."""
    def cells(mark: str) -> int:
        return len(next(csv.reader([header], delimiter=mark), []))

    others = [mark for mark in ";\t" if cells(mark) > 1]
    return others[0] if cells(",") < 2 and len(others) == 1 else ","


def _separated(path: Path, names: Names, delimiter: Callable[[str], str]) -> Iterator[pa.Table]:
    """Cells by RFC 4180, all text, an empty one None. Blank lines are no rows."""
    left = lines(path)
    first = next(left, "")
    if csv.field_size_limit() < 2**31 - 1:  # the module's own limit, 128 KiB, is less than a long document
        csv.field_size_limit(2**31 - 1)
    reader = csv.reader(_chained(first, left), delimiter=delimiter(first), strict=True)
    try:
        header = list(names) if names else _header(next((row for row in reader if row), []), path)
        yield pa.table({name: pa.array([], pa.string()) for name in header})  # the columns of a file without rows
        while chunk := list(islice((row for row in _of_width(reader, header, path)), CHUNK)):
            cells = zip(*chunk, strict=True)
            yield pa.table({n: pa.array([c or None for c in column], pa.string()) for n, column in zip(header, cells, strict=True)})
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: {error}. Quote cells as RFC 4180 says.") from error


def _chained(first: str, left: Iterator[str]) -> Iterator[str]:
    yield first
    yield from left


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


def _text(path: Path, names: Names) -> Opened:
    """One row a line in the column "text"; blank lines are no rows."""
    column = names[0] if names else "text"
    rows = ({column: line.rstrip("\r\n")} for line in lines(path) if line.strip())
    return Opened(tables(rows, str(path)), untyped=True)


def _jsonl(path: Path, names: Names) -> Opened:
    return Opened(tables(named_rows(_json_lines(path), names, str(path)), str(path)))


def _json_lines(path: Path) -> Iterator[Any]:
    for number, line in enumerate(lines(path), start=1):
        if line.strip():
            try:
                yield json.loads(line)
            except json.JSONDecodeError as error:
                raise DataError(f"{path}, line {number}: not JSON ({error.msg}, column {error.colno}).") from error


def _json(path: Path, names: Names) -> Opened:
    return Opened(_json_tables(path, names))


def _json_tables(path: Path, names: Names) -> Iterator[pa.Table]:
    """A list of rows, a mapping of columns, the SQuAD form, or, in spite of its name, one JSON value a line."""
    text = "".join(lines(path))
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        first, _, rest = text.lstrip().partition("\n")
        if error.msg == "Extra data" and rest and _is_json(first):
            yield from _jsonl(path, names).tables
            return
        where = f"line {error.lineno}, column {error.colno}"
        raise DataError(f"{path}, {where}: not JSON ({error.msg}).") from error
    if isinstance(value, dict) and isinstance(value.get("data"), list):
        value = value["data"]
    if isinstance(value, list) and value and all(isinstance(part, dict) and "paragraphs" in part for part in value):
        value = _squad(value, path)
    if isinstance(value, dict):
        yield columns_table(value, str(path))
    elif isinstance(value, Iterable) and not isinstance(value, str):
        yield from tables(named_rows(value, names, str(path)), str(path))
    else:
        raise DataError(f"{path}: it holds one {type(value).__name__}; rows, columns or the SQuAD form are expected.")


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except json.JSONDecodeError:
        return False
    return True


def _squad(articles: Sequence[Mapping[str, Any]], path: Path) -> Iterator[dict[str, Any]]:
    """One row a question: id, title, context, question, answers {text, answer_start} (empty lists: no answer)."""
    for article in articles:
        try:
            for paragraph in article["paragraphs"]:
                for asked in paragraph["qas"]:
                    answers = asked.get("answers") or []
                    yield {
                        "id": str(asked["id"]) if asked.get("id") is not None else None,
                        "title": article.get("title"),
                        "context": paragraph["context"],
                        "question": asked["question"],
                        "answers": {
                            "text": [answer["text"] for answer in answers],
                            "answer_start": [answer["answer_start"] for answer in answers],
                        },
                    }
        except (KeyError, TypeError, AttributeError) as error:
            title = article.get("title")
            raise DataError(f"{path}: article {title!r} is not in the SQuAD form: {error!r} is missing.") from error


def _parquet(path: Path, names: Names) -> Opened:
    import pyarrow.parquet as pq

    try:
        with _open(path) as packed:
            whole = io.BytesIO(packed.read()) if path.suffix.lower() in _COMPRESSIONS else None
        file = pq.ParquetFile(whole or str(path), memory_map=whole is None)
    except (pa.ArrowException, OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise DataError(f"{path} cannot be read as parquet: {error}") from error
    return Opened(_parquet_tables(file, path), declared_in(file.schema_arrow))


def _parquet_tables(file: Any, path: Path) -> Iterator[pa.Table]:
    yield file.schema_arrow.empty_table()
    try:
        for batch in file.iter_batches(CHUNK):
            yield pa.Table.from_batches([batch])
    except (pa.ArrowException, OSError) as error:
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


