"""A teacher asked once for each row: what it says is used in every epoch, and trains as if asked at each step."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import TrainerCallback

import tiny
from training_kit import classifier, equal, examples, trainer, weights
from tunesmith import api
from tunesmith.training import taught
from tunesmith.training.distillation import Teacher

ROWS = 12


class Stop(TrainerCallback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        control.should_training_stop = state.global_step >= self.step


def counted(place: Path) -> tuple[Teacher, list[int]]:
    """A teacher of other weights than the student's, and the rows it is asked for, call by call."""
    model = classifier(place)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(1.5)
    asked: list[int] = []
    model.register_forward_hook(lambda *told: asked.append(len(told[2].logits)))
    return Teacher(model, temperature=2.0, alpha=0.5), asked


def trained(place: Path, *, resume: bool = False, stop: int | None = None, **settings: Any) -> tuple[Any, list[int]]:
    """(the trainer after training, the rows its teacher was asked for)"""
    teacher, asked = counted(place / "teacher")
    named = {"num_train_epochs": 3, "learning_rate": 1e-2, "by_length": True, "per_device_eval_batch_size": 2}
    it = trainer(place, train=examples(ROWS), teacher=teacher, **named | settings)
    if stop is not None:
        it.add_callback(Stop(stop))
    it.train(resume_from_checkpoint=resume or None)
    return it, asked


def test_a_teacher_is_asked_once_for_each_row(tmp_path: Path) -> None:
    _, asked = trained(tmp_path)
    assert sum(asked) == ROWS


def test_a_teacher_whose_answers_are_not_needed_again_is_asked_step_by_step(tmp_path: Path) -> None:
    _, asked = trained(tmp_path / "one", num_train_epochs=1)
    assert asked == [2] * 6
    _, asked = trained(tmp_path / "steps", max_steps=4)
    assert asked == [2] * 4


def test_answers_over_the_limit_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taught, "LIMIT", ROWS * 3 * 4 - 1)
    _, asked = trained(tmp_path)
    assert sum(asked) == 2 + 3 * ROWS, "the first batch tells how many labels there are"
    monkeypatch.setattr(taught, "LIMIT", ROWS * 3 * 4)
    _, asked = trained(tmp_path / "fits")
    assert sum(asked) == ROWS


def test_weights_and_losses_are_those_of_a_teacher_asked_at_each_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To rounding: the teacher reads a row beside other rows, padded to another length.

    With Adam's own epsilon the biases of keys, which have no gradient but rounding, would move by it.
    """
    once, _ = trained(tmp_path / "once", adam_epsilon=1e-3)
    monkeypatch.setattr(taught, "LIMIT", 0)
    anew, _ = trained(tmp_path / "anew", adam_epsilon=1e-3)
    losses = [[entry["loss"] for entry in each.state.log_history if "loss" in entry] for each in (once, anew)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)
    before, after = weights(once.model), weights(anew.model)
    assert all(torch.allclose(before[name], after[name], atol=1e-5) for name in before)


def test_rows_that_the_teacher_reads_alone_train_to_the_same_weights_bit_for_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside another row they need not: some processors round the rows of a product differently."""
    alone = {"per_device_train_batch_size": 1, "per_device_eval_batch_size": 1}
    once, _ = trained(tmp_path / "once", **alone)
    monkeypatch.setattr(taught, "LIMIT", 0)
    anew, _ = trained(tmp_path / "anew", **alone)
    assert equal(weights(once.model), weights(anew.model))


def test_a_resumed_run_has_the_weights_of_the_uninterrupted_one(tmp_path: Path) -> None:
    whole, _ = trained(tmp_path / "whole", save_strategy="steps", save_steps=4)
    trained(tmp_path / "cut", save_strategy="steps", save_steps=4, stop=8)
    resumed, asked = trained(tmp_path / "cut", save_strategy="steps", save_steps=4, resume=True)
    assert resumed.state.global_step == 18
    assert sum(asked) == ROWS
    assert equal(weights(resumed.model), weights(whole.model))


