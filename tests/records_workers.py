"""What other processes do to a store in the tests."""

from __future__ import annotations

from multiprocessing.synchronize import Barrier, Event

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


def log_for_ever(url: str, run: int, size: int, started: Event) -> None:
    """Logs batches until it is killed: each new, with an update of the batch before in between."""
    store, number = Store(url), 0
    while True:
        batch = [record(f"{run}-{number}-{place}") for place in range(size)]
        store.log(batch, "d", "w", batch=size)
        started.set()
        for each in batch:
            each.annotation = "pos"
        store.log(batch, "d", "w", batch=size)
        number += 1
