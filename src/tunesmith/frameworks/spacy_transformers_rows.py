"""Examples as the rows that spaCy's worker reads, and what it finds as predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import RowError
from ..tasks.base import Example, Prediction, Span
from ..tasks.text_classification import by_scores
from .spacy_config import ENTITIES, SEVERAL, TAGGER
from .worker import write_rows
from .worker_words import word_tags

_FORMS = {"text": "text", "words": "words", "labels": "words", "starts": "ids", "ends": "ids"}


def write_texts(path: Path, examples: Sequence[Example]) -> None:
    """Write what is read of examples: their own words, or their text. Raises: RowError, where a word is empty."""
    write_rows(path, _read(examples), _FORMS)


def write_gold(path: Path, examples: Sequence[Example], component: str) -> None:
    """Write examples with what is to be learned: classes, tags, or entities by their characters."""
    gold = [_gold(example, component) for example in examples]
    names, starts, ends = ([row[at] for row in gold] for at in range(3))
    write_rows(path, {**_read(examples), "labels": names, "starts": starts, "ends": ends}, _FORMS)


def _read(examples: Sequence[Example]) -> dict[str, list[Any]]:
    for example in examples:
        if "" in (example.tokens or ()):
            raise RowError(example.id, "tokens", "has an empty word: leave it out")
    return {
        "text": ["" if example.tokens else example.text for example in examples],
        "words": [list(example.tokens or ()) for example in examples],
    }


def _gold(example: Example, component: str) -> tuple[list[str], list[int], list[int]]:
    if component == TAGGER:
        return list(example.tags or ()), [], []
    if component != ENTITIES:
        label = example.label
        assert isinstance(label, str | tuple)
        return [label] if isinstance(label, str) else list(label), [], []
    spans = example.spans or ()
    return [span.label for span in spans], [span.start for span in spans], [span.end for span in spans]


def predictions(
    examples: Sequence[Example], rows: Sequence[Mapping[str, Any]], component: str, names: Sequence[str]
) -> list[Prediction]:
    """What was found, one prediction each; spans in the example's characters."""
    tell = _tagged if component in (ENTITIES, TAGGER) else _classed
    return [tell(example, row, component, names) for example, row in zip(examples, rows, strict=True)]


def _classed(example: Example, row: Mapping[str, Any], component: str, names: Sequence[str]) -> Prediction:
    found = dict(zip(row["label"], row["score"], strict=True))
    return by_scores(example.id, {name: found[name] for name in names}, several=component == SEVERAL)


def _tagged(example: Example, row: Mapping[str, Any], component: str, names: Sequence[str]) -> Prediction:
    """The spans of words that are not blank, and a tag for each word where the example has words."""
    found = zip(*(row[name] for name in ("label", "start", "end", "score")), strict=True)
    spans = tuple(Span(*each) for each in found if example.text[each[1] : each[2]].strip())
    tags = None
    if example.tokens is not None:
        count = len(example.tokens)
        words = zip(row["label"], row["first"], row["stop"], strict=True)
        tags = tuple(row["label"][:count]) if component == TAGGER else word_tags(words, count, names)
    return Prediction(example.id, spans=spans, tags=tags)
