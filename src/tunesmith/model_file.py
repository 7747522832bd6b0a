"""tunesmith.json: what stands beside a model's own files, so that `load` finds its framework, task and labels."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import ArtifactError
from .folder import write_text

FILE = "tunesmith.json"


def write(folder: Path, told: Mapping[str, Any]) -> None:
    """Write `told`: framework, task, labels, and what the framework needs beside."""
    write_text(folder / FILE, json.dumps(told, indent=2, ensure_ascii=False) + "\n")


def read(folder: Path) -> dict[str, Any] | None:
    """What `write` wrote, or None for a folder of another tool.

    Raises:
        ArtifactError: the file is broken.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ArtifactError(path, f"is not valid JSON: {error}") from error
    return told
