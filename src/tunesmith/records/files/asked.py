"""What is asked of a reader, and the account of what it leaves out."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...data.columns import Given
from ...data.labels import name_of
from ...errors import RowError, UnknownName
from ...metrics.tagging import split_tag
from ...registry import tasks
from ..kept_labels import Told
from ..record import Record
from ..types import TYPES

log = logging.getLogger(__name__)

Row = Mapping[str, Any]
Make = Callable[[int, Row], Record]

LEARNED = {
    "text-classification": "TextClassification",
    "token-classification": "TokenClassification",
    "sequence-sequence": "Text2Text",
}
"""Task of training -> task of records."""


def task_named(name: str) -> str:
    """The task of records that a name or an alias stands for.

    Raises:
        UnknownName: none.
    """
    folded = {known.lower(): known for known in TYPES}
    if name.lower() in folded:
        return folded[name.lower()]
    try:
        return LEARNED[tasks.resolve(name)]
    except (UnknownName, KeyError):
        raise UnknownName("task of records", name, TYPES) from None


@dataclass
class Account:
    """What is left out: reason -> how often."""

    counts: Counter[str] = field(default_factory=Counter)

    def add(self, reason: str, count: int = 1) -> None:
        self.counts[reason] += count

    def tell(self, what: str) -> None:
        """One line of the log, where there is anything to say."""
        if self.counts:
            log.warning("%s: %s", what, "; ".join(f"{count:,} {reason}" for reason, count in self.counts.items()))


@dataclass
class Order:
    """The order of the labels, where the data declares one.

    columns: class names by column; none for one whose declarations differ. column: the one the labels come from.
    kept: the labels of settings, which go before class names; () where two parts of the data differ.
    of_settings: whether the labels are those that the settings are about, and not those of another column.
    """

    columns: dict[str, tuple[str, ...]] = field(default_factory=dict)
    column: str | None = None
    kept: tuple[str, ...] | None = None
    of_settings: bool = True

    def declare(self, found: Mapping[str, Sequence[Any]]) -> None:
        """Class names of columns, of a file or of a row."""
        for column, names in found.items():
            told = tuple(map(name_of, names))
            if self.columns.setdefault(column, told) != told:
                self.columns[column] = ()

    def keep(self, labels: Sequence[str]) -> None:
        """The labels of settings that stand with the data; empty ones say nothing."""
        if labels:
            told = tuple(labels)
            self.kept = told if self.kept in (None, told) else ()

    def keep_all(self, found: Iterable[Told]) -> None:
        """Those that stand beside a table."""
        for _, labels in found:
            self.keep(labels)

    def labels(self, task: str | None) -> tuple[str, ...]:
        """The labels in their order, those of tags without B- and I-; empty where none is declared."""
        if self.kept is not None and self.of_settings:
            return self.kept
        names = self.columns.get(self.column or "", ())
        if task == "TokenClassification":
            names = tuple(name for name in (split_tag(tag)[1] for tag in names) if name)
        return tuple(dict.fromkeys(names))


@dataclass(frozen=True)
class Asked:
    """The arguments of `files.read`; task is a name of `TYPES`."""

    path: str
    task: str | None = None
    columns: Given = None
    side: str = "annotation"
    bad_rows: str = "error"
    separator: str | None = None
    split: str | None = None
    format: str | None = None  # where it was named, and not found by suffix and content
    account: Account = field(default_factory=Account)
    order: Order = field(default_factory=Order)

    def each(self, rows: Iterable[tuple[int, Row]], make: Make) -> Iterator[Record]:
        """The records of these rows; one that cannot be is an error, or counted.

        Raises:
            RowError: with the row's place and the name of the source.
        """
        for place, row in rows:
            try:
                record = make(place, row)
            except RowError as error:
                if self.bad_rows == "error":
                    raise RowError(place, error.column, error.reason, source=self.path) from error
                reason = error.reason.split(": ", 1)[0]
                self.account.add(f"rows whose {error.column!r} {_general(reason)}")
                continue
            yield record


def _general(reason: str) -> str:
    """A reason without the cell it tells of, so that like ones are counted together."""
    return reason if len(reason) <= 60 and "'" not in reason else reason.split("'", 1)[0].strip(" ,(")[:60]
