"""What other processes do to a store in the tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import count
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier, Semaphore

from tunesmith.records.store.store import Store
from tunesmith.records.types import TextClassificationRecord

SHARED, OWN, BATCH = 60, 120, 20


def record(identity: str, text: str = "the quick brown fox") -> TextClassificationRecord:
    return TextClassificationRecord(f"{text} {identity}", id=identity, prediction=[("pos", 0.7)], metadata={"n": 1})


def open_and_log(url: str, barrier: Barrier, worker: int) -> None:
    """Opens a store that may be new, at the same moment as the others, and logs shared and own ids."""
    barrier.wait(60)
    with Store(url) as store:
        records = []
        for number in range(OWN):
            records.append(record(f"own-{worker}-{number}"))
            if number < SHARED:
                records.append(record(f"shared-{number}", f"worker{worker}"))
        store.log(records, "d", "w", batch=BATCH)


def launch(url: str, line: Connection, begun: Semaphore) -> None:
    """Starts a process that logs for each (url, run, size) that comes down the line, and answers with its number, then
    with how it ended. The store at `url` warms this process up: a fork of it logs within milliseconds."""
    with Store(url) as store:
        store.log(record("warm"), "warm", "w")
    while (asked := line.recv()) is not None:
        child = os.fork()
        if not child:
            try:
                log_for_ever(*asked, begun)
            finally:
                os._exit(1)
        line.send(child)
        line.send(os.waitpid(child, 0)[1])


def log_for_ever(url: str, run: int, size: int, begun: Semaphore) -> None:
    """One bulk log that ends when it is killed: each batch new, then with an annotation."""

    def endless() -> Iterator[TextClassificationRecord]:
        for number in count():
            batch = [record(f"run{run}-{number}-{place}") for place in range(size)]
            begun.release()
            yield from batch
            for each in batch:
                each.annotation = "pos"
            begun.release()
            yield from batch

    Store(url).log(endless(), "d", "w", batch=size)
