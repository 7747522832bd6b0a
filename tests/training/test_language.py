"""Language recipes by numbers: labels by place, packed rows alone, masks that repeat, exact counts."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import (
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoTokenizer,
    DebertaV2Config,
    DebertaV2ForMaskedLM,
)

import tiny
import tunesmith
from tunesmith.errors import ConfigError, DataError
from tunesmith.tasks.base import Example
from tunesmith.training import blocks, predictor
from tunesmith.training.language import GENERATION, MODELING, why_not_pack
from tunesmith.training.recipe import Encoding

TEXTS = [Example(place, text) for place, text in enumerate(tiny.TEXTS)]


def encoding(folder: str, **settings: Any) -> Encoding:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return Encoding(tokenizer, None, "", **{"maxlength": 32, "merge": None, **settings})


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    place = tmp_path_factory.mktemp("models")
    return {
        "bert": tiny.bert(place / "bert", model="BertForMaskedLM", seed=1),
        "electra": tiny.electra(place / "electra", half="generator", seed=1),
        "gpt2": tiny.gpt2(place / "gpt2", pad="eos", seed=1),
        "llama": tiny.llama(place / "llama", seed=1),
    }


def test_the_end_of_text_is_learned_when_it_is_also_the_padding(folders: dict[str, str]) -> None:
    settings = encoding(folders["gpt2"])
    features = GENERATION.encode([Example(0, "good"), Example(1, "the phone is great")], settings, True)
    end = settings.tokenizer.eos_token_id
    assert settings.tokenizer.pad_token_id == end
    assert all(feature["input_ids"][-1] == end for feature in features)
    batch = GENERATION.collate(settings)(features)
    size = len(features[0]["input_ids"])
    assert batch["labels"][0, size - 1] == end
    assert batch["labels"][0, size:].eq(-100).all()
    assert batch["attention_mask"][0].tolist() == [1] * size + [0] * (batch["input_ids"].shape[1] - size)


def test_the_end_of_text_is_not_added_twice(folders: dict[str, str]) -> None:
    settings = encoding(folders["gpt2"])
    (feature,) = GENERATION.encode([Example(0, "good<|endoftext|>")], settings, True)
    assert feature["input_ids"].count(settings.tokenizer.eos_token_id) == 1


def test_documents_are_separated_when_the_tokenizer_separates_none(folders: dict[str, str]) -> None:
    settings = encoding(folders["gpt2"], merge="concat")
    assert GENERATION.merge is not None
    features = GENERATION.encode(TEXTS, settings, True)
    joined = [token for block in GENERATION.merge(iter(features), settings) for token in block["input_ids"]]
    assert joined.count(settings.tokenizer.eos_token_id) == len(TEXTS)


def test_rows_over_the_limit_are_cut_and_counted_not_an_index_error(folders: dict[str, str]) -> None:
    long = [Example(0, "the phone is great " * 100)]
    causal = encoding(folders["gpt2"], maxlength=128)
    (feature,) = GENERATION.encode(long, causal, True)
    assert (len(feature["input_ids"]), feature["lost"] > 0) == (128, True)
    masked = encoding(folders["bert"], maxlength=128)
    (feature,) = MODELING.encode(long, masked, True)
    assert (len(feature["input_ids"]), feature["lost"]) == (128, 402 - 128)
    assert feature["input_ids"][-1] == masked.tokenizer.sep_token_id
    for recipe, name, auto in ((GENERATION, "gpt2", AutoModelForCausalLM), (MODELING, "bert", AutoModelForMaskedLM)):
        for merge in ("pack", "concat", None):
            settings = encoding(folders[name], maxlength=128, merge=merge)
            assert recipe.merge is not None
            made = list(recipe.merge(iter(recipe.encode(long, settings, True)), settings))
            model = auto.from_pretrained(folders[name])
            rows, loss = predictor.run(model, made, recipe, settings, loss=recipe.loss(settings))
            assert len(rows) == len(made)
            assert loss is not None
            assert math.isfinite(loss.mean)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("name", ["bert", "electra", "gpt2", "llama"])
def test_packed_rows_give_the_logits_of_each_row_alone(folders: dict[str, str], name: str, attention: str) -> None:
    causal = name in ("gpt2", "llama")
    recipe = GENERATION if causal else MODELING
    auto = AutoModelForCausalLM if causal else AutoModelForMaskedLM
    model = auto.from_pretrained(folders[name], attn_implementation=attention).eval()
    settings = encoding(folders[name], merge="pack", maxlength=64 if causal else 32)
    features = [{**feature, "plain": True} for feature in recipe.encode(TEXTS[:5], settings, True)]
    assert recipe.merge is not None
    packed = [{**block, "plain": True} for block in recipe.merge(iter(features), settings)]
    assert len(packed) < len(features)
    assert len({len(block["input_ids"]) for block in packed}) > 1, "no padding is tried"
    batch = {key: value for key, value in recipe.collate(settings)(packed).items() if key != "labels"}
    with torch.no_grad():
        together = model(**batch).logits
        pieces = []
        for row, block in zip(together, packed, strict=True):
            places = torch.tensor(block["attention_mask"])
            pieces += [row[: len(places)][places == number] for number in range(1, int(places.max()) + 1)]
        alone = [model(input_ids=torch.tensor([feature["input_ids"]])).logits[0] for feature in features]
    for expected in alone:
        assert any(piece.shape == expected.shape and torch.allclose(piece, expected, atol=1e-5) for piece in pieces)


def test_the_first_token_of_a_packed_row_is_not_predicted_from_another_row(folders: dict[str, str]) -> None:
    settings = encoding(folders["gpt2"], merge="pack", maxlength=64)
    assert GENERATION.merge is not None
    features = GENERATION.encode(TEXTS[:3], settings, True)
    packed = list(GENERATION.merge(iter(features), settings))
    loss, collate = GENERATION.loss(settings), GENERATION.collate(settings)
    alone = sum(len(feature["input_ids"]) - 1 for feature in features)
    assert int(loss.count(collate(packed))) == int(loss.count(collate(features))) == alone
    model = AutoModelForCausalLM.from_pretrained(folders["gpt2"])
    _, packed_loss = predictor.run(model, packed, GENERATION, settings, loss=loss)
    _, plain_loss = predictor.run(model, features, GENERATION, settings, loss=loss)
    assert packed_loss is not None
    assert plain_loss is not None
    assert packed_loss.mean == pytest.approx(plain_loss.mean, abs=1e-5)


def test_scores_and_loss_are_the_mean_over_tokens_whatever_the_batch(folders: dict[str, str]) -> None:
    model, settings = AutoModelForCausalLM.from_pretrained(folders["gpt2"]).eval(), encoding(folders["gpt2"])
    features = GENERATION.encode(TEXTS, settings, True)
    rows, loss = predictor.run(model, features, GENERATION, settings, batch_size=3, loss=GENERATION.loss(settings))
    predictions = GENERATION.decode(rows, features, TEXTS, settings)
    total = count = 0.0
    with torch.no_grad():
        for feature, prediction in zip(features, predictions, strict=True):
            ids = torch.tensor(feature["input_ids"])
            nats = cross_entropy(model(input_ids=ids[None]).logits[0, :-1], ids[1:], reduction="sum").item()
            assert prediction.tokens == len(ids) - 1
            assert prediction.loss == pytest.approx(nats / (len(ids) - 1), abs=1e-5)
            total, count = total + nats, count + len(ids) - 1
    assert loss is not None
    assert loss.mean == pytest.approx(total / count, abs=1e-5)
    assert [prediction.id for prediction in predictions] == [example.id for example in TEXTS]


def test_micro_batches_give_the_gradient_of_the_large_batch(folders: dict[str, str]) -> None:
    for recipe, name, auto in ((GENERATION, "gpt2", AutoModelForCausalLM), (MODELING, "bert", AutoModelForMaskedLM)):
        settings = encoding(folders[name])
        model, loss = auto.from_pretrained(folders[name]).eval(), recipe.loss(settings)
        features = recipe.encode(TEXTS, settings, True)
        gradients = []
        for parts in ([features], [features[:2], features[2:]]):
            model.zero_grad()
            batches = [recipe.collate(settings)(part) for part in parts]
            count = torch.stack([loss.count(batch) for batch in batches]).sum(0)
            for batch in batches:
                inputs = {key: value for key, value in batch.items() if key not in loss.targets}
                loss(model(**inputs), batch, count).backward()
            gradients.append(model.get_input_embeddings().weight.grad.clone())
        assert torch.allclose(gradients[0], gradients[1], atol=1e-6)


@pytest.mark.parametrize("share", [0.15, 0.4])
def test_masks_spare_special_tokens_and_padding_and_are_eighty_ten_ten(folders: dict[str, str], share: float) -> None:
    settings = encoding(folders["bert"], maxlength=128, mlm_probability=share)
    texts = [Example(place, f"phone {place} is great and good " * (place % 7 + 1)) for place in range(400)]
    features = MODELING.encode(texts, settings, True)
    originals = [{**feature, "plain": True} for feature in features]
    plain, batch = MODELING.collate(settings)(originals), MODELING.collate(settings)(features)
    chosen, before, after = batch["labels"].ne(-100), plain["input_ids"], batch["input_ids"]
    special = torch.isin(before, torch.tensor(settings.tokenizer.all_special_ids))
    assert not (chosen & special).any()
    assert torch.equal(batch["labels"][chosen], before[chosen])
    assert torch.equal(after[~chosen], before[~chosen])
    ordinary = int((~special).sum())
    assert chosen.sum().item() / ordinary == pytest.approx(share, rel=0.1)
    masks = after[chosen].eq(settings.tokenizer.mask_token_id).float().mean().item()
    kept = after[chosen].eq(before[chosen]).float().mean().item()
    assert masks == pytest.approx(0.8, abs=0.03)
    assert kept == pytest.approx(0.1, abs=0.03)


def test_a_rows_mask_is_the_same_in_any_batch_new_in_each_epoch_and_leaves_torchs_state_alone(
    folders: dict[str, str],
) -> None:
    settings = encoding(folders["bert"], maxlength=64)
    features, collate = MODELING.encode(TEXTS, settings, True), MODELING.collate(settings)
    assert isinstance(collate, blocks.MaskedBatches)
    before = torch.get_rng_state()
    together, alone = collate(features), collate(features[2:3])
    assert torch.equal(torch.get_rng_state(), before)
    width = alone["labels"].shape[1]
    assert torch.equal(together["labels"][2, :width], alone["labels"][0])
    assert torch.equal(collate(features)["labels"], together["labels"])
    collate.set_epoch(1)
    assert not torch.equal(collate(features)["labels"], together["labels"])
    assert not torch.equal(MODELING.collate(replace(settings, seed=0))(features)["labels"], together["labels"])


def test_workers_that_outlive_an_epoch_mask_anew(folders: dict[str, str]) -> None:
    settings = encoding(folders["bert"], maxlength=64)
    features, collate = MODELING.encode(TEXTS, settings, True), MODELING.collate(settings)
    assert isinstance(collate, blocks.MaskedBatches)
    loader: Any = torch.utils.data.DataLoader(
        features,  # type: ignore[arg-type]
        batch_size=len(features),
        collate_fn=collate,
        num_workers=1,
        persistent_workers=True,
    )
    seen = []
    for epoch in (0, 1, 0):
        collate.set_epoch(epoch)
        seen.append(next(iter(loader))["labels"])
    assert torch.equal(seen[0], seen[2])
    assert not torch.equal(seen[0], seen[1])


def test_a_row_with_nothing_masked_costs_nothing(folders: dict[str, str]) -> None:
    settings = encoding(folders["bert"])
    features = MODELING.encode([Example(0, "")], settings, True)
    model, loss = AutoModelForMaskedLM.from_pretrained(folders["bert"]), MODELING.loss(settings)
    batch = MODELING.collate(settings)(features)
    assert int(loss.count(batch)) == 0
    outputs = model(input_ids=batch["input_ids"])
    assert loss(outputs, batch).item() == 0.0
    rows, _ = predictor.run(model, features, MODELING, settings)
    (prediction,) = MODELING.decode(rows, features, [Example(0, "")], settings)
    assert (prediction.loss, prediction.tokens) == (0.0, 0)


def test_batches_are_padded_to_a_multiple_but_not_over_the_limit(folders: dict[str, str]) -> None:
    for limit, width in ((32, 16), (13, 13)):
        settings = encoding(folders["bert"], pad_to=8, maxlength=limit)
        assert MODELING.collate(settings)(MODELING.encode(TEXTS, settings, True))["input_ids"].shape[1] == width


def test_a_tokenizer_without_a_mask_cannot_model_masks(folders: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="a tokenizer with a mask token"):
        MODELING.collate(encoding(folders["gpt2"]))


def test_whether_rows_can_be_packed_is_told_by_numbers(folders: dict[str, str]) -> None:
    gpt2 = AutoModelForCausalLM.from_pretrained(folders["gpt2"])
    assert why_not_pack(gpt2, encoding(folders["gpt2"]), causal=True) is None
    bert, settings = AutoModelForMaskedLM.from_pretrained(folders["bert"]), encoding(folders["bert"])
    assert why_not_pack(bert, settings, causal=False) is None
    shape = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    other = DebertaV2ForMaskedLM(DebertaV2Config(vocab_size=bert.config.vocab_size, **shape))
    assert "deberta-v2" in str(why_not_pack(other, settings, causal=False))
    gpt2.config.sliding_window = 8
    told = why_not_pack(gpt2, encoding(folders["gpt2"]), causal=True)
    assert told == "gpt2 attends within 8 tokens, fewer than a packed block of 32"


def test_a_causal_model_writes_on_the_same_alone_and_in_a_padded_batch(folders: dict[str, str]) -> None:
    for name in ("gpt2", "llama"):
        model = AutoModelForCausalLM.from_pretrained(folders[name])
        settings = encoding(folders[name], generation={"max_new_tokens": 6})
        prompts = [Example("a", "the phone"), Example("b", ""), Example("c", "the box was broken and the film was bad")]
        assert GENERATION.respond is not None
        together = GENERATION.respond(model, prompts, settings, 8)
        alone = [GENERATION.respond(model, [prompt], settings, 1)[0] for prompt in prompts]
        assert [prediction.text for prediction in together] == [prediction.text for prediction in alone]
        assert [prediction.id for prediction in together] == ["a", "b", "c"]
        assert model.training is False


def test_a_prompt_longer_than_the_model_keeps_its_end(folders: dict[str, str]) -> None:
    model = AutoModelForCausalLM.from_pretrained(folders["gpt2"])
    settings = encoding(folders["gpt2"], generation={"max_new_tokens": 300})
    assert GENERATION.respond is not None
    (prediction,) = GENERATION.respond(model, [Example(0, "the phone is great " * 200)], settings, 1)
    assert isinstance(prediction.text, str)


def test_a_mask_is_filled_with_its_best_words(folders: dict[str, str]) -> None:
    model, settings = AutoModelForMaskedLM.from_pretrained(folders["bert"]), encoding(folders["bert"])
    assert MODELING.respond is not None
    inputs = [Example(7, "the [MASK] is great"), Example(8, "the [MASK] is [MASK]")]
    one, two = MODELING.respond(model, inputs, settings, 8)
    assert one.id == 7
    assert one.scores is not None
    assert list(one.scores.values()) == sorted(one.scores.values(), reverse=True)
    assert one.text == f"the {one.label} is great"
    assert one.score == max(one.scores.values())
    assert two.text is not None
    assert "[MASK]" not in two.text
    assert two.label is None
    with pytest.raises(DataError) as caught:
        MODELING.respond(model, [Example(3, "no blank")], settings, 8)
    assert str(caught.value).startswith("row 3 has no mask: write [MASK] where a word is to be filled in")


def test_a_run_masks_a_row_anew_in_every_epoch(tmp_path, monkeypatch):
    seen = {}
    collate = blocks.MaskedBatches.__call__

    def watched(self, features):
        batch = collate(self, features)
        seen.setdefault(int(self.epoch), []).append(batch["labels"].tolist())
        return batch

    monkeypatch.setattr(blocks.MaskedBatches, "__call__", watched)
    rows = [{"text": "a good book about the old town of Paris " * 8}]
    settings = {"task": "language-modeling", "maxlength": 64, "num_train_epochs": 3, "disable_tqdm": True}
    tunesmith.train(rows, base=tiny.bert(tmp_path), **settings)
    assert set(seen) == {0, 1, 2}
    assert len({str(labels) for labels in seen.values()}) == 3
