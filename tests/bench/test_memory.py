"""What the bench of memory makes and sees."""

from __future__ import annotations

import csv
import mmap
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench import memory
from bench.reading import ROOT


def test_the_table_has_short_texts_of_three_labels_and_repeats(tmp_path: Path) -> None:
    for name in ("one.csv", "two.csv"):
        memory.table(tmp_path / name, 300)
    with (tmp_path / "one.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 300
    assert {row["label"] for row in rows} == {"good", "bad", "plain"}
    assert len({row["text"] for row in rows}) > 290
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_peak_of_a_process_is_not_that_of_the_one_that_started_it() -> None:
    block = bytearray(b"x") * (256 * 2**20)
    code = "from bench import records; print(records.peak_bytes())"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    assert int(done.stdout) < len(block)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_that_was_held_for_a_moment_is_seen() -> None:
    before, watch = memory.held(), memory.Watch(every=0.001)
    # From the kernel: what malloc gives may be memory that the process has held since an earlier test.
    with watch.running(), mmap.mmap(-1, 64 * 2**20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as block:
        for page in range(0, len(block), mmap.PAGESIZE):
            block[page] = 1
        until = time.monotonic() + 20  # a busy machine lets the watching thread wait
        while watch.most.get("own", 0) - before["own"] < 60 * 2**20 and time.monotonic() < until:
            time.sleep(0.01)
    assert watch.most["own"] - before["own"] > 60 * 2**20
    assert watch.most["resident"] >= watch.most["own"]
