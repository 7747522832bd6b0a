"""Padding and the token loss that every recipe uses."""

from types import SimpleNamespace

import pytest
import torch
from transformers import BertTokenizer

from tunesmith.errors import ConfigError
from tunesmith.training.batching import TokenCrossEntropy, named, overlap, pad, pad_rows
from tunesmith.training.recipe import Encoding


def encoding(side="right", **settings):
    vocab = {token: place for place, token in enumerate("[PAD] [UNK] [CLS] [SEP] [MASK] a b".split())}
    tokenizer = BertTokenizer(vocab=vocab, padding_side=side)
    return Encoding(tokenizer, None, "", settings.pop("maxlength", 16), **settings)


def feature(size, **more):
    return {"input_ids": [5] * size, "token_type_ids": [1] * size, "attention_mask": [1] * size, "example": 0, **more}


def test_rows_are_padded_to_the_longest_of_the_batch():
    batch = pad([feature(2), feature(4)], encoding())
    assert batch["input_ids"].tolist() == [[5, 5, 0, 0], [5, 5, 5, 5]]
    assert batch["token_type_ids"].tolist() == [[1, 1, 0, 0], [1, 1, 1, 1]]
    assert batch["attention_mask"].tolist() == [[1, 1, 0, 0], [1, 1, 1, 1]]
    assert set(batch) == {"input_ids", "token_type_ids", "attention_mask"}


def test_rows_are_padded_on_the_tokenizers_side():
    batch = pad([feature(1, labels=[7]), feature(3, labels=[8, 8, 8])], encoding("left"), extra={"labels": -100})
    assert batch["input_ids"].tolist() == [[0, 0, 5], [5, 5, 5]]
    assert batch["labels"].tolist() == [[-100, -100, 7], [8, 8, 8]]


def test_width_is_rounded_up_but_not_over_what_the_model_can_hold():
    assert pad([feature(3)], encoding(pad_to=8))["input_ids"].shape == (1, 8)
    assert pad([feature(9)], encoding(pad_to=8, maxlength=10))["input_ids"].shape == (1, 10)
    assert pad([feature(12)], encoding(pad_to=8, maxlength=10))["input_ids"].shape == (1, 12)


def test_an_attention_mask_is_made_where_the_features_have_none():
    rows = [{"input_ids": [5, 5]}, {"input_ids": [5]}]
    assert pad(rows, encoding())["attention_mask"].tolist() == [[1, 1], [1, 0]]


def test_single_numbers_become_a_vector():
    batch = pad(
        [feature(1, place=3, value=0.5), feature(2, place=4, value=1.5)], encoding(), extra={"place": 0, "value": 0}
    )
    assert batch["place"].tolist() == [3, 4]
    assert batch["place"].dtype == torch.int64
    assert batch["value"].tolist() == [0.5, 1.5]
    assert batch["value"].dtype == torch.float32


def test_empty_rows_give_a_batch_that_a_model_can_take():
    assert pad_rows([[], []], 9).tolist() == [[9], [9]]


def test_a_tokenizer_without_pad_token_is_refused():
    without = encoding()
    without.tokenizer.pad_token = None
    with pytest.raises(ConfigError, match="expected a tokenizer with a pad token"):
        pad([feature(1)], without)


def test_stride_is_kept_where_it_fits_and_halved_where_it_does_not():
    assert overlap(encoding(stride=128), 200) == 128
    assert overlap(encoding(stride=128), 128) == 64
    assert overlap(encoding(stride=128), 1) == 0


def test_named_reads_mappings_and_tuples():
    first, second = torch.zeros(1), torch.ones(1)
    assert named({"logits": second}, "logits") is second
    assert named((first, second), "end_logits", 1) is second


def test_token_loss_by_hand():
    logits = torch.log(torch.tensor([[[0.25, 0.75], [0.5, 0.5], [0.9, 0.1]]]))
    labels = torch.tensor([[1, -100, 0]])
    loss = TokenCrossEntropy()
    assert loss.count({"labels": labels}) == 2
    expected = -(torch.log(torch.tensor(0.75)) + torch.log(torch.tensor(0.9))) / 2
    assert torch.allclose(loss({"logits": logits}, {"labels": labels}), expected)


def test_shifted_token_loss_predicts_the_next_token():
    logits = torch.log(torch.tensor([[[0.25, 0.75], [0.5, 0.5], [0.9, 0.1]]]))
    labels = torch.tensor([[0, 1, -100]])
    loss = TokenCrossEntropy(shift=True)
    assert loss.count({"labels": labels}) == 1
    assert torch.allclose(loss({"logits": logits}, {"labels": labels}), -torch.log(torch.tensor(0.75)))


@pytest.mark.parametrize("shift", [False, True])
def test_micro_batches_add_up_to_the_large_batch(shift):
    torch.manual_seed(0)
    logits = torch.randn(4, 5, 3, requires_grad=True)
    labels = torch.randint(0, 3, (4, 5))
    labels[0, 1:] = -100  # rows of very unequal item counts
    loss = TokenCrossEntropy(shift=shift)
    whole = loss({"logits": logits}, {"labels": labels})
    gradient = torch.autograd.grad(whole, logits)[0]
    parts = [slice(0, 1), slice(1, 4)]
    count = torch.stack([loss.count({"labels": labels[part]}) for part in parts]).sum()
    summed = sum(loss({"logits": logits[part]}, {"labels": labels[part]}, count) for part in parts)
    assert torch.allclose(summed, whole)
    assert torch.allclose(torch.autograd.grad(summed, logits)[0], gradient)


def test_a_batch_without_items_has_loss_zero_in_32_bits():
    loss = TokenCrossEntropy()
    value = loss({"logits": torch.randn(1, 2, 3, dtype=torch.bfloat16)}, {"labels": torch.full((1, 2), -100)})
    assert value == 0
    assert value.dtype == torch.float32


def test_need_offsets_names_the_tokenizer():
    from tunesmith.training.batching import need_offsets

    slow = SimpleNamespace(is_fast=False)
    with pytest.raises(ConfigError, match=r"expected a fast tokenizer .* question answering needs the place"):
        need_offsets(Encoding(slow, None, "", 8), "question answering")
