"""Extractive question answering: the answer's first and last token in the context.

A context longer than `maxlength` becomes overlapping chunks. A chunk without the whole answer points at the null token:
the tokenizer's [CLS], or the first token where the tokenizer has none. Where the tokenizer pads on the left the context
comes first, as decoders are trained.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from torch.nn.functional import cross_entropy

from ..errors import ConfigError
from ..tasks.base import Example, Prediction
from .batching import IGNORED, forward, named, need_offsets, overlap, pad
from .recipe import Batch, Encoding, Feature, Loss, Recipe, Row

MIXED = "mixed"  # Examples.kind of data where a context may hold no answer; any other kind always answers
LONGEST = 30  # tokens of an answer
BEST = 20  # spans of an example that share the probability

Floats = NDArray[np.float64]
Found = dict[tuple[int, int], float]  # characters of the context -> start logit + end logit


def encode(examples: Sequence[Example], encoding: Encoding, gold: bool) -> list[Feature]:
    """One feature a chunk, an example's chunks one after another.

    Beside the model's inputs and `example`: starts and ends, the context characters of each token (-1 where it is no
    token of the context); null, the place of the null token; chunks, how many its example has; lost, tokens of the
    question that did not fit (the question may take half of `maxlength`; nothing of the context is lost).

    Raises:
        ConfigError: a slow tokenizer, or a `maxlength` without room for question and context.
    """
    need_offsets(encoding, "question answering")
    room = encoding.maxlength - encoding.tokenizer.num_special_tokens_to_add(pair=True)
    if room < 2:
        raise ConfigError("maxlength", encoding.maxlength, f"at least {encoding.maxlength - room + 2}")
    questions = _questions([example.text.lstrip() for example in examples], encoding, room // 2)
    by_stride: dict[int, list[int]] = {}
    for place, (_, size, _) in enumerate(questions):
        by_stride.setdefault(overlap(encoding, room - size), []).append(place)
    chunks: list[list[Feature]] = [[] for _ in examples]
    for stride, places in by_stride.items():
        pairs = [(questions[place][0], examples[place].pair or "") for place in places]
        for feature in _chunks(pairs, encoding, stride):
            feature["example"] = places[feature["example"]]
            chunks[feature["example"]].append(feature)
    for example, own, (_, _, lost) in zip(examples, chunks, questions, strict=True):
        own[0]["lost"] = lost
        for place, feature in enumerate(own):
            feature["chunks"] = len(own)
            if gold:
                span = _span(feature, example, first=place == 0, last=place == len(own) - 1)
                feature["start_positions"], feature["end_positions"] = span
    return [feature for own in chunks for feature in own]


def _questions(texts: list[str], encoding: Encoding, most: int) -> list[tuple[str, int, int]]:
    """Each question cut to `most` tokens: its text, its tokens, and the tokens cut off."""
    if not texts:
        return []
    tokenizer = encoding.tokenizer
    arguments = {"add_special_tokens": False, "return_offsets_mapping": True, "verbose": False}
    offsets = tokenizer(texts, **arguments)["offset_mapping"]
    questions = []
    for text, whole in zip(texts, offsets, strict=True):
        kept, size = text, len(whole)
        limit = most
        while size > most:  # a text cut within a word may have other tokens
            kept = text[: whole[limit - 1][1]] if limit else ""
            size = len(tokenizer(kept, **arguments)["input_ids"])
            limit -= 1
        questions.append((kept, size, len(whole) - size))
    return questions


def _chunks(pairs: Sequence[tuple[str, str]], encoding: Encoding, stride: int) -> list[Feature]:
    """Features of (question, context) pairs; `example` is the place of the pair."""
    tokenizer = encoding.tokenizer
    context_first = tokenizer.padding_side == "left"
    questions, contexts = [question for question, _ in pairs], [context for _, context in pairs]
    encoded = tokenizer(
        *((contexts, questions) if context_first else (questions, contexts)),
        truncation="only_first" if context_first else "only_second",
        max_length=encoding.maxlength,
        stride=stride,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    owners: list[int] = encoded.pop("overflow_to_sample_mapping")
    offsets = encoded.pop("offset_mapping")
    features: list[Feature] = []
    for place, owner in enumerate(owners):
        feature: Feature = {key: encoded[key][place] for key in encoded}
        context = np.asarray([part == (0 if context_first else 1) for part in encoded.sequence_ids(place)], dtype=bool)
        limits = np.where(context[:, None], np.asarray(offsets[place], dtype=np.int64).reshape(-1, 2), -1)
        feature |= {"example": owner, "starts": limits[:, 0].tolist(), "ends": limits[:, 1].tolist()}
        ids = feature["input_ids"]
        feature["null"] = ids.index(tokenizer.cls_token_id) if tokenizer.cls_token_id in ids else 0
        features.append(feature)
    return features


def _span(feature: Feature, example: Example, *, first: bool, last: bool) -> tuple[int, int]:
    """First and last token of the first gold answer; the null token twice where the chunk lacks a part of it."""
    null = feature["null"], feature["null"]
    if not example.answers:
        return null
    text, start = example.answers[0]
    start, end = start + len(text) - len(text.lstrip()), start + len(text.rstrip())
    starts, ends = np.asarray(feature["starts"]), np.asarray(feature["ends"])
    context = np.flatnonzero(ends > starts)
    if end <= start or not len(context):
        return null
    if (not first and starts[context[0]] > start) or (not last and ends[context[-1]] < end):
        return null
    tokens = context[(ends[context] > start) & (starts[context] < end)]
    return (int(tokens[0]), int(tokens[-1])) if len(tokens) else null


def collate(encoding: Encoding) -> Callable[[list[Feature]], Batch]:
    """Padded batches; padding on the left moves the positions."""
    return partial(_batch, encoding)


def _batch(encoding: Encoding, features: list[Feature]) -> Batch:
    keys = {"start_positions": IGNORED, "end_positions": IGNORED}
    made = pad(features, encoding, extra=keys)
    if encoding.tokenizer.padding_side == "left":
        shift = made["input_ids"].shape[1] - torch.tensor([len(feature["input_ids"]) for feature in features])
        made |= {key: made[key] + shift for key in keys if key in made}
    if "start_positions" in made:
        made["real"] = made["attention_mask"].bool()
    return made


class SpanLoss:
    """Half the cross-entropy of the first token and half that of the last, each over its own count.

    A position outside the batch's tokens is no loss item, as in transformers' models. Padding has no share in the
    softmax, other than there: with it, a row's loss would depend on the longest row beside it, and micro-batches would
    not add up to the large batch.
    """

    def __init__(self) -> None:
        self.targets: tuple[str, ...] = ("start_positions", "end_positions", "real")

    def count(self, batch: Batch) -> torch.Tensor:
        """(2,): first tokens, last tokens."""
        return torch.stack([_within(batch[key], batch["real"].shape[1]).sum() for key in self.targets[:2]])

    def __call__(self, outputs: Any, targets: Batch, count: torch.Tensor | None = None) -> torch.Tensor:
        parts = []
        for place, (name, key) in enumerate(zip(("start_logits", "end_logits"), self.targets[:2], strict=True)):
            logits = named(outputs, name, place).float()  # (batch, tokens)
            logits = logits.masked_fill(~targets["real"], torch.finfo(logits.dtype).min)
            within = _within(targets[key], logits.shape[1])
            items = within.sum() if count is None else count.expand(2)[place].to(logits.device)
            wanted = targets[key].masked_fill(~within, IGNORED)
            total = cross_entropy(logits, wanted, ignore_index=IGNORED, reduction="sum")
            parts.append(total / items.clamp(min=1))
        return (parts[0] + parts[1]) / 2


def _within(positions: torch.Tensor, width: int) -> torch.Tensor:
    return (positions >= 0) & (positions < width)


def outputs(model: torch.nn.Module, batch: Batch, encoding: Encoding) -> Batch:
    """start and end: logits (batch, tokens)."""
    returned = forward(model, batch, encoding)
    return {"start": named(returned, "start_logits", 0), "end": named(returned, "end_logits", 1)}


def decode(
    rows: list[Row], features: list[Feature], examples: Sequence[Example], encoding: Encoding
) -> list[Prediction]:
    """The best span over all chunks of each example: an exact slice of its context, at most 30 tokens long.

    The score is its probability among the 20 best spans. In data with unanswerable questions (kind 'mixed') no answer
    ("" without start and end) competes with them: its logit is the least null logit of the chunks, for one chunk that
    holds the answer is enough. Elsewhere there is always an answer, if the context has a token.
    """
    mixed = encoding.kind == MIXED
    found: list[Found] = [{} for _ in examples]
    nulls: list[list[float]] = [[] for _ in examples]
    for row, feature in zip(rows, features, strict=True):
        place = feature["example"]
        start, end = np.asarray(row["start"], dtype=np.float64), np.asarray(row["end"], dtype=np.float64)
        nulls[place].append(float(start[feature["null"]] + end[feature["null"]]))
        for span, score in _candidates(feature, start, end, examples[place].pair or "", mixed=mixed):
            found[place][span] = max(score, found[place].get(span, -np.inf))
    return [
        _prediction(example, spans, min(null) if mixed and null else None)
        for example, spans, null in zip(examples, found, nulls, strict=True)
    ]


def _candidates(
    feature: Feature, start: Floats, end: Floats, text: str, *, mixed: bool
) -> list[tuple[tuple[int, int], float]]:
    """The chunk's best spans (characters, score).

    Where the null token is a token of the context, its span is no candidate if it also says that there is no answer.
    """
    starts, ends = np.asarray(feature["starts"]), np.asarray(feature["ends"])
    context = np.flatnonzero(ends > starts)
    if not len(context):
        return []
    padded = np.concatenate([end[context], np.full(LONGEST - 1, -np.inf)])
    scores = start[context][:, None] + sliding_window_view(padded, LONGEST)  # (first token, further tokens)
    if context[0] == feature["null"] and (mixed or feature["chunks"] > 1):
        scores[0, 0] = -np.inf
    flat = scores.reshape(-1)
    kept = min(BEST, flat.size)
    best = np.argpartition(-flat, kept - 1)[:kept]
    spans = []
    for place in best[np.isfinite(flat[best])].tolist():
        first, further = divmod(place, LONGEST)
        left, right = int(starts[context[first]]), int(ends[context[first + further]])
        piece = text[left:right]
        left, right = left + len(piece) - len(piece.lstrip()), right - (len(piece) - len(piece.rstrip()))
        if right > left:
            spans.append(((left, right), float(flat[place])))
    return spans


def _prediction(example: Example, found: Found, null: float | None) -> Prediction:
    spans: list[tuple[tuple[int, int] | None, float]] = []
    spans += sorted(found.items(), key=lambda item: (-item[1], item[0]))[:BEST]
    if null is not None:
        spans.append((None, null))
    if not spans:
        return Prediction(id=example.id, answer="", score=0.0)
    span, best = max(spans, key=lambda item: item[1])  # of equals the first: an answer before none
    score = 1 / sum(float(np.exp(other - best)) for _, other in spans)
    if span is None:
        return Prediction(id=example.id, answer="", score=score)
    return Prediction(id=example.id, answer=(example.pair or "")[slice(*span)], start=span[0], end=span[1], score=score)


def _loss(encoding: Encoding) -> Loss:
    return SpanLoss()


RECIPE = Recipe(
    auto="AutoModelForQuestionAnswering",
    encode=encode,
    collate=collate,
    loss=_loss,
    outputs=outputs,
    decode=decode,
    per_token=("start", "end"),
)
