"""Several processes on one store, and processes that are killed."""

from __future__ import annotations

import multiprocessing
import os
import random
import sqlite3
import time
from collections import Counter

import pytest

from records_workers import BATCH, OWN, SHARED, log_for_ever, open_and_log, record
from tunesmith.records.store.store import Store

WRITERS = 8
KILLS = int(os.environ.get("TUNESMITH_KILLS", "10"))
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


@pytest.mark.timeout(600)
def test_a_killed_log_leaves_whole_batches(url: str) -> None:
    draw = random.Random(0)
    for run in range(KILLS if "://" not in url else max(KILLS // 3, 2)):
        started = processes.Event()
        writer = processes.Process(target=log_for_ever, args=(url, run, SIZE, started))
        writer.start()
        assert started.wait(60)
        time.sleep(draw.uniform(0, 0.15))
        writer.kill()
        writer.join()
        with Store(url) as store:
            found = list(store.iterate("d", "w", query=f"{run}"))
            own = Counter(str(each.id).rpartition("-")[0] for each in found if str(each.id).startswith(f"{run}-"))
            assert own
            assert set(own.values()) == {SIZE}
            assert sorted(own, key=lambda key: int(key.split("-")[1])) == [
                f"{run}-{place}" for place in range(len(own))
            ]
            for key in own:  # and whole updates
                statuses = {each.status for each in found if str(each.id).startswith(f"{key}-")}
                assert len(statuses) == 1
            assert store.log(record(f"after-{run}"), "d", "w").processed == 1
        checked(url)


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
