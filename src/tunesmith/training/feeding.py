"""What goes into a training step: batches of what the model takes, the rows they came from, and losses that count."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from transformers.trainer_pt_utils import LabelSmoother

from ..tasks.base import RowId
from .batching import TokenCrossEntropy
from .recipe import Batch, Encoding, Feature, Loss, Recipe

ROWS = "example"  # the features' column, and the key of a training batch: the places of its examples
PLACE = "feature"  # another of both: the place of a feature itself, where the loss needs to know it
_NONE = -1

_log = logging.getLogger("tunesmith")


def accepted(model: Any, targets: Sequence[str]) -> frozenset[str] | None:
    """The batch keys that the model's `forward` names, and the loss's targets; None where any key is taken."""
    peft = hasattr(model, "peft_config") and hasattr(model, "get_base_model")
    parameters = inspect.signature((model.get_base_model() if peft else model).forward).parameters.values()
    named = {each.name for each in parameters if each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)}
    return frozenset({*named, *targets}) if named else None


@dataclass(frozen=True)
class Collator:
    """Batches without the keys that the model does not take; `collate` reads whole features.

    own: `collate` is the recipe's.
    """

    collate: Callable[[list[Feature]], Batch]
    keys: frozenset[str] | None
    own: bool = False

    @property
    def fixed(self) -> bool:
        """Whether a feature is known to be collated alike in each epoch."""
        return self.own and not hasattr(self.collate, "set_epoch")

    def __call__(self, features: list[Feature]) -> Any:
        batch = self.collate(features)
        return batch if self.keys is None else {key: value for key, value in batch.items() if key in self.keys}


def for_training(collator: Any, losses: Losses | None) -> Any:
    """The collator of training batches: packed rows in narrow blocks, where the loss is a sum over tokens alone."""
    whole: Any = getattr(collator, "collate", None)
    if losses is None or type(losses.train) is not TokenCrossEntropy or not hasattr(whole, "narrow"):
        return collator
    return replace(collator, collate=replace(whole, narrow=True))


@dataclass(frozen=True)
class WithRows:
    """A collator whose batches carry the places of their examples: (batch, examples a feature), -1 where fewer."""

    collate: Callable[[list[Feature]], Any]

    def __call__(self, features: list[Feature]) -> Any:
        batch = self.collate(features)
        if all(isinstance(feature, Mapping) and ROWS in feature for feature in features):
            places = [each[ROWS] if isinstance(each[ROWS], Sequence) else [int(each[ROWS])] for each in features]
            width = max(map(len, places))
            batch[ROWS] = torch.tensor([[*each, *[_NONE] * (width - len(each))] for each in places])
            if PLACE in features[0]:
                batch[PLACE] = torch.tensor([feature[PLACE] for feature in features])
        return batch


def rows_of(places: torch.Tensor | None, ids: Sequence[RowId] | None) -> list[RowId]:
    """The row ids of a batch, each once, in order; the places themselves where no ids are known."""
    found = [] if places is None else [place for place in places.flatten().tolist() if place != _NONE]
    return list(dict.fromkeys(found if ids is None else [ids[place] for place in found]))


def has_logits(outputs: Any) -> bool:
    """Whether a model returned logits by name, as those of transformers do."""
    return isinstance(outputs, Mapping) and any("logits" in str(key) for key in outputs)


class UserLoss:
    """The user's `f(outputs, labels, num_items_in_batch=…)` as a `Loss`, its items counted as `inner` counts them.

    `labels` is the recipe's target, or a mapping of them where there are several (start and end of an answer).
    """

    def __init__(self, function: Callable[..., torch.Tensor], inner: Loss) -> None:
        self.function, self.inner, self.targets = function, inner, inner.targets
        self.shift = bool(getattr(inner, "shift", False))

    def count(self, batch: Batch) -> torch.Tensor:
        return self.inner.count(batch)

    def __call__(self, outputs: Any, targets: Batch, count: torch.Tensor | None = None) -> torch.Tensor:
        items = self.count(targets) if count is None else count
        labels = targets[self.targets[0]] if len(self.targets) == 1 else targets
        return self.function(outputs, labels, num_items_in_batch=items)


class SmoothedLoss:
    """Cross-entropy with smoothed labels, by upstream's `LabelSmoother`, over the items that `inner` counts."""

    def __init__(self, epsilon: float, inner: Loss) -> None:
        self.smoother, self.inner, self.targets = LabelSmoother(epsilon), inner, inner.targets
        self.shift = bool(getattr(inner, "shift", False))

    def count(self, batch: Batch) -> torch.Tensor:
        return self.inner.count(batch)

    def __call__(self, outputs: Any, targets: Batch, count: torch.Tensor | None = None) -> torch.Tensor:
        items = self.count(targets) if count is None else count
        labels = targets[self.targets[0]]
        value: torch.Tensor = self.smoother(outputs, labels, shift_labels=self.shift, num_items_in_batch=items)
        return value


@dataclass(frozen=True)
class Losses:
    """What training minimizes, and what evaluation measures: the same, without the teacher and the smoothing."""

    train: Loss
    evaluation: Loss


def losses(
    recipe: Recipe, encoding: Encoding, *, user: Callable[..., torch.Tensor] | None, teacher: Any, smoothing: float
) -> Losses:
    """The losses of a run: the recipe's or the user's, smoothed where labels are classes, joined with a teacher's."""
    plain: Any = recipe.loss(encoding)
    if user is not None:
        plain = UserLoss(user, plain)
    train = plain
    if smoothing and user is None:
        if len(plain.targets) == 1 and encoding.kind not in ("multi", "regression"):
            train = SmoothedLoss(smoothing, plain)
        else:
            _log.warning("label_smoothing_factor is left out: this task's loss has no one class an item to smooth")
    return Losses(train if teacher is None else teacher.loss(train, encoding.kind), plain)
