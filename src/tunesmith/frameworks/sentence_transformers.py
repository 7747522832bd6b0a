"""sentence-transformers: a sentence encoder that learns how alike two texts are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..config import Settings
from ..declaring import argument, table
from ..folder import RunFolder
from ..hooks import Hooks
from ..tasks.base import Examples, Task
from ..training_arguments import Argument
from .trained import Trained, kept, read, refuse_hooks

TASK = "sentence-similarity"
_LOSSES = (
    "CosineSimilarityLoss CoSENTLoss AnglELoss MultipleNegativesRankingLoss CachedMultipleNegativesRankingLoss "
    "TripletLoss"
).split()
_SCHEDULES = "linear cosine constant constant_with_warmup".split()

ARGUMENTS = table(
    [
        argument("num_train_epochs", 3.0, "Epochs.", lowest=0),
        argument("max_steps", -1, "Steps of the optimizer; -1 leaves it to num_train_epochs.", lowest=-1),
        argument("per_device_train_batch_size", 8, "Rows of a step.", lowest=1),
        argument("gradient_accumulation_steps", 1, "Batches of a step of the optimizer.", lowest=1),
        argument("learning_rate", 5e-5, "Learning rate.", lowest=0),
        argument("warmup_steps", 0.0, "Steps over which the rate grows; below 1, their share.", lowest=0),
        argument("weight_decay", 0.0, "Weight decay.", lowest=0),
        argument("max_grad_norm", 1.0, "Gradients are cut to this length.", lowest=0),
        argument("lr_scheduler_type", "linear", "How the rate falls.", choices=tuple(_SCHEDULES)),
        argument(
            "loss", None, "Loss; None takes one by the form of the data.", type="str | None", choices=tuple(_LOSSES)
        ),
        argument(
            "batch_sampler",
            None,
            "How batches are drawn; None draws no text twice where the others of a batch are the wrong ones.",
            type="str | None",
            choices=("batch_sampler", "no_duplicates"),
        ),
        argument(
            "max_seq_length", None, "Tokens of a text, at most what the encoder reads.", type="int | None", lowest=1
        ),
        argument("fp16", False, "Train in 16 bits; needs a GPU."),
        argument("bf16", False, "Train in 16 bits of wide range."),
        argument("logging_steps", 50, "Steps between two events of training.", lowest=1),
    ]
)


@dataclass(frozen=True)
class SentenceTransformersFramework:
    """A sentence encoder, trained by the library's own trainer with a loss that the data's form decides."""

    name: str = "sentence-transformers"
    heeds: tuple[str, ...] = ("model_args", "device")
    packages: tuple[str, ...] = ("sentence-transformers", "transformers", "torch")

    @property
    def arguments(self) -> Mapping[str, Argument]:
        return ARGUMENTS

    def why_not(self, task: str) -> str | None:
        """None: the task can be trained. Else the reason."""
        return None if task == TASK else "it learns how alike two texts are, and nothing else"

    def open(self, task: str, settings: Settings, hooks: Hooks) -> Hooks:
        """`hooks` with the encoder opened.

        Raises:
            NotInstalled: the library is missing. ArtifactError, MissingCredential: the base cannot be had.
            ConfigError: a base that is no name, or an object that only transformers takes.
        """
        from ..training import devices, encoders

        refuse_hooks(self.name, settings, hooks)
        encoders.check_installed("sentence_transformers", extra=self.name)
        devices.check(settings.device, {})
        return replace(hooks, opened=encoders.open_named(settings, device=devices.named(settings.device)))

    def fit(
        self, task: Task, splits: Mapping[str, Examples], settings: Settings, folder: RunFolder, hooks: Hooks
    ) -> Trained:
        """Train; the epoch with the lowest loss on splits['validation'] is kept where there is one.

        Raises:
            ConfigError: a loss for data of another form. TrainingFailed: the library failed.
        """
        from . import sentence_transformers_pairs as pairs

        values = {name: each.default for name, each in ARGUMENTS.items()} | dict(settings.training)
        return kept(pairs.fit(hooks.opened, splits, values, settings, folder), folder)

    def load(self, task: str | None, folder: Path, model_args: Mapping[str, Any] | None = None) -> Trained:
        """A saved model.

        Raises:
            ArtifactError: none is there. NotInstalled: the library is missing.
        """
        from ..training import encoders

        encoders.check_installed("sentence_transformers", extra=self.name)
        from . import sentence_transformers_pairs as pairs

        _, kind, labels, told = read(self.name, task, folder)
        return pairs.trained(encoders.load(folder, model_args), kind, labels, told["scale"])


FRAMEWORK = SentenceTransformersFramework()
