"""Sequence to sequence: a source text in, a target text written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch

from ..tasks.base import Example, Prediction
from .batching import IGNORED, TokenCrossEntropy, pad, pad_rows
from .recipe import Batch, Encoding, Feature, Loss, Recipe, Row

TARGETS = "targets"
NEW_TOKENS = 512  # written at most by a model of which no limit is known
SHORTEST = 32  # tokens that a trained model may write, however short its targets were


def encode(examples: Sequence[Example], encoding: Encoding, gold: bool) -> list[Feature]:
    """One feature an example; source (behind the prefix) and target are each cut to `maxlength`, special tokens kept.

    `lost` counts the tokens of both that did not fit. A target always ends with the end token, where the tokenizer has
    one: a model that never sees it never stops.
    """
    if not examples:
        return []
    sources = [encoding.prefix + example.text for example in examples]
    encoded, lost = _cut(sources, encoding, encoding.maxlength)
    features: list[Feature] = [
        {**{key: encoded[key][place] for key in encoded}, "example": place, "lost": lost[place]}
        for place in range(len(examples))
    ]
    if gold:
        end = _missing_end(encoding.tokenizer)
        targets = [example.target or "" for example in examples]
        written, lost = _cut(targets, encoding, encoding.maxlength - len(end), target=True)
        for feature, ids, more in zip(features, written["input_ids"], lost, strict=True):
            feature["labels"] = [*ids, *end]
            feature["lost"] += more
    return features


def longest_target(features: Any) -> int:
    """Tokens of the longest target in a table of features."""
    import pyarrow.compute as pc

    return int(pc.max(pc.list_value_length(features.data.column("labels"))).as_py() or 0)


def _cut(
    texts: list[str], encoding: Encoding, most: int, *, target: bool = False
) -> tuple[dict[str, list[list[int]]], list[int]]:
    """The texts' tokens, at most `most` of each, and how many were cut off."""
    key = "text_target" if target else "text"
    encoded = dict(encoding.tokenizer(**{key: texts}, verbose=False))
    lost = [max(len(ids) - most, 0) for ids in encoded["input_ids"]]
    places = [place for place, more in enumerate(lost) if more]
    if places:
        long = {key: [texts[place] for place in places]}
        cut = encoding.tokenizer(**long, truncation=True, max_length=most)
        for name, rows in encoded.items():
            for place, row in zip(places, cut[name], strict=True):
                rows[place] = row
    return encoded, lost


def _missing_end(tokenizer: Any) -> list[int]:
    """The end token, if the tokenizer has one and does not write it itself."""
    if tokenizer.eos_token_id is None or tokenizer.eos_token_id in tokenizer(text_target="")["input_ids"]:
        return []
    return [tokenizer.eos_token_id]


def collate(encoding: Encoding) -> Callable[[list[Feature]], Batch]:
    """Sources padded on the tokenizer's side, targets always behind (-100): a decoder's first input is its start token.

    The targets are in the batch twice. `labels` go to the model, for only the model knows how its decoder's inputs come
    from them (a shift, or mBART's turn of the language code); `targets` are the loss's.
    """
    return partial(_batch, encoding)


def _batch(encoding: Encoding, features: list[Feature]) -> Batch:
    made = pad(features, encoding)
    if "labels" in features[0]:
        rows = [feature["labels"] for feature in features]
        made["labels"] = pad_rows(rows, IGNORED, multiple=encoding.pad_to, limit=encoding.maxlength)
        made[TARGETS] = made["labels"].clone()
    return made


def outputs(model: torch.nn.Module, batch: Batch, encoding: Encoding) -> Batch:
    """tokens: the written token ids (batch, tokens), behind the end token padded to the longest of the batch.

    At most `maxlength` and NEW_TOKENS tokens are written, unless `generation` has another limit.
    """
    arguments = dict(encoding.generation)
    if not {"max_new_tokens", "max_length"} & set(arguments):
        arguments["max_new_tokens"] = min(encoding.maxlength, NEW_TOKENS)
    writer: Any = model
    inputs = {key: batch[key] for key in ("input_ids", "attention_mask")}
    with torch.no_grad():
        return {"tokens": writer.generate(**inputs, **arguments)}


def decode(
    rows: list[Row], features: list[Feature], examples: Sequence[Example], encoding: Encoding
) -> list[Prediction]:
    """Written texts, without special tokens and padding."""
    ids = [np.asarray(row["tokens"], dtype=np.int64) for row in rows]
    kept = [row[row >= 0].tolist() for row in ids]  # rows of several batches may be joined with -100
    texts = encoding.tokenizer.batch_decode(kept, skip_special_tokens=True) if kept else []
    keys = [examples[feature["example"]].id for feature in features]
    return [Prediction(id=key, text=text.strip()) for key, text in zip(keys, texts, strict=True)]


def _loss(encoding: Encoding) -> Loss:
    return TokenCrossEntropy(TARGETS)


RECIPE = Recipe(
    auto="AutoModelForSeq2SeqLM",
    encode=encode,
    collate=collate,
    loss=_loss,
    outputs=outputs,
    decode=decode,
    writes=True,
)
