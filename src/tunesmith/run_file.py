"""The file of a run: YAML, one key a setting or training argument, and the JSON schema of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .errors import ConfigError
from .training_arguments import Argument

_JSON_TYPES = {"bool": "boolean", "int": "integer", "float": "number", "str": "string", "list": "array"}
_JSON_TYPES |= {"None": "null", "Path": "string", "Literal[False]": "boolean", "tuple": "array"}


def parse(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, int]]:
    """The values of a YAML mapping by key ('-' read as '_'), and the line of each key, from 1.

    Raises:
        ConfigError: no such file, no YAML, no mapping, or a key that stands twice.
    """
    import yaml

    where = os.fspath(path)
    try:
        text = Path(path).read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except OSError as error:
        raise ConfigError("config", where, f"a YAML file that can be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ConfigError("config", where, f"a YAML file in UTF-8 ({error.reason})") from error
    except yaml.YAMLError as error:
        raise ConfigError("config", where, f"YAML ({_place(error)})") from error
    if node is None:
        return {}, {}
    if not isinstance(values, dict):
        raise ConfigError("config", where, "a YAML mapping of settings (key: value)")
    lines: dict[str, int] = {}
    for key, _ in node.value:
        name = str(key.value).replace("-", "_")
        if name in lines:
            raise ConfigError(
                name, where, f"the key once; it stands in line {lines[name]} and in line {key.start_mark.line + 1}"
            )
        lines[name] = key.start_mark.line + 1
    return {str(key).replace("-", "_"): None if value == "None" else value for key, value in values.items()}, lines


def checked(
    path: str | os.PathLike[str],
    given: Mapping[str, Any],
    lines: Mapping[str, int],
    known: Mapping[str, Argument],
    check: Callable[[str, Any], Any],
) -> dict[str, Any]:
    """What `parse` found, each value as `check(name, value)` keeps it.

    Raises:
        ConfigError: as `check` says it, with the file and the line.
    """
    found = {}
    for name, value in given.items():
        spells_none = isinstance(value, str) and name in known and known[name].is_none(value)
        try:
            found[name] = check(name, None if spells_none else value)
        except ConfigError as error:
            error.args = (f"{os.fspath(path)}, line {lines[name]}: {error}",)
            raise
    return found


def _place(error: Any) -> str:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None) or str(error)
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}" if mark else str(problem)


def json_schema(arguments: Mapping[str, Argument]) -> dict[str, Any]:
    """The JSON schema of a run file: type, default and description of each key."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tunesmith run",
        "description": "Settings and training arguments of a run; `tunesmith train --config FILE` reads it.",
        "type": "object",
        "additionalProperties": False,
        "properties": {name: _property(argument) for name, argument in arguments.items()},
    }


def _property(argument: Argument) -> dict[str, Any]:
    default = list(argument.default) if isinstance(argument.default, tuple) else argument.default
    told: dict[str, Any] = {"description": argument.help, "default": default}
    if argument.choices:
        return {"enum": [*argument.choices, *([None] if argument.nullable else [])], **told}
    names = [option.split("[")[0] if option != "Literal[False]" else option for option in argument.type.split(" | ")]
    types = list(dict.fromkeys(_JSON_TYPES.get(name, "object") for name in names))
    if argument.lowest is not None:
        told["minimum"] = argument.lowest
    return {"type": types[0] if len(types) == 1 else types, **told}
