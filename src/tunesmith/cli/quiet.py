"""What other libraries print beside ours: turned off, in the command line only."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from typing import Any

_CHATTER = ("transformers", "datasets", "huggingface_hub", "accelerate", "bitsandbytes", "torch", "kernels", "peft")


def hush() -> None:
    """No progress bars and no notices but errors from the libraries; our warnings as one line on standard error.

    Variables that the user set stay. With TUNESMITH_DEBUG=1 everything speaks.
    """
    if os.environ.get("TUNESMITH_DEBUG", "") not in ("", "0"):
        return
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("DATASETS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")  # unset, it warns at each fork
    for name in _CHATTER:
        logging.getLogger(name).setLevel(logging.ERROR)
    ours = logging.getLogger("tunesmith")
    if not ours.handlers:
        handler = _Stderr()
        handler.setLevel(logging.WARNING)
        handler.setFormatter(logging.Formatter("tunesmith: %(levelname)s: %(message)s"))
        ours.addHandler(handler)
        ours.propagate = False
    warnings.simplefilter("ignore")  # of libraries, to their callers
    warnings.filterwarnings("default", module=r"tunesmith(\.|$)")
    warnings.simplefilter("ignore", ResourceWarning)  # told at the line that ran when something was collected
    warnings.showwarning = _show


class _Stderr(logging.StreamHandler[Any]):
    """Standard error as it is at the time of the line: a progress bar puts its own in the place of it."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> Any:
        return sys.stderr

    @stream.setter
    def stream(self, _: Any) -> None:
        return

    def format(self, record: logging.LogRecord) -> str:
        """One line, its level in lower case."""
        record.levelname = record.levelname.lower()
        return " ".join(super().format(record).split())


def _show(message: Warning | str, *_: Any, **__: Any) -> None:
    print("tunesmith: warning: " + " ".join(str(message).split()), file=sys.stderr)
