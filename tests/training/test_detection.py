"""ELECTRA pairs: any encoder is a base, counts are exact, evaluation repeats, both halves save and resume."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy
from transformers import (
    AutoModelForMaskedLM,
    AutoModelForPreTraining,
    AutoModelForTokenClassification,
    AutoTokenizer,
    BertForPreTraining,
)

import tiny
from tunesmith.errors import ConfigError
from tunesmith.tasks.base import Example
from tunesmith.tasks.language import DETECTION as TASK
from tunesmith.training import adapters, predictor, scratch
from tunesmith.training.bases import Base, open_base
from tunesmith.training.detection import DETECTION, load
from tunesmith.training.electra import DetectionLoss, TokenDetection
from tunesmith.training.recipe import Encoding

TEXTS = [Example(place, text) for place, text in enumerate(tiny.TEXTS)]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    place = tmp_path_factory.mktemp("models")
    return {
        "bert": tiny.bert(place / "bert", model="BertForMaskedLM", seed=1),
        "electra": tiny.electra(place / "electra", half="generator", seed=1),
    }


def opened(folder: str, **options: Any) -> tuple[TokenDetection, Encoding]:
    torch.manual_seed(0)
    base = open_base(folder, "token-detection", options)
    return load(base).eval(), Encoding(base.tokenizer, None, "", 64, merge=None)


def batch_of(settings: Encoding, examples: list[Example] = TEXTS) -> dict[str, torch.Tensor]:
    return DETECTION.collate(settings)(DETECTION.encode(examples, settings, True))


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("name", ["bert", "electra"])
def test_any_encoder_is_a_base_with_any_attention(folders: dict[str, str], name: str, attention: str) -> None:
    model, settings = opened(folders[name], attn_implementation=attention)
    batch = batch_of(settings)
    outputs = model.train()(**batch)
    assert outputs.logits.shape == batch["input_ids"].shape
    assert len(outputs.generator_logits) == int(batch["labels"].ne(-100).sum()) > 0
    outputs.loss.backward()
    for half in model.base_models():
        assert all(p.grad is None or torch.isfinite(p.grad).all() for p in half.parameters())
        assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in half.base_model.parameters())


def test_the_loss_is_the_generators_mean_plus_fifty_times_the_discriminators(folders: dict[str, str]) -> None:
    model, settings = opened(folders["electra"])
    batch = batch_of(settings)
    outputs = model(**batch)
    chosen, real = batch["labels"].ne(-100), batch["attention_mask"].bool()
    with torch.no_grad():
        inputs = {key: value for key, value in batch.items() if key != "labels"}
        logits = model.generator(**inputs).logits
    generator = cross_entropy(logits[chosen], batch["labels"][chosen])
    judged = binary_cross_entropy_with_logits(outputs.logits[real], outputs.replaced[real].float())
    assert outputs.loss.item() == pytest.approx((generator + 50 * judged).item(), rel=1e-5)
    assert outputs.replaced[~real].eq(-100).all()
    assert not outputs.replaced[real & ~chosen].any(), "only masked tokens are ever replaced"


def test_the_weight_that_was_given_is_the_one_used(folders: dict[str, str]) -> None:
    model, settings = opened(folders["electra"])
    batch, light = batch_of(settings), TokenDetection(*model.base_models(), weight=1.0).eval()
    heavy_loss, light_loss = (DetectionLoss()(each(**batch), {}).item() for each in (model, light))
    outputs = model(**batch)
    judged = binary_cross_entropy_with_logits(
        outputs.logits[batch["attention_mask"].bool()], outputs.replaced[batch["attention_mask"].bool()].float()
    )
    assert heavy_loss - light_loss == pytest.approx(49 * judged.item(), rel=1e-4)


def test_micro_batches_give_the_gradient_of_the_large_batch(folders: dict[str, str]) -> None:
    model, settings = opened(folders["electra"])
    features, loss = DETECTION.encode(TEXTS, settings, True), DETECTION.loss(settings)
    gradients, values = [], []
    for parts in ([features], [features[:2], features[2:]]):
        model.zero_grad()
        batches = [DETECTION.collate(settings)(part) for part in parts]
        count = torch.stack([loss.count(batch) for batch in batches]).sum(0)
        value = sum(loss(model(**batch), {}, count) for batch in batches)
        value.backward()
        values.append(value.item())
        gradients.append(model.generator.get_input_embeddings().weight.grad.clone())
    assert values[0] == pytest.approx(values[1], rel=1e-6)
    assert torch.allclose(gradients[0], gradients[1], atol=1e-5)


def test_evaluation_draws_the_same_words_alone_and_in_a_batch_and_training_does_not(folders: dict[str, str]) -> None:
    model, settings = opened(folders["electra"])
    model.generator.generator_lm_head.bias.data.normal_()
    whole, alone = model(**batch_of(settings)), model(**batch_of(settings, TEXTS[2:3]))
    width = alone.replaced.shape[1]
    assert torch.equal(whole.replaced[2, :width], alone.replaced[0])
    before = torch.get_rng_state()
    again = model(**batch_of(settings))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(whole.logits, again.logits)
    model.train()
    assert not torch.equal(model(**batch_of(settings)).logits, model(**batch_of(settings)).logits)


def test_draws_follow_the_generators_distribution(folders: dict[str, str]) -> None:
    model, _ = opened(folders["electra"])
    model.train()
    logits = torch.log(torch.tensor([0.5, 0.3, 0.2])).expand(20_000, 3)
    everywhere = torch.ones(1, 20_000, dtype=torch.bool)
    drawn = model._sampled(logits, torch.zeros(1, 20_000, dtype=torch.long), everywhere, everywhere)
    assert (drawn.bincount(minlength=3) / 20_000).tolist() == pytest.approx([0.5, 0.3, 0.2], abs=0.02)
    certain = torch.full((5, 3), -torch.inf)
    certain[:, 1] = 0.0
    few = torch.ones(1, 5, dtype=torch.bool)
    assert model.eval()._sampled(certain, torch.zeros(1, 5, dtype=torch.long), few, few).tolist() == [1] * 5


def test_embeddings_of_equal_shape_are_shared(folders: dict[str, str]) -> None:
    for name in folders:
        model, _ = opened(folders[name])
        ours, theirs = (half.base_model.embeddings for half in model.base_models())
        for part in ("word_embeddings", "position_embeddings", "token_type_embeddings"):
            assert getattr(ours, part) is getattr(theirs, part)
    tokenizer = AutoTokenizer.from_pretrained(folders["electra"])
    small = scratch.model("electra-tiny", "token-detection", tokenizer, seed=0)
    assert small.generator.config.hidden_size < small.discriminator.config.hidden_size
    assert small.generator.get_input_embeddings() is small.discriminator.get_input_embeddings()


@pytest.mark.parametrize("name", ["bert", "electra"])
def test_both_halves_are_saved_for_transformers_and_load_as_a_pair(
    folders: dict[str, str], name: str, tmp_path: Path
) -> None:
    model, settings = opened(folders[name])
    model.save_pretrained(tmp_path)
    settings.tokenizer.save_pretrained(tmp_path)
    judge = AutoModelForPreTraining if name == "electra" else AutoModelForTokenClassification
    generator = AutoModelForMaskedLM.from_pretrained(tmp_path / "generator").eval()
    discriminator = judge.from_pretrained(tmp_path / "discriminator").eval()
    ids = torch.arange(5, 15)[None]
    with torch.no_grad():
        assert torch.allclose(generator(ids).logits, model.generator(ids).logits, atol=1e-6)
        assert torch.allclose(discriminator(ids).logits, model.discriminator(ids).logits, atol=1e-6)
        again, _ = opened(str(tmp_path))
        batch = batch_of(settings)
        assert torch.allclose(again(**batch).logits, model(**batch).logits, atol=1e-6)


def test_one_weights_file_brings_the_whole_pair_back(folders: dict[str, str], tmp_path: Path) -> None:
    model, settings = opened(folders["electra"])
    for parameter in model.parameters():
        parameter.data.add_(0.1)
    model.save_whole(tmp_path)
    fresh, _ = opened(folders["electra"])
    fresh.load_state_dict(load_file(tmp_path / "model.safetensors"))  # strictly: no name is missing
    batch = batch_of(settings)
    with torch.no_grad():
        assert torch.allclose(fresh(**batch).logits, model(**batch).logits, atol=1e-6)
        assert torch.allclose(fresh(**batch).loss, model(**batch).loss, atol=1e-5)


@pytest.mark.parametrize("name", ["bert", "electra"])
def test_lora_trains_both_halves_and_reloads_to_equal_scores(
    folders: dict[str, str], name: str, tmp_path: Path
) -> None:
    model, settings = opened(folders[name])
    batch = batch_of(settings)
    model.adapt(adapters.lora_config("token-detection", True)).train()
    frozen = model.generator.get_base_model().get_input_embeddings().weight
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    for _ in range(2):
        model(**batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert not frozen.requires_grad
    model.eval()
    model.save_pretrained(tmp_path)
    settings.tokenizer.save_pretrained(tmp_path)
    for half in ("generator", "discriminator"):
        assert (tmp_path / half / "adapter_model.safetensors").is_file()
    again, _ = opened(str(tmp_path))
    with torch.no_grad():
        expected = model(**batch)
        assert torch.allclose(again(**batch).logits, expected.logits, atol=1e-6)
        assert torch.allclose(again(**batch).generator_logits, expected.generator_logits, atol=1e-6)
        merged = model.merge_and_unload().eval()
        assert torch.allclose(merged(**batch).logits, expected.logits, atol=1e-5)


def test_under_lora_the_head_of_a_pair_that_was_given_is_trained_whole(folders: dict[str, str]) -> None:
    model, settings = opened(folders["electra"])
    given = TokenDetection(*model.base_models(), settings.tokenizer)
    given.adapt(adapters.lora_config("token-detection", True))
    trained = {name for name, parameter in given.discriminator.named_parameters() if parameter.requires_grad}
    assert any("discriminator_predictions" in name and "lora" not in name for name in trained)


def test_arguments_of_other_wrappers_are_let_pass(folders: dict[str, str]) -> None:
    model, settings = opened(folders["electra"])
    batch = batch_of(settings)
    assert torch.equal(model(**batch, inputs_embeds=None, return_dict=True).logits, model(**batch).logits)


def test_scores_are_of_every_ordinary_token_and_the_same_in_packed_blocks(folders: dict[str, str]) -> None:
    model, settings = opened(folders["electra"])
    features = DETECTION.encode(TEXTS, settings, True)
    rows, loss = predictor.run(model, features, DETECTION, settings, batch_size=3, loss=DETECTION.loss(settings))
    predictions = DETECTION.decode(rows, features, TEXTS, settings)
    special = set(settings.tokenizer.all_special_ids)
    for feature, prediction in zip(features, predictions, strict=True):
        assert prediction.detections is not None
        assert len(prediction.detections) == sum(token not in special for token in feature["input_ids"])
        assert prediction.tokens == len(feature["input_ids"])
    _, alone = predictor.run(model, features, DETECTION, settings, batch_size=1, loss=DETECTION.loss(settings))
    assert loss is not None
    assert alone is not None
    assert loss.mean == pytest.approx(alone.mean, rel=1e-6), "each part of the loss is the mean over its own items"
    metrics = TASK.score(TEXTS, predictions)
    assert 0 <= metrics["roc_auc"] <= 1
    assert DETECTION.merge is not None
    packing = Encoding(settings.tokenizer, None, "", 64, merge="pack")
    packed = list(DETECTION.merge(iter(features), packing))
    assert len(packed) < len(features)
    counted = DETECTION.loss(packing).count(DETECTION.collate(packing)(packed))
    assert int(counted[1]) == sum(len(feature["input_ids"]) for feature in features)


def test_what_looks_replaced_is_told_by_its_characters(folders: dict[str, str]) -> None:
    model, settings = opened(folders["electra"])
    assert DETECTION.respond is not None
    model.discriminator.discriminator_predictions.dense_prediction.bias.data.fill_(9.0)
    (prediction,) = DETECTION.respond(model, [Example(5, "the phone")], settings, 8)
    assert prediction.id == 5
    assert prediction.spans is not None
    assert [(span.label, span.start, span.end) for span in prediction.spans] == [("replaced", 0, 3), ("replaced", 4, 9)]
    model.discriminator.discriminator_predictions.dense_prediction.bias.data.fill_(-9.0)
    (prediction,) = DETECTION.respond(model, [Example(5, "the phone " * 100)], settings, 8)
    assert prediction.spans == ()
    assert prediction.score is not None
    assert prediction.score < 0.01


def test_a_live_pair_is_trained_in_place_and_other_models_are_refused(folders: dict[str, str]) -> None:
    model, settings = opened(folders["electra"])
    given = Base("live", model.config, settings.tokenizer, model=model)
    assert load(given) is model
    with pytest.raises(ConfigError, match="TokenDetection"):
        load(Base("live", model.config, settings.tokenizer, model=model.generator))
    bert, _ = opened(folders["bert"])
    wrong = TokenDetection(bert.generator, BertForPreTraining(bert.generator.config))
    with pytest.raises(ConfigError) as caught:
        wrong(**batch_of(settings))
    assert "setting 'discriminator' is 'BertForPreTraining': expected a model with one score a token" in str(
        caught.value
    )


def test_training_resumes_to_the_weights_of_an_uninterrupted_run(folders: dict[str, str], tmp_path: Path) -> None:
    from datasets import Dataset
    from transformers import Seq2SeqTrainingArguments

    from tunesmith.training.trainer import Trainer

    def trained(output: Path, resume: Path | None) -> TokenDetection:
        model, settings = opened(folders["electra"])
        arguments = Seq2SeqTrainingArguments(
            output_dir=str(output), max_steps=4, save_steps=2, per_device_train_batch_size=3, use_cpu=True, seed=1,
            gradient_accumulation_steps=2, report_to="none", disable_tqdm=True, learning_rate=1e-3,
        )  # fmt: skip
        features = [{**each, "lost": 0} for each in DETECTION.encode(TEXTS, settings, True)]
        trainer = Trainer(
            model=model, args=arguments, recipe=DETECTION, encoding=settings, task=TASK,
            train_dataset=Dataset.from_list(features), processing_class=settings.tokenizer,
            eval_dataset=Dataset.from_list(features), eval_examples=TEXTS,
        )  # fmt: skip
        trainer.train(resume_from_checkpoint=str(resume) if resume else None)
        assert {"eval_loss", "eval_roc_auc", "eval_accuracy"} <= set(trainer.evaluate())
        return model

    whole = trained(tmp_path / "whole", None)
    resumed = trained(tmp_path / "resumed", tmp_path / "whole" / "checkpoint-2")
    start, _ = opened(folders["electra"])
    for name, weights in whole.state_dict().items():
        assert torch.equal(weights, resumed.state_dict()[name]), name
    assert not torch.equal(
        start.discriminator.electra.encoder.layer[0].output.dense.weight,
        whole.discriminator.electra.encoder.layer[0].output.dense.weight,
    )
