"""Sentence encoders are trained by the library's own steps, in less time: the rows of words that do not occur wait."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from datasets import Dataset
from sentence_transformers import SentenceTransformerTrainingArguments
from sentence_transformers.sentence_transformer import losses
from tests.small_tasks import alike
from torch import nn
from transformers import TrainerCallback

import tunesmith
from tunesmith.training import encoder_trainer, encoders, engine, tables
from tunesmith.training.optimizer import CpuAdamW


class Look(TrainerCallback):
    """Whether a gradient was sparse."""

    sparse = False

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        self.sparse |= any(each.grad is not None and each.grad.is_sparse for each in more["model"].parameters())


def train(framework: str, **settings: Any) -> tuple[nn.Module, type, bool]:
    """The encoder after a few steps, the optimizer that took them, and whether the words at rest cost it nothing."""
    made: list[Any] = []
    look = Look()

    class Seen(encoder_trainer.EncoderTrainer):
        def train(self, *given: Any, **options: Any) -> Any:
            made.append(self)
            self.add_callback(look)
            return super().train(*given, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoder_trainer, "EncoderTrainer", Seen)
        if framework == "setfit":
            texts = [("good", "pos"), ("a fine film", "pos"), ("bad", "neg"), ("dull and long", "neg")]
            run = tunesmith.train(texts, framework=framework, max_steps=6, batch_size=3, **settings)
            encoder = run.model.model_body
        else:
            run = tunesmith.train(
                alike()[0], framework=framework, task="sentence-similarity", max_steps=6, seed=3, **settings
            )
            encoder = run.model
    return encoder, type(made[0].optimizer.optimizer), look.sparse


@pytest.mark.parametrize("framework", ["setfit", "sentence-transformers"])
def test_an_encoder_is_what_dense_steps_make_of_it(framework: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lean, optimizer, sparse = train(framework)
    assert optimizer is CpuAdamW
    assert sparse
    assert not any(isinstance(module, tables.Table) for module in lean.modules())
    monkeypatch.setattr(engine, "optimizer", lambda *given: None)
    dense, optimizer, sparse = train(framework)
    assert optimizer is not CpuAdamW
    assert not sparse
    start = encoders.open_encoder("minilm", device="cpu").state_dict()
    ours, theirs = lean.state_dict(), dense.state_dict()
    moved = max(float((theirs[name] - start[name]).abs().max()) for name in theirs if theirs[name].is_floating_point())
    for name in theirs:
        torch.testing.assert_close(ours[name], theirs[name], rtol=0, atol=moved / 100, msg=name)


def test_a_loss_with_weights_of_its_own_has_them_trained() -> None:

    encoder = encoders.open_encoder("minilm", device="cpu")
    loss = losses.SoftmaxLoss(encoder, encoder.get_embedding_dimension(), num_labels=2)
    before = loss.classifier.weight.detach().clone()
    rows = Dataset.from_dict({"sentence1": ["good", "bad"], "sentence2": ["fine", "fine"], "label": [0, 1]})
    arguments = SentenceTransformerTrainingArguments(max_steps=2, report_to="none", use_cpu=True, save_strategy="no")
    trainer = encoder_trainer.EncoderTrainer(model=encoder, args=arguments, train_dataset=rows, loss=loss)
    trainer.train()
    assert not torch.equal(loss.classifier.weight, before)


@pytest.mark.parametrize("kind", ["CosineSimilarityLoss", "ContrastiveLoss", "OnlineContrastiveLoss"])
def test_a_text_in_several_pairs_is_encoded_once_and_the_loss_is_the_same(kind: str) -> None:
    encoder = encoders.open_encoder("minilm", device="cpu").eval()  # no dropout
    sides = [["good", "good", "a long and dull film", "good"], ["fine", "bad", "bad", "good"]]
    rows: list[int] = []
    encoder[0].register_forward_pre_hook(lambda module, given: rows.append(len(given[0]["input_ids"])))
    loss, labels = getattr(losses, kind)(encoder), torch.tensor([1.0, 0.0, 1.0, 1.0])
    found = []
    for each in (loss, encoder_trainer.Distinct(loss)):
        encoder.zero_grad()
        value = each([encoder.preprocess(side) for side in sides], labels)
        value.backward()
        found.append((value.detach(), [p.grad.clone() for p in encoder.parameters() if p.grad is not None]))
    assert rows == [4, 4, 2, 3]
    torch.testing.assert_close(found[1], found[0], rtol=1e-4, atol=1e-6)


def test_texts_that_differ_in_what_is_masked_alone_are_two() -> None:
    encoder = encoders.open_encoder("minilm", device="cpu").eval()
    features = encoder.preprocess(["good film", "good film"])
    features["attention_mask"][1, -2] = 0
    one, other = encoder_trainer.Distinct(losses.CosineSimilarityLoss(encoder))._encode(features)
    assert not torch.allclose(one, other, atol=1e-3)


@pytest.mark.parametrize("framework", ["setfit", "sentence-transformers"])
def test_no_bar_of_progress_is_shown_that_nobody_asked_for(framework: str, capfd: pytest.CaptureFixture[str]) -> None:
    train(framework)
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "%|" not in shown.err
