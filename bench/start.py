"""How long until something happens: the import, the help, and the first step of training on a file of 1,000,000 texts.

    python -m bench.start                      all
    python -m bench.start --rows 50000         a smaller file

The first step is raced: ours and `Trainer` (the file by `load_dataset`, tokenized by `map` in batches), A B A B, each
in a process that stays, no cache on either side; the first round, which has the imports, is not counted.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

from . import memory, records, turns
from .peers import minilm
from .speed import RESULTS, clock

COMMANDS = {"import": ("-c", "import tunesmith"), "help": ("-m", "tunesmith", "--help")}
GOALS = {"import": 0.15, "help": 0.5}  # seconds beyond a bare start of Python
REPEATS = 9


def ours(path: Path, watch: Any) -> None:
    api: Any = import_module("tunesmith.api")
    api.train(path, base="minilm", max_steps=1, callbacks=[watch], cache=False, disable_tqdm=True)


def hf(path: Path, watch: Any) -> None:
    from datasets import load_dataset
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
    )

    with tempfile.TemporaryDirectory() as folder:
        rows: Any = load_dataset("csv", data_files=str(path), split="train", cache_dir=folder)
        names = sorted(rows.unique("label"))
        ids = {name: place for place, name in enumerate(names)}
        tokenizer: Any = AutoTokenizer.from_pretrained(minilm())

        def encode(batch: dict[str, list[Any]]) -> Any:
            return {**tokenizer(batch["text"], truncation=True), "labels": [ids[name] for name in batch["label"]]}

        features = rows.map(encode, batched=True, remove_columns=rows.column_names)
        model: Any = AutoModelForSequenceClassification.from_pretrained(minilm(), num_labels=len(names))
        settings = TrainingArguments(
            output_dir=folder, max_steps=1, save_strategy="no", report_to="none", disable_tqdm=True
        )
        collator = DataCollatorWithPadding(tokenizer)
        Trainer(model, settings, train_dataset=features, data_collator=collator, callbacks=[watch]).train()


SIDES: dict[str, Callable[[Path, Any], None]] = {"ours": ours, "hf": hf}


def serve(path: Path, side: str) -> None:
    turns.quiet()

    def turn() -> dict[str, float]:
        watch, start = clock(), time.perf_counter()
        SIDES[side](path, watch)
        return {"begin": watch.first - start}

    turns.serve(turn)


def commands() -> dict[str, float]:
    """Seconds of each command beyond a Python that does nothing, medians of turns."""
    took: dict[str, list[float]] = {name: [] for name in ("bare", *COMMANDS)}
    for _ in range(REPEATS):
        for name, arguments in (("bare", ("-c", "")), *COMMANDS.items()):
            start = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
            took[name].append(time.perf_counter() - start)
    return {name: round(median(took[name]) - median(took["bare"]), 3) for name in COMMANDS}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.start", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=2, help="pairs")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--serve", nargs=2, metavar=("FILE", "SIDE"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.serve:
        serve(Path(options.serve[0]), options.serve[1])
        return 0
    seconds = commands()
    for name, took in seconds.items():
        print(f"{name}: {took:.3f} s; goal {GOALS[name]} s {'met' if took <= GOALS[name] else 'NOT met'}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="tunesmith-bench-"))
    try:
        memory.table(folder / "rows.csv", options.rows)
        sides = {side: ("bench.start", "--serve", str(folder / "rows.csv"), side) for side in SIDES}
        told = turns.take(sides, options.rounds)
    finally:
        shutil.rmtree(folder)
    found = {
        "what": "first step",
        "load": f"{options.rows:,} rows",
        "peer": "hf",
        "ratios": {"call": turns.spread(each["hf"]["begin"] / each["ours"]["begin"] for each in told)},
        "seconds": {side: round(median(each[side]["begin"] for each in told), 3) for side in SIDES},
        "peak_ratio": round(told[-1]["ours"]["peak"] / told[-1]["hf"]["peak"], 3),
        "commands": seconds,
        **records.circumstances(),
    }
    records.append(found, options.results)
    print(f"first step on {options.rows:,} rows beside hf: {turns.said(found['ratios']['call'])}; {found['seconds']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
