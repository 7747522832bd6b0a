"""Heads that fit the labels: kept where they were for the same labels, new otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import tiny
from tunesmith.data.labels import Labels
from tunesmith.errors import ConfigError
from tunesmith.training import heads, weights
from tunesmith.training.bases import open_base

CLASS = "AutoModelForSequenceClassification"


def classifier(folder: Path, labels: Labels) -> Any:
    model, _ = weights.load(
        open_base(tiny.bert(folder / "base"), "text-classification"), CLASS, labels, classifies_text=True
    )
    model.save_pretrained(folder / "saved")
    open_base(str(folder / "base"), "text-classification").tokenizer.save_pretrained(folder / "saved")
    return model


def reload(folder: Path, labels: Labels) -> Any:
    return weights.load(open_base(str(folder / "saved"), "text-classification"), CLASS, labels, classifies_text=True)[0]


def test_the_names_of_a_new_head_are_in_the_config_and_its_modules_are_told(tmp_path: Path) -> None:
    labels = Labels("single", ("no", "yes", "maybe"))
    base = open_base(tiny.bert(tmp_path), "text-classification")
    model, fresh = weights.load(base, CLASS, labels, classifies_text=True)
    assert model.config.id2label == {0: "no", 1: "yes", 2: "maybe"}
    assert model.config.label2id == {"no": 0, "yes": 1, "maybe": 2}
    assert model.config.problem_type == "single_label_classification"
    assert fresh == ("classifier",)


def test_a_head_for_the_same_labels_in_another_order_is_kept_in_its_own_order(tmp_path: Path) -> None:
    before = classifier(tmp_path, Labels("single", ("b", "a")))
    after = reload(tmp_path, Labels("single", ("a", "b")))
    assert torch.equal(before.classifier.weight, after.classifier.weight)
    assert after.config.id2label == {0: "b", 1: "a"}
    assert heads.aligned(Labels("single", ("a", "b")), before.config)[0].names == ("b", "a")


def test_a_head_for_other_labels_of_the_same_number_starts_anew(tmp_path: Path) -> None:
    before = classifier(tmp_path, Labels("single", ("a", "b")))
    after = reload(tmp_path, Labels("single", ("c", "d")))
    assert not torch.equal(before.classifier.weight, after.classifier.weight)
    assert torch.equal(before.bert.embeddings.word_embeddings.weight, after.bert.embeddings.word_embeddings.weight)


def test_a_head_for_another_kind_starts_anew(tmp_path: Path) -> None:
    before = classifier(tmp_path, Labels("single", ("a", "b")))
    after = reload(tmp_path, Labels("multi", ("a", "b")))
    assert after.config.problem_type == "multi_label_classification"
    assert not torch.equal(before.classifier.weight, after.classifier.weight)


def test_a_live_model_is_fitted_in_place(tmp_path: Path) -> None:
    model = classifier(tmp_path, Labels("single", ("a", "b")))
    body = model.bert.embeddings.word_embeddings.weight.clone()
    heads.fit_head(model, Labels("single", ("a", "b", "c")), classifies_text=True)
    assert model.classifier.weight.shape == (3, 32)
    assert model.num_labels == model.config.num_labels == 3
    assert torch.equal(body, model.bert.embeddings.word_embeddings.weight)


def test_a_live_model_without_a_linear_head_is_refused(tmp_path: Path) -> None:
    from transformers import AutoModel

    model = AutoModel.from_pretrained(tiny.bert(tmp_path))
    with pytest.raises(ConfigError, match="head ends in a linear layer"):
        heads.fit_head(model, Labels("single", ("a", "b")), classifies_text=True)


def test_labels_are_read_back_from_a_config(tmp_path: Path) -> None:
    labels = Labels("multi", ("x", "y", "z"))
    assert heads.read_labels(classifier(tmp_path, labels).config, classifies_text=True) == labels


NUMBERS = Labels("regression")


def test_a_new_head_of_regression_starts_at_the_number_it_is_given(tmp_path: Path) -> None:
    base, made = tiny.bert(tmp_path), []
    for start in (None, 2.5):
        torch.manual_seed(0)
        opened = open_base(base, "text-classification")
        made.append(weights.load(opened, CLASS, NUMBERS, classifies_text=True, start=start)[0])
    plain, model = made
    assert model.classifier.bias.item() == 2.5
    assert plain.classifier.bias.item() == 0
    assert torch.equal(plain.classifier.weight, model.classifier.weight)
    assert model.classifier.bias.requires_grad


def test_an_earlier_head_of_regression_is_kept_as_it_was(tmp_path: Path) -> None:
    before = classifier(tmp_path, NUMBERS)
    opened = open_base(str(tmp_path / "saved"), "text-classification")
    after, _ = weights.load(opened, CLASS, NUMBERS, classifies_text=True, start=2.5)
    assert torch.equal(before.classifier.bias, after.classifier.bias)
    live, _ = weights.load(
        open_base((before, opened.tokenizer), "text-classification"), CLASS, NUMBERS, classifies_text=True, start=2.5
    )
    assert live.classifier.bias.item() == 0


@pytest.mark.parametrize("live", [False, True])
def test_regression_after_classification_starts_at_the_number_too(tmp_path: Path, live: bool) -> None:
    before = classifier(tmp_path, Labels("single", ("a", "b")))
    base = open_base(str(tmp_path / "saved"), "text-classification")
    base = open_base((before, base.tokenizer), "text-classification") if live else base
    model, _ = weights.load(base, CLASS, NUMBERS, classifies_text=True, start=2.5)
    assert model.classifier.bias.tolist() == [2.5]


def test_a_head_without_a_bias_starts_as_it_did(tmp_path: Path) -> None:
    model, _ = weights.load(
        open_base(tiny.gpt2(tmp_path), "text-classification"), CLASS, NUMBERS, classifies_text=True, start=2.5
    )
    assert model.score.bias is None


def test_the_last_of_several_layers_starts_at_the_number(tmp_path: Path) -> None:
    opened = open_base(tiny.electra(tmp_path), "text-classification")
    model, _ = weights.load(opened, CLASS, NUMBERS, classifies_text=True, start=2.5)
    assert model.classifier.out_proj.bias.tolist() == [2.5]
    assert not model.classifier.dense.bias.any()


def test_a_head_of_one_number_is_kept_though_nothing_says_what_it_is(tmp_path: Path) -> None:
    before = classifier(tmp_path, NUMBERS)
    torch.nn.init.constant_(before.classifier.bias, 7)
    before.config.problem_type = None
    before.save_pretrained(tmp_path / "saved")
    saved = open_base(str(tmp_path / "saved"), "text-classification")
    for opened in (saved, open_base((before, saved.tokenizer), "text-classification")):
        model, _ = weights.load(opened, CLASS, NUMBERS, classifies_text=True, start=2.5)
        assert model.classifier.bias.item() == 7


def test_a_head_that_no_file_holds_starts_at_the_number_whatever_the_configuration_says(tmp_path: Path) -> None:
    before = classifier(tmp_path, NUMBERS)
    before.bert.save_pretrained(tmp_path / "saved")  # its configuration still says regression
    opened = open_base(str(tmp_path / "saved"), "text-classification")
    assert opened.config.problem_type == "regression"
    model, _ = weights.load(opened, CLASS, NUMBERS, classifies_text=True, start=2.5)
    assert model.classifier.bias.item() == 2.5


def test_a_number_that_16_bits_cannot_hold_is_no_start(tmp_path: Path) -> None:
    opened = open_base(tiny.bert(tmp_path), "text-classification")
    model, _ = weights.load(opened, CLASS, NUMBERS, classifies_text=True, start=2.5e5, dtype=torch.float16)
    assert model.classifier.bias.item() == 0


def test_labels_far_from_0_or_far_apart_are_told() -> None:
    assert heads.far_labels([2.0, 3.0, 4.0]) == ""
    assert "subtract 100 and divide by 0.5" in heads.far_labels([99.5, 100.5])
    assert "divide by 500" in heads.far_labels([0.0, 1000.0])
