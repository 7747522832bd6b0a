"""One trainer over every framework, as `argilla.training.ArgillaTrainer` of 1.29 was: records in, records out."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Self

from . import api, argilla_settings, argilla_telling, improving, registry
from .config import settings as every_setting
from .data.streams import Stream
from .errors import ConfigError, FrameworkError, NothingToTrain, UnknownSetting
from .evaluation.comparison import Comparison
from .folder import Listener
from .records import dividing, predicted, session
from .records.opened import placed
from .records.parts import Parts
from .records.preparing import TASKS
from .records.record import Record
from .run import Run

_NEEDS_MODEL = ("openai",)
_LOCKED = "<DatasetFor"  # how a data set of records is written down in the settings of a run
_LIVE = ("validation", "callbacks", "optimizers", "loss", "metrics")  # what `train` hands on, beside the settings


class ArgillaTrainer:
    """Trains a framework on a stored data set of records, or on any other data, and predicts records.

    Data is read when the trainer is made, in the parts of `prepare_for_training`; `train` begins anew each time.
    """

    def __init__(
        self,
        name: str | None = None,
        framework: Any = None,
        workspace: str | None = None,
        lang: Any = None,
        model: Any = None,
        train_size: float | None = None,
        seed: int | None = None,
        gpu_id: int | str = -1,
        framework_kwargs: Mapping[str, Any] | None = None,
        dataset: Any = None,
        *,
        stratify: bool = False,
        **load_kwargs: Any,
    ) -> None:
        """name: a data set of the store or server that `init` opened. dataset: in its place, a data set of records, or
            data in any form that `tunesmith.train` takes.
        lang: language of a blank spaCy pipeline, 'en' where it is not said. model: what to start from; see `base`.
        train_size: share of the annotated records to train on; the others are scored. seed: None is 42.
        gpu_id: -1 takes the fastest device; 'cpu', or the number of a GPU. framework_kwargs: as for `update_config`.
        stratify: whether each label keeps its share of records in both parts; other data is always divided so.
        load_kwargs: of a stored data set those of `records.load`; of other data, `task` and settings of its reading.

        Raises:
            UnknownName: no such framework. UnsupportedTask: it does not train the task; told before records are read.
            ConfigError: an argument that cannot be used. DataError: data that cannot be used.
        """
        self.framework = _framework(framework)
        self.name, self.workspace, self.lang = name, workspace, lang
        self._reading: dict[str, Any] = {}
        parts = Parts.make(train_size, None, seed, stratify)
        if (name is None) == (dataset is None):
            wanted = "the name of a data set, or dataset=… in its place, not both"
            raise ConfigError("name", name, wanted)
        self.task = self._task(dataset, load_kwargs)
        api.able(self.framework, self.task)
        if model is None and self.framework in _NEEDS_MODEL:
            raise ConfigError("model", None, f"the name of a model that {self.framework} can tune")
        self._config = self._first(lang, model, parts.seed, gpu_id)
        self._run: Run | None = None
        self.comparison: Comparison | None = None
        self.update_config(**dict(framework_kwargs or {}))
        self._train, self._test = self._data(dataset, parts, load_kwargs)

    @classmethod
    def load(cls, output_dir: str | os.PathLike[str]) -> Self:
        """A trainer of the model in a folder, of any framework, to predict with: it needs no data set.

        Raises:
            ArtifactError: nothing loadable there.
        """
        made = cls.__new__(cls)
        run = api.load(output_dir)
        made.framework, made.task, made._run = _framework(run.settings.framework), run.task.name, run
        made.name = made.workspace = made.lang = made._train = made._test = None
        made._reading, made.comparison = {}, None
        made._config = argilla_settings.said(run.settings)
        made._agent = f"{made.framework}:{os.fspath(output_dir)}"
        return made

    def update_config(self, **kwargs: Any) -> None:
        """Change settings of the model and of its training: documented keys, and the framework's own, by name.

        Raises:
            UnknownSetting: no such key; the nearest is named. ConfigError: a value that cannot be used.
        """
        self._config = argilla_settings.changed(self.framework, self._config, kwargs)

    def train(
        self,
        output_dir: str | os.PathLike[str] = "",
        *,
        path: str | os.PathLike[str] = "",
        listener: Listener | None = None,
        ask: Callable[[str], bool] | None = None,
        **live: Any,
    ) -> dict[str, Any]:
        """Train, and give the scores of each part that was held out: {} where there is none.

        Where records were trained on before, `comparison` says afterwards whether this run is better than that one.
        output_dir, path: two names of the folder of the run; without one nothing is written. listener: is told of
            events (kind, values). ask: as of `tunesmith.train`. live: its `validation`, `callbacks`, `optimizers`,
            `loss` and `metrics`.

        Raises:
            FrameworkError: the trainer was opened by `load`, and has no data. UnknownSetting: another keyword.
            And as `tunesmith.train`.
        """
        if self._train is None:
            raise FrameworkError(
                "this trainer was opened from a folder and has no data set to train on: make a new one."
            )
        _check(live, _LIVE)
        if output_dir and path and os.fspath(output_dir) != os.fspath(path):
            raise ConfigError("path", path, f"the same as output_dir, {os.fspath(output_dir)!r}, or neither")
        folder = os.fspath(output_dir or path)
        held = {} if self._test is None else {"test": self._test}
        given = {**self._reading, **held, **self._config, **live, "task": self.task, "framework": self.framework}
        records = self._test if _is_records(self._test) else None
        before = None
        if records is not None:  # now: the folder may be that of the run before
            consent = bool(self._config.get("yes"))
            before = improving.former(self._train, records, self.task, folder, self._run, consent=consent)
        self._run = api.train(self._train, output_dir=folder, listener=listener, ask=ask, **given)
        self.comparison = None if before is None else improving.judged(before, self._run, self._train, records)
        self._agent = f"{self.framework}:{folder or datetime.now().isoformat(timespec='seconds')}"
        return {split: dict(scores) for split, scores in self._run.metrics.items()}

    def predict(self, text: Any, as_argilla_records: bool = True, *, batch_size: int | None = None) -> Any:
        """One prediction for one input, a list of them for a list, in order.

        text: a text, a mapping of named inputs or of the columns that were trained on, or a record; or a list of these,
            where words of one text are a list.
        as_argilla_records: records with the prediction, and the run as its agent; of a record a copy, with all else
            that it had. False: `Prediction`s. batch_size: as of `Run.predict`.

        Raises:
            FrameworkError: nothing is trained yet. ConfigError: predictions of the task are no records.
            DataError: a text without a character, which no record of tokens can hold.
        """
        run = self.get_trainer()
        one = _is_one(text)
        of_records = _is_records(run.settings.train) or str(run.settings.train).startswith(_LOCKED)
        values = [value if of_records else run.as_roles(value) for value in ([text] if one else text)]
        if as_argilla_records:
            predicted.check_texts(values, self.task)
        inputs = [predicted.as_input(value, self.task, whole=of_records) for value in values]
        found = run.predict(inputs, batch_size=batch_size)
        made: list[Any] = list(found)
        if as_argilla_records:
            pairs = zip(found, values, strict=True)
            made = [predicted.as_record(each, value, self.task, self._agent) for each, value in pairs]
        return made[0] if one else made

    def save(self, output_dir: str | os.PathLike[str]) -> None:
        """Write the trained model to a folder that `ArgillaTrainer.load` and `tunesmith.load` open."""
        self.get_trainer().save(output_dir)
        self._agent = f"{self.framework}:{os.fspath(output_dir)}"

    def get_model_kwargs(self) -> dict[str, Any]:
        """The settings of the model that are set."""
        return argilla_settings.parted(self.framework, self._config)[0]

    def get_trainer_kwargs(self) -> dict[str, Any]:
        """The settings of training that are set."""
        return argilla_settings.parted(self.framework, self._config)[1]

    def get_trainer(self) -> Run:
        """The run: the model with its scores, its settings and its folder.

        Raises:
            FrameworkError: nothing is trained yet.
        """
        if self._run is None:
            raise FrameworkError(
                "nothing is trained yet: call `train`, or open a trained model by `ArgillaTrainer.load`."
            )
        return self._run

    def get_trainer_model(self) -> Any:
        """The framework's own object of the trained model."""
        return self.get_trainer().model

    def get_trainer_tokenizer(self) -> Any:
        """The tokenizer of the trained model, None where the framework's model reads text itself."""
        return self.get_trainer().tokenizer

    def __repr__(self) -> str:
        data = "none: opened from a folder"
        if self._train is not None:
            data = f"{argilla_telling.told(self._train)} to train"
            data += f", {argilla_telling.told(self._test)} to score" if self._test is not None else ""
        shown: dict[str, Any] = {"data": data} | ({"trained": repr(self._run)} if self._run is not None else {})
        shown |= {"model": self.get_model_kwargs(), "training": self.get_trainer_kwargs()}
        named = f"{self.name!r}, " if self.name else ""
        return argilla_telling.table(f"ArgillaTrainer({named}framework={self.framework!r}, task={self.task!r})", shown)

    def _task(self, dataset: Any, load_kwargs: Mapping[str, Any]) -> str:
        """The task to train: of records that of their type, of other data what is said."""
        if self.name is not None:
            _check(
                _loading(load_kwargs), [name for name in inspect.signature(session.load).parameters if name != "name"]
            )
            holder, place = placed(self.workspace)
            return TASKS[holder.dataset(self.name, place).task]
        if self.workspace is not None:
            raise ConfigError("workspace", self.workspace, "None: data that is given lies in no workspace")
        known = {name: each for name, each in every_setting().items() if each.group == "Data" and name != "train"}
        if _is_records(dataset):
            _check(load_kwargs, ["limit"])
            return TASKS[dataset.task]
        _check(load_kwargs, ["task", *known])
        return registry.tasks.resolve(load_kwargs.get("task") or "text-classification")

    def _first(self, lang: Any, model: Any, seed: int, gpu_id: Any) -> dict[str, Any]:
        """The documented defaults, and what the constructor was told."""
        said: dict[str, Any] = {"seed": seed}
        said |= {"base": model} if model is not None else {}
        said |= {"device": gpu_id} if gpu_id != -1 else {}
        if lang is not None and "lang" not in registry.frameworks.get(self.framework).arguments:
            raise ConfigError("lang", lang, f"None: {self.framework} asks for no language")
        said |= {"lang": argilla_settings.code_of(lang)} if lang is not None else {}
        return argilla_settings.changed(self.framework, argilla_settings.documented(self.framework), said)

    def _data(self, dataset: Any, parts: Parts, load_kwargs: Mapping[str, Any]) -> tuple[Any, Any]:
        """(training data, held-out data or None)"""
        if self.name is not None:
            dataset = session.load(self.name, self.workspace, **_loading(load_kwargs))
            if not dataset:
                raise NothingToTrain(f"the data set {self.name!r}")
        elif not _is_records(dataset):
            self._reading = {name: value for name, value in load_kwargs.items() if name != "task"}
            return Stream(dataset) if isinstance(dataset, Iterator) else dataset, parts.test or None
        elif load_kwargs.get("limit") is not None:
            session.whole("limit", load_kwargs["limit"])
            first = type(dataset)(dataset[: load_kwargs["limit"]])
            first.settings, first.origin = dataset.settings, dataset.origin
            dataset = first
        found = dividing.divided(dataset, parts)
        return found["train"], found.get("test")


