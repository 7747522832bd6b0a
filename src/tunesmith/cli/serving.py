"""`tunesmith records server`: a record store over HTTP."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence

from ..errors import NotInstalled
from . import flags

DATABASE_HELP = "path of an SQLite file, or postgresql://user@host/name [records.db in TUNESMITH_HOME]"
_LOOPBACK = ("localhost", "127.", "::1")


def server(argv: Sequence[str]) -> int:
    """Serve until interrupted; the exit code."""
    parser = flags.Parser("records server", "Serve a record store over HTTP. Every call but /healthz needs a key.")
    parser.add_argument("--host", metavar="NAME", default="127.0.0.1", help="address to listen at [127.0.0.1]")
    parser.add_argument("--port", metavar="N", default="6900", help="port to listen at, 0 for a free one [6900]")
    parser.add_argument("--database", metavar="F", help=DATABASE_HELP)
    given = parser.read(argv)
    if not given.port.isdigit() or int(given.port) > 65_535:
        raise flags.usage_error(f"--port is {given.port!r}: expected a whole number from 0 to 65535.")
    try:
        from ..records.server.running import serve
    except ModuleNotFoundError as error:
        if error.name not in ("fastapi", "starlette", "uvicorn"):
            raise
        raise NotInstalled(error.name, "server", "a server of records") from error
    from ..records.store.engine import Database
    from ..records.store.users import listed

    database = Database(given.database)
    with database.reading() as connection:
        nobody = not listed(connection)
    where = database.where
    database.close()

    def ready(address: str) -> None:
        if not given.host.startswith(_LOOPBACK):
            _say("this is open to other machines, and keys cross the network as they are: put TLS in front of it.")
        if nobody:
            _say("there are no users yet: `tunesmith users create NAME --role owner` makes one and prints its key.")
        print(f"serving {where} at {address} (Ctrl-C stops)", flush=True)  # last: who waits for it has all of it

    with contextlib.suppress(KeyboardInterrupt):  # the way to stop it
        serve(given.host, int(given.port), given.database, ready=ready)
    return 0


def _say(message: str) -> None:
    print(f"tunesmith: {message}", file=sys.stderr, flush=True)
