"""Rows to examples, as every task does it: one loop, one account of rows, one fingerprint, one rule for a text cell."""

from __future__ import annotations

import hashlib
import json
import math
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.labels import Labels
from ..errors import ConfigError, DataError, NothingToTrain, RowError
from ..values import half_character
from .base import Account, Example, Examples, Prediction, RowId

ReadRow = Callable[[RowId, Mapping[str, Any]], Example | str]  # a string is the reason to leave the row out

IN_MEMORY = 200_000_000  # bytes of examples held as Python objects, more or less
_OBJECT = 250  # bytes of an example beside its content
_BATCH = 1_000  # rows read again at a time


def is_null(value: Any) -> bool:
    """None, or the NaN that a frame puts where a cell is missing."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def is_blank(value: Any) -> bool:
    """Whether a cell holds no label: null, empty, or the -1 by which data sets hide labels; lists at any depth."""
    if isinstance(value, Mapping):
        return all(map(is_blank, value.values()))
    if isinstance(value, list | tuple):
        return all(map(is_blank, value))
    return is_null(value) or value == "" or (value == -1 and not isinstance(value, bool))


def text_cell(value: Any, row: RowId, column: str) -> str:
    """The text of a cell. An empty string is text; a null is not, and a number is not silently spelled out.

    Raises:
        RowError: the cell is null, or holds something other than a string, or half a character.
    """
    if isinstance(value, str):
        if fault := half_character(value):
            raise RowError(row, column, fault)
        return value
    if is_null(value):
        raise RowError(row, column, "is empty: expected text")
    shown = repr(value)
    shown = shown if len(shown) <= 60 else shown[:59] + "…"
    raise RowError(row, column, f"is not text: found {type(value).__name__} {shown}, expected a string")


def optional_text(value: Any, row: RowId, column: str) -> str | None:
    """The text of a cell that may be null."""
    return None if is_null(value) else text_cell(value, row, column)


def walk(dataset: Any, read_row: ReadRow, *, account: Account, bad_rows: str = "error") -> Iterator[Example]:
    """The examples of `dataset` one by one (a stream has no other end than its own), every row counted in `account`.

    `read_row(row id, row)` gives an example, or the reason (a string) why the row is no example; it raises `RowError`
    for a row that cannot be used. An error's reason up to the first ': ' names the defect, and is what rows are counted
    under; what follows tells of the one cell.

    Raises:
        RowError: a bad row, where `bad_rows` is 'error'; it carries the name of the data set.
    """
    if bad_rows not in ("error", "drop"):
        raise ConfigError("bad_rows", bad_rows, "'error' or 'drop'")
    for row_id, row in dataset:
        account.total += 1
        try:
            example = read_row(row_id, row)
        except RowError as error:
            if bad_rows == "error":
                source = error.source or getattr(dataset, "name", None)
                raise RowError(error.row, error.column, error.reason, source=source) from error.__cause__
            account.leave_out(row_id, f"column {error.column!r} {error.reason.split(': ', 1)[0]}")
        else:
            if isinstance(example, str):
                account.leave_out(row_id, example)
            else:
                yield example


def collect(
    dataset: Any,
    read_row: ReadRow,
    *,
    columns: Mapping[str, str] | None = None,
    labels: Labels | None = None,
    kind: str = "",
    bad_rows: str = "error",
) -> Examples:
    """The examples of a finite data set in source order, with their account and fingerprint. See `walk`.

    columns: the column of each role, as `read_row` reads them.

    Beyond `IN_MEMORY` bytes the examples are not held: each is read from the data set again when asked for, so
    `read_row` must give the same for the same row.

    Raises:
        RowError: a bad row, where `bad_rows` is 'error'.
        NothingToTrain: no row, or none that can be used; it tells why.
    """
    account, digest = Account(), hashlib.sha256()
    items: list[Example] = []
    size = 0
    for example in walk(dataset, read_row, account=account, bad_rows=bad_rows):
        line = _line(example)
        digest.update(line)
        size += len(line) + _OBJECT
        if size <= IN_MEMORY:
            items.append(example)
        else:
            items.clear()
    for reason, rows in dataset.left_out.items():
        account.total += len(rows)
        account.left_out.setdefault(reason, []).extend(rows)
    if not account.kept:
        raise NothingToTrain(f"the data set {getattr(dataset, 'name', '')!r}", account.counts())
    held = items or _reread(dataset, read_row, account)
    return Examples(held, labels, account, digest.hexdigest(), kind, columns or {}, dataset.origin)


def row_ids(examples: Sequence[Example]) -> Sequence[RowId]:
    """The row id of each example, those that are not in memory not read for it."""
    items = getattr(examples, "items", examples)
    return items.ids() if isinstance(items, Reread) else [example.id for example in items]


def with_rows(dataset: Any) -> Any:
    """The data set itself, if it has rows: one without any has no columns to look for either.

    Raises:
        NothingToTrain: it is empty; it tells why.
    """
    if not len(dataset):
        left_out = {reason: len(rows) for reason, rows in dataset.left_out.items()}
        raise NothingToTrain(f"the data set {dataset.name!r}", left_out)
    return dataset


def _reread(dataset: Any, read_row: ReadRow, account: Account) -> Reread:
    left_out = {row for rows in account.left_out.values() for row in rows}
    ids = range(len(dataset)) if dataset.ids is None else dataset.ids
    kept = np.fromiter((place for place, row in enumerate(ids) if row not in left_out), dtype=np.int64)
    return Reread(dataset, read_row, kept)


class Reread(Sequence[Example]):
    """The examples at these places of a `Dataset`, read again at each use."""

    def __init__(self, dataset: Any, read_row: ReadRow, places: NDArray[np.int64]) -> None:
        self._dataset, self._read, self._places = dataset, read_row, places

    def select(self, places: Iterable[int]) -> Reread:
        """Those at these places of this sequence."""
        chosen = places if isinstance(places, np.ndarray) else np.fromiter(places, dtype=np.int64)
        return Reread(self._dataset, self._read, self._places[chosen])

    def ids(self) -> Sequence[RowId]:
        """Each one's row id; nothing is read for it."""
        known = self._dataset.ids
        return array("q", self._places.tobytes()) if known is None else [known[place] for place in self._places]

    def changed(self, change: Callable[[Example], Example]) -> Reread:
        """The same, each changed when it is read."""
        return Reread(self._dataset, lambda row_id, row: change(self._example(row_id, row)), self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Example]:
        for start in range(0, len(self), _BATCH):
            yield from self[start : start + _BATCH]

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self._example(*row) for row in self._dataset.rows(self._places[index])]
        return self._example(*self._dataset.rows([self._places[index]])[0])

    def _example(self, row_id: RowId, row: Mapping[str, Any]) -> Example:
        example = self._read(row_id, row)
        if isinstance(example, str):
            raise DataError(f"row {row_id} has changed since it was first read: {example}.")
        return example


