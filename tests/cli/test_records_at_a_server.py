"""`tunesmith records …` on a server in place of a database."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from serving import Served
from serving import run as serve
from tunesmith import cli
from tunesmith.records import opened
from tunesmith.records.store.store import Store

ROWS = "id,text,label,split\na,good,pos,train\nb,bad,neg,train\nc,fine,pos,test\n"
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("served") / "records.db") as found:
        yield found


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.chdir(tmp_path)
    for name in (*opened.URLS, *opened.KEYS, *opened.WORKSPACES):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "reviews.csv").write_text(ROWS, encoding="utf-8")

    def run(*words: str) -> tuple[int, str, str]:
        code = cli.main(["records", *words])
        shown = capsys.readouterr()
        return code, shown.out, shown.err

    return run


def test_every_command_works_at_a_server(command: Command, served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNESMITH_API_URL", served.url)
    monkeypatch.setenv("TUNESMITH_API_KEY", served.key("tour", "admin", "tour"))
    assert command("import", "reviews.csv", "--name", "reviews") == (
        0,
        "3 records logged to 'reviews' (TextClassification, workspace tour)\n",
        "",
    )
    assert [row["records"] for row in json.loads(command("list", "--json")[1])] == [3]
    assert command("query", "reviews", "metadata.split:train", "--count")[1] == "2\n"
    found = command("query", "reviews", "--limit", "2")[1].splitlines()
    assert [json.loads(line)["id"] for line in found] == ["a", "b"]
    code, shown, _ = command("show", "reviews", "b")
    assert (code, "neg" in shown, "logged by tour" in shown) == (0, True, True)
    assert command("export", "reviews", "out.jsonl", "--query", "annotated_as:pos")[1].startswith("2 records written")
    assert command("copy", "reviews", "second")[1] == "copied 3 records to 'second' (workspace tour)\n"
    assert command("delete", "second", "--query", "bad", "--yes")[1] == "took 1 record out of 'second'\n"
    assert command("delete", "second", "--yes")[1] == "took out 'second' with 2 records\n"
    with Store(served.file) as store:
        assert store.count("reviews", "tour") == 3


def test_a_server_is_named_by_flags_too_and_a_workspace_of_it(command: Command, served: Served) -> None:
    place = ["--api-url", served.url, "--api-key", served.key("flags"), "--workspace", "flags"]
    assert command("import", "reviews.csv", "--name", "mine", *place)[0] == 0
    assert command("query", "mine", "--count", *place)[1] == "3\n"
    assert command("list")[1].startswith("no data sets yet in ")  # the store of this machine is another


def test_a_database_goes_before_the_variables_and_not_beside_the_flags(
    command: Command, served: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TUNESMITH_API_URL", served.url)
    assert command("import", "reviews.csv", "--name", "here", "--database", "own.db")[0] == 0
    with Store(tmp_path / "own.db") as store:
        assert store.count("here", "default") == 3
    code, _, error = command("list", "--database", "own.db", "--api-url", served.url)
    assert (code, "either a database or a server" in error) == (2, True)


def test_a_server_that_says_no_is_one_line(
    command: Command, served: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    code, _, error = command("list", "--api-url", served.url)
    assert (code, "TUNESMITH_API_KEY" in error) == (1, True)
    code, _, error = command("list", "--api-url", served.url, "--api-key", "ts-no-key")
    assert (code, error.count("\n"), "401" in error) == (1, 1, True)
    place = ["--api-url", served.url, "--api-key", served.key("reader", "annotator", "readers")]
    code, _, error = command("import", "reviews.csv", "--name", "new", *place)
    assert (code, "403" in error, "Records before may be in 'new'" in error) == (1, True, True)
