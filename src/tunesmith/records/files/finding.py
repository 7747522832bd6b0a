"""Which format a file has: by its name, and by how it begins where the name leaves it open."""

from __future__ import annotations

import glob
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...data.formats import suffix_of
from ...errors import DataError, UnknownName
from .json_values import first

FORMATS: Mapping[str, str] = {
    "csv": "csv",
    "tsv": "csv",
    "parquet": "parquet",
    "hf": "hf",
    "jsonl": "jsonl",
    "json": "jsonl",
    "conll": "conll",
    "docbin": "docbin",
    "label-studio": "label_studio",
    "prodigy": "prodigy",
    "argilla": "argilla",
    "argilla1": "argilla1",
}
"""Name -> the module of this folder that reads and writes it."""

KEEP_LABELS = frozenset({"parquet", "hf", "jsonl", "docbin", "label_studio", "prodigy", "argilla"})
"""The modules whose `write` takes `settings`: their formats have a place for the labels and their order."""

_CONLL = (".conll", ".iob", ".iob2", ".bio", ".bioes")
_BY_SUFFIX = {
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".conllu": "conll",
    ".spacy": "docbin",
    **dict.fromkeys(_CONLL, "conll"),
}
_OTHERS = {"datasets": "hf", "spacy": "docbin", "labelstudio": "label-studio", "argilla2": "argilla"}


def named(format: str) -> str:
    """The module of a format's name.

    Raises:
        UnknownName: there is no such format.
    """
    plain = format.strip().lower().replace("_", "-")
    plain = _OTHERS.get(plain, plain)
    if plain not in FORMATS:
        raise UnknownName("format", format, FORMATS)
    return FORMATS[plain]


def format_of(path: str) -> str:
    """The module that reads this path; a folder is one that `datasets` or Argilla saved."""
    place = Path(path).expanduser()
    if place.is_dir():
        return "argilla" if (place / "records.json").is_file() else "hf"
    if glob.has_magic(path) and not place.is_file():
        found = sorted(glob.glob(str(place), recursive=True))
        return format_of(found[0]) if found else "csv"
    suffix = _suffix(place)
    if suffix in (".json", ".jsonl", ".ndjson") and place.is_file():
        return _by_content(first(place))
    if not suffix and not suffix_of(place) and not place.is_file():
        return "hf"
    return _BY_SUFFIX.get(suffix, "csv")  # whose reader takes every table, and tells of what is none


def _suffix(path: Path) -> str:
    return suffix_of(path) or path.suffix.lower()


def _by_content(value: Any) -> str:
    if not isinstance(value, Mapping):
        return "jsonl"
    if isinstance(value.get("data"), Mapping) and {"annotations", "predictions", "completions"} & set(value):
        return "label_studio"
    if isinstance(value.get("fields"), Mapping) and {"responses", "suggestions"} & set(value):
        return "argilla"
    if value.get("answer") in ("accept", "reject", "ignore") or {"_input_hash", "_task_hash"} & set(value):
        return "prodigy"
    return "jsonl"


def format_to(path: str) -> str:
    """The module that writes this path.

    Raises:
        DataError: the suffix tells none.
    """
    suffix = _suffix(Path(path))
    if not suffix:
        return "hf"
    if suffix not in _BY_SUFFIX or suffix == ".conllu":
        known = ", ".join(sorted({*_BY_SUFFIX} - {".conllu"}))
        raise DataError(
            f"{path}: no format is known by this suffix. Name one of {', '.join(FORMATS)}, or a file with one of "
            f"{known}; a path without a suffix is a folder of `datasets`."
        )
    return _BY_SUFFIX[suffix]
