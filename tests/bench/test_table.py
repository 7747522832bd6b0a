"""The page of measurements says what the newest records say, and no more."""

from __future__ import annotations

from typing import Any

from bench import records, speed, table


def training(load: str, ratio: float) -> dict[str, Any]:
    spread = {"median": ratio, "min": ratio - 0.5, "max": ratio + 0.5}
    return {
        "what": "training",
        "load": load,
        "peer": "hf",
        "ratios": {"loop": spread, "call": spread},
        "peak_ratio": 0.9,
        "limit": {"share": 0.41},
    }


def comparison(seed: int, ours: float) -> dict[str, Any]:
    figures = {"ours": ours, "theirs": 0.8, "low": -0.01, "high": 0.02}
    found = {"what": "comparison", "load": "sst2-defaults", "peer": "tfidf", "seed": seed}
    return {**found, "metrics": {"macro_f1": figures}}


def test_the_newest_record_of_each_pair_is_told() -> None:
    text = table.page(
        [training("sst2", 2.0), training("stsb", 2.5), training("sst2", 3.0)],
        [comparison(0, 0.7), {"what": "run"}, comparison(1, 0.9), comparison(0, 0.85)],
    )
    lines = [line for line in text.splitlines() if line.startswith("|")]
    per_batch = "`Trainer`, padding per batch"
    assert f"| training, sst2 | {per_batch} | 3.00 (2.50 to 3.50) | 3.00 (2.50 to 3.50) | 0.90 | 41% |" in lines
    assert sum("sst2 | `Trainer`" in line for line in lines) == 1
    logistic = "TF-IDF with logistic regression"
    assert f"| sst2, defaults | {logistic} | 0 | macro f1 | 0.850, 0.800 | -0.010 to +0.020 |" in lines
    assert f"| sst2, defaults | {logistic} | 1 | macro f1 | 0.900, 0.800 | -0.010 to +0.020 |" in lines
    assert len(lines) == 2 * 2 + 2 + 2


def test_the_page_in_the_manual_is_that_of_the_results() -> None:
    made = table.page(records.read(speed.RESULTS), records.read(records.RESULTS))
    assert table.PAGE.read_text(encoding="utf-8") == made, "run `python -m bench.table`"
