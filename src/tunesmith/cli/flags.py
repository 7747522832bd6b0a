"""Flags made from a table of arguments: how a command line is parsed, read and explained."""

from __future__ import annotations

import argparse
import json
import shutil
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

from .. import values
from ..errors import ConfigError, UnknownSetting
from ..training_arguments import INSTEAD, NONE, Argument

_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


class Parser(argparse.ArgumentParser):
    """argparse that raises our errors, in one line, and takes no shortened flags."""

    def __init__(self, command: str, description: str) -> None:
        super().__init__(f"tunesmith {command}", description=description, allow_abbrev=False)

    def has(self, flag: str) -> bool:
        """Whether it knows a flag."""
        return flag in self._option_string_actions

    def error(self, message: str) -> NoReturn:
        """Raises: ConfigError, in the place of argparse's exit."""
        raise usage_error(f"{message}. See `{self.prog} --help`.")

    def read(self, argv: Sequence[str], known: Iterable[str] = ()) -> argparse.Namespace:
        """`parse_args`, with the nearest flag named for one that is unknown.

        Raises:
            UnknownSetting: no such flag.
            ConfigError: a value is missing, or there is one too many.
        """
        flags = [*known, *(option for action in self._actions for option in action.option_strings)]
        for word in argv:
            if word == "--":
                break
            if word.startswith("--") and word.partition("=")[0] not in flags:
                raise _unknown_flag(word.partition("=")[0], flags)
        return self.parse_args(argv)


def usage_error(message: str) -> ConfigError:
    """A `ConfigError` with a message of its own."""
    error = ConfigError("", None, "")
    error.args = (message,)
    return error


def said(argv: Sequence[str], flag: str) -> str | None:
    """The word after a flag, or after its '='; '' where there is none, None where the flag is not said."""
    for place, word in enumerate(argv):
        name, equals, value = word.partition("=")
        if word == "--":
            return None
        if name.replace("_", "-") == flag:
            after = argv[place + 1] if place + 1 < len(argv) else ""
            return value if equals else "" if after.startswith("--") else after
    return None


def _unknown_flag(flag: str, flags: Sequence[str]) -> UnknownSetting:
    error = UnknownSetting(flag, flags)
    name = flag.lstrip("-").replace("-", "_")
    has_it = name in INSTEAD and "--num-train-epochs" in flags  # what it advises is transformers' own
    told = f"unknown flag {flag}: {INSTEAD[name]}." if has_it else str(error).replace("setting", "flag", 1)
    error.args = (told.replace(repr(flag), flag),)
    return error


def truth(text: str) -> Any:
    """True or False where a word stands for one of them, else the word, which a check refuses."""
    return _WORDS.get(text.lower(), text)


def add(parser: Parser, arguments: Mapping[str, Argument]) -> None:
    """A flag for each argument; its text is read later, by `read_text`."""
    for argument in arguments.values():
        parser.add_argument(argument.flag, dest=argument.name, default=argparse.SUPPRESS, metavar="VALUE")


def spell_out(argv: Sequence[str], arguments: Mapping[str, Argument]) -> list[str]:
    """The command line with '_' in flags as '-', and with every flag that is true or false as `--flag=value`.

    `--flag` is true, `--no-flag` false; a word that follows belongs to the flag only where it is one of its values,
    so that `--bf16 reviews.csv` leaves the file alone.
    """
    by_flag = {argument.flag: argument for argument in arguments.values()}
    words = list(argv)
    spelled: list[str] = []
    while words:
        word = words.pop(0)
        if word == "--":
            return [*spelled, word, *words]
        if not word.startswith("--"):
            spelled.append(word)
            continue
        flag, equals, value = word.partition("=")
        flag = flag.replace("_", "-")
        denied = by_flag.get("--" + flag.removeprefix("--no-")) if flag.startswith("--no-") else None
        if flag not in by_flag and denied is not None and "bool" in denied.type and not equals:
            spelled.append(f"{denied.flag}=false")
        elif equals or flag not in by_flag:
            spelled.append(flag + equals + value)
        elif words and _belongs(words[0], by_flag[flag]):
            spelled.append(f"{flag}={words.pop(0)}")
        else:
            spelled.append(f"{flag}=true" if "bool" in by_flag[flag].type else flag)
    return spelled


