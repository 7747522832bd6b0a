"""`tunesmith records list|show|query|delete|copy`: the data sets of a store, looked at and tidied."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

from . import flags, tables
from .serving import DATABASE_HELP

if TYPE_CHECKING:
    from ..records.holder import Holder

QUERY_HELP = "only records that match, as 'status:Validated AND metadata.split:train'"


def listed(argv: Sequence[str]) -> int:
    """Print every data set with its task, size and workspace; the exit code."""
    parser = flags.Parser("records list", "The data sets of a store.")
    parser.add_argument("--workspace", metavar="W", help="only those of this workspace")
    parser.add_argument("--json", action="store_true", help="print JSON")
    _placed(parser)
    given = parser.read(argv)
    only = given.workspace
    with opened(given) as store:
        rows: list[dict[str, Any]] = [
            {
                "name": each.name,
                "task": each.task,
                "records": store.count(each.name, each.workspace),
                "workspace": each.workspace,
                "updated": each.updated.isoformat(timespec="seconds"),
            }
            for each in store.datasets(only)
        ]
        where = store.where
    if given.json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
    elif rows:
        cells = [[row["name"], row["task"], f"{row['records']:,}", row["workspace"]] for row in rows]
        print(tables.grid(["data set", "task", "records", "workspace"], cells))
    else:
        print(f"no data sets yet in {where}: `tunesmith records import FILE --name NAME` makes one.")
    return 0


def show(argv: Sequence[str]) -> int:
    """Print one record and its history; the exit code."""
    parser = of_dataset("records show", "One record, with what happened to it.")
    parser.add_argument("id", metavar="ID", help="id of the record")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.read(argv)
    with opened(given) as store:
        found = store.load(given.name, given.workspace, ids=[given.id])
        events = store.history(given.name, given.workspace, given.id)
    fields = found[0].to_dict() if found else {}
    history: list[dict[str, Any]] = [
        {"at": each.at.isoformat(timespec="seconds"), "kind": each.kind, "author": each.author, "set": each.set}
        for each in events
    ]
    if given.json:
        print(json.dumps({"record": fields, "history": history}, indent=2, ensure_ascii=False))
        return 0
    width = max(map(len, fields))
    print("\n".join(f"{name:{width}}  {_shown(value)}" for name, value in fields.items()))
    print("\nhistory")
    for each in history:
        said = "; ".join(f"{name} {_shown(value)}" for name, value in each["set"].items())
        by = f" by {each['author']}" if each["author"] else ""
        print(f"  {each['at']}  {each['kind']}{by}: {said}")
    return 0


def query(argv: Sequence[str]) -> int:
    """Print the records that match, one JSON line each; the exit code."""
    parser = of_dataset("records query", "The records that match a query, as JSON lines, in the order of insertion.")
    parser.add_argument("query", metavar="QUERY", nargs="?", help=QUERY_HELP.removeprefix("only "))
    parser.add_argument("--limit", metavar="N", help="only the first N")
    parser.add_argument("--count", action="store_true", help="print how many match, and no record")
    given = parser.read(argv)
    limit = count("--limit", given.limit)
    from ..records.files.jsonl import line

    with opened(given) as store:
        if given.count:
            print(store.count(given.name, given.workspace, query=given.query))
            return 0
        for record in islice(store.iterate(given.name, given.workspace, query=given.query), limit):
            print(line(record.to_dict()))
    return 0


def delete(argv: Sequence[str]) -> int:
    """Take out a data set, or the records that match; the exit code."""
    parser = of_dataset("records delete", "Take out a data set with its records and their history, or some records.")
    parser.add_argument("--query", metavar="Q", help=QUERY_HELP)
    parser.add_argument("--yes", action="store_true", help="do it: what is taken out does not come back")
    given = parser.read(argv)
    with opened(given) as store:
        if not given.yes:
            found = store.count(given.name, given.workspace, query=given.query)
            what = f"the data set {given.name!r} with its" if given.query is None else f"of {given.name!r}"
            if given.query is not None and not found:
                print(f"no record of {given.name!r} matches: there is nothing to take out")
                return 0
            told = f"{what} {many(found)}" if given.query is None else f"{many(found)} {what}"
            raise flags.usage_error(f"{told} would be gone for good: add --yes to take them out.")
        if given.query is None:
            gone = store.delete(given.name, given.workspace)
            print(f"took out {given.name!r} with {many(gone)}")
        else:
            done = store.delete_records(given.name, given.workspace, query=given.query)
            print(f"took {many(done.processed)} out of {given.name!r}")
    return 0


def copy(argv: Sequence[str]) -> int:
    """Copy a data set under a new name; the exit code."""
    parser = of_dataset("records copy", "Copy a data set with its settings, records and history.")
    parser.add_argument("new", metavar="NEW", help="name of the copy")
    parser.add_argument("--to", metavar="W", help="workspace of the copy [that of the original]")
    given = parser.read(argv)
    with opened(given) as store:
        made = store.copy(given.name, given.workspace, given.new, given.to)
        size = store.count(made.name, made.workspace)
    print(f"copied {many(size)} to {made.name!r} (workspace {made.workspace})")
    return 0


def of_dataset(command: str, about: str) -> flags.Parser:
    """A parser of a command on one data set."""
    parser = flags.Parser(command, about)
    parser.add_argument("name", metavar="NAME", help="name of the data set")
    shared(parser)
    return parser


def shared(parser: flags.Parser) -> None:
    told = "workspace of the data set [TUNESMITH_WORKSPACE, or default; of a server your own]"
    parser.add_argument("--workspace", metavar="W", help=told)
    _placed(parser)


def _placed(parser: flags.Parser) -> None:
    parser.add_argument("--database", metavar="F", help=DATABASE_HELP)
    parser.add_argument("--api-url", metavar="URL", help="a server in place of a database [TUNESMITH_API_URL]")
    parser.add_argument("--api-key", metavar="KEY", help="your key there [TUNESMITH_API_KEY, which others do not see]")


@contextmanager
def opened(given: Namespace) -> Iterator[Holder]:
    """The store or server that a command names, closed with the block; `workspace` is filled in where it was not said.

    As for the verbs in Python, the variables of the environment name a server too, and `--database` goes before them.
    """
    from ..records.opened import connected

    holder, place = connected(given.api_url, given.api_key, given.workspace, database=given.database)
    given.workspace = place
    with closing(holder):
        yield holder


def count(flag: str, text: str | None) -> int | None:
    """The number of a flag, 1 or more; None where it is not given."""
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise flags.usage_error(f"{flag} is {text!r}: expected a whole number, 1 or more.")
    return int(text)


def many(number: int) -> str:
    """How many records, in words."""
    return f"{number:,} record{'' if number == 1 else 's'}"


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping) and all(isinstance(part, str) for part in value.values()):
        return ", ".join(f"{key}: {part}" for key, part in value.items())
    return json.dumps(value, ensure_ascii=False)
