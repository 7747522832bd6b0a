"""Two who change one data set at once: each is told what happened, and nothing is mixed."""

from __future__ import annotations

import threading
from collections.abc import Callable

from tunesmith.errors import DataError
from tunesmith.records.store.store import Store
from tunesmith.records.types import Record, TextClassificationRecord


def texts(count: int, text: str = "x", version: int = 0) -> list[Record]:
    return [TextClassificationRecord(text, id=number, metadata={"v": version}) for number in range(count)]


def at_once(*calls: Callable[[], object]) -> list[object]:
    """What each call gave, or the error that it raised."""
    start, found = threading.Barrier(len(calls)), [object()] * len(calls)

    def run(place: int, call: Callable[[], object]) -> None:
        start.wait()
        try:
            found[place] = call()
        except Exception as error:
            found[place] = error

    threads = [threading.Thread(target=run, args=each) for each in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_two_copies_to_one_name_are_not_mixed(store: Store) -> None:
    store.log(texts(150, "a"), "A", "w")
    store.log(texts(150, "b"), "B", "w")
    for turn in range(3):
        name = f"C{turn}"
        found = at_once(lambda name=name: store.copy("A", "w", name), lambda name=name: store.copy("B", "w", name))
        (error,) = [each for each in found if isinstance(each, Exception)]
        assert isinstance(error, DataError)
        assert f"has a data set '{name}' already" in str(error)
        assert store.count(name, "w") == 150
        assert len({record.text for record in store.load(name, "w")}) == 1


def test_a_log_into_a_name_that_is_copied_to_is_before_or_after_the_copy(store: Store) -> None:
    store.log(texts(150), "A", "w")
    for turn in range(3):
        name = f"C{turn}"
        copied, logged = at_once(
            lambda name=name: store.copy("A", "w", name),
            lambda name=name: store.log(TextClassificationRecord("y", id="y"), name, "w"),
        )
        assert not isinstance(logged, Exception)
        assert store.count(name, "w") == (1 if isinstance(copied, DataError) else 151)


def test_a_log_beside_a_deletion_of_its_data_set_is_before_or_after_it(store: Store) -> None:
    for _ in range(8):
        store.log(texts(40), "d", "w")
        logged, deleted = at_once(lambda: store.log(texts(40), "d", "w"), lambda: store.delete("d", "w"))
        assert (getattr(logged, "processed", logged), deleted) == (40, 40)


def test_a_load_sees_one_state_of_a_data_set_of_many_pages(store: Store) -> None:
    size = 2_100  # more than two pages
    store.log(texts(size), "d", "w", batch=size)
    done = threading.Event()

    def write() -> None:
        for version in range(1, 4):
            store.log(texts(size, version=version), "d", "w", batch=size)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    versions = []
    while not done.is_set():
        versions.append({record.metadata["v"] for record in store.load("d", "w")})
    writer.join()
    assert {len(each) for each in versions} == {1}


def test_a_load_of_postgresql_reads_one_snapshot(postgres_url: str) -> None:
    with Store(postgres_url)._database.reading() as connection:
        assert connection.exec_driver_sql("SHOW transaction_read_only").scalar() == "on"
        assert connection.exec_driver_sql("SHOW transaction_isolation").scalar() == "repeatable read"
