"""Token detection: both halves of an ELECTRA pair opened, trained and scored; any encoder is a base."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ..errors import ConfigError
from ..tasks.base import Example, Prediction, Span
from . import predictor, weights
from .bases import Base, open_base
from .batching import IGNORED
from .electra import HALVES, DetectionLoss, TokenDetection, parts
from .language import encode_masked, masked_batches, merge
from .recipe import Batch, Encoding, Feature, Recipe, Row

REPLACED = "replaced"
GENERATOR_WIDTH = 2  # a new generator is this many times narrower than the discriminator: the paper's best are 2 to 4


def load(base: Base) -> TokenDetection:
    """The model of a base: a saved pair, a live `TokenDetection`, or any encoder, which both halves start from.

    Raises:
        ConfigError: a live model of another kind.
        ArtifactError: weights that cannot be read.
    """
    if isinstance(base.model, TokenDetection):
        return base.model
    if base.model is not None:
        raise ConfigError("base", type(base.model).__name__, "a name, a path, or (TokenDetection(…), tokenizer)")
    folder = Path(base.path or "")
    saved = all(Path(folder, name).is_dir() for name in HALVES)
    made = {name: _half(open_base(str(folder / name), "token-detection") if saved else base, name) for name in HALVES}
    model = TokenDetection(made["generator"][0], made["discriminator"][0], base.tokenizer)
    model.fresh = {name: fresh for name, (_, fresh) in made.items()}
    return model


def _half(base: Base, name: str) -> tuple[Any, tuple[str, ...]]:
    whole = base.adapter is None  # master weights: a 16-bit checkpoint that is trained whole is so in 32 bits
    options = {"dtype": torch.float32, **base.options} if whole else base.options
    base = replace(base, config=deepcopy(base.config), options=options)
    auto = "AutoModelForMaskedLM" if name == "generator" else _judge_of(base.config)
    return weights.load(base, auto, None, classifies_text=False, trainable=True)


def _judge_of(config: Any) -> str:
    """The class of a discriminator; ELECTRA has its own, others get a token-classification head of one label."""
    if config.model_type == "electra":
        return "AutoModelForPreTraining"
    config.id2label, config.label2id = {0: REPLACED}, {REPLACED: 0}
    return "AutoModelForTokenClassification"


def untrained(config: Any, tokenizer: Any) -> TokenDetection:
    """A pair of new models; where embeddings have a width of their own (ELECTRA), the generator is narrower."""
    import transformers

    small, judge = deepcopy(config), deepcopy(config)
    if getattr(config, "embedding_size", None):
        small.hidden_size = config.hidden_size // GENERATOR_WIDTH
        small.intermediate_size = config.intermediate_size // GENERATOR_WIDTH
        small.num_attention_heads = max(1, config.num_attention_heads // GENERATOR_WIDTH)
    auto = _judge_of(judge)
    generator = transformers.AutoModelForMaskedLM.from_config(small)
    return TokenDetection(generator, getattr(transformers, auto).from_config(judge), tokenizer)


def encode(examples: Sequence[Example], encoding: Encoding, gold: bool) -> list[Feature]:
    """Rows of tokens, to be masked when batched; without gold, each cut to `maxlength` and left as it is."""
    if gold:
        return encode_masked(examples, encoding, gold)
    features = encode_masked(examples, replace(encoding, merge=None), gold)
    return [{**feature, "plain": True} for feature in features]


def loss(encoding: Encoding) -> DetectionLoss:
    return DetectionLoss()


def outputs(model: nn.Module, batch: Batch, encoding: Encoding) -> Batch:
    """Of each token, its chance to be replaced, and whether it was; of each row, the discriminator's nats."""
    found = model(**batch)
    scores = torch.sigmoid(found["logits"].float())
    if "labels" not in batch:
        return {"scores": scores}
    _, judged = parts(found)
    replaced = found["replaced"]
    return {"scores": scores, "replaced": replaced, "nll": judged.sum(1), "tokens": replaced.ne(IGNORED).sum(1)}


def decode(
    rows: list[Row], features: list[Feature], examples: Sequence[Example], encoding: Encoding
) -> list[Prediction]:
    """Scored: the discriminator's loss and `detections`, special tokens left out. Else: `spans` judged replaced."""
    special = np.asarray(encoding.tokenizer.all_special_ids)
    predictions = []
    for row, feature in zip(rows, features, strict=True):
        example, ordinary = examples[feature["example"]], ~np.isin(feature["input_ids"], special)
        if feature.get("plain", False):
            predictions.append(_spotted(example, row["scores"], encoding))
            continue
        pairs = zip(row["scores"][ordinary].tolist(), row["replaced"][ordinary].tolist(), strict=True)
        tokens = int(row["tokens"])
        predictions.append(
            Prediction(
                id=example.id,
                loss=float(row["nll"]) / max(tokens, 1),
                tokens=tokens,
                detections=tuple((score, bool(truth)) for score, truth in pairs),
            )
        )
    return predictions


def _spotted(example: Example, scores: Any, encoding: Encoding) -> Prediction:
    read = encoding.tokenizer(
        encoding.prefix + example.text,
        example.pair,
        truncation=True,
        max_length=encoding.maxlength,
        return_offsets_mapping=True,
        return_special_tokens_mask=True,
    )
    spans = [
        Span(REPLACED, start - len(encoding.prefix), end - len(encoding.prefix), float(score))
        for score, (start, end), special, part in zip(
            scores, read["offset_mapping"], read["special_tokens_mask"], read.sequence_ids(), strict=False
        )
        if not special and part == 0 and score >= 0.5 and start >= len(encoding.prefix)
    ]
    return Prediction(id=example.id, spans=tuple(spans), score=float(np.max(scores, initial=0.0)))


def respond(model: nn.Module, texts: Sequence[Example], encoding: Encoding, batch_size: int) -> list[Prediction]:
    """What of each text looks replaced, in `spans` of characters; `score` is the highest of any token."""
    features = encode(texts, encoding, False)
    rows, _ = predictor.run(model, features, DETECTION, encoding, batch_size=batch_size)
    return decode(rows, features, texts, encoding)


DETECTION = Recipe(
    "AutoModelForMaskedLM",
    encode,
    masked_batches,
    loss,
    outputs,
    decode,
    merge=merge,
    per_token=("scores", "replaced"),
    respond=respond,
    load=load,
)
