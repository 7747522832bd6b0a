"""Dropout on a CPU from cheap random bits.

torch draws a double for each element, one after the other: on short texts a sixth of a step, on 512 tokens, where
attention has 25 million probabilities a layer, more than half of it. Here an element takes 16 bits of a fast generator
(p is met to 1/65536), seeded from torch's own state, so that runs repeat, resume and recompute as before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.autograd.function import once_differentiable
from transformers import AttentionInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

ATTENTION = "tunesmith_cpu"
_LEVELS = 2**16


def keep(shape: torch.Size, p: float, dtype: torch.dtype) -> torch.Tensor:
    """0 with probability p, else 1 / (1 - p): what dropout multiplies by. A CPU tensor."""
    count = prod(shape)
    if count == 0:
        return torch.empty(shape, dtype=dtype)
    seed = int(torch.randint(2**63 - 1, ()))
    level = min(round(p * _LEVELS), _LEVELS - 1)
    bits = torch.from_numpy(np.random.SFC64(seed).random_raw(-(-count // 4))).view(torch.int16)[:count].view(shape)
    kept = torch.ge(bits, level - _LEVELS // 2, out=torch.empty(shape, dtype=dtype))
    return kept.mul_(1 / (1 - p))


class Dropout(nn.Dropout):
    """`nn.Dropout` whose mask comes from `keep`."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        drops = self.training and 0 < self.p < 1 and input.device.type == "cpu"
        return input * keep(input.shape, self.p, input.dtype) if drops else super().forward(input)


class _Attention(torch.autograd.Function):
    """softmax(q kᵀ · scale) with dropout, times v; (batch, heads, tokens, width) each.

    mask: True where attended to, or what is added to the scores.
    """

    @staticmethod
    def forward(ctx: Any, *given: Any) -> Any:
        query, key, value, mask, p, scale = given
        scores = torch.matmul(query, key.transpose(-1, -2)).mul_(scale)  # (batch, heads, queries, keys)
        if mask is not None and mask.dtype == torch.bool:
            scores.masked_fill_(~mask, torch.finfo(scores.dtype).min)
        elif mask is not None:
            scores.add_(mask).clamp_(min=torch.finfo(scores.dtype).min)  # of -inf alone, a softmax makes nan
        probabilities = scores.softmax(-1)
        kept = keep(probabilities.shape, p, probabilities.dtype)
        ctx.save_for_backward(query, key, value, probabilities, kept)
        ctx.scale = scale
        return torch.matmul(probabilities * kept, value)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Any) -> Any:
        (query, key, value, probabilities, kept), grad = ctx.saved_tensors, grads[0]
        for_value = torch.matmul((probabilities * kept).transpose(-1, -2), grad)
        through = torch.matmul(grad, value.transpose(-1, -2)).mul_(kept)
        scores = torch._softmax_backward_data(through, probabilities, -1, probabilities.dtype).mul_(ctx.scale)
        for_key = torch.matmul(scores.transpose(-1, -2), query)
        return torch.matmul(scores, key), for_key, for_value, None, None, None


def attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    dropout: float = 0.0,
    scaling: float | None = None,
    is_causal: bool | None = None,
    **more: Any,
) -> tuple[torch.Tensor, Any]:
    """Attention as `AttentionInterface` of transformers takes it: torch's own wherever nothing is dropped."""
    ours = 0 < dropout < 1 and query.device.type == "cpu" and getattr(module, "num_key_value_groups", 1) == 1
    plain = attention_mask is None or not attention_mask.requires_grad
    same = query.dtype == key.dtype == value.dtype
    if not (ours and plain and same) or any(
        more.get(name) is not None for name in ("position_bias", "cache", "softcap")
    ):
        torchs: tuple[torch.Tensor, Any] = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, is_causal=is_causal, **more
        )
        return torchs
    causal = is_causal if is_causal is not None else getattr(module, "is_causal", True)
    if attention_mask is None and causal and query.shape[2] > 1:
        attention_mask = torch.ones(query.shape[2], key.shape[2], dtype=torch.bool).tril()
    scale = scaling if scaling is not None else query.shape[-1] ** -0.5
    with torch.autocast("cpu", enabled=False):  # what comes in has its type already
        attend: Any = _Attention.apply
        attended = attend(query, key, value, attention_mask, dropout, scale)
    return attended.transpose(1, 2).contiguous(), None


@contextmanager
def fast(model: nn.Module) -> Iterator[None]:
    """The model's dropout, that of attention too, is ours meanwhile."""
    AttentionInterface.register(ATTENTION, attention)
    AttentionMaskInterface.register(ATTENTION, sdpa_mask)
    places = [
        (parent, name, child)
        for parent in model.modules()
        for name, child in parent.named_children()
        if type(child) is nn.Dropout
    ]
    attending: list[Any] = [module for module in model.modules() if _attends(module)]
    try:
        for parent, name, child in places:
            setattr(parent, name, Dropout(child.p, child.inplace).train(child.training))
        for module in attending:
            module.set_attn_implementation(ATTENTION)
        yield
    finally:
        for parent, name, child in places:
            setattr(parent, name, child.train(getattr(parent, name).training))
        for module in attending:
            module.set_attn_implementation("sdpa")


def _attends(module: nn.Module) -> bool:
    """Whether this is a model whose attention can be set by name, and is torch's now in all of its parts."""
    if not isinstance(module, PreTrainedModel):
        return False
    parts = [each for each in module.modules() if isinstance(each, PreTrainedModel)]
    return all(each.config._attn_implementation == "sdpa" and each._can_set_attn_implementation() for each in parts)
