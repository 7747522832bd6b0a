"""What a saved model needs, beside its weights, to read text as it was trained to: tunesmith.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import model_file
from ..data.labels import Labels
from ..errors import ArtifactError
from ..folder import RunFolder
from . import adapters, heads, quantization, session
from .bases import ADAPTER_FILE, Base
from .electra import HALVES
from .recipe import Encoding

_KEPT = ("kind", "maxlength", "stride", "prefix", "merge", "seed", "mlm_probability")


def write(folder: Path, task: str, model: Any, encoding: Encoding) -> None:
    """tunesmith.json: the task, its kind and labels, and the settings that decide how text is read.

    Beside an adapter goes the whole model's config.json, which PEFT does not save: the labels are in it. How its base
    was quantized stands in tunesmith.json: in config.json it would say so of the base's files, which are not.
    """
    labels = encoding.labels
    told = {
        "task": task,
        "framework": "transformers",
        "labels": None if labels is None else labels.to_dict(),
        **{name: getattr(encoding, name) for name in _KEPT},
        "generation": dict(encoding.generation),
    }
    if adapters.adapted(model):
        bits = quantization.told(adapters.inner(model))
        config = model.config if bits is None else quantization.unquantized(model.config)
        config.save_pretrained(folder)
        told["quantization"] = bits
    beside = adapters.base_beside(model, folder)
    if beside is not None:
        told["base"] = beside
    _clean(folder, model)
    for name, half in zip(HALVES, model.base_models() if hasattr(model, "base_models") else (), strict=False):
        _clean(folder / name, half)
    model_file.write(folder, told)


def _clean(folder: Path, model: Any) -> None:
    """Remove what an earlier run left that a loader would take in the place of `model`."""
    whole = not (adapters.adapted(model) or hasattr(model, "base_models"))
    for stale in folder.glob("adapter_*" if whole else "model*.safetensors*"):
        stale.unlink()


def encoding_of(task: str, base: Base, told: Mapping[str, Any] | None) -> Encoding:
    """How a saved model reads text: as `told`, or, for a model of another tool, as its configuration lets one guess."""
    if told is not None:
        labels = None if told["labels"] is None else Labels.from_dict(told["labels"])
        kept = {name: told[name] for name in _KEPT}
        return Encoding(base.tokenizer, labels, generation=told["generation"], **kept)
    classifies = task == "text-classification"
    labels = heads.read_labels(base.config, classifies_text=classifies)
    kinds = {"text-classification": labels.kind, "token-classification": "tags", "question-answering": "answerable"}
    limit = session.max_length(None, base, RunFolder())
    named = labels if classifies or task == "token-classification" else None
    return Encoding(base.tokenizer, named, kinds.get(task, ""), limit)


def task_of(folder: str | Path) -> str:
    """The task of a model saved by another tool, from the architecture its configuration names.

    Raises:
        ArtifactError: there is no model, or its architecture belongs to no task.
    """
    if not Path(folder).is_dir():
        raise ArtifactError(folder, "no such run: expected the folder of a trained model")
    try:
        config = json.loads(Path(folder, "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        beside = f" (it holds an {ADAPTER_FILE}: say its task)" if Path(folder, ADAPTER_FILE).is_file() else ""
        raise ArtifactError(folder, f"has no readable config.json: it is no trained model{beside}") from error
    architecture = (config.get("architectures") or [""])[0]
    endings = {
        "ForSequenceClassification": "text-classification",
        "ForTokenClassification": "token-classification",
        "ForQuestionAnswering": "question-answering",
        "ForConditionalGeneration": "sequence-sequence",
        "ForCausalLM": "language-generation",
        "LMHeadModel": "language-generation",
        "ForMaskedLM": "language-modeling",
    }
    for ending, task in endings.items():
        if architecture.endswith(ending):
            return task
    raise ArtifactError(folder, f"its architecture {architecture!r} does not tell its task: say task=…")
