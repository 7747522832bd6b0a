"""What the verbs of a session work on: the store or server that `init` opened, and the active workspace.

Without `init` the first verb opens what the environment names, or the store on this machine. After an `init` that
failed nothing is open: what was meant for a team's server must not end in another place.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import ConfigError, MissingCredential, StoreError, TunesmithError
from .holder import Holder
from .store.catalog import check_workspace
from .store.users import HOME

URLS = ("TUNESMITH_API_URL", "ARGILLA_API_URL")  # the first that is set
KEYS = ("TUNESMITH_API_KEY", "ARGILLA_API_KEY")
WORKSPACES = ("TUNESMITH_WORKSPACE", "ARGILLA_WORKSPACE")


@dataclass(frozen=True)
class Session:
    """What verbs work on: where the records are, and the workspace of a call that names none."""

    holder: Holder
    workspace: str
    one_by_one: ThreadPoolExecutor  # of what is logged in the background: in order


_lock = threading.RLock()
_active: Session | None = None
_failure: str | None = None  # why the last `init` opened nothing


def init(
    api_url: str | None = None,
    api_key: str | None = None,
    workspace: str | None = None,
    timeout: float = 60,
    extra_headers: Mapping[str, str] | None = None,
    httpx_extra_kwargs: Mapping[str, Any] | None = None,
    *,
    database: str | Path | None = None,
) -> None:
    """Open what the verbs work on, from now on.

    api_url, api_key: a server; without them the variables of URLS and KEYS, ours first. workspace: the active one;
    without it the variables of WORKSPACES, then 'default' (of a server: the user's own). database: the store of an
    SQLite file or a PostgreSQL address in place of a server. Without any, the store is a file in tunesmith's home.

    Raises:
        ConfigError: an address or name that cannot be. MissingCredential: a server without a key.
        ServerError: the server does not answer, or does not know the key. StoreError: the database cannot be opened.
        After any of these, verbs are a StoreError until an `init` succeeds.
    """
    global _active, _failure
    options: dict[str, Any] = {"timeout": timeout, "headers": extra_headers, "options": httpx_extra_kwargs}
    try:
        holder, place = connected(api_url, api_key, workspace, database=database, **options)
    except TunesmithError as error:
        with _lock:
            _active, _failure = None, str(error)
        raise
    with _lock:
        _active, _failure = _session(holder, place), None


def _session(holder: Holder, place: str) -> Session:
    return Session(holder, place, ThreadPoolExecutor(1, "tunesmith-log"))


def connected(
    api_url: str | None,
    api_key: str | None,
    workspace: str | None,
    *,
    database: str | Path | None,
    **options: Any,
) -> tuple[Holder, str]:
    """(what holds the records, the active workspace), as `init` finds them. options: of `Remote`."""
    url, key, named = api_url or _said(URLS), api_key or _said(KEYS), workspace or _said(WORKSPACES)
    if database is not None and (api_url or api_key):
        raise ConfigError("database", str(database), "either a database or a server, not both")
    if api_key and not url:
        raise ConfigError("api_key", "…", f"an address with it: api_url, or the variable {URLS[0]}")
    if named:
        check_workspace(named)
    if url and database is None:
        if not key:
            other = "pass api_key=… (`tunesmith users create` prints one)"
            raise MissingCredential(f"the server at {url}", KEYS[0], other)
        from .client import Remote

        remote = Remote(url, key, **options)
        try:
            own = remote.home()  # also says now, not later, that the address or the key is wrong
        except BaseException:
            remote.close()
            raise
        return remote, named or own
    from .store.store import Store

    return Store(database), named or HOME


def _said(variables: Sequence[str]) -> str | None:
    return next((os.environ[name] for name in variables if os.environ.get(name)), None)


def active() -> Session:
    """The open session; opened now where there was none.

    Raises:
        StoreError: the last `init` failed. Else as `init`.
    """
    global _active
    with _lock:
        if _failure is not None:
            reason = f"nothing is open, as the last init failed ({_failure.rstrip('.')}). Call init again: without"
            raise StoreError("records", f"{reason} arguments it opens what the environment names, or your own store.")
        if _active is None:
            _active = _session(*connected(None, None, None, database=None))
        return _active


def close() -> None:
    """Wait for what is logged in the background and forget the session; the next verb opens one anew."""
    global _active, _failure
    with _lock:
        session, _active, _failure = _active, None, None
    if session is not None:
        session.one_by_one.shutdown()
        session.holder.close()


def placed(workspace: str | None) -> tuple[Holder, str]:
    session = active()
    return session.holder, workspace or session.workspace


def get_workspace() -> str:
    """The name of the active workspace."""
    return active().workspace


def set_workspace(workspace: str) -> None:
    """Make a workspace the active one; it need not exist: its first log makes it.

    Raises:
        DataError: a workspace cannot be called so.
    """
    global _active
    check_workspace(workspace)
    with _lock:
        _active = replace(active(), workspace=workspace)
