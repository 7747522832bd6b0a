"""Token classification by a gazetteer: the phrases of the training rows, each with the type it mostly has.

After the baseline of the CoNLL-2003 shared task (Tjong Kim Sang and De Meulder 2003): the longest known phrase wins.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..data.labels import Labels
from ..errors import ArtifactError
from ..metrics.tagging import is_prefixed
from ..tasks.base import Example, Examples, Prediction, Span
from ..tasks.token_classification import is_by_word
from .base import TOKENS
from .trained import Trained

FILE = "gazetteer.json"
LONGEST = 10  # words of a phrase
_WORD = re.compile(r"\w+|[^\w\s]")

Phrase = tuple[str, ...]


@dataclass(frozen=True)
class Gazetteer:
    """phrases: words -> (type, share of their occurrences that have it). rest: the type of all other words, if any."""

    phrases: Mapping[Phrase, tuple[str, float]]
    rest: str | None = None

    @cached_property
    def longest(self) -> int:
        return max(map(len, self.phrases), default=0)

    def spans(self, text: str, words: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int, Span]]:
        """(first word, end, span) of each phrase found, from left to right, the longest first."""
        place = 0
        while place < len(words):
            size, found = next(self._known(text, words[place : place + self.longest]), (1, None))
            if found is not None:
                yield place, place + size, Span(found[0], words[place][0], words[place + size - 1][1], found[1])
            elif self.rest is not None:
                yield place, place + 1, Span(self.rest, *words[place], 0.0)
            place += size

    def _known(self, text: str, words: Sequence[tuple[int, int]]) -> Iterator[tuple[int, tuple[str, float]]]:
        phrase = tuple(text[start:end] for start, end in words)
        for size in range(len(phrase), 0, -1):
            if (found := self.phrases.get(phrase[:size])) is not None:
                yield size, found


def fit(examples: Examples, values: Mapping[str, Any]) -> Trained:
    """The gazetteer of labelled texts."""
    labels = examples.labels
    assert labels is not None
    by_word = is_by_word(labels.names)
    types: dict[Phrase, Counter[str]] = defaultdict(Counter)
    for example in examples:
        words = _words(example)
        starts, ends = [start for start, _ in words], [end for _, end in words]
        for span in example.spans or ():
            first, last = bisect_left(starts, span.start), bisect_left(ends, span.end)
            fits = last < len(words) and starts[first] == span.start and ends[last] == span.end
            if fits and last - first < LONGEST:
                types[tuple(example.text[start:end] for start, end in words[first : last + 1])][span.label] += 1
    counts = _occurrences(examples, types)
    phrases = {}
    for phrase in sorted(types):
        kind, times = min(types[phrase].items(), key=lambda item: (-item[1], item[0]))
        share = times / counts[phrase]
        if by_word or share >= values["share"]:
            phrases[phrase] = (kind, share)
    every = Counter(span.label for example in examples for span in example.spans or ()) if by_word else Counter()
    rest = min(every, key=lambda name: (-every[name], name)) if every else None
    return _trained(Gazetteer(phrases, rest), examples.kind, labels)


def load(folder: Path, kind: str, labels: Labels, told: Mapping[str, Any]) -> Trained:
    """A saved gazetteer.

    Raises:
        ArtifactError: its file is missing.
    """
    try:
        kept = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(folder, f"its {FILE} cannot be read: {error}") from error
    phrases = {tuple(each["words"]): (each["type"], each["share"]) for each in kept["phrases"]}
    return _trained(Gazetteer(phrases, kept["rest"]), kind, labels)


def _trained(gazetteer: Gazetteer, kind: str, labels: Labels) -> Trained:
    return Trained("baseline", TOKENS, kind, labels, gazetteer, _infer, _write)


def _words(example: Example) -> list[tuple[int, int]]:
    """(start, end) of each word: the example's own, which one space parts, or those of the text."""
    if example.tokens is None:
        return [found.span() for found in _WORD.finditer(example.text)]
    places, start = [], 0
    for token in example.tokens:
        places.append((start, start + len(token)))
        start += len(token) + 1
    return places


def _occurrences(examples: Examples, phrases: Mapping[Phrase, Any]) -> Counter[Phrase]:
    """How often each phrase stands in the texts, labelled or not."""
    sizes = {len(phrase) for phrase in phrases}
    counts: Counter[Phrase] = Counter()
    for example in examples:
        words = tuple(example.text[start:end] for start, end in _words(example))
        for size in sizes:
            grams = (words[place : place + size] for place in range(len(words) - size + 1))
            counts.update(gram for gram in grams if gram in phrases)
    return counts


def _infer(model: Trained, examples: Sequence[Example], batch_size: int) -> list[Prediction]:
    assert model.labels is not None
    names = set(model.labels.names)
    made = []
    for example in examples:
        words = _words(example)
        found = list(model.module.spans(example.text, words))
        tags = None if example.tokens is None else _tags(found, len(words), names)
        made.append(Prediction(example.id, spans=tuple(span for _, _, span in found), tags=tags))
    return made


def _tags(found: Sequence[tuple[int, int, Span]], count: int, names: set[str]) -> tuple[str, ...]:
    """A tag for each word; with prefixes where the label names have them."""
    tags = ["O"] * count
    first, rest = ("B-", "I-") if is_prefixed(names) else ("", "")
    for begin, end, span in found:
        tags[begin:end] = [first + span.label, *[rest + span.label] * (end - begin - 1)]
    return tuple(tags)


def _write(model: Trained, folder: Path) -> None:
    phrases = [
        {"words": list(words), "type": kind, "share": share} for words, (kind, share) in model.module.phrases.items()
    ]
    told = json.dumps({"rest": model.module.rest, "phrases": phrases}, ensure_ascii=False)
    (folder / FILE).write_text(told, encoding="utf-8")
