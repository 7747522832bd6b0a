"""Fast steps change no promise: a run stops and resumes bit for bit, repeats, and saves a model as any other."""

from __future__ import annotations

import os
import re
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import TrainerCallback

import tunesmith
from tunesmith.samples import path
from tunesmith.training import dropout, engine, optimizer, tables
from tunesmith.training.sampling import ByLength

SETTINGS: dict[str, Any] = {
    "precision": "bf16",
    "per_device_train_batch_size": 4,
    "num_train_epochs": 2,
    "limit": 16,
    "disable_tqdm": True,
}


class Look(TrainerCallback):
    """What the engine had made of the model and its optimizer at the first step, and the texts of each batch."""

    def __init__(self, stop: int | None = None) -> None:
        self.stop, self.seen = stop, {}

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        grads = [each.grad for each in more["model"].parameters() if each.grad is not None]
        self.seen["sparse"] = any(grad.is_sparse for grad in grads)

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        made = more["optimizer"]
        self.seen |= {
            "optimizer": type(getattr(made, "optimizer", made)),
            "dropout": {type(module) for module in more["model"].modules()},
            "lengths": type(more["train_dataloader"].batch_sampler),
        }
        if state.global_step == self.stop:
            control.should_training_stop = control.should_save = True


def train(folder: Path | str = "", **settings: Any) -> tunesmith.Run:
    return tunesmith.train(path("sms_spam"), output_dir=folder, **{**SETTINGS, **settings})


def weights(run: tunesmith.Run) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in run.model.state_dict().items()}


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first)


@dataclass(frozen=True)
class Whole:
    """A run with seed 0 that nothing stopped. Tests only read it."""

    run: tunesmith.Run
    folder: Path
    seen: dict[str, Any]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    look, folder = Look(), tmp_path_factory.mktemp("whole")
    return Whole(train(folder, seed=0, callbacks=[look]), folder, look.seen)


def test_a_fast_run_has_the_optimizer_dropout_and_batches_that_make_it_fast(whole: Whole) -> None:
    assert whole.seen["optimizer"] is optimizer.CpuAdamW
    assert dropout.Dropout in whole.seen["dropout"]
    assert whole.seen["lengths"] is ByLength
    assert whole.seen["sparse"], "gradients of the embedding were dense"


@pytest.mark.parametrize("stop", [3, 6], ids=["within an epoch", "in the second"])
def test_a_fast_run_stops_and_resumes_bit_for_bit(tmp_path: Path, whole: Whole, stop: int) -> None:
    stopped = train(tmp_path / "cut", seed=0, callbacks=[Look(stop)])
    assert not same(weights(stopped), weights(whole.run))
    torch.manual_seed(7)
    resumed = train(tmp_path / "cut", seed=0, checkpoint=True)
    assert same(weights(resumed), weights(whole.run))


def test_fp32_is_as_cheap_where_auto_takes_it_and_as_upstreams_where_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    looks = {name: Look() for name in ("auto", "fp32")}
    runs = {name: train(tmp_path / name, seed=0, precision=name, callbacks=[looks[name]]) for name in looks}
    assert dropout.Dropout in looks["auto"].seen["dropout"]
    assert dropout.Dropout not in looks["fp32"].seen["dropout"]
    train(tmp_path / "cut", seed=0, precision="auto", callbacks=[Look(3)])
    assert same(weights(train(tmp_path / "cut", seed=0, precision="auto", checkpoint=True)), weights(runs["auto"]))


def test_a_copy_of_a_model_made_in_training_is_what_the_model_was(tmp_path: Path) -> None:
    class Keep(TrainerCallback):
        copied: Any = None
        saved: Any = None

        def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            if state.global_step == 4:
                Keep.copied = deepcopy(more["model"])
                Keep.saved = {name: value.clone() for name, value in more["model"].state_dict().items()}
                torch.save(more["model"], tmp_path / "model.pt")

    run = train(max_steps=8, callbacks=[Keep()])
    assert not same(weights(run), Keep.saved)
    assert same(dict(Keep.copied.state_dict()), Keep.saved)
    kinds = {type(module) for module in Keep.copied.modules()}
    assert torch.nn.Embedding in kinds
    assert tables.Table not in kinds
    read = torch.load(tmp_path / "model.pt", weights_only=False)
    assert same(dict(read.state_dict()), Keep.saved)


def test_evaluation_between_steps_changes_nothing(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"max_steps": 8, "validation": 0.3, "load_best_model_at_end": False}
    plain = weights(train(tmp_path / "plain", eval_strategy="no", **settings))
    watched = weights(train(tmp_path / "watched", eval_strategy="steps", eval_steps=2, **settings))
    assert same(plain, watched)


def test_a_fast_run_repeats_and_another_seed_differs(whole: Whole) -> None:
    again, other = (weights(train(seed=seed)) for seed in (0, 1))
    assert same(weights(whole.run), again)
    assert not same(weights(whole.run), other)


