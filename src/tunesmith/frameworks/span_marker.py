"""SpanMarker: entities found by an encoder that reads every span of words. It runs in an environment of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..config import Settings
from ..declaring import argument, table
from ..errors import ConfigError, NothingToTrain, TrainingFailed
from ..folder import RunFolder
from ..hooks import Hooks
from ..tasks.base import Example, Examples, Prediction, RowId, Span, Task
from ..tasks.word_tags import Misfit, bio_names, types_of
from ..training_arguments import Argument
from . import base, tables
from .trained import Trained, kept, read, refuse_hooks
from .worker import Worker, read_rows, write_rows
from .worker_base import LocalBase, Served, local_base, readable
from .worker_words import Sentence, sentences, word_tags, words_of

NAME = "span-marker"
ENCODERS = (
    "bert roberta xlm-roberta camembert electra mpnet megatron-bert ernie xlm-roberta-xl data2vec-text rembert".split()
)
"""Model types that read what SpanMarker feeds: positions of its own, and a mask for each pair of tokens."""

LENGTHS = ("model_max_length", "marker_max_length", "entity_max_length")
TOKENIZER = ("config.json", "*token*.json", "vocab.*", "merges.txt", "*.model")
_FILES = ("model*.safetensors*", *(f"{at}{name}" for at in ("", "encoder/") for name in TOKENIZER))
_OFFSET = 2  # SpanMarker's positions begin there

ARGUMENTS = table(
    [
        argument("model_max_length", 256, "Tokens of a sentence at most; a longer one is read in pieces.", lowest=8),
        argument("marker_max_length", 128, "Spans that are read at a time.", lowest=1),
        argument("entity_max_length", 8, "Words of an entity at most.", lowest=1),
        argument("num_train_epochs", 3.0, "Times that the training rows are read.", lowest=0),
        argument("max_steps", -1, "Steps of training, in the place of epochs; -1 for epochs.", lowest=-1),
        argument("per_device_train_batch_size", 8, "Sentences of a training batch.", lowest=1),
        argument("per_device_eval_batch_size", 8, "Sentences of an evaluation batch.", lowest=1),
        argument("gradient_accumulation_steps", 1, "Batches of a step.", lowest=1),
        argument("learning_rate", 5e-5, "The highest learning rate.", lowest=0),
        argument("weight_decay", 0.0, "Weight decay of AdamW.", lowest=0),
        argument("adam_beta1", 0.9, "AdamW's first beta.", lowest=0),
        argument("adam_beta2", 0.999, "AdamW's second beta.", lowest=0),
        argument("adam_epsilon", 1e-8, "AdamW's epsilon.", lowest=0),
        argument("max_grad_norm", 1.0, "The gradient's norm at most.", lowest=0),
        argument(
            "lr_scheduler_type",
            "linear",
            "How the learning rate goes down.",
            choices=("linear", "cosine", "polynomial", "constant", "constant_with_warmup"),
        ),
        argument("warmup_ratio", 0.0, "Share of the steps in which the learning rate goes up.", lowest=0),
        argument("warmup_steps", 0, "Steps in which the learning rate goes up; they win over the share.", lowest=0),
        argument("logging_steps", 30, "Steps between two lines of the log.", lowest=1),
        argument("use_cpu", False, "Leave a GPU alone."),
    ]
)


@dataclass(frozen=True)
class SpanMarkerFramework:
    """Entities of sentences; each text has the offsets of its own words."""

    name: str = NAME
    heeds: tuple[str, ...] = ("early_stopping", "device")
    packages: tuple[str, ...] = ()  # they are in its environment: tunesmith.json names them

    @property
    def arguments(self) -> Mapping[str, Argument]:
        return ARGUMENTS

    def why_not(self, task: str) -> str | None:
        """None: the task can be trained. Else the reason."""
        return None if task == base.TOKENS else "it finds entities in sentences, and nothing else"

    def why_not_prepare(self, task: str) -> str | None:
        """None: the task's data can be prepared. Else the reason."""
        return base.why_not_prepare(self.name, task, (base.TOKENS,))

    def misfits(self, task: str, examples: Iterable[Example], *, lang: Any = None) -> dict[RowId, Misfit]:
        """The rows whose spans give no tag for each token, by id."""
        return base.tag_misfits(task, examples)

    def prepare(
        self, task: str, splits: Mapping[str, Examples], *, labels: Sequence[str], lang: Any = None, **options: Any
    ) -> Any:
        """A `Dataset` or `DatasetDict`: see `tables.datasets_of`."""
        base.check_options(self.name, options)
        return tables.datasets_of(task, splits, labels)

    def open(self, task: str, settings: Settings, hooks: Hooks) -> Hooks:
        """`hooks` with the worker and the base, as a local folder.

        Raises:
            NoEnvironment: its environment is not there. ConfigError, ArtifactError: the base cannot be used.
        """
        worker = Worker(self.name, device=settings.device)
        refuse_hooks(self.name, settings, hooks)
        given = hooks.base if hooks.base is not None else settings.base
        found = local_base(self.name, given, task)
        kind = found.opened.config.model_type
        if kind not in ENCODERS:
            expected = f"no {kind}, but an encoder of one of the types {', '.join(ENCODERS)}"
            raise ConfigError("base", found.opened.name, expected)
        return replace(hooks, opened=(worker, found))

    def fit(
        self, task: Task, splits: Mapping[str, Examples], settings: Settings, folder: RunFolder, hooks: Hooks
    ) -> Trained:
        """Train; validation rows choose the epoch by the task's score.

        Raises:
            NothingToTrain: no row has a word. DataError: spans that are not one label a word.
            TrainingFailed: the library failed, or its process ended.
        """
        worker, found = hooks.opened
        if folder.path is not None:
            worker.log = folder.path.absolute() / "worker.log"
        fitting = _Fitting(task, splits, settings, folder, worker, found)
        return kept(fitting.fit(), folder)

    def load(self, task: str | None, folder: Path, model_args: Mapping[str, Any] | None = None) -> Trained:
        """A saved model, read by a new worker.

        Raises:
            NoEnvironment: its environment is not there. ArtifactError: no model that it can read.
        """
        _, kind, labels, told = read(self.name, task, folder)
        model = Served(Worker(self.name), Path(folder).absolute(), _write_words)
        model.load()
        return _trained(model, kind, labels, told)


