"""Adapters and quantization: settings, what is trained and saved, equal logits after reload and merge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import tiny
import tunesmith
from tunesmith.errors import ConfigError, NotInstalled, UnknownSetting
from tunesmith.training import adapters, quantization

DATA: dict[str, list[dict[str, Any]]] = {
    "text-classification": [{"text": "a good book", "label": "up"}, {"text": "a bad film", "label": "down"}] * 4,
    "token-classification": [{"tokens": ["Anna", "wrote"], "tags": ["B-PER", "O"]}] * 4,
    "question-answering": [{"question": "who", "context": "Anna wrote", "answers": "Anna"}] * 4,
    "sequence-sequence": [{"source": "a man", "target": "two dogs"}] * 4,
    "language-generation": [{"text": "a good book about the old town"}] * 4,
    "language-modeling": [{"text": "a good book about the old town"}] * 4,
}
BUILD = {"sequence-sequence": tiny.t5, "language-generation": tiny.gpt2}
QUICK: dict[str, Any] = {"num_train_epochs": 2, "learning_rate": 1e-2, "disable_tqdm": True, "seed": 0}
LONGER = QUICK | {"num_train_epochs": 15}


def logits(model: Any, tokenizer: Any) -> torch.Tensor:
    inputs = dict(tokenizer("a good book", return_tensors="pt"))
    if getattr(model.config, "is_encoder_decoder", False):
        inputs["decoder_input_ids"] = torch.tensor([[0, 5]])
    with torch.no_grad():
        found = model(**inputs)
    return found.start_logits if "start_logits" in found else found.logits


def test_the_framework_peft_trains_an_adapter(tmp_path: Path) -> None:
    base, out = tiny.bert(tmp_path / "base"), tmp_path / "out"
    tunesmith.train(DATA["text-classification"], base=base, framework="peft", output_dir=str(out), **QUICK)
    assert {path.name for path in out.glob("*.safetensors")} == {"adapter_model.safetensors"}


@pytest.mark.parametrize("task", list(DATA))
def test_an_adapter_of_every_task_reloads_and_merges_to_equal_logits(task: str, tmp_path: Path) -> None:
    base = BUILD.get(task, tiny.bert)(tmp_path / "base")
    out = tmp_path / "out"
    run = tunesmith.train(DATA[task], base=base, task=task, lora=True, output_dir=str(out), **QUICK)
    expected = logits(run.model, run.tokenizer)
    plain = tunesmith.train(DATA[task], base=base, task=task, num_train_epochs=0, disable_tqdm=True, seed=0)
    assert not torch.allclose(expected, logits(plain.model, plain.tokenizer), atol=1e-4), "the adapter learned nothing"
    assert {path.name for path in out.glob("*.safetensors")} == {"adapter_model.safetensors"}
    again = tunesmith.load(out)
    assert torch.allclose(expected, logits(again.model, again.tokenizer), atol=1e-6)
    merged = again.merge_adapter()
    assert not hasattr(merged.model, "peft_config") or not merged.model.peft_config
    assert torch.allclose(expected, logits(merged.model, merged.tokenizer), atol=1e-5)


def test_the_callers_mapping_is_not_changed() -> None:
    given = {"r": 4, "target_modules": ["query"]}
    config = adapters.lora_config("text-classification", given)
    assert given == {"r": 4, "target_modules": ["query"]}
    assert config.r == 4
    assert config.task_type == "SEQ_CLS"


def test_the_defaults_are_those_of_the_documentation() -> None:
    config = adapters.lora_config("language-generation", True)
    assert (config.r, config.lora_alpha, config.target_modules, config.lora_dropout) == (16, 8, "all-linear", 0.05)


@pytest.mark.parametrize("off", [None, False, {}])
def test_an_empty_setting_is_no_adapter_and_no_quantization(off: Any) -> None:
    assert adapters.lora_config("text-classification", off) is None
    assert quantization.config(off) is None


def test_an_unknown_key_names_the_nearest() -> None:
    with pytest.raises(UnknownSetting, match="lora_alpha"):
        adapters.lora_config("text-classification", {"lora_alfa": 8})
    with pytest.raises(ConfigError, match="LoraConfig"):
        adapters.lora_config("text-classification", "yes")


def test_a_missing_peft_is_an_import_error_with_the_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(NotInstalled, match=r"pip install 'tunesmith\[peft\]'") as raised:
        tunesmith.HFTrainer()(None, None, lora=True)
    assert isinstance(raised.value, ImportError)


def test_quantization_defaults_to_double_nf4_with_bfloat16_and_is_left_out_without_a_gpu(
    caplog: pytest.LogCaptureFixture,
) -> None:
    config = quantization.config(True)
    assert config.load_in_4bit
    assert config.bnb_4bit_quant_type == "nf4"
    assert config.bnb_4bit_use_double_quant
    assert config.bnb_4bit_compute_dtype == torch.bfloat16
    if not torch.cuda.is_available():
        assert quantization.for_this_machine(True) is None
        assert "quantize='always'" in caplog.text


@pytest.mark.parametrize("quantize", ["always", {"load_in_8bit": True, "always": True}], ids=["nf4", "int8"])
def test_a_quantized_base_trains_an_adapter_on_a_cpu_with_its_head_in_floating_point(
    quantize: Any, tmp_path: Path
) -> None:
    pytest.importorskip("bitsandbytes")
    base = tiny.bert(tmp_path, hidden_size=64, intermediate_size=128)
    run = tunesmith.train(DATA["text-classification"], base=base, lora=True, quantize=quantize, **LONGER)
    kinds = {name: value.dtype for name, value in run.model.named_parameters()}
    assert any(kind in (torch.uint8, torch.int8) for kind in kinds.values()), "nothing was quantized"
    assert all(kind.is_floating_point for name, kind in kinds.items() if "classifier" in name)
    assert [prediction.label for prediction in run.predict(["a good book", "a bad film"])] == ["up", "down"]
