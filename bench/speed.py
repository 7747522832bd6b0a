"""How long training takes beside the peers, A B A B in one invocation, and how near it is to what the machine can do.

    python -m bench.speed                      the short set
    python -m bench.speed --only sst2,stsb     these alone
    python -m bench.speed --rounds 5           more pairs

In turn each side trains one epoch over the same rows, in a process of its own that has its imports done; the first
round warms up and is not counted. A ratio is the peer's time over ours, pair by pair. `bench.quality` measures the
held-out scores of whole runs at the same settings.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

from . import limits, peers, records, turns
from .ours import ours
from .reading import ROOT, Rows, data_folder
from .workloads import WORKLOADS

RESULTS = ROOT / "bench" / "results" / "speed.jsonl"
SIDES: Mapping[str, Callable[..., list[Any]]] = {
    "ours": partial(ours, cache=False),
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


SHORT = (
    Race("sst2", 40, {"hf": 3.0}),
    Race("ag_news", 30, {"hf": 2.0}),
    Race("documents", 10, {"hf": 2.0}, rounds=2),
    Race("conll2003", 40, {"hf": 2.2}),
    Race("stsb", 30, {"hf": 1.8}),
    Race("wikitext", 20, {"hf": 2.0}, rounds=2),
)
LONG = (
    Race("squad", 10, {"hf": 1.0}, rounds=2),
    Race("multi30k", 20, {"hf": 1.0}),
    Race("sst2-lora", 40, {"hf": 1.0}),
    Race("sst2", 40, {"txtai": 5.0}),
    Race("sst2", 14, {"hf-guide": 10.0}),
)


def clock() -> Any:
    """A callback that holds when training began, had its first batch, and ended."""
    callback: Any = import_module("transformers").TrainerCallback

    class Clock(callback):  # type: ignore[misc]
        began = first = ended = 0.0

        def on_train_begin(self, *args: Any, **kwargs: Any) -> None:
            self.began, self.first = time.perf_counter(), 0.0

        def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
            self.first = self.first or time.perf_counter()

        def on_train_end(self, *args: Any, **kwargs: Any) -> None:
            self.ended = time.perf_counter()

    return Clock()


def serve(name: str, steps: int, side: str) -> None:
    """One side, in a process of its own: an epoch over the first rows of the load for each turn."""
    load = WORKLOADS[name]
    read = load.read(data_folder())
    rows = Rows(read.train[: steps * load.settings["per_device_train_batch_size"]], read.test[:8], read.labels)
    load = replace(load, settings={**load.settings, "num_train_epochs": 1})
    turns.quiet()
    watch = clock()
    import_module("transformers.trainer").DEFAULT_CALLBACKS.append(watch)  # of txtai's too, which takes none

    def turn() -> dict[str, float]:
        SIDES[side](load, rows, 0)
        return {"loop": watch.ended - watch.began}

    turns.serve(turn)


def race(one: Race, rounds: int) -> list[dict[str, Any]]:
    """A record a peer: the ratios pair by pair, in the training loop and in the whole call, and the peaks of memory."""
    sides = ("ours", *one.goals)
    told = turns.take({side: ("bench.speed", "--serve", one.load, str(one.steps), side) for side in sides}, rounds)
    return [_record(one, peer, goal, told) for peer, goal in one.goals.items()]


def _record(one: Race, peer: str, goal: float, told: Sequence[Mapping[str, turns.Told]]) -> dict[str, Any]:
    ratios = {kind: turns.spread(each[peer][kind] / each["ours"][kind] for each in told) for kind in ("loop", "call")}
    seconds = {side: round(median(each[side]["loop"] for each in told), 3) for side in ("ours", peer)}
    return {
        "what": "training",
        "load": one.load,
        "peer": peer,
        "steps": one.steps,
        "ratios": ratios,
        "seconds": seconds,
        "peak_ratio": round(told[-1]["ours"]["peak"] / told[-1][peer]["peak"], 3),
        "goal": {"of": "loop", "ratio": goal, "met": ratios["loop"]["median"] >= goal},
        "limit": limits.share(one.load, one.steps, median(each["ours"]["loop"] for each in told)),
        **records.circumstances(),
    }


def _line(found: Mapping[str, Any]) -> str:
    ratios = ", ".join(f"{kind} {turns.said(each)}" for kind, each in found["ratios"].items())
    goal = found["goal"]
    return (
        f"{found['load']} beside {found['peer']}: {ratios}; goal x{goal['ratio']:.1f} "
        f"{'met' if goal['met'] else 'NOT met'}; memory x{found['peak_ratio']:.2f}; "
        f"{found['limit']['share']:.0%} of what this machine can do"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.speed", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="work loads, separated by commas")
    parser.add_argument("--long", action="store_true", help="the long set: other work loads, other peers")
    parser.add_argument("--rounds", type=int, default=0, help="pairs of each work load")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--serve", nargs=3, metavar=("LOAD", "STEPS", "SIDE"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.serve:
        load, steps, side = options.serve
        serve(load, int(steps), side)
        return 0
    named = [name for name in options.only.split(",") if name]
    for one in LONG if options.long else SHORT:
        if not named or one.load in named:
            for found in race(one, options.rounds or one.rounds):
                records.append(found, options.results)
                print(_line(found), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
