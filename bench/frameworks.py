"""Our run of a framework beside its library used directly: the same rows, the same settings, both scored by one code.

    python -m bench.frameworks --only setfit-sst2,setfit-trec6 --draws 5

Each side of each draw is a process of its own. Its libraries are imported before the clock starts. `seconds` are those
of training: on our side from the account of rows to the trained model. `call_seconds` are those of all of it, and
`cpu_seconds` those that the processor worked for it: they are to be read where others use the machine. A line marked
LOWER is a score below the library's beyond the 95% interval of the paired bootstrap; SLOWER, more seconds of training.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from . import libraries, records, scores
from .libraries import Fitted
from .reading import DATA_SEED, ROOT, Row, Rows, banking77, conll2003, data_folder, sst2, trec6
from .scores import Floats, Metric
from .workloads import gold

RESULTS = ROOT / "bench" / "results" / "frameworks.jsonl"
SIDES = ("ours", "library")


@dataclass(frozen=True)
class Load:
    """One framework on one set of rows.

    read: the rows of a draw. library: the other side. settings: what both sides are told, by the library's names.
    ours: what tunesmith is told beside. imports: what is imported before the clock starts, on both sides.
    """

    name: str
    framework: str
    kind: str
    read: Callable[[Path, int], Rows]
    library: Callable[[Rows, Mapping[str, Any], int], Fitted]
    settings: Mapping[str, Any]
    ours: Mapping[str, Any]
    imports: tuple[str, ...]
    draws: int = 1
    task: str = "text-classification"


def few(read: Callable[[Path], Rows], each: int) -> Callable[[Path, int], Rows]:
    """So many training rows of every class, others for every draw; all held-out rows."""

    def drawn(folder: Path, draw: int) -> Rows:
        rows = read(folder)
        rng = np.random.default_rng([DATA_SEED, draw])
        found: list[Row] = []
        for label in rows.labels:
            members = [row for row in rows.train if row["label"] == label]
            found += [members[place] for place in rng.choice(len(members), each, replace=False)]
        return replace(rows, train=found)

    return drawn


def whole(read: Callable[[Path], Rows]) -> Callable[[Path, int], Rows]:
    return lambda folder, draw: read(folder)


def first(read: Callable[[Path], Rows], many: int) -> Callable[[Path, int], Rows]:
    """So many training rows, and as many that are held out."""

    def cut(folder: Path, draw: int) -> Rows:
        rows = read(folder)
        return replace(rows, train=rows.train[:many], test=rows.test[:many])

    return cut


_SETFIT = {"num_iterations": 20, "num_epochs": 1, "batch_size": 16, "body_learning_rate": 2e-5}
_ENCODERS = ("setfit", "sentence_transformers", "datasets", "tunesmith.frameworks.setfit_text")
_TFIDF = {"ngrams": 2, "C": 1.0, "max_iter": 1000}
_SCIKIT = ("sklearn.feature_extraction.text", "sklearn.linear_model", "tunesmith.frameworks.baseline_text")
_MINILM = {"base": "minilm"}
_SPANS = {  # on 200 sentences held back from training an entity F1 of 0.40; with a rate of 1e-3 nothing is found
    "model_max_length": 64,
    "marker_max_length": 64,
    "entity_max_length": 5,
    "num_train_epochs": 1,
    "per_device_train_batch_size": 2,
    "learning_rate": 3e-4,
    "warmup_ratio": 0.1,
}

LOADS: Mapping[str, Load] = {
    load.name: load
    for load in (
        *(
            Load(f"setfit-{name}", "setfit", "single", few(read, 8), libraries.setfit, _SETFIT, _MINILM, _ENCODERS, 5)
            for name, read in (("sst2", sst2), ("trec6", trec6))
        ),
        *(
            Load(f"baseline-{name}", "baseline", "single", whole(read), libraries.scikit_learn, _TFIDF, {}, _SCIKIT)
            for name, read in (("sst2", sst2), ("banking77", banking77))
        ),
        Load(
            "spacy-conll2003",
            "spacy",
            "tags",
            whole(conll2003),
            libraries.spacy_train,
            {"max_epochs": 5, "eval_frequency": 1000},
            {},
            ("spacy.cli.init_config", "spacy.cli.train", "tunesmith.frameworks.spacy", "torch"),
            task="token-classification",
        ),
        Load(
            "span-marker-conll2003",
            "span-marker",
            "tags",
            first(conll2003, 500),
            libraries.span_marker,
            _SPANS,
            _MINILM,
            ("tunesmith.frameworks.span_marker",),
            task="token-classification",
        ),
    )
}


def ours(load: Load, rows: Rows, seed: int) -> Fitted:
    """`tunesmith.api.train` and `run.predict`."""
    api = import_module("tunesmith.api")
    started: list[float] = []

    def heard(kind: str, values: Mapping[str, Any]) -> None:
        if kind == "note" and str(values["text"]).startswith("train: "):  # rows are read and counted
            started.append(time.perf_counter())

    told = {**load.settings, **load.ours, "task": load.task, "framework": load.framework, "seed": seed}
    run = api.train(list(rows.train), listener=heard, **told)
    seconds = time.perf_counter() - started[0]

    def predict(held: Sequence[Row]) -> list[Any]:
        tags = load.kind == "tags"
        found = run.predict([row["tokens"] if tags else row["text"] for row in held])
        return [list(each.tags or ()) if tags else each.label for each in found]

    return Fitted(predict, run.framework_model.save, seconds)


def run_side(load: Load, side: str, draw: int) -> dict[str, Any]:
    """Train and predict in this process: seconds, bytes on disk, predictions."""
    for name in ("tunesmith.api", *load.imports):
        import_module(name)
    libraries.minilm()  # its hashes are checked once, before the clock starts
    rows = load.read(data_folder(), draw)
    start, worked = time.perf_counter(), time.process_time()
    fitted = ours(load, rows, draw) if side == "ours" else load.library(rows, load.settings, draw)
    trained, worked = time.perf_counter(), time.process_time() - worked
    predicted = fitted.predict(rows.test)
    ended = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        fitted.save(Path(folder))
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    return {
        "rows": rows.fingerprint(),
        "seconds": fitted.seconds or trained - start,
        "call_seconds": trained - start,
        "cpu_seconds": worked,
        "predicted_a_second": len(rows.test) / (fitted.predict_seconds or ended - trained),
        "bytes": size,
        "peak_bytes": records.peak_bytes(),
        "predictions": predicted,
    }


def in_process(load: Load, side: str, draw: int) -> dict[str, Any]:
    """`run_side` in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        into = Path(folder, "told.json")
        words = ["--only", load.name, "--side", side, "--draw", str(draw), "--into", str(into)]
        subprocess.run([sys.executable, "-m", "bench.frameworks", *words], cwd=ROOT, check=True)
        told: dict[str, Any] = json.loads(into.read_text(encoding="utf-8"))
    return told


