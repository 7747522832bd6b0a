"""How long prediction takes beside two peers, each called as its documentation calls it.

    python -m bench.prediction                          2,000 rows a peer, 3 pairs
    python -m bench.prediction --only cross-encoder     this peer alone

`hf-pipeline`: transformers' pipeline on a list of texts of SST-2. `cross-encoder`: sentence-transformers'
`CrossEncoder` on a list of pairs of STS-B. Both sides read the same folder, made by one short training; how far their
outputs agree is told beside the ratio.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

from . import records, turns
from .reading import Row, data_folder
from .speed import RESULTS
from .workloads import WORKLOADS

Predict = Callable[[Sequence[Any]], list[Any]]


def ours(folder: str) -> Predict:
    run: Any = import_module("tunesmith.api").load(folder)
    return lambda inputs: [each.value if each.label is None else each.label for each in run.predict(inputs)]


def pipeline(folder: str) -> Predict:
    from transformers import pipeline as make

    classify: Any = make("text-classification", model=folder)
    return lambda texts: [each["label"] for each in classify(texts)]


def cross_encoder(folder: str) -> Predict:
    from sentence_transformers import CrossEncoder
    from torch.nn import Identity

    model: Any = CrossEncoder(folder, activation_fn=Identity())
    return lambda pairs: model.predict(pairs).tolist()


@dataclass(frozen=True)
class Race:
    """What is timed. inputs: the columns that are predicted from. goal: the ratio to reach, where there is one."""

    load: str
    theirs: Callable[[str], Predict]
    inputs: tuple[str, ...]
    goal: float | None = None

    def read(self, row: Row) -> Any:
        values = tuple(row[name] for name in self.inputs)
        return values if len(values) > 1 else values[0]


RACES: Mapping[str, Race] = {
    "hf-pipeline": Race("sst2", pipeline, ("text",), 4.0),
    "cross-encoder": Race("stsb", cross_encoder, ("sentence1", "sentence2")),
}


def serve(peer: str, side: str, folder: str, rows: int) -> None:
    turns.quiet()
    race = RACES[peer]
    inputs = [race.read(row) for row in WORKLOADS[race.load].read(data_folder()).train[:rows]]
    predict = (ours if side == "ours" else race.theirs)(folder)

    def turn() -> dict[str, float]:
        Path(folder, f"{side}.json").write_text(json.dumps(predict(inputs)))
        return {}

    turns.serve(turn)


def agreement(mine: Sequence[Any], theirs: Sequence[Any]) -> dict[str, float]:
    """The share of equal labels; of numbers the largest difference."""
    pairs = list(zip(mine, theirs, strict=True))
    if isinstance(mine[0], str):
        return {"equal_labels": sum(a == b for a, b in pairs) / len(pairs)}
    return {"largest_difference": max(abs(a - b) for a, b in pairs)}


def run(peer: str, rows: int, rounds: int) -> dict[str, Any]:
    """The record of one race."""
    race = RACES[peer]
    load = WORKLOADS[race.load]
    with tempfile.TemporaryDirectory() as folder:
        train = list(load.read(data_folder()).train[:800])
        settings: dict[str, Any] = {"columns": load.columns, "num_train_epochs": 1, "disable_tqdm": True}
        import_module("tunesmith.api").train(train, output_dir=folder, **settings)
        sides = ("ours", peer)
        told = turns.take(
            {side: ("bench.prediction", "--serve", peer, side, folder, str(rows)) for side in sides}, rounds
        )
        outputs = [json.loads(Path(folder, f"{side}.json").read_text()) for side in sides]
    ratio = turns.spread(each[peer]["call"] / each["ours"]["call"] for each in told)
    found = {
        "what": "prediction",
        "load": race.load,
        "peer": peer,
        "rows": len(outputs[0]),
        "ratios": {"call": ratio},
        "seconds": {side: round(median(each[side]["call"] for each in told), 3) for side in sides},
        "peak_ratio": round(told[-1]["ours"]["peak"] / told[-1][peer]["peak"], 3),
        **agreement(*outputs),
        **records.circumstances(),
    }
    if race.goal is not None:
        found["goal"] = {"of": "call", "ratio": race.goal, "met": ratio["median"] >= race.goal}
    return found


def said(found: Mapping[str, Any]) -> str:
    told = [turns.said(found["ratios"]["call"])]
    if goal := found.get("goal"):
        told.append(f"goal x{goal['ratio']:.1f} {'met' if goal['met'] else 'NOT met'}")
    told.append(f"memory x{found['peak_ratio']:.2f}")
    same = found.get("equal_labels")
    told.append(f"numbers within {found['largest_difference']:.1g}" if same is None else f"{same:.2%} equal labels")
    return f"prediction of {found['rows']} rows of {found['load']} beside {found['peer']}: {'; '.join(told)}"


def main(arguments: Sequence[str] | None = None) -> int:
    usage = (__doc__ or "").splitlines()[0]
    parser = argparse.ArgumentParser(prog="python -m bench.prediction", description=usage)
    parser.add_argument("--only", default=",".join(RACES), help="peers, with commas (default: all)")
    parser.add_argument("--rows", type=int, default=2000, help="rows a round")
    parser.add_argument("--rounds", type=int, default=3, help="pairs")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--serve", nargs=4, metavar=("PEER", "SIDE", "FOLDER", "ROWS"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.serve:
        peer, side, folder, rows = options.serve
        serve(peer, side, folder, int(rows))
        return 0
    peers = options.only.split(",")
    if unknown := [peer for peer in peers if peer not in RACES]:
        parser.error(f"unknown peers: {', '.join(unknown)}; known are {', '.join(RACES)}")
    for peer in peers:
        found = run(peer, options.rows, options.rounds)
        records.append(found, options.results)
        print(said(found), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
