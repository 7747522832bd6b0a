"""Labelled text in, the right trained model out.

The names below are loaded on first use: importing this package does no work and imports no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import samples as samples
    from .api import evaluate, load, predict, train
    from .choosing import choose
    from .config import Settings
    from .errors import (
        ArtifactError,
        ConfigError,
        DataError,
        Diverged,
        FrameworkError,
        MissingCredential,
        NothingToTrain,
        NotInstalled,
        OutOfMemory,
        RowError,
        TrainingFailed,
        TunesmithError,
        UnknownName,
        UnknownSetting,
        UnsupportedTask,
    )
    from .evaluation.choice import Choice
    from .hooks import Hooks
    from .pipeline import HFTrainer
    from .run import Run
    from .tasks.base import Prediction, Span

__version__ = "0.1.0"

__all__ = [
    "train",
    "load",
    "evaluate",
    "predict",
    "choose",
    "HFTrainer",
    "Run",
    "Choice",
    "Prediction",
    "Span",
    "Settings",
    "Hooks",
    "samples",
    "TunesmithError",
    "UnknownName",
    "ConfigError",
    "UnknownSetting",
    "DataError",
    "RowError",
    "NothingToTrain",
    "FrameworkError",
    "NotInstalled",
    "UnsupportedTask",
    "MissingCredential",
    "TrainingFailed",
    "OutOfMemory",
    "Diverged",
    "ArtifactError",
    "__version__",
]

_HOMES = {
    "train": "api",
    "load": "api",
    "evaluate": "api",
    "predict": "api",
    "choose": "choosing",
    "Choice": "evaluation.choice",
    "HFTrainer": "pipeline",
    "Run": "run",
    "Prediction": "tasks.base",
    "Span": "tasks.base",
    "Settings": "config",
    "Hooks": "hooks",
}


def __getattr__(name: str) -> Any:
    if name == "samples":
        value: Any = import_module(".samples", __name__)
    elif name in __all__:
        value = getattr(import_module(f".{_HOMES.get(name, 'errors')}", __name__), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
