"""Cross-entropy over a large vocabulary, in chunks of tokens: neither a 32-bit copy nor a softmax of all is held."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.nn.functional import cross_entropy

IGNORED = -100  # a target that is no loss item, as in torch's cross_entropy
LARGE = 64 * 2**20  # bytes of logits in 32 bits, beyond which they are taken in chunks
CHUNK = 8 * 2**20  # bytes of a chunk in 32 bits: small enough for a cache, large enough that starting it is nothing


def summed(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The sum of the losses, in 32-bit arithmetic; 0 where every target is ignored.

    logits: (…, classes), targets: (…), of as many items. What goes backward through large logits is written over
    them, so they are read no more after that.
    """
    flat, wanted = logits.reshape(-1, logits.shape[-1]), targets.reshape(-1)
    if not large(logits):
        return cross_entropy(flat.float(), wanted, ignore_index=IGNORED, reduction="sum")
    total: torch.Tensor = _Chunked.apply(flat, wanted, not logits.is_leaf)  # type: ignore[no-untyped-call]
    return total


def large(logits: torch.Tensor) -> bool:
    """Whether logits are taken in chunks."""
    return 4 * logits.numel() > LARGE


class _Chunked(torch.autograd.Function):
    """(items, classes), (items,) and whether the gradient may take the logits' place -> a scalar."""

    @staticmethod
    def forward(ctx: Any, logits: torch.Tensor, targets: torch.Tensor, over: bool) -> torch.Tensor:
        # of an item: its largest, the log of its exponentials' sum and its right one, both without the largest
        tops, norms, rights = torch.zeros(3, len(logits), device=logits.device)
        for items in _chunks(targets, logits.shape[-1]):
            chosen = logits[items].float()
            tops[items] = chosen.amax(-1)
            chosen = chosen - tops[items, None]
            rights[items] = chosen.gather(1, targets[items, None])[:, 0]
            norms[items] = chosen.exp_().sum(-1).log_()
        ctx.save_for_backward(logits, targets, tops, norms)
        ctx.over = over
        total: torch.Tensor = (norms - rights).sum()
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        logits, targets, tops, norms = ctx.saved_tensors
        made = logits.detach() if ctx.over else torch.empty_like(logits)
        for items in _chunks(targets, logits.shape[-1]):
            chosen = torch.sub(logits[items].float(), tops[items, None]).sub_(norms[items, None]).exp_()
            chosen.scatter_add_(1, targets[items, None], chosen.new_full((len(chosen), 1), -1.0))
            made[items] = chosen.mul_(gradients[0]).to(made.dtype)
        made[targets.eq(IGNORED)] = 0
        return made, None, None


def _chunks(targets: torch.Tensor, classes: int) -> Iterator[Any]:
    """The places of the items that count, a chunk at a time; a slice where they are neighbours."""
    rows = max(1, CHUNK // (4 * classes))
    places = targets.ne(IGNORED).nonzero()[:, 0]
    if len(places) == len(targets):
        yield from (slice(start, start + rows) for start in range(0, len(targets), rows))
    else:
        yield from (places[start : start + rows] for start in range(0, len(places), rows))
