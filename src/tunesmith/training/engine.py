"""What makes a step fast, put around a `Trainer`: batches of like length, lean tables, cheap dropout, known logits.

Nothing is computed that no loss reads, see `first_token`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch.utils.data import DataLoader
from transformers import Trainer
from transformers.trainer_utils import seed_worker

from . import dropout, first_token, layers, taught
from .optimizer import CpuAdamW, fades
from .sampling import ByLength, lengths
from .tables import lean, tables

BY_LENGTH = "group_by_length"
KERNELS = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "256")  # else 1024 are kept, of 0.6 MB each at most
ADAMW = "adamw_torch_fused"  # upstream's default; "adamw_torch" is torch's own, dense


def train_dataloader(trainer: Any) -> Any:
    """Training batches of like length, as upstream prepares a loader; None where the data or the user want another."""
    args, features = trainer.args, trainer.train_dataset
    if not hasattr(features, "column_names") or not (trainer.by_length or args.train_sampling_strategy == BY_LENGTH):
        return None
    if "input_ids" not in features.column_names or len(features) == 0:
        return None
    micro = trainer._train_batch_size  # what `auto_find_batch_size` has come to
    trainer.sampler = ByLength(
        lengths(features),
        micro=micro,
        batch=micro * args.gradient_accumulation_steps * args.world_size,
        seed=args.seed if args.data_seed is None else args.data_seed,
        drop_last=args.dataloader_drop_last,
    )
    loader: Any = DataLoader(
        features,
        batch_sampler=trainer.sampler,
        collate_fn=trainer.data_collator,
        num_workers=args.dataloader_num_workers,
        pin_memory=args.dataloader_pin_memory and args.device.type != "cpu",
        persistent_workers=args.dataloader_persistent_workers,
        prefetch_factor=args.dataloader_prefetch_factor,
        multiprocessing_context=args.dataloader_multiprocessing_context,
        in_order=args.dataloader_in_order,
        worker_init_fn=partial(seed_worker, num_workers=args.dataloader_num_workers, rank=args.process_index),
    )
    return trainer.accelerator.prepare(loader)


def optimizer(trainer: Any, model: Any) -> Any:
    """AdamW that spends no time on rows that do not occur; None where no table has them, or another is named."""
    args = trainer.args
    betas = (args.adam_beta1, args.adam_beta2)
    plain = args.optim == ADAMW and not (args.optim_args or args.fp16 or args.torch_compile)
    others = trainer.optimizer_cls_and_kwargs or trainer.model_init  # a model made later has other tables
    if others or not (plain and alone(trainer) and fades(betas) and tables(model)):
        return None
    decayed = set(trainer.get_decay_parameter_names(model))
    trained = [(name, each) for name, each in model.named_parameters() if each.requires_grad]
    groups = [
        {"params": [each for name, each in trained if (name in decayed) == decays], "weight_decay": decay}
        for decays, decay in ((True, args.weight_decay), (False, 0.0))
    ]
    return CpuAdamW(groups, lr=args.learning_rate, betas=betas, eps=args.adam_epsilon)


def model_for_evaluation(trainer: Any) -> Any:
    """The run's model as it is evaluated: in the precision of evaluation, and on its device."""
    args = trainer.args
    if trainer.is_deepspeed_enabled or trainer.is_fsdp_enabled:
        return trainer.model_wrapped
    if not trainer.accelerator._models:  # never trained: this adds the autocast of mixed precision, as upstream does
        trainer.accelerator.prepare_model(trainer.model, evaluation_mode=True)
    if not trainer.is_in_train and (args.fp16_full_eval or args.bf16_full_eval):
        trainer.model.to(dtype=torch.float16 if args.fp16_full_eval else torch.bfloat16, device=args.device)
    if callable(getattr(trainer.optimizer, "eval", None)):  # schedule-free optimizers
        trainer.optimizer.eval()
    return trainer.model


def alone(trainer: Any) -> bool:
    """Whether gradients stay in this process, on its CPU: none is reduced, sharded or scaled."""
    sharded = trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled
    return trainer.args.device.type == "cpu" and trainer.args.world_size == 1 and not sharded


def cpu_optimizer(trainer: Any) -> CpuAdamW | None:
    """The run's `CpuAdamW`, under accelerate's wrapping; None where it has another."""
    inner = getattr(trainer.optimizer, "optimizer", trainer.optimizer)
    return inner if isinstance(inner, CpuAdamW) else None


class Lean(Trainer):
    """What a trainer of upstream's inherits from first, to take steps by `CpuAdamW` where it can."""

    optimizer: Any

    def create_optimizer(self, model: Any = None) -> Any:
        """Upstream's, or AdamW that does less for the same steps; each takes the other's state."""
        if self.optimizer is None:
            self.optimizer = optimizer(self, self.model if model is None else model)
        return super().create_optimizer(model)

    def _clip_grad_norm(self, model: Any) -> Any:
        rows = cpu_optimizer(self)
        return super()._clip_grad_norm(model) if rows is None else rows.clip(self.args.max_grad_norm)

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
        rows = cpu_optimizer(self)
        return rows.clip(0) if rows is not None and grad_norm is None else super()._get_grad_norm(model, grad_norm)


@contextmanager
def lean_steps(trainer: Any) -> Iterator[None]:
    """The model's large embeddings are ready for the optimizer of `Lean` meanwhile."""
    if alone(trainer):  # else the optimizer may have to wait for the wrapped model
        trainer.create_optimizer()
    made = cpu_optimizer(trainer)
    with nullcontext() if made is None else lean(trainer.model, made):
        yield


@contextmanager
def fast(trainer: Any) -> Iterator[None]:
    """The model is made ready for fast steps meanwhile; in fp32 that is not cheap dropout draws as torch does."""
    cheap = trainer.cheap or trainer.args.bf16 or trainer.args.fp16
    with ExitStack() as stack:
        stack.enter_context(lean_steps(trainer))
        if cheap and trainer.args.device.type == "cpu":
            os.environ.setdefault(*KERNELS)
            stack.enter_context(dropout.fast(trainer.model))
        if not (trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled):
            if cheap:
                stack.enter_context(first_token.only(trainer.model))
                stack.enter_context(layers.at_once(trainer.model))
            stack.enter_context(_own_forward(trainer.model))
        stack.enter_context(taught.once(trainer))
        yield


@contextmanager
def _own_forward(model: Any) -> Iterator[None]:
    """The model has its own `forward` again after, in its own precision, and may be prepared anew.

    accelerate puts mixed precision around it; its way back takes off transformers' decorators too.
    """
    added = ("forward", "_original_forward", "_is_accelerate_prepared")
    before = {name: vars(model)[name] for name in added if name in vars(model)}
    try:
        yield
    finally:
        for name in added:
            vars(model).pop(name, None)
        vars(model).update(before)
