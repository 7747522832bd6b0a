"""Distillation: the divergence by hand, every form of label, teachers that cannot teach."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import transformers
from torch.nn import functional
from transformers.modeling_outputs import SequenceClassifierOutput

import tiny
from tunesmith.data.labels import Labels
from tunesmith.errors import ConfigError, UnsupportedTask
from tunesmith.training import distillation
from tunesmith.training.batching import TokenCrossEntropy
from tunesmith.training.classification import ClassificationLoss
from tunesmith.training.distillation import KEY, DistilledLoss, Teacher
from tunesmith.training.recipe import Encoding


def out(logits: list[Any]) -> SequenceClassifierOutput:
    return SequenceClassifierOutput(logits=torch.tensor(logits))


def test_one_class_is_cross_entropy_and_tempered_divergence_by_their_shares() -> None:
    loss = DistilledLoss(ClassificationLoss("single"), temperature=2.0, alpha=0.25, kind="single")
    student, teacher = [[2.0, 0.0]], torch.tensor([[0.0, 2.0]])
    got = loss(out(student), {"labels": torch.tensor([0]), KEY: teacher})
    hard = math.log(1 + math.exp(-2))
    p = 1 / (1 + math.exp(1))  # the teacher's and, mirrored, the student's probability at temperature 2
    soft = 4 * (p * math.log(p / (1 - p)) + (1 - p) * math.log((1 - p) / p))
    assert float(got) == pytest.approx(0.75 * hard + 0.25 * soft, rel=1e-5)


def test_a_teacher_that_agrees_adds_nothing() -> None:
    loss = DistilledLoss(ClassificationLoss("single"), 3.0, 1.0, "single")
    logits = [[1.0, -1.0, 0.5]]
    assert float(loss(out(logits), {"labels": torch.tensor([1]), KEY: torch.tensor(logits)})) == pytest.approx(
        0, abs=1e-6
    )


def test_several_labels_are_compared_one_by_one() -> None:
    loss = DistilledLoss(ClassificationLoss("multi"), 1.0, 1.0, "multi")
    teacher = torch.tensor([[0.0, 0.0]])
    got = loss(out([[0.0, 0.0]]), {"labels": torch.tensor([[1.0, 0.0]]), KEY: teacher})
    assert float(got) == pytest.approx(math.log(2))  # the binary entropy of one half, a label


def test_a_number_is_compared_by_its_square() -> None:
    loss = DistilledLoss(ClassificationLoss("regression"), 1.0, 1.0, "regression")
    assert float(loss(out([[3.0]]), {"labels": torch.tensor([0.0]), KEY: torch.tensor([[1.0]])})) == pytest.approx(4.0)


@pytest.mark.parametrize("shift", [False, True])
def test_tokens_without_a_label_do_not_count(shift: bool) -> None:
    inner = TokenCrossEntropy(shift=shift)
    loss = DistilledLoss(inner, 1.0, 1.0, "", shift=shift)
    student, teacher = torch.randn(1, 4, 5), torch.randn(1, 4, 5)
    labels = torch.tensor([[-100, 3, -100, -100]])
    place = 0 if shift else 1
    expected = functional.kl_div(
        functional.log_softmax(student[0, place], -1),
        functional.log_softmax(teacher[0, place], -1),
        log_target=True,
        reduction="sum",
    )
    got = loss(out(student.tolist()), {"labels": labels, KEY: teacher})
    assert float(got) == pytest.approx(float(expected), rel=1e-5)


def test_tasks_and_weights_are_checked() -> None:
    with pytest.raises(UnsupportedTask, match="question-answering"):
        distillation.check("question-answering", (1.0, 0.5))
    for wrong in [(0.0, 0.5), (1.0, 1.5), None, (1.0,)]:
        with pytest.raises(ConfigError, match="distillation"):
            distillation.check("text-classification", wrong)


def test_a_teacher_with_the_labels_in_another_order_is_refused() -> None:
    encoding = Encoding(None, Labels("single", ("a", "b")), "single", 8)

    def model(names: list[str]) -> SimpleNamespace:
        return SimpleNamespace(config=SimpleNamespace(id2label=dict(enumerate(names)), vocab_size=9))

    distillation.check_teacher(model(["a", "b"]), model(["a", "b"]), encoding)
    distillation.check_teacher(model(["LABEL_0", "LABEL_1"]), model(["a", "b"]), encoding)
    with pytest.raises(ConfigError, match=r"in this order: \['a', 'b'\]"):
        distillation.check_teacher(model(["b", "a"]), model(["a", "b"]), encoding)


def test_the_teacher_is_in_eval_mode_and_takes_no_gradient() -> None:
    class Module(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(2, 2)

        def forward(self, x: torch.Tensor) -> SimpleNamespace:
            assert not self.training
            return SimpleNamespace(logits=self.layer(x))

    logits = Teacher(Module(), 1.0, 0.5).logits({"x": torch.ones(1, 2)}, torch.device("cpu"))
    assert not logits.requires_grad


def test_a_teacher_that_reads_other_tokens_is_refused() -> None:
    import tiny

    ours = tiny.bert_tokenizer()
    distillation.check_tokenizers(tiny.bert_tokenizer(), ours)
    with pytest.raises(ConfigError, match="by tokenizer="):
        distillation.check_tokenizers(tiny.bert_tokenizer(["other words"]), ours)


@pytest.mark.parametrize("token_types", [True, False])
def test_a_teacher_of_pairs_reads_what_it_would_read_alone(tmp_path: Path, token_types: bool) -> None:
    tokenizer = tiny.bert_tokenizer()
    folder = tiny.bert(tmp_path, model="BertForSequenceClassification")
    model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).eval()
    pairs = [("the phone is great", "a good book"), ("a bad film", "the box was broken and old")]
    alone = tokenizer([a for a, _ in pairs], [b for _, b in pairs], padding=True, return_tensors="pt")
    students = {key: value for key, value in alone.items() if token_types or key != "token_type_ids"}
    teacher = Teacher(model, 1.0, 0.5, separator=tokenizer.sep_token_id)
    with torch.no_grad():
        wanted = model(**alone).logits
    assert torch.allclose(teacher.logits({**students, "not_the_teachers": torch.ones(2)}, model.device), wanted)
    assert "not_the_teachers" not in students, "the student's batch stays the student's"
