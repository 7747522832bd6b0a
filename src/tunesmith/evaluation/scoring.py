"""Scoring a model on a split: predictions once, scores by the task, and where each row went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ..tasks.base import Example, Examples, Prediction, Task
from ..tasks.reading import row_ids


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
            "kept_rows": list(row_ids(examples)),
        }
    return told


def rows(split: str, examples: Examples, predictions: Sequence[Prediction]) -> list[dict[str, Any]]:
    """predictions.parquet: each row's id and split, its gold, and the prediction's plain values."""
    made = []
    for example, prediction in zip(examples, predictions, strict=True):
        told = prediction.to_dict()
        told.pop("id", None)
        made.append({"id": example.id, "split": split, "gold": _gold(example), "prediction": told})
    return made


def _gold(example: Example) -> Any:
    if example.tags is None and example.spans is not None:
        return [{"label": span.label, "start": span.start, "end": span.end} for span in example.spans]
    forms = (example.label, example.tags, example.answers, example.target)
    return next((form for form in forms if form is not None), None)
