"""What the fields of a record may hold: readers, which check one value and give the form to keep.

A reader raises ValueError with the reason alone; the record adds its id and the field.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from math import isfinite, isnan
from numbers import Real
from operator import index
from pathlib import PurePath
from typing import Any
from uuid import UUID, uuid4

from ..data.labels import name_of
from ..errors import nearest
from ..values import half_character

STATUSES = ("Default", "Edited", "Discarded", "Validated")
DEPTH = 100  # of metadata: what JSON readers take, with room
_ROUNDING = 1e-6  # by how much a softmax in float32 may leave 0 … 1


@dataclass(frozen=True, slots=True)
class TokenAttributions:
    """How much one token speaks for each label (-1 … 1 as explainers give it; any finite number is taken)."""

    token: str
    attributions: Mapping[str, float]


def shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"


def is_none(value: Any) -> bool:
    """None, and what frames write for it: NaN, NaT, NA."""
    kind = type(value).__name__
    return value is None or kind in ("NAType", "NaTType") or (kind.startswith("float") and bool(value != value))


def listed(value: Any) -> list[Any] | tuple[Any, ...] | None:
    """A list or tuple as it is, an array as a list, None for all else."""
    if isinstance(value, (list, tuple)):
        return value
    found = value.tolist() if hasattr(value, "tolist") else None
    return found if isinstance(found, list) else None


def read_text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"is of type {type(value).__name__}, {shown(value)}: expected text")
    if fault := half_character(value):
        raise ValueError(fault)
    return value if type(value) is str else str.__str__(value)


def read_name(value: Any) -> str:
    """A label or an agent: text as it is, a number by its name (3 and 3.0 are "3")."""
    if isinstance(value, str):
        name = read_text(value)
    elif isinstance(value, bool | Real) or type(value).__name__ in ("bool", "bool_"):
        if is_none(value):
            raise ValueError("holds a label that is missing (NaN): expected a name; write None where there is no label")
        name = name_of(value.item() if hasattr(value, "item") else value)
    else:
        raise ValueError(f"holds {shown(value)}, of type {type(value).__name__}: expected a name, which is text")
    if not name:
        raise ValueError("holds an empty name: write None where there is none")
    return name


def read_score(value: Any) -> float:
    if type(value) is float and 0.0 <= value <= 1.0:
        return value
    if isinstance(value, bool) or not (isinstance(value, Real) or hasattr(value, "__float__")):
        raise ValueError(f"has the score {shown(value)}: expected a number from 0 to 1")
    score = float(value)
    if not -_ROUNDING <= score <= 1 + _ROUNDING:
        raise ValueError(f"has the score {score!r}: expected 0 to 1 (for logits, take the softmax first)")
    return min(max(score, 0.0), 1.0)


def read_id(value: Any) -> str | int:
    """Text and whole numbers as they are; "007" stays "007"."""
    if isinstance(value, str):
        if not value:
            raise ValueError("is empty: expected text or a whole number, or None for an id that is made up")
        return read_text(value)
    if isinstance(value, UUID):
        return str(value)
    try:
        number = None if type(value).__name__ in ("bool", "bool_") else index(value)
    except TypeError:
        number = None
    if number is None:
        raise ValueError(f"is {shown(value)}, of type {type(value).__name__}: expected text or a whole number")
    return _in_64_bits(number)


def new_id() -> str:
    return str(uuid4())


def read_status(value: Any) -> str:
    if isinstance(value, Enum):
        value = value.value
    if value in STATUSES:
        return str(value)
    close = nearest(str(value), STATUSES)
    hint = f"; did you mean {close!r}?" if close else ""
    raise ValueError(f"is {shown(value)}: expected {', '.join(STATUSES[:-1])} or {STATUSES[-1]}{hint}")


def read_time(value: Any) -> datetime:
    """A moment with or without a time zone, as given; text is read as ISO 8601. What is finer than 1 µs is cut."""
    if type(value) is datetime:
        return value
    if type(value) is not str and is_none(value):
        raise ValueError("is missing")
    if isinstance(value, datetime):
        found = value.to_pydatetime(warn=False) if hasattr(value, "to_pydatetime") else value
        return datetime.combine(found.date(), found.timetz())
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value)
        except ValueError as error:
            raise ValueError(f"is {shown(value)}: expected a time as 2024-05-17T09:30:00") from error
    if isinstance(value, date):
        return datetime.combine(value, time())
    if type(value).__name__ == "datetime64":
        return read_time(value.astype("datetime64[us]").item())
    raise ValueError(f"is {shown(value)}, of type {type(value).__name__}: expected a datetime or ISO 8601 text")


def read_flag(value: Any) -> bool:
    if value is True or value is False:
        return value
    if type(value).__name__ in ("bool", "bool_"):
        return bool(value)
    raise ValueError(f"is {shown(value)}: expected True or False")


def read_words(value: Any) -> list[str]:
    words = listed(value)
    if words is None:
        raise ValueError(f"is of type {type(value).__name__}, {shown(value)}: expected a list of texts")
    return [read_text(word) for word in words]


def read_mapping(value: Any) -> dict[str, Any]:
    """A mapping in JSON values: see `read_json`."""
    if type(value) is not dict and not isinstance(value, Mapping):
        raise ValueError(f"is of type {type(value).__name__}, {shown(value)}: expected a mapping from names to values")
    found: dict[str, Any] = read_json(value)
    return found


def read_json(value: Any, depth: int = DEPTH) -> Any:
    """The value in what JSON can say: times as ISO text, tuples, sets and arrays as lists, NaN as None, keys as text.

    Raises:
        ValueError: an infinite number, one beyond 64 bits, an object of another kind, or DEPTH levels and more.
    """
    kind = type(value)
    if kind is str:
        return value if value.isascii() else read_text(value)
    if value is None or kind is bool:
        return value
    if kind is int:
        return _in_64_bits(value)
    if kind is float:
        if isfinite(value):
            return value
        if isnan(value):
            return None
        raise ValueError(f"holds {value!r}, which JSON cannot say: write it as text, or None")
    if not depth:
        raise ValueError(f"is nested deeper than {DEPTH} levels")
    if kind is dict or isinstance(value, Mapping):
        found = {_key(key): read_json(part, depth - 1) for key, part in value.items()}
        if len(found) != len(value):
            raise ValueError(f"has two keys that are the same as text: {shown(list(value))}")
        return found
    if isinstance(value, (list, tuple)):
        return [read_json(part, depth - 1) for part in value]
    return read_json(_simpler(value), depth - 1)


def _key(key: Any) -> str:
    if isinstance(key, str):
        return read_text(key)
    if isinstance(key, bool | int | float):
        return str(key)
    raise ValueError(f"has the key {shown(key)}, of type {type(key).__name__}: expected text")


def _simpler(value: Any) -> Any:
    """A value that is no JSON, one step nearer to it."""
    if is_none(value):
        return None
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, UUID | PurePath):
        return str(value)
    if isinstance(value, Set):
        return sorted(value, key=str)
    if isinstance(value, Decimal):
        return float(value)
    if hasattr(value, "tolist"):  # numpy scalars and arrays
        return value.tolist()
    if isinstance(value, int | float):
        return int(value) if isinstance(value, int) else float(value)
    raise ValueError(
        f"holds {shown(value)}, of type {type(value).__name__}: expected text, numbers, true or false, lists, mappings"
    )


def _in_64_bits(number: int) -> int:
    if -(2**63) <= number < 2**63:
        return number
    raise ValueError(f"holds {shown(number)}, a number beyond 64 bits: write it as text")


def read_vectors(value: Any) -> dict[str, list[float]]:
    """Name -> numbers, at least one, all finite."""
    if not isinstance(value, Mapping):
        raise ValueError(f"is of type {type(value).__name__}: expected a mapping from a name to a list of numbers")
    return {_key(name): _vector(name, values) for name, values in value.items()}


def _vector(name: Any, values: Any) -> list[float]:
    numbers = listed(values)
    if not numbers:
        raise ValueError(f"{shown(name)} is {shown(values)}: expected a list of numbers, at least one")
    kinds = set(map(type, numbers))
    if not kinds <= {int, float}:
        numbers = [one.item() if hasattr(one, "item") else one for one in numbers]
        kinds = set(map(type, numbers))
    if not kinds <= {int, float}:
        odd = next(one for one in numbers if type(one) not in (int, float))
        raise ValueError(f"{shown(name)} holds {shown(odd)}, of type {type(odd).__name__}: expected numbers")
    if not all(map(isfinite, numbers)):
        raise ValueError(f"{shown(name)} holds a number that is not finite: leave such a vector out")
    return list(map(float, numbers))


def read_explanation(value: Any) -> dict[str, list[TokenAttributions]]:
    """Input name -> attributions, as `TokenAttributions` or as mappings with `token` and `attributions`."""
    if not isinstance(value, Mapping):
        raise ValueError(f"is of type {type(value).__name__}: expected a mapping from an input's name to attributions")
    return {_key(name): [_attributions(one) for one in _parts(name, parts)] for name, parts in value.items()}


def _parts(name: Any, parts: Any) -> Iterable[Any]:
    found = listed(parts)
    if found is None:
        raise ValueError(f"{shown(name)} is of type {type(parts).__name__}: expected a list of TokenAttributions")
    return found


def _attributions(one: Any) -> TokenAttributions:
    token, scores = (
        (one.get("token"), one.get("attributions"))
        if isinstance(one, Mapping)
        else (getattr(one, "token", None), getattr(one, "attributions", None))
    )
    if not isinstance(scores, Mapping):
        raise ValueError(f"holds {shown(one)}: expected TokenAttributions(token=…, attributions={{label: number}})")
    found = {read_name(label): _finite(label, score) for label, score in scores.items()}
    return TokenAttributions(read_text(token), found)


def _finite(label: Any, score: Any) -> float:
    if isinstance(score, str | bool) or not hasattr(score, "__float__") or not isfinite(float(score)):
        raise ValueError(f"has the attribution {shown(score)} for {shown(label)}: expected a finite number")
    return float(score)
