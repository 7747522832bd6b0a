"""The server as a process: its socket, and uvicorn on it."""

from __future__ import annotations

import gc
import socket
from collections.abc import Callable

import uvicorn

from ...errors import ConfigError
from .app import create
from .limits import Limits

_WAITING = 1_024  # connections that wait to be taken: from now on, not from the first turn of the loop


def serve(
    host: str, port: int, database: str | None, *, ready: Callable[[str], None], limits: Limits | None = None
) -> None:
    """Serves until interrupted. `ready` is called with the address, once it is bound; port 0 takes a free one.

    Raises:
        ConfigError: the address cannot be bound. StoreError: the database cannot be opened.
    """
    app = create(database, limits)
    with bound(host, port) as listener:  # before uvicorn, which sets up the logging of the whole process
        config = uvicorn.Config(
            app, log_level="warning", server_header=False, timeout_keep_alive=30, timeout_graceful_shutdown=30
        )
        name, number = listener.getsockname()[:2]
        ready(f"http://[{name}]:{number}" if ":" in name else f"http://{name}:{number}")
        gc.freeze()  # what is there now stays: the garbage collector need not look through it at every bulk
        uvicorn.Server(config).run(sockets=[listener])


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises: ConfigError."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(_WAITING)
        except OSError:
            listener.close()
            raise
    except (OSError, OverflowError) as error:
        told = getattr(error, "strerror", None) or error
        raise ConfigError("host and port", f"{host}:{port}", f"a free address of this machine ({told})") from error
    listener.set_inheritable(True)
    return listener
