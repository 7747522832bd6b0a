"""A run: a folder, a trained model and its scores; what the command line, a server and a notebook hold."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Integral
from typing import Any

from .config import Settings
from .data.columns import again, by_role, gold_role
from .data.dataset import Dataset, gives_table
from .errors import ConfigError, DataError, RowError
from .evaluation.scoring import score
from .folder import RunFolder
from .tasks.base import Example, Examples, Prediction, Reading, RowId, Task
from .tasks.reading import with_rows


@dataclass(frozen=True)
class Run:
    """A trained model with what is known of it. `metrics` maps a split to its scores."""

    task: Task
    framework_model: Any
    folder: RunFolder = field(default_factory=RunFolder)
    settings: Settings = field(default_factory=Settings)
    metrics: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def __repr__(self) -> str:
        where = "in memory" if self.folder.path is None else str(self.folder.path)
        scores = [
            f"{split} {metric} {values[metric]:.4g}"
            for split, values in self.metrics.items()
            if (metric := self.task.primary_metric if self.task.primary_metric in values else next(iter(values), ""))
        ]
        return f"Run({', '.join([self.task.name, where, *scores])})"

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

    @property
    def columns(self) -> Mapping[str, str]:
        """The column that training read for each role; empty where that is not known."""
        said = by_role(self.settings.columns, self.task.roles, self.task.optional, self.task.name)
        return {role: column for role, column in said.items() if column is not None}

    def predict(
        self, inputs: Sequence[Any], *, batch_size: int | None = None, precision: str = "fp32"
    ) -> list[Prediction]:
        """One prediction an input, in order; each goes through the model once, in batches of like length.

        inputs: texts; (text, pair) or (question, context) tuples; or mappings, by the task's column roles or with the
            columns that the run was trained on; or a frame of such rows (pandas, polars, Arrow, Hugging Face); or
            records.
        batch_size: rows at a time; None: 32, and on a CPU fewer of long texts (512 tokens at a time).
        precision: "bf16" computes in 16 bits, where the hardware is fast in it: scores then differ in the third digit.

        Raises:
            DataError: an input that the task cannot read, with its place.
            ConfigError: one text alone, or a batch size below 1.
        """
        if isinstance(inputs, str):
            told = "put the one text into a list"
            if os.path.isfile(inputs):
                told = "a file is predicted with `tunesmith predict RUN FILE`, or from a frame: "
                told += "`run.predict(pandas.read_csv(path))`"
            raise ConfigError("inputs", inputs, f"a list of inputs; {told}")
        ids: Sequence[RowId] | None = None
        if gives_table(inputs):
            ids, inputs = zip(*inputs.as_inputs(), strict=True) if inputs else ((), ())
        elif hasattr(inputs, "columns") or hasattr(inputs, "column_names"):  # a frame, a table, a data set
            from .data.sources import read

            inputs = [row for _, row in read(inputs, name="inputs")]
        examples = self.inputs(inputs)
        if ids is not None:
            examples = [replace(example, id=name) for name, example in zip(ids, examples, strict=True)]
        return self.predictions(examples, batch_size=batch_size, precision=precision)

    def inputs(self, values: Sequence[Any]) -> list[Example]:
        """What `predict` takes, but a frame or records, as examples without gold.

        Raises:
            DataError: an input that the task cannot read, or a text alone where training read pairs, with its place.
        """
        found = self.task.inputs([self.as_roles(value) for value in values])
        if "pair" in self.columns and gold_role(self.task.roles, self.task.optional) is not None:
            alone = next((example for example in found if example.pair is None), None)
            if alone is not None:
                reason = (
                    "is empty: training read pairs of texts, and this is one text. Give both: (text, pair) in Python, "
                    """'{"text": "…", "pair": "…"}' on the command line"""
                )
                raise RowError(alone.id, "pair", reason)
        return found

    def predictions(
        self, examples: Sequence[Example], *, batch_size: int | None = None, precision: str = "fp32"
    ) -> list[Prediction]:
        """`predict` of examples.

        Raises:
            ConfigError: a batch size below 1.
        """
        size: Any = batch_size
        if size is not None and (isinstance(size, bool) or not isinstance(size, Integral) or size < 1):
            raise ConfigError("batch_size", batch_size, "a whole number from 1")
        named = {} if size is None else {"batch_size": size}
        found: list[Prediction] = self.framework_model.predict(examples, precision=precision, **named)
        return found

    def evaluate(self, data: Any, *, columns: Any = None, limit: int | None = None) -> dict[str, float]:
        """The task's scores on labelled data in any form that `train` takes.

        Raises:
            DataError: data that cannot be read, or a label that the model does not know.
        """
        from .data.sources import read

        gold = gold_role(self.task.roles, self.task.optional) is not None
        dataset = with_rows(read(data, name="evaluation", limit=limit, names=self.task.roles, gold=gold))
        examples = self.examples(dataset, columns=columns)
        scores, _ = score(self.framework_model, self.task, examples)
        return scores

    def examples(self, dataset: Dataset, *, columns: Any = None, gold: bool = True) -> Examples:
        """The rows of a data set by the columns that training read; what `columns` says wins.

        gold: whether labels are read; without, every row is an example or an error.

        Raises:
            DataError: a column or a cell that cannot be read.
        """
        roles, optional, known = self.task.roles, self.task.optional, self.columns
        target = gold_role(roles, optional)
        wanted = again(known, dataset.columns, roles=roles, optional=optional)
        wanted |= by_role(columns, roles, optional, self.task.name)
        if not gold and target is not None:
            wanted[target] = None
        reading = Reading(wanted, self.framework_model.labels, need_labels=gold)
        found = self.task.examples(dataset, replace(reading, bad_rows=self.settings.bad_rows if gold else "error"))
        lacking = [role for role in known if role != target and role not in found.columns]
        if columns is None and lacking:
            there = ", ".join(map(repr, dataset.columns))
            raise DataError(f"{dataset.name}: no column for the {lacking[0]}, which training read. Columns: {there}.")
        return found

    def as_roles(self, value: Any) -> Any:
        """A row of a table like the one trained on by the task's roles; anything else as it is."""
        target = gold_role(self.task.roles, self.task.optional)
        columns = {role: column for role, column in self.columns.items() if role != target}
        if not isinstance(value, Mapping) or not columns or any(column not in value for column in columns.values()):
            return value
        named = {role: value[role] for role in self.task.roles if role in value}
        return {**named, **{role: value[column] for role, column in columns.items()}}

    def merge_adapter(self) -> Run:
        """The same run with its adapter added into the base: an ordinary model with equal logits.

        A base that was quantized in training is one of floats then, with the numbers that its few bits stood for; the
        logits differ by what arithmetic in 16 bits rounds, about one in a thousand.

        Raises:
            ConfigError: the run has no adapter.
        """
        if not hasattr(self.framework_model, "merged"):
            raise ConfigError("framework", self.settings.framework, "transformers: only it trains adapters")
        return replace(self, framework_model=self.framework_model.merged())

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write model and tokenizer to a folder that `tunesmith.load` opens."""
        made = RunFolder.create(folder)
        assert made.path is not None
        self.framework_model.save(made.path)
        made.write_text("config.yaml", self.settings.to_yaml())
        made.write_json("metrics.json", self.metrics)
