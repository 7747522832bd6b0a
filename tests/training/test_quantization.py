"""Quantization: what stays in floating point, and the settings that it does not go with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer, BitsAndBytesConfig

import tiny
import tunesmith
from tunesmith.data.labels import Labels
from tunesmith.errors import ConfigError
from tunesmith.training import weights
from tunesmith.training.bases import open_base

ROWS = [{"text": "a good book", "label": "up"}, {"text": "a bad film", "label": "down"}] * 4
PLAIN = [{"text": text} for text in tiny.TEXTS]
QUICK: dict[str, Any] = {"num_train_epochs": 1, "disable_tqdm": True, "seed": 0}
NF4 = {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}


def kinds(model: Any, *parts: str) -> set[torch.dtype]:
    return {value.dtype for name, value in model.named_parameters() if any(part in name for part in parts)}


@pytest.mark.parametrize("model", ["BertModel", "BertForMaskedLM"])
def test_a_masked_model_of_a_bert_base_keeps_its_head_in_floating_point(tmp_path: Path, model: str) -> None:
    pytest.importorskip("bitsandbytes")
    base = tiny.bert(tmp_path, model=model)
    run = tunesmith.train(PLAIN, base=base, task="language-modeling", lora=True, quantize="always", **QUICK)
    assert torch.uint8 in kinds(run.model, "attention")
    assert torch.uint8 not in kinds(run.model, "cls.")


def test_the_head_of_an_electra_generator_stays_in_floating_point(tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes")
    base = tiny.electra(tmp_path)
    run = tunesmith.train(PLAIN, base=base, task="language-modeling", lora=True, quantize="always", **QUICK)
    assert torch.uint8 in kinds(run.model, "attention")
    assert torch.uint8 not in kinds(run.model, "generator_predictions", "generator_lm_head")


def test_a_new_pooler_and_head_stay_in_floating_point(tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes")
    base = tiny.bert(tmp_path / "base", model="BertForMaskedLM")
    run = tunesmith.train(ROWS, base=base, lora=True, quantize={**NF4, "always": True}, **QUICK)
    assert torch.uint8 in kinds(run.model, "attention")
    assert torch.uint8 not in kinds(run.model, "pooler", "classifier")


def test_a_configuration_object_is_not_changed(tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes")
    given = BitsAndBytesConfig(**NF4)
    base = open_base(tiny.bert(tmp_path, model="BertForMaskedLM"), "text-classification")
    auto = "AutoModelForSequenceClassification"
    model, _ = weights.load(base, auto, Labels("single", ("a", "b")), classifies_text=True, quantization=given)
    assert given.llm_int8_skip_modules is None
    assert torch.uint8 not in kinds(model, "pooler", "classifier")


@pytest.mark.parametrize("quantize", [True, "always"])
def test_quantization_is_refused_before_training_where_it_cannot_be_honoured(tmp_path: Path, quantize: Any) -> None:
    base = tiny.bert(tmp_path)
    live = AutoModelForSequenceClassification.from_pretrained(base), AutoTokenizer.from_pretrained(base)
    unfit: list[tuple[str, dict[str, Any]]] = [
        ("a name or a path as base", {"base": live, "lora": True}),
        ("from_scratch", {"from_scratch": "bert-tiny"}),
        ("token-detection", {"base": base, "lora": True, "task": "token-detection"}),
    ]
    for told, settings in unfit:
        with pytest.raises(ConfigError, match=told) as raised:
            tunesmith.train(ROWS, quantize=quantize, **settings, **QUICK)
        assert raised.value.key == "quantize"


@pytest.mark.parametrize("quantize", [True, NF4, BitsAndBytesConfig(**NF4)], ids=["true", "mapping", "object"])
def test_without_a_gpu_all_weights_are_trained_and_it_is_told(
    tmp_path: Path, quantize: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    run = tunesmith.train(ROWS, base=tiny.bert(tmp_path), quantize=quantize, **QUICK)
    assert kinds(run.model, "") == {torch.float32}
    assert "quantize='always'" in caplog.text


@pytest.mark.parametrize(("quantize", "gpu"), [("always", False), ({**NF4, "always": True}, False), (True, True)])
def test_quantized_weights_are_not_trained_themselves(
    tmp_path: Path, quantize: Any, gpu: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    with pytest.raises(ConfigError, match="lora=True") as raised:
        tunesmith.train(ROWS, base=tiny.bert(tmp_path), quantize=quantize, **QUICK)
    assert raised.value.key == "quantize"
