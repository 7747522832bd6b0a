"""Adapters opened again: by load, as a base, as a teacher; in 16 bits, in 4 bits, live, merged, over older files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import tiny
import tunesmith
from tunesmith.errors import ArtifactError, ConfigError
from tunesmith.training import fitting

TEXTS = {"up": ("a good book", "the screen is bright"), "down": ("a bad film", "the box was broken")}
ROWS = [{"text": text, "label": label} for label, texts in TEXTS.items() for text in texts] * 2
OTHER = [{"text": text, "label": str(place % 3)} for place, text in enumerate(tiny.TEXTS[:6])]
PLAIN = [{"text": text} for text in tiny.TEXTS]
QUICK: dict[str, Any] = {"num_train_epochs": 2, "learning_rate": 1e-2, "disable_tqdm": True, "seed": 0}


def logits(run: Any) -> torch.Tensor:
    with torch.no_grad():
        return run.model(**run.tokenizer("a good book", return_tensors="pt")).logits.float()


def adapted(base: Any, out: Path | str = "", rows: Any = ROWS, **settings: Any) -> Any:
    return tunesmith.train(rows, base=base, output_dir=str(out), **(QUICK | {"lora": True} | settings))


def live(folder: str, **config: Any) -> tuple[Any, Any]:
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2, **config)
    return model, AutoTokenizer.from_pretrained(folder)


def in_few_bits(model: Any) -> int:
    return sum(value.dtype in (torch.uint8, torch.int8) for value in model.parameters())


@pytest.fixture
def base(tmp_path: Path) -> str:
    return tiny.bert(tmp_path / "base")


@pytest.fixture
def wide(tmp_path: Path) -> str:
    return tiny.bert(tmp_path / "wide", hidden_size=64, intermediate_size=128)


@pytest.mark.parametrize("quantize", [None, "always"])
def test_an_adapter_is_loaded_without_a_word_of_other_libraries(wide: str, tmp_path: Path, quantize: Any) -> None:
    """peft and transformers import bitsandbytes, which tells of a kernel that nobody asked for."""
    pytest.importorskip("bitsandbytes")
    adapted(wide, tmp_path / "out", quantize=quantize)
    code = f"import tunesmith; print(tunesmith.load({str(tmp_path / 'out')!r}).predict(['a good book'])[0].label)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() in TEXTS
    assert "gemm_4bit_forward" not in done.stderr


@pytest.mark.parametrize("quantize", ["always", {"load_in_8bit": True, "always": True}], ids=["nf4", "int8"])
def test_an_adapter_on_a_quantized_base_reloads_to_equal_logits(wide: str, tmp_path: Path, quantize: Any) -> None:
    pytest.importorskip("bitsandbytes")
    run = adapted(wide, tmp_path / "out", quantize=quantize)
    assert "quantization_config" not in json.loads((tmp_path / "out" / "config.json").read_text())
    again = tunesmith.load(tmp_path / "out")
    assert in_few_bits(again.model) == in_few_bits(run.model) > 0
    assert torch.allclose(logits(run), logits(again), atol=1e-5)
    again.save(tmp_path / "copy")
    assert torch.allclose(logits(run), logits(tunesmith.load(tmp_path / "copy")), atol=1e-5)


@pytest.mark.parametrize("quantize", ["always", {"load_in_8bit": True, "always": True}], ids=["nf4", "int8"])
@pytest.mark.parametrize("build", [tiny.llama, tiny.gpt2], ids=["llama", "gpt2"])
def test_a_quantized_adapter_merges_into_what_its_base_stood_for(tmp_path: Path, build: Any, quantize: Any) -> None:
    pytest.importorskip("bitsandbytes")
    sizes = {"n_embd": 64} if build is tiny.gpt2 else {"hidden_size": 64, "intermediate_size": 128}
    run = adapted(build(tmp_path / "base", **sizes), tmp_path / "out", quantize=quantize)
    before = logits(run)
    merged = run.merge_adapter()
    assert in_few_bits(merged.model) == 0
    assert torch.allclose(logits(merged), before, atol=1e-3)
    assert torch.equal(logits(run), before), "the run itself is changed"
    merged.save(tmp_path / "merged")
    assert torch.allclose(logits(tunesmith.load(tmp_path / "merged")), logits(merged), atol=1e-5)
    told = json.loads((tmp_path / "out" / "tunesmith.json").read_text())
    assert told.pop("quantization")
    (tmp_path / "out" / "tunesmith.json").write_text(json.dumps(told))  # the same adapter on the whole base
    whole = logits(tunesmith.load(tmp_path / "out"))
    assert quantize != "always" or not torch.allclose(whole, before, atol=2e-3), "too like the whole base"


@pytest.mark.parametrize("again", [False, True])
def test_a_run_without_an_adapter_has_none_to_merge(base: str, again: bool) -> None:
    run = adapted(base).merge_adapter() if again else tunesmith.train(ROWS, base=base, **QUICK)
    with pytest.raises(ConfigError, match="this has none to merge"):
        run.merge_adapter()


@pytest.mark.parametrize("mixed", [False, True], ids=["fp32", "mixed"])
def test_merging_leaves_the_run_as_it_was(base: str, tmp_path: Path, mixed: bool) -> None:
    run = adapted(base, bf16=mixed)
    before = logits(run)
    merged = run.merge_adapter()
    near = 1e-3 if mixed else 1e-5  # a model that was trained in mixed precision still computes in it
    assert torch.allclose(logits(merged), before, atol=near)
    assert run.model is not merged.model
    run.save(tmp_path / "later")
    again = tunesmith.load(tmp_path / "later")
    assert torch.allclose(logits(again), before, atol=near)
    assert torch.allclose(logits(again), logits(merged), atol=1e-5)


@pytest.mark.parametrize("model", ["BertModel", "BertForMaskedLM"], ids=["pooler", "no-pooler"])
def test_an_adapter_on_a_16_bit_base_is_trained_in_32_bits(tmp_path: Path, model: str) -> None:
    base = tiny.bert(tmp_path / "base", model=model)
    settings: dict[str, Any] = {
        "model_args": {"dtype": "bfloat16"},
        "learning_rate": 5e-5,
        "lr_scheduler_type": "constant",
    }
    run = adapted(base, tmp_path / "out", **settings)
    parameters = dict(run.model.named_parameters())
    assert {value.dtype for value in parameters.values() if value.requires_grad} == {torch.float32}
    assert {value.dtype for value in parameters.values() if not value.requires_grad} == {torch.bfloat16}
    start = adapted(base, **(settings | {"num_train_epochs": 0}))
    before = {name: value for name, value in start.model.named_parameters() if value.requires_grad}
    moved = [float((parameters[name] != value).float().mean()) for name, value in before.items() if "lora_A" in name]
    assert min(moved) > 0.9, "small steps are lost where weights have 16 bits"
    again = tunesmith.load(tmp_path / "out")
    assert torch.equal(logits(run), logits(again))
    assert {value.dtype for name, value in again.model.named_parameters() if "lora_" in name} == {torch.float32}
    merged = again.merge_adapter()
    assert {value.dtype for value in merged.model.parameters()} == {torch.bfloat16}
    assert torch.allclose(logits(run), logits(merged), atol=0.05)


def test_a_teacher_that_is_an_adapter_teaches_with_it(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = adapted(base, tmp_path / "out")
    seen: list[Any] = []
    monkeypatch.setattr(fitting.distillation, "check_teacher", lambda teacher, *_: seen.append(teacher))
    adapted(base, lora=None, teacher=str(tmp_path / "out"))
    inputs = run.tokenizer("a good book", return_tensors="pt")
    with torch.no_grad():
        assert torch.allclose(seen[0].eval()(**inputs).logits, logits(run), atol=1e-6)


def test_a_teacher_without_a_head_of_its_own_is_refused(base: str) -> None:
    with pytest.raises(ArtifactError, match="classifier"):
        adapted(base, lora=None, teacher=base)


def test_the_drop_ins_model_of_an_adapters_folder_has_the_adapter(base: str, tmp_path: Path) -> None:
    run = adapted(base, tmp_path / "out")
    model = tunesmith.HFTrainer().model("text-classification", str(tmp_path / "out"), None, None, run.tokenizer, None)
    inputs = run.tokenizer("a good book", return_tensors="pt")
    with torch.no_grad():
        assert torch.allclose(model.eval()(**inputs).logits, logits(run), atol=1e-6)


def test_a_pair_of_16_bit_adapters_reloads_to_equal_logits(tmp_path: Path) -> None:
    base = tiny.electra(tmp_path / "base")
    run = adapted(base, tmp_path / "out", PLAIN, task="token-detection", model_args={"dtype": "bfloat16"})
    assert torch.equal(logits(run), logits(tunesmith.load(tmp_path / "out")))


def test_a_whole_pair_saved_over_adapters_is_what_loads(tmp_path: Path) -> None:
    base = tiny.electra(tmp_path / "base")
    out = tmp_path / "out"
    adapted(base, out, PLAIN, task="token-detection")
    run = adapted(base, out, PLAIN, task="token-detection", lora=None)
    assert torch.allclose(logits(run), logits(tunesmith.load(out)), atol=1e-6)
    adapters = adapted(base, out, PLAIN, task="token-detection")
    again = tunesmith.load(out)
    assert not list(out.glob("*/model*.safetensors"))
    assert torch.allclose(logits(adapters), logits(again), atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_live_base_without_a_pooler_reloads_to_equal_logits(tmp_path: Path, dtype: str) -> None:
    run = adapted(live(tiny.bert(tmp_path / "base", model="BertForMaskedLM"), dtype=dtype), tmp_path / "out")
    assert torch.allclose(logits(run), logits(tunesmith.load(tmp_path / "out")), atol=1e-6)


def test_a_live_base_that_no_path_holds_is_refused_before_training(base: str, tmp_path: Path) -> None:
    model, tokenizer = live(base)
    model.bert.encoder.layer[0].output.dense.weight.data.mul_(2)
    with pytest.raises(ConfigError, match="save it to a folder first"):
        adapted((model, tokenizer), tmp_path / "out")
    fresh = type(model)(model.config)
    fresh.name_or_path = fresh.config._name_or_path = ""
    with pytest.raises(ConfigError, match="save it to a folder first"):
        adapted((fresh, tokenizer), tmp_path / "out")
    run = adapted((fresh, tokenizer))  # in memory it trains
    with pytest.raises(ArtifactError, match="merge_adapter"):
        run.save(tmp_path / "later")
    run.merge_adapter().save(tmp_path / "merged")
    assert torch.allclose(logits(run), logits(tunesmith.load(tmp_path / "merged")), atol=1e-5)


def test_an_adapter_of_a_model_from_scratch_is_refused_before_training() -> None:
    with pytest.raises(ConfigError, match="from_scratch"):
        adapted(None, from_scratch="bert-tiny")


def test_an_adapter_given_as_base_is_trained_on(base: str, tmp_path: Path) -> None:
    first = adapted(base, tmp_path / "first")
    second = adapted(str(tmp_path / "first"), tmp_path / "second")
    again = tunesmith.load(tmp_path / "second")
    assert not torch.allclose(logits(first), logits(second), atol=1e-4)
    assert torch.allclose(logits(second), logits(again), atol=1e-6)
    assert sum("lora_A" in name for name, _ in again.model.named_parameters()) == sum(
        "lora_A" in name for name, _ in first.model.named_parameters()
    )
    with pytest.raises(ConfigError, match="trains its adapter on"):
        adapted(str(tmp_path / "first"), lora={"r": 4})


def test_a_pair_of_adapters_given_as_base_is_trained_on(tmp_path: Path) -> None:
    base = tiny.electra(tmp_path / "base")
    adapted(base, tmp_path / "first", PLAIN, task="token-detection")
    second = adapted(str(tmp_path / "first"), tmp_path / "second", PLAIN, task="token-detection")
    assert torch.allclose(logits(second), logits(tunesmith.load(tmp_path / "second")), atol=1e-6)


def test_an_adapter_given_as_base_takes_other_labels(base: str, tmp_path: Path) -> None:
    adapted(base, tmp_path / "first")
    second = adapted(str(tmp_path / "first"), tmp_path / "second", OTHER, lora=None)
    assert logits(second).shape == (1, 3)
    again = tunesmith.load(tmp_path / "second")
    assert again.model.config.id2label == {0: "0", 1: "1", 2: "2"}
    assert torch.allclose(logits(second), logits(again), atol=1e-6)


def test_labels_of_other_names_renew_the_head_of_an_adapter(base: str, tmp_path: Path) -> None:
    adapted(base, tmp_path / "first")
    renamed = [{"text": row["text"], "label": {"up": "yes", "down": "no"}[row["label"]]} for row in ROWS]
    kept = adapted(str(tmp_path / "first"), num_train_epochs=0)
    second = adapted(str(tmp_path / "first"), "", renamed, num_train_epochs=0)
    assert second.model.config.id2label == {0: "no", 1: "yes"}
    assert not torch.allclose(logits(kept), logits(second))


@pytest.mark.parametrize("lora", [None, True])
def test_the_drop_ins_own_pair_with_an_adapter_is_trained_again(base: str, lora: Any) -> None:
    pair = tunesmith.HFTrainer()(base, ROWS, lora=True, **QUICK)
    before = {name: value.clone() for name, value in pair[0].named_parameters()}
    model, _ = tunesmith.HFTrainer()(pair, ROWS, lora=lora, **QUICK)
    assert model is pair[0]
    moved = {name for name, value in model.named_parameters() if not torch.equal(before[name], value)}
    assert any("lora_" in name for name in moved)
    assert all("lora_" in name or "modules_to_save" in name for name in moved)
    model, _ = tunesmith.HFTrainer()(pair, OTHER, lora=lora, **QUICK)
    assert model.config.num_labels == 3
