"""The arithmetic of training: what the hardware is fast in, where it costs no quality."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from ..errors import ConfigError

NAMES = ("auto", "fp32", "bf16")
PREDICTION = ("fp32", "bf16")
SMALL = 5_000_000  # parameters below which casting costs what bf16 saves


def choose(wanted: str, named: Mapping[str, Any], model: Any) -> tuple[dict[str, Any], str]:
    """Training arguments for `precision`, and what to say of them (empty: nothing). Weights stay as they were loaded.

    named: the user's training arguments; bf16 and fp16 among them win over 'auto', and so does DeepSpeed's own file.

    Raises:
        ConfigError: 'bf16' or 'fp32' beside an argument that says otherwise.
    """
    said = {name: bool(named[name]) for name in ("bf16", "fp16") if named.get(name) is not None}
    if said and wanted != "auto":
        agrees = said.get("bf16", wanted == "bf16") == (wanted == "bf16") and not said.get("fp16")
        if not agrees:
            raise ConfigError("precision", wanted, f"'auto', or no {' and '.join(said)} beside it")
    if said or wanted == "fp32" or (wanted == "auto" and named.get("deepspeed")):
        return {}, ""
    if wanted == "bf16":
        return {"bf16": True}, "bf16 arithmetic, weights as loaded"
    where = _fast(named)
    if where is None or not _gains(model):
        return {}, ""
    return {"bf16": True}, f"bf16 arithmetic on {where}, fp32 weights (precision=fp32 for none)"


def _fast(named: Mapping[str, Any]) -> str | None:
    """The hardware that is faster in bf16 than in fp32; None where it is not."""
    if torch.cuda.is_available() and not named.get("use_cpu"):
        return "this GPU" if torch.cuda.is_bf16_supported(including_emulation=False) else None
    other = torch.backends.mps.is_available() or (hasattr(torch, "xpu") and torch.xpu.is_available())
    found = torch.cpu.get_capabilities()
    fast = found.get("avx512_bf16") or found.get("amx_bf16")
    return "this CPU" if fast and (named.get("use_cpu") or not other) else None


def _gains(model: Any) -> bool:
    """Whether the model is large enough, and all of it in fp32: half weights and quantized ones have their own type."""
    if not hasattr(model, "config") or getattr(model, "is_quantized", False):
        return False
    parameters = list(model.parameters())
    return sum(each.numel() for each in parameters) >= SMALL and all(each.dtype == torch.float32 for each in parameters)


@contextmanager
def predicting(model: Any, wanted: str) -> Iterator[None]:
    """Predictions are computed in this arithmetic meanwhile: 'fp32' is that of the weights as they are.

    Raises:
        ConfigError: neither of `PREDICTION`.
    """
    if wanted not in PREDICTION:
        raise ConfigError("precision", wanted, f"one of {', '.join(PREDICTION)}, to predict in")
    device = next(model.parameters()).device.type
    with torch.autocast(device, torch.bfloat16, enabled=wanted == "bf16"):
        yield
