"""Token classification: a tag a word (BIO or any other), or labelled spans of characters.

A unit is what gets one tag: a word of the example; a word of the text, where a model of words reads plain text; a
token, where the data have spans of characters. A unit's first token carries its label, the others -100. A text longer
than `maxlength` becomes overlapping chunks; each unit is trained and predicted once, in the chunk that shows most of
its surroundings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ..errors import ConfigError, DataError
from ..metrics.tagging import entities, is_prefixed
from ..tasks.base import Example, Prediction, Span
from .batching import IGNORED, TokenCrossEntropy, forward, named, need_offsets, overlap, pad
from .recipe import Batch, Encoding, Feature, Loss, Recipe, Row
from .units import OUTSIDE, Integers, Ranges, begun, deciding, span_tags, trimmed, word_ranges


class Unit(NamedTuple):
    """A predicted unit: its place among the example's units, tag, the tag's probability, and characters."""

    place: int
    tag: str
    score: float
    start: int
    end: int


def encode(examples: Sequence[Example], encoding: Encoding, gold: bool) -> list[Feature]:
    """One feature a chunk. Beside the model's inputs and `example`, lists as long as `input_ids`:

    units: the unit that this token decides, else -1. starts, ends: that unit's characters in the example's text.
    `misaligned` (an example's first feature) counts spans whose borders are no token borders: the tokens that they
    touch are labelled; and spans that overlap one before them: those are not labelled.

    Raises:
        ConfigError: a slow tokenizer, or a `maxlength` without room for a token.
        DataError: a label that is not in the label set.
    """
    if not examples:
        return []
    need_offsets(encoding, "token classification")
    tokenizer = encoding.tokenizer
    room = encoding.maxlength - tokenizer.num_special_tokens_to_add(pair=False)
    if room < 1:
        raise ConfigError("maxlength", encoding.maxlength, f"at least {encoding.maxlength - room + 1}")
    stride = overlap(encoding, room)
    words = [word_ranges(example, encoding.kind) for example in examples]
    encoded = tokenizer(
        [text for text, _ in words],
        truncation=True,
        max_length=encoding.maxlength,
        stride=stride,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    owners: list[int] = encoded.pop("overflow_to_sample_mapping")
    offsets: list[Ranges] = encoded.pop("offset_mapping")
    features: list[Feature] = [
        {**{key: encoded[key][place] for key in encoded}, "example": owner} for place, owner in enumerate(owners)
    ]
    content = [np.flatnonzero([part is not None for part in encoded.sequence_ids(i)]) for i in range(len(owners))]
    for own in _grouped(owners):
        place = owners[own[0]]
        chunks = [(features[i], content[i]) for i in own]
        tokens = [offsets[i][j] for k, i in enumerate(own) for j in content[i][stride if k else 0 :]]
        _label(chunks, examples[place], words[place], tokens, encoding, gold=gold, stride=stride)
    return features


def _grouped(owners: Sequence[int]) -> list[list[int]]:
    """Places of the features of each example; an example's features follow one another."""
    groups: list[list[int]] = []
    for place, owner in enumerate(owners):
        if place and owners[place - 1] == owner:
            groups[-1].append(place)
        else:
            groups.append([place])
    return groups


def _label(
    chunks: list[tuple[Feature, Integers]],
    example: Example,
    words: tuple[str, Ranges | None],
    tokens: Ranges,
    encoding: Encoding,
    *,
    gold: bool,
    stride: int,
) -> None:
    """Write `units`, `starts`, `ends` and, with gold, `labels` into the chunks of one example."""
    text, ranges = words
    if ranges is None:  # tokens of one character's bytes have equal offsets: one unit
        ranges = [token for token in dict.fromkeys(trimmed(text, token) for token in tokens) if token[0] < token[1]]
    limits = np.asarray(ranges, dtype=np.int64).reshape(-1, 2)
    by_chunk = deciding(begun(text, tokens, limits), [len(content) for _, content in chunks], stride)
    labels: Integers | None = None
    if gold:
        labels, misaligned = _gold(example, ranges, text, encoding)
        chunks[0][0]["misaligned"] = misaligned
    for (feature, content), units in zip(chunks, by_chunk, strict=True):
        whole = np.full(len(feature["input_ids"]), -1, dtype=np.int64)
        whole[content] = units
        chosen = whole >= 0
        feature["units"] = whole.tolist()
        for name, values in (("starts", limits[:, 0]), ("ends", limits[:, 1])):
            feature[name] = _spread(values, whole, chosen, 0)
        if labels is not None:
            feature["labels"] = _spread(labels, whole, chosen, IGNORED)


def _spread(values: Integers, units: Integers, chosen: NDArray[np.bool_], other: int) -> list[int]:
    spread = np.full(len(units), other, dtype=np.int64)
    spread[chosen] = values[units[chosen]]
    return list(spread.tolist())


def _gold(example: Example, ranges: Ranges, text: str, encoding: Encoding) -> tuple[Integers, int]:
    """The label id of each unit, and the number of spans that are not held exactly."""
    assert encoding.labels is not None
    ids = encoding.labels.ids
    tags, misaligned = example.tags, 0
    if tags is None:
        tags, misaligned = span_tags(example.spans or (), ranges, text, ids)
    unknown = next((tag for tag in tags if tag not in ids), None)
    if unknown is not None:
        raise DataError(f"row {example.id}: tag {unknown!r} is not in the label set ({', '.join(ids)}).")
    return np.asarray([ids[tag] for tag in tags], dtype=np.int64), misaligned


def collate(encoding: Encoding) -> Callable[[list[Feature]], Batch]:
    return partial(pad, encoding=encoding, extra={"labels": IGNORED})


def outputs(model: torch.nn.Module, batch: Batch, encoding: Encoding) -> Batch:
    """scores: logits (batch, tokens, labels)."""
    return {"scores": named(forward(model, batch, encoding), "logits")}


def decode(
    rows: list[Row], features: list[Feature], examples: Sequence[Example], encoding: Encoding
) -> list[Prediction]:
    """Spans in characters of the example's text, and one tag a word where the example has words.

    Spans are read from tags as `metrics.tagging.entities` does (a stray I- is an entity); tags without prefixes make
    neighbours of one label one span where the label set has O, and else (parts of speech) each unit a span of its own.
    A span's score is the mean probability of its units' tags. A word without a token has the tag O.
    """
    assert encoding.labels is not None
    names = encoding.labels.names
    found: list[list[Unit]] = [[] for _ in examples]
    for row, feature in zip(rows, features, strict=True):
        chosen = np.flatnonzero(np.asarray(feature["units"]) >= 0)
        logits = np.asarray(row["scores"], dtype=np.float64)[chosen]  # (units, labels)
        exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
        best, scores = logits.argmax(axis=1), exponents.max(axis=1) / exponents.sum(axis=1)
        for place, label, score in zip(chosen.tolist(), best.tolist(), scores.tolist(), strict=True):
            unit = Unit(feature["units"][place], names[label], score, feature["starts"][place], feature["ends"][place])
            found[feature["example"]].append(unit)
    return [_prediction(example, units, names) for example, units in zip(examples, found, strict=True)]


def _prediction(example: Example, units: list[Unit], names: Sequence[str]) -> Prediction:
    by_place = {unit.place: unit for unit in units}
    size = len(example.tokens) if example.tokens is not None else max(by_place, default=-1) + 1
    tags = tuple(by_place[place].tag if place in by_place else OUTSIDE for place in range(size))
    spans = []
    for label, first, last in entities(tags, by_word=OUTSIDE not in names and not is_prefixed(names)):
        inside = [by_place[place] for place in range(first, last)]
        score = sum(unit.score for unit in inside) / len(inside)
        spans.append(Span(label, inside[0].start, inside[-1].end, score))
    return Prediction(id=example.id, spans=tuple(spans), tags=tags if example.tokens is not None else None)


def _loss(encoding: Encoding) -> Loss:
    return TokenCrossEntropy()


RECIPE = Recipe(
    auto="AutoModelForTokenClassification",
    encode=encode,
    collate=collate,
    loss=_loss,
    outputs=outputs,
    decode=decode,
    per_token=("scores",),
)
