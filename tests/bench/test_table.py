"""The page of measurements says what the newest records say, and no more."""

from __future__ import annotations

from typing import Any

from bench import table


def training(load: str, ratio: float) -> dict[str, Any]:
    spread = {"median": ratio, "min": ratio - 0.5, "max": ratio + 0.5}
    return {
        "what": "training",
        "load": load,
        "peer": "hf",
        "ratios": {"loop": spread, "call": spread},
        "peak_ratio": 0.9,
        "limit": {"share": 0.41},
        "machine": {"cpu": "Some CPU"},
    }


def comparison(seed: int, ours: float) -> dict[str, Any]:
    figures = {"ours": ours, "theirs": 0.8, "low": -0.01, "high": 0.02}
    found = {"what": "comparison", "load": "sst2-defaults", "peer": "tfidf", "seed": seed}
    return {**found, "metrics": {"macro_f1": {**figures, "lower": False}}}


def stored(what: str, rate: int, database: str = "sqlite") -> dict[str, Any]:
    rates = {verb: {"clock": rate, "processor": 2 * rate} for verb in ("log", "load")}
    found = {"what": what, "database": database, "records": 100_000, "rates": rates}
    if what == "http":
        return {**found, "goal": {"log": 4_000, "load": 6_000}}
    pages = {"rare word": {"median": 7.5, "p95": 12.34, "processor": 6.0, "rows": 3}}
    goal = {"log": 12_000, "load": 40_000, "first_page_ms": 50.0}
    iterated = [{"records": 1_000_000, "peak_mb": 150.25}]
    return {**found, "many": 1_000_000, "goal": goal, "first_page_ms": pages, "iterate": iterated}


def test_the_newest_rates_pages_and_memory_of_the_record_store_are_told() -> None:
    text = table.page([], [], [stored("store", 9_000), stored("http", 5_000), stored("store", 15_000)])
    lines = [line for line in text.partition("## Records")[2].splitlines() if line.startswith("|")]
    assert "| log, SQLite | 100,000 | 12,000 | 15,000 | 30,000 |" in lines
    assert "| load, SQLite, by HTTP | 100,000 | 6,000 | 5,000 | 10,000 |" in lines
    assert "| rare word, SQLite | 1,000,000 | 50 | 7.5, 12.3 |" in lines
    assert "| 1,000,000, SQLite | 150.2 |" in lines
    assert len(lines) == 3 * 2 + 4 + 1 + 1
    beside = table.page([], [], [stored("store", 9_000), stored("store", 8_000, "postgresql")])
    assert "| log, PostgreSQL | 100,000 |  | 8,000 | 16,000 |" in beside  # the goals are those of the embedded store


def test_the_newest_record_of_each_pair_is_told() -> None:
    text = table.page(
        [training("sst2", 2.0), training("stsb", 2.5), training("sst2", 3.0)],
        [comparison(0, 0.7), {"what": "run"}, comparison(1, 0.9), comparison(0, 0.85)],
        [],
    )
    lines = [line for line in text.splitlines() if line.startswith("|")]
    per_batch = "`Trainer`, padding per batch"
    figures = "3.00 (2.50 to 3.50) | 3.00 (2.50 to 3.50) | 0.90 | 41% | Some CPU"
    assert f"| training, sst2 | {per_batch} | {figures} |" in lines
    assert sum("sst2 | `Trainer`" in line for line in lines) == 1
    logistic = "TF-IDF with logistic regression"
    assert f"| sst2, defaults | {logistic} | 0 | macro f1 | 0.850, 0.800 | -0.010 to +0.020 |" in lines
    assert f"| sst2, defaults | {logistic} | 1 | macro f1 | 0.900, 0.800 | -0.010 to +0.020 |" in lines
    assert len(lines) == 2 * 2 + 2 + 2


def test_a_metric_that_is_lower_is_told_wherever_it_stands() -> None:
    found = comparison(0, 0.7)
    figures = found["metrics"]["macro_f1"]
    found["metrics"] |= {"recall": figures, "precision": {**figures, "ours": 0.6, "lower": True}}
    lines = [line for line in table.page([], [found], []).splitlines() if line.startswith("| sst2")]
    assert len(lines) == 2
    assert "| precision | 0.600, 0.800 |" in lines[1]


def test_the_page_in_the_manual_is_that_of_the_results() -> None:
    assert table.PAGE.read_text(encoding="utf-8") == table.made(), "run `python -m bench.table`"


def test_the_newest_record_of_each_framework_is_told() -> None:
    def beside(load: str, ours: float) -> dict[str, Any]:
        pairs = ("seconds", 12.34), ("predicted_a_second", 2_000.0), ("bytes", 5e6)
        found = {
            "load": load,
            "draws": 5,
            "metric": "entity_f1",
            "ours": ours,
            "theirs": 0.8,
            "low": -0.01,
            "high": 0.02,
        }
        return {**found, **{name: {"ours": value, "library": 2 * value} for name, value in pairs}}

    text = table.page([], [], [], [beside("spacy", 0.7), beside("setfit", 0.6), beside("spacy", 0.81)])
    lines = [line for line in text.partition("## Frameworks")[2].splitlines() if line.startswith("| s")]
    figures = "12.3, 24.7 | 2,000, 4,000 | 5.0, 10.0 |"
    assert lines == [
        f"| spacy | 5 | entity f1 | 0.810, 0.800 | -0.010 to +0.020 | {figures}",
        f"| setfit | 5 | entity f1 | 0.600, 0.800 | -0.010 to +0.020 | {figures}",
    ]