def _belongs(word: str, argument: Argument) -> bool:
    """Whether the word after a flag is its value."""
    if argument.kind == "bool" or argument.name in ("lora", "quantize", "tokenizers"):
        plain = word.lower() in (*_WORDS, *NONE, "always") or word.isdigit() or word[:1] in "{["
        return plain or ("object" in argument.type and "=" in word)
    return not word.startswith("--")


def read_text(argument: Argument, text: str) -> Any:
    """The value that a flag's text stands for, checked.

    Raises:
        ConfigError: the text is no value of this argument.
    """
    if argument.is_none(text):
        return None
    types = {option.split("[")[0] for option in argument.type.split(" | ")}
    value: Any = text
    if argument.kind == "bool":
        value = truth(text)
    elif argument.kind == "float":
        value = _number(text)
    elif argument.kind == "columns":
        value = read_columns(text)
    elif argument.kind == "json":
        value = _free(text, types)
    try:
        return argument.check(value)
    except ConfigError as error:
        error.args = (str(error).replace(f"setting {argument.name!r}", argument.flag, 1),)
        raise


def _number(text: str) -> Any:
    """A whole number stays whole: 10 warm-up steps are steps, 0.1 is a share."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _free(text: str, types: set[str]) -> Any:
    """JSON, or `key=value,…` for a mapping, `a,b` for a list, a number or true and false where the type has them."""
    if text[:1] in ("{", "[") and types & {"dict", "object", "list"}:
        try:
            return json.loads(text)
        except ValueError as error:
            raise usage_error(f"{text!r} is no JSON: {error}.") from error
    if "bool" in types and text.lower() in ("true", "false", "yes", "no", "on", "off"):
        return _WORDS[text.lower()]
    if types & {"int", "float"} and not isinstance(_number(text), str):
        return _number(text)
    if types & {"dict", "object"} and "=" in text:
        return {key: _scalar(value) for key, value in values.pairs(text).items()}
    if "list" in types and ("," in text or "str" not in types):
        return [_scalar(part.strip()) for part in text.split(",")]
    return text


def _scalar(text: str) -> Any:
    if text.lower() in ("true", "false"):
        return _WORDS[text.lower()]
    return None if text.lower() in NONE else _number(text)


def read_columns(text: str) -> Any:
    """`text,label` by place (an empty place for none), `text=review,label=stars` by role, or JSON."""
    return _free(text, {"dict", "list"}) if text[:1] in ("{", "[") else values.read_columns(text)


def explain(arguments: Iterable[Argument], indent: str = "") -> str:
    """One entry a flag under the heading of its group: flag, kind, sentence, default."""
    width = min(shutil.get_terminal_size((100, 24)).columns, 120)
    lines: list[str] = []
    heading = ""
    for argument in arguments:
        if argument.group != heading:
            heading = argument.group
            lines += ["", f"{indent}{heading}"]
        lines += _entry(argument, width)
    return "\n".join(lines)


def _entry(argument: Argument, width: int) -> list[str]:
    left = f"  {argument.flag} {_metavar(argument)}".rstrip()
    told = argument.help
    if argument.default not in (None, "", [], {}, False):
        shown = argument.default if isinstance(argument.default, str) else json.dumps(argument.default).strip("[]")
        told += f" [{shown}]"
    wrapped = textwrap.wrap(told, max(width - 40, 30), break_on_hyphens=False) or [""]
    first = [f"{left:<39} {wrapped[0]}"] if len(left) < 39 else [left, " " * 40 + wrapped[0]]
    return first + [" " * 40 + line for line in wrapped[1:]]


def _metavar(argument: Argument) -> str:
    if argument.choices and len("|".join(argument.choices)) <= 24:
        return "|".join((*argument.choices, *(("none",) if argument.nullable else ())))
    kinds = {"bool": "", "int": "N", "float": "X", "choice": "NAME", "columns": "A,B", "str": "TEXT"}
    types = {option.split("[")[0] for option in argument.type.split(" | ")}
    free = "VALUE" if "str" in types or not types & {"dict", "object"} else "JSON"
    return kinds.get(argument.kind, f"[{free}]" if "bool" in types else free)
