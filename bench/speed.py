"""How long training takes beside the peers, A B A B in one invocation, and how near it is to what the machine can do.

    python -m bench.speed                      the short set
    python -m bench.speed --only sst2,stsb     these alone
    python -m bench.speed --rounds 5           more pairs

Every side is a process of its own that stays, so that imports are outside the clock and peak memory is its own. In turn
each trains one epoch over the same rows; the first round warms up and is not counted. A ratio is the peer's time over
ours, pair by pair. `bench.quality` measures the held-out scores of whole runs at the same settings.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

from . import limits, peers, records
from .ours import ours
from .workloads import ROOT, WORKLOADS, Rows, data_folder

RESULTS = ROOT / "bench" / "results" / "speed.jsonl"
SIDES: Mapping[str, Callable[..., list[Any]]] = {
    "ours": ours,
    "hf": peers.hf,
    "hf-guide": partial(peers.hf, padding="max_length"),
    "txtai": peers.txtai,
}


@dataclass(frozen=True)
class Race:
    """What is timed. steps: of a round, at the batch size of the load. goals: the ratio that each peer is to reach."""

    load: str
    steps: int
    goals: Mapping[str, float]
    rounds: int = 3


RACES: Mapping[str, Race] = {
    race.load: race
    for race in (
        Race("sst2", 40, {"hf": 3.0}),
        Race("ag_news", 30, {"hf": 2.0}),
        Race("documents", 8, {"hf": 2.0}),
        Race("conll2003", 40, {"hf": 2.2}),
        Race("stsb", 30, {"hf": 1.8}),
        Race("squad", 8, {"hf": 1.0}),
    )
}
LONG: Mapping[str, Race] = {
    "sst2-txtai": Race("sst2", 40, {"txtai": 5.0}),
    "sst2-guide": Race("sst2", 14, {"hf-guide": 10.0}),
}


def clock() -> Any:
    """A callback that holds when training began and ended."""
    callback = import_module("transformers").TrainerCallback

    class Clock(callback):  # type: ignore[misc, valid-type]
        began = ended = 0.0

        def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
            self.began = time.perf_counter()

        def on_train_end(self, *args: Any, **kwargs: Any) -> None:
            self.ended = time.perf_counter()

    return Clock()


def serve(name: str, steps: int, side: str) -> None:
    """One side, in a process of its own: for each line read, one epoch over the rows, its times as a line of JSON."""
    load = WORKLOADS[name]
    read = load.read(data_folder())
    rows = Rows(read.train[: steps * load.settings["per_device_train_batch_size"]], read.test[:8], read.labels)
    load = replace(load, settings={**load.settings, "num_train_epochs": 1})
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    for _ in sys.stdin:
        watch, start = clock(), time.perf_counter()
        SIDES[side](load, rows, 0, callbacks=(watch,), **({"cache": False} if side == "ours" else {}))
        told = {"call": time.perf_counter() - start, "loop": watch.ended - watch.began, "peak": records.peak_bytes()}
        print(json.dumps(told), file=answer, flush=True)


def race(one: Race, rounds: int) -> list[dict[str, Any]]:
    """A record a peer: the ratios pair by pair, in the training loop and in the whole call, and the peaks of memory."""
    sides = ["ours", *one.goals]
    with ExitStack() as stack:
        held = {side: stack.enter_context(_process(one, side)) for side in sides}
        told = [{side: _ask(held[side]) for side in sides} for _ in range(rounds + 1)][1:]
        for process in held.values():
            assert process.stdin is not None
            process.stdin.close()
    return [_record(one, peer, goal, told) for peer, goal in one.goals.items()]


def _process(one: Race, side: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bench.speed", "--serve", one.load, str(one.steps), side]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _ask(process: subprocess.Popen[str]) -> dict[str, float]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"a side ended: {' '.join(map(str, process.args))}")  # type: ignore[arg-type]
    return dict(json.loads(line))


def _record(one: Race, peer: str, goal: float, told: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, Any]:
    kind = "loop" if all(each[peer]["loop"] for each in told) else "call"  # txtai takes no callback
    share = limits.share(one.load, one.steps, median(each["ours"]["loop"] for each in told))
    ratios = {
        key: _spread([each[peer][key] / each["ours"][key] for each in told])
        for key in ("loop", "call")
        if key == "call" or kind == "loop"
    }
    return {
        "what": "race",
        "load": one.load,
        "peer": peer,
        "steps": one.steps,
        "ratios": ratios,
        "seconds": {side: round(median(each[side][kind] for each in told), 3) for side in ("ours", peer)},
        "peak_ratio": round(told[-1]["ours"]["peak"] / told[-1][peer]["peak"], 3),
        "goal": {"of": kind, "ratio": goal, "met": ratios[kind]["median"] >= goal},
        "limit": share,
        **records.circumstances(),
    }


def _spread(ratios: Sequence[float]) -> dict[str, float]:
    return {"median": round(median(ratios), 2), "min": round(min(ratios), 2), "max": round(max(ratios), 2)}


def _line(found: Mapping[str, Any]) -> str:
    told = ", ".join(
        f"{key} x{each['median']:.2f} ({each['min']:.2f} to {each['max']:.2f})" for key, each in found["ratios"].items()
    )
    goal, limit = found["goal"], found["limit"]
    return (
        f"{found['load']} beside {found['peer']}: {told}; goal x{goal['ratio']:.1f} "
        f"{'met' if goal['met'] else 'NOT met'}; memory x{found['peak_ratio']:.2f}; "
        f"{limit['share']:.0%} of what this machine can do"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.speed", description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="work loads, separated by commas")
    parser.add_argument("--rounds", type=int, default=0, help="pairs of each work load")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--serve", nargs=3, metavar=("LOAD", "STEPS", "SIDE"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.serve:
        load, steps, side = options.serve
        serve(load, int(steps), side)
        return 0
    chosen = [name for name in options.only.split(",") if name] or list(RACES)
    for name in chosen:
        one = {**RACES, **LONG}[name]
        for found in race(one, options.rounds or one.rounds):
            records.append(found, options.results)
            print(_line(found), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
