"""The trainer of sentence-transformers, with steps that cost what the words that occur cost."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from sentence_transformers import SentenceTransformerTrainer
from torch import nn

from ..errors import TrainingFailed
from ..folder import RunFolder
from . import engine
from .callbacks import FolderEvents, silence


class Events(FolderEvents):
    """What the loop logs; a loss that is no number ends it. A stream of pairs is told which epoch it is in."""

    def __init__(self, folder: RunFolder, epochs: float | None) -> None:
        super().__init__(folder)
        self.epochs = epochs

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().on_log(args, state, control, logs)
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(loss):
            raise TrainingFailed(f"the loss is {loss} at step {state.global_step}: lower the learning rate.")

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self.epochs is not None:
            state.epoch = self.epochs * state.global_step / state.max_steps

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Not told: checkpoints are aside, and gone after training."""


class EncoderTrainer(engine.Lean, SentenceTransformerTrainer):
    """The library's own, for one loss; it neither prints nor writes a model card."""

    def __init__(self, **upstream: Any) -> None:
        super().__init__(**upstream)
        silence(self)

    def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
        """Nothing is gathered for a card: that draws examples by chance, under a bar of progress."""

    def create_optimizer(self, model: Any = None) -> Any:
        """As `Lean`, where only the encoder is trained and all of it at one rate; else the library's."""
        encoder = {id(each) for each in self.model.parameters()}
        more = any(id(each) not in encoder for each in self.loss.parameters())
        if more or self.args.learning_rate_mapping:
            return super(engine.Lean, self).create_optimizer(model)
        return super().create_optimizer(model)

    def train(self, *given: Any, **options: Any) -> Any:
        """As upstream."""
        with engine.lean_steps(self):
            return super().train(*given, **options)


class Distinct(nn.Module):
    """A loss of sentence-transformers on pairs, for which a text that is in several of a batch's pairs is encoded once.

    Once for each side of the pairs: the two of a pair have dropout of their own, also where they are one text.
    loss: one that takes embeddings, as `CosineSimilarityLoss` does.
    """

    def __init__(self, loss: Any) -> None:
        super().__init__()
        self.loss, self.model = loss, loss.model  # the trainer looks for the model here, to wrap it

    def forward(self, sentence_features: Iterable[dict[str, Any]], labels: torch.Tensor) -> Any:
        return self.loss.compute_loss_from_embeddings([self._encode(side) for side in sentence_features], labels)

    def _encode(self, features: dict[str, Any]) -> torch.Tensor:
        """The embedding of each text of a side, (batch, width)."""
        tokens, mask = features.get("input_ids"), features.get("attention_mask")
        if tokens is None or mask is None or tokens.ndim != 2:
            whole: torch.Tensor = self.model(features)["sentence_embedding"]
            return whole
        _, which = torch.unique(torch.cat([tokens, mask], dim=1), dim=0, return_inverse=True)
        first = torch.full_like(which, len(which)).scatter_reduce_(0, which, torch.arange(len(which)).to(which), "amin")
        first = first[: int(which.max()) + 1]
        rows = {
            name: value[first] if isinstance(value, torch.Tensor) and len(value) == len(which) else value
            for name, value in features.items()
        }
        found: torch.Tensor = self.model(rows)["sentence_embedding"][which]
        return found
