"""Sides take turns in processes of their own; what libraries print is no answer, and a side that ends is told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench import turns

SIDE = """
import sys, time
from pathlib import Path
from bench import turns

def turn():
    print("a library talks")
    with Path(sys.argv[1]).open("a") as file:
        file.write(sys.argv[2])
    if sys.argv[2] == "c":
        sys.exit(3)
    return {"loop": 0.5}

turns.serve(turn)
"""


def command(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    (folder / "a_side_of_a_test.py").write_text(SIDE)
    monkeypatch.setenv("PYTHONPATH", f"{folder}:{turns.ROOT}")
    return ("a_side_of_a_test", str(folder / "order.txt"), name)


def test_sides_take_turns_and_the_first_round_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = turns.take({name: command(tmp_path, name, monkeypatch) for name in "ab"}, rounds=2)
    assert (tmp_path / "order.txt").read_text() == "ababab"
    assert len(told) == 2
    for each in told:
        assert each["a"]["loop"] == 0.5
        assert each["b"]["call"] < 5
        assert each["b"]["peak"] > 2**20


def test_a_side_that_ends_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError, match="a side ended with 3"):
        turns.take({"c": command(tmp_path, "c", monkeypatch)}, rounds=1)


def test_a_spread_is_median_least_and_greatest() -> None:
    assert turns.spread([3.0, 1.0, 2.0]) == {"median": 2.0, "min": 1.0, "max": 3.0}
    assert turns.said(turns.spread([3.0, 1.0, 2.0])) == "x2.00 (1.00 to 3.00)"


def test_the_commands_of_the_bench_answer(tmp_path: Path) -> None:
    for module in ("bench.speed", "bench.prediction", "bench.quality"):
        done = subprocess.run([sys.executable, "-m", module, "--help"], cwd=turns.ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "--results" in done.stdout
