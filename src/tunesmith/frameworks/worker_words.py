"""Words for libraries that read sentences as words: where they stand in the text, and one tag for each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..errors import DataError
from ..metrics.tagging import is_prefixed
from ..tasks.base import Example, Span
from ..tasks.word_tags import Misfit, overlap_of, places_of

_WORD = re.compile(r"\w+|[^\w\s]")
_SHOWN = 5  # rows that an error names

Place = tuple[int, int]  # start and end in the text, end excluded


@dataclass(frozen=True)
class Sentence:
    """The words of an example, and the id of a tag for each."""

    words: tuple[str, ...]
    tags: tuple[int, ...]
    longest: int  # words of the longest span


def words_of(example: Example, spans: Sequence[Span] = ()) -> list[Place]:
    """The places of an example's own words, or of those found in its text, which begin and end where the spans do.

    Raises:
        DataError: words that are not in the text.
    """
    if example.tokens is not None:
        places = places_of(example.text, example.tokens)
        if isinstance(places, Misfit):
            raise DataError(f"row {example.id!r}: {places.reason}: {places.found}")
        return places
    cuts = sorted({0, len(example.text), *(place for span in spans for place in (span.start, span.end))})
    return [
        (begin + found.start(), begin + found.end())
        for begin, end in pairwise(cuts)
        for found in _WORD.finditer(example.text[begin:end])
    ]


def sentences(examples: Iterable[Example], ids: Mapping[str, int]) -> list[Sentence]:
    """The examples as words and tags. ids: of 'O' and of 'B-x' and 'I-x' of each type.

    Raises:
        DataError: spans that overlap, or that are no whole words; it names the rows.
    """
    made, misfits = [], {}
    for example in examples:
        found = _sentence(example, ids)
        if isinstance(found, str):
            misfits[example.id] = found
        else:
            made.append(found)
    if misfits:
        told = "; ".join(f"row {row!r}: {why}" for row, why in list(misfits.items())[:_SHOWN])
        more = f"; and {len(misfits) - _SHOWN} more" if len(misfits) > _SHOWN else ""
        raise DataError(
            f"the spans of {len(misfits)} rows are not one label a word: {told}{more}. Mend them or take them out."
        )
    return made


def _sentence(example: Example, ids: Mapping[str, int]) -> Sentence | str:
    """The sentence, or what is wrong with the spans."""
    spans = [_trimmed(span, example.text) for span in example.spans or ()]
    if (misfit := overlap_of(example.text, spans)) is not None:
        return f"{misfit.reason}: {misfit.found}"
    places = words_of(example, spans)
    starts = {start: place for place, (start, _) in enumerate(places)}
    ends = {end: place for place, (_, end) in enumerate(places)}
    tags, longest = [ids["O"]] * len(places), 0
    for span in spans:
        first, last = starts.get(span.start), ends.get(span.end)
        if first is None or last is None or last < first:
            return f"{span.label} {example.text[span.start : span.end]!r} is no whole words of it"
        tags[first : last + 1] = [ids[f"B-{span.label}"], *[ids[f"I-{span.label}"]] * (last - first)]
        longest = max(longest, last - first + 1)
    return Sentence(tuple(example.text[start:end] for start, end in places), tuple(tags), longest)


def _trimmed(span: Span, text: str) -> Span:
    """The span without the blanks around it."""
    inside = text[span.start : span.end]
    start = span.start + len(inside) - len(inside.lstrip())
    return Span(span.label, start, start + len(inside.strip()), span.score)


def word_tags(found: Iterable[tuple[str, int, int]], count: int, names: Iterable[str]) -> tuple[str, ...]:
    """A tag for each of `count` words from (type, first word, end); with prefixes where the label names have them."""
    tags = ["O"] * count
    prefixed = is_prefixed(names)
    for kind, first, end in found:
        tags[first:end] = [f"B-{kind}", *[f"I-{kind}"] * (end - first - 1)] if prefixed else [kind] * (end - first)
    return tuple(tags)
