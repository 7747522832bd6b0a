"""`tunesmith frameworks` and `tunesmith frameworks install`."""

from __future__ import annotations

import json
import re
import shlex
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import NotInstalled, UnknownName
from ..registry import frameworks as registered
from ..registry import tasks
from . import tables
from .flags import Parser

YES, NO = "✓", "–"
HEADS: Mapping[str, str] = {
    "text-classification": "classification",
    "token-classification": "ner",
    "question-answering": "qa",
    "sequence-sequence": "seq2seq",
    "language-generation": "clm",
    "language-modeling": "mlm",
    "token-detection": "electra",
    "sentence-similarity": "sts",
}
"""Task -> the alias that stands over its column; a task that is not here has its own name there."""
_WIDTH = 100  # columns of the page


def listed(argv: Sequence[str]) -> int:
    """Print which framework trains which task, and why it does not train the others."""
    parser = Parser("frameworks", "Which framework trains which task; `frameworks install NAME` makes an environment.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    as_json = parser.read(argv).json
    rows = matrix()
    print(json.dumps(rows, indent=2) if as_json else _page(rows))
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


def matrix() -> list[dict[str, Any]]:
    """A row a framework: `tasks` has None for each that it trains, the reason for each that it does not.

    `environment` and `installed` where it needs an environment of its own; `missing` where it needs an extra: the
    packages of it that are not here; `needs` where it needs what pip has not.
    """
    return [_row(name) for name in registered.offered()]


def _row(name: str) -> dict[str, Any]:
    from ..frameworks import worker_environment

    framework = registered.get(name)
    row: dict[str, Any] = {"framework": name, "tasks": {task: framework.why_not(task) for task in tasks.names()}}
    if name in worker_environment.names():
        environment = worker_environment.Environment(name)
        row |= {"environment": str(environment.folder), "installed": environment.installed()}
    if packages := _of_extra(name):
        row["missing"] = [package for package in packages if not _is_here(package)]
    if needs := getattr(framework, "needs", ""):
        row["needs"] = needs
    return row


def _of_extra(name: str) -> list[str]:
    """The packages of the extra that is called as the framework; none where there is no such extra."""
    from importlib.metadata import PackageNotFoundError, requires

    try:
        lines = requires("tunesmith") or []
    except PackageNotFoundError:  # run from its source, without an installation that says what it needs
        return []
    found = (re.fullmatch(r"([\w.-]+).*;.*\bextra == ['\"](.+?)['\"].*", line) for line in lines)
    return [each[1] for each in found if each and each[2] == name]


def _is_here(package: str) -> bool:
    from importlib.metadata import distributions

    return next(iter(distributions(name=package)), None) is not None


def marks(row: Mapping[str, Any]) -> list[str]:
    """A mark a task, in the order of the tasks."""
    return [YES if reason is None else NO for reason in row["tasks"].values()]


def reasons(row: Mapping[str, Any]) -> str:
    """Why it does not train the others; tasks are named where there are several reasons, or one of one task."""
    found: dict[str, list[str]] = {}
    for task, reason in row["tasks"].items():
        if reason is not None:
            found.setdefault(reason, []).append(HEADS.get(task, task))
    if len(found) == 1 and len(next(iter(found.values()))) > 1:
        (reason,) = found
        return f"no other task: {reason}" if YES in marks(row) else reason
    return "; ".join(f"no {', '.join(left)}: {reason}" for reason, left in found.items())


def _page(rows: Sequence[Mapping[str, Any]]) -> str:
    """The matrix, what the heads stand for, and a line a framework."""
    names = tasks.names()
    table = tables.grid(
        ["", *(HEADS.get(task, task) for task in names)], [[row["framework"], *marks(row)] for row in rows]
    )
    heads = "; ".join(f"{HEADS[task]} is {task}" for task in names if task in HEADS)
    return "\n\n".join([table, _filled(heads), "\n".join(line for row in rows if (line := _line(row)))])


def _line(row: Mapping[str, Any]) -> str:
    """What a framework does not train and why, and what of it is installed; "" where there is nothing to say."""
    name = row["framework"]
    parts = [reasons(row), row.get("needs", "")]
    if row.get("missing"):
        parts.append(str(NotInstalled(row["missing"][0], name, "it")))
    if "environment" in row:
        missing = f"its environment is not installed: tunesmith frameworks install {name}"
        parts.append(f"its environment is {row['environment']}" if row["installed"] else missing)
    told = "; ".join(filter(None, parts))
    return _filled(f"{name}: {told}", indent="  ") if told else ""


def _filled(text: str, indent: str = "") -> str:
    return textwrap.fill(text, _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
