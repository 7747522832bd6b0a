"""Who gets in, and what each role may do, over real HTTP."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import pytest

from tunesmith.errors import RequestRefused
from tunesmith.records.server.app import create
from tunesmith.records.store import users
from tunesmith.records.store.engine import Database
from tunesmith.records.types import TextClassificationRecord


def record(id: str = "a", text: str = "a plain text") -> TextClassificationRecord:
    return TextClassificationRecord(text=text, id=id)


def wire(id: str = "a") -> dict[str, Any]:
    return {"id": id, "inputs": {"text": "a plain text"}}


def test_every_route_but_healthz_needs_a_key(served: Any, tmp_path: Path) -> None:
    app = create(str(tmp_path / "other.db"))
    paths = {(method, route.path) for route in app.routes for method in getattr(route, "methods", None) or ()}
    found = {(m, p) for each in app.openapi()["paths"].items() for p, m in [(each[0], k.upper()) for k in each[1]]}
    assert len(paths | found) > 20
    with served.http() as http:
        for method, path in sorted(paths | found | {("GET", "/"), ("GET", "/api/nothing"), ("POST", "/docs")}):
            path = re.sub(r"\{\w+\}", "x", path)
            response = http.request(method, path)
            assert response.status_code == (200 if path == "/healthz" else 401), (method, path)
        assert http.get("/healthz").text == "ok"
        assert http.get("/api/me").json()["detail"]["params"]["message"].startswith("the key is missing or nobody's")


@pytest.mark.parametrize("wrong", ["argilla.apikey", "owner.apikey", "1234", "ts-", "ts--", "x" * 10_000])
def test_no_key_works_that_was_not_made(served: Any, wrong: str) -> None:
    key = served.key("ada")
    with served.http() as http:
        for each in (wrong, key[:-1], key + "a", key.upper(), key.rpartition("-")[0] + "-"):
            assert http.get("/api/me", headers={"X-Argilla-Api-Key": each}).status_code == 401
        assert http.get("/api/me", headers={"X-Argilla-Api-Key": key}).json()["username"] == "ada"


def test_the_key_is_nowhere_in_the_database_and_in_no_answer(served: Any) -> None:
    key = served.key("ada")
    secret = key.split("-", 2)[2]
    with served.http(key) as http:
        told = http.get("/api/me").text + http.get("/api/users").text
    held = b"".join(path.read_bytes() for path in served.file.parent.iterdir())
    assert secret not in told
    assert secret.encode() not in held
    assert b"ada" in held


def test_keys_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    compared: list[tuple[str, str]] = []

    def same(left: str, right: str) -> bool:
        compared.append((left, right))
        return left == right

    monkeypatch.setattr(users.hmac, "compare_digest", same)
    database = Database(tmp_path / "records.db")
    with database.writing() as connection:
        _, key = users.create(connection, "ada", "owner")
        assert users.of_key(connection, key).name == "ada"
        assert users.of_key(connection, "nobody's") is None
    assert len(compared) == 2  # a key that nobody has is compared too
    assert all(len(side) == 64 for pair in compared for side in pair)


def test_the_key_of_a_user_that_was_taken_out_works_no_longer(served: Any) -> None:
    key = served.key("ada")
    with served.http(key) as http:
        assert http.get("/api/me").status_code == 200
        with Database(served.file).writing() as connection:
            users.remove(connection, "ada")
        assert http.get("/api/me").status_code == 401


def test_the_page_of_routes_is_read_with_the_key_as_the_password(served: Any) -> None:
    key = served.key("ada")
    with served.http() as http:
        asked = http.get("/docs")
        assert asked.headers["www-authenticate"].startswith("Basic")
        basic = {"Authorization": "Basic " + base64.b64encode(f"ada:{key}".encode()).decode()}
        page = http.get("/docs", headers=basic)
        assert page.status_code == 200
        assert "/api/datasets/{name}/{task}:bulk" in page.text
        assert "src=" not in page.text  # nothing is loaded from elsewhere
        schema = http.get("/openapi.json", headers=basic).json()
        assert "X-Argilla-Api-Key" in str(schema["components"]["securitySchemes"])
        assert http.get("/api/me", headers=basic).status_code == 401  # of those two pages alone


def test_a_user_of_one_workspace_sees_nothing_of_another(served: Any) -> None:
    owner = served.remote(served.key("ada"))
    owner.log(record(), "reviews", "ours")
    owner.log(record(), "secret", "theirs")
    admin = served.key("bob", "admin", "ours")
    with served.http(admin) as http:
        assert [each["name"] for each in http.get("/api/datasets").json()] == ["reviews"]
        assert [each["name"] for each in http.get("/tunesmith/datasets?all=1").json()] == ["reviews"]
        assert [each["name"] for each in http.get("/api/v1/me/workspaces").json()["items"]] == ["ours"]
        for method, path in [
            ("GET", "/api/datasets"),
            ("GET", "/api/datasets/secret"),
            ("DELETE", "/api/datasets/secret"),
            ("POST", "/api/datasets/secret/records/:search"),
            ("POST", "/tunesmith/datasets/secret/page"),
            ("POST", "/tunesmith/datasets/secret/count"),
            ("GET", "/tunesmith/datasets/secret/history?id=a"),
            ("GET", "/tunesmith/datasets/secret/settings"),
        ]:
            mark = "&" if "?" in path else "?"
            response = http.request(method, f"{path}{mark}workspace=theirs")
            assert response.status_code == 403, (method, path)
            assert "bob has no workspace 'theirs'. Yours: ours." in response.text
        copied = http.put("/api/datasets/reviews:copy", json={"name": "stolen", "target_workspace": "theirs"})
        assert copied.status_code == 403
        copied = http.post("/tunesmith/datasets/reviews/copy", json={"name": "stolen", "workspace": "theirs"})
        assert copied.status_code == 403
        assert http.get("/api/users").status_code == 403
    assert [each.name for each in owner.datasets("theirs")] == ["secret"]


def test_an_annotator_reads_and_annotates_and_no_more(served: Any) -> None:
    owner = served.remote(served.key("ada"))
    owner.log(record(), "reviews", "ours")
    with served.http(served.key("eve", "annotator", "ours")) as http:
        bulk = "/api/datasets/reviews/TextClassification:bulk"
        label = {"agent": "eve", "labels": [{"class": "good", "score": 1}]}
        assert http.post(bulk, json={"records": [wire() | {"annotation": label}]}).status_code == 200
        assert http.post("/api/datasets/reviews/records/:search", json={}).json()["records"][0]["annotation"] == label
        for method, path, body in [
            ("POST", "/api/datasets/new/TextClassification:bulk", {"records": [wire()]}),
            ("POST", "/api/datasets", {"name": "new", "task": "TextClassification"}),
            ("POST", bulk, {"records": [wire()], "tags": {"a": "b"}}),
            ("DELETE", "/api/datasets/reviews", None),
            ("DELETE", "/api/datasets/reviews/data", {"ids": ["a"]}),
            ("PUT", "/api/datasets/reviews:copy", {"name": "new"}),
            ("PATCH", "/api/datasets/reviews/TextClassification/settings", {"label_schema": {"labels": ["good"]}}),
            ("DELETE", "/tunesmith/datasets/reviews", None),
            ("POST", "/tunesmith/datasets/reviews/delete-records", {"ids": ["a"]}),
            ("POST", "/tunesmith/datasets/reviews/copy", {"name": "new"}),
            ("PUT", "/tunesmith/datasets/reviews/settings", {"task": "TextClassification", "settings": {}}),
            ("POST", "/tunesmith/datasets/reviews/mark", {"ids": ["a"], "split": "train"}),
            ("POST", "/tunesmith/datasets/new/log", {"task": "TextClassification", "records": [record().to_dict()]}),
        ]:
            response = http.request(method, path, json=body)
            assert response.status_code == 403, (method, path)
            assert "eve is annotator in 'ours' and may not make, change or delete data sets: ask an" in response.text
        done = http.request("DELETE", "/api/datasets/reviews/data?mark_as_discarded=true", json={"ids": ["a"]})
        assert done.json() == {"matched": 1, "processed": 1}
    (found,) = owner.load("reviews", "ours")
    assert (found.status, found.annotation) == ("Discarded", "good")
    assert [each.name for each in owner.datasets("ours")] == ["reviews"]


def test_a_workspace_that_has_nothing_yet_is_told_without_the_names_of_others(served: Any) -> None:
    owner = served.remote(served.key("ada"))
    owner.log(record(), "secret", "secret-merger")
    with served.http(served.key("eve", "annotator", "ours", "not-yet")) as http:
        for method, path in [
            ("GET", "/tunesmith/datasets?workspace=not-yet"),
            ("GET", "/tunesmith/datasets/x?workspace=not-yet"),
            ("GET", "/api/datasets/x?workspace=not-yet"),
            ("POST", "/tunesmith/datasets/x/page?workspace=not-yet"),
            ("POST", "/api/datasets/x/records/:search?workspace=not-yet"),
            ("GET", "/api/datasets/x/TextClassification/settings?workspace=not-yet"),
        ]:
            response = http.request(method, path)
            assert (response.status_code, "secret" in response.text) == (404, False), response.text
            assert "unknown workspace: 'not-yet'. Known: none yet." in response.text
        assert http.get("/api/datasets?workspace=not-yet").json() == []
    with served.http(served.key("bea", "owner")) as http:
        assert "Known: secret-merger." in http.get("/tunesmith/datasets?workspace=none").text


def test_an_annotator_changes_of_a_record_its_annotation_and_status_alone(served: Any) -> None:
    owner = served.remote(served.key("ada"))
    held = TextClassificationRecord(
        text="a plain text",
        id="a",
        prediction=[("good", 0.1)],
        prediction_agent="model",
        metadata={"n": 1},
        vectors={"v": [0.1, 1.0]},
        metrics={"length": 3},
        search_keywords=["plain"],
        explanation={"text": [{"token": "plain", "attributions": {"good": 0.5}}]},  # type: ignore[list-item]
    )
    owner.log(held, "reviews", "ours")
    eve = served.remote(served.key("eve", "annotator", "ours"))
    (mine,) = eve.load("reviews", "ours")
    for field, value in {
        "metadata": {"n": 2},
        "prediction": [("good", 0.2)],
        "prediction_agent": "eve",
        "vectors": {"v": [0.1, 2.0]},
        "metrics": {"length": 4},
        "explanation": {},
        "multi_label": True,
    }.items():
        (other,) = eve.load("reviews", "ours")
        setattr(other, field, value)
        with pytest.raises(RequestRefused, match=f"'{field}': is not that of the record .* an annotator changes"):
            eve.log([record("new"), other], "reviews", "ours")
    with pytest.raises(RequestRefused, match="'text': is not that of the record"):
        eve.log(TextClassificationRecord.from_dict(held.to_dict() | {"text": "another"}), "reviews", "ours")
    assert owner.load("reviews", "ours") == [held]
    mine.annotation, mine.annotation_agent = "good", "eve"
    assert eve.log([mine, record("new")], "reviews", "ours").processed == 2
    found, new = owner.load("reviews", "ours")
    assert (found, new.id) == (mine, "new")
    with served.http(served.key("zoe", "annotator", "ours")) as http:  # as Argilla's client sends back what it loaded
        sent = http.post("/api/datasets/reviews/records/:search", json={}).json()["records"][0]
        sent["annotation"]["labels"][0]["class"] = "bad"
        bulk = "/api/datasets/reviews/TextClassification:bulk"
        assert http.post(bulk, json={"records": [sent]}).status_code == 200
        refused = http.post(bulk, json={"records": [sent | {"metadata": {}}]})
        assert (refused.status_code, "'metadata'" in refused.text) == (422, True)
    found = owner.load("reviews", "ours")[0]
    assert (found.annotation, found.vectors, found.metrics) == ("bad", held.vectors, held.metrics)
