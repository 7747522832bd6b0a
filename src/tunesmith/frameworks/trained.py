"""What every framework but transformers returns: a model made of functions, saved with its tunesmith.json."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import model_file
from ..config import Settings
from ..data.labels import Labels
from ..errors import ArtifactError, ConfigError, UnsupportedTask
from ..folder import RunFolder, staging
from ..hooks import Hooks
from ..tasks.base import Example, Examples, Prediction

Infer = Callable[["Trained", Sequence[Example], int], list[Prediction]]
"""(model, examples, batch size) -> one prediction each, in order; called with one example or more."""

Write = Callable[["Trained", Path], None]
"""Write the library's own files into an empty folder."""


@dataclass(frozen=True)
class Trained:
    """A trained model of a framework. kind: of the labels, as `Examples.kind`. kept: JSON values for tunesmith.json.

    scored: what the task's `score` reads, where `infer` does not tell it.
    """

    framework: str
    task: str
    kind: str
    labels: Labels | None
    module: Any
    infer: Infer
    write: Write
    tokenizer: Any = None
    history: tuple[Mapping[str, Any], ...] = ()
    chosen: Mapping[str, Any] = field(default_factory=dict)
    origin: Mapping[str, Any] = field(default_factory=dict)
    kept: Mapping[str, Any] = field(default_factory=dict)
    scored: Infer | None = None

    def predict(self, inputs: Sequence[Example], *, batch_size: int = 32, precision: str = "fp32") -> list[Prediction]:
        """One prediction an input, in order.

        Raises:
            ConfigError: another precision than 'fp32'.
        """
        if precision != "fp32":
            raise ConfigError("precision", precision, f"'fp32': {self.framework} predicts in no other")
        return self.infer(self, inputs, batch_size) if inputs else []

    def predictions(self, examples: Sequence[Example], *, batch_size: int = 32) -> list[Prediction]:
        """`predict` of the examples, or what `scored` makes of them."""
        return (self.scored or self.infer)(self, examples, batch_size) if examples else []

    def save(self, folder: Path) -> None:
        """The library's own files, and tunesmith.json."""
        folder.mkdir(parents=True, exist_ok=True)
        with staging(folder) as aside:
            self.write(self, aside)
        labels = None if self.labels is None else self.labels.to_dict()
        told = {"framework": self.framework, "task": self.task, "kind": self.kind, "labels": labels, **self.kept}
        model_file.write(folder, told)


def kept(model: Trained, folder: RunFolder) -> Trained:
    """The model, saved where the run has a folder; that it replaces another one is told."""
    if folder.path is not None:
        if (folder.path / model_file.FILE).exists():
            folder.note(f"replaces the model in {folder.path}")
        model.save(folder.path)
    return model


def read(framework: str, task: str | None, folder: Path) -> tuple[str, str, Labels | None, Mapping[str, Any]]:
    """(task, kind, labels, all that was told) of a saved model.

    Raises:
        ArtifactError: it is no model of this framework, or of this task.
    """
    told = model_file.read(folder)
    if told is None or told.get("framework") != framework:
        raise ArtifactError(folder, f"is no model that {framework} trained: it has no {model_file.FILE} that says so")
    if task is not None and task != told["task"]:
        raise ArtifactError(folder, f"is a model of {told['task']}, not of {task}")
    labels = None if told["labels"] is None else Labels.from_dict(told["labels"])
    return told["task"], told["kind"], labels, told


def refuse_kind(framework: str, task: str, examples: Examples, able: Sequence[str]) -> None:
    """Raises: UnsupportedTask, where the labels are of a kind that the framework cannot learn."""
    if examples.kind not in able:
        why = f"the labels are of the kind {examples.kind!r}, and it learns {' and '.join(map(repr, able))}"
        raise UnsupportedTask(framework, task, why)


def refuse_pairs(framework: str, task: str, examples: Examples) -> None:
    """Raises: UnsupportedTask, where rows have a second text."""
    if any(example.pair is not None for example in examples):
        raise UnsupportedTask(framework, task, "the rows are pairs of texts, and it reads one text")


def refuse_gpu(reason: str, settings: Settings) -> None:
    """Raises: ConfigError, where a GPU is named; reason: why none is computed on."""
    if isinstance(settings.device, int):
        raise ConfigError("device", settings.device, f"'cpu' or 'auto': {reason}")


def refuse_hooks(framework: str, settings: Settings, hooks: Hooks) -> None:
    """Raises: ConfigError, where a live object was given that only transformers' own trainer takes."""
    given = {
        "callbacks": hooks.callbacks or None,
        "optimizers": None if hooks.optimizers == (None, None) else hooks.optimizers,
        "loss": hooks.loss,
        "metrics": hooks.metrics,
        "tokenizer": hooks.tokenizer,
    }
    for name, value in given.items():
        if value is not None:
            raise ConfigError(name, value, f"None: {framework} takes no such object")
