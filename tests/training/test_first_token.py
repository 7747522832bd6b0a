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
from tunesmith.training import dropout, first_token, precision

SIZES = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
OTHERS = {"distilbert": {"vocab_size": 50, "dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 24}}


def config(model_type: str, **more: Any) -> Any:
    sizes = OTHERS.get(model_type, SIZES) | {"max_position_embeddings": 40, "num_labels": 3}
    return AutoConfig.for_model(model_type, **(sizes | more))


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


def tokens_out_of(model: Any, given: dict[str, torch.Tensor], *, narrow: bool = True) -> int:
    """How many tokens of a row the body returns."""
    seen: list[int] = []
    hook = model.base_model.register_forward_hook(lambda module, args, output: seen.append(output[0].shape[1]))
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
        classifier(output_attentions=True),
        classifier(num_hidden_layers=0),
        classifier(is_decoder=True),
        classifier(attn_implementation="eager"),
        AutoModelForSequenceClassification.from_config(config("mpnet")),
    ],
    ids=["tags", "hidden states", "attentions", "no layers", "decoder", "eager attention", "another family"],
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


@pytest.mark.parametrize(("named", "cheap"), [("bf16", True), ("auto", True), ("fp32", False)])
def test_training_in_fp32_that_is_named_is_of_all_tokens(
    named: str, cheap: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[int] = set()
    monkeypatch.setattr(precision, "SMALL", 0)
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)  # bf16 is not fast

    class Watch(TrainerCallback):
        def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **kwargs: Any) -> None:
            model.base_model.register_forward_hook(spy)

    def spy(module: Any, args: Any, output: Any) -> None:
        if module.training:
            seen.add(output[0].shape[1])

    rows = [{"text": f"a {word} day " * length, "label": word} for word in ("good", "bad") for length in (1, 2)] * 4
    tunesmith.train(rows, base=tiny.bert(tmp_path), num_train_epochs=1, precision=named, callbacks=[Watch()])
    assert seen
    assert seen == {1} if cheap else min(seen) > 1


class MeanPooler(nn.Module):
    """What a user may put in the place of a pooler or of a head."""

    def __init__(self, out: nn.Module | None = None) -> None:
        super().__init__()
        self.out = out or nn.Identity()

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.out(hidden.mean(1))
        return result


def test_a_pooler_or_a_head_of_the_users_own_reads_all_tokens() -> None:
    bert, roberta = classifier().eval(), classifier("roberta").eval()
    bert.bert.pooler = MeanPooler()
    roberta.classifier = MeanPooler(nn.Linear(16, 3))
    for model in (bert, roberta):
        wanted, narrow = (answers(model, batch(), narrow=each) for each in (False, True))
        torch.testing.assert_close(narrow[0], wanted[0])
        assert tokens_out_of(model, batch()) == 9


def test_a_classifier_within_another_model_is_left_alone() -> None:
    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = classifier()

        def forward(self, **given: torch.Tensor) -> torch.Tensor:
            hidden: torch.Tensor = self.inner.bert(**given).last_hidden_state
            return hidden.mean(1)

    model = Outer().eval()
    with torch.no_grad():
        wanted = model(**batch())
        with first_token.only(model):
            torch.testing.assert_close(model(**batch()), wanted)


@pytest.mark.parametrize("padded", [True, False], ids=["padded", "of one length"])
def test_an_adapter_of_prefixes_attends_to_them(padded: bool) -> None:
    from peft import PrefixTuningConfig, get_peft_model

    torch.manual_seed(0)
    model = get_peft_model(classifier(), PrefixTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=3)).eval()
    given = batch() if padded else {"input_ids": batch()["input_ids"]}
    wanted, narrow = (answers(model, given, narrow=each) for each in (False, True))
    torch.testing.assert_close(narrow[0], wanted[0], atol=1e-5, rtol=1e-5)


def test_hidden_states_of_one_call_are_whole() -> None:
    model = classifier().eval()
    with torch.no_grad():
        plain = model(**batch(), output_hidden_states=True)
        with first_token.only(model):
            narrow = model(**batch(), output_hidden_states=True)
    for mine, theirs in zip(narrow.hidden_states, plain.hidden_states, strict=True):
        torch.testing.assert_close(mine, theirs)


def test_hooks_on_the_last_layers_attention_are_called() -> None:
    model, seen = classifier().eval(), []
    last(model).attention.self.register_forward_hook(lambda module, args, output: seen.append(output[0].shape))
    assert tokens_out_of(model, batch()) == 9
    assert len(seen) == 1


def test_a_layer_that_is_wrapped_meanwhile_stays_wrapped() -> None:
    """As `fully_shard` does, which changes the class too."""
    model = classifier()
    with first_token.only(model):
        wrapped = type("Sharded", (type(last(model)),), {})
        last(model).__class__ = wrapped
    assert type(last(model)) is wrapped


def test_chunks_of_the_feed_forward_take_one_token() -> None:
    for model_type in ("bert", "distilbert"):
        model = classifier(model_type, chunk_size_feed_forward=3).eval()
        wanted, narrow = (answers(model, batch(), narrow=each) for each in (False, True))
        torch.testing.assert_close(narrow[0], wanted[0], atol=1e-5, rtol=1e-5)
        assert tokens_out_of(model, batch()) == 1
