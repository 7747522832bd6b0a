"""Going on from a checkpoint: of the same rows and base, to the end that was asked for and no further."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import tiny
import tunesmith
from tunesmith.errors import ArtifactError

FIRST = [{"text": text, "label": "ab"[place % 2]} for place, text in enumerate(tiny.TEXTS)]
OTHER = [{"text": f"now {row['text']}", "label": row["label"]} for row in FIRST]
STEPS: dict[str, Any] = {
    "save_strategy": "steps",
    "save_steps": 2,
    "per_device_train_batch_size": 2,
    "learning_rate": 1e-3,
    "disable_tqdm": True,
}


@pytest.fixture
def base(tmp_path: Path) -> str:
    return tiny.bert(tmp_path / "base")


def told_of(rows: Any, **settings: Any) -> tuple[Any, list[str]]:
    """The run, and what was said of it."""
    told: list[str] = []

    def listen(kind: str, values: Any) -> None:
        if kind == "note":
            told.append(values["text"])

    return tunesmith.train(rows, listener=listen, **STEPS | settings), told


def interrupted(rows: Any, after: int, **settings: Any) -> None:
    def stop(kind: str, values: Any) -> None:
        if kind == "train" and values["step"] > after:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tunesmith.train(rows, listener=stop, logging_steps=1, **STEPS | settings)


def weights(run: Any) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in run.model.state_dict().items()}


def equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(first[name], value) for name, value in second.items())


def step_of(folder: Path) -> int:
    return int(json.loads((folder / "trainer_state.json").read_text())["global_step"])


def test_an_earlier_runs_checkpoint_of_other_rows_is_passed_over(
    base: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "out"
    tunesmith.train(FIRST, base=base, output_dir=out, max_steps=4, **STEPS)
    whole = tunesmith.train(OTHER, base=base, max_steps=6, **STEPS)
    interrupted(OTHER, 2, base=base, output_dir=out, max_steps=6)
    resumed, told = told_of(OTHER, base=base, output_dir=out, max_steps=6, checkpoint=True)
    assert f"going on from {out / 'checkpoint-2'}" in told
    assert "checkpoint-4 is passed over: it was trained on other training rows" in caplog.text
    assert equal(weights(whole), weights(resumed))


def test_where_all_checkpoints_are_another_runs_there_is_none_to_resume_from(base: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    tunesmith.train(FIRST, base=base, output_dir=out, max_steps=4, **STEPS)
    interrupted(OTHER, 0, base=base, output_dir=out, max_steps=6)
    with pytest.raises(ArtifactError, match="no checkpoint to resume from: those in it are broken, or another run's"):
        tunesmith.train(OTHER, base=base, output_dir=out, max_steps=6, checkpoint=True, **STEPS)
    larger = tiny.bert(tmp_path / "larger", seed=1)
    with pytest.raises(ArtifactError, match="no checkpoint to resume from: those in it are broken, or another run's"):
        tunesmith.train(FIRST, base=larger, output_dir=out, max_steps=6, checkpoint=True, **STEPS)


def test_a_checkpoint_of_other_rows_that_is_given_by_its_path_is_taken_and_told_of(base: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    tunesmith.train(FIRST, base=base, output_dir=out, max_steps=4, **STEPS)
    place = out / "checkpoint-4"
    _, told = told_of(OTHER, base=base, output_dir=tmp_path / "next", max_steps=6, checkpoint=str(place))
    assert f"going on from {place}; it was trained on other training rows" in told
    assert step_of(tmp_path / "next") == 6


def test_a_checkpoint_that_does_not_say_what_it_was_trained_on_is_resumed_from(base: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    tunesmith.train(FIRST, base=base, output_dir=out, max_steps=4, **STEPS)
    manifest = out / "checkpoint-4" / "manifest.json"
    told = json.loads(manifest.read_text())
    assert told.pop("made_of")["base"] == "base"
    manifest.write_text(json.dumps(told))
    _, notes = told_of(OTHER, base=base, output_dir=out, max_steps=6, checkpoint=True)
    assert f"going on from {out / 'checkpoint-4'}" in notes
    assert step_of(out) == 6


@pytest.mark.parametrize(
    "length",
    [{"max_steps": 2}, {"max_steps": 6}, {"num_train_epochs": 1.5}],
    ids=["within the first epoch", "within the second", "a share of an epoch"],
)
def test_a_run_that_has_all_its_steps_is_loaded_and_trained_no_further(
    base: str, tmp_path: Path, length: dict[str, Any]
) -> None:
    named = {"base": base, "output_dir": tmp_path / "out", "save_steps": 1, "lr_scheduler_type": "constant", **length}
    whole, _ = told_of(FIRST, **named)
    last = step_of(tmp_path / "out")
    assert last % 4, "an epoch of 7 rows has 4 steps, and the run ends within one"
    again, told = told_of(FIRST, **named, checkpoint=True)
    assert step_of(tmp_path / "out") == last
    assert "nothing was left to train: the checkpoint is of the last step" in told
    assert equal(weights(whole), weights(again))
    _, told = told_of(FIRST, **named | {"num_train_epochs": 1, "max_steps": 1}, checkpoint=True)
    assert step_of(tmp_path / "out") == last, "fewer steps than were trained: they are kept"
    more, _ = told_of(FIRST, **named | {"num_train_epochs": 1, "max_steps": last + 1}, checkpoint=True)
    assert step_of(tmp_path / "out") == last + 1
    assert not equal(weights(whole), weights(more))


def test_a_finished_run_that_is_resumed_keeps_its_best_epoch(base: str, tmp_path: Path) -> None:
    named = {"base": base, "output_dir": tmp_path / "out", "max_steps": 6, "validation": OTHER}
    named |= {"eval_strategy": "steps", "eval_steps": 2, "load_best_model_at_end": True, "save_total_limit": 3}
    whole, _ = told_of(FIRST, **named)
    again, _ = told_of(FIRST, **named, checkpoint=True)
    assert equal(weights(whole), weights(again))
    assert step_of(tmp_path / "out") == 6
