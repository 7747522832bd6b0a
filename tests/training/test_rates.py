"""A rate that falls from layer to layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import tiny
import tunesmith
from tunesmith.training.defaults import choose
from tunesmith.training.rates import below, spread

ROWS = [("good film", "up"), ("bad film", "down"), ("great book", "up"), ("broken box", "down")] * 4


def model(folder: Path, **config: Any) -> Any:
    from transformers import AutoModelForSequenceClassification

    return AutoModelForSequenceClassification.from_pretrained(tiny.bert(folder, num_hidden_layers=3, **config))


def test_the_head_is_on_top_and_the_embeddings_at_the_bottom(tmp_path: Path) -> None:
    depths = below(model(tmp_path))
    assert depths["classifier.weight"] == 0
    assert depths["bert.pooler.dense.weight"] == 0
    assert depths["bert.encoder.layer.2.output.dense.weight"] == 1
    assert depths["bert.encoder.layer.0.output.dense.weight"] == 3
    assert depths["bert.embeddings.word_embeddings.weight"] == 4


def test_a_model_whose_layers_cannot_be_told_has_one_rate(tmp_path: Path) -> None:
    from transformers import AutoModelForSeq2SeqLM

    both = AutoModelForSeq2SeqLM.from_pretrained(tiny.t5(tmp_path))  # encoder and decoder
    assert below(both) == {}
    assert below(nn.Linear(2, 2)) == {}
    optimizer = torch.optim.AdamW(both.parameters(), lr=1.0)
    spread(optimizer, both, 0.5)
    assert [group["lr"] for group in optimizer.param_groups] == [1.0]


def test_every_parameter_keeps_its_group_and_gets_the_rate_of_its_layer(tmp_path: Path) -> None:
    made = model(tmp_path)
    decays = [each for each in made.parameters() if each.ndim > 1]
    rest = [each for each in made.parameters() if each.ndim < 2]
    optimizer = torch.optim.AdamW([{"params": decays, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}], 8.0)
    spread(optimizer, made, 0.5)
    got = {id(each): group for group in optimizer.param_groups for each in group["params"]}
    assert len(got) == len(list(made.parameters()))
    for name, depth in below(made).items():
        each = made.get_parameter(name)
        assert got[id(each)]["lr"] == 8.0 * 0.5**depth
        assert got[id(each)]["weight_decay"] == (0.1 if each.ndim > 1 else 0.0)
    assert optimizer.param_groups[0]["lr"] == 8.0  # the rate that is logged


def test_small_encoders_get_a_falling_rate_and_it_is_said(tmp_path: Path) -> None:
    told: list[str] = []
    base = tiny.bert(tmp_path / "base")
    run = tunesmith.train(
        ROWS, base=base, output_dir=tmp_path / "out", max_steps=1, listener=lambda kind, each: told.append(str(each))
    )
    assert any("learning rate 0.0004, 0.8 of it a layer further down" in each for each in told)
    assert run.framework_model.chosen["layer_decay"] == 0.8


@pytest.mark.parametrize("named", [{"learning_rate": 1e-3}, {"layer_decay": 1.0}, {"defaults": "transformers"}])
def test_a_rate_that_is_named_is_the_rate_of_all_layers(tmp_path: Path, named: dict[str, Any]) -> None:
    run = tunesmith.train(ROWS, base=tiny.bert(tmp_path), max_steps=1, **named)
    assert "layer_decay" not in run.framework_model.chosen


def test_layers_learn_at_the_share_that_is_named(tmp_path: Path) -> None:
    base = tiny.bert(tmp_path)
    moved = {}
    for share in (1.0, 0.1):
        run = tunesmith.train(ROWS, base=base, learning_rate=1e-3, max_steps=1, warmup_steps=0, layer_decay=share)
        trained = run.model.state_dict()
        before = tiny_state(base)
        moved[share] = {name: float((trained[name] - before[name]).abs().max()) for name in before}
    name = "bert.embeddings.LayerNorm.bias"  # three steps under the head of two layers; it starts at 0
    assert moved[0.1][name] == pytest.approx(moved[1.0][name] * 0.1**3, rel=1e-2)


def tiny_state(base: str) -> dict[str, torch.Tensor]:
    from transformers import AutoModel

    return {f"bert.{name}": each for name, each in AutoModel.from_pretrained(base).state_dict().items()}


@pytest.mark.parametrize("value", [0, 1.5, -1, True, "much"])
def test_a_share_that_is_none_is_refused(value: Any) -> None:
    with pytest.raises(tunesmith.ConfigError) as caught:
        tunesmith.train(ROWS, layer_decay=value)
    assert "expected a number above 0, at most 1" in str(caught.value)


def test_a_model_whose_layers_cannot_be_told_gets_the_rate_of_one_group(tmp_path: Path) -> None:
    from transformers import AlbertConfig, AlbertForSequenceClassification, AutoTokenizer

    sizes = {"hidden_size": 32, "embedding_size": 16, "num_attention_heads": 2, "intermediate_size": 64}
    tokenizer = AutoTokenizer.from_pretrained(tiny.bert(tmp_path))
    base = AlbertForSequenceClassification(AlbertConfig(vocab_size=len(tokenizer), num_hidden_layers=2, **sizes))
    told: list[str] = []
    run = tunesmith.train(ROWS, base=(base, tokenizer), max_steps=1, listener=lambda kind, each: told.append(str(each)))
    assert run.framework_model.chosen["learning_rate"] == 2e-4
    assert "layer_decay" not in run.framework_model.chosen
    assert not any("further down" in each for each in told)
    with pytest.raises(tunesmith.ConfigError) as caught:
        tunesmith.train(ROWS, base=(base, tokenizer), max_steps=1, layer_decay=0.5)
    assert "expected 1, or none, here: the layers of this model cannot be told apart" in str(caught.value)


def test_an_optimizer_of_the_user_keeps_its_rate_and_no_other_is_said(tmp_path: Path) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = tiny.bert(tmp_path)
    base = AutoModelForSequenceClassification.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    own = torch.optim.AdamW(base[0].parameters(), lr=1e-3)
    told: list[str] = []
    named: dict[str, Any] = {"base": base, "optimizers": (own, None), "max_steps": 1}
    run = tunesmith.train(ROWS, **named, listener=lambda kind, each: told.append(str(each)))
    assert not {"learning_rate", "layer_decay"} & set(run.framework_model.chosen)
    assert not any("learning rate 0" in each for each in told)
    with pytest.raises(tunesmith.ConfigError) as caught:
        tunesmith.train(ROWS, **named, layer_decay=0.5)
    assert "an optimizer of your own has its own rates" in str(caught.value)


def test_what_is_named_is_not_recorded_as_chosen(tmp_path: Path) -> None:
    run = tunesmith.train(ROWS, base=tiny.bert(tmp_path), num_train_epochs=1, weight_decay=0.0)
    assert set(run.framework_model.chosen) >= {"learning_rate", "layer_decay", "warmup_steps"}
    assert not {"num_train_epochs", "weight_decay"} & set(run.framework_model.chosen)


def test_a_resumed_run_whose_layers_had_other_rates_is_an_error_of_ours(tmp_path: Path) -> None:
    named: dict[str, Any] = {"base": tiny.bert(tmp_path / "base"), "output_dir": tmp_path / "out", "max_steps": 4}
    tunesmith.train(ROWS, **named, save_strategy="steps", save_steps=2)
    with pytest.raises(tunesmith.ConfigError) as caught:
        tunesmith.train(ROWS, **named | {"max_steps": 6}, checkpoint=True, learning_rate=1e-4)
    assert "'layer_decay' is None: expected as in the run that is resumed" in str(caught.value)


def test_the_rate_follows_the_share_without_a_jump() -> None:
    known: dict[str, Any] = {"task": "text-classification", "rows": 3000, "classes": 2, "parameters": 22_000_000}
    known |= {"adapter": False, "scratch": False, "validated": False, "batch": 8}
    rates = [choose(**known, layer_decay=share).arguments["learning_rate"] for share in (1.0, 0.999, 0.8, 0.5)]
    assert rates == pytest.approx([1e-4, 1.005e-4, 2e-4, 2e-4])
