"""spaCy: pipelines for classes, several labels, entities and tags, from a blank language, a pipeline or an encoder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from ..config import Settings
from ..data.labels import Labels
from ..errors import ArtifactError, ConfigError, NotInstalled, OutOfMemory, TrainingFailed, TunesmithError
from ..folder import RunFolder, no_room
from ..hooks import Hooks
from ..tasks.base import Examples, Task
from ..training_arguments import Argument
from . import spacy_choosing, spacy_config, spacy_fitting, spacy_reading
from .base import TEXT, TOKENS
from .spacy_arguments import ARGUMENTS
from .spacy_base import Start, open_start
from .spacy_choosing import FIRST, component_of, ended, names_of
from .spacy_config import ENTITIES, TAGGER
from .spacy_data import SpacyData
from .spacy_predicting import infer
from .trained import Trained, kept, read, refuse_hooks

NAME = "spacy"


@dataclass(frozen=True)
class SpacyFramework(SpacyData):
    """A pipeline of spaCy with one component, trained in its own loop."""

    name: str = NAME
    heeds: tuple[str, ...] = ("device",)
    packages: tuple[str, ...] = ("spacy", "thinc", "spacy-curated-transformers")

    @property
    def arguments(self) -> Mapping[str, Argument]:
        return ARGUMENTS

    def open(self, task: str, settings: Settings, hooks: Hooks) -> Hooks:
        """`hooks` with what the pipeline starts from: base, language and every setting are tried here.

        Raises:
            NotInstalled, ConfigError, UnknownSetting, ArtifactError: what is in the way.
        """
        refuse_hooks(self.name, settings, hooks)
        start = open_start(task, settings)
        _compute_on(settings.device)
        spacy_config.config_of(FIRST[task], start, settings.training, (), settings.seed)
        return replace(hooks, opened=start)

    def fit(
        self, task: Task, splits: Mapping[str, Examples], settings: Settings, folder: RunFolder, hooks: Hooks
    ) -> Trained:
        """Train on splits['train'], keep the weights that score best on splits['validation'] where there is one.

        Raises:
            UnsupportedTask: numbers, or pairs of texts. DataError: nothing to learn. TrainingFailed: spaCy stopped.
        """
        train = splits["train"]
        component = component_of(NAME, task.name, train)
        with _ours():
            return kept(_fit(component, splits, settings, folder, hooks.opened), folder)

    def load(self, task: str | None, folder: Path, model_args: Mapping[str, Any] | None = None) -> Trained:
        """A saved pipeline.

        Raises:
            ArtifactError: none is there, or spaCy cannot load it. NotInstalled: spaCy is missing.
        """
        name, kind, labels, told = read(self.name, task, folder)
        try:
            import spacy
        except ImportError as error:
            raise NotInstalled("spaCy", "spacy", "a model that spaCy trained") from error
        try:
            nlp = spacy.load(folder)
        except Exception as error:  # spaCy raises by what it meets first
            raise ArtifactError(folder, f"spaCy cannot load it: {error}") from error
        return _trained(nlp, name, kind, labels, told["component"])


def _fit(
    component: str, splits: Mapping[str, Examples], settings: Settings, folder: RunFolder, start: Start
) -> Trained:
    labels = splits["train"].labels
    assert labels is not None
    names = names_of(component, labels)
    given, chosen = ended(settings.training, splits, folder)
    config, notes = spacy_config.config_of(component, start, given, names, settings.seed)
    for text in notes:
        folder.note(text)
    if component != ENTITIES and "source" not in config["components"][component]:
        config["initialize"]["components"][component] = {"labels": names}
    skipped = spacy_reading.Skipped()
    made: dict[str, list[Any]] = {}

    def pairs(split: str, nlp: Any) -> list[Any]:
        if split not in made:
            made[split] = spacy_reading.gold(nlp, splits[split], component, names, skipped)
        return made[split]

    with spacy_fitting.seeded(settings.seed):
        nlp, block = spacy_fitting.pipeline_of(config, partial(pairs, "train"))
        train = pairs("train", nlp)
        held = pairs("validation", nlp) if "validation" in splits else None
        if skipped.spans:
            folder.note(spacy_choosing.skipped(skipped.spans, skipped.texts, nlp.lang))
        if "logger" not in settings.training:
            block["logger"] = None  # the run's own events are told in its place
        nlp, history = spacy_fitting.run(nlp, block, train, held, folder)
    model = _trained(nlp, _task_of(component), splits["train"].kind, labels, component)
    revision = None if start.encoder is None else start.encoder.revision
    return replace(model, history=history, chosen=chosen, origin={**model.origin, "revision": revision})


def _task_of(component: str) -> str:
    return TOKENS if component in (ENTITIES, TAGGER) else TEXT


def _trained(nlp: Any, task: str, kind: str, labels: Labels | None, component: str) -> Trained:
    tokenizer = hashlib.sha256(nlp.tokenizer.to_bytes(exclude=["vocab"])).hexdigest()
    return Trained(
        NAME,
        task,
        kind,
        labels,
        nlp,
        infer,
        _write,
        tokenizer=nlp.tokenizer,
        origin={"tokenizer": tokenizer},
        kept={"component": component},
    )


def _write(model: Trained, folder: Path) -> None:
    model.module.to_disk(folder)


@contextmanager
def _ours() -> Iterator[None]:
    """Errors of spaCy as ours. A full disk is told by who holds the folder."""
    try:
        yield
    except TunesmithError:
        raise
    except MemoryError as error:
        raise OutOfMemory(f"memory ran out in spaCy: {error}") from error
    except Exception as error:  # spaCy and what it calls raise whatever they meet
        if no_room(error):
            raise
        raise TrainingFailed(f"spaCy stopped: {error}") from error


def _compute_on(device: str | int) -> None:
    """The whole process computes there until another run says otherwise; auto: on a GPU where spaCy finds one.

    Raises:
        ConfigError: spaCy finds no such GPU.
    """
    import spacy

    if device == "cpu":
        spacy.require_cpu()
    elif device == "auto":
        spacy.prefer_gpu()
    else:
        try:
            spacy.require_gpu(device)
        except ValueError as error:
            told = " ".join(str(error).split())
            raise ConfigError("device", device, f"'auto' or 'cpu': spaCy finds no GPU here ({told})") from error


FRAMEWORK = SpacyFramework()
