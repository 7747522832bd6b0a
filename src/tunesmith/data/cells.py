"""What single cells say: any value in plain Python; numbers, lists and mappings that a text spells."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Iterable, Mapping, Set
from decimal import Decimal
from enum import Enum
from typing import Any

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_QUOTED = r"""'[^'\\]*'|"[^"\\]*\""""
_QUOTED_ROW = re.compile(rf"\[\s*(?:{_QUOTED})(?:\s+(?:{_QUOTED}))+\s*\]")  # numpy's; to Python it is one text
NO_VALUE = {"", "na", "n/a", "nan", "null", "none"}  # read as missing where numbers are expected, never among names


def plain(value: Any) -> Any:
    """The value in plain Python: numpy scalars and arrays unwrapped, tuples as lists, NaN, NaT and NA as None."""
    kind = type(value)
    if kind is str or kind is int or kind is bool or value is None:
        return value
    if kind is float:
        return None if math.isnan(value) else value
    if kind.__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(part) for part in value]
    if isinstance(value, Set):
        return sorted((plain(part) for part in value), key=str)
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, Decimal):
        return plain(float(value))
    if isinstance(value, str):
        return str(value)
    if hasattr(value, "tolist"):  # numpy scalars and arrays, tensors, pandas series
        return plain(value.tolist())
    return value


def spelled(text: str) -> list[Any] | dict[Any, Any] | None:
    """The list or mapping in a text: JSON, what Python prints ("['a', 'b']"), or numpy ("[1 0 1]", "['a' 'b']")."""
    bare = text.strip()
    if bare[:1] + bare[-1:] not in ("[]", "{}"):
        return None
    parts = bare[1:-1].split()
    if bare[0] == "[" and parts and all(map(NUMBER.fullmatch, parts)):
        return [int(part) if part.lstrip("+-").isdecimal() else float(part) for part in parts]
    if _QUOTED_ROW.fullmatch(bare):
        return [part[1:-1] for part in re.findall(_QUOTED, bare)]
    for read in (json.loads, ast.literal_eval):
        try:
            value = read(bare)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        return value if isinstance(value, (list, dict)) else None
    return None


def opened(text: str) -> str | list[Any]:
    """The list that a text spells, or else the text."""
    found = spelled(text)
    return found if isinstance(found, list) else text


def all_opened(cells: Iterable[Any]) -> list[Any]:
    """The cells, their texts opened where all that are not blank spell lists, as files of plain cells write them."""
    found: list[Any] = []
    for cell in (known := list(cells)):
        found.append(opened(cell) if isinstance(cell, str) else cell)
        if isinstance(found[-1], str) and not is_missing(cell):
            return known
    return found


def is_missing(value: Any) -> bool:
    """None, NaN or blank text."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, float) and math.isnan(value))


def split(text: str, mark: str | None) -> list[str]:
    """The labels written in one cell: "3 27", "joy|anger", "[a, b]"."""
    bare = text.strip()
    if bare[:1] == "[" and bare[-1:] == "]":
        bare = bare[1:-1]
    return [part for piece in bare.split(mark) if (part := piece.strip().strip("'\"").strip())]


def number(value: Any) -> float | None:
    """The number a cell is or spells; None where it spells that there is none.

    Raises:
        ValueError: it is neither, or not finite.
    """
    if isinstance(value, str) and value.strip().lower() in NO_VALUE:
        return None
    if isinstance(value, (int, float)) or (isinstance(value, str) and NUMBER.fullmatch(value.strip())):
        found = float(value)
        if math.isfinite(found):
            return found
    raise ValueError(f"it is no finite number: {value!r}")


def canonical(name: str) -> str:
    """ "1.0" -> "1": how spreadsheets write whole numbers of a column with gaps."""
    return re.sub(r"(\d)\.0+$", r"\1", name) if NUMBER.fullmatch(name) else name


def whole(value: Any) -> int | None:
    """The whole number that a cell is; frames have floats for them in a column with gaps. True is none."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None
