"""An adapter finds its own base again: from another working folder, after a move, of the revision it was trained on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
import torch

import tiny
import tunesmith
from tunesmith.errors import ArtifactError

ROWS = [{"text": text, "label": "ab"[place % 2]} for place, text in enumerate(tiny.TEXTS)]
PLAIN = [{"text": text} for text in tiny.TEXTS]
QUICK: dict[str, Any] = {"max_steps": 2, "learning_rate": 1e-2, "disable_tqdm": True, "seed": 0}


def logits(run: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = run.model(**run.tokenizer("a good book", return_tensors="pt")).logits
    return found


def on_hub(cache: Path, name: str, **revisions: str) -> None:
    """A repository as the hub's cache holds it: each revision with the files of a folder."""
    repository = cache / f"models--{name.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    for place, (revision, folder) in enumerate(revisions.items()):
        commit = f"{place}" * 40
        shutil.copytree(folder, repository / "snapshots" / commit)
        (repository / "refs" / revision).write_text(commit)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    first, second = tiny.bert(tmp_path / "first", seed=1), tiny.bert(tmp_path / "second", seed=2)
    on_hub(tmp_path / "cache", "me/base", old=first, main=second)
    return tmp_path / "cache"


@pytest.mark.parametrize("task", ["text-classification", "token-detection"])
def test_an_adapter_is_not_written_over_its_base(tmp_path: Path, task: str) -> None:
    rows = [{"text": text, "label": str(place % 2)} for place, text in enumerate(tiny.TEXTS[:6])]
    base = tiny.bert(tmp_path / "base")
    whole = tunesmith.train(rows, task=task, base=base, output_dir=tmp_path / "model", max_steps=1)
    before = {file: file.read_bytes() for file in (tmp_path / "model").rglob("*.safetensors")}
    with pytest.raises(ArtifactError, match="holds the base that the adapter needs: take another output_dir"):
        tunesmith.train(rows, task=task, base=whole.folder.path, output_dir=tmp_path / "model", lora=True, max_steps=1)
    apart = tunesmith.train(rows, task=task, base=whole.folder.path, output_dir=tmp_path / "b", lora=True, max_steps=1)
    with pytest.raises(ArtifactError, match="holds the base that the adapter needs"):
        apart.save(tmp_path / "model")
    assert {file: file.read_bytes() for file in (tmp_path / "model").rglob("*.safetensors")} == before


def test_an_adapter_is_opened_on_the_revision_of_its_base(cache: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = tunesmith.train(ROWS, base="me/base", output_dir=out, lora=True, model_args={"revision": "old"}, **QUICK)
    assert json.loads((out / "adapter_config.json").read_text())["revision"] == "old"
    assert torch.allclose(logits(tunesmith.load(out)), logits(run), atol=1e-6)
    other = tunesmith.load(out, model_args={"revision": "main"})
    assert not torch.allclose(logits(other), logits(run), atol=1e-3)


def test_a_teacher_has_no_part_in_the_bases_revision(cache: Path, tmp_path: Path) -> None:
    tunesmith.train(ROWS, base="me/base", output_dir=tmp_path / "taught", **QUICK)
    on_hub(cache, "me/teacher", main=str(tmp_path / "taught"))
    named = {"base": "me/base", "teacher": "me/teacher", "model_args": {"revision": "old"}}
    assert tunesmith.train(ROWS, **named, **QUICK).history


@pytest.mark.parametrize("task", ["text-classification", "token-detection"])
def test_an_adapter_finds_a_base_that_was_named_from_another_folder_and_one_that_moved_with_it(
    task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    family = tiny.bert if task == "text-classification" else tiny.electra
    family(project / "base")
    monkeypatch.chdir(project)
    rows = ROWS if task == "text-classification" else PLAIN
    run = tunesmith.train(rows, base="base", task=task, output_dir="out", lora=True, **QUICK)
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert torch.allclose(logits(tunesmith.load(project / "out")), logits(run), atol=1e-6)
    shutil.move(project, tmp_path / "moved")
    again = tunesmith.load(tmp_path / "moved" / "out")
    assert torch.allclose(logits(again), logits(run), atol=1e-6)
    again.save(tmp_path / "moved" / "copy")
    assert torch.allclose(logits(tunesmith.load(tmp_path / "moved" / "copy")), logits(run), atol=1e-6)
