"""Features through a model: batches of like length, one row of outputs a feature, and the exact mean loss."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch

from . import first_token
from .recipe import Batch, Encoding, Feature, Loss, Recipe, Row

ROWS = 32  # of a batch where nobody names a number
CPU_TOKENS = 512  # of such a batch on a CPU: more rows gain nothing (timed with two threads) and take memory


@dataclass(frozen=True)
class Total:
    """Losses added up over items, and the number of items; (parts,) each, one part for most losses."""

    sums: torch.Tensor
    items: torch.Tensor

    def __add__(self, other: Total) -> Total:
        return Total(self.sums + other.sums, self.items + other.items)

    @property
    def mean(self) -> float:
        """The mean over all items, the parts' means added; NaN where nothing was counted."""
        counted = self.items > 0
        return float((self.sums[counted] / self.items[counted]).sum()) if bool(counted.any()) else float("nan")


class _Recorder:
    """A model for one call: remembers what `forward` returned, so that a loss needs no second pass."""

    def __init__(self, model: torch.nn.Module) -> None:
        self._model, self.returned = model, None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.returned = self._model(*args, **kwargs)
        return self.returned

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


def length(feature: Feature) -> int:
    """Tokens in a feature."""
    return len(feature["input_ids"])


def by_length(features: Sequence[Feature], batch_size: int, tokens: int | None = None) -> list[list[int]]:
    """Places of the features in batches, longest first: padding stays small, and what is largest comes first.

    A batch has at most `batch_size` features, and at most so many `tokens` with its padding, but one feature at least.
    """
    lengths = [length(features[place]) for place in range(len(features))]
    order = sorted(range(len(lengths)), key=lambda place: (-lengths[place], place))
    batches, start = [], 0
    while start < len(order):
        fits = batch_size if tokens is None else min(batch_size, tokens // max(lengths[order[start]], 1))
        batches.append(order[start : start + max(fits, 1)])
        start += max(fits, 1)
    return batches


def run(
    model: torch.nn.Module,
    features: Sequence[Feature],
    recipe: Recipe,
    encoding: Encoding,
    *,
    batch_size: int | None = None,
    device: torch.device | str | None = None,
    on_batch: Callable[[int], None] | None = None,
    loss: Loss | None = None,
) -> tuple[list[Row], Total | None]:
    """Every feature's outputs, in the order of `features`, and the loss over all loss items.

    The model is in eval mode meanwhile and back in its own mode after. `on_batch` is called with the number of
    features done. `loss` needs features that carry gold. batch_size: rows of a batch; None is `ROWS`, on a CPU fewer of
    long texts (`CPU_TOKENS`), and what a batch leaves on the heap is given back before the next.
    """
    where = torch.device(device) if device is not None else next(model.parameters()).device
    collate = recipe.collate(encoding)
    rows: dict[int, Row] = {}
    total: Total | None = None
    lean = batch_size is None and where.type == "cpu" and not recipe.writes
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad(), first_token.only(model):
            for places in by_length(features, batch_size or ROWS, CPU_TOKENS if lean else None):
                if lean and rows:
                    _heap_trimmer()(0)
                chosen = [features[place] for place in places]
                batch = {key: value.to(where) for key, value in collate(chosen).items()}
                outputs, returned = _outputs(model, batch, recipe, encoding)
                if loss is not None:
                    found = _loss_of(model, batch, loss, returned)
                    total = found if total is None else total + found
                for place, row in zip(places, _rows(outputs, chosen, recipe, encoding), strict=True):
                    rows[place] = row
                if on_batch is not None:
                    on_batch(len(rows))
    finally:
        model.train(was_training)
    return [rows[place] for place in range(len(rows))], total


@cache
def _heap_trimmer() -> Callable[[int], Any]:
    """glibc's malloc_trim: the holes that batches of many sizes leave on the heap go back to the system.

    30 MB of 550 for a small encoder; predicting 2,000 texts takes a tenth longer by it.
    """
    try:
        found: Callable[[int], Any] = ctypes.CDLL(None).malloc_trim
    except (OSError, TypeError, AttributeError):  # another libc, another system
        return lambda _: None
    return found


def _outputs(model: torch.nn.Module, batch: Batch, recipe: Recipe, encoding: Encoding) -> tuple[Batch, Any]:
    recorder: Any = _Recorder(model)
    outputs = recipe.outputs(recorder, dict(batch), encoding)
    return outputs, recorder.returned


def _loss_of(model: torch.nn.Module, batch: Batch, loss: Loss, returned: Any) -> Total:
    targets = {key: batch[key] for key in loss.targets}
    if returned is None:  # the outputs were generated: the loss takes a pass of its own
        returned = model(**{key: value for key, value in batch.items() if key not in loss.targets})
    count = loss.count(batch).detach()
    items = count.double().cpu().reshape(-1)
    if count.dim() == 0:
        value = loss(returned, targets, count).detach().double().cpu() if items > 0 else torch.zeros(())
        return Total(value.reshape(1) * items, items)
    sums = [loss(returned, targets, _only(part, len(items)).to(count.device)) for part in range(len(items))]
    return Total(torch.stack(sums).detach().double().cpu(), items)


def _only(part: int, parts: int) -> torch.Tensor:
    """The count by which a loss of several parts is the sum of one of them alone."""
    count = torch.full((parts,), torch.inf)
    count[part] = 1
    return count


def _rows(outputs: Batch, features: Sequence[Feature], recipe: Recipe, encoding: Encoding) -> list[Row]:
    arrays = {
        name: (value.float() if value.is_floating_point() else value).cpu().numpy() for name, value in outputs.items()
    }
    left = getattr(encoding.tokenizer, "padding_side", "right") == "left"
    rows = []
    for place, feature in enumerate(features):
        size = length(feature)
        cut = slice(-size, None) if left else slice(0, size)
        rows.append(
            {
                name: np.ascontiguousarray(array[place][cut]) if name in recipe.per_token else array[place]
                for name, array in arrays.items()
            }
        )
    return rows
