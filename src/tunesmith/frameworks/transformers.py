"""The transformers framework: any Hugging Face model, for every task, whole or by adapter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from .. import model_file
from ..config import Settings
from ..data.labels import Labels
from ..errors import ArtifactError, ConfigError
from ..folder import RunFolder, staging
from ..hooks import Hooks
from ..tasks.base import Example, Examples, Prediction, RowId, Task
from ..tasks.word_tags import Misfit
from ..training import adapters, devices, features, predictor, quantization, saved, session, weights
from ..training import precision as arithmetic
from ..training.bases import open_base
from ..training.recipe import Encoding, Recipe
from ..training_arguments import Argument, training_arguments
from . import base as preparing
from . import tables

WINDOW = 1_000  # examples that are tokenized, and sorted by length, at a time in a prediction

RECIPES = {
    "text-classification": "classification:RECIPE",
    "token-classification": "tagging:RECIPE",
    "question-answering": "answers:RECIPE",
    "sequence-sequence": "sequences:RECIPE",
    "language-generation": "language:GENERATION",
    "language-modeling": "language:MODELING",
    "token-detection": "detection:DETECTION",
}


def recipe_of(task: str) -> Recipe:
    """The recipe of a task, its module imported now."""
    module, _, attribute = RECIPES[task].partition(":")
    found: Recipe = getattr(import_module(f"tunesmith.training.{module}"), attribute)
    return found


@dataclass(frozen=True)
class TransformersModel:
    """A trained model: `module` (in eval mode), how it reads text, and the log of its training."""

    task: str
    module: Any
    encoding: Encoding
    history: tuple[Mapping[str, Any], ...] = ()
    chosen: Mapping[str, Any] = field(default_factory=dict)

    @property
    def tokenizer(self) -> Any:
        return self.encoding.tokenizer

    @property
    def labels(self) -> Labels | None:
        return self.encoding.labels

    @property
    def origin(self) -> dict[str, Any]:
        """What the run's lock says of the tokenizer and of the base's revision."""
        revision = getattr(self.module.config, "_commit_hash", None)
        return {"tokenizer": features.tokenizer_hash(self.tokenizer), "revision": revision}

    def predict(
        self, inputs: Sequence[Example], *, batch_size: int | None = None, precision: str = "fp32"
    ) -> list[Prediction]:
        """One prediction an input, in order; language tasks write on, or fill the mask.

        batch_size: see `predictor.run`.

        Raises:
            ConfigError: a precision other than 'fp32' and 'bf16'.
        """
        recipe = recipe_of(self.task)
        with arithmetic.predicting(self.module, precision):
            if not inputs:
                return []
            if recipe.respond is not None:
                return recipe.respond(self.module, inputs, self.encoding, batch_size or predictor.ROWS)
            return self._run(inputs, gold=False, batch_size=batch_size)

    def predictions(self, examples: Sequence[Example], *, batch_size: int | None = None) -> list[Prediction]:
        """What the task's `score` reads: `predict` of the examples; for language tasks the loss of each text."""
        if not examples:
            return []
        if recipe_of(self.task).respond is None:
            return self.predict(examples, batch_size=batch_size)
        return self._run(examples, gold=True, batch_size=batch_size)

    def _run(self, examples: Sequence[Example], *, gold: bool, batch_size: int | None) -> list[Prediction]:
        recipe, encoding = recipe_of(self.task), self.encoding
        merge = recipe.merge if gold and encoding.merge is not None else None
        size = WINDOW if merge is None else max(len(examples), 1)
        found: list[Prediction] = []
        for start in range(0, len(examples), size):
            window = examples[start : start + size]
            made = recipe.encode(window, encoding, gold)
            if merge is not None:
                made = list(merge(iter(made), encoding))
            rows, _ = predictor.run(self.module, made, recipe, encoding, batch_size=batch_size)
            found += recipe.decode(rows, made, window, encoding)
        return found

    def merged(self) -> TransformersModel:
        """The same model with its adapter's weights added into the base.

        Raises:
            ConfigError: it has no adapter.
        """
        if not weights.has_adapter(self.module):
            raise ConfigError("lora", None, "a run with an adapter, as lora=True trains one: this has none to merge")
        return replace(self, module=weights.merged(self.module))

    def save(self, folder: Path) -> None:
        """Weights, configuration and tokenizer, loadable by transformers; and how the model reads text."""
        adapters.check_saved(self.module, folder)
        if not hasattr(self.module, "save_pretrained"):
            told = "transformers cannot write it: save its weights yourself, with safetensors.torch.save_model"
            raise ArtifactError(folder, f"the model is a plain {type(self.module).__name__}; {told}")
        with staging(folder) as aside:
            self.module.save_pretrained(aside)
            self.tokenizer.save_pretrained(aside)
        saved.write(folder, self.task, self.module, self.encoding)


