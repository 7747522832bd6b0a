"""The baseline: TF-IDF with a linear model, and a gazetteer. Seconds, no torch; the floor that others stand above."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from ..config import Settings
from ..declaring import argument, table
from ..errors import ConfigError
from ..folder import RunFolder
from ..hooks import Hooks
from ..tasks.base import Examples, Task
from ..training_arguments import Argument
from .base import TEXT, TOKENS
from .trained import Trained, kept, read, refuse_gpu, refuse_hooks

_PAIRS = {TEXT: "baseline_text", TOKENS: "baseline_spans"}

ARGUMENTS = table(
    [
        argument("ngrams", 2, "Words of the longest feature.", lowest=1),
        argument("max_features", None, "Features kept, the most frequent ones.", type="int | None", lowest=1),
        argument("C", 10.0, "Inverse of the regularization's strength.", lowest=1e-9),
        argument("max_iter", 1000, "Iterations of the solver at most.", lowest=1),
        argument("share", 0.5, "Share of a phrase's occurrences that must be labelled for it to count.", lowest=0),
    ]
)


@dataclass(frozen=True)
class BaselineFramework:
    """Classes, several labels and numbers by TF-IDF and a linear model; entities by the phrases that training has."""

    name: str = "baseline"
    heeds: tuple[str, ...] = ("device",)
    packages: tuple[str, ...] = ("scikit-learn", "scipy")
    cpu_alone: str = "the baseline counts on the CPU"

    @property
    def arguments(self) -> Mapping[str, Argument]:
        return ARGUMENTS

    def why_not(self, task: str) -> str | None:
        """None: the task can be trained. Else the reason."""
        return None if task in _PAIRS else "counting words gives no model of it"

    def open(self, task: str, settings: Settings, hooks: Hooks) -> Hooks:
        """Refuse a base: there is nothing to start from.

        Raises:
            ConfigError: a base, a GPU, or an object that only other frameworks take.
        """
        refuse_gpu(self.cpu_alone, settings)
        if settings.base is not None:
            raise ConfigError("base", settings.base, "None: the baseline starts from no model")
        refuse_hooks(self.name, settings, hooks)
        return hooks

    def fit(
        self, task: Task, splits: Mapping[str, Examples], settings: Settings, folder: RunFolder, hooks: Hooks
    ) -> Trained:
        """Count and solve; validation rows are not looked at.

        Raises:
            DataError: texts without a word.
        """
        values = {name: each.default for name, each in ARGUMENTS.items()} | dict(settings.training)
        fitted: Callable[..., Trained] = _module(task.name).fit
        return kept(fitted(splits["train"], values), folder)

    def load(self, task: str | None, folder: Path, model_args: Mapping[str, Any] | None = None) -> Trained:
        """A saved baseline.

        Raises:
            ArtifactError: none is there.
        """
        name, kind, labels, told = read(self.name, task, folder)
        loaded: Callable[..., Trained] = _module(name).load
        return loaded(folder, kind, labels, told)


def _module(task: str) -> Any:
    return import_module(f"tunesmith.frameworks.{_PAIRS[task]}")


FRAMEWORK = BaselineFramework()
