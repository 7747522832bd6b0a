"""How long prediction takes beside transformers' pipeline, as its documentation calls it: a list of texts.

python -m bench.prediction                 2,000 texts of SST-2, 3 pairs

Both read the same folder, made by one short training. The share of equal labels is told beside the ratio.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

from . import records, turns
from .reading import data_folder, sst2
from .speed import RESULTS

GOAL = 4.0


def ours(folder: str) -> Callable[[list[str]], list[str]]:
    run: Any = import_module("tunesmith.api").load(folder)
    return lambda texts: [prediction.label for prediction in run.predict(texts)]


def pipeline(folder: str) -> Callable[[list[str]], list[str]]:
    from transformers import pipeline as make

    classify: Any = make("text-classification", model=folder)
    return lambda texts: [each["label"] for each in classify(texts)]


SIDES = {"ours": ours, "hf-pipeline": pipeline}


def serve(folder: str, rows: int, side: str) -> None:
    turns.quiet()
    texts = [row["text"] for row in sst2(data_folder()).train[:rows]]
    predict = SIDES[side](folder)

    def turn() -> dict[str, float]:
        labels = predict(texts)
        Path(folder, f"{side}.txt").write_text("\n".join(labels))
        return {}

    turns.serve(turn)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.prediction", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=2000, help="texts a round")
    parser.add_argument("--rounds", type=int, default=3, help="pairs")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--serve", nargs=3, metavar=("FOLDER", "ROWS", "SIDE"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.serve:
        folder, rows, side = options.serve
        serve(folder, int(rows), side)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        train = list(sst2(data_folder()).train[:800])
        import_module("tunesmith.api").train(train, output_dir=folder, num_train_epochs=1, disable_tqdm=True)
        commands = {side: ("bench.prediction", "--serve", folder, str(options.rows), side) for side in SIDES}
        told = turns.take(commands, options.rounds)
        mine, theirs = (Path(folder, f"{side}.txt").read_text().split("\n") for side in SIDES)
    ratio = turns.spread(each["hf-pipeline"]["call"] / each["ours"]["call"] for each in told)
    found = {
        "what": "prediction",
        "load": "sst2",
        "peer": "hf-pipeline",
        "rows": options.rows,
        "ratios": {"call": ratio},
        "seconds": {side: round(median(each[side]["call"] for each in told), 3) for side in SIDES},
        "peak_ratio": round(told[-1]["ours"]["peak"] / told[-1]["hf-pipeline"]["peak"], 3),
        "equal_labels": sum(a == b for a, b in zip(mine, theirs, strict=True)) / len(mine),
        "goal": {"of": "call", "ratio": GOAL, "met": ratio["median"] >= GOAL},
        **records.circumstances(),
    }
    records.append(found, options.results)
    goal = "met" if ratio["median"] >= GOAL else "NOT met"
    print(
        f"prediction of {options.rows} texts beside transformers' pipeline: {turns.said(ratio)}; "
        f"goal x{GOAL:.1f} {goal}; "
        f"memory x{found['peak_ratio']:.2f}; {found['equal_labels']:.2%} equal labels"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
