"""Held-out scores of tunesmith and its peers on the same rows, and the paired bootstrap of their difference.

    python -m bench.quality --peer hf --only trec6,sst2     run, store figures and predictions
    python -m bench.quality --peer ours --only trec6,sst2   the same for tunesmith
    python -m bench.quality --compare                       ours against each peer, wherever both sides have run

A run is a process of its own, so that peak memory is its own; one that has predictions for the rows is not repeated
without --again.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from . import peers, records, scores
from .ours import ours
from .reading import ROOT, Rows, data_folder
from .scratch import SCRATCH, Scratch, figures
from .workloads import WORKLOADS, Workload, gold

Side = Callable[[Workload, Rows, int], list[Any]]
SIDES: Mapping[str, Side] = {"hf": peers.hf, "ours": ours, "tfidf": peers.tfidf}
ORDER = ("hf", "ours", "tfidf")
LOADS: Mapping[str, Workload | Scratch] = {**WORKLOADS, **SCRATCH}


def applies(load: Workload | Scratch, side: str) -> bool:
    """TF-IDF is the floor of the native defaults alone, and models from scratch have goals instead of peers."""
    if load.group == "scratch":
        return side == "ours"
    return side != "tfidf" or load.group == "defaults"


@cache
def read(name: str) -> Rows:
    return WORKLOADS[name].read(data_folder())


def run_one(load: Workload | Scratch, side: str, seed: int, work: Path, results: Path) -> dict[str, float]:
    """Train, predict, score; keep predictions in `work` and append the figures to `results`."""
    circumstances = records.circumstances()
    start = time.perf_counter()
    if isinstance(load, Scratch):
        values, told = _scratch(load, seed)
    else:
        values, told = _side(load, side, seed, work)
    record = {
        "what": "run",
        "load": load.name,
        "side": side,
        "seed": seed,
        **told,
        "scores": {name: round(value, 5) for name, value in values.items()},
        "seconds": round(time.perf_counter() - start, 1),
        "peak_bytes": records.peak_bytes(),
        **circumstances,
    }
    records.append(record, results)
    return values


def _side(load: Workload, side: str, seed: int, work: Path) -> tuple[dict[str, float], dict[str, Any]]:
    rows = read(load.name)
    predicted = SIDES[side](load, rows, seed)
    fingerprint = rows.fingerprint()
    values = scores.point(scores.metrics(load.kind, gold(load.kind, rows.test), predicted, rows.labels), len(rows.test))
    records.keep_predictions(records.predictions_path(work, load.name, side, seed), predicted, fingerprint)
    settings = {**load.settings, **load.lengths} or "the defaults of the side"
    return values, {
        "settings": settings,
        "rows": {"train": len(rows.train), "test": len(rows.test), "sha256": fingerprint},
    }


def _scratch(load: Scratch, seed: int) -> tuple[dict[str, float], dict[str, Any]]:
    values, counts = figures(load, data_folder(), seed)
    name, least = load.goal
    goal = {"score": name, "least": least, "met": values[name] >= least}
    return values, {"settings": dict(load.settings) or "the defaults of the side", "rows": counts, "goal": goal}


def run_all(loads: Sequence[Workload | Scratch], sides: Sequence[str], options: argparse.Namespace) -> int:
    """Each run in its own process, one after the other; a failed one does not stop the rest. The number that failed."""
    failed = 0
    for load in loads:
        for seed in options.seeds or load.seeds:
            for side in (side for side in sides if applies(load, side)):
                path = records.predictions_path(options.work, load.name, side, seed)
                if path.exists() and not options.again:
                    print(f"{load.name} {side} seed {seed}: already there", flush=True)
                    continue
                command = [sys.executable, "-m", "bench.quality", "--one", load.name, side, str(seed)]
                command += ["--work", str(options.work), "--results", str(options.results)]
                failed += subprocess.run(command, cwd=ROOT, check=False).returncode != 0
    return failed


def compare(loads: Sequence[Workload | Scratch], options: argparse.Namespace) -> list[dict[str, Any]]:
    """Ours against each peer for every load and seed that both have predictions for."""
    found = []
    for load in loads:
        if isinstance(load, Scratch):
            continue
        rows = read(load.name)
        fingerprint, real = rows.fingerprint(), gold(load.kind, rows.test)
        for seed in options.seeds or load.seeds:
            paths = {side: records.predictions_path(options.work, load.name, side, seed) for side in ORDER}
            sides = {
                side: scores.metrics(load.kind, real, records.load_predictions(path, fingerprint), rows.labels)
                for side, path in paths.items()
                if path.exists()
            }
            for peer in (side for side in ("hf", "tfidf") if side in sides and "ours" in sides):
                differences = scores.compare(sides["ours"], sides[peer], len(real), resamples=options.resamples)
                record = {
                    "what": "comparison",
                    "load": load.name,
                    "peer": peer,
                    "seed": seed,
                    "resamples": options.resamples,
                    "sha256": fingerprint,
                    "origin": {side: records.origin(paths[side]) for side in ("ours", peer)},
                    "metrics": {name: value.to_dict() for name, value in differences.items()},
                }
                now = {
                    key: value for key, value in records.circumstances().items() if key not in ("commit", "versions")
                }
                records.append({**record, **now}, options.results)
                found.append(record)
    return found


def table(comparisons: Sequence[Mapping[str, Any]]) -> str:
    """One line a metric, for people; "LOWER" marks a score below the peer's beyond the interval."""
    lines = [f"{'load':<20} {'seed':>4} {'peer':<6} {'metric':<24} {'ours':>7} {'peer':>7} {'diff':>8}  95% interval"]
    for record in comparisons:
        for name, value in record["metrics"].items():
            interval = f"[{value['low']:+.4f}, {value['high']:+.4f}]" + (" LOWER" if value["lower"] else "")
            lines.append(
                f"{record['load']:<20} {record['seed']:>4} {record['peer']:<6} {name:<24} "
                f"{value['ours']:7.4f} {value['theirs']:7.4f} {value['difference']:+8.4f}  {interval}"
            )
    return "\n".join(lines)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def chosen(only: Sequence[str]) -> list[Workload | Scratch]:
    """The loads of these names or groups, in the order given; all when none is given.

    Raises:
        SystemExit: a name that is neither.
    """
    picked: list[Workload | Scratch] = []
    for name in only or list(LOADS):
        found = [load for load in LOADS.values() if name in (load.name, load.group)]
        if not found:
            raise SystemExit(f"unknown work load {name!r}: known are {', '.join(LOADS)}, equal, defaults, scratch")
        picked += [load for load in found if load not in picked]
    return picked


