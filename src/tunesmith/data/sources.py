"""From anything to a `Dataset`: files, frames, Hugging Face data sets, Python rows and columns, hub ids."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any, Literal, overload

import pyarrow as pa

from ..errors import ConfigError, DataError
from .dataset import Dataset, Row, Stream, class_name
from .formats import Opened, declared_by, open_file
from .places import Paths, is_a, located, splits_in
from .rows import column_array, columns_table, named_rows, plain, tables
from .tables import gather, settled

AHEAD = 10_000  # rows of a stream read before it is taken to have no end
ENDLESS = 20_000_000  # rows of a stream read to its end before the user is asked how many it shall be


@dataclass(frozen=True)
class _Asked:
    """The arguments of `read`, on their way down."""

    name: str
    limit: int | None
    names: Sequence[str] | None
    endless: bool
    cache: bool
    enough: int | None = None


@overload
def read(
    source: Any,
    *,
    name: str = ...,
    split: str | None = ...,
    limit: int | None = ...,
    names: Sequence[str] | None = ...,
    endless: Literal[False] = ...,
    cache: bool = ...,
) -> Dataset: ...


@overload
def read(
    source: Any,
    *,
    name: str = ...,
    split: str | None = ...,
    limit: int | None = ...,
    names: Sequence[str] | None = ...,
    endless: bool,
    cache: bool = ...,
) -> Dataset | Stream: ...


def read(
    source: Any,
    *,
    name: str = "train",
    split: str | None = None,
    limit: int | None = None,
    names: Sequence[str] | None = None,
    endless: bool = False,
    cache: bool = True,
) -> Dataset | Stream:
    """The rows of a source, in its order.

    source: a path, a glob (sorted), a list of paths; a pandas or polars frame, an Arrow table; a `datasets` object;
        a list or generator of mappings, tuples or strings (column "text"); a mapping of columns; a hub data set id.
    split: which one, of a source that has several. limit: the first rows only.
    names: the columns of rows that are tuples; for narrower rows see `rows.named_rows`.
    endless: a generator or an `IterableDataset` of AHEAD rows or more is given back as a `Stream`; without it every
        stream is read to its end.
    cache: whether large sources may be kept in the cache, as an Arrow file; else the file goes when the process ends.

    Raises:
        DataError: what cannot be read, with file and line; a source of several splits without `split`.
        RowError: a row that does not go with the rows before it.
    """
    if limit is not None and (isinstance(limit, bool) or limit < 1):
        raise DataError(f"limit is {limit!r}: a number of rows, 1 or more, is expected.")
    asked = _Asked(name, limit, names, endless, cache)
    found = located(source, split)
    parts = splits_in(found)
    if parts is None:
        if split is not None and not is_a(found, "datasets", "Dataset", "IterableDataset"):
            raise DataError(f"{name}: split {split!r} is asked for, but the source has no named splits.")
        return _table(found, asked)
    if split is None and len(parts) > 1:
        raise DataError(f"{name}: the source has the splits {', '.join(parts)}: say which with split=….")
    chosen = split if split is not None else next(iter(parts), "")
    if chosen not in parts:
        raise DataError(f"{name}: no split {chosen!r}. Splits: {', '.join(parts) or 'none'}.")
    return _table(parts[chosen], asked)


def read_splits(
    source: Any,
    *,
    limit: int | None = None,
    names: Sequence[str] | None = None,
    cache: bool = True,
    enough: int | None = None,
) -> dict[str, Dataset]:
    """Every named split of a source that has them, `{"train": …}` of one that has none; `limit` rows of each.

    enough: how many rows to take of a stream that has more (AHEAD at least: a short stream is taken whole).

    Raises:
        ConfigError: a stream without an end, and neither `limit` nor `enough` says where to stop.
    """
    found = located(source, None)
    parts = splits_in(found)
    if parts is None:
        parts = {"train": found}
    asked = _Asked("train", limit, names, False, cache, enough)
    return {name: _whole(_table(part, replace(asked, name=name))) for name, part in parts.items()}


def _whole(data: Dataset | Stream) -> Dataset:
    if isinstance(data, Stream):
        raise DataError(f"{data.name}: rows without an end where a finite split is expected.")
    return data


def _table(source: Any, asked: _Asked) -> Dataset | Stream:
    for holds, reader in _READERS:
        if holds(source):
            return reader(source, asked)
    raise DataError(
        f"{asked.name}: a {type(source).__name__} cannot be read. Expected: a path, a glob, a hub id, a frame, "
        "a Hugging Face data set, rows (mappings, tuples, strings) or a mapping of columns."
    )


def _known(source: Any, asked: _Asked) -> Dataset | Stream:
    return source.head(asked.limit) if isinstance(source, Dataset) and asked.limit is not None else source


def _files(source: Any, asked: _Asked) -> Dataset:
    opened = [open_file(path, asked.names) for path in source]
    declared = _one_declaration(opened, source)
    name = str(source[0]) if len(source) == 1 else asked.name
    table = gather(_tables_of(opened), source=name, limit=asked.limit, cache=asked.cache)
    return Dataset(table, asked.name, declared, all(part.untyped for part in opened))


def _tables_of(opened: Iterable[Opened]) -> Iterator[pa.Table]:
    for part in opened:
        yield from part.tables


def _one_declaration(opened: Sequence[Opened], paths: Sequence[Any]) -> Mapping[str, tuple[str, ...]]:
    for part, path in zip(opened, paths, strict=True):
        if part.declared != opened[0].declared:
            raise DataError(f"{path} and {paths[0]} declare different class names: read them one by one.")
    return opened[0].declared


def _hf(source: Any, asked: _Asked) -> Dataset:
    rows = Dataset(source, asked.name, declared_by(source.features))
    return rows if asked.limit is None else rows.head(asked.limit)


def _hf_stream(source: Any, asked: _Asked) -> Dataset | Stream:
    return _stream(lambda: iter(source), declared_by(source.features), asked)


def _frame(source: Any, asked: _Asked) -> Dataset:
    found = source.collect() if is_a(source, "polars", "LazyFrame") else source
    found = found.head(asked.limit) if asked.limit is not None else found
    labels = [str(label) for label in found.columns]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise DataError(f"{asked.name}: two columns have the name {', '.join(map(repr, twice))}: give each its own.")
    if is_a(found, "polars", "DataFrame"):
        arrays = [_array(found[:, place], label, asked.name) for place, label in enumerate(labels)]
    else:
        arrays = [_array(found.iloc[:, place], label, asked.name) for place, label in enumerate(labels)]
    return Dataset(gather([pa.table(arrays, names=labels)], source=asked.name, cache=asked.cache), asked.name)


def _array(series: Any, name: str, source: str) -> Any:
    """A frame's column in Arrow; cell by cell where the frame's own way has no answer (sets, mixed objects)."""
    try:
        return series.to_arrow() if hasattr(series, "to_arrow") else pa.array(series, from_pandas=True)
    except Exception:  # pandas, polars and Arrow each raise their own; the next line finds the cell, or reads it
        return column_array([plain(cell) for cell in series], name, 0, source)


def _arrow(source: Any, asked: _Asked) -> Dataset:
    return Dataset(gather([settled(source)], source=asked.name, limit=asked.limit, cache=asked.cache), asked.name)


def _columns(source: Any, asked: _Asked) -> Dataset:
    table = columns_table(source, asked.name)
    return Dataset(gather([table], source=asked.name, limit=asked.limit, cache=asked.cache), asked.name)


def _rows(source: Any, asked: _Asked) -> Dataset | Stream:
    if hasattr(source, "__len__") and not isinstance(source, Iterator):
        return _finite(iter(source), {}, asked)
    return _stream(lambda: iter(source), {}, asked)


def _finite(rows: Iterator[Any], declared: Mapping[str, tuple[str, ...]], asked: _Asked) -> Dataset:
    named = named_rows(islice(rows, asked.limit), asked.names, asked.name)
    table = gather(tables(named, asked.name), source=asked.name, cache=asked.cache)
    return Dataset(table, asked.name, declared)


def _stream(
    start: Callable[[], Iterator[Any]], declared: Mapping[str, tuple[str, ...]], asked: _Asked
) -> Dataset | Stream:
    if not asked.endless or asked.limit is not None:
        return _finite(_bounded(start(), asked), declared, asked)
    rows = named_rows(start(), asked.names, asked.name)
    ahead = list(islice(rows, AHEAD))
    if len(ahead) < AHEAD:
        return _finite(iter(ahead), declared, asked)
    first = tuple(_with_names(ahead, declared))
    passes = _Passes(first, _with_names(rows, declared), start, declared, asked)
    return Stream(passes, tuple(dict.fromkeys(key for row in first for key in row)), first, asked.name, declared)


def _bounded(rows: Iterator[Any], asked: _Asked) -> Iterator[Any]:
    """The rows of a stream up to where it ends or is enough."""
    if asked.limit is not None:
        yield from islice(rows, asked.limit)
    elif asked.enough is not None:
        yield from islice(rows, max(asked.enough, AHEAD))
    else:
        yield from islice(rows, ENDLESS)
        if next(rows, None) is not None:
            wanted = f"a number of rows, or max_steps: the stream {asked.name!r} has not ended after {ENDLESS:,} rows"
            raise ConfigError("limit", None, wanted)


class _Passes:
    """Passes over a stream: the first goes on where reading ahead stopped, later ones start anew if that works."""

    def __init__(
        self,
        first: Sequence[Row],
        rest: Iterator[Row],
        start: Callable[[], Iterator[Any]],
        declared: Mapping[str, tuple[str, ...]],
        asked: _Asked,
    ) -> None:
        self._rest: Iterator[Row] | None = chain(first, rest)
        self._start, self._declared, self._asked = start, declared, asked
        self._once = start() is start()  # a generator gives itself, a data set a new pass

    def __call__(self) -> Iterator[Row]:
        if self._rest is not None:
            rows, self._rest = self._rest, None
            return rows
        if self._once:
            raise DataError(
                f"{self._asked.name}: the generator is used up; a second pass needs a source that restarts."
            )
        return _with_names(named_rows(self._start(), self._asked.names, self._asked.name), self._declared)


def _with_names(rows: Iterable[Row], declared: Mapping[str, tuple[str, ...]]) -> Iterator[Row]:
    for row in rows:
        named = {column: class_name(row[column], names) for column, names in declared.items() if column in row}
        yield {**row, **named}


_READERS: tuple[tuple[Callable[[Any], bool], Callable[[Any, _Asked], Dataset | Stream]], ...] = (
    (lambda source: isinstance(source, (Dataset, Stream)), _known),
    (lambda source: isinstance(source, Paths), _files),
    (lambda source: is_a(source, "datasets", "Dataset"), _hf),
    (lambda source: is_a(source, "datasets", "IterableDataset"), _hf_stream),
    (lambda source: is_a(source, "pandas", "DataFrame") or is_a(source, "polars", "DataFrame", "LazyFrame"), _frame),
    (lambda source: isinstance(source, pa.Table), _arrow),
    (lambda source: isinstance(source, Mapping), _columns),
    (lambda source: isinstance(source, Iterable) and not isinstance(source, (str, bytes)), _rows),
)
