"""What grows with the rows of a table: the memory of a short run on millions of short texts.

    python -m bench.memory                     5,000,000 rows
    python -m bench.memory --rows 200000       fewer

A csv file is made in a temporary folder, and a process of its own trains 20 steps of a tiny model on it, cut into a
held-out part, written to a folder. What it holds is looked at every few milliseconds: all that is resident (files that
are mapped count) and what is its own, each less what it was when its imports and its model were there; and in which
function of tunesmith it was most.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import records
from .reading import ROOT

RESULTS = ROOT / "bench" / "results" / "memory.jsonl"
GOAL = 2 * 2**30  # bytes of host memory beside the model, at 5,000,000 rows
WORDS = "the phone film book town letter week man dog beach is was great bad old new broken bright in on of and".split()


def table(path: Path, rows: int, *, seed: int = 0) -> None:
    """A csv file of short texts, most of them different, with three labels."""
    rng = random.Random(seed)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "label"))
        for place in range(rows):
            writer.writerow((" ".join(rng.choices(WORDS, k=rng.randint(4, 12))), ("good", "bad", "plain")[place % 3]))


class Watch:
    """The most memory that this process held, in bytes, by function; in a thread of its own."""

    def __init__(self, every: float = 0.01) -> None:
        self.every, self.main = every, threading.main_thread().ident
        self.most: dict[str, int] = {}
        self.by_stage: dict[str, int] = {}
        self.done = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self._look, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.done.set()
            thread.join()

    def _look(self) -> None:
        while not self.done.wait(self.every):
            now = held()
            for kind, size in now.items():
                self.most[kind] = max(size, self.most.get(kind, 0))
            stage = self._stage()
            self.by_stage[stage] = max(now["own"], self.by_stage.get(stage, 0))

    def _stage(self) -> str:
        """The innermost functions of tunesmith that the main thread is in."""
        frame: Any = sys._current_frames().get(self.main or 0)
        names: list[str] = []
        while frame is not None and len(names) < 2:
            file = frame.f_code.co_filename
            if f"{os.sep}tunesmith{os.sep}" in file:
                names.append(f"{Path(file).stem}.{frame.f_code.co_name}")
            frame = frame.f_back
        return " < ".join(names)


def held() -> dict[str, int]:
    """Bytes of this process: `resident`, and of that `own` (no file's)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    sizes = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines if line.startswith(("VmRSS", "RssAnon"))}
    return {"resident": sizes["VmRSS"], "own": sizes["RssAnon"]}


def train(path: Path, work: Path) -> dict[str, Any]:
    """In a process of its own: 20 steps on the table, and what they took beyond the model."""
    sys.path.insert(0, str(ROOT / "tests"))
    import tiny
    import tunesmith

    base = tiny.bert(work / "base", hidden_size=32)
    tunesmith.train([("a", "x"), ("b", "y")] * 4, base=base, max_steps=1, cache=False)  # the imports, and a model
    before, begun, watch = held(), time.monotonic(), Watch()
    with watch.running():
        run = tunesmith.train(path, base=base, validation=0.0002, max_steps=20, output_dir=work / "run")
    stages = sorted(watch.by_stage.items(), key=lambda pair: -pair[1])[:12]
    return {
        "seconds": round(time.monotonic() - begun, 1),
        "megabytes": {kind: round((size - before[kind]) / 2**20) for kind, size in watch.most.items()},
        "before": {kind: round(size / 2**20) for kind, size in before.items()},
        "stages": {name: round((size - before["own"]) / 2**20) for name, size in stages},
        "scores": run.metrics,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--child", nargs=2, type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(train(*given.child)))
        return 0
    with tempfile.TemporaryDirectory(prefix="tunesmith-bench-") as folder:
        path = Path(folder, "rows.csv")
        table(path, given.rows)
        command = [sys.executable, "-m", "bench.memory", "--child", str(path), folder]
        env = {**os.environ, "TUNESMITH_HOME": str(Path(folder, "home"))}
        done = subprocess.run(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    records.append({"bench": "memory", "rows": given.rows, **found, **records.circumstances()}, RESULTS)
    print(f"{given.rows:,} rows in {found['seconds']} s; MB beyond imports and model: {found['megabytes']}")
    for name, size in found["stages"].items():
        print(f"{size:7} {name}")
    return int(found["megabytes"]["resident"] * 2**20 > GOAL)


if __name__ == "__main__":
    raise SystemExit(main())
