"""The arithmetic of training: what the hardware is fast in, where it costs no quality."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch

from ..errors import ConfigError

NAMES = ("auto", "fp32", "bf16")
PREDICTION = ("fp32", "bf16")
SMALL = 5_000_000  # parameters below which casting costs what bf16 saves


@dataclass(frozen=True)
class Arithmetic:
    """What a run computes in.

    arguments: training arguments for it. cheap: steps may differ from upstream's by their draws and by rounding, where
    that is the faster, see `engine.fast`. told: what to say of it; empty for nothing.
    """

    arguments: Mapping[str, bool] = field(default_factory=dict)
    cheap: bool = False
    told: str = ""


def told_of(args: Any, *, cheap: bool) -> str:
    """How the record of a run names its arithmetic; args: its training arguments."""
    if args.bf16 or args.fp16:
        return "bf16" if args.bf16 else "fp16"
    return "fp32 with cheap dropout" if cheap and args.device.type == "cpu" else "fp32"


def choose(wanted: str, named: Mapping[str, Any], model: Any) -> Arithmetic:
    """The arithmetic of a run for `precision`. Weights stay as they were loaded.

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
        return Arithmetic()
    if wanted == "bf16":
        return Arithmetic({"bf16": True}, told="bf16 arithmetic, weights as loaded")
    if not _gains(model):
        return Arithmetic()
    where = _fast(named)
    if where is None:
        return Arithmetic(cheap=True)
    return Arithmetic({"bf16": True}, told=f"bf16 arithmetic on {where}, fp32 weights (precision=fp32 for none)")


def _fast(named: Mapping[str, Any]) -> str | None:
    """The hardware that is faster in bf16 than in fp32; None where it is not.

    Of CPUs those with AMX, and AMD's with AVX512-BF16: an Intel one without AMX has half of fp32's rate in it.
    """
    if torch.cuda.is_available() and not named.get("use_cpu"):
        return "this GPU" if torch.cuda.is_bf16_supported(including_emulation=False) else None
    other = torch.backends.mps.is_available() or (hasattr(torch, "xpu") and torch.xpu.is_available())
    found = torch.cpu.get_capabilities()
    of_amd = found.get("sse4a")  # no other maker's CPUs have it
    fast = found.get("amx_bf16") or (found.get("avx512_bf16") and of_amd)
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
