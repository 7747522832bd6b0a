"""Who asks, for which workspace, and what a request carries: the parameters that the routes share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

import orjson
from fastapi import Depends, Header, Query, Request, Security
from fastapi.security import APIKeyHeader

from ...errors import DataError
from ..store.catalog import StoredDataset
from ..store.engine import Database
from ..store.store import Store
from ..store.users import User
from .answers import Refused
from .gate import KEY_HEADER
from .limits import Limits

_key = APIKeyHeader(name=KEY_HEADER, auto_error=False)  # for the OpenAPI page; the gate has checked it
_UNSAID = ("", "None")  # what a client of Argilla writes where it has no workspace
_ACTIONS = {"manage": "make, change or delete data sets"}  # in words


@dataclass(frozen=True)
class Call:
    """One request: its user, the workspace that it is about, and what the server holds."""

    user: User
    workspace: str
    store: Store
    database: Database
    limits: Limits

    def to(self, workspace: object) -> Call:
        """The same call about another workspace, where one is said."""
        if workspace is None or workspace in _UNSAID:
            return self
        if not isinstance(workspace, str):
            raise Refused(422, f"a workspace is {workspace!r}: expected its name.")
        return replace(self, workspace=workspace)

    def allow(self, action: str) -> None:
        """Raises: Refused, where the user may not `action` (read, annotate, manage) in the workspace."""
        if self.user.may(action, self.workspace):
            return
        if self.user.may("read", self.workspace):
            what = _ACTIONS.get(action, action)
            told = f"{self.user.name} is {self.user.role} in {self.workspace!r} and may not {what}"
            raise Refused(403, f"{told}: ask an admin of this workspace, or an owner.")
        yours = ", ".join(self.user.workspaces)
        raise Refused(403, f"{self.user.name} has no workspace {self.workspace!r}. Yours: {yours}.")

    def dataset(self, name: str, action: str = "read") -> StoredDataset:
        """The data set, where it is and the user may `action`. Raises: Refused."""
        self.allow(action)
        self.check_exists()
        try:
            return self.store.dataset(name, self.workspace)
        except DataError as error:
            raise Refused(404, str(error), kind="data") from error

    def check_exists(self) -> None:
        """Raises: Refused, where the workspace has nothing yet; it names only those of the user."""
        known = self.store.workspaces()
        if self.workspace not in known:
            seen = set(known) & set(self.workspaces())
            named = f"unknown workspace: {self.workspace[:80]!r}. Known: {', '.join(sorted(seen)) or 'none yet'}."
            raise Refused(404, f"{named} It exists from its first log.", kind="data")

    def find(self, name: str) -> StoredDataset | None:
        """The data set, or None where there is none yet."""
        try:
            return self.dataset(name)
        except Refused as refused:
            if refused.status == 404:
                return None
            raise

    def workspaces(self) -> list[str]:
        """Those of the user, whether they exist yet or not; for an owner all that exist too."""
        more = self.store.workspaces() if self.user.role == "owner" else []
        return sorted({*self.user.workspaces, *more})


def _call(
    request: Request,
    workspace: Annotated[str | None, Query(description="The workspace; before the header.")] = None,
    x_argilla_workspace: Annotated[str | None, Header(description="The workspace; without it the user's own.")] = None,
    _: Annotated[str | None, Security(_key)] = None,
) -> Call:
    user: User = request.state.user
    held = request.app.state
    call = Call(user, user.home, held.store, held.database, held.limits)
    return call.to(x_argilla_workspace).to(workspace)


async def _body(request: Request) -> bytes:
    return await request.body()


Caller = Annotated[Call, Depends(_call)]
Body = Annotated[bytes, Depends(_body)]


def parsed(body: bytes) -> Mapping[str, Any]:
    """The JSON object of a body; {} of an empty one. Raises: Refused."""
    if not body:
        return {}
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused(400, f"the body is no JSON: {error}.") from error
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise Refused(422, "the body is no JSON object.")
    return found


def known_only(values: Mapping[str, Any], known: set[str], where: str) -> None:
    """Raises: Refused, where something is asked for that is not understood: nothing is dropped silently."""
    strange = sorted(name for name, value in values.items() if name not in known and value not in (None, [], {}, ""))
    if strange:
        raise Refused(422, f"{where} has {strange[0]!r}, which is not understood. Known: {', '.join(sorted(known))}.")
