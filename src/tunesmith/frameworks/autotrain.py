"""AutoTrain: a run of its command line in an environment of its own; what it leaves is an ordinary model."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from .. import model_file
from ..config import Settings
from ..declaring import argument, table
from ..errors import NothingToTrain, TrainingFailed, UnsupportedTask
from ..folder import RunFolder
from ..hooks import Hooks
from ..registry import frameworks
from ..tasks.base import Example, Examples, Prediction, RowId, Task
from ..tasks.word_tags import Misfit
from ..training_arguments import Argument
from . import base, tables
from .trained import Trained, kept, read, refuse_hooks, refuse_kind, refuse_pairs
from .worker import Worker, write_rows
from .worker_base import LocalBase, local_base, readable
from .worker_words import sentences

NAME = "autotrain"
_FORMS = {"text": "text", "target": "id", "tokens": "words", "tags": "ids"}

ARGUMENTS = table(
    [
        argument("lr", 5e-5, "The highest learning rate.", lowest=0),
        argument("epochs", 3, "Times that the training rows are read.", lowest=1),
        argument("batch_size", 8, "Rows of a batch.", lowest=1),
        argument("max_seq_length", 128, "Tokens of a row at most; what is longer is cut.", lowest=1),
        argument("warmup_ratio", 0.1, "Share of the steps in which the learning rate goes up.", lowest=0),
        argument("gradient_accumulation", 1, "Batches of a step.", lowest=1),
        argument("optimizer", "adamw_torch", "The optimizer, as transformers names it."),
        argument("scheduler", "linear", "How the learning rate goes down, as transformers names it."),
        argument("weight_decay", 0.0, "Weight decay of the optimizer.", lowest=0),
        argument("max_grad_norm", 1.0, "The gradient's norm at most.", lowest=0),
        argument("logging_steps", -1, "Steps between two lines of the log; -1 takes a fifth of the rows.", lowest=-1),
        argument("auto_find_batch_size", False, "Halve the batch until it fits into memory."),
        argument(
            "mixed_precision",
            None,
            "Arithmetic of training.",
            type="str | None",
            choices=("fp16", "bf16"),
            kind="choice",
        ),
        argument("early_stopping_patience", 5, "Evaluations without progress before training stops.", lowest=1),
        argument("early_stopping_threshold", 0.01, "Loss that counts as progress.", lowest=0),
    ]
)


@dataclass(frozen=True)
class AutoTrainFramework:
    """Classes of texts and tags of words; validation rows choose the epoch by the loss."""

    name: str = NAME
    heeds: tuple[str, ...] = ("device",)
    packages: tuple[str, ...] = ("torch", "transformers")  # that predict; tunesmith.json has those that trained

    @property
    def arguments(self) -> Mapping[str, Argument]:
        return ARGUMENTS

    def why_not(self, task: str) -> str | None:
        """None: the task can be trained. Else the reason."""
        return (
            None
            if task in (base.TEXT, base.TOKENS)
            else "of its trainers, those of texts with one label and of tagged words run here"
        )

    def why_not_prepare(self, task: str) -> str | None:
        """None: the task's data can be prepared. Else the reason."""
        return base.why_not_prepare(self.name, task, (base.TEXT, base.TOKENS))

    def misfits(self, task: str, examples: Iterable[Example], *, lang: Any = None) -> dict[RowId, Misfit]:
        """The rows whose spans give no tag for each token, by id."""
        return base.tag_misfits(task, examples)

    def prepare(
        self, task: str, splits: Mapping[str, Examples], *, labels: Sequence[str], lang: Any = None, **options: Any
    ) -> Any:
        """A `Dataset` or `DatasetDict` as `tables.datasets_of` makes it, with columns `target` and `tags`.

        `target` and `tags` are class labels: AutoTrain's trainers take names and ids from the column's type.

        Raises:
            UnsupportedTask: multi-label texts; its text classification has one label a text.
        """
        base.check_options(self.name, options)
        if splits["train"].kind == "multi":
            why = "its text classification has one label a text, and these records have several"
            raise UnsupportedTask(
                self.name, task, why, ["transformers", "setfit", "spacy", "openai", "spark-nlp"], verb="prepare"
            )
        return tables.datasets_of(task, splits, labels, label="target", tags="tags")

    def open(self, task: str, settings: Settings, hooks: Hooks) -> Hooks:
        """`hooks` with the worker and the base, as a local folder.

        Raises:
            NoEnvironment: its environment is not there. ConfigError, ArtifactError: the base cannot be used.
        """
        worker = Worker(self.name, device=settings.device)
        refuse_hooks(self.name, settings, hooks)
        given = hooks.base if hooks.base is not None else settings.base
        return replace(hooks, opened=(worker, local_base(self.name, given, task)))

    def fit(
        self, task: Task, splits: Mapping[str, Examples], settings: Settings, folder: RunFolder, hooks: Hooks
    ) -> Trained:
        """Train, and load what was left.

        Raises:
            UnsupportedTask: several labels, numbers or pairs. TrainingFailed: no model was left.
        """
        worker, found = hooks.opened
        train = splits["train"]
        if task.name == base.TEXT:
            refuse_kind(self.name, task.name, train, ("single",))
            refuse_pairs(self.name, task.name, train)
        if folder.path is not None:
            worker.log = folder.path.absolute() / "worker.log"
        return kept(_fit(task, splits, settings, folder, worker, found), folder)

    def load(self, task: str | None, folder: Path, model_args: Mapping[str, Any] | None = None) -> Trained:
        """A saved model. Its environment is not needed.

        Raises:
            ArtifactError: none is there.
        """
        read(self.name, task, folder)
        return _loaded(Path(folder), model_args)


