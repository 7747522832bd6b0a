"""What `repr` of an `ArgillaTrainer` says: its data and its settings, a line each."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Mapping
from typing import Any

from .values import plain


def told(data: Any) -> str:
    """What data is: annotated records, a share, a file, or so many rows of a type."""
    if hasattr(type(data), "record_type"):
        return f"{sum(record.annotation is not None for record in data)} annotated records"
    if isinstance(data, float):
        return f"a share of {data:g}"
    if isinstance(data, str | os.PathLike):
        return repr(os.fspath(data))
    rows = data
    if isinstance(data, Mapping):  # of columns
        rows = next((column for column in data.values() if not isinstance(column, str)), ())
    return f"{type(data).__name__} of {len(rows)} rows" if hasattr(rows, "__len__") else type(data).__name__


def table(head: str, shown: Mapping[str, Any]) -> str:
    """`head` and a line for each title; settings as name=value."""
    lines = [head]
    for title, each in shown.items():
        if isinstance(each, Mapping):
            each = ", ".join(f"{name}={value!r}" for name, value in plain(each).items()) or "defaults"
        lines.append(textwrap.fill(f"{title:9} {each}", 100, initial_indent="  ", subsequent_indent=" " * 12))
    return "\n".join(lines)
