"""The transformers framework: any Hugging Face model, for every task, whole or by adapter."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from ..config import Hooks, Settings
from ..data.labels import Labels
from ..errors import ArtifactError
from ..folder import RunFolder, write_text
from ..tasks.base import Example, Examples, Prediction, Task
from ..training import adapters, features, fitting, heads, predictor, session
from ..training.bases import ADAPTER_FILE, open_base
from ..training.recipe import Encoding, Recipe
from ..training_arguments import training_arguments

RECIPES = {
    "text-classification": "classification:RECIPE",
    "token-classification": "tagging:RECIPE",
    "question-answering": "answers:RECIPE",
    "sequence-sequence": "sequences:RECIPE",
    "language-generation": "language:GENERATION",
    "language-modeling": "language:MODELING",
    "token-detection": "detection:DETECTION",
}
ENCODING_FILE = "tunesmith.json"  # what a saved model needs, beside its weights, to read text as it was trained to


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

    def predict(self, inputs: Sequence[Example], *, batch_size: int = 32) -> list[Prediction]:
        """One prediction an input, in order; language tasks write on, or fill the mask."""
        recipe = recipe_of(self.task)
        if not inputs:
            return []
        if recipe.respond is not None:
            return recipe.respond(self.module, inputs, self.encoding, batch_size)
        return self._run(inputs, gold=False, batch_size=batch_size)

    def predictions(self, examples: Sequence[Example], *, batch_size: int = 32) -> list[Prediction]:
        """What the task's `score` reads: `predict` of the examples; for language tasks the loss of each text."""
        if not examples:
            return []
        if recipe_of(self.task).respond is None:
            return self.predict(examples, batch_size=batch_size)
        return self._run(examples, gold=True, batch_size=batch_size)

    def _run(self, examples: Sequence[Example], *, gold: bool, batch_size: int) -> list[Prediction]:
        recipe, encoding = recipe_of(self.task), self.encoding
        made = recipe.encode(examples, encoding, gold)
        if gold and recipe.merge is not None and encoding.merge is not None:
            made = list(recipe.merge(iter(made), encoding))
        rows, _ = predictor.run(self.module, made, recipe, encoding, batch_size=batch_size)
        return recipe.decode(rows, made, examples, encoding)

    def merged(self) -> TransformersModel:
        """The same model with its adapter's weights added into the base."""
        return replace(self, module=adapters.merged(self.module))

    def save(self, folder: Path) -> None:
        """Weights, configuration and tokenizer, loadable by transformers; and how the model reads text."""
        folder.mkdir(parents=True, exist_ok=True)
        self.module.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        write_encoding(folder, self.task, self.encoding)


@dataclass(frozen=True)
class TransformersFramework:
    """Machinery only: it never scores, prints or splits."""

    name: str = "transformers"

    def why_not(self, task: str) -> str | None:
        """None: the task can be trained. Else the reason."""
        return None if task in RECIPES else f"no model head of transformers is set up for {task}"

    def defaults(self, task: str) -> dict[str, Any]:
        """Every training argument with its default."""
        return {name: argument.default for name, argument in training_arguments().items()}

    def prepare(self, task: Task, splits: Mapping[str, Examples], *, settings: Settings, hooks: Hooks) -> dict[str, Any]:
        """Token features of each split, as `datasets.Dataset`s."""
        recipe = recipe_of(task.name)
        opened = session.open_session(task.name, settings, hooks, splits["train"], RunFolder(), pad_to=None)
        return {name: features.build(split, recipe, opened.encoding, gold=True) for name, split in splits.items()}

    def fit(
        self, task: Task, splits: Mapping[str, Examples], settings: Settings, folder: RunFolder, hooks: Hooks
    ) -> TransformersModel:
        """Train on splits['train'], choose by splits['validation'] where there is one.

        Raises:
            TrainingFailed: the loss left the finite numbers, or memory ran out.
        """
        module, encoding, history, chosen = fitting.fit(
            fitting.Job(task, recipe_of(task.name), splits, settings, folder, hooks)
        )
        return TransformersModel(task.name, module, encoding, history, chosen)

    def load(self, task: str | None, folder: str | Path, model_args: Mapping[str, Any] | None = None) -> TransformersModel:
        """A saved model; `task` None reads it from the folder.

        Raises:
            ArtifactError: nothing loadable there, or its task cannot be told.
        """
        saved = read_encoding(Path(folder))
        name = task or (saved or {}).get("task") or _task_of(folder)
        recipe = recipe_of(name)
        base = open_base(str(folder), name, model_args)
        if recipe.load is not None:
            module = recipe.load(base)
        else:
            module, _ = heads.load(base, recipe.auto, None, classifies_text=name == "text-classification")
            if base.adapter is not None:
                module = adapters.reopen(module, base.adapter)
        session.set_pad_token(base.tokenizer, base.name)
        encoding = _encoding(name, base, saved)
        return TransformersModel(name, module.eval(), encoding)


