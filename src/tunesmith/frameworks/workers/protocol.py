"""The worker's side of the pipe. It imports the standard library and pyarrow alone: worker scripts load it by its path.

Requests come as JSON lines on standard input, {"id", "do", …}; events, questions and answers go back as JSON lines on
what was standard output. Whatever the library prints goes to standard error, which is the worker's log. Rows are
Arrow IPC files, named in the requests. When standard input ends, the parent is gone, and so is this process.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from typing import Any

Request = Mapping[str, Any]
_NO_MEMORY = ("out of memory", "can't allocate memory", "cannot allocate memory")


class Channel:
    """The pipe to the parent. `stopped` is set when the parent asks that training end after the step it is in."""

    def __init__(self) -> None:
        sys.stdout.flush()
        self._out = os.fdopen(os.dup(1), "w", encoding="ascii")
        os.dup2(2, 1)  # what the library prints, in C too, goes to the log
        sys.stdout = sys.stderr
        self.stopped = threading.Event()
        self._heard: queue.Queue[Request] = queue.Queue()
        self._id: Any = None
        threading.Thread(target=self._listen, daemon=True).start()

    def event(self, kind: str, **values: Any) -> None:
        """Tell the parent of progress."""
        self._say(event=kind, **values)

    def ask(self, kind: str, **values: Any) -> Request:
        """The parent's answer to a question, waited for."""
        self._say(ask=kind, **values)
        return self._heard.get()

    def serve(self, work: Mapping[str, Callable[[Channel, Request], Mapping[str, Any]]]) -> None:
        """Answer requests by the functions named in `work`, one after the other, until 'quit'."""
        while (request := self._heard.get())["do"] != "quit":
            self._id = request["id"]
            self.stopped.clear()
            try:
                self._say(done=work[request["do"]](self, request))
            except BaseException as error:  # a library's sys.exit too: the parent is told, and may ask again
                traceback.print_exc()
                self._say(error=_described(error))
            sys.stderr.flush()

    def _listen(self) -> None:
        for line in sys.stdin:
            heard = json.loads(line)
            if heard["do"] == "stop":
                self.stopped.set()
            else:
                self._heard.put(heard)
        _end()

    def _say(self, **values: Any) -> None:
        self._out.write(json.dumps({"id": self._id, **values}, default=str) + "\n")
        self._out.flush()


def _described(error: BaseException) -> dict[str, Any]:
    told = str(error).lower()
    memory = isinstance(error, MemoryError) or any(sign in told for sign in _NO_MEMORY)
    return {"type": type(error).__name__, "message": str(error), "memory": memory}


def _end() -> None:
    """Ends this process, with the processes that its library has started."""
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)


def read(path: str) -> dict[str, list[Any]]:
    """The columns of an Arrow IPC file, as Python values."""
    import pyarrow

    with pyarrow.memory_map(path) as source:
        columns: dict[str, list[Any]] = pyarrow.ipc.open_file(source).read_all().to_pydict()
    return columns


def write(path: str, columns: Mapping[str, list[Any]], types: Mapping[str, Any]) -> None:
    """Write columns as an Arrow IPC file. `types`: the pyarrow type of each column."""
    import pyarrow

    table = pyarrow.table(dict(columns), schema=pyarrow.schema(list(types.items())))
    with pyarrow.OSFile(path, "wb") as sink, pyarrow.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