def test_the_training_data_and_the_folder_are_as_before(tmp_path: Path) -> None:
    it, _ = trained(tmp_path)
    assert taught.PLACE not in it.train_dataset.column_names
    assert it.taught is None


@pytest.mark.parametrize("side", ["right", "left"])
def test_logits_of_tokens_come_back_where_they_were_whatever_the_padding(side: str) -> None:
    values = np.arange(10, dtype=np.float32).reshape(5, 2)
    known = taught.Taught(values, np.array([0, 3]), np.array([3, 2]))
    real = torch.tensor([[1, 1, 0, 0], [1, 0, 1, 1]], dtype=torch.bool)
    real = real.flip(1) if side == "left" else real
    found = known.logits(torch.tensor([1, 0]), real)
    assert found[real].tolist() == values[[3, 4, 0, 1, 2]].tolist()
    assert not found[~real].any()


def task_of(name: str, place: Path) -> dict[str, Any]:
    """Data, student and teacher of a task whose logits are of tokens."""
    texts = list(tiny.TEXTS)
    if name == "token-classification":
        data: Any = [
            {"tokens": text.split(), "tags": ["B-X" if len(word) > 4 else "O" for word in text.split()]}
            for text in texts
        ]
        api.train(data, base=tiny.bert(place / "base", seed=1), task=name, output_dir=place / "teacher", max_steps=1)
        return {"train": data, "base": tiny.bert(place / "student"), "teacher": str(place / "teacher")}
    if name == "sequence-sequence":
        data = [{"source": text, "target": text[::-1]} for text in texts]
        return {"train": data, "base": tiny.t5(place / "student"), "teacher": tiny.t5(place / "teacher", seed=1)}
    make, kind = (tiny.bert, {"model": "BertForMaskedLM"}) if name == "language-modeling" else (tiny.gpt2, {})
    base, teacher = make(place / "student", **kind), make(place / "teacher", seed=1, **kind)
    return {"train": [{"text": text} for text in texts], "base": base, "teacher": teacher, "merge": None}


@pytest.mark.parametrize(
    ("task", "known"),
    [
        ("token-classification", True),
        ("sequence-sequence", True),
        ("language-generation", True),
        ("language-modeling", False),  # other tokens are masked in each epoch
    ],
)
def test_tasks_of_tokens_learn_the_same_from_known_logits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str, known: bool
) -> None:
    settings = {**task_of(task, tmp_path), "task": task, "num_train_epochs": 2, "distillation": (2.0, 0.7)}
    notes: list[str] = []
    listener = lambda kind, values: notes.append(values["text"]) if kind == "note" else None  # noqa: E731
    once = api.train(**settings, listener=listener)
    assert any("the teacher's logits are computed once for all rows" in note for note in notes) == known
    monkeypatch.setattr(taught, "LIMIT", 0)
    before, after = weights(once.model), weights(api.train(**settings).model)
    assert all(torch.allclose(before[name], after[name], atol=2e-5) for name in before)


def test_targets_of_one_length_are_taught_at_every_token(tmp_path: Path) -> None:
    rows = [{"source": "ok", "target": "the film was good and it was long"}] * 8
    base, teacher = tiny.t5(tmp_path / "t5"), tiny.t5(tmp_path / "taught", seed=1)
    run = api.train(rows, base=base, teacher=teacher, task="sequence-sequence", num_train_epochs=2)
    assert run.framework_model.history[-1]["train_loss"] > 0


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="room on the disk cannot be asked for here")
def test_without_room_on_the_disk_the_teacher_is_asked_step_by_step(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        assert taught._reserve(tmp_path / "small", 1000)
        assert not taught._reserve(tmp_path / "large", 1001)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in tmp_path.iterdir()] == ["small"]
