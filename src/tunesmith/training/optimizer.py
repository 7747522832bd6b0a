"""AdamW on a CPU that costs what has a gradient: rows of a table are given the steps they missed when they occur."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import nn

from ..errors import ConfigError
from .missed import Missed, chunks

FADES = 0.93  # of the root of the second beta: a row's moves halve in ten steps, and soon end
MARKS, BEHIND = "missed", "behind"  # in the state of a table, beside AdamW's own; the second on disk alone


def fades(betas: tuple[float, float]) -> bool:
    """Whether a row that AdamW moves by its moments alone comes to rest while they are still much as they were."""
    return bool(betas[0] <= FADES * betas[1] ** 0.5)


def parameters(live: Any) -> list[Any]:
    """The parameters of a live base; none of anything else."""
    return list(live.parameters()) if isinstance(live, nn.Module) else []


def check(own: Any, model: nn.Module, known: Sequence[Any]) -> None:
    """Refuse an optimizer of the user's that would not train `model`, or not what starts anew in it.

    known: the parameters that the user's live base came with; what else is trained starts anew.

    Raises:
        ConfigError: it holds none of the model's trained parameters, or not all that start anew.
    """
    held = {id(each) for group in getattr(own, "param_groups", ()) for each in group["params"]}
    trained = {name: each for name, each in model.named_parameters() if each.requires_grad}
    if not held:  # none of the user's, or one of no known form
        return
    if held.isdisjoint(map(id, trained.values())):
        told = "one of parameters that are trained: give it with its live base, which has its adapter if it gets one"
        raise ConfigError("optimizers", type(own).__name__, told)
    old = {*held, *map(id, known)}
    if left := [name for name, each in trained.items() if id(each) not in old]:
        told = f"one that holds {left[0]} too, which starts anew: give the base with its head or adapter, then make it"
        raise ConfigError("optimizers", type(own).__name__, told)


class CpuAdamW(torch.optim.AdamW):
    """torch's fused AdamW, and for a parameter with a sparse gradient the same in the time that its rows with one take.

    A row that does not occur goes on moving by its moments in dense AdamW, and so it does here, in one go when it is
    wanted again: `catch_up` before it is trained on or the table is read whole. (SparseAdam of torch and LazyAdam of
    TensorFlow Addons let it rest, and learn much less from few rows.)

    Raises:
        ValueError: moments whose moves do not fade soon, see `fades`.
    """

    def __init__(self, params: Any, **options: Any) -> None:
        super().__init__(params, fused=True, **options)
        self.grad_scale: torch.Tensor | None = None  # what the fused kernel divides gradients by
        if any(not fades(group["betas"]) for group in self.param_groups):
            raise ValueError(f"betas {self.defaults['betas']}: the first may be {FADES} of the second's root at most.")

    @torch.no_grad()
    def clip(self, max_norm: float) -> torch.Tensor:
        """The norm of all gradients; the next `step` scales them down to `max_norm`, in its own pass over them.

        max_norm: 0 leaves them as they are. The gradients themselves stay unscaled until the step.
        """
        values: list[Any] = []
        for parameter in self._parameters():
            if parameter.grad is not None and parameter.grad.is_sparse:
                parameter.grad = parameter.grad.coalesce()
            if parameter.grad is not None:
                values.append(parameter.grad.values() if parameter.grad.is_sparse else parameter.grad)
        norm = torch.stack([_square(each) for each in values]).sum().sqrt() if values else torch.zeros(())
        scale = (norm + 1e-6) / max_norm if max_norm > 0 else torch.zeros(())  # 1e-6 as in clip_grad_norm_
        self.grad_scale = scale.float() if scale > 1 else None
        return norm

    def state_dict(self) -> dict[str, Any]:
        """As torch's, with all steps made up; a table's rows as they are, if behind, are added under names of ours."""
        found = super().state_dict()
        for place, parameter in enumerate(self._parameters()):
            state = self.state.get(parameter, {})
            if MARKS in state:
                found["state"][place] = self._whole(parameter, state)
        return found

    @torch.no_grad()
    def _whole(self, parameter: nn.Parameter, state: dict[str, Any]) -> dict[str, Any]:
        missed, step, betas = Missed(state[MARKS]), int(state["step"]), self._group(parameter)["betas"]
        seen = missed.behind(step, seen=True)
        whole = {**state, BEHIND: {"step": step, "weights": parameter.detach()[missed.behind(step)]}}
        for name, beta in zip(("exp_avg", "exp_avg_sq"), betas, strict=True):
            whole[name], whole[BEHIND][name] = state[name].clone(), state[name][seen]
            for rows in chunks(seen):
                whole[name].index_copy_(0, rows, missed.faded(rows, state[name], step, beta))
        return whole

    @torch.no_grad()
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """As torch's; the state of an AdamW that was not fused, or is of another library, is taken too."""
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            group["fused"], group["foreach"] = True, None
        for parameter in self._parameters():
            state = self.state.get(parameter, {})
            marks, behind = state.pop(MARKS, None), state.pop(BEHIND, None)
            if behind is None or int(behind["step"]) != int(state["step"]):  # another AdamW went on from there
                continue
            missed = Missed(marks)
            state[MARKS], step = marks, int(state["step"])
            parameter[missed.behind(step)] = behind["weights"]
            for name in ("exp_avg", "exp_avg_sq"):
                state[name][missed.behind(step, seen=True)] = behind[name]

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        sparse, dense = [], []
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None and parameter.grad.is_sparse:
                    sparse.append((group, parameter, parameter.grad))
                    parameter.grad = None  # the fused kernel takes dense gradients alone
                elif parameter.grad is not None and MARKS in self.state.get(parameter, {}):  # read whole this time
                    self.catch_up(parameter)
                    dense.append(parameter)
        loss = super().step(closure)
        for group, parameter, gradient in sparse:
            self._step_rows(group, parameter, gradient.coalesce())
            parameter.grad = gradient
        for parameter in dense:
            self.state[parameter].pop(MARKS)
        self.grad_scale = None
        return loss

    def _step_rows(self, group: dict[str, Any], parameter: nn.Parameter, gradient: torch.Tensor) -> None:
        """Loshchilov & Hutter 2019, algorithm 2, on the rows of `gradient`, (rows, width)."""
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros((), dtype=torch.float32)
            state["exp_avg"], state["exp_avg_sq"] = _untouched(parameter), _untouched(parameter)
        if MARKS not in state:  # at the first step, or of another AdamW, whose rows are up to date
            state[MARKS] = Missed.none(len(parameter), int(state["step"])).marks
        rows, values = gradient.indices()[0], gradient.values()
        missed = Missed(state[MARKS])
        self.catch_up(parameter, rows)
        state["step"] += 1
        (beta1, beta2), rate, step = group["betas"], float(group["lr"]), int(state["step"])
        if self.grad_scale is not None:
            values = values / self.grad_scale
        mean = state["exp_avg"][rows].lerp_(values, 1 - beta1)
        square = state["exp_avg_sq"][rows].mul_(beta2).addcmul_(values, values, value=1 - beta2)
        spread = (square / (1 - beta2**step)).sqrt_().add_(group["eps"])
        moved = parameter[rows].mul_(1 - rate * group["weight_decay"])
        moved.addcdiv_(mean, spread, value=-rate / (1 - beta1**step))
        for whole, part in ((parameter, moved), (state["exp_avg"], mean), (state["exp_avg_sq"], square)):
            whole.index_copy_(0, rows, part)
        missed.add(step, rate, (beta1, beta2), rate * group["weight_decay"])
        missed.clear(rows, step)

    @torch.no_grad()
    def catch_up(self, parameter: nn.Parameter, rows: torch.Tensor | None = None) -> None:
        """Give `rows` of a table, (some,) without repeats, or all of them, the steps that they missed."""
        state = self.state.get(parameter, {})
        if MARKS not in state:
            return
        missed, step, group = Missed(state[MARKS]), int(state["step"]), self._group(parameter)
        moments = (state["exp_avg"], state["exp_avg_sq"])
        for part in chunks(missed.behind(step, rows)):
            parameter.index_copy_(0, part, missed.moved(part, (parameter, *moments), group["eps"]))
            seen = missed.behind(step, part, seen=True)
            for moment, beta in zip(moments, group["betas"], strict=True):
                moment.index_copy_(0, seen, missed.faded(seen, moment, step, beta))
            missed.clear(seen, step)
            missed.kept.index_fill_(0, part, 1.0)  # rows without moments stay without

    @torch.no_grad()
    def caught_up(self, parameter: nn.Parameter, rows: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Which of `rows` of a table, or of all, are behind, (some,), and their weights with all steps, (some, width).

        The table stays as it is.
        """
        state = self.state.get(parameter, {})
        if MARKS not in state:
            return torch.empty(0, dtype=torch.long), parameter[:0].detach()
        missed = Missed(state[MARKS])
        behind, eps = missed.behind(int(state["step"]), rows), self._group(parameter)["eps"]
        held = (parameter, state["exp_avg"], state["exp_avg_sq"])
        moved = [missed.moved(part, held, eps) for part in chunks(behind)]
        return behind, torch.cat(moved) if moved else parameter[:0].detach()

    def _group(self, parameter: nn.Parameter) -> dict[str, Any]:
        return next(group for group in self.param_groups if any(each is parameter for each in group["params"]))

    def _parameters(self) -> Iterator[nn.Parameter]:
        for group in self.param_groups:
            yield from group["params"]


def _square(value: torch.Tensor) -> torch.Tensor:
    """The sum of squares of a tensor; of fp32 by a product of vectors, which takes half the time of a norm."""
    flat = value.reshape(-1)
    return torch.dot(flat, flat) if flat.dtype == torch.float32 else torch.linalg.vector_norm(flat).float().square()


def _untouched(like: torch.Tensor) -> torch.Tensor:
    """Zeros of the form of a CPU tensor, whose pages take no memory until they are written (torch's own do)."""
    private: dict[str, Any] = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}
    pages = mmap.mmap(-1, 4 * like.numel(), **private)  # Windows has no flags
    return torch.frombuffer(pages, dtype=torch.float32).view(like.shape)
