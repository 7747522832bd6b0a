"""Tokens and characters of one text; tags and spans. A span is (label, start, end) in characters, end excluded.

Functions raise ValueError with the reason alone; the record adds its id and the field.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from ..metrics.tagging import entities, is_prefixed
from .fields import listed, read_name, read_score, read_text, shown

Place = tuple[int, int]
Span = tuple[str, int, int]
Scored = tuple[str, int, int, float]
_WORD = re.compile(r"\S+")


def read_tokens(value: Any) -> tuple[str, ...]:
    """At least one text, none of them empty."""
    words = listed(value)
    if words is None:
        raise ValueError(f"is of type {type(value).__name__}, {shown(value)}: expected a list of texts")
    tokens = tuple([read_text(word) for word in words])
    if not all(tokens):
        raise ValueError(f"has an empty token, at {tokens.index('')}: leave it out")
    if not tokens:
        raise ValueError("has no token: expected at least one")
    return tokens


def places(text: str, tokens: Iterable[str]) -> list[Place]:
    """Where each token stands in the text, in order.

    Raises:
        ValueError: a token that does not come after those before it.
    """
    found: list[Place] = []
    end = 0
    for token in tokens:
        start = text.find(token, end)
        if start < 0:
            raise ValueError(f"holds {token!r}, a token not found in the text after character {end}: {shown(text)}")
        end = start + len(token)
        found.append((start, end))
    return found


def split(text: str, cuts: Iterable[int] = ()) -> tuple[str, ...]:
    """The text at its white space, and at these characters."""
    ends = sorted(set(cuts))
    words = []
    for word in _WORD.finditer(text):
        edges = [word.start(), *(cut for cut in ends if word.start() < cut < word.end()), word.end()]
        words += [text[start:end] for start, end in pairwise(edges)]
    return tuple(words)


def cuts_of(text: str, *groups: Any) -> list[int]:
    """The first and last characters of spans not yet checked, white space trimmed: where tokens may be cut."""
    found: list[int] = []
    for part in (one for group in groups for one in listed(group) or ()):
        cells = listed(part)
        if cells is not None and len(cells) >= 3:
            try:
                found += _trimmed(text, *_numbers(cells[1], cells[2]))
            except ValueError:
                continue  # the check of the span tells of it
    return found


def read_spans(value: Any, text: str, tokens: Sequence[str], *, scored: bool) -> list[Any]:
    """Spans that begin and end with a token; white space around them and what is beyond the text are cut off.

    scored: (label, start, end, score) is given back, with the score 0.0 where there is none.

    Raises:
        ValueError: empty spans, and spans that cut a token, all of them named.
    """
    parts = listed(value)
    if parts is None:
        raise ValueError(f"is of type {type(value).__name__}, {shown(value)}: expected a list of (label, start, end)")
    if not parts:
        return []
    where = places(text, tokens)
    starts, ends = {start for start, _ in where}, {end for _, end in where}
    found: list[Any] = []
    empty, torn = [], []
    for part in parts:
        label, start, end, score = _cells(part, scored)
        if start not in starts or end not in ends or start >= end:
            start, end = _trimmed(text, start, end)
        if start >= end:
            empty.append(part)
        elif start not in starts or end not in ends:
            torn.append((label, start, end, text[start:end]))
        found.append((label, start, end, score) if scored else (label, start, end))
    if empty:
        raise ValueError(f"has spans without any character: {shown(empty)} (a text of {len(text)} characters)")
    if torn:
        raise ValueError(
            f"has spans that do not begin and end with a token: {_few(torn)}; tokens: {_few(tokens)}. "
            "Correct the places, or give tokens that go with them."
        )
    return found


def _cells(part: Any, scored: bool) -> tuple[str, int, int, float]:
    cells = listed(part)
    if cells is None or not 3 <= len(cells) <= 3 + scored:
        wanted = "(label, start, end) or (label, start, end, score)" if scored else "(label, start, end)"
        raise ValueError(f"holds {shown(part)}: expected {wanted}")
    start, end = _numbers(cells[1], cells[2])
    score = cells[3] if len(cells) == 4 else None
    return read_name(cells[0]), start, end, 0.0 if score is None else read_score(score)


def _numbers(start: Any, end: Any) -> Place:
    if type(start) is int and type(end) is int:
        return start, end
    found = [one.item() if hasattr(one, "item") else one for one in (start, end)]
    if type(found[0]) is not int or type(found[1]) is not int:
        raise ValueError(f"has a span from {shown(start)} to {shown(end)}: expected whole numbers, in characters")
    return found[0], found[1]


def _trimmed(text: str, start: int, end: int) -> Place:
    start, end = max(start, 0), min(end, len(text))
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end


def _few(values: Sequence[Any], most: int = 8) -> str:
    told = ", ".join(map(repr, values[:most]))
    return f"{told} … ({len(values)} in all)" if len(values) > most else told


def spans_of(tags: Any, text: str, tokens: Sequence[str]) -> list[Span]:
    """The spans that IOB, IOB2, BILOU or BIOES tags say, one tag for each token; [] where all are "O".

    An I without a B before it begins a span.
    """
    named = listed(tags)
    if named is None or not all(isinstance(tag, str) for tag in named):
        raise ValueError(f"is {shown(tags)}: expected a list of tags such as 'B-PER', 'I-PER', 'O'")
    if len(named) != len(tokens):
        raise ValueError(f"has {len(named)} tags for {len(tokens)} tokens: expected one for each")
    plain = [read_text(tag) for tag in named]
    odd = [tag for tag in plain if tag != "O" and (not is_prefixed([tag]) or not tag[2:])]
    if odd:
        raise ValueError(f"has tags that are not in the IOB or BILOU format: {_few(odd)}; expected 'B-PER', 'O' …")
    where = places(text, tokens)
    return [(label, where[first][0], where[last - 1][1]) for label, first, last in entities(plain)]


def tags_of(spans: Iterable[Sequence[Any]], text: str, tokens: Sequence[str]) -> list[str]:
    """One IOB2 tag for each token, of spans checked before (`read_spans`).

    Raises:
        ValueError: two spans overlap, which one tag a token cannot say.
    """
    where = places(text, tokens)
    starts = {start: place for place, (start, _) in enumerate(where)}
    ends = {end: place for place, (_, end) in enumerate(where)}
    tags = ["O"] * len(where)
    owner: dict[int, Sequence[Any]] = {}
    for span in spans:
        label, first, last = span[0], starts[span[1]], ends[span[2]]
        for place in range(first, last + 1):
            if place in owner:
                raise ValueError(
                    f"has overlapping spans, {shown(owner[place])} and {shown(span)}, which tags cannot say"
                )
            owner[place] = span
            tags[place] = f"{'B' if place == first else 'I'}-{label}"
    return tags