def _framework(name: Any) -> str:
    """The name under which the trainer knows a framework: 'peft' stays, though it is a setting of transformers.

    Raises:
        UnknownName, ConfigError: no such framework, or none.
    """
    name = getattr(name, "value", name)
    if not isinstance(name, str):
        known = ", ".join(registry.frameworks.offered())
        raise ConfigError("framework", name, f"the name of one: {known}")
    canonical = registry.frameworks.resolve(name)
    return "peft" if registry.frameworks.settings_of(name) else canonical


def _is_records(data: Any) -> bool:
    return hasattr(type(data), "record_type")


def _is_one(text: Any) -> bool:
    """Whether it is one input; a table is none of many, and is refused as an input."""
    known = isinstance(text, str | Mapping | Record) or not isinstance(text, Iterable)
    return known or hasattr(text, "columns") or hasattr(text, "column_names")


def _loading(given: Mapping[str, Any]) -> dict[str, Any]:
    """Keywords of `records.load`, of which Argilla calls `page` batch_size."""
    return {"page" if name == "batch_size" else name: value for name, value in given.items()}


def _check(given: Mapping[str, Any], known: Sequence[str]) -> None:
    for name in given:
        if name not in known:
            raise UnknownSetting(name, [*known, *inspect.signature(ArgillaTrainer).parameters])
