"""The HTTP client against a real server, and against servers and lines that misbehave."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from serving import Served, run
from tunesmith.errors import ConfigError, DataError, RequestRefused, ServerError
from tunesmith.records import calling, client
from tunesmith.records.client import Remote
from tunesmith.records.settings import TextClassificationSettings
from tunesmith.records.store.store import Store
from tunesmith.records.types import Text2TextRecord, TextClassificationRecord, TokenClassificationRecord


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with run(tmp_path / "records.db") as found:
        yield found


@pytest.fixture
def remote(served: Served) -> Remote:
    return served.remote(served.key("ada"))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calling, "_PAUSE", 0.001)


def texts(count: int, **more: Any) -> list[TextClassificationRecord]:
    return [TextClassificationRecord(text=f"text {n}", id=n, metadata={"n": -n}, **more) for n in range(count)]


RECORDS = {
    "TextClassification": [
        TextClassificationRecord(
            inputs={"title": "a", "body": ["b", "c"]},
            prediction=[("good", 0.75), ("bad", 0.1)],
            prediction_agent="m" * 100,
            annotation=["good", "bad"],
            annotation_agent="ada",
            multi_label=True,
            vectors={"v": [0.1, 2.0]},
            explanation={"title": [{"token": "a", "attributions": {"good": -0.5}}]},
            metadata={"deep": {"list": [1, None, "x"]}},
            metrics={"length": 3},
            search_keywords=["a"],
            id="007",
        ),
        TextClassificationRecord(text="Ünï \x00 🙂\n", id=7, status="Discarded"),
    ],
    "TokenClassification": [
        TokenClassificationRecord(
            text="Ada met  Bob",
            tokens=["Ada", "met", "Bob"],
            prediction=[("PER", 0, 3, 0.25)],
            annotation=[("PER", 9, 12)],
        ),
        TokenClassificationRecord(tokens=["nothing"], annotation=[]),
    ],
    "Text2Text": [Text2TextRecord(text="danke", prediction=[("thanks", 0.5)], annotation="", id=-1)],
}


@pytest.mark.parametrize("task", RECORDS)
def test_every_field_of_a_record_comes_back_over_http(remote: Remote, task: str) -> None:
    remote.log(RECORDS[task], "mine", "team", tags={"a": "b"}, metadata={"c": [1]})
    assert remote.load("mine", "team") == RECORDS[task]
    assert list(remote.iterate("mine", "team", page=1)) == RECORDS[task]
    (found,) = remote.datasets("team")
    assert (found.task, found.tags, found.metadata) == (task, {"a": "b"}, {"c": [1]})


def test_every_verb_does_with_a_server_what_it_does_with_a_store(served: Served, tmp_path: Path) -> None:
    def work(holder: Any) -> list[Any]:
        told: list[Any] = [holder.log(texts(30, vectors={"v": [1.0, 2.0]}), "a", "team")]
        told += [holder.log(texts(3, annotation="good"), "a", "team", author="bob"), holder.workspaces()]
        told += [[record.id for record in holder.load("a", "team", query=RANGE, **more)] for more in ORDERS]
        told += [holder.count("a", "team"), holder.count("a", "team", query="status:Validated")]
        told += [holder.settings("a", "team"), holder.configure("a", "team", SCHEMA), holder.settings("a", "team")]
        told += [[(r.id, round(s, 6)) for r, s in holder.similar("a", "team", ("v", [1, 1]), query="text", limit=2)]]
        told += [holder.mark("a", "team", [0, 1], split="train", run="r1")]
        told += [[(e.kind, e.author if e.author != "ada" else None, e.set) for e in holder.history("a", "team", 0)]]
        told += [holder.load("a", "team", limit=1, with_vectors=False)[0].vectors]
        told += [holder.copy("a", "team", "b", "other").name, holder.count("b", "other"), holder.settings("b", "other")]
        told += [holder.delete_records("b", "other", ids=[1, 2, 99])]
        told += [holder.delete_records("b", "other", query="status:Validated", discard_only=True)]
        told += [holder.delete("b", "other"), [each.name for each in holder.datasets()]]
        told += [(each.name, each.vectors) for each in (holder.dataset("a", "team"),)]
        return told

    remote = served.remote(served.key("ada", "owner", "team"))
    assert work(remote) == work(Store(tmp_path / "own.db"))


RANGE = "metadata.n:[-4 TO -1]"
ORDERS: list[dict[str, Any]] = [
    {},
    {"limit": 2},
    {"ids": ["3", 2, 1]},
    {"after": 2},
    {"sort": [("metadata.n", "asc")]},
    {"sort": [("metadata.n", "asc")], "after": 3},
]
SCHEMA = TextClassificationSettings(["zebra", "ape", "good"])


@pytest.mark.parametrize("limit", [1, 2, 9, 10, 11, 24, 25, 26, None])
def test_pages_join_to_what_was_asked_for_and_no_more(remote: Remote, limit: int | None) -> None:
    remote.log(texts(25), "mine", "team", batch=7)
    wanted = list(range(25))[:limit]
    assert [record.id for record in remote.load("mine", "team", limit=limit, page=10)] == wanted
    found = remote.load("mine", "team", limit=limit, page=10, sort=[("metadata.n", "asc")])
    assert [record.id for record in found] == list(range(25))[::-1][:limit]
    found = remote.load("mine", "team", ids=list(range(25)), limit=limit, page=10)
    assert [record.id for record in found] == wanted


def test_large_records_travel_in_requests_of_their_own(remote: Remote, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "BYTES", 5_000)
    found = [TextClassificationRecord(text="x" * 2_000, id=n) for n in range(7)]
    sizes = [sum(map(len, parts)) for _, parts in client._bulks(found, 1_000, set())]
    assert len(sizes) == 4
    assert max(sizes) < 5_000
    assert remote.log(found, "mine", "team").processed == 7
    assert remote.count("mine", "team") == 7


def test_a_refusal_is_a_data_error_and_a_server_error_with_the_reason(remote: Remote) -> None:
    remote.log(texts(1), "mine", "team")
    for call, status, told in [
        (lambda: remote.load("mime", "team"), 404, "Did you mean 'mine'?"),
        (lambda: remote.load("mine", "nobodys"), 404, "Known: team"),
        (lambda: remote.load("mine", "team", query="a AND ("), 400, "query, at"),
        (lambda: remote.load("mine", "team", limit=5_000, page=5_000), 400, "from 1 to 1000"),
        (
            lambda: remote.log(RECORDS["Text2Text"], "mine", "team"),
            400,
            "holds TextClassification records, not Text2Text",
        ),
        (lambda: remote.copy("mine", "team", "mine"), 409, "there is a data set 'mine'"),
        (lambda: remote.delete_records("mine", "team"), 400, "needs a query or ids"),
        (lambda: remote.history("mine", "team", "nobody"), 400, "no record with the id 'nobody'"),
    ]:
        with pytest.raises(RequestRefused) as caught:
            call()
        assert isinstance(caught.value, DataError)
        assert isinstance(caught.value, ServerError)
        assert (caught.value.status, caught.value.retryable) == (status, False)
        assert told in str(caught.value)
        assert caught.value.url.startswith(remote.where)
    assert remote.datasets()[0].name == "mine"


def test_what_is_no_record_or_of_two_tasks_is_refused_before_anything_is_sent(remote: Remote) -> None:
    for given, told in [
        ([], "no records to log"),
        (["text"], "a str is no record"),
        ([*texts(1), *RECORDS["Text2Text"]], "these are TextClassification and Text2Text"),
    ]:
        with pytest.raises(DataError) as caught:
            remote.log(given, "mine", "team")
        assert told in str(caught.value)
    assert remote.workspaces() == ["default"]


def test_a_wrong_key_or_address_is_told(served: Served, quick: None) -> None:
    with pytest.raises(ServerError) as caught:
        Remote(served.url, "argilla.apikey").home()
    assert (caught.value.status, caught.value.retryable) == (401, False)
    assert "the key is missing or nobody's" in str(caught.value)
    assert not isinstance(caught.value, DataError)
    for url in ("127.0.0.1:6900", "ftp://host", ""):
        with pytest.raises(ConfigError, match="api_url"):
            Remote(url, "key")
    with pytest.raises(ConfigError, match="api_key") as refused:
        Remote(served.url, "schlüssel")
    assert "schlüssel" not in str(refused.value)


class Line:
    """A line to a server that hands every request on, and loses the first answers."""

    def __init__(self, url: str, lost: int) -> None:
        self.target = ("127.0.0.1", int(url.rpartition(":")[2]))
        self.lost, self.seen = lost, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            with near, socket.create_connection(self.target) as far:
                far.sendall(self._request(near))
                self.seen += 1
                answer = b"".join(iter(lambda: far.recv(65_536), b""))
                if self.seen > self.lost:
                    near.sendall(answer)

    @staticmethod
    def _request(near: socket.socket) -> bytes:
        """One whole request, which asks that the server closes the connection after it."""
        held = b""
        while b"\r\n\r\n" not in held:
            held += near.recv(65_536)
        head, _, body = held.partition(b"\r\n\r\n")
        lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
        sizes = [int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length:")]
        while sizes and len(body) < sizes[0]:
            body += near.recv(65_536)
        return b"\r\n".join([*lines, b"Connection: close"]) + b"\r\n\r\n" + body


@contextmanager
def line(url: str, lost: int) -> Iterator[Line]:
    found = Line(url, lost)
    try:
        yield found
    finally:
        found.listener.close()


def test_a_log_whose_answer_is_lost_is_sent_again_and_doubles_nothing(served: Served, quick: None) -> None:
    key = served.key("ada")
    with line(served.url, lost=3) as broken:
        assert Remote(broken.url, key).log(texts(20), "mine", "team").processed == 20
        assert broken.seen == 4
    assert served.remote(key).count("mine", "team") == 20


def test_after_three_more_tries_the_error_says_so(served: Served, quick: None) -> None:
    key = served.key("ada")
    with line(served.url, lost=99) as broken:
        with pytest.raises(ServerError) as caught:
            Remote(broken.url, key).workspaces()
        assert broken.seen == 4
    assert (caught.value.status, caught.value.retryable) == (None, True)
    assert "answered nothing" in str(caught.value)
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("verb", ["delete", "copy", "delete_records"])
def test_what_may_not_happen_twice_is_not_sent_twice(served: Served, quick: None, verb: str) -> None:
    key = served.key("ada")
    served.remote(key).log(texts(2), "mine", "team")
    calls: dict[str, Callable[[Remote], Any]] = {
        "delete": lambda remote: remote.delete("mine", "team"),
        "copy": lambda remote: remote.copy("mine", "team", "copied"),
        "delete_records": lambda remote: remote.delete_records("mine", "team", ids=[1]),
    }
    with line(served.url, lost=1) as broken:
        with pytest.raises(ServerError):
            calls[verb](Remote(broken.url, key))
        assert broken.seen == 1


def test_a_server_that_is_not_there_is_told_after_the_tries(quick: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(ServerError) as caught:
        Remote(f"http://127.0.0.1:{port}", "key").delete("mine", "team")
    assert "Is the server running, and the address right?" in str(caught.value)


@contextmanager
def stub(*answers: tuple[int, bytes]) -> Iterator[tuple[str, list[str]]]:
    """A server that gives these answers one after the other; (its address, the requests that came)."""
    left, seen = list(answers), []

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            seen.append(self.path)
            status, body = left.pop(0)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_DELETE = do_PUT = _answer

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        server.server_close()


def test_a_busy_server_is_asked_again(quick: None) -> None:
    busy = json.dumps({"detail": {"code": "x", "params": {"message": "busy"}}}).encode()
    with stub((503, busy), (502, b"<html>"), (200, b'{"workspaces": ["a"]}')) as (url, seen):
        assert Remote(url, "key").workspaces() == ["a"]
        assert len(seen) == 3
    with stub(*[(503, busy)] * 4) as (url, seen):
        with pytest.raises(ServerError) as caught:
            Remote(url, "key").workspaces()
        assert (caught.value.status, caught.value.retryable, len(seen)) == (503, True, 4)


def test_an_answer_of_something_else_is_told_as_such(quick: None) -> None:
    for status, body in [
        (200, b"<html>"),
        (404, b'{"detail": "Not Found"}'),
        (400, b'{"detail": {"params": 3}}'),
        (404, b"[]"),
    ]:
        with stub((status, body)) as (url, _):
            with pytest.raises(ServerError) as caught:
                Remote(url, "key").workspaces()
            assert "Is a tunesmith server at this address?" in str(caught.value)


def test_a_server_that_gives_more_than_was_asked_for_is_cut() -> None:
    many = {"task": "TextClassification", "records": [each.to_dict() for each in texts(2)], "more": True, "mark": [1]}
    with stub((200, json.dumps(many).encode())) as (url, seen):
        assert [record.id for record in Remote(url, "key").load("mine", "team", limit=1)] == [0]
        assert len(seen) == 1


@pytest.mark.parametrize("sort", [None, [("metadata.n", "desc")], [("score", "asc"), ("id", "desc")]])
def test_a_page_goes_on_where_the_last_one_ended_though_its_records_are_gone(
    served: Served, sort: list[tuple[str, str]] | None
) -> None:
    remote = served.remote(served.key("ada"))
    remote.log([TextClassificationRecord(f"text {n}", id=n, metadata={"n": n % 3}) for n in range(9)], "d", "w")
    whole = [record.id for record in remote.load("d", "w", sort=sort)]
    pages = remote._pages("d", "w", {"sort": sort}, 3, None)
    found = [record.id for record in next(pages)]
    remote.delete_records("d", "w", ids=found)
    found += [record.id for part in pages for record in part]
    assert found == whole


def test_a_mark_of_another_order_is_refused(served: Served) -> None:
    key = served.key("ada")
    served.remote(key).log([TextClassificationRecord("a", id=n) for n in range(2)], "d", "w")
    with served.http(key) as http:
        for sort in (None, [["id", "asc"]], [["score", "asc"]]):
            for mark in ([], ["x"], [1, 2, 3, 4], [2**70], [0, {}, 1], [0, True, 1], [0, "a\0", 1], [0, 1.5, None]):
                asked = {"sort": sort, "mark": mark, "limit": 1}
                response = http.post("/tunesmith/datasets/d/page?workspace=w", json=asked)
                assert response.status_code == 400, (sort, mark, response.text)
                assert "of another order: begin with the first page" in response.text
