"""The drop-in for txtai's trainer: `from tunesmith.pipeline import HFTrainer` in the place of txtai's import.

Same signature, order of work, defaults and files; the work itself is that of `tunesmith.train`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import api
from .config import Settings
from .errors import UnknownSetting
from .hooks import Hooks
from .registry import tasks


class HFTrainer:
    """Trains a Hugging Face model in one call and returns (model, tokenizer)."""

    def __call__(
        self,
        base: Any,
        train: Any,
        validation: Any = None,
        columns: Any = None,
        maxlength: int | None = None,
        stride: int = 128,
        task: str = "text-classification",
        prefix: str | None = None,
        metrics: Callable[[Any], Mapping[str, float]] | None = None,
        tokenizers: bool | int | None = None,
        checkpoint: bool | str | None = None,
        quantize: Any = None,
        lora: Any = None,
        merge: str | None = "concat",
        teacher: Any = None,
        distillation: tuple[float, float] | None = (1.0, 0.5),
        tokenizebatch: int = 1000,
        *,
        callbacks: Sequence[Any] | None = (),
        early_stopping: int | bool | None = None,
        optimizers: tuple[Any, Any] | None = (None, None),
        loss: Callable[..., Any] | None = None,
        model_args: Mapping[str, Any] | None = None,
        **args: Any,
    ) -> tuple[Any, Any]:
        """Fine-tune `base` on `train`; the model comes back in eval mode, on the device it was trained on.

        base: hub id, path, 'minilm', or (model, tokenizer), which are trained in place and returned themselves.
        train, validation: any form that `tunesmith.train` takes. `validation` is evaluated once after training.
        columns: column names in the task's order; for text classification (text, label) or (text, text, label).
        maxlength: tokens of a feature, at most what the model reads. stride: tokens that chunks of a long question
            answering context share. prefix: put before each source of sequence-sequence.
        metrics: `f(EvalPrediction) -> dict`, in the place of the task's own scores.
        tokenizers: processes that tokenize (True: one a core). tokenizebatch: rows tokenized at a time.
        checkpoint: True resumes from the newest checkpoint in `output_dir` that is of the same rows and base, a string
            from that path.
        quantize, lora: True, a mapping of settings, or a configuration object.
        merge: how language tasks join rows: 'concat', 'pack' or None.
        teacher, distillation: a trained model to learn from, with (temperature, alpha).
        args: every `TrainingArguments` field; defaults are those of transformers (3 epochs, 5e-5, batches of 8).

        Raises:
            ConfigError: a setting that cannot be used; an unknown one is also a `TypeError` and names the nearest.
            DataError: also a `ValueError`: data that cannot be used, with row and column.
            NotInstalled: also an `ImportError`: peft or bitsandbytes is missing.
        """
        if quantize or lora:
            from .training.adapters import require_peft

            require_peft("quantize" if quantize else "lora")
        _refuse_native(args)
        settings = Settings.make(
            train=train,
            base=base,
            task=task,
            validation=validation,
            columns=columns,
            maxlength=maxlength,
            stride=stride,
            prefix=prefix,
            merge=merge,
            lora=lora or None,
            quantize=quantize or None,
            teacher=teacher,
            distillation=distillation if distillation is not None else (1.0, 0.5),
            tokenizers=tokenizers,
            tokenizebatch=tokenizebatch,
            checkpoint=checkpoint,
            early_stopping=False if early_stopping is None else early_stopping,
            model_args=model_args or {},
            defaults="transformers",
            **args,
        )
        given = tuple(callbacks or ()), optimizers or (None, None), loss
        hooks = Hooks(metrics, *given, base=base, teacher=teacher, lora=lora, quantize=quantize)
        run = api.fit(train, validation, None, settings, hooks, rescore=False)
        return run.model, run.tokenizer

    def parse(self, updates: Mapping[str, Any]) -> Any:
        """Training arguments: `updates` over txtai's defaults (nothing saved, no tracker, warnings only).

        An empty `output_dir` stays empty in what is returned.
        """
        from .training.arguments import build, workspace

        named = dict(updates)
        output_dir = named.pop("output_dir", "")
        with workspace(output_dir) as directory:
            args = build(named, output_dir=str(directory), seed=named.pop("seed", 42))
        args.output_dir = output_dir
        return args

    def load(self, base: Any, maxlength: int | None) -> tuple[Any, Any, int]:
        """(configuration, tokenizer, tokens of a feature) of a base."""
        from .folder import RunFolder
        from .training.bases import open_base
        from .training.session import max_length

        opened = open_base(base, "text-classification")
        return opened.config, opened.tokenizer, max_length(maxlength, opened, RunFolder())

    def prepare(
        self,
        task: str,
        train: Any,
        tokenizer: Any,
        columns: Any,
        maxlength: int,
        stride: int,
        prefix: str | None,
        merge: str | None,
        args: Any,
    ) -> tuple[Callable[[Any], Any], Callable[..., Any], int | None]:
        """(function from data to token features, batch collator, number of labels or None) for a task.

        `args` are training arguments, as `parse` gives them; 16-bit training pads to a multiple of 8.
        """
        from .data.columns import gold_role
        from .data.sources import read
        from .frameworks.transformers import recipe_of
        from .tasks.base import Reading
        from .training import features
        from .training.recipe import Encoding

        owner = tasks.get(task)
        examples = api.read_data(owner, train, None, None, Settings.make(task=task, columns=columns))["train"]
        recipe = recipe_of(owner.name)
        pad_to = 8 if args.fp16 or args.bf16 else None
        encoding = Encoding(
            tokenizer, examples.labels, examples.kind, maxlength, stride, prefix or "", merge, args.seed, pad_to=pad_to
        )

        def process(data: Any) -> Any:
            rows = read(data, names=owner.roles, gold=gold_role(owner.roles, owner.optional) is not None)
            return features.build(owner.examples(rows, Reading(columns, examples.labels)), recipe, encoding, gold=True)

        labels = None if examples.labels is None else len(examples.labels)
        return process, recipe.collate(encoding), labels

    def model(self, task: str, base: Any, config: Any, labels: int | None, tokenizer: Any, quantize: Any) -> Any:
        """The model of `base` for a task, with `labels` outputs; a live one is fitted in place and returned itself."""
        from dataclasses import replace

        from .data.labels import Labels
        from .frameworks.transformers import recipe_of
        from .training import heads, quantization, weights
        from .training.bases import Base, open_base

        name = tasks.resolve(task)
        if isinstance(base, tuple | list) and not isinstance(base[0], str):
            opened = Base("given", config or base[0].config, tokenizer, model=base[0])
        else:
            opened = replace(open_base(base, name), tokenizer=tokenizer)
            opened = replace(opened, config=config or opened.config)
        recipe = recipe_of(name)
        if recipe.load is not None:
            return recipe.load(opened)
        names = None
        if labels is not None and name in ("text-classification", "token-classification"):
            regression = labels == 1 and name == "text-classification"
            generic = tuple(f"{heads.GENERIC}{place}" for place in range(labels))
            names = Labels("regression") if regression else Labels("single", generic)
        made, _ = weights.load(
            opened,
            recipe.auto,
            names,
            classifies_text=name == "text-classification",
            quantization=quantization.for_this_machine(quantize),
            trainable=True,
        )
        return made

    def quantization(self, quantize: Any) -> Any:
        """The `BitsAndBytesConfig` of a setting, or None; True is 4-bit NF4, double quantization, bfloat16 compute."""
        from .training.quantization import config

        return config(quantize)

    def peft(self, task: str, lora: Any, model: Any) -> Any:
        """`model` under a LoRA adapter, or itself where `lora` is falsy."""
        from .training import adapters, heads, weights

        config = self.lora(task, lora)
        if config is None:
            return model
        if hasattr(model, "adapt"):  # a model of several parts adapts each of them
            return model.adapt(config)
        headed = adapters.task_type(tasks.resolve(task)) in adapters.HEADED
        fresh = weights.unsaved(model, must_reopen=False)
        return adapters.wrap(model, config, head=tuple(heads.head_modules(model)) if headed else (), fresh=fresh)

    def lora(self, task: str, lora: Any) -> Any:
        """The `LoraConfig` of a setting, or None; a mapping that is given is not changed."""
        from .training.adapters import lora_config

        return lora_config(tasks.resolve(task), lora)

    def loratask(self, task: str) -> str:
        """PEFT's name of a task."""
        from .training.adapters import task_type

        return task_type(tasks.resolve(task))


def _refuse_native(args: Mapping[str, Any]) -> None:
    """Raises: UnknownSetting, for what `tunesmith.train` takes and this call would pass over."""
    told = {
        "test": "this call evaluates validation alone; tunesmith.train takes test",
        "defaults": "this call has those of transformers; tunesmith.train chooses better ones where none are named",
    }
    for name in told.keys() & args.keys():
        error = UnknownSetting(name, ())
        error.args = (f"unknown setting {name!r}: {told[name]}.",)
        raise error
