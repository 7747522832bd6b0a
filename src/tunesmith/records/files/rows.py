"""Rows of any table as records: which columns are what, by name or as asked for; the rest is metadata."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from ...data.cells import is_missing, spelled, split
from ...data.columns import resolve
from ...data.labels import name_of
from ...errors import DataError, RowError
from ...tasks.sequence_sequence import HINTS as WRITTEN
from ...tasks.tagged_cells import from_text, read_words
from ...tasks.text_classification import HINTS as LABELLED
from ...tasks.token_classification import SPANS, TAGS, TEXT, WORDS
from ..fields import is_none, listed
from ..record import Record
from ..types import TYPES, TokenClassificationRecord
from . import own
from .asked import Asked, Make, Row

PEEKED = 100  # rows that tell which columns there are, and what they are
_IDS = UUID("5f0c9f3c-6f0e-5d7c-9a57-2a4f4b1d8c11")
_NAMES = {
    "TextClassification": "text-classification",
    "TokenClassification": "token-classification",
    "Text2Text": "sequence-sequence",
}


def records(rows: Iterable[tuple[int, Row]], asked: Asked) -> Iterator[Record]:
    """The records of (place, row) pairs, in their order."""
    from . import argilla

    left = iter(rows)
    peeked = list(islice(left, PEEKED))
    if not peeked:
        raise DataError(f"{asked.path} holds no rows.")
    names = list(dict.fromkeys(str(key) for _, row in peeked for key in row))
    found = [row for _, row in peeked]
    if argilla.is_flat(names):
        yield from argilla.flat(chain(peeked, left), asked)
        return
    if asked.columns is None and own.is_own(names, found):
        make = own.maker(names, found, asked)
    else:
        make = maker(names, found, asked)
    yield from asked.each(chain(peeked, left), make)


@dataclass(frozen=True)
class Reading:
    """How rows are read: role -> column, and what is asked for. names: of the columns as they were first seen."""

    task: str
    columns: Mapping[str, str]
    asked: Asked


def maker(names: Sequence[str], rows: Sequence[Row], asked: Asked) -> Make:
    """What makes a record of a row, of columns that are no fields of records.

    Raises:
        DataError: no column for the text, or more than one.
    """
    task = asked.task or guessed(names, rows, asked)
    reading = Reading(task, _columns(task, names, asked), asked)
    asked.order.column = reading.columns.get("tags" if task == "TokenClassification" else "label")
    asked.order.of_settings = asked.order.column in ("annotation", "tags")
    return partial(_record, reading, _MAKERS[task])


def guessed(names: Sequence[str], rows: Sequence[Row], asked: Asked) -> str:
    """The task that columns speak of; TextClassification where they say little."""
    given = asked.columns if isinstance(asked.columns, Mapping) else {}
    roles = set(map(str, given))
    folded = {name.strip().lower().replace("-", "_").replace(" ", "_") for name in names}
    listing = {name for row in rows for name, cell in row.items() if listed(from_text(cell)) is not None}
    if roles & {"tokens", "tags", "spans"} or folded & {"tokens", "words", "ner_tags"}:
        return "TokenClassification"
    if any(name.lower() in SPANS for name in listing) and folded & set(TEXT):
        return "TokenClassification"
    if roles & {"source", "target"} or (given and "label" in roles):
        return "TextClassification" if "label" in roles else "Text2Text"
    if folded & set(LABELLED["text"]) and folded & set(LABELLED["label"]):
        return "TextClassification"
    if asked.columns is None and folded & set(WRITTEN["source"]) and folded & set(WRITTEN["target"]):
        return "Text2Text"
    return "TextClassification"


def _columns(task: str, names: Sequence[str], asked: Asked) -> dict[str, str]:
    roles: tuple[str, ...] = ("text", "pair", "label")
    optional: tuple[str, ...] = ("pair", "label")
    hints: Mapping[str, Sequence[str]] = LABELLED
    if task == "Text2Text":
        roles, optional, hints = ("source", "target"), ("target",), WRITTEN
    elif task == "TokenClassification":
        folded = {name.lower() for name in names}
        of_text = bool(folded & set(SPANS)) and not folded & set(TAGS)
        hints = {"tokens": TEXT + WORDS if of_text else WORDS + TEXT, "tags": SPANS + TAGS if of_text else TAGS + SPANS}
        roles, optional = ("tokens", "tags"), ("tags",)
    given = asked.columns
    if isinstance(given, Mapping):
        other = {"text": roles[0], "spans": "tags"} if task != "TextClassification" else {}
        given = {other.get(role, role): column for role, column in given.items()}
    elif task == "TextClassification" and not isinstance(given, str) and given is not None and len(given) == 2:
        given = {"text": given[0], "label": given[1]}
    try:
        return resolve(names, roles=roles, optional=optional, hints=hints, given=given, task=_NAMES[task])
    except DataError as error:
        raise DataError(f"{asked.path}: {error}") from error


def _record(reading: Reading, make: Any, place: int, row: Row) -> Record:
    """The record of one row. Raises: RowError, with the row's place and its column."""
    fields, sources = make(reading, place, row)
    used = {*reading.columns.values(), "id", "metadata"}
    held = row.get("metadata")
    held = held if isinstance(held, Mapping) else {"metadata": held}
    rest = {**held, **{str(name): cell for name, cell in row.items() if name not in used}}
    metadata = {name: cell for name, cell in rest.items() if not is_none(cell)}
    known = row.get("id")
    fields["id"] = made_up(reading.asked.path, place, row, reading.columns) if is_none(known) or known == "" else known
    try:
        return TYPES[reading.task].from_dict({**fields, "metadata": metadata})
    except RowError as error:
        raise RowError(place, sources.get(error.column, error.column), error.reason) from error


