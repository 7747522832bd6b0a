"""Sequence to sequence: targets read as targets, ends kept, what is cut counted, texts written."""

import numpy as np
import pytest
import torch
from transformers import (
    GPT2Tokenizer,
    MBart50Tokenizer,
    MBartConfig,
    MBartForConditionalGeneration,
    T5Config,
    T5ForConditionalGeneration,
    T5Tokenizer,
)

from tunesmith.tasks.base import Example
from tunesmith.training.recipe import Encoding
from tunesmith.training.sequences import RECIPE

WORDS = "translate : red yellow onion apple rot gelb zwiebel apfel".split()
PIECES = [("▁", -3.0), *(("▁" + word, -2.0) for word in WORDS)]


def t5(maxlength=16, **settings):
    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    return Encoding(T5Tokenizer(vocab=special + PIECES, extra_ids=0), None, "", maxlength, **settings)


def mbart():
    special = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    tokenizer = MBart50Tokenizer(vocab=special + PIECES, src_lang="en_XX", tgt_lang="de_DE")
    return Encoding(tokenizer, None, "", 16)


def letters(**settings):
    """A byte-level tokenizer that writes no end token, padded on the left."""
    vocab = {token: place for place, token in enumerate([*(chr(place) for place in range(33, 127)), "<|endoftext|>"])}
    tokenizer = GPT2Tokenizer(vocab=vocab, merges=[], pad_token="<|endoftext|>", padding_side="left")
    return Encoding(tokenizer, None, "", 8, **settings)


def t5_model(encoding):
    torch.manual_seed(0)
    sizes = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 1, "num_heads": 4, "dropout_rate": 0.0}
    return T5ForConditionalGeneration(
        T5Config(vocab_size=len(encoding.tokenizer), decoder_start_token_id=0, pad_token_id=0, eos_token_id=1, **sizes)
    ).eval()


def pieces(encoding, ids):
    return encoding.tokenizer.convert_ids_to_tokens(ids)


PAIRS = [
    Example("a", "red onion", target="rot zwiebel"),
    Example("b", "yellow apple", target="gelb apfel"),
    Example("c", "onion", target="zwiebel"),
]


def test_the_prefix_stands_before_the_source_alone():
    encoding = t5(prefix="translate : ")
    [feature] = RECIPE.encode(PAIRS[:1], encoding, True)
    assert pieces(encoding, feature["input_ids"]) == ["▁translate", "▁:", "▁red", "▁onion", "</s>"]
    assert pieces(encoding, feature["labels"]) == ["▁rot", "▁zwiebel", "</s>"]
    assert feature["lost"] == 0


def test_targets_are_tokenized_as_targets():
    encoding = mbart()
    [feature] = RECIPE.encode(PAIRS[:1], encoding, True)
    assert pieces(encoding, feature["input_ids"])[0] == "en_XX"
    assert pieces(encoding, feature["labels"])[0] == "de_DE"


def test_both_sides_are_cut_with_their_end_kept_and_the_loss_counted():
    encoding = t5(maxlength=4)
    examples = [Example(0, "red " * 9, target="rot " * 6), PAIRS[0], Example(1, "red", target="rot " * 4)]
    features = RECIPE.encode(examples, encoding, True)
    assert pieces(encoding, features[0]["input_ids"]) == ["▁red"] * 3 + ["</s>"]
    assert pieces(encoding, features[0]["labels"]) == ["▁rot"] * 3 + ["</s>"]
    assert pieces(encoding, features[2]["labels"]) == ["▁rot"] * 3 + ["</s>"]
    assert [feature["lost"] for feature in features] == [6 + 3, 0, 1]
    assert all(len(feature["attention_mask"]) == len(feature["input_ids"]) for feature in features)


def test_an_end_that_the_tokenizer_does_not_write_is_added_once():
    encoding = letters()
    end = encoding.tokenizer.eos_token_id
    short, long = RECIPE.encode([Example(0, "ab", target="xyz"), Example(1, "ab", target="x" * 20)], encoding, True)
    assert pieces(encoding, short["labels"]) == ["x", "y", "z", "<|endoftext|>"]
    assert short["input_ids"].count(end) == 0
    assert len(long["labels"]) == 8
    assert long["labels"][-1] == end
    assert long["lost"] == 20 + 1 - 8


def test_without_gold_there_are_no_labels():
    [feature] = RECIPE.encode([Example(0, "red onion")], t5(), False)
    assert "labels" not in feature
    assert set(RECIPE.collate(t5())([feature])) == {"input_ids", "attention_mask"}


def test_targets_are_padded_behind_whatever_side_the_source_is_padded_on():
    encoding = letters()
    features = RECIPE.encode([Example(0, "abc", target="x"), Example(1, "a", target="xyz")], encoding, True)
    batch = RECIPE.collate(encoding)(features)
    assert batch["labels"][0].tolist() == [*features[0]["labels"], -100, -100]
    assert batch["attention_mask"][1].tolist() == [0, 0, 1]
    assert torch.equal(batch["targets"], batch["labels"])
    assert batch["targets"] is not batch["labels"]


