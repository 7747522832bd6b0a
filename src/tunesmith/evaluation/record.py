"""The files of a finished run: scores, the account of rows, predictions, and the lock."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ..data.columns import gold_role
from ..registry import frameworks
from ..tasks.base import Examples, Prediction
from ..tasks.reading import row_ids
from ..values import describe
from . import scoring

PACKAGES = ("tunesmith", "datasets", "numpy")  # beside those of the framework


def write(run: Any, splits: Mapping[str, Examples], predictions: Mapping[str, Sequence[Prediction]]) -> None:
    """metrics.json, audit.json, predictions.parquet and run.lock; nothing where the run has no folder.

    Language tasks have no predictions.parquet: their rows are joined into blocks, and scored by block.
    """
    folder = run.folder
    for name, scores in run.metrics.items():
        folder.event("evaluate", split=name, metrics=dict(scores))
    if folder.path is None:
        return
    folder.write_json("metrics.json", run.metrics)
    folder.write_json("audit.json", scoring.account(splits))
    folder.write_json("run.lock", lock(run, splits))
    (folder.path / "predictions.parquet").unlink(missing_ok=True)  # of an earlier run in this folder
    if predictions and gold_role(run.task.roles, run.task.optional) is not None:
        rows = [row for name, found in predictions.items() for row in scoring.rows(name, splits[name], found)]
        _parquet(folder.path / "predictions.parquet", rows)
    folder.event("saved", folder=os.fspath(folder.path))


def lock(run: Any, splits: Mapping[str, Examples]) -> dict[str, Any]:
    """What decided this run: settings, data by content, split ids, tokenizer, seed, versions."""
    model = run.framework_model
    packages = (*PACKAGES, *frameworks.get(run.settings.framework).packages)
    return {
        "settings": run.settings.to_dict(),
        "chosen": dict(model.chosen),
        "seed": run.settings.seed,
        "data": {
            name: {"fingerprint": split.fingerprint, "rows": list(row_ids(split))} for name, split in splits.items()
        },
        "tokenizer": model.origin.get("tokenizer"),
        "base": {"name": describe(run.settings.base), "revision": model.origin.get("revision")},
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in packages}},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _parquet(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Row id, split, gold and prediction; what is no string (gold of many forms) is written as JSON."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    plain = [{**row, "id": str(row["id"]), **{k: _cell(row[k]) for k in ("gold", "prediction")}} for row in rows]
    staged = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    pq.write_table(pa.Table.from_pylist(plain), staged)
    os.replace(staged, path)


def _cell(value: Any) -> str | None:
    return value if isinstance(value, str) or value is None else json.dumps(value, ensure_ascii=False)
