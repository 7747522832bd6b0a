"""Sentence similarity by sentence-transformers: which loss learns which rows, and how alike two texts are found."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from ..config import Settings
from ..data.labels import Labels
from ..errors import ConfigError
from ..folder import RunFolder
from ..tasks.base import Example, Examples, Prediction
from ..training import devices, encoders
from .trained import Trained

Scale = tuple[float, float]
"""The scores, in the user's unit, of a similarity of 0 and of 1."""

LOSSES = {
    "scores": ("CosineSimilarityLoss", "CoSENTLoss", "AnglELoss"),
    "pairs": ("MultipleNegativesRankingLoss", "CachedMultipleNegativesRankingLoss"),
    "triplets": ("MultipleNegativesRankingLoss", "CachedMultipleNegativesRankingLoss", "TripletLoss"),
}
"""The losses of each form of data, the default first."""

NEGATIVE = "negative"  # the field of a triplet's third text
AMONG = 100  # rows whose second texts are set against each other, in the order of the data
_UNIT: Scale = (0.0, 1.0)
_OURS = ("loss", "max_seq_length", "batch_sampler")  # what training arguments do not name


def fit(
    encoder: Any, splits: Mapping[str, Examples], values: Mapping[str, Any], settings: Settings, folder: RunFolder
) -> Trained:
    """Train the encoder.

    Raises:
        ConfigError: a loss for data of another form. TrainingFailed: the library failed.
    """
    train, held = splits["train"], splits.get("validation")
    name = _loss(values["loss"], train.kind)
    scale = scale_of(example.label for example in train) if train.kind == "scores" else _UNIT
    if scale != _UNIT:
        low, high = scale
        folder.note(f"scores from {low:g} to {high:g} are learned as similarities from 0 to 1: numbers, not classes")
    if values["max_seq_length"] is not None:
        encoder.max_seq_length = min(values["max_seq_length"], encoder.max_seq_length or values["max_seq_length"])
    ranks = "NegativesRanking" in name
    sampler = values["batch_sampler"] or ("no_duplicates" if ranks else "batch_sampler")
    told = {key: value for key, value in values.items() if key not in _OURS}
    told |= {"batch_sampler": sampler, "seed": settings.seed, **devices.arguments(settings.device)}
    with encoders.failures("sentence-transformers"), devices.on(settings.device):
        from sentence_transformers.sentence_transformer import losses

        history = encoders.train(
            encoder,
            getattr(losses, name)(encoder),
            _rows(train, scale),
            told,
            folder,
            held=None if held is None or held.kind != train.kind else _rows(held, scale),
        )
    origin = encoders.origin(encoder, settings)
    return trained(
        encoder, train.kind, train.labels, scale, history=history, origin=origin, chosen={"loss": name, "scale": scale}
    )


def trained(encoder: Any, kind: str, labels: Labels | None, scale: Sequence[float], **more: Any) -> Trained:
    """The model around an encoder."""
    return Trained(
        "sentence-transformers",
        "sentence-similarity",
        kind,
        labels,
        encoder,
        _infer,
        _write,
        encoder.tokenizer,
        scored=_scored,
        kept={"scale": list(scale)},
        **more,
    )


def scale_of(scores: Iterable[Any]) -> Scale:
    """The whole numbers around all scores; (0, 1) where they are within -1 and 1, as similarities are."""
    found = [float(score) for score in scores]
    low, high = min(found), max(found)
    if low >= -1 and high <= 1:
        return _UNIT
    low, high = float(math.floor(low)), float(math.ceil(high))
    return (low, high) if high > low else (low, low + 1)


def _loss(named: str | None, kind: str) -> str:
    fitting = LOSSES[kind]
    if named is not None and named not in fitting:
        raise ConfigError("loss", named, f"{' or '.join(fitting)}, for the rows are {kind}")
    return named or fitting[0]


def _rows(examples: Examples, scale: Scale) -> Any:
    """A `Dataset` of texts, anchor first, and of scores in similarities."""
    from datasets import Dataset

    low, high = scale
    columns: dict[str, list[Any]] = {
        "sentence1": [example.text for example in examples],
        "sentence2": [cast(str, example.pair) for example in examples],
    }
    if examples.kind == "triplets":
        columns[NEGATIVE] = [dict(example.fields)[NEGATIVE] for example in examples]
    if examples.kind == "scores":
        columns["score"] = [(cast(float, example.label) - low) / (high - low) for example in examples]
    return Dataset.from_dict(columns)


def _embedded(model: Trained, texts: Sequence[str], batch_size: int) -> Any:
    return model.module.encode(list(texts), batch_size=batch_size, convert_to_tensor=True, show_progress_bar=False)


def _infer(model: Trained, examples: Sequence[Example], batch_size: int) -> list[Prediction]:
    texts = [example.text for example in examples] + [example.pair or "" for example in examples]
    found = _embedded(model, texts, batch_size)
    alike = model.module.similarity_pairwise(found[: len(examples)], found[len(examples) :]).tolist()
    return [Prediction(e.id, value=_in_unit(value, model)) for e, value in zip(examples, alike, strict=True)]


def _in_unit(similarity: float, model: Trained) -> float:
    low, high = model.kept["scale"]
    return float(low + similarity * (high - low))


def _scored(model: Trained, examples: Sequence[Example], batch_size: int) -> list[Prediction]:
    """With `scores` where rows have none of their own: of the second text, and of the most alike wrong one."""
    if examples[0].label is not None:
        return _infer(model, examples, batch_size)
    blocks = [examples[start : start + AMONG] for start in range(0, len(examples), AMONG)]
    return [found for block in blocks for found in _against(model, block, batch_size)]


def _against(model: Trained, block: Sequence[Example], batch_size: int) -> list[Prediction]:
    wrong = [dict(example.fields).get(NEGATIVE) for example in block]
    found = _embedded(model, [e.text for e in block] + [e.pair or "" for e in block], batch_size)
    table = model.module.similarity(found[: len(block)], found[len(block) :])  # (rows, rows)
    right = table.diagonal().tolist()
    if all(text is not None for text in wrong):
        others = _embedded(model, [text or "" for text in wrong], batch_size)
        highest = model.module.similarity_pairwise(found[: len(block)], others).tolist()
    else:
        for at, one in enumerate(block):
            for place, other in enumerate(block):
                if one.text == other.text or one.pair == other.pair:
                    table[at, place] = -math.inf  # no wrong one
        highest = table.max(dim=1).values.tolist()
    return [
        Prediction(
            example.id,
            value=_in_unit(alike, model),
            scores={"positive": alike} if rival == -math.inf else {"positive": alike, NEGATIVE: rival},
        )
        for example, alike, rival in zip(block, right, highest, strict=True)
    ]


def _write(model: Trained, folder: Path) -> None:
    encoders.save(model.module, folder)
