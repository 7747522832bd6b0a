"""AutoTrain in its worker: what it leaves decides, and is an ordinary model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import small_tasks
import tiny
import tunesmith
from tunesmith import Run
from tunesmith.errors import TrainingFailed, UnsupportedTask

pytestmark = [pytest.mark.workers, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def base(tmp_path_factory: Any) -> str:
    return tiny.bert(tmp_path_factory.mktemp("base"), max_positions=40)


def fit(base: str, rows: Any, **settings: Any) -> Run:
    given = {"epochs": 1, "logging_steps": 1, "max_seq_length": 128, **settings}
    return tunesmith.train(rows, framework="autotrain", base=base, seed=1, **given)


def test_what_is_left_is_an_ordinary_model_with_its_tokenizer_and_real_labels(base: str, tmp_path: Path) -> None:
    from transformers import pipeline

    rows, held = small_tasks.classes()
    notes: list[str] = []
    run = fit(
        base,
        rows[:16],
        validation=[row for row in held if row["label"] == "ham"],
        output_dir=tmp_path,
        listener=lambda kind, values: notes.append(str(values.get("text"))),
    )
    assert "autotrain does not look at the validation rows: they have no row of spam" in notes
    assert [entry["step"] for entry in run.history] == [1, 2]
    assert run.framework_model.kept["maxlength"] == 40  # what the model has room for
    found = pipeline("text-classification", model=str(tmp_path), top_k=None)("a free prize")[0]
    ours = run.predict(["a free prize"])[0]
    assert {each["label"]: pytest.approx(each["score"], abs=1e-5) for each in found} == ours.scores
    assert not list(tmp_path.glob("*.bin"))


def test_a_training_that_failed_is_told_by_what_it_left_not_by_its_exit_code(base: str) -> None:
    with pytest.raises(TrainingFailed, match=r"it left no model: .*no-such-optimizer"):
        fit(base, small_tasks.classes()[0][:8], optimizer="no-such-optimizer")


def test_texts_with_spans_are_tagged_by_words(base: str) -> None:
    rows = [{"text": f"{name} lives here", "spans": [[0, len(name), "PER"]]} for name in ("Anna", "Maria", "Li")]
    found = fit(base, rows, task="ner").predict(["Anna lives here"])[0]
    assert all(span.label == "PER" for span in found.spans)


def test_several_labels_and_numbers_are_refused_before_the_worker_starts(base: str) -> None:
    with pytest.raises(UnsupportedTask, match="of the kind 'multi', and it learns 'single'"):
        fit(base, small_tasks.several()[0])
    with pytest.raises(UnsupportedTask, match="of the kind 'regression'"):
        fit(base, [{"text": "a", "label": 0.5}, {"text": "b", "label": 1.5}], task="regression")
