"""From anything to a `Dataset`: files, frames, Hugging Face data sets, Python rows and columns, hub ids."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, cast

import pyarrow as pa

from ..errors import ConfigError, DataError
from .cells import plain
from .dataset import Dataset, GivesTable, gives_table
from .formats import Opened, declared_by, open_file
from .places import Paths, is_a, located, splits_in
from .rows import column_array, columns_table, named_rows, tables
from .tables import gather, settled

log = logging.getLogger(__name__)

AHEAD = 100_000  # rows taken of a stream at least, where it has them: only beyond is it taken to have no end
ENDLESS = 20_000_000  # rows of a stream read to its end before the user is asked how many it shall be


@dataclass(frozen=True)
class _Asked:
    """The arguments of `read`, on their way down."""

    name: str
    limit: int | None
    names: Sequence[str] | None
    cache: bool
    gold: bool = True
    enough: int | None = None


def read(
    source: Any,
    *,
    name: str = "train",
    split: str | None = None,
    limit: int | None = None,
    names: Sequence[str] | None = None,
    cache: bool = True,
    gold: bool = True,
) -> Dataset:
    """The rows of a source, in its order.

    source: a path, a glob (sorted), a list of paths; a pandas or polars frame, an Arrow table; a `datasets` object;
        a list or generator of mappings, tuples or strings (column "text"); a mapping of columns; a hub data set id;
        a data set of records.
    split: which one, of a source that has several; None takes the one called `name`, where it is not the training
        data that is read. limit: the first rows only.
    names: the columns of rows that are tuples; for narrower rows see `rows.named_rows`.
    cache: whether large sources may be kept in the cache, as an Arrow file; else the file goes when the process ends.
    gold: whether there is something to learn or to score; of records, those without an annotation are then left out.

    Raises:
        DataError: what cannot be read, with file and line; a source of several splits without `split`.
        RowError: a row that does not go with the rows before it.
    """
    if limit is not None and (isinstance(limit, bool) or limit < 1):
        raise DataError(f"limit is {limit!r}: a number of rows, 1 or more, is expected.")
    asked = _Asked(name, limit, names, cache, gold)
    found = located(source, split)
    parts = splits_in(found)
    if parts is None:
        if split is not None and not is_a(found, "datasets", "Dataset", "IterableDataset"):
            raise DataError(f"{name}: split {split!r} is asked for, but the source has no named splits.")
        return _table(found, asked)
    if split is None and name in parts and name != "train":
        split = name
    if split is None and len(parts) > 1:
        last = list(parts)[-1]
        raise DataError(f"{name}: the source has the splits {', '.join(parts)}: pass one of them, as data[{last!r}].")
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
    gold: bool = True,
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
    asked = _Asked("train", limit, names, cache, gold, enough)
    return {name: _table(part, replace(asked, name=name)) for name, part in parts.items()}


def _table(source: Any, asked: _Asked) -> Dataset:
    for holds, reader in _READERS:
        if holds(source):
            return reader(source, asked)
    raise DataError(
        f"{asked.name}: a {type(source).__name__} cannot be read. Expected: a path, a glob, a hub id, a frame, "
        "a Hugging Face data set, a data set of records, rows (mappings, tuples, strings) or a mapping of columns."
    )


def _known(source: Any, asked: _Asked) -> Dataset:
    known: Dataset = source if asked.limit is None else source.head(asked.limit)
    return known


def _own(source: Any, asked: _Asked) -> Dataset:
    return cast(GivesTable, source).as_dataset(asked.name, asked.limit, gold=asked.gold)


def _files(source: Any, asked: _Asked) -> Dataset:
    opened = [open_file(path, asked.names) for path in source]
    declared = one_declaration(opened, source)
    name = str(source[0]) if len(source) == 1 else asked.name
    table = gather(_tables_of(opened), source=name, limit=asked.limit, cache=asked.cache)
    return Dataset(table, asked.name, declared, all(part.untyped for part in opened))


def _tables_of(opened: Iterable[Opened]) -> Iterator[pa.Table]:
    for part in opened:
        yield from part.tables


def one_declaration(opened: Sequence[Opened], paths: Sequence[Any]) -> Mapping[str, tuple[str, ...]]:
    """The class names that files declare; `DataError` where they differ."""
    for part, path in zip(opened, paths, strict=True):
        if part.declared != opened[0].declared:
            raise DataError(f"{path} and {paths[0]} declare different class names: read them one by one.")
    return opened[0].declared


def _hf(source: Any, asked: _Asked) -> Dataset:
    rows = Dataset(source, asked.name, declared_by(source.features))
    return rows if asked.limit is None else rows.head(asked.limit)


def _hf_stream(source: Any, asked: _Asked) -> Dataset:
    return _finite(_bounded(iter(source), asked), declared_by(source.features), asked)


def _frame(source: Any, asked: _Asked) -> Dataset:
    found = source.head(asked.limit) if asked.limit is not None else source
    if is_a(source, "polars", "LazyFrame"):
        try:
            found = found.collect()
        except Exception as error:  # whatever the frame's own plan meets: a missing file, a column, a value
            raise DataError(f"{asked.name}: the lazy frame cannot be read: {error}") from error
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


def _rows(source: Any, asked: _Asked) -> Dataset:
    if hasattr(source, "__len__") and not isinstance(source, Iterator):
        return _finite(iter(source), {}, asked)
    return _finite(_bounded(iter(source), asked), {}, asked)


def _finite(rows: Iterator[Any], declared: Mapping[str, tuple[str, ...]], asked: _Asked) -> Dataset:
    named = named_rows(islice(rows, asked.limit), asked.names, asked.name)
    table = gather(tables(named, asked.name), source=asked.name, cache=asked.cache)
    return Dataset(table, asked.name, declared)


def _bounded(rows: Iterator[Any], asked: _Asked) -> Iterator[Any]:
    """The rows of a stream up to where it ends or is enough."""
    if asked.limit is not None:
        yield from islice(rows, asked.limit)
    elif asked.enough is not None:
        most = max(asked.enough, AHEAD)
        yield from islice(rows, most)
        if next(rows, None) is not None:
            told = "%s: the stream was cut after %s rows, which are enough for max_steps: what follows is not read"
            log.warning(told, asked.name, f"{most:,}")
    else:
        yield from islice(rows, ENDLESS)
        if next(rows, None) is not None:
            wanted = f"a number of rows, or max_steps: the stream {asked.name!r} has not ended after {ENDLESS:,} rows"
            raise ConfigError("limit", None, wanted)


_READERS: tuple[tuple[Callable[[Any], bool], Callable[[Any, _Asked], Dataset]], ...] = (
    (lambda source: isinstance(source, Dataset), _known),
    (gives_table, _own),
    (lambda source: isinstance(source, Paths), _files),
    (lambda source: is_a(source, "datasets", "Dataset"), _hf),
    (lambda source: is_a(source, "datasets", "IterableDataset"), _hf_stream),
    (lambda source: is_a(source, "pandas", "DataFrame") or is_a(source, "polars", "DataFrame", "LazyFrame"), _frame),
    (lambda source: isinstance(source, pa.Table), _arrow),
    (lambda source: isinstance(source, Mapping), _columns),
    (lambda source: isinstance(source, Iterable) and not isinstance(source, (str, bytes)), _rows),
)
