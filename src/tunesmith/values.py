"""The values that settings take: readers, which check one and give the form to keep, and how values are written down.

A reader takes a value that is not None and raises ValueError when it cannot be used; `Argument` writes the message.
"""

from __future__ import annotations

import enum
import os
import re
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any

# Keys whose values are never written, at any depth.
SECRET = frozenset({"token", "hub_token", "hf_token", "use_auth_token", "api_key", "password", "secret"})
_FILE = re.compile(r"\S.*\.[A-Za-z]\w{0,7}")  # "a.csv", "data/*.jsonl.gz"; a sentence ends otherwise
_TIME = re.compile(r"(\d+(?:\.\d+)?)([smh]?)")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}
_TOKEN = re.compile(r"^(hf|sk)[_-][A-Za-z0-9_-]{20,}$")


def describe(value: Any) -> Any:
    """What can be written down of a value: itself where it is plain, `<DataFrame of 40>` where it is an object."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, tuple) and value and hasattr(value[0], "config"):  # (model, tokenizer)
        name = getattr(value[0].config, "_name_or_path", "")
        return f"<{type(value[0]).__name__}{' of ' + name if name else ''}>"
    try:
        return f"<{type(value).__name__} of {len(value)}>"
    except TypeError:  # a stream
        return f"<{type(value).__name__}>"


def half_character(text: str) -> str | None:
    """None, or what is wrong: half of a surrogate pair, which is no character of its own, and where it stands."""
    if text.isascii():
        return None
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return (
            f"has half a character, {text[error.start]!r}, at {error.start}, which no file or database can hold: "
            "decode the source as UTF-8, or with errors='replace'"
        )
    return None


def read_data(value: Any) -> Any:
    """A fraction, a path or a split name; anything else is data, which is passed beside and only described here."""
    if isinstance(value, bool | int) or (isinstance(value, float) and not 0 < value < 1):
        raise ValueError
    return value if isinstance(value, float) else _described(value)


def read_source(value: Any) -> Any:
    if isinstance(value, bool | int | float):
        raise ValueError
    return _described(value)


def _described(value: Any) -> Any:
    """A list of paths as it is, so that a run can be repeated; other data described, a list of texts too."""
    if isinstance(value, list | tuple) and value and all(map(_is_path, value)):
        return [os.fspath(path) for path in value]
    return describe(value)


def _is_path(value: Any) -> bool:
    return isinstance(value, os.PathLike) or (isinstance(value, str) and _FILE.fullmatch(value) is not None)


def read_model(value: Any) -> Any:
    if isinstance(value, str | os.PathLike):
        return os.fspath(value)
    if isinstance(value, list | tuple) and len(value) == 2:
        return tuple(value)
    raise ValueError


def pairs(text: str) -> dict[str, str]:
    """`a=1,b=2` as a mapping."""
    parts = (part.partition("=") for part in text.split(","))
    return {key.strip(): value.strip() for key, _, value in parts}


def read_columns(value: Any) -> Any:
    """A mapping, a tuple or one name; of text, `text,label` is by place (empty for none), `text=a,label=b` by role."""
    if isinstance(value, str) and "=" in value:
        value = pairs(value)
    elif isinstance(value, str) and "," in value:
        value = [part.strip() or None for part in value.split(",")]
    names = dict(value) if isinstance(value, Mapping) else tuple(value) if isinstance(value, list | tuple) else value
    given = (*names, *names.values()) if isinstance(names, dict) else names if isinstance(names, tuple) else (names,)
    if not given or not all(name is None or isinstance(name, str) for name in given):
        raise ValueError
    return names


def read_seconds(value: Any) -> float:
    """A number of seconds above 0, or a time as 90s, 5m or 1h."""
    if isinstance(value, str):
        found = _TIME.fullmatch(value.strip().lower())
        if found is None:
            raise ValueError
        value = float(found[1]) * _SECONDS[found[2]]
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 < float(value) < float("inf"):
        raise ValueError
    return float(value)


def read_switch(*words: object) -> Callable[[Any], Any]:
    """One of `words`, a mapping (copied) or a live object."""

    def read(value: Any) -> Any:
        if isinstance(value, str | bool | int | float) and not any(value is word or value == word for word in words):
            raise ValueError
        return dict(value) if isinstance(value, Mapping) else value

    return read


def read_count(*also: object) -> Callable[[Any], Any]:
    """A whole number from 1, or one of `also`."""

    def read(value: Any) -> Any:
        if any(value is other for other in also):
            return value
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError
        return value

    return read


def read_checkpoint(value: Any) -> bool | str:
    if isinstance(value, bool):
        return value
    if isinstance(value, str | os.PathLike):
        return os.fspath(value)
    raise ValueError


def read_device(value: Any) -> str | int:
    """'auto' (-1 too), 'cpu', or the number of a GPU; "cuda:1" is 1."""
    if isinstance(value, str):
        text = value.strip().lower().removeprefix("cuda:")
        if text in ("auto", "cpu"):
            return text
        value = int(text)
    if isinstance(value, bool) or not isinstance(value, Integral) or value < -1:
        raise ValueError
    return "auto" if value == -1 else int(value)


def read_scratch(value: Any) -> Any:
    if isinstance(value, bool | int | float):
        raise ValueError
    return dict(value) if isinstance(value, Mapping) else value


def read_distillation(value: Any) -> tuple[float, float]:
    try:
        temperature, alpha = (float(part) for part in value)
    except TypeError as error:
        raise ValueError from error
    if not (temperature > 0 and 0 <= alpha <= 1):
        raise ValueError
    return temperature, alpha


def read_share(value: Any) -> float:
    if isinstance(value, bool) or not 0 < float(value) < 1:
        raise ValueError
    return float(value)


def read_rate_share(value: Any) -> float:
    if isinstance(value, bool) or not 0 < float(value) <= 1:
        raise ValueError
    return float(value)


def read_mapping(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise ValueError


def plain(value: Any) -> Any:
    """`value` in JSON values: mappings without secrets, configuration objects as mappings, other objects described."""
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items() if key not in SECRET}
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if isinstance(value, set | frozenset):
        return sorted(map(str, value))
    if isinstance(value, list | tuple) and not any(hasattr(each, "config") for each in value):
        return [plain(each) for each in value]
    if isinstance(value, str):
        return "<token>" if _TOKEN.match(value) else str(value)
    if isinstance(value, bool | None):
        return value
    if isinstance(value, Real):  # numpy's numbers too
        return int(value) if isinstance(value, Integral) else float(value)
    if type(value).__name__ == "dtype":
        return str(value).removeprefix("torch.")
    return plain(value.to_dict()) if hasattr(value, "to_dict") and not hasattr(value, "columns") else describe(value)
