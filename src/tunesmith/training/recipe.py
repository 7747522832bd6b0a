"""What the transformers framework needs to know of a task: plain functions, gathered in a `Recipe`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from ..data.labels import Labels
from ..tasks.base import Example, Prediction

Feature = dict[str, Any]
Batch = dict[str, torch.Tensor]
Row = dict[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Encoding:
    """How text becomes features, and what a trained model needs to read text the same way again.

    maxlength: tokens in a feature, special tokens counted. stride: tokens that neighbouring chunks share.
    mlm_probability: share of the tokens that are masked, as in BERT (Devlin et al. 2019) where none is named.
    pad_to: batch lengths are rounded up to a multiple of this. generation: arguments of `generate`.
    """

    tokenizer: Any
    labels: Labels | None
    kind: str
    maxlength: int
    stride: int = 128
    prefix: str = ""
    merge: str | None = "concat"
    seed: int = 42
    mlm_probability: float = 0.15
    pad_to: int | None = None
    generation: Mapping[str, Any] = field(default_factory=dict)


class Loss(Protocol):
    """A loss that knows its number of items, so that micro-batches add up to the large batch."""

    @property
    def targets(self) -> tuple[str, ...]:
        """The keys of a batch that are taken out before `forward`."""
        ...

    def count(self, batch: Batch) -> torch.Tensor:
        """Loss items in a micro-batch (a scalar, or a vector where the loss has several parts)."""
        ...

    def __call__(self, outputs: Any, targets: Batch, count: torch.Tensor | None = None) -> torch.Tensor:
        """The sum of the items' losses over `count`; over the batch's own count when None."""
        ...


@dataclass(frozen=True)
class Recipe:
    """A task in the transformers framework; see docs/decisions/0001.

    per_token: the names in `outputs` whose second dimension is the batch's tokens; they are cut to each row's length.
    writes: `outputs` are written token by token, where the rows of a batch cost little more than one.
    respond: what `predict` does where that is not `outputs` and `decode` (language tasks write on); (model, inputs,
    encoding, batch size) -> predictions. load: a saved model from its `Base`, where `auto` alone cannot say it.
    """

    auto: str
    encode: Callable[[Sequence[Example], Encoding, bool], list[Feature]]
    collate: Callable[[Encoding], Callable[[list[Feature]], Batch]]
    loss: Callable[[Encoding], Loss]
    outputs: Callable[[torch.nn.Module, Batch, Encoding], Batch]
    decode: Callable[[list[Row], list[Feature], Sequence[Example], Encoding], list[Prediction]]
    merge: Callable[[Iterator[Feature], Encoding], Iterator[Feature]] | None = None
    per_token: tuple[str, ...] = ()
    writes: bool = False
    respond: Callable[[torch.nn.Module, Sequence[Example], Encoding, int], list[Prediction]] | None = None
    load: Callable[[Any], Any] | None = None
