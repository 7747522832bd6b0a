"""A framework of ours beside its library used directly."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import frameworks, libraries
from bench.frameworks import LOADS, Load, few, first, line, mean, run_side
from bench.reading import Rows

WORDS = (("good", "a"), ("bad", "b"))
TRAIN = [{"text": f"{word} {i} row", "label": label} for i in range(20) for word, label in WORDS]
ROWS = Rows(TRAIN, [{"text": "a good one", "label": "a"}, {"text": "so bad", "label": "b"}], ("a", "b"))


def test_every_draw_has_as_many_rows_of_each_class_and_other_ones() -> None:
    first, second = (few(lambda _: ROWS, 3)(Path(), draw) for draw in (0, 1))
    assert Counter(row["label"] for row in first.train) == {"a": 3, "b": 3}
    assert first.train != second.train
    assert first.test == ROWS.test
    assert first.fingerprint() == few(lambda _: ROWS, 3)(Path(), 0).fingerprint()


def test_the_first_rows_of_both_parts_are_the_same_for_every_draw() -> None:
    found = first(lambda _: ROWS, 1)(Path(), 3)
    assert (found.train, found.test, found.labels) == (TRAIN[:1], ROWS.test[:1], ROWS.labels)


def test_the_mean_over_draws_is_taken_resample_by_resample() -> None:
    weights = np.array([[1.0, 1.0], [2.0, 0.0]])
    found = mean([lambda w: w[:, 0], lambda w: w[:, 1]])(weights)
    assert found.tolist() == [1.0, 1.0]


def test_both_sides_of_the_baseline_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libraries, "minilm", lambda: "")
    own = LOADS["baseline-sst2"]
    load = Load("x", "baseline", "single", lambda *_: ROWS, own.library, own.settings, {}, own.imports)
    told = {side: run_side(load, side, 0) for side in frameworks.SIDES}
    assert told["ours"]["predictions"] == told["library"]["predictions"] == ["a", "b"]
    assert told["ours"]["rows"] == ROWS.fingerprint()
    assert 0 < told["ours"]["seconds"] <= told["ours"]["call_seconds"]
    assert told["library"]["bytes"] > 0


def test_a_record_tells_what_is_lower_and_what_is_slower(monkeypatch: pytest.MonkeyPatch) -> None:
    def side(load: Load, side: str, draw: int) -> dict[str, Any]:
        wrong = side == "ours"
        figures = dict.fromkeys(("predicted_a_second", "bytes", "peak_bytes", "call_seconds", "cpu_seconds"), 1)
        predicted = ["b" if wrong else row["label"] for row in TRAIN]
        return {"rows": rows.fingerprint(), "seconds": 2 if wrong else 1, "predictions": predicted, **figures}

    rows = Rows(TRAIN, TRAIN, ("a", "b"))
    monkeypatch.setattr(frameworks, "in_process", side)
    load = Load("x", "baseline", "single", lambda *_: rows, libraries.scikit_learn, {}, {}, ())
    record = frameworks.compare(load, 2)
    assert json.loads(json.dumps(record))["ours"] == 0.5
    assert record["lower"]
    assert "accuracy ours 0.5000, library 1.0000, difference -0.5000" in line(record)
    assert line(record).endswith("LOWER SLOWER")
