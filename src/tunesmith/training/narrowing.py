"""Packed rows set anew in narrow blocks: a row costs what its tokens cost, not what a wide block's attention does."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .merging import best_fit
from .recipe import Batch

NARROWEST = 64  # tokens of a block: below, attention costs next to nothing
PADDING = 0.05  # of the tokens of narrow blocks, at most


def narrowed(batch: Batch, fills: dict[str, int], *, multiple: int | None = None) -> Batch:
    """The same rows with the same positions in more and narrower blocks; the batch itself where none are narrower.

    In a block of n tokens each token's attention is computed over n tokens, most of which the mask takes away. A block
    as wide as the longest row, or a little wider where rows then fit better, has less to take away. A sum over tokens
    stays what it was, so this is for training alone: a block is no longer a feature.

    batch: (blocks, tokens) each; `attention_mask` numbers a block's rows from 1 and is 0 on padding. fills: what
    padding holds; 0 for keys that it lacks. multiple: of which a width is.
    """
    numbers = batch["attention_mask"].numpy()
    first, lengths = _rows(numbers)
    step = multiple or 1
    width = -(-max(int(lengths.max(initial=1)), NARROWEST) // step) * step
    while 2 * width <= numbers.shape[1]:
        blocks = best_fit(lengths.tolist(), width)
        if len(blocks) * width * (1 - PADDING) <= lengths.sum():
            return _set(batch, fills, blocks, first, lengths, width)
        width = -(-5 * width // (4 * step)) * step
    return batch


def _rows(numbers: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each row begins among all tokens of the batch, block after block, and its length."""
    before = np.pad(numbers[:, :-1], ((0, 0), (1, 0)))
    real = numbers.ravel() != 0
    first = np.flatnonzero((numbers != before).ravel() & real)
    return first, np.add.reduceat(real, first, dtype=np.int64) if len(first) else first


def _set(
    batch: Batch,
    fills: dict[str, int],
    blocks: list[list[int]],
    first: NDArray[np.int64],
    lengths: NDArray[np.int64],
    width: int,
) -> Batch:
    taken = np.full((len(blocks), width), -1)
    numbers = np.zeros((len(blocks), width), dtype=np.int64)
    for block, rows in enumerate(blocks):
        end = 0
        for number, row in enumerate(rows, start=1):
            here = slice(end, end + int(lengths[row]))
            taken[block, here] = np.arange(first[row], first[row] + lengths[row])
            numbers[block, here] = number
            end = here.stop
    places = torch.from_numpy(taken)
    made = {
        key: torch.where(places < 0, fills.get(key, 0), values.flatten()[places.clamp(min=0)])
        for key, values in batch.items()
    }
    return {**made, "attention_mask": torch.from_numpy(numbers)}
