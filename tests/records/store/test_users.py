"""Users of a served store, on each database."""

from __future__ import annotations

import pytest

from serving import run
from tunesmith.errors import DataError, UnknownName
from tunesmith.records.store import users
from tunesmith.records.store.engine import Database
from tunesmith.records.types import Text2TextRecord


def test_users_are_created_listed_found_by_their_key_and_taken_out(url: str) -> None:
    database = Database(url)
    with database.writing() as connection:
        ada, key = users.create(connection, "ada", "owner")
        bob, _ = users.create(connection, "bob", "annotator", ["b", "a", "b"])
    with database.reading() as connection:
        assert users.listed(connection) == [ada, bob]
        assert users.of_key(connection, key) == ada
        assert users.of_key(connection, key + "x") is None
    assert (ada.workspaces, bob.workspaces) == (("default",), ("a", "b"))
    with database.writing() as connection:
        assert users.remove(connection, "ada") == ada
    with database.reading() as connection:
        assert users.of_key(connection, key) is None
        assert users.listed(connection) == [bob]


def test_a_name_is_taken_once(url: str) -> None:
    database = Database(url)
    with database.writing() as connection:
        users.create(connection, "ada", "owner")
    with pytest.raises(DataError, match="there is a user 'ada' already"), database.writing() as connection:
        users.create(connection, "ada", "admin", ["a"])
    with database.reading() as connection:
        assert [each.role for each in users.listed(connection)] == ["owner"]


def test_a_user_needs_a_known_role_and_a_workspace(url: str) -> None:
    with Database(url).writing() as connection:
        for given, error, told in [
            (("bob", "root"), UnknownName, "unknown role 'root'"),
            (("bob", "admin"), DataError, "bob is to be admin, and has no workspace"),
            (("../bob", "owner"), DataError, "a user cannot be called '../bob'"),
            (("bob", "admin", ["Not This"]), DataError, "a workspace cannot be called 'Not This'"),
        ]:
            with pytest.raises(error) as caught:
                users.create(connection, *given)
            assert told in str(caught.value)
        users.create(connection, "ada", "owner")
        with pytest.raises(UnknownName) as caught:
            users.remove(connection, "adda")
        assert "Did you mean 'ada'?" in str(caught.value)


@pytest.mark.parametrize(
    ("role", "workspace", "may"),
    [
        ("owner", "elsewhere", "read annotate manage"),
        ("admin", "ours", "read annotate manage"),
        ("admin", "elsewhere", ""),
        ("annotator", "ours", "read annotate"),
        ("annotator", "elsewhere", ""),
    ],
)
def test_roles_may_what_they_are_for_and_only_in_their_workspaces(role: str, workspace: str, may: str) -> None:
    user = users.User("1", "ada", role, ("ours",), users.moment(0))
    assert " ".join(each for each in ("read", "annotate", "manage") if user.may(each, workspace)) == may


def test_the_workspace_of_who_names_none_is_the_only_one_or_default() -> None:
    for given, home in [(("b",), "b"), (("a", "default"), "default"), (("a", "b"), "a")]:
        assert users.User("1", "ada", "admin", given, users.moment(0)).home == home


def test_a_server_is_the_same_over_each_database(url: str) -> None:
    with run(url) as served:
        remote = served.remote(served.key("ada"))
        found = [Text2TextRecord(text=f"danke {n}", id=n) for n in range(5)]
        remote.log(found, "mine", "team")
        assert remote.load("mine", "team") == found
        assert remote.count("mine", "team", query="danke AND 3") == 1
        assert [event.author for event in remote.history("mine", "team", 3)] == ["ada"]
