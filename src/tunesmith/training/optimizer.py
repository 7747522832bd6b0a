"""AdamW that costs what has a gradient: rows of embedding tables that did not occur in a step are not read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from mmap import mmap
from typing import Any

import torch
from torch import nn

LARGE = 1_000_000  # weights of an embedding from which on a sparse gradient pays


class RowAdamW(torch.optim.AdamW):
    """torch's fused AdamW, and for parameters with a sparse gradient AdamW on the rows that have one.

    Where every row occurs in every step it takes the steps of dense AdamW. A row that does not occur keeps its value
    and its moments, where dense AdamW would go on moving it by the moments it has (as SparseAdam of torch and LazyAdam
    of TensorFlow Addons do). Weight decay, too, meets the rows that occur.
    """

    def __init__(self, params: Any, **options: Any) -> None:
        super().__init__(params, fused=True, **options)
        self.grad_scale: torch.Tensor | None = None  # what the fused kernel divides gradients by

    @torch.no_grad()
    def clip(self, max_norm: float) -> torch.Tensor:
        """The norm of all gradients; the next `step` scales them down to `max_norm`, in its own pass over them.

        max_norm: 0 leaves them as they are. The gradients themselves stay unscaled until the step.
        """
        values = []
        for parameter in self._parameters():
            if parameter.grad is not None and parameter.grad.is_sparse:
                parameter.grad = parameter.grad.coalesce()
            if parameter.grad is not None:
                values.append(parameter.grad.values() if parameter.grad.is_sparse else parameter.grad)
        norm = torch.stack(torch._foreach_norm(values)).norm() if values else torch.zeros(())
        scale = (norm + 1e-6) / max_norm if max_norm > 0 else torch.zeros(())  # 1e-6 as in clip_grad_norm_
        self.grad_scale = scale.float() if scale > 1 else None
        return norm

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """As torch's; the state of an AdamW that was not fused is taken too."""
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            group["fused"], group["foreach"] = True, None

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        sparse: list[tuple[dict[str, Any], nn.Parameter, torch.Tensor]] = []
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None and parameter.grad.is_sparse:
                    sparse.append((group, parameter, parameter.grad))
                    parameter.grad = None  # the fused kernel takes dense gradients alone
        loss = super().step(closure)
        for group, parameter, gradient in sparse:
            self._step_rows(group, parameter, gradient.coalesce())
            parameter.grad = gradient
        self.grad_scale = None
        return loss

    def _step_rows(self, group: dict[str, Any], parameter: nn.Parameter, gradient: torch.Tensor) -> None:
        """Loshchilov & Hutter 2019, algorithm 2, on the rows of `gradient`, (rows, width)."""
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32)
            state["exp_avg"], state["exp_avg_sq"] = _untouched(parameter), _untouched(parameter)
        state["step"] += 1
        (beta1, beta2), rate, step = group["betas"], group["lr"], float(state["step"])
        rows, values = gradient.indices()[0], gradient.values()
        if self.grad_scale is not None:
            values = values / self.grad_scale
        mean = state["exp_avg"][rows].lerp_(values, 1 - beta1)
        square = state["exp_avg_sq"][rows].mul_(beta2).addcmul_(values, values, value=1 - beta2)
        spread = (square / (1 - beta2**step)).sqrt_().add_(group["eps"])
        moved = parameter[rows].mul_(1 - rate * group["weight_decay"])
        moved.addcdiv_(mean, spread, value=-rate / (1 - beta1**step))
        for whole, part in ((parameter, moved), (state["exp_avg"], mean), (state["exp_avg_sq"], square)):
            whole.index_copy_(0, rows, part)

    def _parameters(self) -> Iterator[nn.Parameter]:
        for group in self.param_groups:
            yield from group["params"]


def _untouched(like: torch.Tensor) -> torch.Tensor:
    """Zeros of the form of a CPU tensor, whose pages take no memory until they are written (torch's own do)."""
    return torch.frombuffer(mmap(-1, 4 * like.numel()), dtype=torch.float32).view(like.shape)


def tables(model: nn.Module) -> list[nn.Embedding]:
    """The embeddings whose gradient may be sparse: large, trained in fp32 on a CPU, and read by lookup alone."""
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
def sparse_rows(model: nn.Module) -> Iterator[None]:
    """The gradients of the model's large embedding tables are sparse meanwhile."""
    found = tables(model)
    for table in found:
        table.sparse = True
    try:
        yield
    finally:
        for table in found:
            table.sparse = False
            table.weight.grad = None
