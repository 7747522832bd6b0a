"""Features through a model: order, lengths, mode, exact loss."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import tiny
from tunesmith.data.labels import Labels
from tunesmith.tasks.base import Example
from tunesmith.training import predictor
from tunesmith.training.classification import RECIPE
from tunesmith.training.recipe import Encoding, Recipe

TEXTS = ["a man", "two dogs run on the beach", "a good book", "the film was bad"]


def setting(folder: Path) -> tuple[Any, Encoding, list[Any]]:
    from transformers import AutoModelForSequenceClassification

    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_pretrained(tiny.bert(folder), num_labels=2)
    encoding = Encoding(tiny.bert_tokenizer(), Labels("single", ("a", "b")), "single", 32)
    examples = [Example(place, text, label="ab"[place % 2]) for place, text in enumerate(TEXTS)]
    return model, encoding, RECIPE.encode(examples, encoding, True)


def test_rows_come_back_in_the_order_of_the_features_whatever_the_batches(tmp_path: Path) -> None:
    model, encoding, features = setting(tmp_path)
    one, _ = predictor.run(model, features, RECIPE, encoding, batch_size=1)
    three, _ = predictor.run(model, features, RECIPE, encoding, batch_size=3)
    for alone, together in zip(one, three, strict=True):
        assert alone["scores"] == pytest.approx(together["scores"], abs=1e-5)
    assert len({tuple(row["scores"]) for row in one}) == len(TEXTS)


def test_the_loss_is_the_mean_over_all_rows_and_not_over_batches(tmp_path: Path) -> None:
    model, encoding, features = setting(tmp_path)
    loss = RECIPE.loss(encoding)
    _, whole = predictor.run(model, features, RECIPE, encoding, batch_size=4, loss=loss)
    _, uneven = predictor.run(model, features, RECIPE, encoding, batch_size=3, loss=loss)
    assert uneven.mean == pytest.approx(whole.mean, rel=1e-5)


def test_the_model_is_in_eval_mode_meanwhile_and_in_its_own_after(tmp_path: Path) -> None:
    model, encoding, features = setting(tmp_path)
    model.train()
    first, _ = predictor.run(model, features, RECIPE, encoding)
    again, _ = predictor.run(model, features, RECIPE, encoding)
    assert model.training
    assert first[0]["scores"] == pytest.approx(again[0]["scores"]), "dropout was on"


def test_the_longest_rows_go_first() -> None:
    features = [{"input_ids": [0] * size} for size in (2, 5, 3)]
    assert predictor.by_length(features, 2) == [[1, 2], [0]]


def test_a_batch_has_no_more_tokens_than_said_and_one_row_at_least() -> None:
    features = [{"input_ids": [0] * size} for size in (2, 9, 3, 2)]
    assert predictor.by_length(features, 3, 6) == [[1], [2, 0], [3]]


@pytest.mark.parametrize(
    ("named", "writes", "sizes"), [(None, False, [1, 3, 4]), (None, True, [4]), (4, False, [4]), (3, False, [3, 4])]
)
def test_on_a_cpu_a_batch_that_nobody_sized_holds_so_many_tokens_unless_its_outputs_are_written(
    named: int | None, writes: bool, sizes: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, encoding, features = setting(tmp_path)
    monkeypatch.setattr(predictor, "CPU_TOKENS", 12)
    done: list[int] = []
    predictor.run(model, features, replace(RECIPE, writes=writes), encoding, batch_size=named, on_batch=done.append)
    assert done == sizes


def test_the_heap_is_trimmed_between_batches_and_not_after_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, encoding, features = setting(tmp_path)
    trims: list[int] = []
    monkeypatch.setattr(predictor, "CPU_TOKENS", 12)
    monkeypatch.setattr(predictor, "_heap_trimmer", lambda: trims.append)
    predictor.run(model, features, RECIPE, encoding)
    assert trims == [0, 0], "three batches"
    predictor.run(model, features[:1], RECIPE, encoding)
    predictor.run(model, features, RECIPE, encoding, batch_size=1)
    assert trims == [0, 0]


def test_where_the_libc_trims_no_heap_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    predictor._heap_trimmer.cache_clear()
    monkeypatch.setattr("ctypes.CDLL", lambda _: SimpleNamespace())
    try:
        assert predictor._heap_trimmer()(0) is None
    finally:
        predictor._heap_trimmer.cache_clear()
    monkeypatch.undo()
    if sys.platform == "linux":
        assert predictor._heap_trimmer()(0) in (0, 1), "glibc's own answer"


@pytest.mark.parametrize(("side", "expected"), [("right", [1.0, 2.0]), ("left", [2.0, 3.0])])
def test_outputs_of_tokens_are_cut_to_the_rows_own_on_the_side_that_was_not_padded(
    side: str, expected: list[float]
) -> None:
    recipe = Recipe(*(None,) * 6, per_token=("each",))  # type: ignore[arg-type]
    encoding = Encoding(SimpleNamespace(padding_side=side), None, "", 8)
    outputs = {"each": torch.tensor([[1.0, 2.0, 3.0]]), "whole": torch.tensor([[7.0, 8.0, 9.0]])}
    (row,) = predictor._rows(outputs, [{"input_ids": [0, 0]}], recipe, encoding)
    assert row["each"].tolist() == expected
    assert row["whole"].tolist() == [7.0, 8.0, 9.0]


def test_progress_is_told_a_batch_at_a_time(tmp_path: Path) -> None:
    model, encoding, features = setting(tmp_path)
    done: list[int] = []
    predictor.run(model, features, RECIPE, encoding, batch_size=3, on_batch=done.append)
    assert done == [3, 4]
