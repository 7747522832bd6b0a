"""Learning from a teacher's logits beside the labels (Hinton, Vinyals, Dean 2015: arXiv 1503.02531)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from ..errors import ConfigError, UnsupportedTask
from .batching import IGNORED
from .feeding import accepted
from .recipe import Batch, Encoding, Loss

TASKS = ("text-classification", "token-classification", "language-generation", "language-modeling", "sequence-sequence")
KEY = "teacher_logits"


@dataclass(frozen=True)
class DistilledLoss:
    """(1 - alpha) times the labels' loss, plus alpha times the divergence from the teacher at `temperature`.

    One class, or one a token: T² KL(teacher/T || student/T). Several classes: T² times the binary cross-entropy against
    the teacher's probabilities, a label. A number: the squared error against the teacher's number.
    Items and their count are those of the labels' loss, so micro-batches add up here too.
    """

    inner: Loss
    temperature: float
    alpha: float
    kind: str
    shift: bool = False

    @property
    def targets(self) -> tuple[str, ...]:
        return (*self.inner.targets, KEY)

    def count(self, batch: Batch) -> torch.Tensor:
        return self.inner.count(batch)

    def __call__(self, outputs: Any, targets: Batch, count: torch.Tensor | None = None) -> torch.Tensor:
        items = self.inner.count(targets) if count is None else count
        soft = self._divergence(outputs.logits.float(), targets[KEY].float(), targets[self.inner.targets[0]])
        hard = self.inner(outputs, targets, items)
        return (1 - self.alpha) * hard + self.alpha * soft / items.to(soft.device).clamp(min=1)

    def _divergence(self, student: torch.Tensor, teacher: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """The sum over the loss's items; logits are (…, labels)."""
        warmth = self.temperature
        if self.kind == "regression":
            return functional.mse_loss(student, teacher, reduction="sum")
        if self.kind == "multi":
            wanted = torch.sigmoid(teacher / warmth)
            return warmth**2 * functional.binary_cross_entropy_with_logits(student / warmth, wanted, reduction="sum")
        if labels.dim() > 1:  # one class a token: only the tokens that carry a label
            real = judged(labels, shift=self.shift)
            student, teacher = student[real], teacher[real]
        log_student = functional.log_softmax(student / warmth, dim=-1)
        log_teacher = functional.log_softmax(teacher / warmth, dim=-1)
        return warmth**2 * functional.kl_div(log_student, log_teacher, reduction="sum", log_target=True)


def judged(labels: torch.Tensor, *, shift: bool) -> torch.Tensor:
    """Where logits are compared, (batch, tokens): at tokens with a label, or at the one before (shift)."""
    real = labels.ne(IGNORED)
    return torch.cat([real[:, 1:], torch.zeros_like(real[:, :1])], dim=1) if shift else real


@dataclass(frozen=True)
class Teacher:
    """A trained model in eval mode, and how its logits are weighed.

    separator: the token id between two texts, for tasks whose rows may have two.
    """

    model: Any
    temperature: float
    alpha: float
    separator: int | None = None

    def logits(self, inputs: Batch, device: torch.device) -> torch.Tensor:
        """The teacher's logits for a batch's inputs, on the student's device, without gradient."""
        self.model.eval().to(device)
        keys = accepted(self.model, ())
        given = {key: value for key, value in inputs.items() if keys is None or key in keys}
        if self.separator is not None and "token_type_ids" not in given and _tells_apart(self.model):
            given["token_type_ids"] = _segments(inputs, self.separator)
        with torch.no_grad():
            found: torch.Tensor = self.model(**given).logits
        return found

    def loss(self, inner: Loss, kind: str) -> DistilledLoss:
        """The labels' loss joined with the divergence from this teacher."""
        return DistilledLoss(inner, self.temperature, self.alpha, kind, shift=bool(getattr(inner, "shift", False)))


def _tells_apart(model: Any) -> bool:
    return (getattr(model.config, "type_vocab_size", None) or 0) > 1


def _segments(inputs: Batch, separator: int) -> torch.Tensor:
    """Which text of a pair each token is of, as BERT counts: 1 behind the first separator, 0 before it and on padding.

    A student that does not tell the texts apart (DistilBERT) has no such input, and its teacher needs it.
    """
    ends = inputs["input_ids"].eq(separator).long()
    return (ends.cumsum(1) - ends).clamp(max=1) * inputs["attention_mask"].ne(0).long()


def check(task: str, distillation: Any) -> tuple[float, float]:
    """(temperature, alpha), checked.

    Raises:
        UnsupportedTask: the task has no distillation.
        ConfigError: not a temperature above 0 and an alpha from 0 to 1.
    """
    if task not in TASKS:
        raise UnsupportedTask("distillation", task, f"it is defined for {', '.join(TASKS)}")
    try:
        temperature, alpha = (float(part) for part in distillation)
    except (TypeError, ValueError) as error:
        raise ConfigError("distillation", distillation, "two numbers, (temperature, alpha)") from error
    if temperature <= 0 or not 0 <= alpha <= 1:
        raise ConfigError("distillation", distillation, "a temperature above 0 and an alpha from 0 to 1")
    return temperature, alpha


def check_tokenizers(teacher: Any, student: Any) -> None:
    """Refuse a teacher that would read the student's token ids as other tokens.

    Raises:
        ConfigError: the vocabularies differ.
    """
    if teacher is not student and teacher.get_vocab() != student.get_vocab():
        raise ConfigError(
            "teacher",
            f"a model with a vocabulary of {len(teacher)} tokens of its own",
            "the student's tokenizer; a student from scratch takes the teacher's by tokenizer=",
        )


def check_teacher(teacher: Any, student: Any, encoding: Encoding) -> None:
    """Refuse a teacher that cannot teach this student: other outputs, or the same labels in another order.

    Raises:
        ConfigError: naming what differs.
    """
    theirs, ours = teacher.config, student.config
    if encoding.labels is not None:
        names = [str(name) for _, name in sorted(theirs.id2label.items())]
        wanted = list(encoding.labels.names)
        generic = all(name.startswith("LABEL_") for name in names)
        if encoding.kind == "regression":
            if len(names) != 1:
                raise ConfigError(
                    "teacher", f"a model of {len(names)} labels", "a model with one output, as the data has"
                )
        elif len(names) != len(wanted) or (not generic and names != wanted):
            raise ConfigError("teacher", names, f"a model with the data's labels, in this order: {wanted}")
    elif theirs.vocab_size != ours.vocab_size:
        raise ConfigError(
            "teacher", f"a vocabulary of {theirs.vocab_size}", f"the student's tokenizer ({ours.vocab_size})"
        )
