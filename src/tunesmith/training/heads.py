"""Models with the right head: labels in the configuration, and a head that fits them, for new and given models."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from ..data.labels import Kind, Labels
from ..errors import ArtifactError, ConfigError
from .bases import Base

PROBLEMS: dict[Kind, str] = {
    "single": "single_label_classification",
    "multi": "multi_label_classification",
    "regression": "regression",
}
GENERIC = "LABEL_"  # how transformers names the labels that nobody named


def aligned(labels: Labels, config: Any) -> tuple[Labels, bool]:
    """`labels` in the order of an earlier model's head where both have the same names, and whether it is so.

    A head's rows belong to its labels: with the same set in another order, the head is kept and the order follows it.
    """
    names = [str(name) for _, name in sorted((getattr(config, "id2label", None) or {}).items(), key=_label_id)]
    same_kind = getattr(config, "problem_type", None) in (None, PROBLEMS.get(labels.kind))
    if labels.kind == "regression":
        return labels, getattr(config, "problem_type", None) == "regression"
    if same_kind and names and names[0].startswith(GENERIC):  # nobody named them: the count is all there is to go by
        return labels, len(names) == len(labels.names)
    if same_kind and set(names) == set(labels.names):
        return replace(labels, names=tuple(names)), True
    return labels, False


def _label_id(item: tuple[Any, Any]) -> int:
    return int(item[0])


def write_labels(config: Any, labels: Labels, *, classifies_text: bool) -> None:
    """Set the label names (so num_labels) and, for whole texts, the problem type in a configuration."""
    names = labels.names if labels.kind != "regression" else (f"{GENERIC}0",)
    config.id2label = dict(enumerate(names))  # num_labels follows it
    config.label2id = {name: place for place, name in enumerate(names)}
    config.problem_type = PROBLEMS[labels.kind] if classifies_text else None


def load(
    base: Base, auto: str, labels: Labels | None, *, classifies_text: bool, quantization: Any = None, dtype: Any = None
) -> tuple[Any, tuple[str, ...]]:
    """The model of `base` with a head for `labels`, and the names of its modules that start anew.

    A given model is fitted in place and returned itself. An earlier head is kept only where it was for the same
    labels; otherwise it starts anew.

    Raises:
        ArtifactError: the weights cannot be read.
        ConfigError: a given model whose head cannot be changed.
    """
    kept = True
    if labels is not None:
        labels, kept = aligned(labels, base.config)
    if base.model is not None:
        if labels is not None and isinstance(base.model, nn.Module) and hasattr(base.model, "base_model_prefix"):
            fit_head(base.model, labels, classifies_text=classifies_text)
        return base.model, ()
    if labels is not None:
        write_labels(base.config, labels, classifies_text=classifies_text)
    model, missing = _from_pretrained(base, auto, quantization, dtype)
    if labels is not None and not kept:
        renew_head(model)
    return model, tuple(dict.fromkeys(name.rpartition(".")[0] for name in missing))


def _from_pretrained(base: Base, auto: str, quantization: Any, dtype: Any) -> tuple[Any, list[str]]:
    import transformers

    arguments: dict[str, Any] = {"config": base.config, "ignore_mismatched_sizes": True, **base.options}
    if dtype is not None:
        arguments.setdefault("dtype", dtype)
    if quantization is not None:
        arguments["quantization_config"] = quantization
    try:
        with _quietly():
            loader = getattr(transformers, auto)
            model, report = loader.from_pretrained(base.path, output_loading_info=True, **arguments)
            return model, sorted({*report["missing_keys"], *(key for key, *_ in report["mismatched_keys"])})
    except (OSError, ValueError, RuntimeError) as error:
        raise ArtifactError(base.name, f"its weights cannot be loaded for {auto}: {error}") from error


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep back the loader's report: a head that starts anew is what was asked for, and is said in our own words."""
    from transformers.utils import logging

    before, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
        if bars:
            logging.enable_progress_bar()


def head_modules(model: Any) -> dict[str, nn.Module]:
    """The modules outside the model's body, by name: the task's head."""
    body = getattr(model, "base_model", model)
    inside = set(map(id, body.modules()))
    return {name: module for name, module in model.named_modules() if name and id(module) not in inside}


def renew_head(model: Any) -> None:
    """Initialize the head again, as the model's own class does, under the current seed."""
    for module in head_modules(model).values():
        if any(True for _ in module.parameters(recurse=False)):
            for parameter in module.parameters(recurse=False):
                parameter._is_hf_initialized = False  # type: ignore[attr-defined]
            model._init_weights(module)


def fit_head(model: Any, labels: Labels, *, classifies_text: bool) -> None:
    """Give a live model's head as many outputs as there are labels, in place; the rest of the model is untouched.

    Raises:
        ConfigError: no output layer of the current width was found.
    """
    wanted = 1 if labels.kind == "regression" else len(labels.names)
    layers = {name: module for name, module in head_modules(model).items() if isinstance(module, nn.Linear)}
    if not layers:
        raise ConfigError("base", type(model).__name__, "a model whose head ends in a linear layer")
    name, last = list(layers.items())[-1]
    _, kept = aligned(labels, model.config)
    if last.out_features != wanted:
        parent = model.get_submodule(name.rpartition(".")[0]) if "." in name else model
        made = nn.Linear(last.in_features, wanted, bias=last.bias is not None)
        made = made.to(device=last.weight.device, dtype=last.weight.dtype)
        with torch.no_grad():
            model._init_weights(made)
        setattr(parent, name.rpartition(".")[2], made)
    elif not kept:
        renew_head(model)
    write_labels(model.config, labels, classifies_text=classifies_text)
    if hasattr(model, "num_labels"):
        model.num_labels = wanted


def read_labels(config: Any, *, classifies_text: bool) -> Labels:
    """The labels that a saved configuration names, in the order of its head."""
    names = tuple(str(name) for _, name in sorted((config.id2label or {}).items(), key=_label_id))
    kinds: dict[str, Kind] = {problem: kind for kind, problem in PROBLEMS.items()}
    kind: Kind = kinds.get(getattr(config, "problem_type", None) or "", "single") if classifies_text else "single"
    if classifies_text and len(names) == 1:
        kind = "regression"
    return Labels(kind, () if kind == "regression" else names)
