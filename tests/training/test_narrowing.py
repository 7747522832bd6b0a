"""Packed rows in narrow blocks: the same tokens, loss and gradient, with less attention that is masked away."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import tiny
from fuzz import examples
from tunesmith import api
from tunesmith.tasks.base import Example
from tunesmith.training import blocks, narrowing
from tunesmith.training.feeding import Collator, Losses, for_training
from tunesmith.training.language import GENERATION, MODELING, first_position
from tunesmith.training.merging import pack
from tunesmith.training.narrowing import narrowed
from tunesmith.training.recipe import Encoding

TEXTS = [" ".join(tiny.TEXTS[(n + k) % 7] for k in range(n % 3 + 1))[: 20 + 13 * n % 60] for n in range(100)]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(narrowing, "NARROWEST", 8)


def rows_of(batch: dict[str, torch.Tensor]) -> list[Any]:
    """Every row as its (token, position, label)s, sorted; no row goes over the end of a block."""
    found = []
    for block in range(len(batch["input_ids"])):
        numbers = batch["attention_mask"][block]
        for number in range(1, int(numbers.max()) + 1):
            here = numbers.eq(number)
            found.append(tuple(map(tuple, torch.stack([batch[k][block][here] for k in KEYS], 1).tolist())))
    return sorted(found)


KEYS = ("input_ids", "position_ids", "labels")


@examples(60)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=60), st.sampled_from([None, 8]))
def test_rows_are_whole_and_the_same_and_padding_is_little(lengths: list[int], multiple: int | None) -> None:
    features = ({"input_ids": list(range(n, n + size)), "example": n} for n, size in enumerate(lengths))
    blocks = list(pack(features, 64))
    batch = {"input_ids": torch.zeros(len(blocks), 64, dtype=torch.long)}
    batch |= {key: torch.zeros_like(batch["input_ids"]) for key in ("position_ids", "attention_mask")}
    for place, block in enumerate(blocks):
        for key in batch:
            batch[key][place, : len(block[key])] = torch.tensor(block[key])
    batch["labels"] = torch.where(batch["attention_mask"].ne(0), batch["input_ids"], -100)
    found = narrowed(batch, {"input_ids": 7, "labels": -100}, multiple=multiple)
    assert rows_of(found) == rows_of(batch)
    if found is not batch:
        width = found["input_ids"].shape[1]
        assert max(lengths) <= width <= 32
        assert width % (multiple or 1) == 0
        padding = found["attention_mask"].eq(0)
        assert padding.float().mean() <= narrowing.PADDING
        assert found["input_ids"][padding].eq(7).all()
        assert found["labels"][padding].eq(-100).all()


def test_a_row_as_long_as_the_block_leaves_the_batch_alone() -> None:
    batch = {"input_ids": torch.zeros(1, 64), "attention_mask": torch.tensor([[1] * 40 + [2] * 24])}
    assert narrowed(batch, {}) is batch


def test_rows_that_fit_one_to_a_block_need_no_mask_of_their_own() -> None:
    batch = {"input_ids": torch.arange(64)[None], "attention_mask": torch.arange(64)[None] // 16 + 1}
    assert narrowed(batch, {})["attention_mask"].tolist() == [[1] * 16] * 4


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """By recipe: model, encoding and packed features of wide blocks."""
    from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoTokenizer

    made: dict[str, Any] = {}
    for name, build, auto, recipe in (
        ("causal", tiny.gpt2, AutoModelForCausalLM, GENERATION),
        ("masked", tiny.bert, AutoModelForMaskedLM, MODELING),
    ):
        folder = build(tmp_path_factory.mktemp(name))  # type: ignore[operator]
        tokenizer = AutoTokenizer.from_pretrained(folder)
        encoding = Encoding(tokenizer, None, "", 128, merge="pack")
        examples = [Example(n, text) for n, text in enumerate(TEXTS)]
        rows = recipe.encode(examples, encoding, True)
        features = list(pack(iter(rows), 128, first_position=first_position(encoding)))
        made[name] = (auto.from_pretrained(folder).eval(), encoding, features, recipe)
    return made


@pytest.mark.parametrize("name", ["causal", "masked"])
def test_loss_and_gradient_are_those_of_wide_blocks(packed: dict[str, Any], name: str) -> None:
    model, encoding, features, recipe = packed[name]
    found = []
    wide = Collator(recipe.collate(encoding), None)
    loss = recipe.loss(encoding)
    for collate in (wide, for_training(wide, Losses(loss, loss))):
        model.zero_grad()
        batch = collate(features)
        inputs = {key: batch[key] for key in ("input_ids", "attention_mask", "position_ids")}
        value = loss(model(**inputs), batch, loss.count(batch))
        value.backward()
        gradient = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
        found.append((value.item(), gradient, int(loss.count(batch)), batch["input_ids"].shape[1]))
    assert found[1][3] < found[0][3] / 1.9, "the blocks are no narrower"
    assert found[1][2] == found[0][2]
    assert found[1][0] == pytest.approx(found[0][0], rel=1e-5)
    assert torch.allclose(found[1][1], found[0][1], atol=1e-5)


def test_a_token_is_masked_alike_in_narrow_and_wide_blocks(packed: dict[str, Any]) -> None:
    _, encoding, features, recipe = packed["masked"]
    wide = recipe.collate(encoding)
    narrow = replace(wide, narrow=True)
    for epoch in (0, 1):
        wide.set_epoch(epoch)
        one, other = wide(features), narrow(features)
        assert sorted(one["labels"][one["labels"].ne(-100)].tolist()) == sorted(
            other["labels"][other["labels"].ne(-100)].tolist()
        )


def test_other_losses_and_evaluation_keep_a_block_a_feature(packed: dict[str, Any]) -> None:
    _, encoding, _, recipe = packed["causal"]
    collator, plain = Collator(recipe.collate(encoding), None), recipe.loss(encoding)

    class Other:
        targets = ("labels",)

    assert for_training(collator, Losses(Other(), plain)) is collator  # type: ignore[arg-type]
    assert for_training(collator, None) is collator
    assert not recipe.collate(encoding).narrow


def test_a_run_trains_on_narrow_blocks_to_the_weights_of_wide_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    widths: list[int] = []
    plain = blocks.block_mask

    def watched(segments: torch.Tensor, *, causal: bool) -> torch.Tensor:
        widths.append(segments.shape[1])
        return plain(segments, causal=causal)

    monkeypatch.setattr(blocks, "block_mask", watched)
    base = tiny.gpt2(tmp_path / "base", attn_pdrop=0.0, embd_pdrop=0.0, resid_pdrop=0.0)
    how = {"task": "language-generation", "merge": "pack", "maxlength": 128, "num_train_epochs": 2}
    how |= {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 2}
    rows, weights = [{"text": text} for text in TEXTS], []
    for bound in (8, 10**6):
        monkeypatch.setattr(narrowing, "NARROWEST", bound)
        weights.append(api.train(rows, base=base, **how).model.state_dict())
    assert min(widths) < 64
    assert all(torch.allclose(weights[0][name], weights[1][name], atol=1e-4) for name in weights[0])