def made_up(path: str, place: int, row: Row, columns: Mapping[str, str]) -> str:
    """An id for a row that has none: the same for the same text at the same place of a file of the same name."""
    gold = ("label", "tags", "target")
    told = [row.get(column) for role, column in columns.items() if role not in gold]
    return str(uuid5(_IDS, json.dumps([Path(path).name, place, told], default=str)))


Made = tuple[dict[str, Any], dict[str, str]]


def _classified(reading: Reading, place: int, row: Row) -> Made:
    text, pair, label = (reading.columns.get(role) for role in ("text", "pair", "label"))
    assert text is not None  # `resolve` found it
    fields: dict[str, Any] = {"text": row.get(text)}
    sources = {"text": text, "inputs": text}
    if is_none(fields["text"]):
        raise RowError(place, text, "is empty: expected text")
    if pair is not None:
        fields = {"inputs": {name: cell for name in (text, pair) if not is_none(cell := row.get(name))}}
    cell = None if label is None else row.get(label)
    if not is_missing(cell) and label is not None:
        sources |= {"annotation": label, "prediction": label}
        labels = _labels(cell, reading, (place, label))
        if reading.asked.side == "annotation":
            fields |= {"annotation": labels, "multi_label": isinstance(labels, list)}
        else:
            score = _score(row, reading, (place, "score"))
            several = isinstance(labels, list)
            named = labels if isinstance(labels, list) else [labels]
            fields |= {"prediction": [(name, score) for name in named], "multi_label": several}
    return fields, sources


def _labels(cell: Any, reading: Reading, where: tuple[int, str]) -> str | list[str]:
    """One label or, of a list, of one that is spelled out, and of a cell that is split, several."""
    many = listed(spelled(cell) if isinstance(cell, str) else cell)
    if many is None and reading.asked.separator is not None:
        many = split(str(cell), reading.asked.separator if reading.asked.separator.strip() else None)
    if many is not None:
        if any(is_missing(part) or isinstance(part, list | Mapping) for part in many):
            raise RowError(*where, f"holds {many!r}: expected labels")
        return [name_of(part) for part in many]
    if isinstance(cell, Mapping):
        raise RowError(*where, f"holds {cell!r}: expected a label")
    return cell if isinstance(cell, str) else name_of(cell)


def _score(row: Row, reading: Reading, where: tuple[int, str]) -> float:
    cell = row.get("score") if "score" not in reading.columns.values() else None
    try:
        return 1.0 if is_missing(cell) else float(str(cell))
    except ValueError as error:
        raise RowError(*where, f"is {cell!r}: expected a number") from error


def _tagged(reading: Reading, place: int, row: Row) -> Made:
    column, gold = reading.columns["tokens"], reading.columns.get("tags")
    sources = {"tokens": column, "text": column, "annotation": gold or "tags", "prediction": gold or "tags"}
    cell, marks = row.get(column), None if gold is None else from_text(row.get(gold))
    parts = listed(marks)
    by_word = isinstance(marks, str) or (parts is not None and bool(parts) and isinstance(parts[0], str | int))
    if by_word or not isinstance(cell, str):
        words = list(read_words(cell, place, column))
        fields: dict[str, Any] = {"tokens": words}
        tags = marks.split() if isinstance(marks, str) else parts
        if tags is not None:
            fields["tags"] = tags
            if reading.asked.side == "prediction":
                found = TokenClassificationRecord(tokens=words, tags=tags).annotation or []
                fields = {"tokens": words, "prediction": [(*span, 1.0) for span in found]}
        return fields, sources
    fields = {"text": cell}
    if parts is not None and gold is not None:
        fields[reading.asked.side] = [span_of(part, (place, gold)) for part in parts]
    return fields, sources


def span_of(part: Any, where: tuple[int, str]) -> tuple[Any, ...]:
    """(label, start, end), with the score where there is one, of a mapping or a tuple in either order."""
    if isinstance(part, Mapping):
        found = tuple(part.get(key) for key in ("label", "start", "end"))
        return found if part.get("score") is None else (*found, part["score"])
    cells = listed(part)
    if cells is None or len(cells) < 3:
        raise RowError(*where, f"holds {part!r}: expected a label, a start and an end")
    return tuple(cells) if isinstance(cells[0], str) else (cells[2], cells[0], cells[1])


def _written(reading: Reading, place: int, row: Row) -> Made:
    source, target = reading.columns["source"], reading.columns.get("target")
    fields: dict[str, Any] = {"text": row.get(source)}
    cell = None if target is None else row.get(target)
    if not is_none(cell):
        fields[reading.asked.side] = cell if reading.asked.side == "annotation" else listed(cell) or [cell]
    return fields, {"text": source, "annotation": target or "target", "prediction": target or "target"}


_MAKERS = {"TextClassification": _classified, "TokenClassification": _tagged, "Text2Text": _written}