FRAMEWORK = TransformersFramework()


def write_encoding(folder: Path, task: str, encoding: Encoding) -> None:
    """tunesmith.json: the task, its kind and labels, and the settings that decide how text is read."""
    labels = encoding.labels
    told = {
        "task": task,
        "framework": "transformers",
        "kind": encoding.kind,
        "labels": None if labels is None else labels.to_dict(),
        "maxlength": encoding.maxlength,
        "stride": encoding.stride,
        "prefix": encoding.prefix,
        "merge": encoding.merge,
        "seed": encoding.seed,
        "generation": dict(encoding.generation),
    }
    write_text(folder / ENCODING_FILE, json.dumps(told, indent=2, ensure_ascii=False) + "\n")


def read_encoding(folder: Path) -> dict[str, Any] | None:
    """What `write_encoding` wrote, or None for a folder of another tool."""
    path = folder / ENCODING_FILE
    if not path.is_file():
        return None
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ArtifactError(path, f"is not valid JSON: {error}") from error
    return told


def _encoding(task: str, base: Any, saved: Mapping[str, Any] | None) -> Encoding:
    if saved is not None:
        known = {key: saved[key] for key in ("maxlength", "stride", "prefix", "merge", "seed", "generation")}
        labels = None if saved["labels"] is None else Labels.from_dict(saved["labels"])
        return Encoding(base.tokenizer, labels, saved["kind"], **known)
    labels = heads.read_labels(base.config, classifies_text=task == "text-classification")
    limit = session.max_length(None, base, RunFolder())
    if task == "text-classification":
        return Encoding(base.tokenizer, labels, labels.kind, limit)
    kinds = {"token-classification": "tags", "question-answering": "answerable"}
    return Encoding(base.tokenizer, labels if task == "token-classification" else None, kinds.get(task, ""), limit)


def _task_of(folder: str | Path) -> str:
    """The task of a model saved by another tool, from the architecture its configuration names."""
    if not Path(folder).is_dir():
        raise ArtifactError(folder, "no such run: expected the folder of a trained model")
    try:
        config = json.loads(Path(folder, "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        beside = f" (it holds an {ADAPTER_FILE}: say its task)" if Path(folder, ADAPTER_FILE).is_file() else ""
        raise ArtifactError(folder, f"has no readable config.json: it is no trained model{beside}") from error
    architecture = (config.get("architectures") or [""])[0]
    endings = {
        "ForSequenceClassification": "text-classification",
        "ForTokenClassification": "token-classification",
        "ForQuestionAnswering": "question-answering",
        "ForConditionalGeneration": "sequence-sequence",
        "ForCausalLM": "language-generation",
        "LMHeadModel": "language-generation",
        "ForMaskedLM": "language-modeling",
    }
    for ending, task in endings.items():
        if architecture.endswith(ending):
            return task
    raise ArtifactError(folder, f"its architecture {architecture!r} does not tell its task: say task=…")


