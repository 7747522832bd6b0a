"""Text classification by SetFit: an encoder trained on pairs of rows, and a head on its embeddings."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..config import Settings
from ..data.labels import Labels
from ..errors import ConfigError, TrainingFailed
from ..folder import RunFolder
from ..tasks.base import Example, Examples, Prediction
from ..tasks.text_classification import by_scores
from ..training import devices, encoders
from ..training.pairs import Pairs, grouped
from . import setfit_text_head as heads
from .base import TEXT
from .trained import Trained

CONFIG = "config_setfit.json"  # the library's name
OF_PAIRS = ("CosineSimilarityLoss", "ContrastiveLoss", "OnlineContrastiveLoss")
OF_BATCHES = (
    "SupConLoss",
    "BatchAllTripletLoss",
    "BatchHardTripletLoss",
    "BatchSemiHardTripletLoss",
    "BatchHardSoftMarginTripletLoss",
)


def fit(encoder: Any, examples: Examples, values: Mapping[str, Any], settings: Settings, folder: RunFolder) -> Trained:
    """Train the encoder, then the head.

    Raises:
        ConfigError: a loss of single labels for rows of several. TrainingFailed: the library failed.
    """
    from setfit import SetFitModel
    from transformers import set_seed

    labels = examples.labels
    assert labels is not None
    texts = [example.text for example in examples]
    gold = np.array([labels.encode(example.label) for example in examples if example.label is not None])
    several = labels.kind == "multi"
    gold = gold.astype(bool if several else np.int64)
    strategy = values["multi_target_strategy"] if several else None
    if values["max_length"] is not None:
        encoder.max_seq_length = min(values["max_length"], encoder.max_seq_length or values["max_length"])
    with encoders.failures("setfit"):
        history = _train_body(encoder, texts, Pairs(gold), values, settings, folder)
        set_seed(settings.seed)
        model = SetFitModel(
            encoder,
            _head(encoder, labels, strategy, values),
            strategy,
            values["normalize_embeddings"],
            None if several else list(labels.names),
        )
        _train_head(model, texts, gold.astype(int), values)
    kept = {"head_params": dict(values["head_params"] or {})}
    origin = encoders.origin(encoder, settings)
    return _trained(model, labels, kept, history=history, origin=origin)


def load(folder: Path, labels: Labels, told: Mapping[str, Any], options: Mapping[str, Any] | None) -> Trained:
    """A saved model.

    Raises:
        ArtifactError: its files are missing.
    """
    from setfit import SetFitModel

    encoder = encoders.load(folder, options)
    head, strategy, _ = heads.load(folder, encoder.device)
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    model = SetFitModel(encoder, head, strategy, config["normalize_embeddings"], config["labels"])
    return _trained(model, labels, {"head_params": told["head_params"]})


def _trained(model: Any, labels: Labels, kept: Mapping[str, Any], **more: Any) -> Trained:
    tokenizer = model.model_body.tokenizer
    return Trained("setfit", TEXT, labels.kind, labels, model, _infer, _write, tokenizer, kept=kept, **more)


def _pair(value: Any) -> tuple[Any, Any]:
    """The value of the first phase and of the second; one value is of both."""
    return (value[0], value[1]) if isinstance(value, list | tuple) else (value, value)


def _train_body(
    encoder: Any, texts: Sequence[str], pairs: Pairs, values: Mapping[str, Any], settings: Settings, folder: RunFolder
) -> tuple[Mapping[str, Any], ...]:
    """What was logged. The rows are streamed: memory is that of the texts, however many pairs they make."""
    from datasets import Features, IterableDataset, Value

    (batch, _), (epochs, _) = _pair(values["batch_size"]), _pair(values["num_epochs"])
    if values["loss"] in OF_PAIRS:
        alike, unlike = pairs.amounts(values["sampling_strategy"], values["num_iterations"])
        each, columns = alike + unlike, ["sentence_1", "sentence_2", "label"]

        def rows() -> Iterator[dict[str, Any]]:
            for one, other, label in pairs.stream(alike, unlike, settings.seed):
                yield dict(zip(columns, (texts[one], texts[other], label), strict=True))
    else:
        each, columns = len(texts), ["sentence", "label"]

        def rows() -> Iterator[dict[str, Any]]:
            for place in grouped(pairs.gold, values["samples_per_label"], settings.seed):
                yield {"sentence": texts[place], "label": int(pairs.gold[place])}

    types = {name: Value("string") for name in columns}
    types["label"] = Value("float32" if values["loss"] in OF_PAIRS else "int64")
    steps = values["max_steps"] if values["max_steps"] > 0 else math.ceil(each / batch) * epochs
    if steps == 0:
        return ()
    folder.note(f"setfit: {steps} steps of {batch} {'pairs' if values['loss'] in OF_PAIRS else 'rows'}")
    made = IterableDataset.from_generator(rows, features=Features(types))
    told = {
        "max_steps": steps,
        "per_device_train_batch_size": batch,
        "learning_rate": _pair(values["body_learning_rate"])[0],
        "warmup_steps": math.ceil(steps * values["warmup_proportion"]),
        "weight_decay": values["l2_weight"] or 0.0,
        "fp16": values["use_amp"],
        "logging_steps": values["logging_steps"],
        "seed": settings.seed,
        **devices.arguments(settings.device),
    }
    with devices.on(settings.device):
        return encoders.train(encoder, _loss(encoder, pairs, values), made, told, folder, epochs=steps * batch / each)


def _train_head(model: Any, texts: Sequence[str], gold: Any, values: Mapping[str, Any]) -> None:
    """gold: class ids, (rows,), or zeros and ones, (rows, labels).

    Raises:
        TrainingFailed: every row has the one label that there is.
    """
    if gold.shape[1:] == (1,) and gold.all():
        raise TrainingFailed("setfit learns nothing where every row has the one label: add rows without it.")
    if model.has_differentiable_head:
        model.fit(texts, gold.tolist(), **_of_head(values))
    else:  # the library hands lists of lists to scikit-learn, which are no table where each has one number
        model.model_head.fit(model.encode(texts, show_progress_bar=False), gold)


def _loss(encoder: Any, pairs: Pairs, values: Mapping[str, Any]) -> Any:
    from sentence_transformers.sentence_transformer import losses
    from setfit.losses import SupConLoss

    from ..training.encoder_trainer import Distinct

    name = values["loss"]
    if name in OF_BATCHES and pairs.gold.ndim > 1:
        raise ConfigError("loss", name, f"one of {', '.join(OF_PAIRS)}, where rows have several labels")
    if name == "SupConLoss":
        return SupConLoss(model=encoder)
    options: dict[str, Any] = {}
    if name in OF_BATCHES:
        options["distance_metric"] = getattr(losses.BatchHardTripletLossDistanceFunction, values["distance_metric"])
        if name != "BatchHardSoftMarginTripletLoss":
            options["margin"] = values["margin"]
    loss = getattr(losses, name)(encoder, **options)
    return Distinct(loss) if name in OF_PAIRS else loss


def _head(encoder: Any, labels: Labels, strategy: str | None, values: Mapping[str, Any]) -> Any:
    if values["use_differentiable_head"]:
        features = encoder.get_embedding_dimension()
        return heads.differentiable(features, len(labels), several=strategy is not None, device=encoder.device)
    return heads.made(strategy, values["head_params"] or {})


def _of_head(values: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of the second phase, as `SetFitModel.fit` names them; a logistic regression reads none."""
    return {
        "num_epochs": _pair(values["num_epochs"])[1],
        "batch_size": _pair(values["batch_size"])[1],
        "body_learning_rate": _pair(values["body_learning_rate"])[1],
        "head_learning_rate": values["head_learning_rate"],
        "end_to_end": values["end_to_end"],
        "l2_weight": values["l2_weight"],
        "show_progress_bar": False,
    }


def _infer(model: Trained, examples: Sequence[Example], batch_size: int) -> list[Prediction]:
    labels = model.labels
    assert labels is not None
    head = model.module.model_head
    chances = np.asarray(
        model.module.predict_proba([e.text for e in examples], batch_size, as_numpy=True, show_progress_bar=False)
    )
    several = labels.kind == "multi"
    if several:
        whole = chances[..., -1] if chances.ndim == 3 else chances[:, -len(labels) :]  # one label has two columns
    else:
        whole = np.zeros((len(examples), len(labels)))  # a class that no training row has keeps 0
        whole[:, getattr(head, "classes_", np.arange(len(labels)))] = chances
    scores = (dict(zip(labels.names, row, strict=True)) for row in whole.tolist())
    return [by_scores(e.id, each, several=several) for e, each in zip(examples, scores, strict=True)]


def _write(model: Trained, folder: Path) -> None:
    whole = model.module
    encoders.save(whole.model_body, folder)
    told = {"normalize_embeddings": whole.normalize_embeddings, "labels": whole.labels}
    (folder / CONFIG).write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    heads.save(whole.model_head, whole.multi_target_strategy, model.kept["head_params"], folder)
