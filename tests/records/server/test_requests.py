"""What the server takes and what it refuses: limits, whole bulks, and errors that name the place."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuzz import examples
from tunesmith.records.server.limits import Limits
from tunesmith.records.store.store import Store

BULK = "/api/datasets/reviews/TextClassification:bulk"
SEARCH = "/api/datasets/reviews/records/:search"
LOG = "/tunesmith/datasets/reviews/log"


def wire(id: Any, text: str = "a plain text") -> dict[str, Any]:
    return {"id": id, "inputs": {"text": text}}


def message(response: httpx.Response, status: int) -> str:
    assert response.status_code == status, response.text
    detail = response.json()["detail"]
    assert isinstance(detail["code"], str)
    return str(detail["params"]["message"])


@pytest.fixture
def http(served: Any) -> Iterator[httpx.Client]:
    with served.http(served.key("ada", "owner", "team")) as client:
        yield client


@pytest.fixture
def small(serve: Callable[..., Any]) -> Iterator[httpx.Client]:
    """A server with limits that a test reaches."""
    with serve(Limits(body=5_000, bulk=3, page=2, query=50, ids=3)) as served, served.http(served.key("ada")) as client:
        yield client


def test_a_broken_record_in_a_bulk_leaves_nothing(http: httpx.Client, served: Any) -> None:
    half = {"id": "bad", "inputs": {"text": "x"}, "prediction": {"agent": "m", "labels": [{"class": "a", "score": 7}]}}
    for broken, told in [
        (half, "row bad, column 'prediction'"),
        ({"id": "bad"}, "needs 'text' or 'inputs'"),
        (wire("bad") | {"status": "Foo"}, "column 'status'"),
        (wire("bad") | {"anotation": None}, "column 'anotation'"),
        (wire("bad") | {"vectors": {"v": [1.0]}}, "column 'vectors'"),
        (
            wire("bad") | {"annotation": {"labels": [{"class": "a"}, {"class": "b"}]}},
            "expected one label, or multi_label",
        ),
        (wire("bad") | {"prediction": {"labels": [["a", 0.5]]}}, '"class" and "score"'),
        (wire(1.5), "column 'id'"),
    ]:
        refused = http.post(BULK, json={"records": [*map(wire, "abc"), broken, wire("d")]})
        assert told in message(refused, 422)
    refused = http.post(BULK, json={"records": [wire("a"), 3]})
    assert "a record is 3" in message(refused, 400)
    assert http.get("/api/datasets").json() == []
    assert Store(served.file).workspaces() == []  # not even the workspace


def test_a_bulk_that_fails_late_in_the_store_leaves_the_data_set_as_it_was(http: httpx.Client) -> None:
    http.post(BULK, json={"records": [wire("a") | {"vectors": {"v": {"value": [1, 2]}}}]})
    records = [wire("a", "changed"), wire("b"), wire("c") | {"vectors": {"v": {"value": [1, 2, 3]}}}]
    message(http.post(BULK, json={"records": records}), 422)
    (found,) = http.post(SEARCH, json={}).json()["records"]
    assert found["inputs"] == {"text": "a plain text"}


def test_the_same_bulk_twice_is_an_update(http: httpx.Client) -> None:
    for _ in range(2):
        done = http.post(BULK, json={"records": [wire(n) for n in range(7)]})
        assert done.json() == {"dataset": "reviews", "processed": 7, "failed": 0}
    assert http.post("/tunesmith/datasets/reviews/count", json={}).json() == {"count": 7}


def test_clients_that_log_at_once_lose_and_double_nothing(served: Any) -> None:
    keys = [served.key(f"user-{n}", "admin", "team") for n in range(4)]
    failed: list[str] = []

    def work(key: str, own: int) -> None:
        with served.http(key) as client:
            for turn in range(5):
                records = [wire(f"{own}-{turn}-{n}") for n in range(20)] + [wire(f"shared-{n}", key) for n in range(20)]
                response = client.post(BULK, json={"records": records})
                failed.extend([] if response.status_code == 200 else [response.text])

    threads = [threading.Thread(target=work, args=(key, own)) for own, key in enumerate(keys)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    ids = [record.id for record in Store(served.file).load("reviews", "team")]
    assert len(ids) == len(set(ids)) == 4 * 5 * 20 + 20


def test_a_body_beyond_the_limit_is_refused_before_it_is_read(small: httpx.Client) -> None:
    long = json.dumps({"records": [wire("a", "x" * 6_000)]}).encode()
    assert "more than 5000 bytes" in message(small.post(BULK, content=long), 413)
    parts = (long[start : start + 500] for start in range(0, len(long), 500))  # chunked: no length is said
    assert "more than 5000 bytes" in message(small.post(BULK, content=parts), 413)
    assert small.get("/api/datasets").json() == []


def test_bulks_pages_queries_and_ids_have_limits(small: httpx.Client) -> None:
    four = {"records": [wire(n) for n in range(4)]}
    for path, body in ((BULK, four), (LOG, four | {"task": "TextClassification"})):
        assert "4 records: at most 3 in one request" in message(small.post(path, json=body), 413)
    assert small.post(BULK, json={"records": [wire(n) for n in range(3)]}).status_code == 200
    assert len(small.post(SEARCH, json={}).json()["records"]) == 2
    for limit in (3, 0, -1):
        assert f"limit is {limit}: expected a whole number from 1 to 2" in message(
            small.post(f"{SEARCH}?limit={limit}", json={}), 400
        )
        assert "from 1 to 2" in message(small.post("/tunesmith/datasets/reviews/page", json={"limit": limit}), 400)
        assert "from 1 to 2" in message(
            small.post(f"/api/datasets/reviews/TextClassification:search?limit={limit}", json={}), 400
        )
    assert "at most 50 are read" in message(small.post(SEARCH, json={"query": {"query_text": "a " * 50}}), 400)
    assert "at most 3 in one request" in message(small.post(SEARCH, json={"query": {"ids": [1, 2, 3, 4]}}), 400)


def test_a_bad_query_is_refused_with_the_place(http: httpx.Client) -> None:
    http.post(BULK, json={"records": [wire("a")]})
    for path, body in [
        (SEARCH, {"query": {"query_text": "good AND (bad"}}),
        ("/tunesmith/datasets/reviews/page", {"query": "good AND (bad"}),
        ("/tunesmith/datasets/reviews/count", {"query": "good AND (bad"}),
    ]:
        response = http.post(path, json=body)
        assert message(response, 400).startswith("query, at ")
        assert isinstance(response.json()["detail"]["params"]["place"], int)


def test_what_is_asked_for_and_not_understood_is_refused(http: httpx.Client) -> None:
    http.post(BULK, json={"records": [wire("a"), wire("b")]})
    assert "'predicted_as', which is not understood" in message(
        http.post(SEARCH, json={"query": {"predicted_as": ["good"]}}), 422
    )
    assert "'colour'" in message(http.post("/tunesmith/datasets/reviews/page", json={"colour": "red"}), 422)
    # a filter that is misread would delete everything
    for body in ({"querry_text": "x"}, {"query": "status:Default"}, {"query": {"text": "x"}}, {}, {"query": {}}, []):
        response = http.request("DELETE", "/api/datasets/reviews/data", json=body)
        assert response.status_code in (400, 422), (body, response.text)
    assert http.post("/tunesmith/datasets/reviews/count", json={}).json() == {"count": 2}


def test_bodies_that_are_no_json_objects_are_refused(http: httpx.Client) -> None:
    for content, status in [(b"{", 400), (b"[1]", 422), (b'"x"', 422), (b"\xff\xfe", 400), (b"[" * 5_000, 400)]:
        for path in (BULK, LOG, SEARCH, "/api/datasets"):
            message(http.post(path, content=content), status)
    assert "Not Found" in message(http.get("/api/nothing"), 404)
    assert message(http.put("/api/me"), 405)
    assert "limit" in message(http.post(f"{SEARCH}?limit=many", json={}), 422)


@pytest.mark.parametrize(
    "name", ["..%2f..%2fetc%2fpasswd", "a'; DROP TABLE records; --", "{{7*7}}", "x" * 300, "\x00", "_a"]
)
def test_a_name_is_a_name_and_no_path_or_statement(http: httpx.Client, served: Any, name: str) -> None:
    path = f"/api/datasets/{quote(name, safe='')}"
    before = sorted(each.name for each in served.file.parent.iterdir())
    bulk = http.post(f"{path}/TextClassification:bulk", json={"records": [wire("a")]})
    assert bulk.status_code in (400, 404, 405)
    assert http.get(path).status_code == 404
    refused = http.post("/api/datasets", json={"name": name, "task": "TextClassification"})
    assert "a data set cannot be called" in message(refused, 400)
    assert sorted(each.name for each in served.file.parent.iterdir()) == before


def test_an_error_of_the_machine_tells_nothing_of_it(http: httpx.Client, served: Any) -> None:
    http.post(BULK, json={"records": [wire("a")]})
    with Store(served.file)._database.writing() as connection:
        connection.exec_driver_sql("DROP TABLE events")
    told = message(http.get("/tunesmith/datasets/reviews/history?id=a"), 503)
    assert "events" not in told
    assert str(served.file.parent) not in told


WORDS = "records id inputs text task query ids query_text prediction annotation labels name value vector sort_by"
PLAIN = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5)
)
JSON = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS.split()), inner, max_size=4),
    max_leaves=12,
)


@examples(60)
@given(body=JSON, path=st.sampled_from([BULK, LOG, SEARCH, "/api/datasets", "/tunesmith/datasets/reviews/page"]))
def test_any_json_is_answered_and_nothing_breaks_the_server(http: httpx.Client, body: Any, path: str) -> None:
    assert http.post(path, json=body).status_code < 500
