"""Who may use a store over HTTP: names, roles, workspaces and keys. A key is shown once and kept as its SHA-256.

A key is `ts-ID-SECRET`: the id finds the user, the secret (32 random bytes) proves it. A hash without salt and
stretching is right for such a secret: nobody guesses 256 bits.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import BigInteger, Column, Connection, MetaData, Table, Text, delete, insert, select
from sqlalchemy.exc import IntegrityError

from ...errors import DataError, UnknownName
from .catalog import check_workspace
from .clock import moment, now

ROLES = ("owner", "admin", "annotator")
HOME = "default"  # the workspace of who names none
_NOBODY = "0" * 64  # a digest that no key has

_metadata = MetaData()
users = Table(
    "users",
    _metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("public", Text, nullable=False),  # the part of the key that is no secret
    Column("digest", Text, nullable=False),  # SHA-256 of the whole key, in hexadecimal
    Column("created", BigInteger, nullable=False),
)
memberships = Table(
    "memberships",
    _metadata,
    Column("user", Text, primary_key=True),
    Column("workspace", Text, primary_key=True),  # a name: the workspace may not exist before its first log
)

STATEMENTS = (
    "CREATE TABLE users (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, role TEXT NOT NULL, "
    "public TEXT NOT NULL UNIQUE, digest TEXT NOT NULL, created BIGINT NOT NULL)",
    'CREATE TABLE memberships ("user" TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE, '
    'workspace TEXT NOT NULL, PRIMARY KEY ("user", workspace))',
)
"""What the migration runs, the same on every database."""


@dataclass(frozen=True)
class User:
    """One user. `workspaces` are those it was given; an owner may use every other too."""

    id: str
    name: str
    role: str
    workspaces: tuple[str, ...]
    created: datetime

    @property
    def home(self) -> str:
        """The workspace of a call that names none."""
        return self.workspaces[0] if len(self.workspaces) == 1 or HOME not in self.workspaces else HOME

    def may(self, action: str, workspace: str) -> bool:
        """Whether the role allows `action`, which is read, annotate or manage, in this workspace."""
        if self.role == "owner":
            return True
        return workspace in self.workspaces and (self.role == "admin" or action in ("read", "annotate"))


def create(connection: Connection, name: str, role: str, workspaces: Iterable[str] = ()) -> tuple[User, str]:
    """(the new user, its key, which is nowhere else).

    An owner that is given no workspace gets HOME.

    Raises:
        UnknownName: no such role. DataError: the name is taken or cannot be, or there is no workspace.
    """
    if role not in ROLES:
        raise UnknownName("role", role, ROLES)
    try:
        check_workspace(name)
    except DataError as error:
        raise DataError(str(error).replace("a workspace", "a user", 1)) from error
    named = tuple(dict.fromkeys(workspaces)) or ((HOME,) if role == "owner" else ())
    if not named:
        raise DataError(f"{name} is to be {role}, and has no workspace: name at least one.")
    for each in named:
        check_workspace(each)
    public, created = secrets.token_hex(8), now()
    key = f"ts-{public}-{secrets.token_urlsafe(32)}"
    user = User(str(uuid4()), name, role, tuple(sorted(named)), moment(created))
    row = {"id": user.id, "name": name, "role": role, "public": public, "digest": _digest(key), "created": created}
    try:
        connection.execute(insert(users), row)
    except IntegrityError as error:
        raise DataError(f"there is a user {name!r} already: delete it first, or give another name.") from error
    connection.execute(insert(memberships), [{"user": user.id, "workspace": each} for each in user.workspaces])
    return user, key


def listed(connection: Connection) -> list[User]:
    """Every user, by name."""
    rows = connection.execute(select(users).order_by(users.c.name)).all()
    return [_user(connection, row) for row in rows]


def remove(connection: Connection, name: str) -> User:
    """Takes a user out, and with it the key.

    Raises:
        UnknownName: there is no user of this name.
    """
    row = connection.execute(select(users).where(users.c.name == name)).first()
    if row is None:
        names = connection.scalars(select(users.c.name).order_by(users.c.name)).all()
        raise UnknownName("user", name, names or ["none yet"])
    gone = _user(connection, row)
    connection.execute(delete(memberships).where(memberships.c.user == gone.id))
    connection.execute(delete(users).where(users.c.id == gone.id))
    return gone


def of_key(connection: Connection, key: str) -> User | None:
    """Whose key this is, compared in constant time; None for nobody's."""
    public = key.split("-", 2)[1] if key.count("-") >= 2 and key.isprintable() else ""
    row = connection.execute(select(users).where(users.c.public == public)).first()
    same = hmac.compare_digest(_digest(key), _NOBODY if row is None else str(row.digest))
    return _user(connection, row) if same and row is not None else None


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _user(connection: Connection, row: Any) -> User:
    found = select(memberships.c.workspace).where(memberships.c.user == row.id).order_by(memberships.c.workspace)
    names = tuple(connection.scalars(found))
    return User(row.id, row.name, row.role, names, moment(row.created))
