"""The first token of the last layer alone: the same logits and gradients, less work, and only where it may be done."""

from __future__ import annotations

import pickle
from contextlib import nullcontext
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForSequenceClassification,
    AutoModelForTokenClassification,
    TrainerCallback,
)

import tiny
import tunesmith
from tunesmith.training import dropout, first_token

SIZES = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
OTHERS = {"distilbert": {"vocab_size": 50, "dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 24}}


def config(model_type: str, **more: Any) -> Any:
    sizes = OTHERS.get(model_type, SIZES) | {"max_position_embeddings": 40, "num_labels": 3}
    return AutoConfig.for_model(model_type, **sizes, **more)


def classifier(model_type: str = "bert", **more: Any) -> Any:
    torch.manual_seed(0)
    made = AutoModelForSequenceClassification.from_config(config(model_type, **more))
    for each in made.parameters():  # as they are drawn, no token would tell on another
        nn.init.normal_(each, std=0.3)
    return made


def batch() -> dict[str, torch.Tensor]:
    ids = torch.randint(3, 50, (4, 9), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[1, 5:] = mask[2, 8:] = 0
    return {"input_ids": ids, "attention_mask": mask}


def answers(model: nn.Module, given: dict[str, torch.Tensor], *, narrow: bool) -> tuple[torch.Tensor, list[Any]]:
    """Logits and the gradients of all weights, nothing dropped."""
    model.zero_grad()
    with first_token.only(model) if narrow else nullcontext():
        logits = model(**given).logits
        logits.sin().sum().backward()
    return logits.detach(), [None if each.grad is None else each.grad.clone() for each in model.parameters()]


def last(model: Any) -> Any:
    body = model.base_model
    return (body.encoder if hasattr(body, "encoder") else body.transformer).layer[-1]


def tokens_out_of(model: nn.Module, given: dict[str, torch.Tensor], *, narrow: bool = True) -> int:
    """How many tokens of a row the last layer returns."""

    def tokens(output: Any) -> int:
        return int((output[0] if isinstance(output, tuple) else output).shape[1])

    seen: list[int] = []
    hook = last(model).register_forward_hook(lambda module, args, output: seen.append(tokens(output)))
    try:
        with torch.no_grad(), first_token.only(model) if narrow else nullcontext():
            model(**given)
    finally:
        hook.remove()
    return seen[0]


@pytest.mark.parametrize("model_type", first_token.LAYERS)
@pytest.mark.parametrize("padded", [True, False], ids=["padded", "of one length"])
def test_logits_and_gradients_are_those_of_all_tokens(model_type: str, padded: bool) -> None:
    model, given = classifier(model_type).eval(), batch()
    if not padded:
        del given["attention_mask"]
    wanted, narrow = (answers(model, given, narrow=each) for each in (False, True))
    torch.testing.assert_close(narrow[0], wanted[0], atol=1e-5, rtol=1e-5)
    assert float(wanted[0].std()) > 0.1
    for mine, theirs in zip(narrow[1], wanted[1], strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-4, rtol=1e-4)
    assert tokens_out_of(model, given) == 1
    assert tokens_out_of(model, given, narrow=False) == 9


def test_with_cheap_dropout_in_training_too() -> None:
    model = classifier(attention_probs_dropout_prob=1e-9, hidden_dropout_prob=1e-9).train()  # round to none
    with dropout.fast(model):
        wanted, narrow = (answers(model, batch(), narrow=each) for each in (False, True))
    torch.testing.assert_close(narrow[0], wanted[0], atol=1e-5, rtol=1e-5)
    for mine, theirs in zip(narrow[1], wanted[1], strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-4, rtol=1e-4)


def test_attention_of_the_last_layer_is_dropped_in_training() -> None:
    model = classifier(attention_probs_dropout_prob=0.5, hidden_dropout_prob=0.0).train()
    for layer in model.bert.encoder.layer[:-1]:
        layer.eval()
    with torch.no_grad(), first_token.only(model):
        first, second = (model(**batch()).logits for _ in range(2))
    assert not torch.allclose(first, second)


def test_adapters_in_the_last_layer_are_trained() -> None:
    from peft import LoraConfig, get_peft_model

    made = get_peft_model(classifier(), LoraConfig(task_type="SEQ_CLS", target_modules="all-linear", r=2))
    model: Any = made.eval()
    for name, each in model.named_parameters():
        if "lora_" in name:
            nn.init.normal_(each, std=0.3)
    wanted, narrow = (answers(model, batch(), narrow=each) for each in (False, True))
    torch.testing.assert_close(narrow[0], wanted[0], atol=1e-5, rtol=1e-5)
    assert tokens_out_of(model.get_base_model(), batch()) == 1
    for mine, theirs in zip(narrow[1], wanted[1], strict=True):
        assert (mine is None) == (theirs is None)
        if mine is not None:
            torch.testing.assert_close(mine, theirs, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "model",
    [
        AutoModelForTokenClassification.from_config(config("bert")),
        classifier(output_hidden_states=True),
        classifier(output_attentions=True, attn_implementation="eager"),
        classifier(is_decoder=True),
        classifier(attn_implementation="eager"),
        AutoModelForSequenceClassification.from_config(config("mpnet")),
    ],
    ids=["tags", "hidden states", "attentions", "decoder", "eager attention", "another family"],
)
def test_where_other_tokens_may_be_read_all_are_there(model: Any) -> None:
    assert tokens_out_of(model.eval(), batch()) == 9


def test_a_class_of_the_users_own_reads_what_it_wants() -> None:
    from transformers import BertForSequenceClassification

    class Mean(BertForSequenceClassification):
        pass

    assert tokens_out_of(Mean(config("bert")).eval(), batch()) == 9


def test_the_layer_is_itself_again_after_an_error_too() -> None:
    model = classifier()
    kind = type(last(model))
    narrow = first_token.only(model)
    narrow.__enter__()
    assert type(last(model)) is not kind
    assert not narrow.__exit__(RuntimeError, RuntimeError("stopped"), None)
    assert type(last(model)) is kind


def test_threads_that_come_and_go_in_any_order_leave_the_layer_as_it_was() -> None:
    model = classifier().eval()
    kind = type(last(model))
    first, second = first_token.only(model), first_token.only(model)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    assert type(last(model)) is kind


@pytest.mark.parametrize("copied", [deepcopy, lambda model: pickle.loads(pickle.dumps(model))], ids=["copy", "pickle"])
def test_a_copy_made_meanwhile_is_a_plain_model_of_its_own(copied: Any) -> None:
    model = classifier().eval()
    with torch.no_grad(), first_token.only(model):
        copy, before = copied(model), model(**batch()).logits
        for each in model.parameters():
            each.zero_()
        torch.testing.assert_close(copy(**batch()).logits, before, atol=1e-5, rtol=1e-5)
    assert type(last(copy)) is type(last(model))
    assert tokens_out_of(copy, batch(), narrow=False) == 9


@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_training_in_fp32_draws_as_torch_does_for_all_tokens(precision: str, tmp_path: Path) -> None:
    seen: set[int] = set()

    class Watch(TrainerCallback):
        def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
            last(model).register_forward_hook(spy)

    def spy(module: Any, args: Any, output: torch.Tensor) -> None:
        if module.training:
            seen.add(output.shape[1])

    rows = [{"text": f"a {word} day " * length, "label": word} for word in ("good", "bad") for length in (1, 2)] * 4
    tunesmith.train(rows, base=tiny.bert(tmp_path), num_train_epochs=1, precision=precision, callbacks=[Watch()])
    assert seen
    assert seen == {1} if precision == "bf16" else min(seen) > 1
