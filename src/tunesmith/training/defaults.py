"""What the native verbs choose where the user names nothing: from the size of the model and of the data."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..config import Settings
from ..errors import ConfigError
from ..hooks import Hooks
from ..tasks.base import Examples
from ..tasks.parts import rows_a_step
from . import rates

SMALL_MODEL = 60_000_000  # parameters; below it a model takes, and needs, larger steps
LAYER_DECAY = 0.8  # of a small encoder, as Clark et al. 2020 (ELECTRA) do it: its top moves fast, its words little
RATES, SCHEDULE = ("learning_rate", "weight_decay", "layer_decay"), ("warmup_steps", "lr_scheduler_type")
ENCODERS = ("text-classification", "token-classification", "question-answering")
ROWS_A_CLASS = 60  # fewer rows a class than this leave a new head short of updates: larger steps, and more of them


@dataclass(frozen=True)
class Choice:
    """Training arguments that were chosen, the patience of early stopping (None: none), and what they follow from.

    layer_decay: the share of its rate that each layer gives the one below. decided: what was not ours to choose, see
    `decided`.
    """

    arguments: Mapping[str, Any]
    patience: int | None = None
    layer_decay: float = 1.0
    grounds: str = ""
    decided: Mapping[str, Any] = field(default_factory=dict)

    def written(self) -> dict[str, Any]:
        """What the record of a run says of it: what was chosen."""
        every = {**self.arguments, **({} if self.layer_decay == 1 else {"layer_decay": self.layer_decay})}
        return {name: value for name, value in every.items() if name not in self.decided}

    def told(self, patience: int | None) -> str:
        """What was chosen, in a sentence, without what was decided or what that leaves idle; empty for nothing."""
        named = self.decided
        falls = "" if self.layer_decay == 1 else f", {self.layer_decay:g} of it a layer further down"
        words: dict[str, Callable[[Any], str]] = {
            "learning_rate": lambda rate: f"learning rate {rate:g}{falls}",
            "num_train_epochs": lambda epochs: f"{epochs} epochs" if patience is None else f"at most {epochs} epochs",
            "warmup_steps": lambda share: f"{share:.0%} warm-up",
        }
        by_steps = int(named.get("max_steps") or -1) > 0  # then epochs count for nothing
        idle = {*named, "num_train_epochs"} if by_steps else {*named}
        parts = [say(self.arguments[key]) for key, say in words.items() if key in self.arguments and key not in idle]
        if patience is not None and self.patience is not None:
            by_epoch = named.get("eval_strategy", "epoch") == "epoch"
            epochs = math.inf if by_steps or not by_epoch else float(named.get("num_train_epochs") or math.inf)
            if epochs > patience + 1:  # the first evaluation is always progress
                unit = "epochs" if by_epoch else "evaluations"
                parts.append(f"a stop after {patience} {unit} without progress on validation")
        return f"chosen for {self.grounds}: {', '.join(parts)}" if parts else ""


def decided(settings: Settings, hooks: Hooks) -> dict[str, Any]:
    """What is not ours to choose: what the user named, and what an optimizer or a schedule of the user's brings."""
    named = dict(settings.training)
    if settings.layer_decay is not None:
        named["layer_decay"] = settings.layer_decay
    for given, brings in zip(hooks.optimizers, (RATES, SCHEDULE), strict=True):
        if given is not None:
            named |= dict.fromkeys(brings)
    return named


def of_run(task: str, settings: Settings, hooks: Hooks, splits: Mapping[str, Examples], model: Any) -> Choice:
    """The choice for a run's data and model.

    Raises:
        ConfigError: a layer_decay that this model or optimizer cannot have.
    """
    train, share = splits["train"], settings.layer_decay
    reason = rates.why_not(model, own=hooks.optimizers[0] is not None)
    if reason and share not in (None, 1):
        raise ConfigError("layer_decay", share, f"1, or none, here: {reason}")
    if share is None and (reason or "learning_rate" in settings.training):
        share = 1.0
    if settings.defaults != "tuned":
        return Choice({}, layer_decay=share or 1.0, decided=decided(settings, hooks))
    choice = choose(
        task=task,
        rows=len(train),
        classes=len(train.labels.names) if train.labels else 1,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        adapter=hasattr(model, "peft_config"),
        scratch=settings.from_scratch is not None,
        validated="validation" in splits,
        batch=rows_a_step(settings),
        layer_decay=share,
    )
    return replace(choice, decided=decided(settings, hooks))


def choose(
    *,
    task: str,
    rows: int,
    classes: int,
    parameters: int,
    adapter: bool,
    scratch: bool,
    validated: bool,
    batch: int,
    layer_decay: float | None = None,
) -> Choice:
    """Learning rate, its fall from layer to layer, warm-up, epochs and early stopping.

    rows: training examples. classes: labels (1 for numbers). parameters: of the whole model. batch: rows a step.
    layer_decay: None to choose it.
    """
    if layer_decay is None:
        falls = task in ENCODERS and parameters < SMALL_MODEL and not (adapter or scratch)
        layer_decay = LAYER_DECAY if falls else 1.0
    rate = _learning_rate(parameters, sparse=_sparse(rows, classes), adapter=adapter, scratch=scratch)
    arguments: dict[str, Any] = {
        "learning_rate": rate * min(2.0, 1 + 5 * (1 - layer_decay)),  # of the head: the layers' mean is near `rate`
        "num_train_epochs": _epochs(task, rows, classes, batch, scratch=scratch),
        "warmup_steps": 0.1,  # below 1: a share of all steps
        "weight_decay": 0.01,
        "lr_scheduler_type": "linear",
    }
    patience = 3 if validated else None
    if validated:
        arguments |= {"eval_strategy": "epoch", "save_strategy": "epoch"}
        arguments |= {"load_best_model_at_end": True, "save_total_limit": 1}
    many = f" of {classes} classes" if classes > 1 else ""
    kind = " under an adapter" if adapter else ", new" if scratch else ""
    return Choice(arguments, patience, layer_decay, f"{rows} rows{many} and {parameters / 1e6:.0f}M parameters{kind}")


def _sparse(rows: int, classes: int) -> bool:
    return classes > 1 and rows / classes < ROWS_A_CLASS


def _learning_rate(parameters: int, *, sparse: bool, adapter: bool, scratch: bool) -> float:
    if scratch:
        return 1e-3
    if adapter:
        return 5e-4 if parameters < SMALL_MODEL else 2e-4
    if parameters < SMALL_MODEL:
        return 2e-4 if sparse else 1e-4
    return 5e-5 if parameters < 200_000_000 else 2e-5


def _epochs(task: str, rows: int, classes: int, batch: int, *, scratch: bool) -> int:
    """Enough steps for every class, within 3 to 20 passes; a new model needs more than a pretrained one."""
    if scratch:
        return max(3, min(200, math.ceil(3000 * batch / max(rows, 1))))
    wanted_steps = 1000 if task != "text-classification" else max(1000, 40 * classes)
    epochs = math.ceil(wanted_steps * batch / max(rows, 1))
    if _sparse(rows, classes):
        epochs = max(epochs, 10)
    return max(3, min(20, epochs))
