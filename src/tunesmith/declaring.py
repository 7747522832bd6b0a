"""How a setting is declared, once: its type, its default and one sentence; as a field, or in a framework's table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Any

from .training_arguments import Argument

_PLAIN = {"bool": "bool", "int": "int", "float": "float", "str": "str"}


def setting(default: Any, help: str, *, type: str = "str", kind: str = "", group: str = "Model", **more: Any) -> Any:
    """A field of `Settings`. `kind` follows from choices or a plain `type`; `more` is what else `Argument` takes."""
    metadata = {**_described(type, kind, more), "group": group, "help": help}
    if isinstance(default, dict):
        return field(default_factory=dict, metadata=metadata)
    return field(default=default, metadata=metadata)


def argument(name: str, default: Any, help: str, *, type: str = "", group: str = "Training", **more: Any) -> Argument:
    """An argument of a framework; `type` is that of the default where it is left out."""
    type = type or default.__class__.__name__
    return Argument(name, group, default=default, help=help, **_described(type, more.pop("kind", ""), more))


def table(arguments: Iterable[Argument]) -> Mapping[str, Argument]:
    """Arguments by name, in their order."""
    return {each.name: each for each in arguments}


def _described(type: str, kind: str, more: Mapping[str, Any]) -> dict[str, Any]:
    kind = kind or ("choice" if "choices" in more else _PLAIN.get(type.removesuffix(" | None"), "json"))
    return {"type": type, "kind": kind, "nullable": type.endswith("None"), **more}
