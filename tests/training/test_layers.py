"""Layers of BERT's kind as two functions: what the modules compute, and only where they may stand for them."""

from __future__ import annotations

import pickle
from contextlib import ExitStack
from copy import deepcopy
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import torch
from torch import nn
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoModelForTokenClassification

import tiny
import tunesmith
from tunesmith.training import dropout, encoder_layer, first_token, layers

SIZES = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
HEADS = {"classes": AutoModelForSequenceClassification, "tags": AutoModelForTokenClassification}


def model(model_type: str = "bert", head: str = "tags", *, drop: float = 0.0, **more: Any) -> Any:
    torch.manual_seed(0)
    shares = {"hidden_dropout_prob": drop, "attention_probs_dropout_prob": 2 * drop, "classifier_dropout": 0.0}
    sizes = SIZES | {"max_position_embeddings": 100, "num_labels": 3} | shares | more
    made = HEADS[head].from_config(AutoConfig.for_model(model_type, **sizes))
    for each in made.parameters():
        nn.init.normal_(each, std=0.3)
    for layer in made.base_model.encoder.layer:  # unlike what follows attention
        layer.output.LayerNorm.eps, layer.output.dropout.p = 0.1, drop / 2
    return made.train()


def batch(*, padded: bool = True, tokens: int = 9) -> dict[str, torch.Tensor]:
    ids = torch.randint(3, 50, (5, tokens), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[1, 5:] = mask[2, 8:] = 0
    return {"input_ids": ids, "attention_mask": mask} if padded else {"input_ids": ids}


def answers(
    trained: Any, given: dict[str, torch.Tensor], *, at_once: bool, bf16: bool = False
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Logits, and the gradients of all weights."""
    trained.zero_grad()
    with ExitStack() as stack:
        stack.enter_context(dropout.fast(trained))
        stack.enter_context(first_token.only(trained))
        if at_once:
            stack.enter_context(layers.at_once(trained))
        else:  # the last layer too
            stack.enter_context(patch.object(first_token, "computed", return_value=None))
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            logits = trained(**given).logits.float()
        logits.sin().sum().backward()
    return logits.detach(), {name: each.grad.clone() for name, each in trained.named_parameters()}


class Calls(list[encoder_layer.Form]):
    """The forms of the layers that were computed at once."""


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    seen, applied = Calls(), encoder_layer.applied

    def counted(hidden: Any, mask: Any, form: encoder_layer.Form, weights: Any) -> torch.Tensor:
        seen.append(form)
        return applied(hidden, mask, form, weights)

    monkeypatch.setattr(layers, "applied", counted)
    return seen


@pytest.fixture
def same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways draw the same bits: the next of one sequence, from which each seed of torch's begins anew."""
    stream = torch.randint(-(2**15), 2**15, (2**18,), dtype=torch.int16, generator=torch.Generator().manual_seed(5))
    begun: dict[int, int] = {}

    def bits(count: int, seed: Any = None) -> torch.Tensor:
        at = begun.get(torch.initial_seed(), 0)
        begun[torch.initial_seed()] = at + count
        return stream[at : at + count].clone()

    monkeypatch.setattr(dropout, "bits", bits)
    monkeypatch.setattr(encoder_layer, "bits", bits)


def assert_alike(found: Any, wanted: Any, *, within: float) -> None:
    """Each gradient within a share of its own size; that of keys' bias is 0 but for rounding."""
    torch.testing.assert_close(found[0], wanted[0], rtol=within, atol=within)
    assert found[1].keys() == wanted[1].keys()
    for name, each in wanted[1].items():
        largest = max(float(each.norm()), 1e-3 * max(float(other.norm()) for other in wanted[1].values()))
        assert float((found[1][name] - each).norm()) <= within * largest, name


@pytest.mark.parametrize("model_type", layers.LIKE_BERT)
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("padded", [True, False], ids=["padded", "of one length"])
def test_logits_and_gradients_are_those_of_the_modules(
    calls: Calls, same_bits: None, model_type: str, head: str, padded: bool
) -> None:
    trained, given = model(model_type, head, drop=0.2), batch(padded=padded)
    torch.manual_seed(1)
    wanted = answers(trained, given, at_once=False)
    assert not calls
    torch.manual_seed(2)
    assert_alike(answers(trained, given, at_once=True), wanted, within=1e-5)
    assert [form.first for form in calls] == [False, head == "classes"]


@pytest.mark.parametrize("tokens", [9, layers.SHORT + 2])
@pytest.mark.parametrize("head", HEADS)
def test_bf16_is_as_near_as_its_rounding(calls: Calls, same_bits: None, head: str, tokens: int) -> None:
    trained, given = model(head=head, drop=0.1), batch(tokens=tokens)
    torch.manual_seed(1)
    exact = answers(trained, given, at_once=False)
    torch.manual_seed(2)
    assert_alike(answers(trained, given, at_once=True, bf16=True), exact, within=0.1)
    assert {form.dtype for form in calls} == {torch.bfloat16}
    assert {form.inside for form in calls} == {torch.float32 if tokens <= layers.SHORT else torch.bfloat16}


@pytest.mark.parametrize("count", [1, 32, 33, 136, 255, 257, 600, 1025, 5000])
def test_few_numbers_of_rows_occur_in_bf16(count: int) -> None:
    made = encoder_layer._rows(count, 3, torch.bfloat16)
    assert count <= len(made) <= max(count + 31, count * 9 // 8)
    assert len(made) % 32 == 0 or count < 32
    assert not made[count:].any()
    assert len(encoder_layer._rows(count, 3, torch.float32)) == count
    assert len({len(encoder_layer._rows(each, 1, torch.bfloat16)) for each in range(32, 5000)}) < 50


def adapted(trained: Any) -> Any:
    import peft

    return peft.get_peft_model(trained, peft.LoraConfig(target_modules=["query"], r=2))


def frozen(trained: Any) -> Any:
    for each in trained.base_model.encoder.layer:
        each.output.dense.weight.requires_grad_(False)
    return trained


def hooked(trained: Any) -> Any:
    for each in trained.base_model.encoder.layer:
        each.attention.output.dense.register_forward_hook(lambda *args: None)
    return trained


CHANGED = {
    "adapters": lambda: adapted(model()),
    "frozen weights": lambda: frozen(model()),
    "a hook": lambda: hooked(model()),
    "another activation": lambda: model(hidden_act="relu"),
    "another approximation of GELU": lambda: model(hidden_act="gelu_python"),
    "feed-forward in chunks": lambda: model(chunk_size_feed_forward=3),
    "a decoder": lambda: model(is_decoder=True, use_cache=False),
    "half weights": lambda: model().bfloat16(),
    "evaluation": lambda: model().eval(),
    "all that is dropped": lambda: model(attention_probs_dropout_prob=1.0),
}


@pytest.mark.parametrize("kind", CHANGED)
def test_modules_compute_what_is_not_plain(calls: Calls, kind: str) -> None:
    changed = CHANGED[kind]()
    with dropout.fast(changed), layers.at_once(changed):
        changed(**batch())
    assert not calls


def test_hooks_of_all_modules_at_once_are_called(calls: Calls) -> None:
    trained, seen = model(), []
    found = torch.nn.modules.module.register_module_forward_hook(lambda module, *args: seen.append(module))
    try:
        with dropout.fast(trained), layers.at_once(trained):
            trained(**batch())
    finally:
        found.remove()
    assert not calls
    assert all(each.output.dense in seen for each in trained.base_model.encoder.layer)


def test_long_texts_and_torchs_own_dropout_are_for_the_modules(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = model(drop=0.1)
    with layers.at_once(trained):
        trained(**batch())
    monkeypatch.setattr(layers, "WHOLE", 5 * 2 * 9 * 9 - 1)
    with dropout.fast(trained), layers.at_once(trained):
        trained(**batch())
        assert not calls
        trained(**batch(tokens=8, padded=False))
    assert len(calls) == 2


def test_layers_are_themselves_again_and_copies_of_them_plain() -> None:
    trained = model()
    layer = trained.base_model.encoder.layer[0]
    kind = type(layer)
    with dropout.fast(trained), layers.at_once(trained):
        assert type(layer) is not kind
        with layers.at_once(trained):
            trained(**batch())
        assert type(layer) is not kind
        copied, pickled = deepcopy(layer), pickle.loads(pickle.dumps(layer))
    assert type(layer) is type(copied) is type(pickled) is kind
    assert all(torch.equal(*pair) for pair in zip(layer.parameters(), copied.parameters(), strict=True))


@pytest.mark.parametrize("reentrant", [True, False])
def test_a_layer_that_is_computed_again_draws_the_same(calls: Calls, reentrant: bool) -> None:
    trained, found = model(drop=0.2), []
    for checkpointing in (False, True):
        if checkpointing:
            trained.gradient_checkpointing_enable({"use_reentrant": reentrant})
        torch.manual_seed(3)
        found.append(answers(trained, batch(), at_once=True))
    assert len(calls) == 2 + 4
    assert_alike(found[1], found[0], within=1e-6)


@pytest.mark.parametrize(("settings", "at_once"), [({"bf16": True}, True), ({"precision": "fp32"}, False)])
def test_training_computes_layers_at_once_where_its_steps_may_differ_by_rounding(
    calls: Calls, tmp_path: Path, settings: dict[str, Any], at_once: bool
) -> None:
    rows = [{"text": f"row {place}", "label": "ab"[place % 2]} for place in range(16)]
    run = tunesmith.train(rows, base=tiny.bert(tmp_path), output_dir="", max_steps=2, **settings)
    assert {form.first for form in calls} == ({False, True} if at_once else set())
    assert not any(layers.changed(each) for each in run.model.modules())
