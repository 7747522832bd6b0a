"""The page of measurements, made from the newest records: `python -m bench.table` writes docs/benchmarks.md."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from . import frameworks, records, speed, store
from .reading import ROOT

PAGE = ROOT / "docs" / "benchmarks.md"
PEERS = {
    "hf": "`Trainer`, padding per batch",
    "hf-guide": "`Trainer`, padding to the maximum",
    "hf-pipeline": "`pipeline` on a list",
    "cross-encoder": "sentence-transformers' `CrossEncoder` on a list of pairs",
    "tfidf": "TF-IDF with logistic regression",
    "txtai": "txtai's `HFTrainer`",
}
DATABASES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
Columns = Mapping[str, Callable[[Any], str]]
HEAD = """# Benchmarks

Made by `python -m bench.table` from `bench/results/`, where commit, machine and versions stand beside each figure. The
base is all-MiniLM-L6-v2. Single times of one machine say little: a time here is a ratio of runs that took turns.

"""
SPEED = """## Speed

The peer's time over ours: median (least to greatest) of the pairs. The loop is that of training, from its first step to
its end; the call is all that a user waits for, after the imports. Memory is the ratio of the peaks, ours over the
peer's. The last column is how near training came to what the machine can do: every operation at the rate of a large
product, in bf16 or fp32 as is faster, and AdamW's traffic at the rate of a copy. Only rows of one processor compare.

"""
SCORES = """## Scores

Ours and the peer's on the same held-out rows, and the 95% interval of their difference by the paired bootstrap over
rows. Equal settings, or (named so) the defaults of each side; every seed that was run. The first metric of each work
load, and any other by which ours is below the peer's beyond that interval.

"""
FRAMEWORKS = """## Frameworks

`tunesmith.train` with a framework, and that library used directly as its own documentation teaches: the same rows, the
same settings. Means over the draws of the training rows; the 95% interval of the difference is of the paired bootstrap.
Seconds are those of training, by the clock; those of SpanMarker hold the start of its process on both sides. Every
pair is ours, then the library's.

"""
STORE = """## Records

Rates, not ratios, of records of 30 words: how many are logged and loaded, best of the rounds; by HTTP through a server
on the same machine, where the seconds of the processor are those of both ends; the first page of 250 records of queries
in full text with a status; and the memory of a process that iterates over all. A busy machine shows in the clock, not
in those seconds: its load stands beside each figure in `bench/results/records.jsonl`.

"""


def newest(found: Iterable[Mapping[str, Any]], keys: tuple[str, ...]) -> list[Mapping[str, Any]]:
    """The last record for each value of `keys`, in the order in which the values first came."""
    last: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    for record in found:
        last[tuple(record.get(key) for key in keys)] = record
    return list(last.values())


def table(columns: Columns, rows: Iterable[Any]) -> str:
    lines = [list(columns), ["---"] * len(columns), *([say(row) for say in columns.values()] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _ratio(record: Mapping[str, Any], kind: str) -> str:
    ratio = record["ratios"].get(kind)
    return "" if ratio is None else f"{ratio['median']:.2f} ({ratio['min']:.2f} to {ratio['max']:.2f})"


def _score(row: tuple[Mapping[str, Any], str, Mapping[str, Any]]) -> str:
    return f"{row[2]['ours']:.3f}, {row[2]['theirs']:.3f}"


def _told(record: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], str, Mapping[str, Any]]]:
    """The first metric of a comparison, and every other one that is lower than the peer's beyond its interval."""
    metrics = enumerate(record["metrics"].items())
    return [(record, name, figures) for place, (name, figures) in metrics if place == 0 or figures["lower"]]


