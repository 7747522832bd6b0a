"""Our side: `tunesmith.api.train` on the rows of a work load, and its predictions in the peers' form."""

from __future__ import annotations

import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from . import causal, translation
from .reading import Row, Rows
from .workloads import Workload


def ours(load: Workload, rows: Rows, seed: int, *, base: str = "minilm", **more: Any) -> list[Any]:
    """Train and predict the held-out rows. In the group `defaults` no setting but the seed is named."""
    api = import_module("tunesmith.api")  # the peers' runs need no tunesmith

    settings: dict[str, Any] = {"disable_tqdm": True, **load.settings, **more}
    if load.group == "equal":
        settings |= {"defaults": "transformers", **load.lengths}
    if load.kind == "causal":
        return _causal(api, load, rows, {**settings, "seed": seed})
    if load.columns:
        settings["columns"] = load.columns
    if load.lora:
        settings["lora"] = dict(load.lora)
    if load.kind == "texts":
        return _translated(api, load, rows, {**settings, "seed": seed})
    run = api.train(list(rows.train), base=base, task=load.task, output_dir="", seed=seed, **settings)
    predicted = run.predict([_input(load, row) for row in rows.test])
    return [_value(load.kind, prediction, rows.labels) for prediction in predicted]


def _causal(api: Any, load: Workload, rows: Rows, settings: dict[str, Any]) -> list[Any]:
    """Rows packed into blocks, as many tokens a step as the peer's rows have."""
    with tempfile.TemporaryDirectory() as folder:
        base = causal.base(Path(folder), rows.train)
        settings |= {"merge": "pack", "per_device_train_batch_size": causal.blocks(load, rows, base)}
        run = api.train(list(rows.train), base=base, task=load.task, output_dir="", **settings)
        return causal.costs(run.model, run.tokenizer, rows.test)


def _translated(api: Any, load: Workload, rows: Rows, settings: dict[str, Any]) -> list[Any]:
    with tempfile.TemporaryDirectory() as folder:
        base = translation.base(Path(folder), rows.train)
        run = api.train(list(rows.train), base=base, task=load.task, output_dir="", **settings)
        return translation.costs(run.model, run.tokenizer, rows.test)


def _input(load: Workload, row: Row) -> Any:
    """What a user would give for prediction: a text, a pair, words, or a question with its context."""
    if load.kind == "regression":
        return (row["sentence1"], row["sentence2"])
    if load.kind == "answers":
        return {"question": row["question"], "context": row["context"]}
    return {"tokens": row["tokens"]} if load.kind == "tags" else row["text"]


def _value(kind: str, prediction: Any, labels: tuple[str, ...]) -> Any:
    if kind == "single":
        return prediction.label
    if kind == "regression":
        return prediction.value
    if kind == "answers":
        return prediction.answer or ""
    if kind == "tags":
        return list(prediction.tags)
    scores = prediction.scores
    return {"labels": list(prediction.labels), "scores": [float(scores.get(name, 0.0)) for name in labels]}
