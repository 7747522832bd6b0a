"""On which device a run computes: the fastest, the CPU, or the GPU of a number."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from ..errors import ConfigError

_ACCELERATE = "ACCELERATE_TORCH_DEVICE"  # where Accelerate reads it, when the training arguments are made


def check(device: str | int, named: Mapping[str, Any]) -> None:
    """Raises:
    ConfigError: there is no such GPU, or the training arguments say otherwise.
    """
    if isinstance(device, int) and device >= (count := torch.cuda.device_count()):
        there = f"one of the {count} here, from 0" if count else "'auto' or 'cpu': torch finds none here"
        raise ConfigError("device", device, f"the number of a GPU: {there}")
    if device != "auto" and named.get("use_cpu") not in (None, device == "cpu"):
        raise ConfigError("use_cpu", named["use_cpu"], f"nothing else than device={device!r} says, or not to be said")


def arguments(device: str | int) -> dict[str, Any]:
    """The training arguments that a device stands for."""
    return {} if device == "auto" else {"use_cpu": device == "cpu"}


def named(device: str | int) -> str | None:
    """The device as torch calls it; None is the fastest."""
    return {"auto": None, "cpu": "cpu"}.get(str(device), f"cuda:{device}")


@contextmanager
def on(device: str | int) -> Iterator[None]:
    """Training arguments that are made within take this device, where there are several GPUs."""
    before = os.environ.get(_ACCELERATE)
    if isinstance(device, int):
        os.environ[_ACCELERATE] = f"cuda:{device}"
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(_ACCELERATE, None)
        else:
            os.environ[_ACCELERATE] = before


def keep_to(args: Any, device: str | int) -> None:
    """One GPU alone, and this one, where transformers would share batches among all."""
    if isinstance(device, int):
        torch.cuda.set_device(device)
        args.__dict__["_setup_devices"] = torch.device("cuda", device)
        args._n_gpu = 1
