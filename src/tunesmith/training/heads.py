"""Models with the right head: labels in the configuration, and a head that fits them, for new and given models."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import fmean, pstdev
from typing import Any, cast

import torch
from torch import nn

from ..data.labels import Kind, Labels
from ..errors import ConfigError
from ..tasks.base import Examples
from . import adapters
from .quantization import unquantized

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
    problem = getattr(config, "problem_type", None)
    same_kind = problem in (None, PROBLEMS.get(labels.kind))
    if labels.kind == "regression":
        return labels, problem == "regression" or (problem is None and len(names) == 1)
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


def relabel(config: Any, labels: Labels, *, classifies_text: bool) -> bool:
    """Write labels into a configuration, in the order of its head; whether that head is kept."""
    labels, kept = aligned(labels, config)
    write_labels(config, labels, classifies_text=classifies_text)
    return kept


def head_modules(model: Any) -> dict[str, nn.Module]:
    """The modules outside the model's body, by name: the task's head, under an adapter its copies too."""
    model = adapters.inner(model)
    body = getattr(model, "base_model", model)
    if body is model:  # the parts of the body lie beside the head, as in T5
        known = _body_names(model)
        return {name: part for name, part in model.named_modules() if adapters.plain_name(name) not in known}
    inside = set(map(id, body.modules()))
    return {name: module for name, module in model.named_modules() if name and id(module) not in inside}


def _body_names(model: Any) -> set[str]:
    """The modules of the model's body, as its architecture names them; all where there is none without a head."""
    from transformers import AutoModel

    try:
        with torch.device("meta"):  # names are wanted, no memory
            bare = AutoModel.from_config(unquantized(model.config))
    except ValueError:
        bare = model
    return {name for name, _ in bare.named_modules()}


def last_layer(model: Any) -> tuple[str, list[nn.Linear]]:
    """The name of the head's last linear layer, and that layer: under an adapter all copies of it."""
    found = head_modules(model).items()
    layers = {name: part for name, part in found if isinstance(part, nn.Linear) and "lora_" not in name}
    last = next(reversed(layers), "")
    plain = adapters.plain_name(last)
    return last, [layer for name, layer in layers.items() if adapters.plain_name(name) == plain]


def renew_head(model: Any, *, new: Iterable[str] = (), start: float | None = None) -> None:
    """Initialize the head again, as the model's own class does, under the current seed.

    new: weights that no file held: a module of these alone has just been initialized, and stays as it is. start: see
    `start_at`.
    """
    model, drawn = adapters.inner(model), set(new)
    for name, module in head_modules(model).items():
        weights: dict[str, Any] = dict(module.named_parameters(prefix=name, recurse=False))
        if "lora_" not in name and set(weights) - drawn:
            for parameter in weights.values():
                parameter._is_hf_initialized = False
            model._init_weights(module)
    start_at(model, start)


def fit_head(model: Any, labels: Labels, *, classifies_text: bool, start: float | None = None) -> None:
    """Give a live model's head as many outputs as there are labels, in place; the rest of the model is untouched.

    Under an adapter it is the head that is saved with it. start: of a last layer that starts anew, see `start_at`.

    Raises:
        ConfigError: no output layer of the current width was found, or an adapter does not hold the head.
    """
    wanted = 1 if labels.kind == "regression" else len(labels.names)
    under = adapters.inner(model)
    name, copies = last_layer(under)
    if not copies:
        raise ConfigError("base", type(under).__name__, "a model whose head ends in a linear layer")
    last = copies[-1]
    _, kept = aligned(labels, under.config)
    kept = kept and last.out_features == wanted
    if under is not model and not adapters.saves(name) and not kept:
        told = "an adapter that was saved with its head; merge this one (merge_adapter) and give the merged model"
        raise ConfigError("base", f"an adapter on a frozen head for {last.out_features} outputs", told)
    if last.out_features != wanted:
        for layer in copies:
            _widen(under, layer, wanted)
        start_at(under, start)
    elif not kept:
        renew_head(under, start=start)
    write_labels(under.config, labels, classifies_text=classifies_text)
    if hasattr(under, "num_labels"):
        under.num_labels = wanted


def start_at(model: Any, number: float | None) -> None:
    """Let a new head of regression answer with about this number before it has learned: see decision 0007.

    None leaves it as it was drawn, as do a head without a bias, of more outputs, or of 16 bits that cannot hold it.
    """
    if number is None:
        return
    with torch.no_grad():
        for layer in last_layer(model)[1]:
            bias = layer.bias
            if bias is not None and len(bias) == 1 and abs(number) <= torch.finfo(bias.dtype).max:
                bias.fill_(number)


def _widen(model: Any, layer: nn.Linear, outputs: int) -> None:
    """A layer with another number of outputs, in place, initialized as the model's own class does."""
    for name, parameter in list(layer.named_parameters()):
        shape = (outputs, *parameter.shape[1:])
        setattr(layer, name, nn.Parameter(parameter.new_empty(shape), requires_grad=parameter.requires_grad))
    layer.out_features = outputs
    with torch.no_grad():
        model._init_weights(layer)


def read_labels(config: Any, *, classifies_text: bool) -> Labels:
    """The labels that a saved configuration names, in the order of its head."""
    names = tuple(str(name) for _, name in sorted((config.id2label or {}).items(), key=_label_id))
    kinds: dict[str, Kind] = {problem: kind for kind, problem in PROBLEMS.items()}
    kind: Kind = kinds.get(getattr(config, "problem_type", None) or "", "single") if classifies_text else "single"
    if classifies_text and len(names) == 1:
        kind = "regression"
    return Labels(kind, () if kind == "regression" else names)


def numbers(train: Examples) -> list[float]:
    """The labels of regression, a number for each row."""
    return [cast(float, example.label) for example in train]


def far_labels(found: Sequence[float]) -> str:
    """What to say of labels whose unit makes them hard to learn: in steps of about 1, and in 16 bits rounded."""
    spread, middle = pstdev(found), fmean(found)
    if 0.1 <= spread <= 10 and abs(middle) <= 10 * spread:
        return ""
    told = f"the labels lie around {middle:.3g}, {spread:.3g} apart: a model learns numbers around 0 and 1 apart sooner"
    return f"{told}; subtract {middle:.3g} and divide by {spread or 1:.3g} before training, and undo it in predictions"