def test_sixteen_bit_widths_do_not_pass_the_models_limit():
    encoding = t5(maxlength=6, pad_to=8)
    batch = RECIPE.collate(encoding)(RECIPE.encode(PAIRS, encoding, True))
    assert batch["labels"].shape == (3, 6)
    assert batch["input_ids"].shape == (3, 6)


def mbart_model(encoding):
    torch.manual_seed(0)
    half = {f"{side}_{name}": size for side in ("encoder", "decoder") for name, size in
            {"layers": 1, "attention_heads": 2, "ffn_dim": 16}.items()}  # fmt: skip
    return MBartForConditionalGeneration(
        MBartConfig(vocab_size=len(encoding.tokenizer), d_model=16, max_position_embeddings=32, dropout=0.0, **half)
    ).eval()


@pytest.mark.parametrize(("make", "model"), [(t5, t5_model), (mbart, mbart_model)])
def test_the_loss_is_that_of_transformers(make, model):
    """The decoder's inputs are the model's own: a shift for T5, for mBART the turn of the language code."""
    encoding = make()
    loss, batch = RECIPE.loss(encoding), RECIPE.collate(encoding)(RECIPE.encode(PAIRS, encoding, True))
    targets = {key: batch.pop(key) for key in loss.targets}
    theirs = model(encoding)(**batch)
    assert torch.allclose(loss(theirs, targets), theirs.loss)


def test_micro_batches_add_up_to_the_large_batch():
    encoding = t5()
    model, loss = t5_model(encoding), RECIPE.loss(encoding)
    features = RECIPE.encode([Example(0, "red", target="rot " * 9), *PAIRS], encoding, True)

    def gradient(parts):
        model.zero_grad()
        micros = [RECIPE.collate(encoding)(part) for part in parts]
        count = sum(loss.count(micro) for micro in micros)
        total = 0.0
        for micro in micros:
            targets = {key: micro.pop(key) for key in loss.targets}
            value = loss(model(**micro), targets, count)
            value.backward()
            total += value.item()
        return total, model.shared.weight.grad.clone()

    whole, whole_gradient = gradient([features])
    summed, summed_gradient = gradient([features[:1], features[1:]])
    assert summed == pytest.approx(whole, rel=1e-5)
    assert torch.allclose(summed_gradient, whole_gradient, atol=1e-5)


def test_pairs_learnt_by_heart_are_written():
    encoding = t5(generation={"num_beams": 2})
    model, loss = t5_model(encoding), RECIPE.loss(encoding)
    features = RECIPE.encode(PAIRS, encoding, True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    for _ in range(80):
        batch = RECIPE.collate(encoding)(features)
        targets = {key: batch.pop(key) for key in loss.targets}
        value = loss(model(**batch), targets)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    outputs = RECIPE.outputs(model, RECIPE.collate(encoding)(features), encoding)
    rows = [{"tokens": row.numpy()} for row in outputs["tokens"]]
    predictions = RECIPE.decode(rows, features, PAIRS, encoding)
    assert [(prediction.id, prediction.text) for prediction in predictions] == [(p.id, p.target) for p in PAIRS]


@pytest.mark.parametrize(
    ("generation", "longest"), [({}, 1 + 6), ({"max_new_tokens": 3}, 1 + 3), ({"max_length": 3}, 3)]
)
def test_as_many_tokens_are_written_as_the_limit_says(generation, longest):
    encoding = t5(maxlength=6, generation=generation)
    model = t5_model(encoding)
    model.generation_config.eos_token_id = None  # never stops of itself
    batch = RECIPE.collate(encoding)(RECIPE.encode(PAIRS, encoding, False))
    tokens = RECIPE.outputs(model, batch, encoding)["tokens"]
    assert tokens.shape == (3, longest)
    assert not tokens.requires_grad


def test_texts_come_without_special_tokens_and_padding():
    encoding = t5()
    ids = encoding.tokenizer("rot zwiebel")["input_ids"]
    rows = [{"tokens": np.array([0, *ids, 0, 0])}, {"tokens": np.array([0, *ids[:1], 1, -100, -100])}]
    features = [{"example": 0, "input_ids": [1]}, {"example": 1, "input_ids": [1]}]
    predictions = RECIPE.decode(rows, features, PAIRS[:2], encoding)
    assert [(prediction.id, prediction.text) for prediction in predictions] == [("a", "rot zwiebel"), ("b", "rot")]


def test_no_examples_give_no_features():
    assert RECIPE.encode([], t5(), True) == []
    assert RECIPE.decode([], [], [], t5()) == []
