"""Dropout on a CPU from cheap random bits.

torch draws a double for each element, one after the other: on short texts a sixth of a step, on 512 tokens, where
attention has 25 million probabilities a layer, more than half of it. Here an element takes 16 bits of a fast generator
(p is met to 1/65536), seeded from torch's own state, so that runs repeat, resume and recompute as before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
WHOLE = 2**21  # probabilities, of all rows and heads, that are kept for the way back
_PART = 2**19  # probabilities that are computed at a time where there are more


def keep(shape: torch.Size, p: float, dtype: torch.dtype) -> torch.Tensor:
    """0 with probability p, else 1 / (1 - p): what dropout multiplies by. A CPU tensor."""
    return _drawn(shape, p, dtype, _seed()).mul_(1 / (1 - p)) if prod(shape) else torch.empty(shape, dtype=dtype)


def _seed() -> int:
    return int(torch.randint(2**63 - 1, ()))


def bits(count: int, seed: int | Sequence[int] | None = None) -> torch.Tensor:
    """So many of 16 bits, for `of_bits`; seed: None for one of torch's own state."""
    drawn = np.random.SFC64(_seed() if seed is None else seed).random_raw(-(-count // 4))
    return torch.from_numpy(drawn).view(torch.int16)[:count]


def of_bits(drawn: torch.Tensor, p: float, dtype: torch.dtype) -> torch.Tensor:
    """0 with probability p, else 1; drawn: of `bits`, in the form that is wanted."""
    level = min(round(p * _LEVELS), _LEVELS - 1)
    return torch.ge(drawn, level - _LEVELS // 2, out=torch.empty(drawn.shape, dtype=dtype))


def _drawn(shape: torch.Size, p: float, dtype: torch.dtype, seed: int | Sequence[int]) -> torch.Tensor:
    return of_bits(bits(prod(shape), seed).view(shape), p, dtype)


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
        found = probabilities(query, key, mask, scale)
        kept = keep(found.shape, p, found.dtype)
        ctx.save_for_backward(query, key, value, found, kept)
        ctx.scale = scale
        return torch.matmul(found * kept, value)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Any) -> Any:
        query, key, value, found, kept = ctx.saved_tensors
        made = gradients(query, key, value, found, kept, grads[0], scale=ctx.scale)
        return *made, None, None, None


class _AttentionByParts(torch.autograd.Function):
    """`_Attention` of long texts, a few heads at a time, whose probabilities stay in the cache: none is kept.

    The way back computes them again, and draws the same masks, from a seed for each part.
    """

    @staticmethod
    def forward(ctx: Any, *given: Any) -> Any:
        query, key, value, mask, p, scale = given
        if mask is not None and mask.dtype == torch.bool:  # adding a mask takes a tenth of filling by it
            mask = query.new_zeros(mask.shape).masked_fill_(~mask, torch.finfo(query.dtype).min)
        seed, out = _seed(), query.new_empty(*query.shape[:3], value.shape[-1])
        for place, part in enumerate(_parts(query, key)):
            there = probabilities(query[part] * scale, key[part], _of(mask, part))
            drawn = _drawn(there.shape, p, there.dtype, (seed, place))
            out[part] = torch.matmul(there.mul_(drawn), value[part])
        ctx.save_for_backward(query, key, value, mask)
        ctx.settings = p, scale, seed
        return out.mul_(1 / (1 - p))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Any) -> Any:
        (query, key, value, mask), (p, scale, seed), grad = ctx.saved_tensors, ctx.settings, grads[0]
        found = tuple(torch.empty_like(each) for each in (query, key, value))
        for place, part in enumerate(_parts(query, key)):
            scaled = query[part] * scale
            there = probabilities(scaled, key[part], _of(mask, part))
            drawn = _drawn(there.shape, p, there.dtype, (seed, place))
            made = gradients(scaled, key[part], value[part], there, drawn, grad[part] / (1 - p))
            for whole, each in zip(found, made, strict=True):
                whole[part] = each
        return found[0].mul_(scale), *found[1:], None, None, None


def probabilities(
    query: torch.Tensor, key: torch.Tensor, mask: torch.Tensor | None, scale: float = 1.0
) -> torch.Tensor:
    """(batch, heads, queries, keys)."""
    scores = torch.matmul(query, key.transpose(-1, -2))
    if scale != 1:
        scores.mul_(scale)
    if mask is not None and mask.dtype == torch.bool:
        scores.masked_fill_(~mask, torch.finfo(scores.dtype).min)
    elif mask is not None:
        scores.add_(mask).clamp_(min=torch.finfo(scores.dtype).min)  # of -inf alone, a softmax makes nan
    return scores.softmax(-1)


def gradients(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    found: torch.Tensor,
    kept: torch.Tensor | None,
    grad: torch.Tensor,
    *,
    scale: float = 1.0,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Of query, key and value. found: the probabilities; kept: what they were multiplied by."""
    for_value = torch.matmul((found if kept is None else found * kept).transpose(-1, -2), grad)
    through = torch.matmul(grad, value.transpose(-1, -2))
    if kept is not None:
        through.mul_(kept)
    scores = torch._softmax_backward_data(through, found, -1, found.dtype)
    if scale != 1:
        scores.mul_(scale)
    return torch.matmul(scores, key), torch.matmul(scores.transpose(-1, -2), query), for_value


def _parts(query: torch.Tensor, key: torch.Tensor) -> Iterator[tuple[slice, slice]]:
    """Rows and heads that are computed at a time: `_PART` probabilities at most, but one head of one row at least."""
    batch, heads = query.shape[:2]
    count = max(_PART // (query.shape[2] * key.shape[2]), 1)
    rows, step = max(count // heads, 1), min(count, heads)
    for row in range(0, batch, rows):
        for head in range(0, heads, step):
            yield slice(row, row + rows), slice(head, head + step)


def _of(mask: torch.Tensor | None, part: tuple[slice, slice]) -> torch.Tensor | None:
    """The part of a mask that has one for each row or for all, and one for each head or for all."""
    if mask is None or mask.dim() < 4:
        return mask
    rows, heads = part
    return mask[rows if mask.shape[0] > 1 else slice(None), heads if mask.shape[1] > 1 else slice(None)]


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
        many = prod(query.shape[:3]) * key.shape[2] > WHOLE
        attend: Any = (_AttentionByParts if many else _Attention).apply
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
