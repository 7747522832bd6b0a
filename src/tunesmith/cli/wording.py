"""What an error tells of Python's keywords, in the flags of the command line."""

from __future__ import annotations

import re
from collections.abc import Sequence


def as_flags(message: str, argv: Sequence[str] = ()) -> str:
    """`message` with each setting as its flag: label_kind='multi' is --label-kind multi.

    A mapping of columns is told as the flag takes it: columns={'text': …} is --columns text=…. argv: the command line,
    which may name the framework whose settings these are.
    """
    from ..config import TRANSFORMERS, arguments
    from ..registry import frameworks
    from .flags import said

    framework = said(argv, "--framework") or TRANSFORMERS
    is_known = framework in frameworks.names() or framework in frameworks.aliases
    known = arguments(framework if is_known else TRANSFORMERS)

    def flag(name: str) -> str:
        return "--" + name.replace("_", "-")

    def assigned(found: re.Match[str]) -> str:
        name, value = found[1], found[2]
        return f"{flag(name)} {value.strip(chr(39))}" if name in known else found[0]

    def quoted(found: re.Match[str]) -> str:
        return f"`{flag(found[1])}`" if found[1] in known else found[0]

    def columns(found: re.Match[str]) -> str:
        return "--columns " + re.sub(r"'([^']*)': ?", r"\1=", found[1]).replace(", ", ",")

    message = re.sub(r"\bcolumns=\{([^}]*)\}(?: or a tuple \([^)]*\))?", columns, message)
    message = re.sub(r"(?<![-\w])([a-z][a-z_0-9]*)=('[^']*'|[\w.]+)", assigned, message)
    return re.sub(r"`([a-z][a-z_0-9]*)`", quoted, message)
