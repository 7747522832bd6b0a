"""A layer of BERT's kind on a CPU: attention and feed-forward, each one function with its gradient written out.

On short texts the products of a step take less time than what stands between them: modules, autograd's nodes, casts,
memory. Here queries, keys and values are one product, and what comes in is cast once. It computes what the modules do
(Devlin et al. 2018, after Vaswani et al. 2017), to rounding; dropout and its draws are those of `dropout`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional

from .dropout import bits, gradients, of_bits, probabilities

STEP = 32  # rows of a product in bf16 are a multiple of it


@dataclass(frozen=True, slots=True)
class Form:
    """What a layer computes with, beside its weights.

    dtype: of its products; what comes in and goes out is fp32. eps: of the norms after attention and after the
    feed-forward. dropped: of attention's probabilities, after attention, after the feed-forward. inside: the type of
    the products with queries, keys and values. first: it returns its first token alone, (batch, 1, width).
    """

    dtype: torch.dtype
    eps: tuple[float, float]
    dropped: tuple[float, float, float]
    heads: int
    scale: float
    inside: torch.dtype
    first: bool = False


def applied(
    hidden: torch.Tensor, mask: torch.Tensor | None, form: Form, weights: Sequence[torch.Tensor]
) -> torch.Tensor:
    """What the layer makes of `hidden`, (batch, tokens, width), fp32.

    mask: True where attended to, (batch or 1, 1, tokens, tokens). weights: weight and bias of queries, keys, values,
    attention's output, its norm, both products of the feed-forward and its norm.
    """
    batch, tokens, width = hidden.shape
    rows = batch if form.first else batch * tokens
    drawn: Sequence[Any] = (None, None, None)
    if any(form.dropped):
        counts = [form.heads * rows * tokens, rows * width, rows * width]
        drawn = torch.split_with_sizes(bits(sum(counts)), counts)
    attend: Any = Attending.apply
    feed: Any = Feeding.apply
    with torch.autocast("cpu", enabled=False):  # each product has its type
        made: torch.Tensor = feed(attend(hidden, mask, form, drawn[:2], *weights[:10]), form, drawn[2], *weights[10:])
    return made


class Attending(torch.autograd.Function):
    """Self-attention, its output, dropout, what came in added, norm.

    Takes hidden (batch, tokens, width); a mask, True where attended to, (batch, 1, tokens, tokens), or None; a `Form`;
    the bits of both dropouts; weight and bias of queries, keys, values, output and norm.
    """

    @staticmethod
    def forward(ctx: Any, *given: Any) -> Any:
        hidden, mask, form, drawn, *weights = given
        shape, width = hidden.shape, hidden.shape[-1]
        low = _low(hidden.reshape(-1, width), form.dtype)
        joined, biases = (_together(weights[place:6:2], form.dtype) for place in (0, 1))
        query, key, value = _projected(low, joined, biases, shape, form)
        found = probabilities(query, key, mask[:, :, :1] if form.first and mask is not None else mask, form.scale)
        kept = _kept(drawn[0], form.dropped[0], found)
        attended = _flat([torch.matmul(found if kept is None else found * kept, value)], form.dtype)
        own = hidden[:, 0] if form.first else hidden.reshape(-1, width)
        made, *closed = _closed(own, attended, weights[6:], form.eps[0], (drawn[1], form.dropped[1]))
        ctx.save_for_backward(low, joined, query, key, value, found, kept, *closed)
        ctx.form, ctx.shape = form, shape
        return made.view(shape[0], -1, width)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Any) -> Any:
        low, joined, query, key, value, found, kept, *closed = ctx.saved_tensors
        form, shape = ctx.form, ctx.shape
        own, attended, of_closing = _opened(grads[0].reshape(-1, shape[-1]), closed, form)
        (grad,) = _split(attended, 1, query.shape, form)
        parts = gradients(query, key, value, found, kept, grad, scale=form.scale)
        passed, of_weights, of_biases = _unprojected(parts, low, joined, shape, form.dtype)
        if form.first:
            passed = passed.float().view(shape)
            passed[:, 0] += own
        else:
            passed = own.add_(passed).view(shape)
        of_projections = [each for pair in zip(of_weights, of_biases, strict=True) for each in pair]
        return passed, None, None, None, *of_projections, *of_closing


class Feeding(torch.autograd.Function):
    """Feed-forward with GELU, dropout, what came in added, norm.

    Takes hidden (batch, tokens, width), a `Form`, bits of dropout, weight and bias of both products and of the norm.
    """

    @staticmethod
    def forward(ctx: Any, *given: Any) -> Any:
        hidden, form, drawn, *weights = given
        own = hidden.reshape(-1, hidden.shape[-1])
        low, up = _low(own, form.dtype), weights[0].to(form.dtype)
        before = torch.addmm(weights[1].to(form.dtype), low, up.t())
        made, *closed = _closed(own, functional.gelu(before), weights[2:], form.eps[1], (drawn, form.dropped[2]))
        ctx.save_for_backward(low, up, before, *closed)
        ctx.form = form
        return made.view(hidden.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Any) -> Any:
        low, up, before, *closed = ctx.saved_tensors
        own, activated, of_closing = _opened(grads[0].reshape(-1, low.shape[-1]), closed, ctx.form)
        grad = torch.ops.aten.gelu_backward(activated, before)
        passed = own.add_(torch.mm(grad, up)[: len(own)]).view(grads[0].shape)
        return passed, None, None, *_of(grad, low), *of_closing


def _kept(drawn: torch.Tensor, p: float, like: torch.Tensor) -> torch.Tensor | None:
    """What dropout multiplies by."""
    return of_bits(drawn.view(like.shape), p, like.dtype).mul_(1 / (1 - p)) if p else None


def _closed(
    own: torch.Tensor, given: torch.Tensor, weights: Sequence[Any], eps: float, dropped: Any
) -> tuple[Any, ...]:
    """The norm of `own`, (rows, width), plus a product that is dropped from; and what the way back needs of it.

    dropped: bits, and the share of zeros.
    """
    weight, bias, scale, shift = weights
    low = weight.to(given.dtype)
    made = torch.addmm(bias.to(given.dtype), given, low.t())[: len(own)]
    kept = _kept(dropped[0], dropped[1], made)
    total = own + (made if kept is None else made.mul_(kept))
    out, mean, spread = torch.native_layer_norm(total, total.shape[-1:], scale, shift, eps)
    return out, given, low, kept, total, mean, spread, scale, shift


def _opened(grad: torch.Tensor, closed: Sequence[Any], form: Form) -> tuple[torch.Tensor, torch.Tensor, Any]:
    """The gradients of `own` and `given` of `_closed`, and of its weights in order."""
    given, low, kept, total, mean, spread, *norm = closed
    backward = torch.ops.aten.native_layer_norm_backward
    own, *of_norm = backward(grad, total, total.shape[-1:], mean, spread, *norm, [True, True, True])
    made = _low(own, form.dtype)
    if kept is not None and made is own:
        made = own * kept
    elif kept is not None:
        made[: len(own)].mul_(kept)
    return own, torch.mm(made, low), (*_of(made, given), *of_norm)


def _of(grad: torch.Tensor, given: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The gradients of a product's weight and bias; grad: of what it made of `given`."""
    return torch.mm(grad.t(), given).float(), grad.sum(0).float()


