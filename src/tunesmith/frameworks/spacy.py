"""spaCy: pipelines for classes, several labels, entities and tags, from a blank language, a pipeline or an encoder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from ..config import Settings
from ..data.labels import Labels
from ..errors import ArtifactError, ConfigError, DataError, NotInstalled, OutOfMemory, TrainingFailed, TunesmithError
from ..folder import RunFolder, no_room
from ..hooks import Hooks
from ..metrics.tagging import split_tag
from ..tasks.base import Example, Examples, RowId, Task
from ..tasks.token_classification import is_by_word
from ..tasks.word_tags import Misfit
from ..training_arguments import Argument
from . import spacy_config, spacy_fitting, spacy_reading
from .base import TEXT, TOKENS
from .spacy_arguments import ARGUMENTS
from .spacy_base import Start, open_start
from .spacy_config import ENTITIES, SEVERAL, TAGGER, TEXTCAT
from .spacy_data import SpacyData
from .spacy_predicting import infer
from .trained import Trained, kept, read, refuse_hooks, refuse_kind, refuse_pairs

NAME = "spacy"
WITH_TRANSFORMERS = SpacyData("spacy-transformers")
_DATA = SpacyData(NAME)
_FIRST = {TEXT: TEXTCAT, TOKENS: ENTITIES}  # the component that stands for a task before its data is read
_TEXTS = 20_000  # that a run without validation rows reads, where nobody says how long it lasts
_PASSES = (5, 20)


@dataclass(frozen=True)
class SpacyFramework:
    """A pipeline of spaCy with one component, trained in its own loop."""

    name: str = NAME
    heeds: tuple[str, ...] = ("device",)
    packages: tuple[str, ...] = ("spacy", "thinc", "spacy-curated-transformers")

    @property
    def arguments(self) -> Mapping[str, Argument]:
        return ARGUMENTS

    def why_not(self, task: str) -> str | None:
        """None: the task can be trained. Else the reason."""
        return None if task in _FIRST else "no component of spaCy learns it"

    def why_not_prepare(self, task: str) -> str | None:
        """None: the task's data can be prepared. Else the reason."""
        return _DATA.why_not_prepare(task)

    def misfits(self, task: str, examples: Iterable[Example], *, lang: Any = None) -> dict[RowId, Misfit]:
        """See `SpacyData`."""
        return _DATA.misfits(task, examples, lang=lang)

    def prepare(
        self, task: str, splits: Mapping[str, Examples], *, labels: Sequence[str], lang: Any = None, **options: Any
    ) -> Any:
        """See `SpacyData`."""
        return _DATA.prepare(task, splits, labels=labels, lang=lang, **options)

    def open(self, task: str, settings: Settings, hooks: Hooks) -> Hooks:
        """`hooks` with what the pipeline starts from: base, language and every setting are tried here.

        Raises:
            NotInstalled, ConfigError, UnknownSetting, ArtifactError: what is in the way.
        """
        refuse_hooks(self.name, settings, hooks)
        start = open_start(task, settings)
        _compute_on(settings.device)
        spacy_config.config_of(_FIRST[task], start, settings.training, (), settings.seed)
        return replace(hooks, opened=start)

    def fit(
        self, task: Task, splits: Mapping[str, Examples], settings: Settings, folder: RunFolder, hooks: Hooks
    ) -> Trained:
        """Train on splits['train'], keep the weights that score best on splits['validation'] where there is one.

        Raises:
            UnsupportedTask: numbers, or pairs of texts. DataError: nothing to learn. TrainingFailed: spaCy stopped.
        """
        train = splits["train"]
        component = _component(task.name, train)
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


def _component(task: str, examples: Examples) -> str:
    """The component that learns examples of a kind; see `fit`."""
    if task == TEXT:
        refuse_kind(NAME, task, examples, ("single", "multi"))
        refuse_pairs(NAME, task, examples)
        return TEXTCAT if examples.kind == "single" else SEVERAL
    assert examples.labels is not None
    if is_by_word(examples.labels.names):
        return TAGGER
    if not any(example.spans for example in examples):
        raise DataError("no training row has an entity: there is nothing that spaCy could learn.")
    return ENTITIES


def _fit(
    component: str, splits: Mapping[str, Examples], settings: Settings, folder: RunFolder, start: Start
) -> Trained:
    labels = splits["train"].labels
    assert labels is not None
    names = _names(component, labels)
    given, chosen = _ended(settings.training, splits, folder)
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
            folder.note(_told(skipped, nlp.lang))
        if "logger" not in settings.training:
            block["logger"] = None  # the run's own events are told in its place
        nlp, history = spacy_fitting.run(nlp, block, train, held, folder)
    model = _trained(nlp, _task_of(component), splits["train"].kind, labels, component)
    revision = None if start.encoder is None else start.encoder.revision
    return replace(model, history=history, chosen=chosen, origin={**model.origin, "revision": revision})


def _names(component: str, labels: Labels) -> list[str]:
    """The labels as the component names them: entities without the prefixes of their tags."""
    if component != ENTITIES:
        return list(labels.names)
    return list(dict.fromkeys(kind for prefix, kind in map(split_tag, labels.names) if kind))


def _ended(
    named: Mapping[str, Any], splits: Mapping[str, Examples], folder: RunFolder
) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """The settings with an end of training, and what was chosen of them.

    Without validation rows no score tells when to stop. Training rows are not scored in their place: they would say
    that longer is better.
    """
    steps = ARGUMENTS["max_steps"].default
    if "validation" in splits or named.get("max_epochs") or named.get("max_steps", steps) not in (0, steps):
        return named, {}
    rows = max(len(splits["train"]), 1)
    passes = min(max(_TEXTS // rows, _PASSES[0]), _PASSES[1])
    folder.note(f"max_epochs is {passes}: there are no validation rows to tell when to stop")
    return {**named, "max_epochs": passes}, {"max_epochs": passes}


def _told(skipped: spacy_reading.Skipped, lang: str) -> str:
    return (
        f"{skipped.spans} entities in {skipped.texts} texts begin or end inside a word as the tokenizer of {lang!r} "
        "makes them: these words are left out of training"
    )


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
    """Raises: ConfigError, where spaCy finds no such GPU."""
    import spacy

    if device == "cpu":
        spacy.require_cpu()
    elif isinstance(device, int):
        try:
            spacy.require_gpu(device)
        except ValueError as error:
            told = " ".join(str(error).split())
            raise ConfigError("device", device, f"'auto' or 'cpu': spaCy finds no GPU here ({told})") from error


FRAMEWORK = SpacyFramework()