@dataclass(frozen=True)
class TransformersFramework:
    """Machinery only: it never scores, prints or splits."""

    name: str = "transformers"
    heeds: tuple[str, ...] = ("device",)  # and all other settings
    packages: tuple[str, ...] = ("torch", "transformers", "tokenizers", "peft", "accelerate")

    def why_not(self, task: str) -> str | None:
        """None: the task can be trained. Else the reason."""
        return None if task in RECIPES else f"no model head of transformers is set up for {task}"

    def why_not_prepare(self, task: str) -> str | None:
        """None: the task's data can be prepared. Else the reason."""
        return preparing.why_not_prepare(self.name, task, (preparing.TEXT, preparing.TOKENS, preparing.TARGET))

    def misfits(self, task: str, examples: Iterable[Example], *, lang: Any = None) -> dict[RowId, Misfit]:
        """The rows whose spans give no tag for each token, by id."""
        return preparing.tag_misfits(task, examples)

    def prepare(
        self, task: str, splits: Mapping[str, Examples], *, labels: Sequence[str], lang: Any = None, **options: Any
    ) -> Any:
        """A `Dataset` or `DatasetDict`: see `tables.datasets_of`."""
        preparing.check_options(self.name, options)
        return tables.datasets_of(task, splits, labels)

    @property
    def arguments(self) -> Mapping[str, Argument]:
        """Every training argument."""
        return training_arguments()

    def open(self, task: str, settings: Settings, hooks: Hooks) -> Hooks:
        """`hooks` with the base opened: what is wrong with it is told before any data is read.

        Raises:
            ConfigError, UnknownName, MissingCredential, ArtifactError: the base cannot be had.
        """
        quantization.check(task, settings, hooks)
        devices.check(settings.device, settings.training)
        adapters.lora_config(task, hooks.lora if hooks.lora is not None else settings.lora)
        return replace(hooks, opened=session.named_base(task, settings, hooks))

    def fit(
        self, task: Task, splits: Mapping[str, Examples], settings: Settings, folder: RunFolder, hooks: Hooks
    ) -> TransformersModel:
        """Train on splits['train'], choose by splits['validation'] where there is one.

        Raises:
            ConfigError: settings that do not go together.
            TrainingFailed: the loss left the finite numbers, or memory ran out.
        """
        named = {**settings.training, **devices.arguments(settings.device)}
        settings = replace(settings, training=named)
        with quantization.unheard():  # imports Trainer, and peft with it: seconds, and memory that a prediction saves
            from ..training import fitting
        module, encoding, history, chosen = fitting.fit(
            fitting.Job(task, recipe_of(task.name), splits, settings, folder, hooks)
        )
        return TransformersModel(task.name, module, encoding, history, chosen)

    def load(
        self, task: str | None, folder: str | Path, model_args: Mapping[str, Any] | None = None
    ) -> TransformersModel:
        """A saved model; `task` None reads it from the folder.

        Raises:
            ArtifactError: nothing loadable there, weights are missing, or its task cannot be told.
        """
        told = model_file.read(Path(folder))
        name = task or (told or {}).get("task") or saved.task_of(folder)
        recipe = recipe_of(name)
        base = open_base(str(folder), name, model_args)
        if recipe.load is not None:
            module = recipe.load(base)
            fresh = [f"{half}/{part}" for half, parts in module.fresh.items() for part in parts]
            weights.refuse_lacking(base.name, name, fresh)
        else:
            classifies = name == "text-classification"
            module, _ = weights.load(base, recipe.auto, None, classifies_text=classifies, whole=True)
        session.set_pad_token(base.tokenizer, base.name)
        session.set_segments(base.tokenizer, base.config)
        encoding = saved.encoding_of(name, base, told)
        return TransformersModel(name, module.eval(), encoding)


FRAMEWORK = TransformersFramework()
