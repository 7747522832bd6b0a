"""Batches of rows of like length: what is padded is computed for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

Lengths = NDArray[np.int64]
PADDING = 0.03  # of all tokens in the batches, at most, where the rows allow it
GAIN = 0.002  # less padding that a window of twice the rows must bring
COLUMNS = ("input_ids", "labels")  # what is padded: a source, and a target where it has a length of its own


def lengths(features: Any) -> Lengths:
    """Tokens of each feature of a `datasets.Dataset`: (features, columns that are padded)."""
    lists = [name for name in COLUMNS if hasattr(features.features.get(name), "feature")]
    sizes = np.stack([column_lengths(features, name) for name in lists], axis=1)
    target = sizes[:, -1]
    beside = (target == sizes[:, 0]).all()  # a target a token counts once; one of a fixed length is never padded
    return sizes[:, :1] if beside or (target == target[:1]).all() else sizes


def column_lengths(features: Any, name: str) -> Lengths:
    """Items of each row's list in one column of a `datasets.Dataset`: (features,)."""
    import pyarrow.compute as pc

    column = features.with_format("arrow")[:][name] if features._indices is not None else features.data[name]
    found: Lengths = pc.list_value_length(column).to_numpy().astype(np.int64)
    return found


class ByLength(Sampler[list[int]]):
    """Places of features in micro-batches, in an order that the seed and the epoch decide.

    Rows are shuffled; within a window of the shuffled rows they are sorted by length and cut into the batches of the
    optimizer, and these are shuffled again. The window is the smallest (in powers of two of a batch) that keeps padding
    within `padding`: the more rows meet by chance, the better. A batch of the optimizer is cut into micro-batches of
    neighbouring lengths, so that it holds the same rows however it is cut. The rows of the last, shorter batch are
    drawn by chance.

    sizes: (features, columns), tokens. micro: rows of a micro-batch. batch: rows of a step of the optimizer, over all
    processes; a multiple of micro.
    """

    def __init__(
        self, sizes: Lengths, *, micro: int, batch: int, seed: int, drop_last: bool = False, padding: float = PADDING
    ) -> None:
        if batch % micro:
            raise ValueError(f"a batch of {batch} rows is not cut into micro-batches of {micro}")
        self.sizes, self.batch_size, self.batch, self.seed, self.drop_last = sizes, micro, batch, seed, drop_last
        self.epoch = 0
        self.window = self._window(padding)

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.sizes) // self.batch_size if self.drop_last else -(-len(self.sizes) // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        found, last = self._batches(self.epoch, self.window)
        for batch in chain(found, [last] if len(last) else []):
            for start in range(0, len(batch), self.batch_size):
                micro = batch[start : start + self.batch_size]
                if len(micro) == self.batch_size or not self.drop_last:
                    yield micro.tolist()

    def share(self) -> float:
        """The share of padding among all tokens of the first epoch's batches; micro-batches have no more."""
        return self._padding(self.window)

    def _batches(self, epoch: int, window: int) -> tuple[Lengths, Lengths]:
        """The whole batches, (batches, rows), and the rows of the last, shorter one."""
        rng = np.random.default_rng((self.seed, epoch))
        order = rng.permutation(len(self.sizes))
        whole = len(order) - len(order) % self.batch
        even = whole - whole % window
        windows = [order[:even].reshape(-1, window), order[even:whole].reshape(1, -1)]
        found = np.concatenate([self._sorted(rows).ravel() for rows in windows]).reshape(-1, self.batch)
        return found[rng.permutation(len(found))], self._sorted(order[whole:][None])[0]

    def _sorted(self, rows: Lengths) -> Lengths:
        """Each line of rows by the first column's length, then by the next's; equals stay in their drawn order."""
        by = np.lexsort([self.sizes[:, at][rows] for at in reversed(range(self.sizes.shape[1]))], axis=-1)
        return np.take_along_axis(rows, by, axis=-1)

    def _window(self, padding: float) -> int:
        window, found = self.batch, self._padding(self.batch)
        while window < len(self.sizes) and found > padding:
            wider = self._padding(2 * window)
            if found - wider < GAIN:
                break
            window, found = 2 * window, wider
        return window

    def _padding(self, window: int) -> float:
        found, last = self._batches(0, window)
        padded = sum(int(self.sizes[:, at][found].max(axis=1).sum()) * self.batch for at in range(self.sizes.shape[1]))
        padded += int(self.sizes[last].max(axis=0, initial=0).sum()) * len(last)
        return 1 - int(self.sizes.sum()) / max(padded, 1)
