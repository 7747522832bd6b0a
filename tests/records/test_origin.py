"""Stored records told of their use."""

from __future__ import annotations

from pathlib import Path

from serving import run
from tunesmith.records.origin import Origin
from tunesmith.records.types import Text2TextRecord


def test_more_records_than_one_request_may_name_are_told_at_a_server(tmp_path: Path) -> None:
    with run(tmp_path / "served.db") as served:
        remote = served.remote(served.key("ada"))
        remote.log((Text2TextRecord(str(n), id=n) for n in range(5_001)), "d", "w")
        origin = Origin(remote, "d", "w", frozenset(map(str, range(5_001))))
        assert origin.mark(range(5_001), split="train", run="out") == 5_001
        assert remote.history("d", "w", 5_000)[-1].set == {"split": "train", "run": "out"}
