"""AdamW that costs what has a gradient: rows of embedding tables are given the steps they missed when they occur."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from mmap import mmap
from typing import Any

import torch
from torch import nn

from .missed import Missed

LARGE = 1_000_000  # weights of an embedding from which on a sparse gradient pays
MARKS, BEHIND = "missed", "behind"  # in the state of a table, beside AdamW's own; the second on disk alone


def fades(betas: tuple[float, float]) -> bool:
    """Whether a row that AdamW moves by its moments alone comes to rest."""
    return bool(betas[0] < betas[1] ** 0.5)


class RowAdamW(torch.optim.AdamW):
    """torch's fused AdamW, and for parameters with a sparse gradient AdamW in the time that their rows with one take.

    A row that does not occur goes on moving by its moments in dense AdamW, and so it does here, in one go when it is
    wanted again: `catch_up` before it is read, `settle` before the whole table is. (SparseAdam of torch and LazyAdam of
    TensorFlow Addons let it rest, and learn much less from few rows.) Raises ValueError where a row's moves would not
    fade: `betas[0] >= sqrt(betas[1])`.
    """

    def __init__(self, params: Any, **options: Any) -> None:
        super().__init__(params, fused=True, **options)
        self.grad_scale: torch.Tensor | None = None  # what the fused kernel divides gradients by
        if any(not fades(group["betas"]) for group in self.param_groups):
            raise ValueError(f"betas {self.defaults['betas']}: the first has to be less than the root of the second.")

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

    def state_dict(self) -> dict[str, Any]:
        """As torch's, and the weights of rows that have missed steps: the model's are saved with them made up."""
        found = super().state_dict()
        for place, parameter in enumerate(self._parameters()):
            state = self.state.get(parameter, {})
            if MARKS in state:
                rows = Missed(state[MARKS]).behind(int(state["step"]))
                found["state"][place] = {**state, BEHIND: parameter.detach()[rows]}
        return found

    @torch.no_grad()
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """As torch's; the state of an AdamW that was not fused is taken too."""
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            group["fused"], group["foreach"] = True, None
        for parameter in self._parameters():
            state = self.state.get(parameter, {})
            if BEHIND in state:
                parameter[Missed(state[MARKS]).behind(int(state["step"]))] = state.pop(BEHIND)

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
        rows, values = gradient.indices()[0], gradient.values()
        missed = self._missed(parameter)
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

    def _missed(self, parameter: nn.Parameter) -> Missed:
        state = self.state[parameter]
        if MARKS not in state:  # at the first step, or of another AdamW, whose rows are up to date
            state[MARKS] = Missed.none(len(parameter), int(state["step"])).marks
        return Missed(state[MARKS])

    @torch.no_grad()
    def catch_up(self, parameter: nn.Parameter, rows: torch.Tensor | None = None) -> None:
        """Give `rows` of a table, (some,), or all of them, the steps that they missed."""
        found = self._made_up(parameter, rows)
        if found is not None:
            rows, parts = found
            state = self.state[parameter]
            for whole, part in zip((parameter, state["exp_avg"], state["exp_avg_sq"]), parts, strict=True):
                whole.index_copy_(0, rows, part)
            self._missed(parameter).clear(rows, int(state["step"]))

    @torch.no_grad()
    def caught_up(self, parameter: nn.Parameter) -> torch.Tensor:
        """The weights of a table with all steps, which itself stays as it is; the table where none was missed."""
        found = self._made_up(parameter, None)
        return parameter.detach() if found is None else parameter.detach().index_copy(0, found[0], found[1][0])

    def forget(self, parameter: nn.Parameter) -> None:
        """The weights of a table were exchanged: no steps are missing from them."""
        state = self.state.get(parameter, {})
        if MARKS in state:
            self._missed(parameter).clear(torch.arange(len(parameter)), int(state["step"]))

    def _made_up(
        self, parameter: nn.Parameter, rows: torch.Tensor | None
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]] | None:
        state = self.state.get(parameter, {})
        if MARKS not in state:
            return None
        missed, step = Missed(state[MARKS]), int(state["step"])
        behind = missed.behind(step, rows)
        if not len(behind):
            return None
        group = next(group for group in self.param_groups if any(each is parameter for each in group["params"]))
        tables = (parameter, state["exp_avg"], state["exp_avg_sq"])
        return behind, missed.made_up(behind, tables, step, group["betas"], group["eps"])

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
def sparse_rows(model: nn.Module, made: RowAdamW) -> Iterator[None]:
    """The gradients of the model's large embedding tables are sparse meanwhile, and whoever reads rows finds all steps.

    `made` optimizes them. In a saved `state_dict` the table is a copy with all steps; after, the table itself has them.
    """
    found = tables(model)
    with ExitStack() as stack:
        for table in found:
            for handle in _kept_in_step(table, made):
                stack.callback(handle.remove)
            table.sparse = True
        try:
            yield
        finally:
            for table in found:
                table.sparse = False
                table.weight.grad = None
                made.catch_up(table.weight)


def _kept_in_step(table: nn.Embedding, made: RowAdamW) -> list[Any]:
    def before_lookup(module: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        made.catch_up(table.weight, (given[0] if given else named["input"]).unique())

    def saved(module: nn.Module, state: dict[str, Any], prefix: str, metadata: Any) -> None:
        state[f"{prefix}weight"] = made.caught_up(table.weight)

    def loaded(module: nn.Module, keys: Any) -> None:
        made.forget(table.weight)

    return [
        table.register_forward_pre_hook(before_lookup, with_kwargs=True),
        table.register_state_dict_post_hook(saved),
        table.register_load_state_dict_post_hook(loaded),
    ]


def settle(made: Any, state_dict: dict[str, Any]) -> dict[str, Any]:
    """The state of a `RowAdamW` as another AdamW takes it: its moments have faded in the steps that were missed.

    made: the other; a hook of its `load_state_dict` has this form. Its weights were saved with those steps.
    """
    groups = {place: group for group in state_dict["param_groups"] for place in group["params"]}
    taken = {}
    for place, state in state_dict["state"].items():
        if MARKS in state:
            missed, step = Missed(state[MARKS]), int(state["step"])
            rows, betas = missed.behind(step), groups[place]["betas"]
            whole = (state["exp_avg"], state["exp_avg"], state["exp_avg_sq"])
            _, mean, square = missed.made_up(rows, whole, step, betas, groups[place]["eps"])
            state = {"step": state["step"]} | {
                key: state[key].index_copy(0, rows, part) for key, part in (("exp_avg", mean), ("exp_avg_sq", square))
            }
        taken[place] = state
    return {**state_dict, "state": taken}
