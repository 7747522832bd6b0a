"""spaCy on a transformer, by spacy-transformers in its own environment: classes, several labels, entities, tags."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from ..config import Settings
from ..declaring import argument, table
from ..errors import ConfigError, TrainingFailed
from ..folder import RunFolder
from ..hooks import Hooks
from ..tasks.base import Example, Examples, Prediction, Task
from ..training_arguments import Argument
from . import spacy_arguments, spacy_choosing
from .spacy_choosing import FIRST, component_of
from .spacy_data import SpacyData
from .spacy_transformers_rows import predictions, write_gold, write_texts
from .trained import Trained, kept, read, refuse_gpu, refuse_hooks
from .worker import Worker, read_rows
from .worker_base import LocalBase, Served, local_base, readable

NAME = "spacy-transformers"
_OTHER = {"batch_size": 128, "accumulate_gradient": 3}  # than without a transformer: the quickstart's
_BATCH = 2000  # words of a batch, blanks between texts of unequal length too: the quickstart's
_SMALLEST = 100
_LIMITS = "dropout accumulate_gradient patience max_epochs max_steps eval_frequency".split()
_MADE = table([argument("update_transformer", True, "Whether the transformer learns too.", group="Pipeline")])
ARGUMENTS: Mapping[str, Argument] = {
    name: replace(each, default=_OTHER.get(name, each.default))
    for name, each in {**spacy_arguments.ARGUMENTS, **_MADE}.items()
    if name in ("lang", "batch_size", *_LIMITS, "optimizer", "batcher", *_MADE)
}
_APART = ("lang", "batch_size", *_MADE)  # from the [training] block
_DEFAULTS = {name: each.default for name, each in ARGUMENTS.items()}
_PACKAGES = ("spacy", "spacy-transformers", "transformers", "torch")


@dataclass(frozen=True)
class SpacyTransformersFramework(SpacyData):
    """A pipeline of spaCy with one component on a transformer."""

    name: str = NAME
    heeds: tuple[str, ...] = ("device",)
    packages: tuple[str, ...] = ()  # they are in its environment: tunesmith.json names them
    cpu_alone: str = "its environment has no CuPy, by which spaCy computes on a GPU"

    @property
    def arguments(self) -> Mapping[str, Argument]:
        return ARGUMENTS

    def open(self, task: str, settings: Settings, hooks: Hooks) -> Hooks:
        """`hooks` with the worker and the base, which it has tried, and the language and every setting with it.

        Raises:
            NoEnvironment: its environment is not there. ConfigError, UnknownSetting, ArtifactError: what is in the way.
        """
        refuse_gpu(self.cpu_alone, settings)
        worker = Worker(self.name, device="cpu")
        refuse_hooks(self.name, settings, hooks)
        spacy_arguments.refuse_endless({**_DEFAULTS, **settings.training})
        found = _encoder(hooks.base if hooks.base is not None else settings.base, task)
        base = replace(found, folder=readable(found.folder, worker.scratch / "base"))
        asked = _asked(base, settings.training)
        told = worker.ask("check", component=FIRST[task], **asked, failed=partial(_unlike, "training", asked))
        spacy_arguments.refuse_unknown(settings.training, told.get("defaults", {}))
        if told["fault"] is not None:
            name, said = told["fault"]
            raise _unlike(name, {**asked, **asked["settings"], "base": found.opened.name}, said)
        return replace(hooks, opened=(worker, base))

    def fit(
        self, task: Task, splits: Mapping[str, Examples], settings: Settings, folder: RunFolder, hooks: Hooks
    ) -> Trained:
        """Train on splits['train'], keep the weights that score best on splits['validation'] where there is one.

        Raises:
            UnsupportedTask: numbers, or pairs of texts. DataError: nothing to learn.
            TrainingFailed: the library failed, or its process ended.
        """
        worker, base = hooks.opened
        component = component_of(self.name, task.name, splits["train"])
        if folder.path is not None:  # the process has been asked before, and its log goes on there
            worker.log = Path(shutil.copyfile(worker.log, folder.path.absolute() / "worker.log"))
        model = Served(worker, worker.scratch / "model", write_texts)
        return kept(_Fitting(task, splits, settings, folder, model, component, base).fit(), folder)

    def load(self, task: str | None, folder: Path, model_args: Mapping[str, Any] | None = None) -> Trained:
        """A saved pipeline, read by a new worker.

        Raises:
            NoEnvironment: its environment is not there. ArtifactError: no pipeline that it can read.
        """
        name, kind, labels, told = read(self.name, task, folder)
        model = Served(Worker(self.name, device="cpu"), Path(folder).absolute(), write_texts)
        model.load()
        return _trained(model, name, kind, labels, {key: told[key] for key in ("component", "environment")})


@dataclass
class _Fitting:
    """One training: the rows it writes, and what it has seen of the evaluations."""

    task: Task
    splits: Mapping[str, Examples]
    settings: Settings
    folder: RunFolder
    model: Served
    component: str
    base: LocalBase
    history: list[dict[str, Any]] = field(default_factory=list)
    chosen: dict[str, Any] = field(default_factory=dict)

    def fit(self) -> Trained:
        train, worker, component = self.splits["train"], self.model.worker, self.component
        assert train.labels is not None
        given, self.chosen = spacy_choosing.ended(self.settings.training, self.splits, self.folder)
        given = self._batched(given)
        rows = {name: worker.scratch / f"{name}.arrow" for name in ("train", "validation") if name in self.splits}
        write_gold(rows["train"], train, component)
        if "validation" in rows:
            write_texts(rows["validation"], self.splits["validation"])
        asked = _asked(self.base, given)
        done = worker.ask(
            "fit",
            failed=TrainingFailed,
            answer=self._answer,
            seed=self.settings.seed,
            name=self.base.name,
            component=component,
            labels=spacy_choosing.names_of(component, train.labels),
            found=str(worker.scratch / "found.arrow"),
            model=str(self.model.folder),
            log=str(worker.log),
            **asked,
            **{name: str(path) for name, path in rows.items()},
        )
        spans, texts = done["skipped"]
        if spans:
            self.folder.note(spacy_choosing.skipped(spans, texts, asked["lang"]))
        environment = worker.environment.versions(_PACKAGES)
        told = {"component": component, "environment": environment}
        made = _trained(self.model, self.task.name, train.kind, train.labels, told)
        return replace(
            made, history=tuple(self.history), chosen=self.chosen, origin={"revision": self.base.opened.revision}
        )

    def _batched(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """The settings with batches of which a pass over few words has ten: of spaCy's own it would have one or two."""
        words = sum(len(each.tokens or each.text.split()) for each in self.splits["train"])
        size = max(words // 10, _SMALLEST)
        if "batcher" in given or size >= _BATCH:
            return given
        self.chosen["batcher"] = {"size": size}
        self.folder.note(f"batcher.size is {size} words: the training rows have {words}")
        return {**given, "batcher": {"size": size}}

    def _answer(self, kind: str, told: Mapping[str, Any]) -> Mapping[str, Any]:
        """Progress, told on; and the task's own score of the validation rows."""
        values = {key: value for key, value in told.items() if key != "id"}
        if kind == "train":
            self.folder.event("train", **values)
            self.history.append({name: value for name, value in values.items() if name != "total"})
            return {}
        if kind == "chosen":
            self.chosen["optimizer"] = {"learn_rate": values}
            rise, steps = values["warmup_steps"], values["total_steps"]
            self.folder.note(f"the learning rate rises for {rise} steps and falls to 0: training ends after {steps}")
            return {}
        held = self.splits["validation"]
        assert held.labels is not None
        found = read_rows(self.model.worker.scratch / "found.arrow")
        scores = self.task.score(held, predictions(held, found, self.component, held.labels.names))
        self.folder.event("evaluate", split="validation", metrics=scores, **values)
        self.history.append({**values, **{f"eval_{name}": value for name, value in scores.items()}})
        return {"score": scores[self.task.primary_metric], "scores": scores}


def _encoder(given: Any, task: str) -> LocalBase:
    """The base as a local folder.

    Raises:
        ConfigError: no encoder. ArtifactError, MissingCredential: see `open_base`.
    """
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES as ENCODERS

    found = local_base(NAME, given, task)
    config = found.opened.config
    if config.model_type not in ENCODERS or getattr(config, "is_encoder_decoder", False):
        raise ConfigError("base", found.opened.name, f"an encoder, as BERT and RoBERTa are; it is {config.model_type}")
    return found


def _asked(base: LocalBase, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What the worker makes a pipeline of. settings: the arguments that the user named."""
    from ..training.session import max_length

    training = {name: each for name, each in settings.items() if name not in _APART}
    return {
        "base": str(base.folder),
        "longest": max_length(None, base.opened, RunFolder()),
        **{name: settings.get(name, _DEFAULTS[name]) for name in _APART},
        "settings": training,
    }


def _unlike(name: str, values: Mapping[str, Any], said: str) -> ConfigError:
    """The error of a setting that the worker could not use."""
    return ConfigError(name, values.get(name), f"what {NAME} takes there; it says: {said}")


def _trained(model: Served, task: str, kind: str, labels: Any, told: Mapping[str, Any]) -> Trained:
    return Trained(NAME, task, kind, labels, model, _infer, _write, kept=told)


def _infer(model: Trained, examples: Sequence[Example], batch_size: int) -> list[Prediction]:
    assert model.labels is not None
    return predictions(examples, model.module(examples, batch_size), model.kept["component"], model.labels.names)


def _write(model: Trained, folder: Path) -> None:
    """The pipeline's files, copied from where the worker has written them, or was told to read them."""
    here: Path = model.module.folder
    for name in ("config.cfg", "meta.json", "tokenizer"):
        shutil.copyfile(here / name, folder / name)
    for name in ("vocab", "transformer", model.kept["component"]):
        shutil.copytree(here / name, folder / name)


FRAMEWORK = SpacyTransformersFramework()
