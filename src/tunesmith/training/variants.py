"""Modules whose `forward` is ours for a while; copies and pickles of them are plain ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any, cast

from torch import nn
from torch.nn.modules import module as _modules

Forward = Callable[..., Any]
"""(module, the module's own forward, *what the module is called with) -> what it returns."""
_MARK = "_tunesmith_forward"
_changing = Lock()
_any_global_hook: Callable[[], bool] = _modules._has_any_global_hook


@contextmanager
def own_forwards(find: Callable[[], Mapping[nn.Module, Forward]]) -> Iterator[None]:
    """The modules that `find` names have these forwards meanwhile.

    Of several threads the first to come changes a module; it is itself again when that one goes.
    """
    held = []
    with _changing:
        for module, forward in find().items():
            kind: Any = type(module)
            made: Any = _variant(kind, forward)
            module.__class__ = made
            held.append((module, kind, made))
    try:
        yield
    finally:
        with _changing:
            for module, kind, made in held:
                if type(module) is made:  # else another has wrapped it since
                    module.__class__ = kind


def changed(module: nn.Module) -> bool:
    """Whether a module's `forward` is not its class's own: wrapped by another, or ours already."""
    return "forward" in vars(module) or hasattr(module, _MARK)


def watched(modules: Any) -> bool:
    """Whether hooks see what one of these modules is given or returns; hooks of all modules at once do."""
    return bool(_any_global_hook()) or any(
        each._forward_hooks or each._forward_pre_hooks or each._backward_hooks or each._backward_pre_hooks
        for each in modules
    )


def _empty(kind: type[nn.Module]) -> nn.Module:
    return kind.__new__(kind)


@cache
def _variant(kind: type[nn.Module], own: Forward) -> type[nn.Module]:
    plain = kind.forward

    def forward(self: Any, *args: Any, **more: Any) -> Any:
        return own(self, plain, *args, **more)

    def reduced(self: Any, protocol: Any) -> Any:
        _, _, *state = cast("tuple[Any, ...]", kind.__reduce_ex__(self, protocol))
        return _empty, (kind,), *state

    members = {"forward": forward, "__reduce_ex__": reduced, "__module__": kind.__module__, _MARK: True}
    return type(kind.__name__, (kind,), members)
