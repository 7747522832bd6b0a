"""Python rows and columns as Arrow tables: every cell made plain, every fault with its row and column."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import pyarrow as pa

from ..errors import DataError, RowError
from .cells import plain

CHUNK = 10_000  # rows made into one Arrow table
JSON_KEY = "__json__"
JSON = pa.struct([(JSON_KEY, pa.string())])  # how cells are kept that Arrow has no one type for
_SCALARS = (str, int, float, bool)  # what `JSON` may hold, beside lists and mappings
_FOREIGN = (pa.ArrowException, OverflowError, ValueError, TypeError)  # what Arrow raises on a cell it cannot hold


def named_rows(rows: Iterable[Any], names: Sequence[str] | None, source: str) -> Iterator[dict[str, Any]]:
    """Rows of any one form (mapping, tuple or list, string) as plain mappings; a string is the column "text".

    names: of a tuple's items. The first row decides how many there are: where they are fewer than the names, the first
    names are meant, but the outer two of three for two items, as (text, label) of (text, pair, label).

    Raises:
        RowError: a row of another form, or of another width, than the first.
    """
    expected: str | None = None
    fields: Sequence[str] = ()
    for place, row in enumerate(_guarded(rows, source)):
        form = "mapping" if isinstance(row, Mapping) else "text" if isinstance(row, str) else "tuple"
        if form == "tuple" and not isinstance(row, (list, tuple)):
            row = plain(row)
            if not isinstance(row, list):
                raise RowError(
                    place,
                    "*",
                    f"it is of type {type(row).__name__}; a mapping, tuple or text is expected",
                    source=source,
                )
        expected = expected or form
        if form != expected:
            raise RowError(place, "*", f"it is a {form}, but the rows before are {expected}s", source=source)
        if form == "mapping":
            yield {str(key): plain(value) for key, value in row.items()}
        elif form == "text":
            yield {"text": str(row)}
        else:
            fields = fields or _fields(row, names, source)
            yield _from_tuple(row, fields, place, source)


def tables(rows: Iterable[Mapping[str, Any]], source: str) -> Iterator[pa.Table]:
    """Arrow tables of at most CHUNK plain rows; a key that a row does not have is None there."""
    left = iter(rows)
    start = 0
    while chunk := list(islice(left, CHUNK)):
        names = list(dict.fromkeys(key for row in chunk for key in row))
        if not names:
            raise DataError(f"{source}: rows {start} to {start + len(chunk) - 1} have no columns.")
        columns = [column_array([row.get(name) for row in chunk], name, start, source) for name in names]
        yield pa.table(columns, names=names)
        start += len(chunk)


def columns_table(columns: Mapping[Any, Any], source: str) -> pa.Table:
    """One table of a mapping from column name to its cells.

    Raises:
        DataError: a column that is no sequence, or columns of unequal length.
    """
    cells: dict[str, list[Any]] = {}
    for name, values in columns.items():
        if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
            kind = type(values).__name__
            raise DataError(f"{source}: column {str(name)!r} is a {kind}; in a mapping of columns a list is expected.")
        cells[str(name)] = [plain(value) for value in values]
    lengths = {name: len(values) for name, values in cells.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name!r} {length}" for name, length in lengths.items())
        raise DataError(f"{source}: the columns have unequal lengths ({told}); each row needs a cell in every column.")
    return pa.table({name: column_array(values, name, 0, source) for name, values in cells.items()})


def column_array(values: Sequence[Any], name: str, start: int, source: str) -> Any:
    """Plain cells as an Arrow array; those that have no one type, such as [0, 5, "PER"] or 5 among texts, as `JSON`.

    Whether a cell is what a task needs is the task's to judge, row by row.

    Raises:
        RowError: the first cell that cannot be stored.
    """
    try:
        found = pa.array(values)
        return as_json(values) if is_json(found.type) else found
    except _FOREIGN as error:
        if _mixes(values):
            return as_json(values)
        low, high = 0, len(values)  # values[:low] can be stored, values[:high] cannot
        while high - low > 1:
            middle = (low + high) // 2
            head = values[:middle]
            low, high = (middle, high) if _converts(head) or _mixes(head) else (low, middle)
        raise RowError(start + low, name, _misfit(values, low), source=source) from error


def is_json(kind: pa.DataType) -> bool:
    """Whether a type is `JSON`, as Arrow, polars and parquet have it: they differ in the type of its text."""
    if not pa.types.is_struct(kind) or [part.name for part in kind] != [JSON_KEY]:
        return False
    text = kind.field(0).type
    return bool(pa.types.is_string(text) or pa.types.is_large_string(text) or pa.types.is_string_view(text))


def as_json(values: Iterable[Any]) -> Any:
    """Plain cells as an Arrow array of type `JSON`."""
    return pa.array([None if value is None else {JSON_KEY: json.dumps(value)} for value in values], JSON)


def _mixes(values: Sequence[Any]) -> bool:
    """Whether the cells of each type could be stored by themselves, so that together they can as `JSON`."""
    by_type: dict[type, list[Any]] = {}
    for value in values:
        by_type.setdefault(type(value), []).append(value)
    by_type.pop(type(None), None)
    return set(by_type) <= {*_SCALARS, list, dict} and all(
        _converts(cells, as_json if kind in (list, dict) else pa.array) for kind, cells in by_type.items()
    )


def _converts(values: Sequence[Any], make: Callable[[Sequence[Any]], Any] = pa.array) -> bool:
    try:
        make(values)
    except _FOREIGN:
        return False
    return True


def _misfit(values: Sequence[Any], place: int) -> str:
    cell = repr(values[place])
    shown = cell if len(cell) <= 60 else cell[:59] + "…"
    before = dict.fromkeys(type(value) for value in values[:place] if value is not None)
    kind = type(values[place])
    if before and kind not in (*before, *_SCALARS):
        named = f"an {kind.__name__}" if kind.__name__[0] in "aeiou" else f"a {kind.__name__}"
        return f"{shown} is {named}, but the rows before hold {' and '.join(each.__name__ for each in before)}"
    return f"{shown} cannot be stored: text, numbers of 64 bits, true or false, lists and mappings can"


def _guarded(rows: Iterable[Any], source: str) -> Iterator[Any]:
    """The rows, with what fails while they are fetched told apart from what fails while they are stored."""
    left = iter(rows)
    while True:
        try:
            row = next(left)
        except StopIteration:
            return
        except OSError as error:
            raise DataError(f"{source}: the rows cannot be read: {error}") from error
        yield row


def _fields(row: Sequence[Any], names: Sequence[str] | None, source: str) -> Sequence[str]:
    names = getattr(row, "_fields", names)  # a named tuple brings its own
    if not names:
        raise DataError(
            f"{source}: the rows are tuples, which have no column names: give names=(…), one for each of their "
            f"{len(row)} items."
        )
    return _fitting(names, len(row)) or names


def _fitting(names: Sequence[str], width: int) -> Sequence[str]:
    """The names of rows narrower than `names`: the first ones, but of three names for two items the outer ones."""
    return (names[0], names[2]) if len(names) == 3 and width == 2 else names[:width]


def _from_tuple(row: Sequence[Any], names: Sequence[str], place: int, source: str) -> dict[str, Any]:
    if len(row) != len(names):
        reason = f"the row has {len(row)} items; {len(names)} are expected ({', '.join(names)})"
        raise RowError(place, names[min(len(row), len(names) - 1)], reason, source=source)
    return {name: plain(value) for name, value in zip(names, row, strict=True)}
