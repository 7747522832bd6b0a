"""How fast the record store is: log, load, the first page of a query among many records, memory of an iteration.

python -m bench.store                      100,000 records logged and loaded, the query over 1,000,000
python -m bench.store --many 200000        a smaller store for the query
python -m bench.store --database postgresql://user@host/database

Each record has about 30 words, a prediction, metadata, and every fourth an annotation. The records are made by the
constructor before the clock starts, and encoded while it runs.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, islice
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from tunesmith.records.store.store import Store
from tunesmith.records.types import TextClassificationRecord

from . import records
from .reading import ROOT

RESULTS = ROOT / "bench" / "results" / "records.jsonl"
LOG, LOAD, PAGE, MILLISECONDS = 12_000, 40_000, 250, 50.0
WORDS, VOCABULARY = 30, 30_000
PACKAGES = ("sqlalchemy", "orjson", "psycopg", "fastapi", "uvicorn", "httpx")
STATUSES = ("Default", "Edited", "Discarded", "Validated")


def made(count: int, seed: int = 0) -> Iterator[TextClassificationRecord]:
    """Records of words as frequent as in a language: the n-th word comes 1/n as often as the first."""
    draw = random.Random(seed)
    names = [f"word{number}" for number in range(VOCABULARY)]
    weights = list(accumulate(1 / (number + 1) for number in range(VOCABULARY)))
    for number in range(count):
        annotated = number % 4 == 0
        yield TextClassificationRecord(
            " ".join(draw.choices(names, cum_weights=weights, k=WORDS)),
            id=f"{seed}-{number}",
            prediction=[("pos", 0.75), ("neg", 0.25)],
            prediction_agent="model",
            annotation="pos" if annotated else None,
            annotation_agent="me" if annotated else None,
            metadata={"split": "train" if number % 5 else "test", "n": number % 100},
            status="Validated" if annotated else STATUSES[number % 3],
        )


QUERIES = {
    "frequent word": "word0 AND status:Validated",
    "common word": "word50 AND status:Validated",
    "rare word": "word20000 AND status:Validated",
    "phrase": '"word0 word1" AND status:Edited',
    "two words": "word3 AND word7 AND status:Default",
    "prefix": "word123* AND status:Validated",
    "metadata": "word5 AND status:Validated AND metadata.split:test",
    "range": "word5 AND status:Validated AND score:[0.5 TO 1]",
    "excluded": "word5 AND status:Validated AND NOT word0",
}


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of the clock and of the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - processor


def best(held: dict[str, float], count: int, clock: float, processor: float, **more: float) -> None:
    """Keeps the best rate of the rounds, of the clock and of the processor; `more` is of the second one's round."""
    rate = round(count / processor)
    if rate > held.get("processor", 0):
        held.update(processor=rate, **{name: round(each, 2) for name, each in more.items()})
    held["clock"] = max(held.get("clock", 0), round(count / clock))


def rates(url: str, count: int, rounds: int) -> dict[str, dict[str, float]]:
    """Records a second of the clock and of the processor, the best round of each: the first says little on a machine
    that others use, the second leaves out the disk."""
    batch = list(made(count))
    found: dict[str, dict[str, float]] = {"log": {}, "load": {}}
    with Store(url) as store:
        for number in range(rounds):
            name = f"rates {number}"
            verbs: dict[str, Callable[[], object]] = {
                "log": lambda name=name: store.log(batch, name, "bench"),
                "load": lambda name=name: store.load(name, "bench"),
            }
            for verb, work in verbs.items():
                best(found[verb], count, *timed(work))
            store.delete(name, "bench")
    return found


def fill(url: str, name: str, count: int) -> None:
    with Store(url) as store:
        rest = made(count, seed=1)
        while part := list(islice(rest, 50_000)):
            store.log(part, name, "bench")


def pages(url: str, rounds: int) -> dict[str, dict[str, float]]:
    """Milliseconds to the first page of each query: median and 95th percentile of the clock, median of the processor;
    and how many it found."""
    found = {}
    with Store(url) as store:
        for name, query in QUERIES.items():
            took = [timed(lambda query=query: first_page(store, query)) for _ in range(rounds)]  # type: ignore[misc]
            clock, processor = ([second * 1000 for second in each] for each in zip(*took, strict=True))
            found[name] = {
                "median": round(median(clock), 2),
                "p95": round(quantiles(clock, n=20)[-1], 2),
                "processor": round(median(processor), 2),
                "rows": len(first_page(store, query)),
            }
    return found


def first_page(store: Store, query: str) -> list[Any]:
    return store.load("many", "bench", query=query, limit=PAGE)


def memory(url: str, name: str) -> dict[str, float]:
    """The largest memory of a process of its own that iterates over a data set, with all that it imports."""
    command = [sys.executable, "-m", "bench.store", "--database", url, "--iterate", name]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    count, peak = map(int, done.stdout.split())
    return {"records": count, "peak_mb": round(peak / 2**20, 1)}


def iterate(url: str, name: str) -> None:
    with Store(url) as store:
        count = sum(1 for _ in store.iterate(name, "bench", page=PAGE))
    print(count, records.peak_bytes())


def met(rate: Any, query: Any, kept: Any, measure: str) -> bool:
    """Whether the goals are, by the clock or by processor time, which other jobs of the machine do not change."""
    slowest = max(each["median" if measure == "clock" else measure] for each in query.values())
    few, many = (each["peak_mb"] for each in kept)
    fast = rate["log"][measure] >= LOG and rate["load"][measure] >= LOAD
    return bool(fast and slowest < MILLISECONDS and many <= 1.1 * few)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.store", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--records", type=int, default=100_000, help="logged and loaded")
    parser.add_argument("--many", type=int, default=1_000_000, help="in the store that is queried")
    parser.add_argument("--rounds", type=int, default=3, help="of logging and loading; ten times as many of a query")
    parser.add_argument("--database", help="a URL or a path; a new SQLite file without")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--iterate", metavar="NAME", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.iterate:
        iterate(options.database, options.iterate)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        url = options.database or str(Path(folder, "records.db"))
        rate = rates(url, options.records, options.rounds)
        fill(url, "few", options.records)
        fill(url, "many", options.many)
        query, kept = pages(url, 10 * options.rounds), [memory(url, name) for name in ("few", "many")]
    reached = {measure: met(rate, query, kept, measure) for measure in ("clock", "processor")}
    found = {
        "what": "store",
        "database": url.partition(":")[0] if options.database and "://" in url else "sqlite",
        "records": options.records,
        "many": options.many,
        "rates": rate,
        "first_page_ms": query,
        "iterate": kept,
        "goal": {"log": LOG, "load": LOAD, "first_page_ms": MILLISECONDS, "met": reached},
        **records.circumstances(*PACKAGES),
        "sqlite": sqlite3.sqlite_version,
    }
    records.append(found, options.results)
    for verb, goal in (("log", LOG), ("load", LOAD)):
        each = rate[verb]
        print(f"{verb} {each['clock']:,} records/s (goal {goal:,}); {each['processor']:,} a second of processor time")
    for name, took in query.items():
        told = f"{took['median']} ms (95%: {took['p95']} ms; {took['processor']} ms of processor time)"
        print(f"first page, {name}: {told}, {took['rows']} records")
    for held in kept:
        print(f"iterating over {held['records']:,} records: {held['peak_mb']} MB at most, with imports")
    print("goals met:", reached)
    return 0


if __name__ == "__main__":
    sys.exit(main())
