"""Hugging Face data sets: folders of `save_to_disk`, and data sets of the hub."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...data.dataset import Dataset
from ...data.formats import declared_by
from ...data.places import is_a, located, splits_in
from ...errors import DataError
from ..kept_labels import description, told_beside
from ..record import Record
from ..settings import Settings
from . import arrow, rows, tables
from .asked import Account, Asked, Row
from .staged import staged


def read(asked: Asked) -> Iterator[Record]:
    """The rows of the split that is asked for; of all splits, each row with the name of its split, where none is."""
    found = located(asked.path, asked.split)
    parts = splits_in(found)
    if parts is None:
        if asked.split is not None:
            raise DataError(f"{asked.path}: split {asked.split!r} is asked for, but there are no named splits.")
        return rows.records(_rows(found, asked), asked)
    if asked.split is None and len(parts) > 1:
        return rows.records(_of_every_split(parts, asked), asked)
    name = asked.split or next(iter(parts))
    if name not in parts:
        raise DataError(f"{asked.path}: no split {name!r}. Splits: {', '.join(parts)}.")
    return rows.records(_rows(parts[name], asked), asked)


def _rows(table: Any, asked: Asked) -> Iterator[tuple[int, Row]]:
    if not is_a(table, "datasets", "Dataset"):
        raise DataError(f"a {type(table).__name__} is no data set that can be read.")
    declared = declared_by(table.features)
    asked.order.declare(declared)
    asked.order.keep_all(told_beside(table))
    found: Dataset = Dataset(table, "train", declared)
    yield from tables.filled(found, table.features.arrow_schema)


def _of_every_split(parts: Mapping[str, Any], asked: Asked) -> Iterator[tuple[int, Row]]:
    place = 0
    for name, part in parts.items():
        for _, row in _rows(part, asked):
            yield place, row if "split" in row else {**row, "split": name}
            place += 1


@contextmanager
def _without_bars() -> Iterator[None]:
    """A library prints nothing, and `datasets` draws a bar where nobody says no."""
    import datasets

    before = datasets.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if before:
            datasets.enable_progress_bars()


def write(records: Iterator[Record], path: Path, account: Account, settings: Settings | None = None) -> int:
    """A folder that `load_from_disk` reads, with a column for each field; its description has the labels."""
    with arrow.gathered(records) as table, staged(path) as aside, _without_bars():
        table.info.description = description(settings)
        table.save_to_disk(str(aside))
        return len(table)
