"""`tunesmith frameworks` and `tunesmith frameworks install`."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import Any

from ..errors import UnknownName
from ..registry import frameworks as registered
from ..registry import tasks
from .flags import Parser


def listed(argv: Sequence[str]) -> int:
    """Print which framework trains which task, and why it does not train the others."""
    parser = Parser("frameworks", "Which framework trains which task; `frameworks install NAME` makes an environment.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    as_json = parser.read(argv).json
    rows = [_row(name) for name in registered.names()]
    print(json.dumps(rows, indent=2) if as_json else "\n\n".join(map(_block, rows)))
    return 0


def install(argv: Sequence[str]) -> int:
    """Make the environment of a framework that cannot live beside the others."""
    from ..frameworks import worker_environment

    parser = Parser("frameworks install", "Make environments of frameworks that cannot live beside the others.")
    parser.add_argument("names", metavar="NAME", nargs="+", help=", ".join(worker_environment.names()))
    parser.add_argument("--pip-args", default="", metavar="TEXT", help="words for pip, such as an index to take")
    given = parser.read(_joined(argv))
    known = worker_environment.names()
    names = [name.strip().lower().replace("_", "-") for name in given.names]
    for name in names:
        if name not in known:
            raise UnknownName("framework with an environment of its own", name, known)
    for name in names:
        print(worker_environment.Environment(name).install(shlex.split(given.pip_args)), flush=True)
    return 0


def _joined(argv: Sequence[str]) -> list[str]:
    """`--pip-args` and its value in one word: the value begins with '--' itself."""
    words = list(argv)
    if "--pip-args" in words[:-1]:
        place = words.index("--pip-args")
        words[place : place + 2] = [f"--pip-args={words[place + 1]}"]
    return words


def _row(name: str) -> dict[str, Any]:
    from ..frameworks import worker_environment

    framework = registered.get(name)
    row: dict[str, Any] = {"framework": name, "tasks": {task: framework.why_not(task) for task in tasks.names()}}
    if name in worker_environment.names():
        row["installed"] = worker_environment.Environment(name).installed()
    return row


def _block(row: dict[str, Any]) -> str:
    """The framework's name, the tasks it trains, and those that it does not by reason."""
    reasons: dict[str | None, list[str]] = {None: []}
    for task, reason in row["tasks"].items():
        reasons.setdefault(reason, []).append(task)
    trained = reasons.pop(None)
    lines = [row["framework"], *([f"  ✓ {', '.join(trained)}"] if trained else [])]
    lines += [f"  – {', '.join(left)}: {reason}" for reason, left in reasons.items()]
    if not row.get("installed", True):
        lines.append(f"  its environment is not installed: tunesmith frameworks install {row['framework']}")
    return "\n".join(lines)
