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
    width, layers = config.hidden_size, config.num_hidden_layers
    inner = getattr(config, "intermediate_size", 4 * width)
    body = layers * (4 * width**2 + 2 * width * inner)  # weights that every token meets
    if load.kind == "causal":
        body += width * config.vocab_size
    attention = 4 * layers * width  # operations a token and attended token
    operations = 3 * sum(2 * body * count + attention * count**2 for count in tokens)  # backward is twice forward
    able = machine()
    at_best = operations / able["operations_per_s"] + steps * body * ADAMW_BYTES / able["bytes_per_s"]
    return {"seconds": round(at_best, 3), "share": round(at_best / seconds, 3), **able}


def _texts(rows: Sequence[Row]) -> tuple[list[str], ...]:
    for names in (("text",), ("sentence1", "sentence2"), ("question", "context")):
        if names[0] in rows[0]:
            return tuple([row[name] for row in rows] for name in names)
    return ([" ".join(row["tokens"]) for row in rows],)
