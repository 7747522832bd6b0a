"""With its settings, tunesmith gives what transformers' `Trainer` gives: the same head, batches, steps and scores.

A new head of regression begins elsewhere (decision 0007): there the `Trainer` is given that head.
"""

from __future__ import annotations

from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, set_seed

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


def headed(base: str, folder: Path, rows: list[dict[str, Any]]) -> str:
    """The base with a head of regression as transformers draws it, but for its bias: the mean of the labels."""
    set_seed(3)
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1, problem_type="regression")
    torch.nn.init.constant_(model.classifier.bias, fmean(row["score"] for row in rows))
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(base).save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize("kind", ROWS)
def test_predictions_are_those_of_the_trainer_used_directly(tmp_path: Path, kind: str) -> None:
    task, rows, labels, columns = ROWS[kind]
    base = tiny.bert(tmp_path / "base")
    data = Rows(rows, rows, labels)
    load = Workload(kind, "equal", task, kind, lambda folder: data, SETTINGS, columns=columns)
    mine = ours(load, data, 3, base=base)
    theirs = peers.hf(load, data, 3, base=headed(base, tmp_path / "headed", rows) if kind == "regression" else base)
    if kind == "regression":
        np.testing.assert_allclose(mine, theirs, atol=1e-5)
    elif kind == "multi":
        assert [each["labels"] for each in mine] == [each["labels"] for each in theirs]
        np.testing.assert_allclose([each["scores"] for each in mine], [each["scores"] for each in theirs], atol=1e-5)
    else:
        assert mine == theirs
        assert len({str(each) for each in mine}) > 1, "nothing was learned: agreement says nothing"
