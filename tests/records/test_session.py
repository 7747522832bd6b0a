"""The verbs of a session, embedded and at a server: what is open, what is active, what a call changes."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from serving import Served, run
from tunesmith import argilla as rg
from tunesmith import records
from tunesmith.errors import ConfigError, DataError, MissingCredential, RowError, ServerError, StoreError
from tunesmith.records import opened
from tunesmith.records.client import Remote
from tunesmith.records.store.store import Store

VARIABLES = (*opened.URLS, *opened.KEYS, *opened.WORKSPACES)


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No variables, a home of its own, and nothing open before and after."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TUNESMITH_HOME", str(tmp_path / "home"))
    records.close()
    yield
    records.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with run(tmp_path_factory.mktemp("served") / "records.db") as found:
        yield found


@pytest.fixture(params=["embedded", "served"])
def team(request: pytest.FixtureRequest) -> str:
    """A fresh workspace, active, of a store or of a server; its name."""
    name = "team-" + "".join(sign for sign in request.node.name.lower() if sign.isalnum())[-60:]
    if request.param == "served":
        served = request.getfixturevalue("server")
        rg.init(served.url, served.key(name), workspace=name)
    else:
        rg.set_workspace(name)
    return name


def texts(count: int, label: str | None = None) -> list[Any]:
    return [rg.TextClassificationRecord(text=f"text {n}", id=n, annotation=label) for n in range(count)]


def test_without_anything_the_store_is_a_file_in_the_home_and_needs_no_sign_up(tmp_path: Path) -> None:
    assert rg.get_workspace() == "default"
    logged = rg.log(rg.Text2TextRecord(text="danke"), "mine")
    assert logged == rg.log(rg.Text2TextRecord(text="danke"), name="mine", verbose=False)
    assert (logged.dataset, logged.processed, logged.failed) == ("mine", 1, 0)
    assert (tmp_path / "home" / "records.db").is_file()
    assert type(rg.load("mine")) is rg.DatasetForText2Text


def test_the_variables_of_tunesmith_come_before_those_of_argilla(
    monkeypatch: pytest.MonkeyPatch, server: Served
) -> None:
    monkeypatch.setenv("ARGILLA_API_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("ARGILLA_API_KEY", "wrong")
    monkeypatch.setenv("ARGILLA_WORKSPACE", "second")
    monkeypatch.setenv("TUNESMITH_API_URL", server.url + "/")
    monkeypatch.setenv("TUNESMITH_API_KEY", server.key("by-variables"))
    assert rg.get_workspace() == "second"
    monkeypatch.setenv("TUNESMITH_WORKSPACE", "first")
    rg.init()
    assert rg.get_workspace() == "first"
    assert opened.active().holder.where == server.url
    rg.init(workspace="said")
    assert rg.get_workspace() == "said"


def test_the_variables_of_argilla_alone_open_its_address(monkeypatch: pytest.MonkeyPatch, server: Served) -> None:
    monkeypatch.setenv("ARGILLA_API_URL", server.url)
    monkeypatch.setenv("ARGILLA_API_KEY", server.key("moved", "admin", "theirs"))
    assert rg.get_workspace() == "theirs"  # the user's own
    assert isinstance(opened.active().holder, Remote)


def test_a_server_without_a_key_and_a_key_without_a_server_are_told(server: Served) -> None:
    with pytest.raises(MissingCredential) as caught:
        rg.init(api_url=server.url)
    assert "TUNESMITH_API_KEY" in str(caught.value)
    with pytest.raises(ConfigError, match="api_url"):
        rg.init(api_key="key")
    with pytest.raises(ConfigError, match="either a database or a server"):
        rg.init(api_url=server.url, api_key="key", database="x.db")
    with pytest.raises(ServerError) as refused:
        rg.init(server.url, "argilla.apikey")  # there is no default key
    assert refused.value.status == 401
    for name in ("Not A Workspace", "-x", "../x"):
        with pytest.raises(DataError, match="a workspace cannot be called"):
            rg.init(workspace=name)
        with pytest.raises(DataError, match="a workspace cannot be called"):
            rg.set_workspace(name)


def test_after_an_init_that_failed_no_verb_works_on_another_place(server: Served, tmp_path: Path) -> None:
    rg.log(texts(2), "mine")
    with pytest.raises(ServerError):
        rg.init(server.url, "a wrong key")
    for verb in (lambda: rg.delete("mine"), lambda: rg.log(texts(1), "mine"), lambda: rg.set_workspace("team")):
        with pytest.raises(StoreError, match=r"the last init failed .*answered 401.*Call init again"):
            verb()
    rg.init()
    assert len(rg.load("mine")) == 2


def test_a_server_of_the_environment_that_fails_is_asked_again(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNESMITH_API_URL", server.url)
    monkeypatch.setenv("TUNESMITH_API_KEY", "a wrong key")
    with pytest.raises(ServerError, match="answered 401"):
        rg.list_datasets()
    monkeypatch.setenv("TUNESMITH_API_KEY", server.key("again", "admin", "ours"))
    assert rg.get_workspace() == "ours"


def test_a_database_may_be_named_in_place_of_a_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TUNESMITH_API_URL", "http://127.0.0.1:1")
    records.init(database=tmp_path / "mine.db")
    records.log(texts(2), "mine")
    assert Store(tmp_path / "mine.db").count("mine", "default") == 2


def test_a_workspace_argument_changes_nothing_that_is_active(team: str) -> None:
    other = f"{team}-other"
    rg.log(texts(2), "mine", workspace=other)
    rg.load("mine", workspace=other)
    rg.configure_dataset_settings("mine", rg.TextClassificationSettings(["a"]), workspace=other)
    rg.load_dataset_settings("mine", workspace=other)
    rg.list_datasets(workspace=other)
    rg.delete_records("mine", workspace=other, ids=[0])
    rg.log(texts(1), "mine", workspace=other, background=True).result()
    rg.delete("mine", workspace=other)
    assert rg.get_workspace() == team
    rg.log(texts(1), "here")
    assert [each.name for each in rg.list_datasets(team)] == ["here"]


def test_a_workspace_exists_from_its_first_log_and_an_unknown_one_is_an_error_that_names_the_known(team: str) -> None:
    with pytest.raises(DataError) as caught:
        rg.load("mine")
    assert f"unknown workspace: '{team}'" in str(caught.value)
    rg.log(texts(1), "mine")
    assert team in rg.list_workspaces()
    assert team in [each.name for each in rg.list_workspaces()]
    with pytest.raises(DataError) as caught:
        rg.load("mine", workspace="nobodys")
    assert "unknown workspace: 'nobodys'" in str(caught.value)
    assert team in str(caught.value)
    with pytest.raises(DataError) as caught:
        rg.load("mime")
    assert "Did you mean 'mine'?" in str(caught.value)


@pytest.mark.parametrize("limit", [0, -1, True, 1.5, "3"])
def test_a_limit_below_one_is_an_error_and_no_word_for_all(limit: Any, team: str) -> None:
    rg.log(texts(3), "mine")
    with pytest.raises(DataError) as caught:
        rg.load("mine", limit=limit)
    assert f"limit is {limit!r}: expected a whole number from 1, or None for all." in str(caught.value)


@pytest.mark.parametrize("limit", [1, 2, 3, 4])
def test_a_limit_gives_so_many_and_not_one_more(limit: int, team: str) -> None:
    rg.log(texts(3), "mine")
    assert len(rg.load("mine", limit=limit)) == min(limit, 3)
    assert len(rg.load("mine", limit=limit, batch_size=2)) == min(limit, 3)


def test_a_data_set_made_anew_with_another_task_is_not_taken_for_the_old(team: str) -> None:
    rg.log(texts(1), "mine")
    assert type(rg.load("mine")) is rg.DatasetForTextClassification
    rg.log(rg.Text2TextRecord(text="danke"), "mine", workspace=f"{team}-other")
    assert type(rg.load("mine", workspace=f"{team}-other")) is rg.DatasetForText2Text
    rg.delete("mine")
    rg.log(rg.TokenClassificationRecord(tokens=["a"]), "mine")
    assert type(rg.load("mine")) is rg.DatasetForTokenClassification


def test_a_log_that_is_refused_makes_no_data_set(team: str) -> None:
    with pytest.raises(RowError):
        rg.log(rg.TextClassificationRecord(text="x", prediction=[("a", 7.0)]), "mine")
    for given in ([], ["text"], [*texts(1), rg.Text2TextRecord(text="x")]):
        with pytest.raises(DataError):
            rg.log(given, "mine")
    rg.log(texts(1), "theirs")
    with pytest.raises(DataError):
        rg.log(texts(1), "not/a/name")
    assert [each.name for each in rg.list_datasets(team)] == ["theirs"]


def test_one_record_a_list_a_data_set_and_a_generator_are_logged(team: str) -> None:
    rg.log(texts(1)[0], "mine")
    rg.log(texts(2), "mine")
    rg.log(rg.DatasetForTextClassification(texts(3)), "mine")
    rg.log((each for each in texts(4)), "mine", batch_size=2)
    assert [record.id for record in rg.load("mine")] == [0, 1, 2, 3]
    with pytest.raises(DataError, match="batch_size is 0"):
        rg.log(texts(1), "mine", batch_size=0)


def test_logs_in_the_background_are_done_in_order_with_what_was_given(team: str) -> None:
    given = texts(50)
    future = rg.log(given, "mine", background=True)
    given.clear()
    last = rg.log(texts(50, "late"), "mine", background=True)
    assert isinstance(future, Future)
    assert (future.result().processed, last.result().processed) == (50, 50)
    assert {record.annotation for record in rg.load("mine")} == {"late"}
    refused = rg.log(["text"], "mine", background=True)
    assert "a str is no record" in str(refused.exception())


def test_queries_ids_sorts_vectors_and_what_is_left_out(team: str) -> None:
    found = [
        rg.TextClassificationRecord(text=f"word {n}", id=n, vectors={"v": [float(n), 1.0]}, metrics={"m": 1})
        for n in range(5)
    ]
    rg.log(found, "mine")
    assert rg.load("mine")[:] == found
    assert [record.id for record in rg.load("mine", query="3")] == [3]
    assert [record.id for record in rg.load("mine", ids=[4, "1"])] == [1, 4]
    assert [record.id for record in rg.load("mine", sort=[("id", "desc")], limit=2)] == [4, 3]
    assert [record.id for record in rg.load("mine", id_from=2)] == [3, 4]
    assert [record.id for record in rg.load("mine", vector=("v", [0.0, 1.0]), limit=2)] == [0, 1]
    bare = rg.load("mine", limit=1, include_vectors=False, include_metrics=False)[0]
    assert (bare.vectors, bare.metrics) == (None, None)
    assert [record.id for record in records.iterate("mine", "word", page=2)] == [0, 1, 2, 3, 4]
    assert records.count("mine", "3") == 1
    for more in ({"ids": [1]}, {"sort": [("id", "asc")]}, {"id_from": 1}):
        with pytest.raises(DataError, match="an order of its own"):
            rg.load("mine", vector=("v", [0.0, 1.0]), **more)
    with pytest.raises(DataError, match=r"write load\('mine'\).to_pandas\(\)"):
        rg.load("mine", as_pandas=True)


def test_settings_copies_and_deletions(team: str) -> None:
    schema = rg.TextClassificationSettings(["zebra", "ape"])
    rg.configure_dataset_settings("mine", schema)
    assert len(rg.load("mine")) == 0
    assert rg.load_dataset_settings("mine") == schema
    rg.log(texts(4), "mine", tags={"a": "b"}, metadata={"c": 1})
    rg.copy("mine", "copied")
    rg.copy("mine", "mine", workspace=f"{team}-other")
    assert rg.delete_records("copied", ids=[0, 99]) == (1, 1)
    assert rg.delete_records("copied", query="text", discard_only=True) == (3, 3)
    assert [record.status for record in rg.load("copied")] == ["Discarded"] * 3
    assert len(rg.load("mine", workspace=f"{team}-other")) == 4
    assert rg.load_dataset_settings("copied") == schema
    with pytest.raises(DataError, match="needs a query or ids"):
        rg.delete_records("copied")
    (copied, mine) = rg.list_datasets(team)
    assert (copied.name, mine.name, mine.tags, mine.metadata) == ("copied", "mine", {"a": "b"}, {"c": 1})
    rg.delete("copied")
    with pytest.raises(DataError, match="unknown data set"):
        rg.delete("copied")


def test_who_may_not_delete_discards_and_is_told(server: Served, caplog: pytest.LogCaptureFixture) -> None:
    rg.init(server.url, server.key("boss", "owner", "shared"))
    rg.log(texts(2), "mine")
    rg.init(server.url, server.key("eve", "annotator", "shared"))
    with pytest.raises(ServerError) as caught:
        rg.delete_records("mine", ids=[0], discard_when_forbidden=False)
    assert caught.value.status == 403
    assert rg.delete_records("mine", ids=[0]) == (1, 1)
    assert "marked Discarded instead" in caplog.text
    assert [record.status for record in rg.load("mine")] == ["Discarded", "Default"]


def test_every_name_of_the_drop_in_is_there() -> None:
    for name in rg.__all__:
        assert getattr(rg, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'FeedbackDataset'"):
        rg.FeedbackDataset  # noqa: B018


def test_a_loaded_data_set_is_prepared_with_the_settings_of_its_store(team: str) -> None:
    rg.configure_dataset_settings("lab", rg.TextClassificationSettings(["pos", "neg", "zero"]))
    rg.log([rg.TextClassificationRecord(text=name, annotation=name) for name in ("neg", "pos")], "lab")
    found = rg.load("lab")
    assert found.settings == rg.TextClassificationSettings(["pos", "neg", "zero"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        prepared = found.prepare_for_training()
    assert prepared.features["label"].names == ["pos", "neg", "zero"]
    given = found.prepare_for_training(settings=rg.TextClassificationSettings(["neg", "pos"]))
    assert given.features["label"].names == ["neg", "pos"]
    rg.log(rg.Text2TextRecord(text="no labels"), "plain")
    assert rg.load("plain").settings is None


def test_an_empty_query_deletes_nothing(team: str) -> None:
    rg.log(texts(2), "d")
    for query in ("", " ", "\u3000"):
        for ids in (None, [0]):
            with pytest.raises(DataError, match="the query is empty, which is every record"):
                rg.delete_records("d", query=query, ids=ids)
    assert records.count("d") == 2
    assert rg.delete_records("d", query="*:*") == (2, 2)


def test_labels_in_the_place_of_settings_are_told() -> None:
    with pytest.raises(DataError, match=r"settings are \['good'\]: expected TextClassificationSettings\(label_schema"):
        rg.configure_dataset_settings("mine", ["good"])  # type: ignore[arg-type]


def test_a_name_of_argilla_that_is_not_here_is_told() -> None:
    with pytest.raises(AttributeError, match=r"'TextClassificationRecrod'\. Did you mean 'TextClassificationRecord'"):
        rg.TextClassificationRecrod  # noqa: B018
    for name in ("FeedbackDataset", "Rule", "compute_metrics"):
        with pytest.raises(AttributeError, match="rules and metrics of Argilla are not here"):
            getattr(rg, name)
    assert not hasattr(rg, "_private")
