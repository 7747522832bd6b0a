"""Several processes on one store, and processes that are killed."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from records_workers import BATCH, OWN, SHARED, launch, open_and_log, record
from tunesmith.records.store.store import Store

WRITERS = 8
KILLS = int(os.environ.get("TUNESMITH_KILLS", "30"))
"""Points at which a bulk log is killed: 100 for the full trial."""
SIZE = 50

processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["records_workers"])


def checked(url: str) -> None:
    """That SQLite finds no fault in the file, nor its full text any difference to the records."""
    if "://" not in url:
        with sqlite3.connect(url) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
            connection.execute("INSERT INTO records_fts (records_fts, rank) VALUES ('integrity-check', 1)")


def test_eight_writers_that_open_a_new_store_at_once_lose_and_double_nothing(url: str) -> None:
    barrier = processes.Barrier(WRITERS)
    writers = [processes.Process(target=open_and_log, args=(url, barrier, worker)) for worker in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(100)
    assert [writer.exitcode for writer in writers] == [0] * WRITERS
    with Store(url) as store:
        found = [record.id for record in store.iterate("d", "w")]
        wanted = {f"own-{worker}-{number}" for worker in range(WRITERS) for number in range(OWN)}
        wanted |= {f"shared-{number}" for number in range(SHARED)}
        assert sorted(found) == sorted(wanted)
        assert store.count("d", "w", query="fox") == WRITERS * OWN
        assert store.count("d", "w", query="worker?") == SHARED
        assert store.workspaces() == ["w"]
        for identity in ("shared-0", "shared-59", "own-3-7"):
            assert [event.kind for event in store.history("d", "w", identity)] == ["logged"]
        for worker in range(WRITERS):  # the order of one writer's records stays
            own = [each for each in found if str(each).startswith(f"own-{worker}-")]
            assert own == [f"own-{worker}-{number}" for number in range(OWN)]
    assert OWN % BATCH == 0
    checked(url)


Killer = Callable[[str, int, int, float], None]


@pytest.fixture
def killed(url: str) -> Iterator[Killer]:
    """`killed(url, run, batches, seconds)`: a bulk log in a process of its own, killed so long after that many batches
    were begun."""
    begun = processes.Semaphore(0)
    ours, theirs = processes.Pipe()
    launcher = processes.Process(target=launch, args=(url, theirs, begun), daemon=True)
    launcher.start()
    theirs.close()  # so that an end of the launcher ends a wait for it

    def kill(store: str, run: int, batches: int, seconds: float) -> None:
        ours.send((store, run, SIZE))
        writer = ours.recv()
        assert all(begun.acquire(timeout=60) for _ in range(batches))
        time.sleep(seconds)
        os.kill(writer, signal.SIGKILL)
        assert ours.recv() == signal.SIGKILL  # not its own end
        while begun.acquire(block=False):
            pass

    yield kill
    ours.send(None)
    launcher.join(10)


@pytest.mark.timeout(600)
def test_a_killed_log_leaves_whole_batches(url: str, killed: Killer) -> None:
    draw, most = random.Random(0), 8
    for run in range(KILLS):
        place = url if "://" in url else f"{url}.{run // 10}"  # new stores too: the first log of one makes its tables
        begun = draw.randint(0, most)
        killed(place, run, begun, draw.uniform(0, 0.02))
        with Store(place) as store:
            assert store.log(record(f"after{run}"), "d", "w").processed == 1
            found = list(store.iterate("d", "w", query=f"run{run}"))
        own = Counter(str(each.id).rpartition("-")[0] for each in found)
        assert set(own.values()) <= {SIZE}
        assert list(own) == [f"run{run}-{number}" for number in range(len(own))]
        assert len(own) >= begun // 2  # a batch that was begun comes after those before it were written
        for key in own:  # and whole updates
            assert len({each.status for each in found if str(each.id).startswith(f"{key}-")}) == 1
        checked(place)


def test_a_fork_uses_connections_of_its_own(store: Store) -> None:
    store.log(record("parent"), "d", "w")
    child = os.fork()
    if not child:
        try:
            store.log(record("child"), "d", "w")
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    store.log(record("parent again"), "d", "w")
    assert [each.id for each in store.load("d", "w")] == ["parent", "child", "parent again"]
