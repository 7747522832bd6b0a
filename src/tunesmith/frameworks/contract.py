"""The contract of a framework and of what it trains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ..config import Settings
from ..data.labels import Labels
from ..folder import RunFolder
from ..hooks import Hooks
from ..tasks.base import Example, Examples, Prediction, Task
from ..training_arguments import Argument


class Model(Protocol):
    """A trained model.

    module: the library's own object. tokenizer: how it reads text, where that is an object of its own. history: what
    training logged, in order. chosen: what was chosen for the user, by name. origin: `tokenizer` (a hash) and
    `revision` of the base, for the lock.
    """

    @property
    def task(self) -> str: ...
    @property
    def labels(self) -> Labels | None: ...
    @property
    def module(self) -> Any: ...
    @property
    def tokenizer(self) -> Any: ...
    @property
    def history(self) -> Sequence[Mapping[str, Any]]: ...
    @property
    def chosen(self) -> Mapping[str, Any]: ...
    @property
    def origin(self) -> Mapping[str, Any]: ...

    def predict(self, inputs: Sequence[Example], *, batch_size: int = 32, precision: str = "fp32") -> list[Prediction]:
        """One prediction an input, in order, plain Python values."""
        ...

    def predictions(self, examples: Sequence[Example], *, batch_size: int = 32) -> list[Prediction]:
        """What the task's `score` reads."""
        ...

    def save(self, folder: Path) -> None:
        """The library's own files and tunesmith.json, which `load` of the framework reads."""
        ...


class Framework(Protocol):
    """A library that trains: examples in, a model out. It never scores, prints or splits.

    arguments: its own settings by name. heeds: the settings of `Settings` that it reads beside those that all do.
    packages: distributions whose versions go into the lock. Importing its module imports no library.
    One that heeds `device` and computes on no GPU says why in `cpu_alone`, a text; others need not have it.
    """

    @property
    def name(self) -> str: ...
    @property
    def arguments(self) -> Mapping[str, Argument]: ...
    @property
    def heeds(self) -> tuple[str, ...]: ...
    @property
    def packages(self) -> tuple[str, ...]: ...

    def why_not(self, task: str) -> str | None:
        """None: the task can be trained. Else the reason; the support matrix is made of it."""
        ...

    def open(self, task: str, settings: Settings, hooks: Hooks) -> Hooks:
        """Refuse what cannot be trained, before any data is read; `hooks` with what was opened for it.

        Raises:
            NotInstalled, ConfigError, MissingCredential, ArtifactError: what is in the way.
        """
        ...

    def fit(
        self, task: Task, splits: Mapping[str, Examples], settings: Settings, folder: RunFolder, hooks: Hooks
    ) -> Model:
        """Train on splits['train'], choose by splits['validation'] where there is one and the library can.

        Progress and notes go through `folder`; its files are written to `folder.path` (None: a temporary folder).

        Raises:
            UnsupportedTask: labels of a kind that it cannot learn. TrainingFailed: the library failed.
        """
        ...

    def load(self, task: str | None, folder: Path, model_args: Mapping[str, Any] | None = None) -> Model:
        """A saved model; `task` None reads it from the folder. Raises: ArtifactError."""
        ...
