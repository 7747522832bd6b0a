"""Rows as they came, in Arrow, each with the id of its place in the source."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard

import numpy as np

from ..errors import DataError, RowError
from .cells import plain

if TYPE_CHECKING:  # 25 MB, which predicting from lists of texts saves
    import pyarrow as pa

Row = dict[str, Any]
RowId = int | str
_BATCH = 1_000  # rows turned into Python objects at a time


class Origin(Protocol):
    """Where rows are kept, to be told of their use."""

    def mark(self, ids: Iterable[RowId], *, split: str, run: str | None = None) -> int: ...


@dataclass(frozen=True, eq=False)
class Dataset:
    """A finite table. Cells are plain Python values: NaN is None, a decimal a float, a class id of a `ClassLabel`
    column its name.

    table: a `datasets.Dataset`, memory-mapped when it came from a large source. declared: class names, in id order,
    of each `ClassLabel` column. untyped: every cell is text, numbers are spelled out. ids: each row's place in the
    source, from 0, or its own name there; None means 0, 1, 2, …
    left_out: reason -> the rows that the source left out itself. origin: who keeps the rows, if anybody asks.
    """

    table: Any
    name: str = "train"
    declared: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    untyped: bool = False
    ids: Sequence[RowId] | None = None
    left_out: Mapping[str, Sequence[RowId]] = field(default_factory=dict)
    origin: Origin | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.table.column_names)

    def __len__(self) -> int:
        return len(self.table)

    def __iter__(self) -> Iterator[tuple[RowId, Row]]:
        """(row id, row) in order; rows become Python objects a batch at a time."""
        if not self.columns:
            return
        place = 0
        for batch in self._arrow.iter(_BATCH):
            ids = [self._id(n) for n in range(place, place + len(batch))]
            yield from zip(ids, self._rows(batch, ids), strict=True)
            place += len(batch)

    def __repr__(self) -> str:
        return f"Dataset({self.name!r}, {len(self)} rows, columns {', '.join(self.columns)})"

    def select(self, indices: Iterable[int]) -> Dataset:
        """The rows at these places of this data set, ids kept."""
        places = [int(place) for place in indices]
        # an array, because the library hashes what it is given: a long list takes seconds
        table = self.table.select(np.array(places, dtype=np.int64))
        return replace(self, table=table, ids=[self._id(place) for place in places])

    def head(self, count: int) -> Dataset:
        """The first `count` rows."""
        return self if count >= len(self) else self.select(range(max(count, 0)))

    def renamed(self, name: str) -> Dataset:
        return replace(self, name=name)

    def rows(self, indices: Iterable[int]) -> list[tuple[RowId, Row]]:
        """(row id, row) at these places, in the order asked."""
        places = [int(place) for place in indices]
        if not places:
            return []
        ids = [self._id(place) for place in places]
        return list(zip(ids, self._rows(self._arrow[places], ids), strict=True))

    def column(self, name: str) -> list[Any]:
        """Every cell of one column, in order.

        Raises:
            DataError: there is no such column.
        """
        if name not in self.columns:
            raise DataError(f"{self.name} has no column {name!r}. Columns: {', '.join(map(repr, self.columns))}.")
        narrow = replace(self, table=self.table.select_columns([name]))
        return list(_shared(row[name] for _, row in narrow))

    def _id(self, place: int) -> RowId:
        return place if self.ids is None else self.ids[place]

    @cached_property
    def _arrow(self) -> Any:
        return self.table.with_format("arrow")

    def _rows(self, batch: pa.Table, ids: Sequence[RowId]) -> list[Row]:
        from pyarrow import types

        from .rows import JSON_KEY, is_json

        cells = {}
        for name, array in zip(batch.column_names, batch.columns, strict=True):
            values = array.to_pylist()
            names = self.declared.get(name)
            if is_json(array.type):
                values = [None if value is None else plain(json.loads(value[JSON_KEY])) for value in values]
            elif names is not None and _are_class_ids(array.type):
                values = [self._named(value, names, row, name) for row, value in zip(ids, values, strict=True)]
            elif _holds(array.type, lambda kind: types.is_floating(kind) or types.is_decimal(kind)):
                values = [plain(value) for value in values]
            cells[name] = values
        return [dict(zip(cells, row, strict=True)) for row in zip(*cells.values(), strict=True)]

    def _named(self, value: Any, names: Sequence[str], row: RowId, column: str) -> Any:
        try:
            return class_name(value, names)
        except ValueError as error:
            raise RowError(row, column, str(error), source=self.name) from error


class GivesTable(Protocol):
    """What makes a data set of itself, as a list of records does."""

    def as_dataset(self, name: str = ..., limit: int | None = ..., *, gold: bool = ...) -> Dataset: ...
    def as_inputs(self) -> list[tuple[RowId, str]]: ...


def gives_table(value: Any) -> TypeGuard[GivesTable]:
    return callable(getattr(type(value), "as_dataset", None))


def _shared(values: Iterable[Any]) -> Iterator[Any]:
    """The values, texts that come often as one object each: a column of labels holds few."""
    known: dict[str, str] = {}
    for value in values:
        if type(value) is str and (value in known or len(known) < _BATCH):
            value = known.setdefault(value, value)
        yield value


def class_name(value: Any, names: Sequence[str]) -> Any:
    """The name of a `ClassLabel` id, of each in a list; -1 is how such columns write 'no label'.

    Raises:
        ValueError: an id that has no name.
    """
    if isinstance(value, list):
        return [class_name(part, names) for part in value]
    if value is None or value == -1:
        return None
    if not isinstance(value, int) or not 0 <= value < len(names):
        raise ValueError(f"class id {value!r} is outside 0 … {len(names) - 1}, the ids of {', '.join(names[:12])}")
    return names[value]


def _are_class_ids(kind: pa.DataType) -> bool:
    """Whole numbers, or lists of them at any depth; not those of a mapping, which are places in a text."""
    from pyarrow import types

    lists = types.is_list, types.is_large_list, types.is_fixed_size_list
    return types.is_integer(kind) or (any(test(kind) for test in lists) and _are_class_ids(kind.value_type))


def _holds(kind: pa.DataType, test: Callable[[pa.DataType], bool]) -> bool:
    """Whether a type, or a part of it at any depth, passes the test."""
    if test(kind):
        return True
    return any(_holds(kind.field(place).type, test) for place in range(kind.num_fields))
