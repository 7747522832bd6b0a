"""The native defaults with validation rows, for every task and kind of label: the best epoch is chosen and kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import tiny
import tunesmith
from tunesmith.errors import ConfigError

TEXTS = [*tiny.TEXTS] * 4
WORDS = [text.split() for text in TEXTS]
CASES: dict[str, tuple[str, str, list[dict[str, Any]], str]] = {
    "single": ("bert", "text-classification", [{"text": t, "label": "ab"[n % 2]} for n, t in enumerate(TEXTS)], "f1"),
    "multi": (
        "bert",
        "text-classification",
        [{"text": t, "label": ["a"] if n % 2 else ["a", "b"]} for n, t in enumerate(TEXTS)],
        "f1",
    ),
    "regression": (
        "bert",
        "text-classification",
        [{"text": t, "label": tiny.TEXTS.index(t) / 2} for t in TEXTS],
        "pearson",
    ),
    "tags": (
        "bert",
        "token-classification",
        [{"tokens": w, "tags": ["B-X", *["O"] * (len(w) - 1)]} for w in WORDS],
        "f1",
    ),
    "answers": (
        "bert",
        "question-answering",
        [{"question": "what is great", "context": t, "answers": t.split()[0]} for t in TEXTS],
        "f1",
    ),
    "pairs": ("t5", "sequence-sequence", [{"source": t, "target": t} for t in TEXTS], "bleu"),
    "generation": ("gpt2", "language-generation", [{"text": t} for t in TEXTS], "loss"),
    "masked": ("bert", "language-modeling", [{"text": t} for t in TEXTS], "loss"),
    "detection": ("bert", "token-detection", [{"text": t} for t in TEXTS], "roc_auc"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_best_epoch_by_the_tasks_own_metric_is_the_one_that_is_kept(tmp_path: Path, case: str) -> None:
    family, task, rows, metric = CASES[case]
    base = getattr(tiny, family)(tmp_path / "base")
    run = tunesmith.train(rows, base=base, task=task, validation=0.25, num_train_epochs=2, learning_rate=1e-3)
    logged = [entry[f"eval_{metric}"] for entry in run.history if f"eval_{metric}" in entry]
    assert len(logged) == 3, "one of each epoch, and one of the model that was kept"
    best = min(logged[:2]) if metric == "loss" else max(logged[:2])
    assert logged[2] == pytest.approx(best, abs=1e-6)
    assert run.metrics["validation"][metric] == pytest.approx(best, abs=1e-6)


@pytest.mark.parametrize(
    "named",
    [
        {"save_strategy": "no"},
        {"save_strategy": "steps", "save_steps": 3},
        {"load_best_model_at_end": False},
        {"eval_strategy": "no"},
        {"eval_strategy": "steps", "eval_steps": 3},
        {"load_best_model_at_end": False, "early_stopping": 1},
        {"save_strategy": "no", "early_stopping": 1},
    ],
)
def test_what_the_user_names_of_evaluation_and_saving_wins(tmp_path: Path, named: dict[str, Any]) -> None:
    base = tiny.bert(tmp_path / "base")
    run = tunesmith.train(CASES["single"][2], base=base, validation=0.25, num_train_epochs=2, **named)
    evaluations = [entry["eval_f1"] for entry in run.history if "eval_f1" in entry]
    assert bool(evaluations[:-1]) == (named.get("eval_strategy") != "no")


def test_a_metric_that_no_evaluation_has_is_told(tmp_path: Path) -> None:
    base = tiny.bert(tmp_path / "base")
    with pytest.raises(ConfigError) as caught:
        tunesmith.train(CASES["single"][2], base=base, validation=0.25, metric_for_best_model="acuracy")
    assert "'metric_for_best_model' is 'acuracy'" in str(caught.value)
    assert "eval_accuracy" in str(caught.value)


@pytest.mark.parametrize(
    ("case", "metric"),
    [("regression", "mse"), ("regression", "eval_mae"), ("generation", "perplexity"), ("masked", "perplexity")],
)
def test_of_a_metric_that_is_better_the_less_there_is_the_least_is_kept(tmp_path: Path, case: str, metric: str) -> None:
    family, task, rows, _ = CASES[case]
    named = {"metric_for_best_model": metric, "num_train_epochs": 2, "learning_rate": 1e-3}
    run = tunesmith.train(rows, base=getattr(tiny, family)(tmp_path), task=task, validation=0.25, **named)
    key = f"eval_{metric.removeprefix('eval_')}"
    first, second, kept = (entry[key] for entry in run.history if key in entry)
    assert first != pytest.approx(second, abs=1e-4), "both epochs are as good: nothing is chosen"
    assert kept == pytest.approx(min(first, second), abs=1e-6)


def test_early_stopping_without_evaluations_is_refused(tmp_path: Path) -> None:
    base = tiny.bert(tmp_path / "base")
    with pytest.raises(
        ConfigError, match="'early_stopping' is 2: expected evaluations to watch: eval_strategy 'epoch'"
    ):
        tunesmith.train(CASES["single"][2], base=base, validation=0.25, early_stopping=2, eval_strategy="no")


@pytest.mark.parametrize("defaults", ["tuned", "transformers"])
def test_checkpoints_of_the_best_are_those_of_the_tasks_own_metric(tmp_path: Path, defaults: str) -> None:
    out, base = tmp_path / "out", tiny.bert(tmp_path / "base")
    named: dict[str, Any] = {"base": base, "save_strategy": "best", "num_train_epochs": 2, "learning_rate": 1e-2}
    run = tunesmith.train(CASES["single"][2], **named, validation=0.25, output_dir=out, defaults=defaults)
    best = max(entry["eval_f1"] for entry in run.history if "eval_f1" in entry)
    states = [json.loads(path.read_text()) for path in out.glob("checkpoint-*/trainer_state.json")]
    assert max(state["best_metric"] for state in states) == pytest.approx(best)
    for more in ({}, {"validation": 0.25, "eval_strategy": "no"}):
        with pytest.raises(ConfigError, match=r"'save_strategy' is 'best': expected (validation rows|eval.*) to watch"):
            tunesmith.train(CASES["single"][2], **named, **more)
