"""`tunesmith users create`, `list` and `delete`: who may use a served store."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from . import flags, tables
from .serving import DATABASE_HELP


def create(argv: Sequence[str]) -> int:
    """Make a user and print the key alone, so that a shell can take it; the exit code."""
    parser = flags.Parser("users create", "A user of the server. The key is printed once and kept nowhere.")
    parser.add_argument("name", metavar="NAME", help="small letters, digits, '-' and '_'")
    parser.add_argument("--role", metavar="ROLE", help="owner (everything), admin (its workspaces) or annotator")
    parser.add_argument("--workspace", metavar="W", action="append", default=[], help="repeat for several")
    parser.add_argument("--database", metavar="F", help=DATABASE_HELP)
    given = parser.read(argv)
    from ..records.store.engine import Database
    from ..records.store.users import ROLES
    from ..records.store.users import create as make

    if given.role not in ROLES:
        said = "missing" if given.role is None else repr(given.role)
        raise flags.usage_error(f"--role is {said}: expected {', '.join(ROLES[:-1])} or {ROLES[-1]}.")
    database = Database(given.database)
    with database.writing() as connection:
        user, key = make(connection, given.name, given.role, given.workspace)
    named = ", ".join(user.workspaces)
    told = f"{user.name} is {user.role} of {named} in {database.where}; the key, which is shown once:"
    print(f"tunesmith: {told}", file=sys.stderr, flush=True)
    print(key)
    return 0


def listed(argv: Sequence[str]) -> int:
    """Print every user, without keys; the exit code."""
    parser = flags.Parser("users list", "The users of the server.")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--database", metavar="F", help=DATABASE_HELP)
    given = parser.read(argv)
    from ..records.store.engine import Database
    from ..records.store.users import listed as everybody

    database = Database(given.database)
    with database.reading() as connection:
        found = everybody(connection)
    rows = [
        {
            "user": each.name,
            "role": each.role,
            "workspaces": list(each.workspaces),
            "created": each.created.isoformat(timespec="seconds"),
        }
        for each in found
    ]
    if given.json:
        print(json.dumps(rows, indent=2))
    elif rows:
        print(
            tables.blocks([{("in" if key == "workspaces" else key): told for key, told in row.items()} for row in rows])
        )
    else:
        print("no users yet: `tunesmith users create NAME --role owner` makes one.")
    return 0


def delete(argv: Sequence[str]) -> int:
    """Take a user out, and the key with it; the exit code."""
    parser = flags.Parser("users delete", "Take a user out: the key works no longer. Records stay.")
    parser.add_argument("name", metavar="NAME", help="the user")
    parser.add_argument("--database", metavar="F", help=DATABASE_HELP)
    given = parser.read(argv)
    from ..records.store.engine import Database
    from ..records.store.users import remove

    database = Database(given.database)
    with database.writing() as connection:
        gone = remove(connection, given.name)
    print(f"tunesmith: {gone.name}, {gone.role}, is gone; the key works no longer.", file=sys.stderr)
    return 0
