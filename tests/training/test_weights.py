"""Weights that a base lacks: told in training, refused where they are the body's or where a trained model is opened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import tiny
import tunesmith
from tunesmith.errors import ArtifactError

ROWS = [{"text": "a good book", "label": "up"}, {"text": "a bad film", "label": "down"}] * 4
QUICK: dict[str, Any] = {"num_train_epochs": 1, "disable_tqdm": True, "seed": 0}
TASKS = ["text-classification", "token-classification", "question-answering", "language-modeling", "token-detection"]


def without(folder: str, part: str) -> str:
    file = Path(folder, "model.safetensors")
    kept = {name: value for name, value in load_file(file).items() if part not in name}
    save_file(kept, file, metadata={"format": "pt"})
    return folder


@pytest.mark.parametrize("task", TASKS)
def test_an_encoder_without_a_head_is_no_trained_model(task: str, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"lack.*(classifier|qa_outputs|cls)") as raised:
        tunesmith.load(tiny.bert(tmp_path), task=task)
    assert str(tmp_path) in str(raised.value)


def test_a_head_of_another_width_is_no_trained_model(tmp_path: Path) -> None:
    tunesmith.train(ROWS, base=tiny.bert(tmp_path / "base"), output_dir=str(tmp_path / "out"), **QUICK)
    file = tmp_path / "out" / "config.json"
    told = json.loads(file.read_text())
    told |= {"id2label": {"0": "a", "1": "b", "2": "c"}, "label2id": {"a": 0, "b": 1, "c": 2}}
    file.write_text(json.dumps(told))
    with pytest.raises(ArtifactError, match="classifier"):
        tunesmith.load(tmp_path / "out")


def test_new_modules_are_told_in_training(tmp_path: Path) -> None:
    notes: list[str] = []

    def listen(kind: str, values: Any) -> None:
        notes.extend([values["text"]] if kind == "note" else [])

    base = tiny.bert(tmp_path / "base", model="BertForMaskedLM")
    tunesmith.train(ROWS, base=base, output_dir=str(tmp_path / "out"), listener=listen, **QUICK)
    assert any(note.startswith("new: ") and "classifier" in note and "bert.pooler" in note for note in notes)
    notes.clear()
    tunesmith.train(ROWS, base=str(tmp_path / "out"), listener=listen, **QUICK)
    assert not [note for note in notes if note.startswith("new: ")]


@pytest.mark.parametrize("task", ["text-classification", "token-detection"])
def test_a_base_that_lacks_weights_of_its_body_is_not_trained(task: str, tmp_path: Path) -> None:
    base = without(tiny.bert(tmp_path), "layer.1.")
    with pytest.raises(ArtifactError, match=r"encoder\.layer\.1\."):
        tunesmith.train(ROWS, base=base, task=task, **QUICK)


@pytest.mark.parametrize("build", [tiny.gpt2, tiny.llama])
def test_tied_weights_are_not_missed(build: Any, tmp_path: Path) -> None:
    assert tunesmith.load(build(tmp_path), task="language-generation").model is not None


def test_tied_weights_of_encoders_and_pairs_are_not_missed(tmp_path: Path) -> None:
    masked = tiny.bert(tmp_path / "masked", model="BertForMaskedLM")
    assert tunesmith.load(masked, task="language-modeling").model is not None
    assert tunesmith.load(tiny.electra(tmp_path / "g", half="generator"), task="language-modeling").model is not None
    assert tunesmith.load(tiny.t5(tmp_path / "t5"), task="sequence-sequence").model is not None


def test_an_adapter_without_the_tasks_head_is_refused_as_a_base(tmp_path: Path) -> None:
    base = tiny.bert(tmp_path / "base", model="BertForMaskedLM")
    texts = [{"text": text} for text in tiny.TEXTS]
    out = tmp_path / "out"
    tunesmith.train(texts, base=base, task="language-modeling", lora=True, output_dir=str(out), **QUICK)
    with pytest.raises(ArtifactError, match="classifier"):
        tunesmith.train(ROWS, base=str(out), **QUICK)


@pytest.mark.parametrize("lora", [None, True])
def test_a_head_beside_the_parts_of_the_body_is_new_and_saved(lora: Any, tmp_path: Path) -> None:
    rows = [{"question": "who", "context": "Anna wrote", "answers": "Anna"}] * 4
    out = tmp_path / "out"
    run = tunesmith.train(
        rows, base=tiny.t5(tmp_path / "t5"), task="question-answering", lora=lora, output_dir=str(out), **QUICK
    )
    inputs = run.tokenizer("Anna wrote", return_tensors="pt")
    with torch.no_grad():
        expected, again = (model(**inputs).start_logits for model in (run.model, tunesmith.load(out).model))
    assert torch.allclose(expected, again, atol=1e-6)
