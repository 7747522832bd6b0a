"""Scoring a model on a split: predictions once, scores by the task, and where each row went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ..tasks.base import Examples, Prediction, Task


def score(model: Any, task: Task, examples: Examples) -> tuple[dict[str, float], list[Prediction]]:
    """The task's scores on `examples`, and the predictions they come from, in the same order."""
    predictions: list[Prediction] = model.predictions(examples)
    return task.score(examples, predictions), predictions


def account(splits: Mapping[str, Examples]) -> dict[str, Any]:
    """audit.json: for every split, each input row's one outcome."""
    told = {}
    for name, examples in splits.items():
        whole = asdict(examples.account)
        told[name] = {
            "rows": examples.account.total,
            "kept": examples.account.kept,
            "left_out": whole["left_out"],
            "truncated": {str(row): lost for row, lost in whole["truncated"].items()},
            "fingerprint": examples.fingerprint,
            "kept_rows": [example.id for example in examples],
        }
    return told


def rows(examples: Examples, predictions: Sequence[Prediction]) -> list[dict[str, Any]]:
    """predictions.parquet: row id, gold and the prediction's plain values."""
    made = []
    for example, prediction in zip(examples, predictions, strict=False):
        told = prediction.to_dict()
        told.pop("id", None)
        gold: Any = example.label if example.label is not None else example.tags or example.answers or example.target
        made.append({"id": example.id, "gold": gold, "prediction": told})
    return made
