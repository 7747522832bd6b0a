"""SetFit: text classification from few rows, by a sentence encoder that learns which rows belong together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..config import Settings
from ..declaring import argument, table
from ..folder import RunFolder
from ..hooks import Hooks
from ..tasks.base import Example, Examples, RowId, Task
from ..tasks.word_tags import Misfit
from ..training_arguments import Argument
from . import base, tables
from .trained import Trained, kept, read, refuse_hooks, refuse_kind, refuse_pairs

_LOSSES = (
    "CosineSimilarityLoss ContrastiveLoss OnlineContrastiveLoss SupConLoss BatchAllTripletLoss BatchHardTripletLoss "
    "BatchSemiHardTripletLoss BatchHardSoftMarginTripletLoss"
).split()


def _both(of: type, lowest: float) -> Callable[[Any], Any]:
    """Reads one number, or two: of the encoder's phase and of the head's."""

    def read(value: Any) -> Any:
        parts = tuple(value) if isinstance(value, list | tuple) else (value,)
        if len(parts) > 2 or any(isinstance(part, bool) for part in parts):
            raise ValueError
        found = tuple(of(part) for part in parts)
        if any(one != float(part) or one < lowest for one, part in zip(found, parts, strict=True)):
            raise ValueError
        return found if len(found) == 2 else found[0]

    return read


def _share(value: Any) -> float:
    if isinstance(value, bool) or not 0 <= float(value) <= 1:
        raise ValueError
    return float(value)


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else dict([value])


def _two(name: str, default: Any, help: str, of: type, lowest: float) -> Argument:
    word = "whole numbers" if of is int else "numbers"
    expected = f"one or two {word}, {lowest:g} or more: of the encoder and of the head"
    return argument(name, default, help, type=f"{of.__name__} | list", read=_both(of, lowest), expected=expected)


ARGUMENTS = table(
    [
        _two("batch_size", (16, 2), "Pairs of a step, and rows of a step of a differentiable head.", int, 1),
        _two("num_epochs", (1, 16), "Epochs over the pairs, and of a differentiable head.", int, 0),
        argument("max_steps", -1, "Steps over the pairs; -1 leaves it to num_epochs.", lowest=-1),
        argument(
            "sampling_strategy",
            "oversampling",
            "How many pairs an epoch has, where num_iterations does not say it.",
            choices=("oversampling", "undersampling", "unique"),
        ),
        argument("num_iterations", None, "Pairs of each kind, for each row.", type="int | None", lowest=1),
        _two("body_learning_rate", (2e-5, 1e-5), "Learning rate of the encoder, in each phase.", float, 0),
        argument("head_learning_rate", 1e-2, "Learning rate of a differentiable head.", lowest=0),
        argument("loss", "CosineSimilarityLoss", "Loss of the encoder's phase.", choices=tuple(_LOSSES)),
        argument(
            "distance_metric",
            "cosine_distance",
            "Distance of the triplet losses.",
            choices=("cosine_distance", "eucledian_distance"),  # the library's spelling
        ),
        argument("margin", 0.25, "Margin of the triplet losses."),
        argument("samples_per_label", 2, "Rows of one label in a row, for losses over a batch.", lowest=1),
        argument("end_to_end", False, "Train the encoder with a differentiable head too."),
        argument("use_amp", False, "Train the encoder in 16 bits; needs a GPU."),
        argument(
            "warmup_proportion",
            0.1,
            "Share of the steps over which the rate grows.",
            read=_share,
            expected="a number from 0 to 1",
        ),
        argument("l2_weight", 0.01, "Weight decay.", type="float | None", lowest=0),
        argument("max_length", None, "Tokens of a text, at most what the encoder reads.", type="int | None", lowest=1),
        argument("use_differentiable_head", False, "A head of torch in the place of logistic regression."),
        argument(
            "head_params",
            None,
            "Arguments of scikit-learn's LogisticRegression.",
            type="object | None",
            read=_mapping,
            expected="a mapping",
        ),
        argument(
            "multi_target_strategy",
            "one-vs-rest",
            "How logistic regression learns several labels.",
            choices=("one-vs-rest", "multi-output", "classifier-chain"),
        ),
        argument("normalize_embeddings", False, "Scale embeddings to length 1 before the head."),
        argument("logging_steps", 50, "Steps between two events of training.", lowest=1),
    ]
)


@dataclass(frozen=True)
class SetFitFramework:
    """A sentence encoder trained on pairs of rows, and a logistic regression on its embeddings."""

    name: str = "setfit"
    heeds: tuple[str, ...] = ("model_args", "device")
    packages: tuple[str, ...] = ("setfit", "sentence-transformers", "transformers", "torch", "scikit-learn")

    @property
    def arguments(self) -> Mapping[str, Argument]:
        return ARGUMENTS

    def why_not(self, task: str) -> str | None:
        """None: the task can be trained. Else the reason."""
        return None if task == base.TEXT else "it classifies whole texts"

    def why_not_prepare(self, task: str) -> str | None:
        """None: the task's data can be prepared. Else the reason."""
        return base.why_not_prepare(self.name, task, (base.TEXT,))

    def misfits(self, task: str, examples: Iterable[Example], *, lang: Any = None) -> dict[RowId, Misfit]:
        """None are: texts have no spans."""
        return {}

    def prepare(
        self, task: str, splits: Mapping[str, Examples], *, labels: Sequence[str], lang: Any = None, **options: Any
    ) -> Any:
        """A `Dataset` or `DatasetDict`: see `tables.datasets_of`."""
        base.check_options(self.name, options)
        return tables.datasets_of(task, splits, labels)

    def open(self, task: str, settings: Settings, hooks: Hooks) -> Hooks:
        """`hooks` with the encoder opened.

        Raises:
            NotInstalled: the library is missing. ArtifactError, MissingCredential: the base cannot be had.
            ConfigError: a base that is no name, or an object that only transformers takes.
        """
        from ..training import devices, encoders

        refuse_hooks(self.name, settings, hooks)
        encoders.check_installed("setfit", "sentence_transformers", extra=self.name)
        devices.check(settings.device, {})
        return replace(hooks, opened=encoders.open_named(settings, device=devices.named(settings.device)))

    def fit(
        self, task: Task, splits: Mapping[str, Examples], settings: Settings, folder: RunFolder, hooks: Hooks
    ) -> Trained:
        """Train on pairs of rows, then the head; validation rows are not looked at.

        Raises:
            UnsupportedTask: numbers for labels, or pairs of texts. TrainingFailed: the library failed.
        """
        from . import setfit_text

        train = splits["train"]
        refuse_kind(self.name, task.name, train, ("single", "multi"))
        refuse_pairs(self.name, task.name, train)
        if "validation" in splits:
            folder.note("setfit chooses nothing by the validation rows: they are scored, and that is all")
        values = {name: each.default for name, each in ARGUMENTS.items()} | dict(settings.training)
        return kept(setfit_text.fit(hooks.opened, train, values, settings, folder), folder)

    def load(self, task: str | None, folder: Path, model_args: Mapping[str, Any] | None = None) -> Trained:
        """A saved model.

        Raises:
            ArtifactError: none is there. NotInstalled: the library is missing.
        """
        from ..training import encoders

        encoders.check_installed("setfit", "sentence_transformers", extra=self.name)
        from . import setfit_text

        _, _, labels, told = read(self.name, task, folder)
        assert labels is not None
        return setfit_text.load(folder, labels, told, model_args)


FRAMEWORK = SetFitFramework()
