"""Embeddings that stand in for torch's while a model trains on a CPU with `CpuAdamW`: rows at rest cost nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from .optimizer import CpuAdamW

LARGE = 1_000_000  # weights of an embedding from which on a sparse gradient pays


class Table(nn.Embedding):
    """An embedding whose gradient is sparse, and whose rows are given the steps that they missed when they are read.

    It is the embedding, of another class meanwhile. A copy of it, deep or pickled, is an embedding as torch has it.
    """

    optimizer: CpuAdamW

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        weight: Any = self.weight
        rows: torch.Tensor = torch.unique(input).long()
        if torch.is_grad_enabled():
            self.optimizer.catch_up(weight, rows)
            return super().forward(input)
        behind, values = self.optimizer.caught_up(weight, rows)  # evaluation changes nothing of training
        found = super().forward(input)
        if len(behind):
            places = torch.searchsorted(behind, input.long()).clamp_(max=len(behind) - 1)
            late = behind[places] == input
            found[late] = values[places[late]]
        return found

    @torch.no_grad()
    def _whole(self) -> torch.Tensor:
        """The weights after all steps."""
        weight: Any = self.weight
        whole: torch.Tensor = weight.index_copy(0, *self.optimizer.caught_up(weight))
        return whole

    def __reduce_ex__(self, protocol: Any) -> Any:
        held = {name: value for name, value in vars(self).items() if name != "optimizer"}
        held |= {"_parameters": {"weight": nn.Parameter(self._whole())}, "sparse": False}
        return object.__new__, (nn.Embedding,), held

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        weight: Any = self.weight
        if keep_vars:
            self.optimizer.catch_up(weight)
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if not keep_vars:
            destination[f"{prefix}weight"] = self._whole()

    def _load_from_state_dict(self, *given: Any) -> None:
        weight: Any = self.weight
        self.optimizer.catch_up(weight)  # what is exchanged owes no steps, and its moments have faded
        super()._load_from_state_dict(*given)


def tables(model: nn.Module) -> list[nn.Embedding]:
    """The embeddings whose gradient may be sparse: large, trained in fp32 on a CPU, and of no other module."""
    owners = Counter(id(weight) for module in model.modules() for weight in module.parameters(recurse=False))
    return [
        module
        for module in model.modules()
        if type(module) is nn.Embedding
        and module.max_norm is None
        and not module.scale_grad_by_freq
        and module.weight.requires_grad
        and module.weight.numel() >= LARGE
        and module.weight.dtype == torch.float32
        and module.weight.device.type == "cpu"
        and owners[id(module.weight)] == 1
    ]


@contextmanager
def lean(model: nn.Module, optimizer: CpuAdamW) -> Iterator[None]:
    """The model's large embeddings are stand-ins meanwhile; optimizer: of all that is trained of it."""
    found: list[Any] = tables(model)
    try:
        for table in found:
            table.__class__, table.optimizer, table.sparse = Table, optimizer, True
        yield
    finally:
        for table in found:
            optimizer.catch_up(table.weight)
            table.__class__, table.sparse, table.weight.grad = nn.Embedding, False, None
            del table.optimizer
