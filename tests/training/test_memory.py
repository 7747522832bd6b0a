"""Activations that do not fit are computed twice: by an estimate, said aloud, and never against the user's word."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import AutoModel, BertConfig, GPT2Config, LlamaConfig

import tiny
from tunesmith import api
from tunesmith.training import memory

SIZES: dict[str, Any] = {"vocab_size": 500, "max_position_embeddings": 64}


def held(model: Any, ids: torch.Tensor, half: bool) -> int:
    """Bytes that torch saves for the gradient, weights apart."""
    weights = {each.untyped_storage().data_ptr() for each in model.parameters()}
    kept: dict[int, torch.Tensor] = {}

    def keep(value: torch.Tensor) -> torch.Tensor:
        kept[value.untyped_storage().data_ptr()] = value
        return value

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            found = model(input_ids=ids, attention_mask=torch.ones_like(ids))
        _ = found.last_hidden_state.sum()
        return sum(each.untyped_storage().nbytes() for place, each in kept.items() if place not in weights)


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize(
    "config",
    [
        BertConfig(hidden_size=128, num_hidden_layers=3, num_attention_heads=2, intermediate_size=512, **SIZES),
        GPT2Config(n_embd=128, n_layer=3, n_head=2, vocab_size=500, n_positions=64, use_cache=False),
        LlamaConfig(hidden_size=128, num_hidden_layers=3, num_attention_heads=2, intermediate_size=344, **SIZES),
    ],
    ids=lambda config: config.model_type,
)
def test_the_estimate_is_near_what_torch_holds(config: Any, half: bool) -> None:
    model: Any = AutoModel.from_config(config).train()
    ids = torch.arange(256).view(4, 64) % 500
    assert 0.6 < held(model, ids, half) / memory.activations(model, ids.numel(), half=half) < 1.6


def test_a_language_model_holds_its_logits_too(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny.gpt2(tmp_path))
    assert memory.activations(model, 10, half=False) == 10 * 32 * 2 * 100 + 4 * 10 * model.config.vocab_size


def test_a_model_of_unknown_sizes_is_left_alone() -> None:
    assert memory.activations(SimpleNamespace(config=SimpleNamespace()), 1000, half=False) == 0


def test_free_memory_is_told_and_shared_between_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_of_group", lambda: 8 * 10**6)
    assert memory.available(use_cpu=True) in (8 * 10**6, None)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert memory.available(use_cpu=True) in (2 * 10**6, None)


ROWS = [(text, "ab"[n % 2]) for n, text in enumerate(tiny.TEXTS)]


def trained(base: str, **settings: Any) -> tuple[Any, list[str], list[bool]]:
    """(the run, its notes on activations, whether the model computed them twice at each step)"""
    from transformers import TrainerCallback

    notes: list[str] = []
    seen: list[bool] = []

    class Look(TrainerCallback):
        def on_step_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            seen.append(more["model"].is_gradient_checkpointing)

    def listen(kind: str, values: Any) -> None:
        if kind == "note" and "activations" in values["text"]:
            notes.append(values["text"])

    run = api.train(ROWS, base=base, max_steps=2, callbacks=[Look()], listener=listen, **settings)
    return run, notes, seen


def test_activations_that_do_not_fit_are_computed_twice_to_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = tiny.bert(tmp_path, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    whole, notes, seen = trained(base)
    assert (notes, seen) == ([], [False, False])
    monkeypatch.setattr(memory, "available", lambda **_: 1_000_000)
    saved, notes, seen = trained(base)
    assert seen == [True, True]
    (note,) = notes
    assert note.startswith(
        "activations of up to 0.0 GB do not fit in 0.0 GB beside the weights: they are computed twice"
    )
    before, after = whole.model.state_dict(), saved.model.state_dict()
    assert all(torch.allclose(before[name], after[name], atol=1e-6) for name in before)


@pytest.mark.parametrize("name", memory.SETTINGS)
def test_the_users_own_word_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(memory, "available", lambda **_: 1_000)
    _, notes, seen = trained(tiny.bert(tmp_path), **{name: False})
    assert (notes, seen) == ([], [False, False])


def test_memory_that_is_not_known_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda **_: None)
    _, notes, seen = trained(tiny.bert(tmp_path))
    assert (notes, seen) == ([], [False, False])
