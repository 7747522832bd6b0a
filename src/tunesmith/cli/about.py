"""`tunesmith tasks` and `tunesmith config-schema`."""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..config import arguments
from ..registry import tasks as registered
from ..run_file import json_schema
from . import tables
from .flags import Parser


def tasks(argv: Sequence[str]) -> int:
    """Print every task with its aliases, columns and primary metric."""
    parser = Parser("tasks", "What can be learned.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    as_json = parser.read(argv).json
    rows = [
        {
            "task": name,
            "columns": [role if role not in task.optional else f"[{role}]" for role in task.roles],
            "metric": task.primary_metric,
            "aliases": [alias for alias, target in registered.aliases.items() if target == name],
            "summary": task.summary,
        }
        for name, task in ((name, registered.get(name)) for name in registered.names())
    ]
    print(json.dumps(rows, indent=2) if as_json else tables.blocks(rows))
    return 0


def config_schema(argv: Sequence[str]) -> int:
    """Print the JSON schema of a run file."""
    Parser("config-schema", "The JSON schema of a run file.").read(argv)
    print(json.dumps(json_schema(arguments()), indent=2, ensure_ascii=False))
    return 0
