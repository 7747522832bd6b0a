"""A side of a race of training tells how long its loop took, whichever library runs it."""

from __future__ import annotations

import gzip
from importlib.util import find_spec
from pathlib import Path

import pytest

from bench import turns

ROWS = "text,label\n" + "".join(f"a {'good' if i % 2 else 'bad'} film number {i},{i % 2}\n" for i in range(24))


@pytest.mark.parametrize("side", ["ours", "hf", "txtai"])
def test_a_side_tells_the_seconds_of_its_loop(side: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if side == "txtai" and find_spec("txtai") is None:
        pytest.skip("txtai is not installed: it comes with the extra bench")
    folder = tmp_path / "sst2"
    folder.mkdir()
    (folder / "train.csv.gz").write_bytes(gzip.compress(ROWS.encode()))
    (folder / "test.csv").write_text(ROWS)
    monkeypatch.setenv("TUNESMITH_DATA", str(tmp_path))
    (told,) = turns.take({side: ("bench.speed", "--serve", "sst2", "2", side)}, rounds=1)
    assert 0 < told[side]["loop"] < told[side]["call"]
