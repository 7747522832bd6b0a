"""Both sides of a race of prediction read one folder and tell the same; how far they agree is counted."""

from __future__ import annotations

from typing import Any

import pytest

import tunesmith
from bench import prediction
from bench.workloads import WORKLOADS
from tiny import TEXTS, bert

TEXTS_OF_TWO = [{"text": text, "label": "xy"[i % 2]} for i, text in enumerate(TEXTS)]
PAIRS = [{"sentence1": text, "sentence2": TEXTS[0], "score": i % 5 + 0.5} for i, text in enumerate(TEXTS)]


@pytest.mark.parametrize(("peer", "rows"), [("hf-pipeline", TEXTS_OF_TWO), ("cross-encoder", PAIRS)])
def test_a_peer_predicts_what_we_predict(peer: str, rows: list[dict[str, Any]], tmp_path) -> None:
    race = prediction.RACES[peer]
    columns = WORKLOADS[race.load].columns
    base = bert(tmp_path / "base")
    settings = {"columns": columns, "num_train_epochs": 30, "learning_rate": 1e-2, "cache": False}
    tunesmith.train(rows, base=base, output_dir=str(tmp_path / "run"), **settings)
    inputs = [race.read(row) for row in rows]
    mine, theirs = (side(str(tmp_path / "run"))(inputs) for side in (prediction.ours, race.theirs))
    assert len(mine) == len(rows)
    assert len(set(mine)) > 1
    found = prediction.agreement(mine, theirs)
    assert found.get("equal_labels", 1) == 1
    assert found.get("largest_difference", 0) < 1e-5


def test_agreement_is_of_labels_or_of_numbers() -> None:
    assert prediction.agreement(["a", "b", "b", "a"], ["a", "b", "a", "a"]) == {"equal_labels": 0.75}
    assert prediction.agreement([1.0, 2.0], [1.5, 1.75]) == {"largest_difference": 0.5}
    with pytest.raises(ValueError, match="shorter"):
        prediction.agreement([1.0, 2.0], [1.5])


def test_a_race_is_told_with_its_goal_where_it_has_one() -> None:
    ratio = {"median": 3.0, "min": 2.0, "max": 4.0}
    found = {"load": "sst2", "peer": "hf-pipeline", "rows": 9, "ratios": {"call": ratio}, "peak_ratio": 1.25}
    goal = {"of": "call", "ratio": 4.0, "met": False}
    assert prediction.said({**found, "equal_labels": 0.5, "goal": goal}) == (
        "prediction of 9 rows of sst2 beside hf-pipeline: "
        "x3.00 (2.00 to 4.00); goal x4.0 NOT met; memory x1.25; 50.00% equal labels"
    )
    assert prediction.said({**found, "largest_difference": 2e-7}).endswith("memory x1.25; numbers within 2e-07")
