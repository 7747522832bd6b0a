"""What this machine could do at best: operations at its matrix rate, the optimizer's traffic at its memory's rate."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

from . import causal, translation
from .peers import minilm
from .reading import Row, data_folder
from .workloads import WORKLOADS

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
    """Operations a second of a large product in bf16 or fp32, the faster of them, and bytes a second of a copy."""
    import torch

    def product(dtype: torch.dtype) -> float:
        left, right = (torch.randn(SIZE, SIZE, dtype=dtype) for _ in range(2))
        return seconds(lambda: left @ right)

    source = torch.zeros(64 * 2**20)
    target = torch.empty_like(source)
    return {
        "operations_per_s": 2 * SIZE**3 / min(product(torch.bfloat16), product(torch.float32)),
        "bytes_per_s": 2 * 4 * source.numel() / seconds(lambda: target.copy_(source)),
    }


def share(name: str, steps: int, seconds: float) -> dict[str, float]:
    """The limit of `steps` steps of a work load with its base, in seconds, and its share of what was needed."""
    from transformers import AutoConfig, AutoTokenizer

    load = WORKLOADS[name]
    rows = load.read(data_folder()).train[: steps * load.settings["per_device_train_batch_size"]]
    made = {"causal": causal.base, "texts": translation.base}.get(load.kind)
    with tempfile.TemporaryDirectory() as folder:
        base = made(Path(folder), rows) if made is not None else minilm()
        config, tokenizer = AutoConfig.from_pretrained(base), AutoTokenizer.from_pretrained(base)
    longest = load.lengths.get("maxlength", 512)

    def tokens(*texts: list[str]) -> list[int]:
        return [min(len(ids), longest) for ids in tokenizer(*texts, verbose=False)["input_ids"]]

    if load.kind == "texts":
        sizes = zip(*(tokens([row[part] for row in rows]) for part in ("source", "target")), strict=True)
        parts = [written(config, *size) for size in sizes]
        weights = written(config, 1, 1)[0] // 2
    else:
        parts = [forward(config, load.kind, count) for count in tokens(*_texts(rows))]
        weights = config.num_hidden_layers * sum(_layer(config))
        weights += config.hidden_size * config.vocab_size if load.kind == "causal" else 0
    able = machine()
    products, attention = map(sum, zip(*parts, strict=True))
    operations = products * (2 if load.lora else 3) + attention * 3  # backward: of what came in, and of what is trained
    traffic = 0 if load.lora else steps * weights * ADAMW_BYTES
    at_best = operations / able["operations_per_s"] + traffic / able["bytes_per_s"]
    return {"seconds": round(at_best, 3), "share": round(at_best / seconds, 3), **able}


def _layer(config: Any) -> tuple[int, int]:
    """The weights of a layer: those of keys and values, and the others."""
    width = config.hidden_size
    return 2 * width**2, 2 * width**2 + 2 * width * getattr(config, "intermediate_size", 4 * width)


def forward(config: Any, kind: str, tokens: int) -> tuple[int, int]:
    """The operations that a row of so many tokens needs: with weights, and of attention.

    Of its last layer a classifier needs the first token alone.
    """
    (shared, own), layers = _layer(config), config.num_hidden_layers
    read = 1 if kind in CLASSIFIERS else tokens
    head = 2 * tokens * config.hidden_size * config.vocab_size if kind == "causal" else 0
    last = 2 * (tokens * shared + read * own)
    weighed = (layers - 1) * 2 * tokens * (shared + own) + last + head
    return weighed, 4 * config.hidden_size * tokens * ((layers - 1) * tokens + read)


def written(config: Any, source: int, target: int) -> tuple[int, int]:
    """The same of a T5, whose decoder attends to itself and to the source."""
    width, inner, wide = config.d_model, config.num_heads * config.d_kv, 2 * config.d_model * config.d_ff
    encoder = 2 * source * (4 * width * inner + wide)
    decoder = 2 * target * (6 * width * inner + wide) + 4 * source * width * inner
    layers, decoders = config.num_layers, config.num_decoder_layers
    weighed = layers * encoder + decoders * decoder + 2 * target * width * config.vocab_size
    return weighed, 4 * inner * (layers * source**2 + decoders * target * (target + source))


def _texts(rows: Sequence[Row]) -> tuple[list[str], ...]:
    for names in (("text",), ("sentence1", "sentence2"), ("question", "context")):
        if names[0] in rows[0]:
            return tuple([row[name] for row in rows] for name in names)
    return ([" ".join(row["tokens"]) for row in rows],)