def test_the_model_is_as_others_after_fp32_weights_and_scores(whole: Whole) -> None:
    run = whole.run
    assert {value.dtype for value in run.model.state_dict().values()} == {torch.float32}
    assert not any(isinstance(module, dropout.Dropout) for module in run.model.modules())
    texts = ["free entry in a weekly competition", "see you at home tonight"]
    mine, again = run.predict(texts), tunesmith.load(whole.folder).predict(texts)
    for one, other in zip(mine, again, strict=True):
        assert one.scores == pytest.approx(other.scores, abs=1e-6)  # bf16 has three digits


def test_gradients_are_clipped_to_the_norm_that_is_asked_for() -> None:
    start = train(max_steps=1, learning_rate=0.0)
    moved = []
    for norm in (1e-12, 1.0):
        run = train(
            max_steps=1, learning_rate=1e-3, max_grad_norm=norm, adam_epsilon=1e-6, weight_decay=0.0, warmup_steps=0
        )
        after = weights(run)
        moved.append(max(float((after[name] - value).abs().max()) for name, value in weights(start).items()))
    assert moved[0] < 1e-3 * moved[1], "beside a large epsilon, clipped gradients move nothing"


def test_a_model_trained_again_or_stopped_by_an_error_is_in_its_own_precision() -> None:
    class Stop(TrainerCallback):
        def on_step_end(self, *args: Any, **more: Any) -> None:
            raise KeyboardInterrupt

    class Types(TrainerCallback):
        found: torch.dtype | None = None

        def on_step_begin(self, args: Any, state: Any, control: Any, **more: Any) -> None:
            layer = next(module for module in more["model"].modules() if isinstance(module, torch.nn.Linear))
            layer.register_forward_hook(lambda module, given, out: Types.see(out))

        @classmethod
        def see(cls, out: torch.Tensor) -> None:
            if torch.is_grad_enabled():
                cls.found = out.dtype

    def plain(model: Any) -> torch.dtype:
        found: torch.dtype = model(**run.tokenizer("a text", return_tensors="pt")).logits.dtype
        return found

    run = train(max_steps=1)
    live = (run.model, run.tokenizer)
    texts = run.tokenizer("a text", return_tensors="pt")
    assert run.model(**texts, return_dict=False)[0].dtype == torch.float32
    with pytest.raises(KeyboardInterrupt):
        train(base=live, callbacks=[Stop()])
    assert "forward" not in vars(run.model)
    assert plain(run.model) == torch.float32
    assert not any(isinstance(module, dropout.Dropout) for module in run.model.modules())
    train(base=live, max_steps=1, callbacks=[Types()])
    assert Types.found == torch.bfloat16, "the second training was not in the precision that it named"


@pytest.mark.parametrize(
    ("precision", "before", "after"), [("bf16", None, "256"), ("bf16", "7", "7"), ("fp32", None, None)]
)
def test_few_compiled_kernels_are_kept_unless_the_user_says_how_many(
    monkeypatch: pytest.MonkeyPatch, precision: str, before: str | None, after: str | None
) -> None:
    name, _ = engine.KERNELS
    monkeypatch.setenv(name, before or "")
    if before is None:
        monkeypatch.delenv(name)
    train(max_steps=1, precision=precision)
    assert os.environ.get(name) == after


def test_each_part_is_off_by_its_setting() -> None:
    look = Look()
    train(
        precision="fp32",
        optim="adafactor",
        train_sampling_strategy="random",
        max_steps=1,
        callbacks=[look],
    )
    assert look.seen["optimizer"] is not optimizer.CpuAdamW
    assert dropout.Dropout not in look.seen["dropout"]
    assert look.seen["lengths"] is not ByLength
    train(precision="fp32", max_steps=1, callbacks=[look], optim="adamw_torch")
    assert look.seen["optimizer"] is torch.optim.AdamW
    train(precision="fp32", max_steps=1, callbacks=[look])
    assert look.seen["optimizer"] is optimizer.CpuAdamW
    assert look.seen["lengths"] is ByLength
    assert dropout.Dropout not in look.seen["dropout"], "in fp32 torch draws as ever"


def test_an_optimizer_of_the_users_own_is_taken_and_gets_dense_gradients() -> None:
    class Dense(torch.optim.SGD):
        dense: bool | None = None

        def step(self, closure: Any = None) -> Any:
            grads = [each.grad for group in self.param_groups for each in group["params"] if each.grad is not None]
            Dense.dense = bool(grads) and not any(grad.is_sparse for grad in grads)
            return super().step(closure)

    base = tunesmith.train(path("sms_spam"), **{**SETTINGS, "max_steps": 1})
    made = Dense(base.model.parameters(), lr=1e-3)
    train(base=(base.model, base.tokenizer), optimizers=(made, None), max_steps=1)
    assert Dense.dense


def test_what_is_taken_is_said() -> None:
    told: list[str] = []
    train(max_steps=1, listener=lambda name, values: told.append(f"{name} {values}"))
    assert any(re.search(r"bf16 arithmetic", line) for line in told)


def test_gradients_that_are_reduced_sharded_or_on_a_gpu_are_dense() -> None:
    class Args:
        world_size, device = 2, torch.device("cpu")

    class Two:
        args, is_fsdp_enabled, is_deepspeed_enabled = Args, False, False

    assert not engine.alone(Two())
    Args.world_size = 1
    assert engine.alone(Two())
    Two.is_fsdp_enabled = True
    assert not engine.alone(Two())
