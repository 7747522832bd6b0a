"""A question on the terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable

_YES = ("y", "yes")


def asker() -> Callable[[str], bool] | None:
    """What asks whether rows may leave this machine; None where nobody sits at the terminal."""
    streams = (sys.stdin, sys.stderr)
    return _ask if all(stream is not None and stream.isatty() for stream in streams) else None


def _ask(told: str) -> bool:
    print(f"{told}\nUpload? [y/N]", file=sys.stderr, flush=True)  # a whole line: bars may be drawn below it
    return sys.stdin.readline().strip().lower() in _YES
