"""A learning rate that falls from layer to layer: what lies deep under the head, and is general, moves little.

Clark et al. 2020 (ELECTRA), appendix B; Howard & Ruder 2018 (ULMFiT), section 3.2.
"""

from __future__ import annotations

from typing import Any

from torch import nn


def below(model: nn.Module) -> dict[str, int]:
    """Parameter name -> how far it lies under the head: 0 for the head, 1 for the top layer, the embeddings last.

    Empty where layers cannot be told: no list of `num_hidden_layers` modules, or more than one (encoder and decoder).
    """
    count = getattr(getattr(model, "config", None), "num_hidden_layers", None)
    stacks = [name for name, each in model.named_modules() if isinstance(each, nn.ModuleList) and len(each) == count]
    if count is None or len(stacks) != 1:
        return {}
    prefix, found, passed = f"{stacks[0]}.", {}, False
    for name, _ in model.named_parameters():
        inside = name.startswith(prefix)
        passed = passed or inside
        found[name] = count - int(name[len(prefix) :].split(".")[0]) if inside else 0 if passed else count + 1
    return found


def why_not(model: nn.Module, *, own: bool) -> str | None:
    """Why layers cannot have rates of their own; None where they can. own: the optimizer is the user's."""
    if own:
        return "an optimizer of your own has its own rates"
    return None if below(model) else "the layers of this model cannot be told apart"


def spread(optimizer: Any, model: nn.Module, share: float) -> None:
    """Split the groups of a new optimizer: each layer gets `share` of the rate of the one above it.

    The first group keeps the rate that was named, which is the one that upstream logs.
    """
    if share == 1:
        return
    depths = {
        id(each): depth for (_, each), depth in zip(model.named_parameters(), below(model).values(), strict=False)
    }
    split = []
    for group in optimizer.param_groups:
        parts: dict[int, list[Any]] = {}
        for parameter in group["params"]:
            parts.setdefault(depths.get(id(parameter), 0), []).append(parameter)
        split += [{**group, "params": parts[depth], "lr": group["lr"] * share**depth} for depth in sorted(parts)]
    optimizer.param_groups[:] = split
