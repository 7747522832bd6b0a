"""What a run is told that no file can hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import ConfigError

Metrics = Callable[[Any], Mapping[str, float]]


def checked(metrics: Metrics | None) -> Metrics | None:
    """The function, with an error of ours where it gives no scores."""
    if metrics is None:
        return None

    def score(predicted: Any) -> Mapping[str, float]:
        found = metrics(predicted)
        if not isinstance(found, Mapping):
            raise ConfigError("metrics", metrics, f"a function that returns names with their scores, not {found!r}")
        return found

    return score


@dataclass(frozen=True)
class Hooks:
    """The live objects of a run, which no file can hold; base to quantize win over the setting of the same name.

    opened: the base as the framework has opened it, before any data was read. ask: says whether the user agrees to
    what a text tells, such as an upload; None where nobody can be asked.
    """

    metrics: Metrics | None = None
    callbacks: Sequence[Any] = ()
    optimizers: tuple[Any, Any] = (None, None)
    loss: Callable[..., Any] | None = None
    base: Any = None
    tokenizer: Any = None
    teacher: Any = None
    lora: Any = None
    quantize: Any = None
    opened: Any = None
    ask: Callable[[str], bool] | None = None