def _together(parts: Sequence[torch.Tensor], dtype: torch.dtype) -> torch.Tensor:
    """Equal tensors one under the other."""
    made = torch.empty(len(parts), *parts[0].shape, dtype=dtype)
    for place, each in enumerate(parts):
        made[place] = each
    return made.flatten(0, 1)


def _rows(count: int, width: int, dtype: torch.dtype) -> torch.Tensor:
    """Room for so many rows. In bf16 some more follow, of zeros, so that few numbers of rows occur.

    oneDNN makes a kernel for each number of rows, in the time that the product itself takes.
    """
    step = max(STEP, 2 ** (count // 8).bit_length() // 2) if dtype == torch.bfloat16 and count > STEP else 1
    made = torch.empty(-(-count // step) * step, width, dtype=dtype)
    made[count:] = 0
    return made


def _low(rows: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """The rows in this type, and zeros, see `_rows`; themselves where they have it."""
    if rows.dtype == dtype:
        return rows
    made = _rows(len(rows), rows.shape[-1], dtype)
    made[: len(rows)] = rows
    return made


def _split(flat: torch.Tensor, parts: int, shape: Sequence[int], form: Form) -> Sequence[torch.Tensor]:
    """(batch * tokens or more, parts * heads * width) as parts of `shape`, (batch, heads, tokens, width)."""
    batch, heads, tokens, width = shape
    split = flat[: batch * tokens].view(batch, tokens, parts, heads, width).permute(2, 0, 3, 1, 4)
    return torch.empty(split.shape, dtype=form.inside).copy_(split).unbind()


def _flat(parts: Sequence[torch.Tensor], dtype: torch.dtype) -> torch.Tensor:
    """The way back from `_split`."""
    batch, heads, tokens, width = parts[0].shape
    made = _rows(batch * tokens, len(parts) * heads * width, dtype)
    split = made[: batch * tokens].view(batch, tokens, len(parts), heads, width)
    for place, each in enumerate(parts):
        split[:, :, place] = each.transpose(1, 2)
    return made


def _projected(low: Any, joined: Any, biases: Any, shape: Sequence[int], form: Form) -> Sequence[torch.Tensor]:
    """Queries, keys and values, (batch, heads, tokens, width of a head) each."""
    (batch, tokens, _), inner = shape, len(joined) // 3
    whole = batch, form.heads, tokens, inner // form.heads
    if not form.first:
        return _split(torch.addmm(biases, low, joined.t()), 3, whole, form)
    query = torch.addmm(biases[:inner], _first(low, shape).contiguous(), joined[:inner].t())
    both = torch.addmm(biases[inner:], low, joined[inner:].t())
    return *_split(query, 1, (batch, form.heads, 1, whole[-1]), form), *_split(both, 2, whole, form)


def _unprojected(parts: Any, low: Any, joined: Any, shape: Sequence[int], dtype: torch.dtype) -> tuple[Any, Any, Any]:
    """The gradients of what came in, and of weights and biases of queries, keys and values; parts: of these three."""
    count, inner = shape[0] * shape[1], len(joined) // 3
    if parts[0].shape == parts[1].shape:
        grad = _flat(parts, dtype)
        weight, bias = _of(grad, low)
        return torch.mm(grad, joined)[:count], weight.chunk(3), bias.chunk(3)
    query, both = _flat(parts[:1], dtype), _flat(parts[1:], dtype)
    passed = torch.mm(both, joined[inner:])[:count]
    _first(passed, shape).add_(torch.mm(query, joined[:inner]))
    (own, own_bias), (weight, bias) = _of(query, _first(low, shape).contiguous()), _of(both, low)
    return passed, (own, *weight.chunk(2)), (own_bias, *bias.chunk(2))


def _first(rows: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """The first token of each text, (batch, width), in the rows themselves; products want a copy, which is fast."""
    return rows[: shape[0] * shape[1]].view(*shape[:2], -1)[:, 0]
