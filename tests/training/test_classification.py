"""The recipe of text classification: features, losses that add up, predictions by the user's names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import tiny
from tunesmith import api
from tunesmith.data.labels import Labels
from tunesmith.tasks.base import Example
from tunesmith.training.classification import RECIPE
from tunesmith.training.recipe import Encoding

LABELS = {
    "single": Labels("single", ("a", "b", "c")),
    "multi": Labels("multi", ("a", "b")),
    "regression": Labels("regression"),
}
GOLD: dict[str, list[Any]] = {
    "single": ["a", "c", "b"],
    "multi": [("a",), (), ("a", "b")],
    "regression": [0.5, -100.0, 2.0],
}


def encoding(kind: str, maxlength: int = 16) -> Encoding:
    return Encoding(tiny.bert_tokenizer(), LABELS[kind], kind, maxlength)


def examples(kind: str) -> list[Example]:
    texts = ["a good book", "the film was bad", "two dogs run on the beach"]
    return [Example(place, text, label=gold) for place, (text, gold) in enumerate(zip(texts, GOLD[kind], strict=True))]


@pytest.mark.parametrize("kind", list(LABELS))
def test_the_loss_is_the_models_own_and_micro_batches_add_up_to_it(kind: str, tmp_path: Any) -> None:
    from transformers import AutoModelForSequenceClassification

    model = AutoModelForSequenceClassification.from_pretrained(
        tiny.bert(tmp_path), num_labels=len(LABELS[kind]), problem_type=_problem(kind)
    ).eval()
    enc = encoding(kind)
    features, collate, loss = RECIPE.encode(examples(kind), enc, True), RECIPE.collate(enc), RECIPE.loss(enc)
    whole = collate(features)
    with torch.no_grad():
        theirs = model(**whole)
        assert torch.allclose(loss(theirs, whole), theirs.loss, atol=1e-6)
        parts = [collate(features[:1]), collate(features[1:])]
        count = sum(loss.count(part) for part in parts)
        added = sum(loss(model(**{k: v for k, v in part.items() if k != "labels"}), part, count) for part in parts)
    assert torch.allclose(added, theirs.loss, atol=1e-5)


def _problem(kind: str) -> str:
    from tunesmith.training.heads import PROBLEMS

    return PROBLEMS[kind]


def test_what_does_not_fit_is_counted() -> None:
    long = Example(0, "two dogs run on the beach " * 3, label="a")
    (feature,) = RECIPE.encode([long], encoding("single", maxlength=10), True)
    assert len(feature["input_ids"]) == 10
    assert feature["lost"] == 18 + 2 - 10  # words, and the two special tokens


def test_a_pair_has_two_segments() -> None:
    (feature,) = RECIPE.encode([Example(0, "a man", pair="two dogs", label="a")], encoding("single"), True)
    assert feature["token_type_ids"] == [0, 0, 0, 0, 1, 1, 1]


def test_batches_are_padded_to_their_longest_row_and_to_a_multiple() -> None:
    enc = encoding("single")
    features = RECIPE.encode(examples("single"), enc, True)
    assert RECIPE.collate(enc)(features)["input_ids"].shape == (3, 8)
    assert RECIPE.collate(enc)(features[:1])["input_ids"].shape == (1, 5)
    assert RECIPE.collate(replace(enc, pad_to=8))(features[:1])["input_ids"].shape == (1, 8)


def test_predictions_carry_the_users_names_and_probabilities() -> None:
    rows = [{"scores": np.array([0.0, 2.0, 0.0])}, {"scores": np.array([1.0, 0.0, 0.0])}]
    features = [{"example": 0}, {"example": 1}]
    first, second = RECIPE.decode(rows, features, examples("single"), encoding("single"))
    assert (first.label, second.label) == ("b", "a")
    assert first.score == pytest.approx(np.exp(2) / (np.exp(2) + 2))
    assert sum((first.scores or {}).values()) == pytest.approx(1)


def test_several_labels_are_those_of_at_least_one_half() -> None:
    (found,) = RECIPE.decode(
        [{"scores": np.array([0.0, -1.0])}], [{"example": 0}], examples("multi"), encoding("multi")
    )
    assert found.labels == ("a",)
    assert (found.scores or {})["a"] == 0.5


def test_a_number_is_the_logit_itself() -> None:
    rows = [{"scores": np.array([1.25])}]
    (found,) = RECIPE.decode(rows, [{"example": 0}], examples("regression"), encoding("regression"))
    assert found.value == 1.25


def test_outputs_are_the_logits() -> None:
    def model(**inputs: Any) -> Any:
        assert "labels" not in inputs
        return SimpleNamespace(logits=inputs["input_ids"].float())

    batch = {"input_ids": torch.ones(2, 3), "labels": torch.zeros(2)}
    assert RECIPE.outputs(model, batch, encoding("single"))["scores"].shape == (2, 3)  # type: ignore[arg-type]


def test_a_text_is_read_the_same_way_whatever_stands_beside_it(tmp_path: Path) -> None:
    run = api.train([("good film", "up"), ("bad film", "down")] * 4, base=tiny.bert(tmp_path), max_steps=1)
    alone, beside = run.predict(["good film"])[0], run.predict(["good film", ("bad", "film")])[0]
    assert beside.score == pytest.approx(alone.score, abs=1e-7)