def fingerprint(examples: Iterable[Example]) -> str:
    """SHA-256 (hex) of the examples' content in order; row ids are no content, so equal rows of any form agree."""
    digest = hashlib.sha256()
    for example in examples:
        digest.update(_line(example))
    return digest.hexdigest()


def _line(e: Example) -> bytes:
    """An example's content as one line: json escapes line ends, so that no row reads as two."""
    spans = None if e.spans is None else [(s.label, s.start, s.end) for s in e.spans]
    content: tuple[Any, ...] = (e.text, e.pair, e.label, e.tokens, e.tags, spans, e.answers, e.target)
    if e.fields:  # examples without any keep the fingerprint that they had before there were fields
        content = (*content, e.fields)
    return json.dumps(content, separators=(",", ":")).encode("ascii") + b"\n"


def by_role(values: Sequence[Any], hints: Mapping[str, Sequence[str]]) -> Iterator[tuple[int, dict[str, Any]]]:
    """A user's prediction inputs as (place, {role: value}): a string is the first role, a tuple goes by place.

    hints: each role with the column names that stand for it, in order; a mapping may use the role or one of them.

    Raises:
        DataError: one input that is not in a list.
        RowError: a tuple of more items than there are roles.
    """
    if isinstance(values, str | bytes | Mapping):
        raise DataError(f"expected a list of inputs, found one {type(values).__name__}: put it in a list.")
    for place, value in enumerate(values):
        if isinstance(value, Mapping):
            found = {role: next((n for n in (role, *names) if n in value), None) for role, names in hints.items()}
            first = next(iter(hints))
            if found[first] is None:
                keys = ", ".join(map(repr, value)) or "none"
                raise RowError(place, first, f"is missing: the keys are {keys}")
            yield place, {role: value[name] for role, name in found.items() if name is not None}
        elif isinstance(value, list | tuple):
            if len(value) > len(hints):
                wanted = ", ".join(hints)
                raise RowError(place, next(iter(hints)), f"has too many parts: {len(value)}, at most ({wanted})")
            yield place, dict(zip(hints, value, strict=False))
        else:
            yield place, {next(iter(hints)): value}


def check_pairs(examples: Sequence[Example], predictions: Sequence[Prediction]) -> None:
    """One prediction for each example, or a `DataError`."""
    if len(examples) != len(predictions):
        raise DataError(f"{len(examples)} examples but {len(predictions)} predictions: expected one each.")
