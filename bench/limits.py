"""What this machine could do at best: operations at its matrix rate, the optimizer's traffic at its memory's rate."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

from . import causal
from .peers import minilm
from .workloads import WORKLOADS, Row, data_folder

CLASSIFIERS = ("single", "multi", "regression")  # kinds of work loads
SIZE = 2048  # rows and columns of the matrices that are multiplied
ADAMW_BYTES = 28  # a weight: four numbers of 4 bytes are read (weight, gradient, two moments), three are written


def seconds(work: Callable[[], Any], repeats: int = 7) -> float:
    """The median of a few runs, after one more."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return median(times)


@cache
def machine() -> Mapping[str, float]:
    """Operations a second of a large bf16 product, and bytes a second of a copy, measured now."""
    import torch

    left, right = (torch.randn(SIZE, SIZE, dtype=torch.bfloat16) for _ in range(2))
    source = torch.zeros(64 * 2**20)
    target = torch.empty_like(source)
    return {
        "operations_per_s": 2 * SIZE**3 / seconds(lambda: left @ right),
        "bytes_per_s": 2 * 4 * source.numel() / seconds(lambda: target.copy_(source)),
    }


def share(name: str, steps: int, seconds: float) -> dict[str, float]:
    """The limit of `steps` steps of a work load with its base, in seconds, and its share of what was needed."""
    from transformers import AutoConfig, AutoTokenizer

    load = WORKLOADS[name]
    rows = load.read(data_folder()).train[: steps * load.settings["per_device_train_batch_size"]]
    with tempfile.TemporaryDirectory() as folder:
        base = causal.base(Path(folder), rows) if load.kind == "causal" else minilm()
        config, tokenizer = AutoConfig.from_pretrained(base), AutoTokenizer.from_pretrained(base)
    longest = load.lengths.get("maxlength", 512)
    tokens = [min(len(ids), longest) for ids in tokenizer(*_texts(rows), verbose=False)["input_ids"]]
    operations = 3 * sum(forward(config, load.kind, count) for count in tokens)  # backward is twice forward
    weights = config.num_hidden_layers * sum(_layer(config))
    if load.kind == "causal":
        weights += config.hidden_size * config.vocab_size
    able = machine()
    at_best = operations / able["operations_per_s"] + steps * weights * ADAMW_BYTES / able["bytes_per_s"]
    return {"seconds": round(at_best, 3), "share": round(at_best / seconds, 3), **able}


def _layer(config: Any) -> tuple[int, int]:
    """The weights of a layer: those of keys and values, and the others."""
    width = config.hidden_size
    return 2 * width**2, 2 * width**2 + 2 * width * getattr(config, "intermediate_size", 4 * width)


def forward(config: Any, kind: str, tokens: int) -> int:
    """The operations that a row of so many tokens needs; of its last layer a classifier needs the first token alone."""
    shared, own = _layer(config)
    read = 1 if kind in CLASSIFIERS else tokens
    attention = 4 * config.hidden_size * tokens  # of one token that attends to all
    whole = 2 * tokens * (shared + own) + tokens * attention
    last = 2 * (tokens * shared + read * own) + read * attention
    head = 2 * tokens * config.hidden_size * config.vocab_size if kind == "causal" else 0
    return (config.num_hidden_layers - 1) * whole + last + head


def _texts(rows: Sequence[Row]) -> tuple[list[str], ...]:
    for names in (("text",), ("sentence1", "sentence2"), ("question", "context")):
        if names[0] in rows[0]:
            return tuple([row[name] for row in rows] for name in names)
    return ([" ".join(row["tokens"]) for row in rows],)
