"""What a store keeps, gives back and refuses, on either database."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tunesmith.errors import ConfigError, DataError, QueryError, RowError, StoreError
from tunesmith.records.settings import TextClassificationSettings, TokenClassificationSettings
from tunesmith.records.store import migrations
from tunesmith.records.store.store import Store
from tunesmith.records.types import Record, Text2TextRecord, TextClassificationRecord, TokenClassificationRecord


def texts(*ids: int | str, **fields: object) -> list[Record]:
    return [TextClassificationRecord(f"text {each}", id=each, **fields) for each in ids]  # type: ignore[arg-type]


def ids(records: list[Record]) -> list[int | str]:
    return [record.id for record in records]


FULL: list[list[Record]] = [
    [
        TextClassificationRecord(
            inputs={"title": "a\x00b", "body": ["c", "d 🦊"]},
            prediction=[("pos", 0.25), ("neg", 0.75)],
            prediction_agent="model",
            annotation=["pos", "neg"],
            annotation_agent="me",
            multi_label=True,
            explanation={"title": [{"token": "a", "attributions": {"pos": 0.5}}]},  # type: ignore[list-item]
            vectors={"v": [0.1, 2.0], "w": [1e-300, 1.0, 3.0]},
            id=7,
            metadata={"deep": {"a.b": [1, None, True, "x\x00"]}, "big": 2**63 - 1, "small": 5e-324},
            event_timestamp="2024-05-17T09:30:00.000001+02:00",
            metrics={"length": 3},
        ),
        TextClassificationRecord("007", id="007"),
    ],
    [
        TokenClassificationRecord(
            "New York 日本",
            ["New", "York", "日本"],
            prediction=[("LOC", 0, 8, 0.9)],
            annotation=[("LOC", 0, 8), ("LOC", 9, 11)],
            id="a",
        ),
        TokenClassificationRecord("none here", annotation=[], id="b"),
    ],
    [Text2TextRecord("long text", prediction=["short", ("shorter", 0.5)], annotation="brief", status="Edited")],
]


@pytest.mark.parametrize("records", FULL, ids=lambda records: records[0].task)
def test_records_come_back_equal_and_of_their_type(store: Store, records: list[Record]) -> None:
    logged = store.log(records, "d", "w")
    assert (logged.dataset, logged.processed, logged.failed) == ("d", len(records), 0)
    assert store.load("d", "w") == records
    assert list(store.iterate("d", "w")) == records


def test_an_id_keeps_its_kind(store: Store) -> None:
    store.log(texts(1, "2", "007", -3), "d", "w")
    assert ids(store.load("d", "w")) == [1, "2", "007", -3]
    assert ids(store.load("d", "w", ids=["1", 2, -3, "none"])) == [1, "2", -3]


def test_the_order_is_that_of_insertion_and_an_update_keeps_it(store: Store) -> None:
    store.log(texts(*"zayb"), "d", "w", batch=3)
    store.log([TextClassificationRecord("new words", id="a"), *texts("c")], "d", "w")
    assert ids(store.load("d", "w")) == list("zaybc")
    assert ids(store.load("d", "w", query="new")) == ["a"]
    assert ids(store.load("d", "w", query="text")) == list("zybc")


def test_of_two_records_with_one_id_in_a_batch_the_last_one_stays(store: Store) -> None:
    store.log([*texts("a", "b", annotation="x"), TextClassificationRecord("last", id="a", annotation="y")], "d", "w")
    assert [(each.id, each.annotation) for each in store.load("d", "w")] == [("a", "y"), ("b", "x")]
    assert [event.set.get("annotation") for event in store.history("d", "w", "a")] == ["x", "y"]


def test_logging_again_what_is_there_changes_nothing(store: Store) -> None:
    records = texts("a", "b", annotation="x", vectors={"v": [1.0]})
    store.log(records, "d", "w")
    store.log(records, "d", "w")
    assert store.load("d", "w") == records
    assert len(store.history("d", "w", "a")) == 1
    assert store.count("d", "w", query="text") == 2


def test_names_and_workspaces_keep_data_apart(store: Store) -> None:
    store.log(texts("a"), "d", "w1")
    store.log(texts("a", "b"), "d", "w2")
    store.log(texts("c"), "e", "w1")
    assert [(each.workspace, each.name) for each in store.datasets()] == [("w1", "d"), ("w1", "e"), ("w2", "d")]
    assert [each.name for each in store.datasets("w1")] == ["d", "e"]
    assert store.workspaces() == ["w1", "w2"]
    assert ids(store.load("d", "w1", query="text")) == ["a"]
    assert store.delete("d", "w2") == 2
    assert ids(store.load("d", "w1", query="text")) == ["a"]
    with pytest.raises(DataError, match=r"unknown data set in workspace 'w2': 'd'.*Known: none yet"):
        store.load("d", "w2")


def test_an_unknown_name_is_an_error_that_says_the_known_ones(store: Store) -> None:
    with pytest.raises(DataError, match=r"unknown workspace: 'w'. Known: none yet. It exists from its first log."):
        store.load("d", "w")
    store.log(texts("a"), "reviews", "team")
    with pytest.raises(DataError, match=r"unknown workspace: 'taem'. Did you mean 'team'\? Known: team."):
        store.load("reviews", "taem")
    with pytest.raises(DataError, match=r"data set in workspace 'team': 'review'. Did you mean 'reviews'\?"):
        list(store.iterate("review", "team"))
    for verb in (store.count, store.delete, store.settings, store.dataset):
        with pytest.raises(DataError, match="Known: reviews"):
            verb("nothing", "team")


@pytest.mark.parametrize("name", ["", "-a", "_a", "a/b", "a.b", "é", "a" * 201, "a\n", "a;b", "..", 3])
def test_a_name_that_cannot_be_is_refused_before_anything_is_written(store: Store, name: str) -> None:
    with pytest.raises(DataError, match="a data set cannot be called"):
        store.log(texts("a"), name, "w")
    with pytest.raises(DataError, match="a workspace cannot be called"):
        store.log(texts("a"), "d", name)
    assert store.workspaces() == []


@pytest.mark.parametrize("name", ["A", "a b"])
def test_a_workspace_has_small_letters_and_no_spaces(store: Store, name: str) -> None:
    store.log(texts("a"), name, "w-1_x")
    with pytest.raises(DataError, match="a workspace cannot be called"):
        store.log(texts("a"), "d", name)


def test_a_data_set_keeps_the_task_of_its_first_log(store: Store) -> None:
    store.log(texts("a"), "d", "w")
    with pytest.raises(DataError, match="records, not Text2Text: log these under another name"):
        store.log([Text2TextRecord("x")], "d", "w")
    with pytest.raises(DataError, match="records of one task: these are TextClassification and Text2Text"):
        store.log([*texts("b"), Text2TextRecord("x")], "d", "w")
    with pytest.raises(DataError, match="a dict is no record"):
        store.log([{"text": "a"}], "d", "w")  # type: ignore[list-item]
    with pytest.raises(DataError, match="no records to log to 'd'"):
        store.log([], "d", "w")
    assert ids(store.load("d", "w")) == ["a"]


def test_a_batch_with_a_bad_record_leaves_nothing_of_itself(store: Store) -> None:
    bad = texts("x\x00y")
    with pytest.raises(RowError, match=r"column 'id': holds a NUL or half a surrogate pair"):
        store.log([*texts(*range(5)), *bad], "d", "w", batch=3)
    assert ids(store.load("d", "w")) == [0, 1, 2]
    with pytest.raises(RowError, match=r"column 'vectors.v': has 2 numbers, and those before it 1"):
        store.log([*texts(7, vectors={"v": [1.0]}), *texts(8, vectors={"v": [1.0, 2.0]})], "d", "w")
    assert store.count("d", "w", query="_exists_:vectors.v") == 0


def test_a_nul_in_a_name_is_an_error_of_ours_on_either_database(store: Store) -> None:
    store.log(texts("a"), "d", "w")
    assert store.load("d", "w", ids=["a\0", "\ud800"]) == []
    for name, workspace in (("d\0", "w"), ("d", "w\0")):
        with pytest.raises(DataError, match="unknown"):
            store.load(name, workspace)
    with pytest.raises(DataError, match="no record with the id"):
        store.history("d", "w", "a\0")
    with pytest.raises(DataError, match="an author cannot be called"):
        store.delete_records("d", "w", ids=[], discard_only=True, author="x\0")
    with pytest.raises(DataError, match="an author cannot be called"):
        store.log(texts("b"), "d", "w", author="x\0")
    with pytest.raises(RowError, match="has a NUL or half a surrogate pair in its name"):
        store.log(texts("b", vectors={"v\0": [1.0]}), "d", "w")
    assert ids(store.load("d", "w")) == ["a"]


def test_half_a_surrogate_pair_in_metadata_comes_back(store: Store) -> None:
    record = TextClassificationRecord("a", id="a")
    record.metadata["late"] = "x\ud800"
    store.log(record, "d", "w")
    assert store.load("d", "w")[0].metadata == {"late": "x\ud800"}


def test_deleting_by_query_and_by_ids(store: Store) -> None:
    store.log([*texts(*range(10)), TextClassificationRecord("other", id="o")], "d", "w")
    assert store.delete_records("d", "w", query="text", ids=[1, 2, "o", "none"]).processed == 2
    assert store.delete_records("d", "w", ids=3).matched == 1
    assert store.delete_records("d", "w", query="other").processed == 1
    assert ids(store.load("d", "w", query="text")) == [0, 4, 5, 6, 7, 8, 9]
    with pytest.raises(DataError, match="needs a query or ids"):
        store.delete_records("d", "w")
    store.log(texts(3), "d", "w")
    assert ids(store.load("d", "w"))[-1] == 3
    assert len(store.history("d", "w", 3)) == 1


def test_discarding_keeps_the_records_and_says_how_many_were_not_so_before(store: Store) -> None:
    store.log([*texts(1, 2, annotation="x"), *texts(3, status="Discarded")], "d", "w")
    assert store.delete_records("d", "w", query="text", discard_only=True, author="me").processed == 2
    assert {each.status for each in store.load("d", "w")} == {"Discarded"}
    assert store.count("d", "w", query="status:Discarded AND annotated_as:x AND text") == 2
    assert store.count("d", "w", query="status:Validated") == 0
    last = store.history("d", "w", 1)[-1]
    assert (last.kind, last.author, last.set) == ("discarded", "me", {"status": "Discarded"})


def test_a_copy_is_whole_and_apart(store: Store) -> None:
    records = texts(*range(5), vectors={"v": [1.0, 0.5]}, annotation="x")
    store.log(records, "d", "w", batch=2, tags={"a": "b"})
    store.configure("d", "w", TextClassificationSettings(["y", "x"]))
    made = store.copy("d", "w", "e", "w2")
    assert (made.name, made.workspace, made.tags, made.vectors) == ("e", "w2", {"a": "b"}, {"v": 2})
    assert store.load("e", "w2", query="text AND annotated_as:x") == records
    assert store.settings("e", "w2") == TextClassificationSettings(["y", "x"])
    assert store.history("e", "w2", 0) == store.history("d", "w", 0)
    assert len(store.similar("e", "w2", ("v", [1.0, 0.0]), limit=9)) == 5
    with pytest.raises(DataError, match="workspace 'w2' has a data set 'e' already"):
        store.copy("d", "w", "e", "w2")
    store.delete("d", "w")
    assert store.load("e", "w2", query="text") == records
    assert store.copy("e", "w2", "f").workspace == "w2"


def test_settings_keep_their_order_and_belong_to_their_task(store: Store) -> None:
    settings = TokenClassificationSettings(["PER", "LOC"])
    store.configure("d", "w", settings)
    assert store.settings("d", "w") == settings
    assert store.dataset("d", "w").task == "TokenClassification"
    assert store.load("d", "w") == []
    with pytest.raises(DataError, match="holds TokenClassification records, not TextClassification"):
        store.configure("d", "w", TextClassificationSettings(["a"]))
    store.log(texts("a"), "e", "w")
    assert store.settings("e", "w") is None


def test_tags_and_metadata_of_a_data_set(store: Store) -> None:
    store.log(texts("a"), "d", "w", tags={"lang": "en"}, metadata={"n": 1})
    store.log(texts("b"), "d", "w", metadata={"n": 2})
    found = store.dataset("d", "w")
    assert (found.tags, found.metadata) == ({"lang": "en"}, {"n": 2})
    assert found.created < found.updated


ORDERS = [
    [("metadata.n", "desc")],
    [("metadata.n", "asc"), ("id", "desc")],
    [("annotated_as", "asc"), ("event_timestamp", "desc")],
    [("score", "desc"), ("status", "asc")],
    [("id", "asc")],
]


@pytest.fixture
def various(store: Store) -> Store:
    numbers: list[object] = [3, None, "x", 1.5, -2, 3, "X", None, [9, 1], "é"]
    records = [
        TextClassificationRecord(
            f"text {place}",
            id=f"{place * 7 % 10}",
            metadata={} if number is None else {"n": number},
            annotation="ab"[place % 2] if place % 3 else None,
            prediction=[("a", place % 4 / 4)] if place % 5 else None,
            event_timestamp=f"2024-01-0{place % 4 + 1}",
        )
        for place, number in enumerate(numbers)
    ]
    store.log(records, "d", "w")
    return store


def test_sorting_puts_numbers_before_text_and_what_is_missing_last(various: Store) -> None:
    found = various.load("d", "w", sort=[("metadata.n", "asc")])
    assert [each.metadata.get("n") for each in found] == [-2, 1.5, 3, 3, [9, 1], "X", "x", "é", None, None]
    assert ids(found)[2:4] == ["0", "5"]  # equals in the order of insertion
    falling = various.load("d", "w", sort=[("metadata.n", "desc")])
    assert [each.metadata.get("n") for each in falling] == [[9, 1], 3, 3, 1.5, -2, "é", "x", "X", None, None]
    assert ids(various.load("d", "w", query="text", sort=[("id", "desc")], limit=3)) == ["9", "8", "7"]


@pytest.mark.parametrize("order", [None, *ORDERS])
def test_pages_make_up_the_whole_in_every_order(various: Store, order: list[tuple[str, str]] | None) -> None:
    whole = ids(various.load("d", "w", sort=order))
    for query in (None, "text", "NOT annotated_as:a"):
        kept = set(ids(various.load("d", "w", query=query)))
        paged: list[int | str] = []
        while page := various.load("d", "w", query=query, sort=order, limit=2, after=paged[-1] if paged else None):
            paged += ids(page)
        assert paged == [each for each in whole if each in kept]


def test_what_cannot_be_loaded_so_is_said(various: Store) -> None:
    with pytest.raises(DataError, match=r"cannot be sorted by 'scor'. Did you mean 'score'\?"):
        various.load("d", "w", sort=[("scor", "asc")])
    with pytest.raises(DataError, match="'up' is no direction"):
        various.load("d", "w", sort=[("id", "up")])
    with pytest.raises(DataError, match=r"expected a list of \(field"):
        various.load("d", "w", sort="id")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="limit is -1"):
        various.load("d", "w", limit=-1)
    with pytest.raises(DataError, match="no record with the id 'none'"):
        various.load("d", "w", after="none")
    with pytest.raises(DataError, match="page is 0"):
        various.iterate("d", "w", page=0)
    with pytest.raises(QueryError, match="unknown field 'a'"):
        various.iterate("d", "w", query="a:b")  # at once
    assert various.load("d", "w", limit=0) == []
    assert ids(various.load("d", "w", limit=1)) == ["0"]


def test_iterating_goes_by_pages_and_bears_changes_meanwhile(store: Store) -> None:
    store.log(texts(*range(10)), "d", "w")
    found: Iterator[Record] = store.iterate("d", "w", page=3)
    first = [next(found) for _ in range(4)]
    store.delete_records("d", "w", ids=[0, 4, 5, 7])
    store.log(texts(10), "d", "w")
    assert ids(first) == [0, 1, 2, 3]
    assert ids(list(found)) == [4, 5, 6, 8, 9, 10]  # 4 and 5 were read with 3


def test_history_says_who_set_what_and_when(store: Store) -> None:
    record = TextClassificationRecord("a", id="a", prediction=[("x", 0.5)], prediction_agent="m")
    store.log(record, "d", "w", author="loader")
    record.annotation, record.annotation_agent = "x", "ann"
    store.log(record, "d", "w", author="ann")
    record.metadata["n"] = 1  # not followed
    store.log(record, "d", "w")
    assert store.mark("d", "w", ["a"], split="train", run="out/1") == 1
    held = store.history("d", "w", "a")
    assert [(event.kind, event.author, event.set) for event in held] == [
        ("logged", "loader", {"status": "Default", "prediction": [["x", 0.5]], "prediction_agent": "m"}),
        ("changed", "ann", {"status": "Validated", "annotation": "x", "annotation_agent": "ann"}),
        ("used", None, {"split": "train", "run": "out/1"}),
    ]
    assert held[0].at < held[1].at < held[2].at
    with pytest.raises(DataError, match="no record with the id 'b'"):
        store.mark("d", "w", ["a", "b"], split="test")
    with pytest.raises(DataError, match="no record with the id 'b'"):
        store.history("d", "w", "b")
    with pytest.raises(DataError, match="mark needs a split or a run"):
        store.mark("d", "w", ["a"])
    assert len(store.history("d", "w", "a")) == 3


def test_threads_share_a_store(store: Store) -> None:
    def log(worker: int) -> None:
        store.log(texts(*(f"{worker}-{number}" for number in range(40))), "d", "w", batch=10)
        assert len(store.load("d", "w", query=f"{worker}")) >= 40

    threads = [threading.Thread(target=log, args=(worker,)) for worker in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.count("d", "w") == store.count("d", "w", query="text") == 240


def test_a_store_lies_in_the_home_where_nothing_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TUNESMITH_HOME", str(tmp_path / "new" / "home"))
    with Store() as store:
        store.log(texts("a"), "d", "w")
    assert Store(tmp_path / "new" / "home" / "records.db").load("d", "w")[0].id == "a"


@pytest.mark.parametrize("url", ["mysql://u:secret@h/d", "sqlite://", "sqlite:///:memory:", "http://x", "://"])
def test_a_database_that_is_none_of_the_two_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="setting 'database'") as caught:
        Store(url)
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_store_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("these are notes\n" * 100)
    with pytest.raises(StoreError, match="file is not a database"):
        Store(path)
    assert path.read_text() == "these are notes\n" * 100
    with pytest.raises(StoreError, match=r"notes.db"):
        Store(path / "inside")
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE records (a)")
    with pytest.raises(StoreError, match="has a table 'records' that is not tunesmith's"):
        Store(other)


def test_a_server_that_is_not_there_is_a_store_error() -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(StoreError) as caught:
        Store("postgresql://me:secret@/none?host=/tmp/there-is-no-such-folder")
    assert "secret" not in str(caught.value)


def test_a_store_of_a_newer_version_is_refused(store: Store, url: str) -> None:
    with store._database.writing() as connection:
        connection.execute(migrations.migrations.insert(), {"number": 999, "name": "later", "applied": 0})
    with pytest.raises(StoreError, match="was written by a newer tunesmith: upgrade"):
        Store(url)


def test_opening_again_applies_nothing_twice(store: Store, url: str) -> None:
    store.log(texts("a"), "d", "w")
    with Store(url) as again, again._database.reading() as connection:
        applied = connection.execute(migrations.migrations.select()).all()
    assert [row.number for row in applied] == [step.number for step in migrations.STEPS]
    assert store.count("d", "w") == 1


def test_an_update_keeps_the_vectors_and_metrics_that_it_does_not_speak_of(store: Store) -> None:
    store.log([TextClassificationRecord("a", id=1, vectors={"v": [1.0, 2.0]}, metrics={"n": 3}), *texts(2)], "d", "w")
    (loaded, _) = store.load("d", "w", with_vectors=False)
    loaded.metrics, loaded.annotation = None, "pos"
    for _ in range(2):
        store.log(loaded, "d", "w")
        (found, _) = store.load("d", "w")
        assert (found.annotation, found.vectors, found.metrics) == ("pos", {"v": [1.0, 2.0]}, {"n": 3})
        for query in ("vectors.v:*", "vectors.v:* AND a", "annotated_as:pos"):
            assert ids(store.load("d", "w", query=query)) == [1]
    store.delete_records("d", "w", ids=[1], discard_only=True)
    assert ids(store.load("d", "w", query="status:Discarded AND vectors.v:*")) == [1]
    assert store.similar("d", "w", ("v", [1, 2]))[0][0].id == 1
    loaded.metrics, loaded.vectors = {}, {}
    store.log(loaded, "d", "w")
    (found, _) = store.load("d", "w")
    assert (found.vectors, found.metrics) == ({}, {})
    assert store.count("d", "w", query="vectors.v:*") == 0


def test_ids_of_one_spelling_and_two_kinds_are_refused(store: Store) -> None:
    for records in (texts(7, "7"), texts("7", 8, 7)):
        with pytest.raises(RowError, match=r"is .*7.*, and there is a record with the id .*7.*: give ids of one kind"):
            store.log(records, "d", "w")
    store.log(texts(7), "d", "w")
    with pytest.raises(RowError, match="is '7', and there is a record with the id 7"):
        store.log(texts("8", "7"), "d", "w")
    assert ids(store.load("d", "w")) == [7]


def test_a_record_logged_twice_is_counted_once(store: Store) -> None:
    assert store.log(texts(1, 2, 1), "d", "w").processed == 2
    assert store.log(texts(1, 2, 1), "d", "w", batch=1).processed == 2


@pytest.mark.parametrize("wrong", ["abc", [1], {"a": "\ud800"}, {"a": object()}, {1: "a"}, {"a": 2**70}])
def test_tags_that_json_has_no_form_for_are_refused(store: Store, wrong: object) -> None:
    for what in ("tags", "metadata"):
        with pytest.raises(DataError, match=f"{what}: .* (is no mapping|holds what JSON has no form for)"):
            store.log(texts(1), "d", "w", **{what: wrong})  # type: ignore[arg-type]
    assert store.workspaces() == []


def test_ids_that_no_database_holds_are_not_there(store: Store) -> None:
    store.log(texts(1), "d", "w")
    for wrong in ("\ud800", "\0"):
        assert store.load("d", "w", ids=[wrong]) == []
        with pytest.raises(DataError, match="no record with the id"):
            store.load("d", "w", after=wrong)


def test_a_search_that_takes_too_long_is_broken_off(url: str) -> None:
    slow = " OR ".join(f"metadata.n:[{-number} TO -1]" for number in range(1, 60))
    with Store(url, longest=0.05) as store:
        store.log([TextClassificationRecord("a", id=n, metadata={"n": n}) for n in range(8_000)], "d", "w", batch=8_000)
        for call in (store.count, store.load, store.delete_records):
            with pytest.raises(DataError, match=r"the search took longer than 0.05 s.* fewer wildcards"):
                call("d", "w", query=slow)
        assert store.load("d", "w", query="metadata.n:7", limit=1)[0].id == 7  # the next is not cut short
    with Store(url) as store:
        assert store.count("d", "w", query=slow) == 0


def test_a_range_compares_large_whole_numbers_and_small_shares_exactly(store: Store) -> None:
    big, close = 2**53, 0.1 + 0.2
    numbers = [big, big + 1, -big - 1, 0.3, close, 2**63 - 1, 5e-324]
    store.log([TextClassificationRecord("a", id=n, metadata={"n": x}) for n, x in enumerate(numbers)], "d", "w")
    for query, wanted in [
        (f"metadata.n:[{big + 1} TO *]", [1, 5]),
        (f"metadata.n:[{big} TO {big}]", [0]),
        (f"metadata.n:[* TO {-big - 1}]", [2]),
        ("metadata.n:{* TO 0}", [2]),
        (f"metadata.n:[{close!r} TO 1]", [4]),
        ("metadata.n:{0.3 TO 1]", [4]),
        ("metadata.n:[5e-324 TO 0.3]", [3, 6]),
        (f"metadata.n:[{2**63 - 1} TO 1e30]", [5]),
    ]:
        assert ids(store.load("d", "w", query=query)) == wanted, query


def test_a_phrase_late_in_a_long_text_is_never_found_where_it_is_not(store: Store) -> None:
    filler = " ".join(f"w{number}" for number in range(16_378))
    for size in range(6):
        store.log(TextClassificationRecord(f"{'x ' * size}{filler} new day york", id=size), "d", "w")
    assert store.count("d", "w", query="york AND day") == 6
    assert store.count("d", "w", query='"w0 w1"') == 6
    assert store.count("d", "w", query='"new york"') == 0


def test_a_metadata_text_of_digits_is_in_the_range_of_its_number_and_sorted_by_it(store: Store) -> None:
    said = {"a": "10", "b": "9", "c": "-1.5", "d": 3, "e": "3a", "f": "1e3", "g": ""}
    store.log([TextClassificationRecord("x", id=key, metadata={"n": said[key]}) for key in said], "d", "w")
    assert [each.id for each in store.load("d", "w", query="metadata.n:[2 TO 10]")] == ["a", "b", "d"]
    assert [each.id for each in store.load("d", "w", query="metadata.n:<0")] == ["c"]
    assert [each.id for each in store.load("d", "w", query="metadata.n:[2 TO a]")] == ["b", "e"]  # text by code points
    order = [each.id for each in store.load("d", "w", sort=[("metadata.n", "asc")])]
    assert order[:4] == ["c", "d", "b", "a"]