RATES: Columns = {
    "work": lambda row: f"{row[1]}, {DATABASES[row[0]['database']]}{', by HTTP' * (row[0]['what'] == 'http')}",
    "records": lambda row: f"{row[0]['records']:,}",
    "goal": lambda row: f"{row[0]['goal'][row[1]]:,}" if row[0]["database"] == "sqlite" else "",
    "a second": lambda row: f"{row[2]['clock']:,}",
    "a second of the processor": lambda row: f"{row[2]['processor']:,}",
}
PAGES: Columns = {
    "first page": lambda row: f"{row[1]}, {DATABASES[row[0]['database']]}",
    "of records": lambda row: f"{row[0]['many']:,}",
    "goal (ms)": lambda row: f"{row[0]['goal']['first_page_ms']:g}" if row[0]["database"] == "sqlite" else "",
    "median, 95% (ms)": lambda row: f"{row[2]['median']:.1f}, {row[2]['p95']:.1f}",
}
MEMORY: Columns = {
    "iterating over": lambda row: f"{row[1]['records']:,}, {DATABASES[row[0]['database']]}",
    "largest memory (MB)": lambda row: f"{row[1]['peak_mb']:.1f}",
}


def _pair(record: Mapping[str, Any], figure: str, form: str, by: float = 1) -> str:
    return ", ".join(format(record[figure][side] / by, form) for side in ("ours", "library"))


BESIDE: Columns = {
    "framework, data": lambda each: each["load"],
    "draws": lambda each: str(each["draws"]),
    "metric": lambda each: each["metric"].replace("_", " "),
    "score": lambda each: f"{each['ours']:.3f}, {each['theirs']:.3f}",
    "difference": lambda each: f"{each['low']:+.3f} to {each['high']:+.3f}",
    "training (s)": lambda each: _pair(each, "seconds", ".1f"),
    "predicted a second": lambda each: _pair(each, "predicted_a_second", ",.0f"),
    "on disk (MB)": lambda each: _pair(each, "bytes", ".1f", 1e6),
}


def store_tables(found: Iterable[Mapping[str, Any]]) -> list[str]:
    """Rates, first pages and memory, each where there are any."""
    runs = newest(found, ("what", "database"))
    stores = [run for run in runs if run["what"] == "store"]
    rates = [(run, verb, run["rates"][verb]) for run in runs for verb in ("log", "load")]
    pages = [(run, name, took) for run in stores for name, took in run["first_page_ms"].items()]
    memory = [(run, held) for run in stores for held in run["iterate"]]
    return [table(columns, rows) for columns, rows in ((RATES, rates), (PAGES, pages), (MEMORY, memory)) if rows]


def page(
    speeds: Iterable[Mapping[str, Any]],
    scores: Iterable[Mapping[str, Any]],
    stores: Iterable[Mapping[str, Any]],
    beside: Iterable[Mapping[str, Any]] = (),
) -> str:
    """The text of the page."""
    races = newest(speeds, ("what", "load", "peer"))
    compared = newest((each for each in scores if each["what"] == "comparison"), ("load", "peer", "seed"))
    rows = [row for each in compared for row in _told(each)]
    ratios = table(
        {
            "work": lambda each: f"{each['what']}, {each['load']}",
            "peer": lambda each: PEERS[each["peer"]],
            "loop": lambda each: _ratio(each, "loop"),
            "call": lambda each: _ratio(each, "call"),
            "memory": lambda each: f"{each['peak_ratio']:.2f}",
            "of the machine": lambda each: f"{each['limit']['share']:.0%}" if "limit" in each else "",
            "processor": lambda each: each["machine"]["cpu"],
        },
        races,
    )
    held = table(
        {
            "work": lambda row: row[0]["load"].replace("-defaults", ", defaults"),
            "peer": lambda row: PEERS[row[0]["peer"]],
            "seed": lambda row: str(row[0]["seed"]),
            "metric": lambda row: row[1].replace("_", " "),
            "ours, theirs": _score,
            "difference": lambda row: f"{row[2]['low']:+.3f} to {row[2]['high']:+.3f}",
        },
        rows,
    )
    libraries = newest(beside, ("load",))
    told = [FRAMEWORKS + table(BESIDE, libraries)] if libraries else []
    return HEAD + "\n".join([SPEED + ratios, SCORES + held, *told, STORE + "\n".join(store_tables(stores))])


def made() -> str:
    """The page of the results in the project."""
    found = (each.RESULTS for each in (speed, records, store, frameworks))
    return page(*map(records.read, found))


def main() -> int:
    PAGE.write_text(made(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
