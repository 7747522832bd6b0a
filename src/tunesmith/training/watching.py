"""What is watched on validation rows: when training stops, and which model is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..config import Settings
from ..errors import ConfigError
from ..tasks.base import LESS_IS_BETTER
from .defaults import Choice


def check(settings: Settings, splits: Mapping[str, Any]) -> None:
    """Raises: ConfigError, where validation rows are to be watched, and there are none or nobody is to look at them."""
    named = settings.training
    watched = {
        "early_stopping": settings.early_stopping,
        "save_strategy": "best" if named.get("save_strategy") == "best" else None,
        "eval_strategy": named.get("eval_strategy"),
    }
    for name, value in watched.items():
        if value in (None, False, "no"):
            continue
        if "validation" not in splits:
            raise ConfigError(name, value, "validation rows to watch: set validation=")
        if named.get("eval_strategy", "epoch") in (False, "no"):
            raise ConfigError(name, value, "evaluations to watch: eval_strategy 'epoch' or 'steps', or none named")


def choose(settings: Settings, choice: Choice, followed: tuple[str, bool]) -> tuple[dict[str, Any], int | None]:
    """The training arguments below the user's, and the patience of early stopping (None: none).

    The best model is kept where we chose so or the user asked for it; what is named of evaluation and saving wins.
    followed: the metric that chooses the model where none is named, and whether more of it is better.
    """
    named, chosen, wanted = settings.training, dict(choice.arguments), settings.early_stopping
    asked, best = wanted not in (None, False), named.get("save_strategy") == "best"
    ours = [chosen.pop(key, None) for key in ("eval_strategy", "save_strategy", "load_best_model_at_end")]
    strategy = named.get("eval_strategy", "epoch" if asked or best or ours[0] else "no")
    fits = strategy != "no" and named.get("save_strategy", strategy) == strategy
    keeps = named.get("load_best_model_at_end", fits and bool(asked or ours[2]))
    patience = int(wanted or 0) if asked else None if wanted is False or not keeps else choice.patience
    if strategy == "no":
        return chosen, None
    chosen["eval_strategy"] = strategy
    if keeps:
        chosen["load_best_model_at_end"] = True
    return chosen | _metric(named, followed, wanted=keeps or best or patience is not None), patience


def _metric(named: Mapping[str, Any], followed: tuple[str, bool], *, wanted: bool) -> dict[str, Any]:
    """The metric that chooses the model, and its direction: upstream knows that of a loss alone."""
    if "metric_for_best_model" in named:
        less = str(named["metric_for_best_model"]).removeprefix("eval_") in LESS_IS_BETTER
        return {"greater_is_better": False} if less else {}
    return {"metric_for_best_model": followed[0], "greater_is_better": followed[1]} if wanted else {}
