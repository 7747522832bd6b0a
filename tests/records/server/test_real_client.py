"""The package argilla 1.29.1 itself against a served store: the wire is what its client says it is.

It needs an environment of its own (old httpx and numpy): `make argilla-client` makes one and runs this file, or name
its Python in TUNESMITH_ARGILLA_PYTHON.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from serving import run

PYTHON = os.environ.get("TUNESMITH_ARGILLA_PYTHON", "")

pytestmark = pytest.mark.skipif(
    not Path(PYTHON).is_file(),
    reason="TUNESMITH_ARGILLA_PYTHON names no Python with argilla 1.29.1: make argilla-client",
)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the script printed."""
    with run(tmp_path_factory.mktemp("served") / "records.db") as served:
        keys = served.key("ada", "owner", "team", "other"), served.key("eve", "annotator", "team")
        script = Path(__file__).with_name("argilla_script.py")
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("ARGILLA", "PYTHON"))}
        done = subprocess.run(
            [PYTHON, str(script), served.url, *keys],
            capture_output=True,
            text=True,
            timeout=110,
            env={**clean, "ARGILLA_ENABLE_TELEMETRY": "0", "HOME": str(served.file.parent)},
        )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


def test_init_finds_the_workspace_and_warns_of_nothing(found: Any) -> None:
    assert found["warnings"] == []
    assert found["workspace"] == "team"
    assert found["workspaces"] == ["other", "team"]


def test_logging_twice_updates(found: Any) -> None:
    assert found["logged"] == ["classified", 250, 0]
    assert found["again"] == 250


@pytest.mark.parametrize(("name", "count"), [("classified", 250), ("tagged", 2), ("written", 2)])
def test_every_record_comes_back_as_it_was_logged(found: Any, name: str, count: int) -> None:
    assert found[name] == [count, []]


def test_records_come_in_the_order_of_their_log_with_their_times(found: Any) -> None:
    assert found["order"] is True
    assert found["times"] is True


def test_queries_ids_limits_sorts_and_vectors_choose(found: Any) -> None:
    assert found["query"] == 100
    assert found["text"] == ["r17"]
    assert found["ids"] == ["r1", "r3"]
    assert found["both"] == ["r3"]
    assert found["limit"] == [1, 2, 249, 250, 250]
    assert found["sort"] == ["r249", "r248", "r247"]
    assert found["from"] == ["r248", "r249"]
    assert found["no vectors"] is None
    assert found["vector"] == ["r1", "r2"]


def test_errors_are_those_of_the_client_with_our_reason(found: Any) -> None:
    assert found["bad query"].startswith("BadRequestApiError")
    assert "query, at" in found["bad query"]
    assert found["unknown"].startswith("NotFoundApiError")
    assert "nothing-here" in found["unknown"]
    assert found["workspace error"] == "ValueError: Wrong provided workspace 'nobodys'"
    assert found["task error"].startswith("BadRequestApiError")
    assert "holds TokenClassification records, not Text2Text" in found["task error"]
    assert found["copy taken"].startswith("AlreadyExistsApiError")
    assert found["deleted twice"].startswith("NotFoundApiError")


def test_a_refused_log_leaves_nothing_not_even_a_data_set(found: Any) -> None:
    assert "ValidationError" in found["bad score"]
    assert found["single label list"].startswith("ValidationApiError")
    assert "bad" in found["single label list"]
    assert "never-made" not in [name for name, _, _ in found["datasets"]]


def test_settings_keep_the_order_of_their_labels(found: Any) -> None:
    assert found["settings"] == [["zebra", "ape", "good"]] * 2
    assert found["no settings"] is None
    assert found["length of empty"] == 0


def test_copies_deletions_and_lists(found: Any) -> None:
    assert found["copied"] == 250
    assert found["elsewhere"] == 2
    assert found["deleted"] == [2, 2]
    assert found["discarded"] == [50, 50]
    assert found["left"] == [248, 50]
    assert found["datasets"] == [
        ["classified", "team", "TextClassification"],
        ["copied", "team", "TextClassification"],
        ["empty", "team", "TextClassification"],
        ["tagged", "team", "TokenClassification"],
        ["written", "team", "Text2Text"],
    ]
    assert found["all"] == ["other", "team"]
    assert found["tags"] == [{"made": "here"}, {"source": "test"}]
    assert found["after"] == ["classified", "empty", "tagged", "written"]


def test_an_annotator_discards_where_it_may_not_delete_and_makes_no_data_set(found: Any) -> None:
    assert found["may not delete"] == [1, 1]
    assert found["discarded in place"] == {"t1": "Discarded", "t2": "Validated"}
    assert found["may not make"].startswith("ForbiddenApiError")
