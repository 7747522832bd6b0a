"""With its settings, tunesmith gives what transformers' `Trainer` gives: the same head, batches, steps and scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tiny
from bench import peers
from bench.ours import ours
from bench.workloads import EQUAL, Rows, Workload

TEXTS = [*tiny.TEXTS] * 3
SETTINGS = {**EQUAL, "num_train_epochs": 12, "learning_rate": 3e-3, "train_sampling_strategy": "random"}
WORDS = [text.split() for text in TEXTS]
ROWS: dict[str, tuple[str, list[dict[str, Any]], tuple[str, ...], tuple[str, ...] | None]] = {
    "single": (
        "text-classification",
        [{"text": text, "label": "abc"[place % len(tiny.TEXTS) % 3]} for place, text in enumerate(TEXTS)],
        ("a", "b", "c"),
        None,
    ),
    "multi": (
        "text-classification",
        [{"text": text, "labels": ["a"] if place % 2 else ["a", "b"]} for place, text in enumerate(TEXTS)],
        ("a", "b"),
        None,
    ),
    "regression": (
        "text-classification",
        [{"sentence1": text, "sentence2": text[::-1], "score": place / 7} for place, text in enumerate(TEXTS)],
        (),
        ("sentence1", "sentence2", "score"),
    ),
    "tags": (
        "token-classification",
        [{"tokens": words, "tags": ["B-X", *["O"] * (len(words) - 1)]} for words in WORDS],
        ("B-X", "O"),
        None,
    ),
}


@pytest.mark.parametrize("kind", ROWS)
def test_predictions_are_those_of_the_trainer_used_directly(tmp_path: Path, kind: str) -> None:
    task, rows, labels, columns = ROWS[kind]
    base = tiny.bert(tmp_path / "base")
    data = Rows(rows, rows, labels)
    load = Workload(kind, "equal", task, kind, lambda folder: data, SETTINGS, columns=columns)
    mine, theirs = ours(load, data, 3, base=base), peers.hf(load, data, 3, base=base)
    if kind == "regression":
        np.testing.assert_allclose(mine, theirs, atol=1e-5)
    elif kind == "multi":
        assert [each["labels"] for each in mine] == [each["labels"] for each in theirs]
        np.testing.assert_allclose([each["scores"] for each in mine], [each["scores"] for each in theirs], atol=1e-5)
    else:
        assert mine == theirs
        assert len({str(each) for each in mine}) > 1, "nothing was learned: agreement says nothing"
