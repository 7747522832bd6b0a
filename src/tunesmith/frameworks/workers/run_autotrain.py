"""AutoTrain in its own environment: one training by its command line and a configuration file."""

from __future__ import annotations

import ast
import importlib.util
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import transformers
import yaml
from datasets import ClassLabel, Dataset, DatasetDict, Features, Sequence, Value

_spec = importlib.util.spec_from_file_location("protocol", Path(__file__).with_name("protocol.py"))
assert _spec is not None
assert _spec.loader is not None
protocol = importlib.util.module_from_spec(_spec)
sys.modules["protocol"] = protocol
_spec.loader.exec_module(protocol)

PROJECT = "run"  # letters, digits and hyphens only
_TABLE = re.compile(r"\{'.*\}")  # how the library tells of steps and evaluations
_HEADS = {
    "text-classification": transformers.AutoModelForSequenceClassification,
    "token-classification": transformers.AutoModelForTokenClassification,
}


def fit(channel: Any, request: Any) -> dict[str, Any]:
    """Train; the answer names the folder of the model.

    Raises:
        RuntimeError: the library left no model, whatever its exit code says.
    """
    folder = Path(request["scratch"])
    _with_head(request, folder / "base")
    splits = {name: _dataset(request, request[name]) for name in ("train", "validation") if name in request}
    DatasetDict(splits).save_to_disk(str(folder / PROJECT / "autotrain-data"))
    (folder / "run.yml").write_text(yaml.safe_dump(_configuration(request)), encoding="utf-8")
    steps = math.ceil(len(splits["train"]) / request["params"]["batch_size"])
    told = _run(channel, folder, steps)
    model = folder / PROJECT
    if not (model / "config.json").is_file() or not list(model.glob("model*.safetensors")):
        raise RuntimeError(f"it left no model: {told or 'its log says why'}")
    return {"model": str(model)}


def _with_head(request: Any, folder: Path) -> None:
    """The base with its new head: the library draws one without a seed, unless the base has it."""
    transformers.set_seed(request["seed"])
    labels = request["labels"]
    model = _HEADS[request["task"]].from_pretrained(
        request["base"],
        id2label=dict(enumerate(labels)),
        label2id={label: place for place, label in enumerate(labels)},
        ignore_mismatched_sizes=True,
    )
    model.save_pretrained(folder)
    transformers.AutoTokenizer.from_pretrained(request["base"]).save_pretrained(folder)


def _dataset(request: Any, path: str) -> Any:
    rows, classes = protocol.read(path), ClassLabel(names=request["labels"])
    if request["task"] == "text-classification":
        features = Features({"text": Value("string"), "target": classes})
    else:
        features = Features({"tokens": Sequence(Value("string")), "tags": Sequence(classes)})
    return Dataset.from_dict(rows, features=features)


def _configuration(request: Any) -> dict[str, Any]:
    texts = request["task"] == "text-classification"
    columns = {"text_column": "text", "target_column": "target"}
    return {
        "task": request["task"],
        "base_model": "base",
        "project_name": PROJECT,
        "log": "none",
        "backend": "local",
        "data": {
            "path": f"{PROJECT}/autotrain-data",
            "train_split": "train",
            "valid_split": "validation" if "validation" in request else None,
            "column_mapping": columns if texts else {"tokens_column": "tokens", "tags_column": "tags"},
        },
        "params": request["params"],
    }


def _run(channel: Any, folder: Path, steps: int) -> str:
    """Run the command, telling its progress; what it said of an error last. steps: of an epoch."""
    environment = {**os.environ, "ALLOW_REMOTE_CODE": "false", "PAUSE_ON_FAILURE": "0"}
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("autotrain")), "--config", "run.yml"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        cwd=folder,
        env=environment,
        text=True,
        errors="replace",
    )
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        sys.stderr.write(line)
        if line.startswith("ERROR"):
            said = line.rpartition(" - ")[2].strip()
        elif line.startswith("INFO") and (found := _TABLE.search(line)) is not None:  # a bar tells it once more
            _tell(channel, found.group(), steps)
    process.wait()
    return said


def _tell(channel: Any, text: str, steps: int) -> None:
    try:
        told = ast.literal_eval(text)
    except (ValueError, SyntaxError):  # another table than the trainer's
        return
    step = round(float(told.get("epoch", 0)) * steps)
    numbers = {key: value for key, value in told.items() if isinstance(value, int | float)}
    if "loss" in told:
        channel.event("train", step=step, **numbers)
    elif "eval_loss" in told:
        channel.event("evaluate", step=step, **numbers)


if __name__ == "__main__":
    protocol.Channel().serve({"fit": fit})
