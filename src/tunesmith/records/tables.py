"""Records of tables: Hugging Face data sets, pandas and polars frames. Rows without text are left out and counted."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..data.places import is_a
from ..errors import DataError, nearest
from .columns import NUMBERED, from_json_cells, without_none
from .fields import listed
from .record import Record
from .rows import FREE, Plan, record_of
from .types import TYPES

log = logging.getLogger(__name__)

Columns = Mapping[str, Any]
"""Field -> the column it is read from; of `inputs` and `metadata` also a list of columns."""

NEEDED = {"TextClassification": ("text", "inputs"), "TokenClassification": ("tokens",), "Text2Text": ("text",)}


@dataclass(frozen=True)
class Found:
    """Records in the order of the table; left_out: reason -> how many rows it took."""

    records: list[Record]
    left_out: Mapping[str, int]


@dataclass(frozen=True)
class _Table:
    """names: of the columns. rows: (place, row) in order; column: the cells of one."""

    names: tuple[str, ...]
    rows: Iterable[tuple[int, dict[str, Any]]]
    column: Callable[[str], Sequence[Any]]


def from_table(table: Any, task: str, columns: Columns, *, multi_label: bool | None = None) -> Found:
    """The records of a `datasets.Dataset`, a pandas or a polars frame, read by these columns.

    multi_label: of every record; None takes the table's own column, or else whether the annotations are lists.

    Raises:
        DataError: a `DatasetDict`, a column that is missing. RowError: a cell that does not hold, with the record's id
            or else the row's place.
    """
    opened = _opened(table, task)
    kind = TYPES[task]
    sources = _sources(kind, opened.names, columns)
    _tell_unused(kind, opened.names, sources)
    several = _several(opened, sources, multi_label) if task == "TextClassification" else None
    plan = Plan(kind, sources, several)
    left_out: Counter[str] = Counter()
    records = []
    for place, row in opened.rows:
        found = record_of(place, row, plan)
        if isinstance(found, str):
            left_out[found] += 1
        else:
            records.append(found)
    if left_out:
        told = ", ".join(f"{count} with {reason}" for reason, count in left_out.items())
        total = len(records) + left_out.total()
        log.warning("%s of %s rows left out: %s", left_out.total(), total, told)
    return Found(records, dict(left_out))


def _opened(table: Any, task: str) -> _Table:
    if is_a(table, "datasets", "DatasetDict", "IterableDatasetDict"):
        raise DataError(
            f"a DatasetDict holds several splits ({', '.join(map(str, table))}): pass one of them, as "
            f"dataset[{next(iter(table), 'train')!r}]."
        )
    if is_a(table, "pandas", "DataFrame"):
        return _pandas(table)
    arrow = is_a(table, "datasets", "Dataset", "IterableDataset") or is_a(table, "pyarrow", "Table")
    if not arrow and not is_a(table, "polars", "DataFrame", "LazyFrame"):
        raise DataError(
            f"a {type(table).__name__} cannot be read as records of {task}: expected a datasets.Dataset, a pandas or "
            "polars DataFrame, or an Arrow table."
        )
    from ..data.rows import is_json
    from ..data.sources import read

    found = read(table, name="records")
    filled = [column.name for column in found.table.features.arrow_schema if not is_json(column.type)]
    return _Table(found.columns, _without_filling(found, filled), found.column)


def _pandas(frame: Any) -> _Table:
    names = tuple(map(str, frame.columns))
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise DataError(f"two columns have the name {', '.join(map(repr, twice))}: give each its own.")
    cells = [from_json_cells(frame.iloc[:, place].tolist()) for place in range(len(names))]
    rows = [dict(zip(names, row, strict=True)) for row in zip(*cells, strict=True)]
    return _Table(names, enumerate(rows), lambda name: cells[names.index(name)])


def _without_filling(rows: Iterable[tuple[Any, dict[str, Any]]], names: Sequence[str]) -> Iterator[Any]:
    """Arrow has every key of a struct in every row: None there is no value."""
    free = [name for name in names if name in FREE]
    for place, row in rows:
        for name in free:
            row[name] = without_none(row[name])
        yield place, row


def _sources(kind: type[Record], names: Sequence[str], columns: Columns) -> dict[str, tuple[str, ...]]:
    """Field -> the columns it is read from: those asked for, else the column of its name."""
    sources: dict[str, tuple[str, ...]] = {}
    for field, column in columns.items():
        if column is not None:
            sources[field] = (column,) if isinstance(column, str) else tuple(column)
            _must_be_there(sources[field], field, names)
    taken = {name for wanted in sources.values() for name in wanted}
    is_about = {"text", "inputs"} & set(sources) if kind.task == "TextClassification" else set()
    tags = ("tags",) if kind.task == "TokenClassification" else ()
    for name in (*kind.FIELDS, *tags, NUMBERED):
        replaced = is_about and name in ("text", "inputs")  # a column `text` beside inputs=[…] is another text
        if name in names and name not in sources and name not in taken and not replaced:
            sources[name] = (name,)
    needed = NEEDED[kind.task]
    if not any(name in sources for name in needed):
        told = " or ".join(map(repr, needed))
        raise DataError(
            f"there is no column {told}: say which one it is, {needed[0]}=…. Columns: {', '.join(names) or 'none'}."
        )
    return sources


def _must_be_there(wanted: Sequence[str], field: str, names: Sequence[str]) -> None:
    for name in wanted:
        if name not in names:
            close = nearest(str(name), names)
            hint = f" Did you mean {close!r}?" if close else ""
            raise DataError(f"there is no column {name!r}, asked for as {field}.{hint} Columns: {', '.join(names)}.")


def _tell_unused(kind: type[Record], names: Sequence[str], sources: Mapping[str, tuple[str, ...]]) -> None:
    used = {name for wanted in sources.values() for name in wanted}
    unused = [name for name in names if name not in used]
    if unused:
        what = "1 column is no field" if len(unused) == 1 else f"{len(unused)} columns are no fields"
        told = "%s of a %s and not read: %s (to keep them: metadata=[…])"
        log.warning(told, what, kind.__name__, ", ".join(unused))


def _several(table: _Table, sources: Mapping[str, tuple[str, ...]], asked: bool | None) -> bool | None:
    """multi_label of every record; None where the table's own column says it."""
    if asked is not None or "multi_label" in sources:
        return asked
    if "annotation" not in sources:
        return False
    return any(listed(cell) is not None for cell in table.column(sources["annotation"][0]))