@dataclass
class _Fitting:
    """One training: the rows it writes, and what it has seen of the evaluations."""

    task: Task
    splits: Mapping[str, Examples]
    settings: Settings
    folder: RunFolder
    worker: Worker
    base: LocalBase
    history: list[dict[str, Any]] = field(default_factory=list)
    best: float | None = None
    since: int = 0  # evaluations since the best one

    def fit(self) -> Trained:
        values = {name: each.default for name, each in ARGUMENTS.items()} | dict(self.settings.training)
        patience = self.settings.early_stopping
        if patience not in (None, False) and "validation" not in self.splits:
            raise ConfigError("early_stopping", patience, "validation rows to watch: set validation=")
        train, scratch = self.splits["train"], self.worker.scratch
        assert train.labels is not None
        tags = bio_names(types_of(train.labels.names))
        found = sentences(train, {tag: place for place, tag in enumerate(tags)})
        self._write("train", found, values["entity_max_length"])
        more: dict[str, str] = {}
        if "validation" in self.splits:
            _write_words(scratch / "validation.arrow", [_words(example) for example in self.splits["validation"]])
            more = {"validation": str(scratch / "validation.arrow"), "found": str(scratch / "found.arrow")}
        lengths = {name: values.pop(name) for name in LENGTHS}
        room = getattr(self.base.opened.config, "max_position_embeddings", 512) - _OFFSET
        lengths["model_max_length"] = min(
            lengths["model_max_length"], room, self.base.opened.tokenizer.model_max_length
        )
        told = self.worker.ask(
            "fit",
            failed=TrainingFailed,
            answer=self._answer,
            seed=self.settings.seed,
            base=str(readable(self.base.folder, scratch / "base")),
            name=self.base.name,
            labels=list(tags),
            lengths=lengths,
            arguments=values,
            train=str(scratch / "train.arrow"),
            scratch=str(scratch / "training"),
            model=str(scratch / "model"),
            **more,
        )
        self.folder.note(f"span-marker: {told['steps']} steps on {told['pieces']} sentences or pieces of sentences")
        model = Served(self.worker, scratch / "model", _write_words)
        versions = {"environment": self.worker.environment.versions(("span-marker", "transformers", "torch"))}
        made = _trained(model, train.kind, train.labels, versions)
        return replace(made, history=tuple(self.history), origin={"revision": self.base.opened.revision})

    def _write(self, name: str, found: Sequence[Sentence], longest: int) -> None:
        """Write the training rows, and tell what of them is not learned."""
        used = [each for each in found if each.words]
        if not used:
            raise NothingToTrain("the training data", {"no word in the text": len(found)})
        if len(used) < len(found):
            self.folder.note(f"{len(found) - len(used)} training rows hold no word: they are left out")
        if long := sum(each.longest > longest for each in used):
            self.folder.note(f"{long} training rows have an entity of more than entity_max_length={longest} words")
        columns: dict[str, list[Any]] = {"tokens": [each.words for each in used], "tags": [each.tags for each in used]}
        write_rows(self.worker.scratch / f"{name}.arrow", columns, _ROWS)

    def _answer(self, kind: str, told: Mapping[str, Any]) -> Mapping[str, Any]:
        """Progress, told on; and whether an epoch is the best so far, by the task's own score."""
        values = {key: value for key, value in told.items() if key != "id"}
        if kind == "train":
            self.folder.event("train", **values)
            self.history.append(values)
            return {}
        held = self.splits["validation"]
        found = read_rows(self.worker.scratch / "found.arrow")
        assert held.labels is not None
        predictions = [_prediction(e, f, held.labels.names) for e, f in zip(held, found, strict=True)]
        scores = self.task.score(held, predictions)
        self.folder.event("evaluate", split="validation", metrics=scores, **values)
        self.history.append({**values, **{f"eval_{name}": value for name, value in scores.items()}})
        score = scores[self.task.primary_metric]
        better = self.best is None or score > self.best
        self.best, self.since = (score, 0) if better else (self.best, self.since + 1)
        patience = self.settings.early_stopping
        return {"keep": better, "stop": bool(patience) and self.since >= int(patience or 0)}


