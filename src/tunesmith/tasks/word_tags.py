"""A tag for each word, made of the labelled stretches of a text; and why a row's stretches give none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..metrics.tagging import is_prefixed, split_tag
from .base import Example, Span

OVERLAPPING = "overlapping spans"
MISALIGNED = "spans that do not align with the tokens"


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why a row's spans cannot be written as a framework has them: the reason, to count by, and what was found."""

    reason: str
    found: str


def bio_names(labels: Iterable[str]) -> tuple[str, ...]:
    """'O', then 'B-x' and 'I-x' of each label, in the order of the labels."""
    return ("O", *(f"{prefix}-{label}" for label in labels for prefix in "BI"))


def types_of(names: Iterable[str]) -> tuple[str, ...]:
    """The types of a task's label names, in their order: one for 'B-PER' and 'I-PER'; a part of speech is its own."""
    names = list(names)
    prefixed = is_prefixed(names)
    kinds = (split_tag(name)[1] if prefixed else name for name in names if name != "O")
    return tuple(dict.fromkeys(kinds))


def places_of(text: str, tokens: Sequence[str]) -> list[tuple[int, int]] | Misfit:
    """(start, end) of each token in the text, found one after the other."""
    places, end = [], 0
    for token in tokens:
        start = text.find(token, end)
        if start < 0:
            return Misfit(
                "tokens that are not in the text", f"token {token!r} is not in the text after character {end}"
            )
        end = start + len(token)
        places.append((start, end))
    return places


def bio_of(example: Example) -> tuple[str, ...] | Misfit:
    """One BIO tag for each token of an example with `tokens` and `spans`, or why its spans give none."""
    if example.tokens is None:
        return Misfit("no tokens", "it has a text and no tokens")
    places = places_of(example.text, example.tokens)
    if isinstance(places, Misfit):
        return places
    spans = sorted(example.spans or (), key=lambda span: (span.start, span.end))
    if misfit := overlap_of(example.text, spans):
        return misfit
    starts = {start: place for place, (start, _) in enumerate(places)}
    ends = {end: place for place, (_, end) in enumerate(places)}
    tags = ["O"] * len(places)
    for span in spans:
        first, last = starts.get(span.start), ends.get(span.end)
        if first is None or last is None or last < first:
            return Misfit(MISALIGNED, f"{shown(example.text, span)} among the tokens {list(example.tokens)}")
        tags[first : last + 1] = [f"B-{span.label}", *[f"I-{span.label}"] * (last - first)]
    return tuple(tags)


def overlap_of(text: str, spans: Iterable[Span]) -> Misfit | None:
    """The first two spans that overlap; None where none do."""
    before: Span | None = None
    for span in sorted(spans, key=lambda span: (span.start, span.end)):
        if before is not None and span.start < before.end:
            return Misfit(OVERLAPPING, f"{shown(text, before)} and {shown(text, span)}")
        before = span
    return None


def shown(text: str, span: Span) -> str:
    """A span as a message shows it."""
    return f"{span.label} {text[span.start : span.end]!r} ({span.start}, {span.end})"