def parser() -> argparse.ArgumentParser:
    known = argparse.ArgumentParser(prog="python -m bench.quality", description=__doc__.split("\n")[0])
    known.add_argument(
        "--only", type=_names, default=[], help="work loads or groups (equal, defaults, scratch), by comma"
    )
    known.add_argument("--seeds", type=lambda text: [int(seed) for seed in _names(text)], help="instead of the load's")
    known.add_argument("--peer", type=_names, default=[], help="sides to run: hf, ours, tfidf; by comma")
    known.add_argument("--compare", action="store_true", help="paired bootstrap of ours against the peers")
    known.add_argument("--resamples", type=int, default=2000)
    known.add_argument("--again", action="store_true", help="run also what has predictions already")
    known.add_argument("--work", type=Path, default=records.default_work(), help="folder of per-row predictions")
    known.add_argument("--results", type=Path, default=records.RESULTS, help="file of the figures")
    known.add_argument("--one", nargs=3, metavar=("LOAD", "SIDE", "SEED"), help=argparse.SUPPRESS)
    return known


def main(words: Sequence[str] | None = None) -> int:
    options = parser().parse_args(words)
    if options.one:
        name, side, seed = options.one
        values = run_one(LOADS[name], side, int(seed), options.work, options.results)
        print(f"{name} {side} seed {seed}: " + ", ".join(f"{k} {v:.4f}" for k, v in values.items()), flush=True)
        return 0
    unknown = set(options.peer) - set(SIDES)
    if unknown:
        raise SystemExit(f"unknown side {', '.join(sorted(unknown))}: known are {', '.join(SIDES)}")
    loads = chosen(options.only)
    failed = run_all(loads, options.peer or (() if options.compare else ORDER), options)
    if options.compare:
        print(table(compare(loads, options)))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
