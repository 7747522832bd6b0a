"""The units of a text that get one tag each, in characters: its words or tokens, and what a span makes of them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from ..tasks.base import Example, Span

OUTSIDE = "O"
IDEOGRAPH = r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"  # written without spaces: a word each
CHUNK = re.compile(rf"{IDEOGRAPH}|(?:(?!{IDEOGRAPH})\S)+")

Ranges = list[tuple[int, int]]
Integers = NDArray[np.int64]


def word_ranges(example: Example, kind: str) -> tuple[str, Ranges | None]:
    """The text to tokenize, and where its words lie in it; None where each token is a unit of its own.

    An example's words are looked for in its text; where they do not follow one another there, or there is no text, the
    text is the words joined by spaces.
    """
    if example.tokens is None:
        return example.text, split_words(example.text) if kind == "tags" else None
    joined = " ".join(example.tokens)
    text = example.text or joined
    ranges: Ranges = []
    end = 0
    for word in example.tokens:
        start = text.find(word, end)
        if start < 0 or text[end:start].strip():
            return (joined, []) if text == joined else word_ranges(Example(example.id, tokens=example.tokens), kind)
        end = start + len(word)
        ranges.append((start, end))
    return text, ranges


def split_words(text: str) -> Ranges:
    """Words of plain text: split at white space, punctuation and symbols at a word's ends taken off, one by one."""
    ranges: Ranges = []
    for match in CHUNK.finditer(text):
        start, end = match.span()
        first, last = start, end
        while first < end and _is_mark(text[first]):
            first += 1
        while last > first and _is_mark(text[last - 1]):
            last -= 1
        ranges += [(i, i + 1) for i in range(start, first)]
        ranges += [(first, last)] if last > first else []
        ranges += [(i, i + 1) for i in range(last, end)]
    return ranges


def _is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] in "PS"


def trimmed(text: str, token: tuple[int, int]) -> tuple[int, int]:
    """The token's characters without white space at its ends (byte-level tokenizers count the space before a word)."""
    start, end = token
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), end - (len(piece) - len(piece.rstrip()))


def begun(text: str, tokens: Ranges, limits: Integers) -> Integers:
    """For each token the unit that it begins, else -1: (tokens,)."""
    places = np.asarray([trimmed(text, token) for token in tokens], dtype=np.int64).reshape(-1, 2)
    if not len(limits) or not len(places):
        return np.full(len(places), -1, dtype=np.int64)
    unit = np.searchsorted(limits[:, 1], places[:, 0], side="right")
    inside = (unit < len(limits)) & (places[:, 1] > places[:, 0])
    unit = np.where(inside, unit, 0)
    inside &= limits[unit, 0] < places[:, 1]
    units = np.where(inside, unit, -1)
    begins = np.zeros(len(units), dtype=bool)
    begins[np.unique(units, return_index=True)[1]] = True
    return np.where(begins, units, -1).astype(np.int64)


def deciding(units: Integers, sizes: Sequence[int], stride: int) -> list[Integers]:
    """Each chunk's part of `units`, a unit left only in the chunk with most context on its shorter side."""
    starts = np.concatenate([[0], np.cumsum(np.asarray(sizes[:-1], dtype=np.int64) - stride)]).astype(np.int64)
    best = np.full(len(units), -1)
    owner = np.zeros(len(units), dtype=np.int64)
    for k, (start, size) in enumerate(zip(starts, sizes, strict=True)):
        context = np.minimum(np.arange(size), np.arange(size)[::-1])
        here = slice(start, start + size)
        better = context > best[here]
        owner[here] = np.where(better, k, owner[here])
        best[here] = np.where(better, context, best[here])
    return [
        np.where(owner[start : start + size] == k, units[start : start + size], -1)
        for k, (start, size) in enumerate(zip(starts, sizes, strict=True))
    ]


def span_tags(spans: Sequence[Span], ranges: Ranges, text: str, known: Collection[str]) -> tuple[tuple[str, ...], int]:
    """Spans as one tag a unit (BIO; the bare label where the label set has no prefixes), and how many are not exact.

    A unit belongs to the span that it touches; of overlapping spans the earlier, then the longer, is kept.
    """
    tags, misaligned = [OUTSIDE] * len(ranges), 0
    limits = np.asarray(ranges, dtype=np.int64).reshape(-1, 2)
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        start, end = trimmed(text, (span.start, span.end))
        first = int(np.searchsorted(limits[:, 1], start, side="right"))
        last = int(np.searchsorted(limits[:, 0], end, side="left"))
        if last <= first or any(tag != OUTSIDE for tag in tags[first:last]):
            misaligned += 1
            continue
        misaligned += (limits[first, 0], limits[last - 1, 1]) != (start, end)
        tags[first] = _prefixed(span.label, "BI", known)
        tags[first + 1 : last] = [_prefixed(span.label, "IB", known)] * (last - first - 1)
    return tuple(tags), misaligned


def _prefixed(label: str, prefixes: str, known: Collection[str]) -> str:
    return next((tag for tag in (*(f"{p}-{label}" for p in prefixes), label) if tag in known), f"{prefixes[0]}-{label}")