def _fit(
    task: Task, splits: Mapping[str, Examples], settings: Settings, folder: RunFolder, worker: Worker, found: LocalBase
) -> Trained:
    from ..training.session import max_length

    values = {name: each.default for name, each in ARGUMENTS.items()} | dict(settings.training)
    values["max_seq_length"] = max_length(values["max_seq_length"], found.opened, folder)
    train = splits["train"]
    assert train.labels is not None
    taken = [name for name in ("train", "validation") if name in splits]
    if "validation" in splits and not _comparable(task.name, splits, folder):
        taken.remove("validation")
    paths = {name: str(worker.scratch / f"{name}.arrow") for name in taken}
    for name, path in paths.items():
        write_rows(Path(path), _columns(task.name, splits[name], train.labels.ids), _FORMS)
    history: list[dict[str, Any]] = []
    left = worker.ask(
        "fit",
        failed=TrainingFailed,
        answer=partial(_heard, folder, history),
        task=task.name,
        seed=settings.seed,
        base=str(readable(found.folder, worker.scratch / "readable")),
        labels=list(train.labels.names),
        params={name: value for name, value in values.items() if value is not None},
        scratch=str(worker.scratch),
        **paths,
    )
    model = Path(left["model"])
    told = {
        "framework": NAME,
        "task": task.name,
        "kind": train.kind,
        "labels": train.labels.to_dict(),
        **_reading(settings, values["max_seq_length"]),
        "environment": worker.environment.versions(("autotrain-advanced", "transformers", "torch")),
    }
    model_file.write(model, told)
    made = replace(_loaded(model, None), history=tuple(history))
    shutil.rmtree(model)  # the model is in memory
    return made


def _heard(folder: RunFolder, history: list[dict[str, Any]], kind: str, told: Mapping[str, Any]) -> Mapping[str, Any]:
    """Tell a step or an evaluation on, and keep it."""
    values = {key: value for key, value in told.items() if key != "id"}
    history.append(values)
    metrics = {key.removeprefix("eval_"): value for key, value in values.items() if key.startswith("eval_")}
    folder.event(kind, **({"split": "validation", "metrics": metrics} if kind == "evaluate" else values))
    return {}


def _reading(settings: Settings, length: int) -> dict[str, Any]:
    """What a model of transformers keeps of how it reads text."""
    kept = {"stride": settings.stride, "prefix": "", "merge": None, "mlm_probability": settings.mlm_probability}
    return {"maxlength": length, "seed": settings.seed, "generation": {}, **kept}


def _comparable(task: str, splits: Mapping[str, Examples], folder: RunFolder) -> bool:
    """Whether the library takes the validation rows: it wants each class among them."""
    if task != base.TEXT:
        return True
    names = splits["train"].labels.names if splits["train"].labels is not None else ()
    missing = set(names) - {example.label for example in splits["validation"]}
    if missing:
        told = ", ".join(sorted(missing))
        folder.note(f"autotrain does not look at the validation rows: they have no row of {told}")
    return not missing


def _columns(task: str, examples: Examples, ids: Mapping[str, int]) -> dict[str, list[Any]]:
    """Texts and label ids, or words and tag ids; a row without a word is left out.

    Raises:
        NothingToTrain: no row has a word.
    """
    if task == base.TEXT:
        return {"text": [each.text for each in examples], "target": [ids[str(each.label)] for each in examples]}
    tagged = [(each.tokens, [ids[tag] for tag in each.tags]) for each in examples if each.tokens and each.tags]
    if examples.kind != "tags":
        tagged = [(each.words, list(each.tags)) for each in sentences(examples, ids) if each.words]
    if not tagged:
        raise NothingToTrain("the data", {"no word in the text": len(examples)})
    return {"tokens": [words for words, _ in tagged], "tags": [tags for _, tags in tagged]}


def _loaded(folder: Path, model_args: Mapping[str, Any] | None) -> Trained:
    """What is in a folder, as a model of transformers; `module` is that library's own."""
    task, kind, labels, told = read(NAME, None, folder)
    inner = frameworks.get("transformers").load(task, folder, model_args)
    own = ("framework", "task", "kind", "labels")
    return Trained(
        NAME,
        task,
        kind,
        labels,
        inner.module,
        lambda model, examples, size: _infer(inner, examples, size),
        lambda model, at: inner.save(at),
        tokenizer=inner.tokenizer,
        origin=inner.origin,
        kept={name: value for name, value in told.items() if name not in own},
    )


def _infer(inner: Any, examples: Sequence[Example], batch_size: int) -> list[Prediction]:
    found: list[Prediction] = inner.predict(examples, batch_size=batch_size)
    return found


FRAMEWORK = AutoTrainFramework()
