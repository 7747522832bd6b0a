"""A run: a folder, a trained model and its scores; what the command line, a server and a notebook hold."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .config import Settings
from .data.sources import read
from .errors import ConfigError
from .evaluation.scoring import score
from .folder import RunFolder
from .tasks.base import Prediction, Reading, Task
from .tasks.reading import with_rows


@dataclass(frozen=True)
class Run:
    """A trained model with what is known of it. `metrics` maps a split to its scores."""

    task: Task
    framework_model: Any
    folder: RunFolder = field(default_factory=RunFolder)
    settings: Settings = field(default_factory=Settings)
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def model(self) -> Any:
        """The framework's own model object, in eval mode."""
        return self.framework_model.module

    @property
    def tokenizer(self) -> Any:
        """The tokenizer the model was trained with."""
        return self.framework_model.tokenizer

    @property
    def history(self) -> tuple[Mapping[str, Any], ...]:
        """What training logged, in order: step, epoch, loss, learning rate, evaluations."""
        return tuple(self.framework_model.history)

    def predict(self, inputs: Sequence[Any], *, batch_size: int = 32) -> list[Prediction]:
        """One prediction an input, in order.

        inputs: texts; (text, pair) or (question, context) tuples; or mappings by the task's column roles.

        Raises:
            DataError: an input that the task cannot read, with its place.
        """
        if isinstance(inputs, str):
            raise ConfigError("inputs", inputs, "a list of inputs; put the one text into a list")
        examples = self.task.inputs(list(inputs))
        predictions: list[Prediction] = self.framework_model.predict(examples, batch_size=batch_size)
        return predictions

    def evaluate(self, data: Any, *, columns: Any = None, limit: int | None = None) -> dict[str, float]:
        """The task's scores on labelled data in any form that `train` takes.

        Raises:
            DataError: data that cannot be read, or a label that the model does not know.
        """
        dataset = with_rows(read(data, name="evaluation", limit=limit, names=self.task.roles))
        encoding = self.framework_model.encoding
        reading = Reading(columns or self.settings.columns, encoding.labels, self.settings.bad_rows)
        examples = self.task.examples(dataset, reading)
        scores, _ = score(self.framework_model, self.task, examples)
        return scores

    def merge_adapter(self) -> Run:
        """The same run with its adapter added into the base: an ordinary model with equal logits."""
        return replace(self, framework_model=self.framework_model.merged())

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write model and tokenizer to a folder that `tunesmith.load` opens."""
        made = RunFolder.create(folder)
        assert made.path is not None
        self.framework_model.save(made.path)
        made.write_text("config.yaml", self.settings.to_yaml())
        made.write_json("metrics.json", self.metrics)
