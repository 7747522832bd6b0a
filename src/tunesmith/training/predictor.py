"""Features through a model: batches of like length, one row of outputs a feature, and the exact mean loss."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from .recipe import Batch, Encoding, Feature, Loss, Recipe, Row


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


def by_length(features: Sequence[Feature], batch_size: int) -> list[list[int]]:
    """Places of the features in batches, longest first: an error of memory comes at once, padding stays small."""
    lengths = [length(features[place]) for place in range(len(features))]
    order = sorted(range(len(lengths)), key=lambda place: (-lengths[place], place))
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def run(
    model: torch.nn.Module,
    features: Sequence[Feature],
    recipe: Recipe,
    encoding: Encoding,
    *,
    batch_size: int = 32,
    device: torch.device | str | None = None,
    on_batch: Callable[[int], None] | None = None,
    loss: Loss | None = None,
) -> tuple[list[Row], float | None]:
    """Every feature's outputs, in the order of `features`, and the mean loss over all loss items.

    The model is in eval mode meanwhile and back in its own mode after. `on_batch` is called with the number of
    features done. `loss` needs features that carry gold.
    """
    where = torch.device(device) if device is not None else next(model.parameters()).device
    collate, rows = recipe.collate(encoding), {}
    totals: list[tuple[torch.Tensor, torch.Tensor]] = []
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            for places in by_length(features, batch_size):
                chosen = [features[place] for place in places]
                batch = {key: value.to(where) for key, value in collate(chosen).items()}
                outputs, returned = _outputs(model, batch, recipe, encoding)
                if loss is not None:
                    totals.append(_loss_of(model, batch, loss, returned))
                for place, row in zip(places, _rows(outputs, chosen, recipe, encoding), strict=True):
                    rows[place] = row
                if on_batch is not None:
                    on_batch(len(rows))
    finally:
        model.train(was_training)
    return [rows[place] for place in range(len(rows))], _mean(totals)


def _outputs(model: torch.nn.Module, batch: Batch, recipe: Recipe, encoding: Encoding) -> tuple[Batch, Any]:
    recorder: Any = _Recorder(model)
    outputs = recipe.outputs(recorder, dict(batch), encoding)
    return outputs, recorder.returned


def _loss_of(model: torch.nn.Module, batch: Batch, loss: Loss, returned: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """The batch's mean loss (one value for each part of the loss) and its items."""
    targets = {key: batch[key] for key in loss.targets}
    if returned is None:  # the outputs were generated: the loss takes a pass of its own
        returned = model(**{key: value for key, value in batch.items() if key not in loss.targets})
    count = loss.count(batch)
    return loss(returned, targets, count).detach().float().cpu(), count.detach().float().cpu()


def _mean(totals: list[tuple[torch.Tensor, torch.Tensor]]) -> float | None:
    """Batch means weighted by their items: the mean over all items."""
    if not totals:
        return None
    weights = torch.stack([count.reshape(-1)[0] for _, count in totals])
    values = torch.stack([value for value, _ in totals])
    kept = weights > 0
    return float((values[kept] * weights[kept]).sum() / weights[kept].sum()) if bool(kept.any()) else float("nan")


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
