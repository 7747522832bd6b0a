"""The names of a store: its workspaces and data sets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, Select, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from ...errors import DataError, nearest
from . import fulltext
from .clock import moment, now
from .facts import is_kept
from .schema import datasets, records, workspaces

LONGEST_NAME = 200
_DATASET = re.compile(r"(?![-_])[a-zA-Z0-9_ -]+")
_WORKSPACE = re.compile(r"(?![-_])[a-z0-9_-]+")
TASKS = ("TextClassification", "TokenClassification", "Text2Text")


@dataclass(frozen=True)
class StoredDataset:
    """A data set as a store lists it. `vectors`: the numbers in a vector of each name."""

    id: int
    name: str
    workspace: str
    task: str
    created: datetime
    updated: datetime
    tags: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    vectors: dict[str, int] = field(default_factory=dict)


def check_name(name: object) -> None:
    """Raises DataError where a data set cannot be called so."""
    if not isinstance(name, str) or len(name) > LONGEST_NAME or not _DATASET.fullmatch(name):
        raise DataError(
            f"a data set cannot be called {_short(name)}: up to {LONGEST_NAME} letters, digits, spaces, '-' and '_', "
            "beginning with none of the last two."
        )


def check_workspace(name: str) -> None:
    """Raises DataError where a workspace cannot be called so."""
    if not isinstance(name, str) or len(name) > LONGEST_NAME or not _WORKSPACE.fullmatch(name):
        raise DataError(
            f"a workspace cannot be called {_short(name)}: up to {LONGEST_NAME} small letters, digits, '-' and '_', "
            "beginning with none of the last two."
        )


def check_author(name: str | None) -> None:
    """Raises DataError where who logs cannot be called so."""
    if name is not None and not (isinstance(name, str) and len(name) <= LONGEST_NAME and is_kept(name)):
        raise DataError(
            f"an author cannot be called {_short(name)}: up to {LONGEST_NAME} characters, no NUL, no half of a pair."
        )


def notes(**said: Any) -> dict[str, dict[str, Any]]:
    """Tags and metadata of a data set, those that are said. Raises DataError where JSON has no form for them."""
    found = {}
    for what, value in said.items():
        if value is None:
            continue
        if not isinstance(value, Mapping):
            raise DataError(f"{what}: {_short(value)} is no mapping from a name to a value.")
        try:
            orjson.dumps(held := dict(value))
        except TypeError as error:
            raise DataError(f"{what}: {_short(value)} holds what JSON has no form for ({error}).") from error
        found[what] = held
    return found


def _short(name: object) -> str:
    shown = repr(name)
    return shown if len(shown) <= 80 else shown[:79] + "…"


def _stored() -> Select[Any]:
    return select(datasets, workspaces.c.name.label("workspace_name")).join_from(
        datasets, workspaces, datasets.c.workspace == workspaces.c.id
    )


def _read(row: Any) -> StoredDataset:
    return StoredDataset(
        row.id,
        row.name,
        row.workspace_name,
        row.task,
        moment(row.created),
        moment(row.updated),
        orjson.loads(row.tags),
        orjson.loads(row.metadata),
        orjson.loads(row.vectors),
    )


def listed(connection: Connection, workspace: str | None) -> list[StoredDataset]:
    """By workspace and name; of one workspace where it is named."""
    wanted = _stored().order_by(workspaces.c.name, datasets.c.name)
    if workspace is not None:
        known_workspace(connection, workspace)
        wanted = wanted.where(workspaces.c.name == workspace)
    return [_read(row) for row in connection.execute(wanted)]


def workspace_names(connection: Connection) -> list[str]:
    return list(connection.scalars(select(workspaces.c.name).order_by(workspaces.c.name)))


def known_workspace(connection: Connection, name: str) -> int:
    """Raises DataError, which names the known ones, where there is none of this name."""
    known_name = _WORKSPACE.fullmatch(str(name))  # another cannot be there, nor be asked for
    found = connection.scalar(select(workspaces.c.id).where(workspaces.c.name == str(name))) if known_name else None
    if found is None:
        raise DataError(_unknown("workspace", name, workspace_names(connection), "It exists from its first log."))
    return int(found)


def known(connection: Connection, name: str, workspace: str, *, lock: bool = False) -> StoredDataset:
    """The data set of this name; `lock` keeps other writers of it out until the transaction ends.

    Raises:
        DataError: there is none, with the names that there are.
    """
    known_workspace(connection, workspace)
    wanted = _stored().where(workspaces.c.name == str(workspace), datasets.c.name == str(name))
    wanted = wanted.with_for_update(of=datasets) if lock else wanted
    row = connection.execute(wanted).first() if _DATASET.fullmatch(str(name)) else None
    if row is None:
        names = [each.name for each in listed(connection, workspace)]
        raise DataError(_unknown(f"data set in workspace {workspace!r}", name, names, ""))
    return _read(row)


def _unknown(kind: str, name: object, names: list[str], more: str) -> str:
    close = nearest(str(name), names)
    hint = f" Did you mean {close!r}?" if close else ""
    shown = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
    return f"unknown {kind}: {_short(name)}.{hint} Known: {shown or 'none yet'}." + (f" {more}" if more else "")


def ensure(connection: Connection, name: str, workspace: str, task: str) -> StoredDataset:
    """The data set, made with its workspace where it is new, and locked.

    Raises:
        DataError: a name that cannot be, or a data set of another task.
    """
    found, _ = _ensured(connection, name, workspace, task)
    if found.task != task:
        raise DataError(
            f"data set {name!r} of workspace {workspace!r} holds {found.task} records, not {task}: "
            "log these under another name."
        )
    return found


def make(connection: Connection, name: str, workspace: str, task: str) -> StoredDataset:
    """A new data set, locked. Raises DataError where there is one of this name, or it cannot be called so."""
    found, new = _ensured(connection, name, workspace, task)
    if not new:
        raise DataError(f"workspace {workspace!r} has a data set {name!r} already: copy to another name, or delete it.")
    return found


def _ensured(connection: Connection, name: str, workspace: str, task: str) -> tuple[StoredDataset, bool]:
    """(the data set, locked; whether this transaction made it)."""
    check_name(name)
    check_workspace(workspace)
    if task not in TASKS:
        raise DataError(f"{_short(task)} is no task of records: one of {', '.join(TASKS)}.")
    at, empty = now(), "{}"
    _insert(connection, workspaces, {"name": workspace, "created": at}, workspaces.c.name == workspace)
    place = known_workspace(connection, workspace)
    row = {
        "workspace": place,
        "name": name,
        "task": task,
        "tags": empty,
        "metadata": empty,
        "vectors": empty,
        "created": at,
        "updated": at,
    }
    same = (datasets.c.workspace == place) & (datasets.c.name == name)
    wanted = _stored().where(same).with_for_update(of=datasets)
    while True:
        new = _insert(connection, datasets, row, same)
        found = connection.execute(wanted).first()
        if found is not None:  # else another took it out while this one waited for the lock
            return _read(found), new


def _insert(connection: Connection, table: Any, row: dict[str, Any], same: Any) -> bool:
    """Makes the row where there is none that is `same`; whether it did."""
    if connection.scalar(select(table.c.id).where(same)) is not None:
        return False
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    made = insert(table).values(row).on_conflict_do_nothing().returning(table.c.id)
    return connection.execute(made).first() is not None


def touch(connection: Connection, dataset: int, **changes: Any) -> None:
    """Notes a change of a data set; mappings among the changes are kept as JSON."""
    held = {name: orjson.dumps(value).decode() if isinstance(value, dict) else value for name, value in changes.items()}
    connection.execute(update(datasets).where(datasets.c.id == dataset), {"updated": now(), **held})


def drop(connection: Connection, dataset: int) -> int:
    """Takes a data set out with its records; returns how many they were."""
    chosen = records.c.dataset == dataset
    fulltext.forget_where(connection, chosen)
    gone = connection.execute(delete(records).where(chosen)).rowcount
    connection.execute(delete(datasets).where(datasets.c.id == dataset))
    return int(gone)


def settings(connection: Connection, dataset: int) -> dict[str, Any] | None:
    held = connection.scalar(select(datasets.c.settings).where(datasets.c.id == dataset))
    return None if held is None else orjson.loads(held)
