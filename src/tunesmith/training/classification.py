"""Text classification: one class, several, or a number; one text or a pair."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from ..tasks.base import Example, Prediction
from ..tasks.text_classification import by_scores
from .batching import pad
from .recipe import Batch, Encoding, Feature, Recipe, Row


def encode(examples: Sequence[Example], encoding: Encoding, gold: bool) -> list[Feature]:
    """One feature an example, cut to `maxlength`; `lost` counts the tokens that did not fit."""
    if not examples:
        return []
    encoded: dict[int, Feature] = {}
    for paired in (False, True):  # a text alone is read the same way whatever stands beside it
        places = [place for place, example in enumerate(examples) if (example.pair is not None) == paired]
        encoded |= zip(places, _encoded([examples[place] for place in places], encoding, paired=paired), strict=True)
    features = []
    for place, example in enumerate(examples):
        feature = encoded[place]
        feature["example"] = place
        size = len(feature["input_ids"])
        if size >= encoding.maxlength:
            whole = encoding.tokenizer(example.text, example.pair, truncation=False, verbose=False)
            feature["lost"] = len(whole["input_ids"]) - size
        if gold:
            assert encoding.labels is not None
            assert example.label is not None
            feature["labels"] = encoding.labels.encode(example.label)
        features.append(feature)
    return features


def _encoded(examples: Sequence[Example], encoding: Encoding, *, paired: bool) -> list[Feature]:
    if not examples:
        return []
    texts, pairs = [example.text for example in examples], [example.pair for example in examples]
    found = encoding.tokenizer(texts, pairs if paired else None, truncation=True, max_length=encoding.maxlength)
    return [{key: found[key][place] for key in found} for place in range(len(examples))]


def collate(encoding: Encoding) -> Callable[[list[Feature]], Batch]:
    """Batches padded to their longest row; labels are class ids (long), or a float a label, or a float."""
    return partial(_batch, encoding)


def _batch(encoding: Encoding, features: list[Feature]) -> Batch:
    dtype = torch.long if encoding.kind == "single" else torch.float32
    made = pad(features, encoding, extra={})
    if features and features[0].get("labels") is not None:
        made["labels"] = torch.tensor(np.asarray([feature["labels"] for feature in features]), dtype=dtype)
    return made


class ClassificationLoss:
    """Cross-entropy (one class), binary cross-entropy a label (several), squared error (a number)."""

    targets: tuple[str, ...] = ("labels",)

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def count(self, batch: Batch) -> torch.Tensor:
        """Rows, or rows times labels where there are several: what the mean is taken over."""
        return torch.tensor(float(batch["labels"].numel()), device=batch["labels"].device)

    def __call__(self, outputs: Any, targets: Batch, count: torch.Tensor | None = None) -> torch.Tensor:
        logits, labels = outputs.logits.float(), targets["labels"]  # (batch, labels); (batch,) or (batch, labels)
        if self.kind == "single":
            total = functional.cross_entropy(logits, labels, reduction="sum")
        elif self.kind == "multi":
            total = functional.binary_cross_entropy_with_logits(logits, labels.float(), reduction="sum")
        else:
            total = functional.mse_loss(logits.squeeze(-1), labels.float(), reduction="sum")
        return total / (labels.numel() if count is None else count)


def outputs(model: torch.nn.Module, batch: Batch, encoding: Encoding) -> Batch:
    """scores: (batch, labels), logits."""
    inputs = {key: value for key, value in batch.items() if key != "labels"}
    return {"scores": model(**inputs).logits}


def decode(
    rows: list[Row], features: list[Feature], examples: Sequence[Example], encoding: Encoding
) -> list[Prediction]:
    """Probabilities by the user's names, in the user's order."""
    if not rows:
        return []
    logits = np.stack([row["scores"] for row in rows]).astype(np.float64)  # (rows, labels)
    ids = [examples[feature["example"]].id for feature in features]
    if encoding.kind == "regression":
        return [Prediction(id=key, value=float(row[0])) for key, row in zip(ids, logits, strict=True)]
    assert encoding.labels is not None
    names = encoding.labels.names
    several = encoding.kind == "multi"
    if several:
        chances = 1 / (1 + np.exp(-logits))
    else:
        exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
        chances = exponents / exponents.sum(axis=1, keepdims=True)
    scores = (dict(zip(names, row, strict=True)) for row in chances.tolist())
    return [by_scores(key, each, several=several) for key, each in zip(ids, scores, strict=True)]


RECIPE = Recipe(
    auto="AutoModelForSequenceClassification",
    encode=encode,
    collate=collate,
    loss=lambda encoding: ClassificationLoss(encoding.kind),
    outputs=outputs,
    decode=decode,
)
