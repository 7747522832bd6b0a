"""The head of a SetFit model as JSON and safetensors: what the library itself pickles."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ArtifactError

TOLD, WEIGHTS = "head.json", "head.safetensors"
STRATEGIES = ("one-vs-rest", "multi-output", "classifier-chain")


def made(strategy: str | None, params: Mapping[str, Any]) -> Any:
    """An untrained logistic regression of scikit-learn; `strategy` is how it learns several labels, None for one."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.multioutput import ClassifierChain, MultiOutputClassifier

    one = LogisticRegression(**params)
    if strategy is None:
        return one
    return dict(zip(STRATEGIES, (OneVsRestClassifier, MultiOutputClassifier, ClassifierChain), strict=True))[strategy](
        one
    )


def differentiable(features: int, labels: int, *, several: bool, device: Any) -> Any:
    """The library's own head: one linear layer of torch."""
    from setfit import SetFitHead
    from torch.nn import Linear

    head = SetFitHead(in_features=features, out_features=max(labels, 2), multitarget=several, device=device)
    if head.out_features != labels:  # the library knows no head of one
        head.linear, head.out_features = Linear(features, labels, device=device), labels
        head.apply(head._init_weight)
    return head


def save(head: Any, strategy: str | None, params: Mapping[str, Any], folder: Path) -> None:
    """Write a trained head."""
    from safetensors.numpy import save_file

    told: dict[str, Any] = {"strategy": strategy, "params": dict(params)}
    if hasattr(head, "linear"):
        layer = head.linear
        told |= {"differentiable": True, "several": head.multitarget}
        arrays = {"weight": layer.weight, "bias": layer.bias}
        arrays = {name: array.detach().cpu().numpy() for name, array in arrays.items()}
    else:
        parts = [head] if strategy is None else head.estimators_
        told["parts"] = [_told(part) for part in parts]
        arrays = {f"{k}.{name}": array for k, part in enumerate(parts) for name, array in _arrays(part).items()}
    (folder / TOLD).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, folder / WEIGHTS)


def load(folder: Path, device: Any) -> tuple[Any, str | None, Mapping[str, Any]]:
    """(head, strategy, params) that `save` wrote.

    Raises:
        ArtifactError: a file is missing or broken.
    """
    from safetensors.numpy import load_file

    try:
        told = json.loads((folder / TOLD).read_text(encoding="utf-8"))
        arrays = load_file(folder / WEIGHTS)
        strategy, params = told["strategy"], told["params"]
        if told.get("differentiable"):
            return _layer(arrays, told["several"], device), strategy, params
        read = [_part(each, k, arrays, params) for k, each in enumerate(told["parts"])]
    except (OSError, ValueError, KeyError) as error:
        raise ArtifactError(folder, f"its head ({TOLD}, {WEIGHTS}) cannot be read: {error}") from error
    return read[0] if strategy is None else _several(strategy, params, read), strategy, params


def _told(part: Any) -> dict[str, Any]:
    """The classes of one regression, or the one answer of a label that all training rows agree on."""
    if hasattr(part, "coef_"):
        return {"classes": part.classes_.tolist()}
    return {"always": int(part.y_[0])}


def _arrays(part: Any) -> dict[str, Any]:
    return {"weight": part.coef_, "bias": part.intercept_} if hasattr(part, "coef_") else {}


def _part(told: Mapping[str, Any], place: int, arrays: Mapping[str, Any], params: Mapping[str, Any]) -> Any:
    if "always" in told:
        from sklearn.multiclass import _ConstantPredictor

        return _ConstantPredictor().fit(np.zeros((1, 1)), np.array([told["always"]]))
    part = made(None, params)
    part.coef_, part.intercept_ = arrays[f"{place}.weight"], arrays[f"{place}.bias"]
    part.classes_, part.n_features_in_ = np.array(told["classes"]), part.coef_.shape[1]
    return part


def _several(strategy: str, params: Mapping[str, Any], parts: Sequence[Any]) -> Any:
    """The head of several labels, its parts trained already."""
    from sklearn.preprocessing import LabelBinarizer

    head = made(strategy, params)
    head.estimators_ = list(parts)
    if strategy == "one-vs-rest":
        rows = np.vstack([np.zeros(len(parts), dtype=int), np.eye(len(parts), dtype=int)])
        head.label_binarizer_ = LabelBinarizer(sparse_output=True).fit(rows)
        head.classes_ = head.label_binarizer_.classes_
    else:
        head.classes_ = [np.array([0, 1])] * len(parts)
    if strategy == "classifier-chain":
        head.order_, head.chain_method_ = np.arange(len(parts)), "predict"
    return head


def _layer(arrays: Mapping[str, Any], several: bool, device: Any) -> Any:
    import torch

    labels, features = arrays["weight"].shape
    head = differentiable(features, labels, several=several, device=device)
    head.linear.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    return head.eval()
