"""Models whose tokenizer and positions know no limit (T5): nothing is cut, and what is written ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import tiny
import tunesmith
from tunesmith.training import sequences

ROWS: dict[str, list[dict[str, Any]]] = {
    "text-classification": [{"text": text, "label": "ab"[place % 2]} for place, text in enumerate(tiny.TEXTS)],
    "token-classification": [{"tokens": t.split(), "tags": ["O"] * len(t.split())} for t in tiny.TEXTS],
    "question-answering": [{"question": "what", "context": t, "answers": t.split()[0]} for t in tiny.TEXTS],
}


ONE = {"max_steps": 1, "per_device_train_batch_size": 1, "train_sampling_strategy": "sequential"}  # the first row
CHUNKED = ("token-classification", "question-answering")  # a long text becomes chunks: nothing is lost


def truncated(run: tunesmith.Run) -> list[int]:
    """The rows of which some tokens did not fit."""
    return [int(row) for row in run.folder.read_json("audit.json")["train"]["truncated"]]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny.t5(tmp_path_factory.mktemp("t5"))


@pytest.mark.parametrize("task", ROWS)
def test_a_long_text_is_read_whole(base: str, task: str, tmp_path: Path) -> None:
    rows = ROWS[task]
    long = {**rows[0], **{key: value * 100 for key, value in rows[0].items() if key in ("text", "tokens", "tags")}}
    run = tunesmith.train([long, *rows], base=base, task=task, output_dir=tmp_path / "whole", **ONE)
    assert truncated(run) == []
    cut = tunesmith.train([long, *rows], base=base, task=task, maxlength=64, output_dir=tmp_path / "cut", **ONE)
    assert truncated(cut) == ([] if task in CHUNKED else [0])


def test_a_model_that_never_ends_stops_at_twice_its_longest_target(base: str) -> None:
    rows = [{"source": text, "target": text} for text in tiny.TEXTS]
    run = tunesmith.train(rows, base=base, task="sequence-sequence", max_steps=1, learning_rate=0)
    tokens = run.tokenizer([run.predict(["the phone"])[0].text or ""], add_special_tokens=False).input_ids[0]
    assert len(tokens) <= sequences.SHORTEST
    (inputs,) = (run.tokenizer(["the phone"], return_tensors="pt"),)
    assert run.model.generate(**inputs, max_new_tokens=60).shape[1] == 61, "by itself it goes on"
