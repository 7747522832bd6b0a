"""The page on queries: its records logged, each of its queries asked, each of its errors provoked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tunesmith import records
from tunesmith.errors import QueryError
from tunesmith.records import opened

PAGE = (Path(__file__).parents[3] / "docs" / "queries.md").read_text(encoding="utf-8")
GOOD, BAD = PAGE.split("## What a bad query says")
ROW = re.compile(r"^\| `([^`]+)` \| (.*?) \|", re.MULTILINE)
FOUND = [(query, [name for name in ids.split(", ") if name.strip()]) for query, ids in ROW.findall(GOOD)]
REFUSED = ROW.findall(BAD)


@pytest.fixture(scope="module")
def logged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """The page's records, in a home of their own; what its block prints."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUNESMITH_HOME", str(tmp_path_factory.mktemp("home")))
        for name in (*opened.URLS, *opened.KEYS, *opened.WORKSPACES):
            patch.delenv(name, raising=False)
        records.close()
        block = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)[0]
        said: list[str] = []
        exec(block, {"print": said.append})
        yield said
        records.close()


def test_the_tables_were_read() -> None:
    assert (len(FOUND), len(REFUSED)) == (PAGE.count("\n| `") - 8, 8)


def test_the_example_finds_what_it_says(logged: list[str]) -> None:
    assert logged == ["mail", "loud", "fox"]


@pytest.mark.parametrize(("query", "ids"), FOUND)
def test_a_query_of_the_page_finds_what_it_says(logged: list[str], query: str, ids: list[str]) -> None:
    assert [record.id for record in records.load("examples", query=query)] == ids


@pytest.mark.parametrize(("query", "said"), REFUSED)
def test_a_bad_query_says_what_the_page_says(logged: list[str], query: str, said: str) -> None:
    with pytest.raises(QueryError, match=re.escape(said)):
        records.load("examples", query=query)


def test_the_error_of_the_page_is_the_one_that_comes(logged: list[str]) -> None:
    shown = re.findall(r"^```text\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)[0].rstrip("\n")
    with pytest.raises(QueryError) as caught:
        records.load("examples", query=shown.split("\n")[1].strip())
    assert str(caught.value) == shown


def test_the_bounds_of_the_page_are_those_of_the_parser() -> None:
    from tunesmith.records.query import parsing

    told = f"{parsing.LONGEST:,} characters, {parsing.MOST} clauses, {parsing.DEEPEST} levels of brackets, "
    told += f"{parsing.STARS} `*` in one value, and {parsing.PATTERNS} values"
    assert told in PAGE


def test_signs_between_quotes_are_text(logged: list[str]) -> None:
    example = re.findall(r"`(metadata\.url:.*?)`", PAGE)[0]
    assert records.load("examples", query=f"NOT {example}") == records.load("examples")
