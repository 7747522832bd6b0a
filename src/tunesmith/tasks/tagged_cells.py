"""Cells of tagged text: words, tags by name or number, character spans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..data.cells import spelled
from ..errors import RowError
from ..metrics.tagging import split_tag
from .base import RowId, Span
from .reading import is_null


@dataclass(frozen=True, slots=True)
class Tags:
    """What tags may be. `declared`: a `ClassLabel`'s names, by number; `known`: the training split's label names."""

    declared: Sequence[str] | None
    known: Sequence[str] | None


def no_text(cell: Any, gold: Any) -> bool:
    """Whether a row holds words, told by its cells: a list of words, or a string whose gold cell is a row of tags.

    A list of words with spans in the other cell is told by `read_tags`.
    """
    if not isinstance(cell, str):
        return True
    gold = from_text(gold)
    if isinstance(gold, str):
        return True
    return isinstance(gold, list | tuple) and bool(gold) and isinstance(gold[0], str | int) and not _is_one_span(gold)


def read_words(cell: Any, row: RowId, column: str) -> tuple[str, ...]:
    """The words of a cell: a list of strings, or a string (a list spelled out, or words parted by white space).

    Raises:
        RowError: null, no word at all, or a word that is no string.
    """
    if is_null(cell):
        raise RowError(row, column, "is empty: expected a list of words")
    words = _listed(cell)
    if not isinstance(words, list | tuple):
        raise RowError(row, column, f"is no list of words: found {type(cell).__name__} {_shown(cell)}")
    for place, word in enumerate(words):
        if not isinstance(word, str):
            raise RowError(row, column, f"holds a word that is not text: word {place} is {_shown(word)}")
    if not words:
        raise RowError(row, column, "has no words: expected at least one")
    return tuple(words)


def read_tags(cell: Any, words: int, row: RowId, column: str, *, tags: Tags) -> tuple[str, ...]:
    """The tags of a row, by name, one for each of its `words`.

    Raises:
        RowError: null, too many or too few, or a tag that is no tag of the data.
    """
    if is_null(cell):
        raise RowError(row, column, "is empty: expected a tag for each word")
    listed = _listed(cell)
    if not isinstance(listed, list | tuple):
        raise RowError(row, column, f"is no list of tags: found {type(cell).__name__} {_shown(cell)}")
    if len(listed) != words:
        raise RowError(row, column, f"words and tags differ in number: {words} words, {len(listed)} tags")
    return tuple(_tag(value, row, column, tags) for value in listed)


def _tag(value: Any, row: RowId, column: str, tags: Tags) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # a frame spells a column of numbers with a gap as floats
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise RowError(row, column, f"holds what is no tag: {_shown(value)}, expected a name or a ClassLabel number")
    name = _numbered(value, row, column, tags) if isinstance(value, int) else value
    allowed = tags.known or tags.declared
    if allowed is not None and name not in allowed:
        whose = "training data's" if tags.known else "declared"
        raise RowError(row, column, f"has a tag that is not among the {whose}: {name!r}, known: {', '.join(allowed)}")
    return name


def _numbered(value: int, row: RowId, column: str, tags: Tags) -> str:
    """The name of a tag given as a number; without names a number is its own name."""
    names = tags.declared
    if names is None and tags.known is not None and str(value) not in tags.known:
        names = None if all(name.isdecimal() for name in tags.known) else tags.known
    if names is None and value >= 0:
        return str(value)
    if names is None or not 0 <= value < len(names):
        known = f"expected 0 to {len(names) - 1}" if names else "expected 0 or more"
        raise RowError(row, column, f"has a tag number out of range: {value}, {known}")
    return names[value]


def read_spans(cell: Any, text: str, row: RowId, column: str, *, tags: Tags) -> tuple[Span, ...]:
    """Character spans in order of their start: mappings or `Span`s with label, start, end, or tuples of the three.

    Raises:
        RowError: null (an empty list says that there are none), another form, out of range, empty or overlapping.
    """
    if is_null(cell):
        raise RowError(row, column, "is empty: expected a list of spans, [] where there are none")
    cell = from_text(cell)
    if isinstance(cell, Mapping) and all(isinstance(part, list | tuple) for part in cell.values()):
        keys = list(cell)
        cell = [dict(zip(keys, parts, strict=False)) for parts in zip(*cell.values(), strict=False)]
    if not isinstance(cell, list | tuple):
        raise RowError(row, column, f"is no list of spans: found {type(cell).__name__} {_shown(cell)}")
    types = None if tags.known is None else {split_tag(name)[1] for name in tags.known if name != "O"}
    spans = sorted((_span(part, row, column) for part in cell), key=lambda span: (span.start, span.end))
    end, before = 0, None
    for span in spans:
        if not 0 <= span.start < span.end <= len(text):
            raise RowError(row, column, f"has a span out of range: {_shown(span)} in {len(text)} characters")
        if span.start < end:
            raise RowError(row, column, f"has overlapping spans: {_shown(before)} and {_shown(span)}")
        if types is not None and span.label not in types:
            reason = f"has a label that is not among the training data's: {span.label!r}, known: "
            raise RowError(row, column, reason + ", ".join(sorted(types)))
        end, before = span.end, span
    return tuple(spans)


def _span(part: Any, row: RowId, column: str) -> Span:
    values: tuple[Any, ...] = ()
    if isinstance(part, Span):
        values = part.label, part.start, part.end
    elif isinstance(part, Mapping):
        values = part.get("label"), part.get("start"), part.get("end")
    elif isinstance(part, list | tuple) and len(part) == 3:
        values = tuple(part) if isinstance(part[0], str) else (part[2], part[0], part[1])
    if len(values) == 3:
        label, start, end = values
        if isinstance(label, str) and label and type(start) is int and type(end) is int:
            return Span(label, start, end)
    raise RowError(row, column, f"holds what is no span: {_shown(part)}, expected a label, a start and an end")


def _is_one_span(cell: Sequence[Any]) -> bool:
    """A (label, start, end) that was not put in a list: no row of tags mixes names and numbers."""
    return len(cell) == 3 and {type(part) for part in cell} == {str, int}


def from_text(cell: Any) -> Any:
    """The list or mapping that a string spells, as files of plain cells have it; anything else as it is."""
    found = spelled(cell) if isinstance(cell, str) else None
    return cell if found is None else found


def _listed(cell: Any) -> Any:
    cell = from_text(cell)
    return cell.split() if isinstance(cell, str) else cell


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"
