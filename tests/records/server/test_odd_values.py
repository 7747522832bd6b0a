"""Values that no database can hold, and parts of another form than asked for: refused, never a failure."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from serving import Served, run
from tunesmith.records.types import TextClassificationRecord


@pytest.fixture
def either(url: str) -> Iterator[Served]:
    """A server of each database."""
    with run(url) as found:
        yield found


def test_a_nul_is_an_id_or_a_name_that_is_not_there(either: Served) -> None:
    key = either.key("ada")
    remote = either.remote(key)
    remote.log(TextClassificationRecord("text", id="a"), "d", "default")
    with either.http(key) as http:
        page = "/tunesmith/datasets/d/page"
        assert http.post(page, json={"ids": ["a\0", "\0"]}).json()["records"] == []
        for response in (
            http.post(page, json={"after": "a\0"}),
            http.post(page, json={"sort": [["metadata.\0", "asc"]], "after": "\0"}),
            http.get("/tunesmith/datasets/d%00"),
            http.get("/api/datasets/d%00"),
            http.get("/tunesmith/datasets/d/history?id=%00"),
            http.post("/tunesmith/datasets/d/mark", json={"ids": ["\0"], "split": "train"}),
            http.post("/tunesmith/datasets/d/page?workspace=%00", json={}),
            http.delete("/tunesmith/datasets/%00"),
            http.put("/tunesmith/datasets/%00/settings", json={"task": "TextClassification", "settings": {}}),
        ):
            assert response.status_code in (400, 404), (response.request.url, response.text)
        for query in ('"\0"', "metadata.a\0:1", 'metadata.a:"\0"', "id:a\0", 'id:"\0"', "text:a\0*b", "_exists_:a\0"):
            response = http.post("/tunesmith/datasets/d/count", json={"query": query})
            assert response.status_code in (200, 400), (query, response.text)


def test_a_nul_in_a_key_is_nobodys_key(either: Served) -> None:
    with either.http() as http:
        basic = base64.b64encode(b"ada:ts-\0-abc").decode()
        assert http.get("/docs", headers={"Authorization": f"Basic {basic}"}).status_code == 401


@pytest.mark.parametrize("route", ["/tunesmith/datasets/d/log", "/api/datasets/d/TextClassification:bulk"])
@pytest.mark.parametrize("wrong", [{"tags": "abc"}, {"tags": [1]}, {"metadata": [1]}, {"metadata": "x"}, {"tags": 1}])
def test_tags_of_another_form_are_refused(served: Any, route: str, wrong: dict[str, Any]) -> None:
    body = {"task": "TextClassification"} if route.endswith("log") else {}
    with served.http(served.key("ada")) as http:
        response = http.post(route, json={**body, "records": [{"id": 1, "inputs": {"text": "a"}}], **wrong})
        assert response.status_code == 400
        assert f"{min(wrong)}: " in response.text
        assert "is no mapping from a name to a value" in response.text
        assert http.get("/tunesmith/datasets/d").status_code == 404
