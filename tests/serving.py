"""A served store: uvicorn on a free loopback port, a real SQLite file, keys made as the command line makes them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import uvicorn

from tunesmith.records.client import Remote
from tunesmith.records.server.app import create
from tunesmith.records.server.limits import Limits
from tunesmith.records.server.running import bound
from tunesmith.records.store import users
from tunesmith.records.store.engine import Database


@dataclass(frozen=True)
class Served:
    url: str
    file: Path | str  # of SQLite, or the address of a database

    def key(self, name: str, role: str = "owner", *workspaces: str) -> str:
        database = Database(self.file)
        with database.writing() as connection:
            return users.create(connection, name, role, workspaces)[1]

    def http(self, key: str = "") -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"X-Argilla-Api-Key": key} if key else {}, timeout=30)

    def remote(self, key: str) -> Remote:
        return Remote(self.url, key)


@contextmanager
def run(file: Path | str, limits: Limits | None = None) -> Iterator[Served]:
    with bound("127.0.0.1", 0) as listener:
        server = uvicorn.Server(uvicorn.Config(create(str(file), limits), log_level="critical"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.005)
        try:
            yield Served(f"http://127.0.0.1:{listener.getsockname()[1]}", file)
        finally:
            server.should_exit = True
            thread.join()