_ROWS = {"tokens": "words", "tags": "ids"}


def _write_words(path: Path, texts: Sequence[Sequence[str]]) -> None:
    write_rows(path, {"tokens": list(texts)}, _ROWS)


def _trained(model: Served, kind: str, labels: Any, told: Mapping[str, Any]) -> Trained:
    environment = told.get("environment")
    return Trained(NAME, base.TOKENS, kind, labels, model, _infer, _write, kept={"environment": environment})


def _infer(model: Trained, examples: Sequence[Example], batch_size: int) -> list[Prediction]:
    assert model.labels is not None
    found = model.module(list(map(_words, examples)), batch_size)
    names = model.labels.names
    return [_prediction(example, each, names) for example, each in zip(examples, found, strict=True)]


def _words(example: Example) -> list[str]:
    return [example.text[start:end] for start, end in words_of(example)]


def _prediction(example: Example, found: Mapping[str, Any], names: Sequence[str]) -> Prediction:
    """`found` as spans in the example's characters."""
    places = words_of(example)
    entities = list(zip(found["label"], found["first"], found["end"], found["score"], strict=True))
    spans = tuple(Span(kind, places[first][0], places[end - 1][1], score) for kind, first, end, score in entities)
    tags = None
    if example.tokens is not None:
        tags = word_tags([each[:3] for each in entities], len(places), names)
    return Prediction(example.id, spans=spans, tags=tags)


def _write(model: Trained, folder: Path) -> None:
    """The library's files, copied from where the worker has written them, or was told to read them."""
    here: Path = model.module.folder
    for source in sorted(path for pattern in _FILES for path in here.glob(pattern)):
        target = folder / source.relative_to(here)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


FRAMEWORK = SpanMarkerFramework()