def mean(metrics: Sequence[Metric]) -> Metric:
    """The mean of a metric over draws; a resample draws the same held-out rows for all of them."""

    def averaged(weights: Floats) -> Floats:
        return np.asarray(np.mean([metric(weights) for metric in metrics], axis=0))

    return averaged


def compare(load: Load, draws: int) -> dict[str, Any]:
    """Both sides of every draw, and the record of what they showed."""
    told: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
    found: dict[str, list[Metric]] = {side: [] for side in SIDES}
    name, held = "", 0
    for draw in range(draws):
        rows = load.read(data_folder(), draw)
        real, held = gold(load.kind, rows.test), len(rows.test)
        for side in SIDES if draw % 2 else SIDES[::-1]:  # neither side is always first
            told[side].append(each := in_process(load, side, draw))
            if each["rows"] != rows.fingerprint():
                raise ValueError(f"{load.name}: the rows of draw {draw} are not the same on both sides")
            name, metric = next(iter(scores.metrics(load.kind, real, each["predictions"], rows.labels).items()))
            found[side].append(metric)
    difference = scores.compare({name: mean(found["ours"])}, {name: mean(found["library"])}, held)[name]
    figures = ("seconds", "call_seconds", "cpu_seconds", "predicted_a_second", "bytes", "peak_bytes")
    return {
        "what": "framework",
        "load": load.name,
        "draws": draws,
        "settings": dict(load.settings),
        "metric": name,
        **difference.to_dict(),
        **{key: {side: round(float(np.mean([t[key] for t in told[side]])), 2) for side in SIDES} for key in figures},
        **records.circumstances(),
    }


def line(record: Mapping[str, Any]) -> str:
    seconds, worked = record["seconds"], record["cpu_seconds"]
    marks = [" LOWER"] * record["lower"] + [" SLOWER"] * (seconds["ours"] > seconds["library"])
    return (
        f"{record['load']}: {record['metric']} ours {record['ours']:.4f}, library {record['theirs']:.4f}, "
        f"difference {record['difference']:+.4f} [{record['low']:+.4f}, {record['high']:+.4f}]; training "
        f"{seconds['ours']:.1f} s and {seconds['library']:.1f} s, processor "
        f"{worked['ours']:.1f} s and {worked['library']:.1f} s{''.join(marks)}"
    )


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(LOADS), help="names of work loads")
    parser.add_argument("--draws", type=int, help="in the place of a load's own number")
    parser.add_argument("--results", type=Path, default=RESULTS)
    for hidden in ("--side", "--draw", "--into"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    told = parser.parse_args(words)
    for name in told.only.split(","):
        load = LOADS[name]
        if told.side:
            Path(told.into).write_text(json.dumps(run_side(load, told.side, int(told.draw))), encoding="utf-8")
            continue
        record = compare(load, told.draws or load.draws)
        records.append(record, told.results)
        print(line(record), flush=True)


if __name__ == "__main__":
    main()
