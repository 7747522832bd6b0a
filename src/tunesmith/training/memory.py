"""Whether a step's activations fit in memory: if not, they are computed twice instead of held."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from .sampling import lengths

SETTINGS = ("activation_checkpointing", "gradient_checkpointing")  # a user's own word on it
BYTES = {False: 100, True: 80}  # held for a token, a layer and a unit of width, by half precision; docs/log.md
STATES = 12  # bytes a trained weight: its gradient and AdamW's two moments
SHARE = 0.9  # of what is free that may be taken


def choose(named: Mapping[str, Any], model: Any, features: Any, *, half: bool) -> tuple[dict[str, Any], str]:
    """Training arguments that save memory, and what to say of them (empty: nothing).

    named: the user's training arguments; what they say of checkpointing wins. features: their longest row decides.
    half: whether arithmetic is in 16 bits.
    """
    if any(named.get(name) is not None for name in SETTINGS) or named.get("deepspeed") or named.get("fsdp"):
        return {}, ""
    able = getattr(model, "supports_gradient_checkpointing", False)
    rows = int(named.get("per_device_train_batch_size") or 8)
    free = available(use_cpu=bool(named.get("use_cpu")))
    if not able or free is None or "input_ids" not in features.column_names:
        return {}, ""
    held = activations(model, rows * int(lengths(features).sum(axis=1).max()), half=half)
    states = STATES * sum(each.numel() for each in model.parameters() if each.requires_grad)
    if held + states <= SHARE * free:
        return {}, ""
    room = max(free - states, 0) / 1e9
    told = f"activations of up to {held / 1e9:.1f} GB do not fit in {room:.1f} GB beside the weights"
    return {SETTINGS[0]: True}, f"{told}: they are computed twice (activation_checkpointing=False to hold them)"


def activations(model: Any, tokens: int, *, half: bool) -> int:
    """Bytes that a forward pass of so many tokens holds for its gradient, roughly: 0 where the sizes are not known.

    By the models' usual names of sizes, attention without its scores (SDPA). Measured, they are two thirds to one and
    a half times as many.
    """
    config = model.config
    text = config.get_text_config() if hasattr(config, "get_text_config") else config
    width, layers = (int(getattr(text, name, 0) or 0) for name in ("hidden_size", "num_hidden_layers"))
    logits = 4 * tokens * int(getattr(text, "vocab_size", 0) or 0) if _predicts_tokens(model) else 0
    return tokens * width * layers * BYTES[half] + (logits if width and layers else 0)


def _predicts_tokens(model: Any) -> bool:
    find = getattr(model, "get_output_embeddings", None)
    return find is not None and find() is not None


def available(*, use_cpu: bool = False) -> int | None:
    """Bytes that this process may still take where training runs; None where that is not known."""
    if torch.cuda.is_available() and not use_cpu:
        return int(torch.cuda.mem_get_info()[0])
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
        limit = _of_group()
    except (OSError, StopIteration, ValueError):
        return None
    return min(free, limit if limit is not None else free) // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def _of_group() -> int | None:
    """What the process's container leaves, where it has a limit."""
    group = Path("/sys/fs/cgroup")
    limit = group / "memory.max"
    if not limit.is_file() or (said := limit.read_text(encoding="ascii").strip()) == "max":
        return None
    stat = dict(line.split() for line in (group / "memory.stat").read_text(encoding="ascii").splitlines())
    used = int((group / "memory.current").read_text(encoding="ascii")) - int(stat.get("inactive_file", 0))
    return max(int(said) - used, 0)


def advice(named: Mapping[str, Any]) -> str:
    """What to do where memory ran out in spite of it."""
    batch = named.get("per_device_train_batch_size", 8)
    return (
        f"memory ran out at batch size {batch}: halve per_device_train_batch_size and double "
        "gradient_accumulation_steps (the result stays the same), or set maxlength lower"
    )
