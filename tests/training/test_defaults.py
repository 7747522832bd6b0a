"""What is chosen where the user names nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tunesmith.training.defaults import Choice, choose


def said(choice: Choice, named: dict[str, Any], patience: int | None) -> str:
    return replace(choice, decided=named).told(patience)


COMMON: dict[str, Any] = {"task": "text-classification", "adapter": False, "scratch": False, "batch": 8}


def test_many_classes_with_few_rows_get_more_epochs_than_few_classes_with_many() -> None:
    many = choose(rows=3000, classes=77, parameters=22_000_000, validated=False, **COMMON)
    few = choose(rows=60_000, classes=2, parameters=22_000_000, validated=False, **COMMON)
    assert many.arguments["num_train_epochs"] >= 10
    assert few.arguments["num_train_epochs"] == 3
    assert many.arguments["learning_rate"] > few.arguments["learning_rate"]


def test_larger_models_take_smaller_steps() -> None:
    rates = [
        choose(rows=1000, classes=2, parameters=size, validated=False, **COMMON).arguments["learning_rate"]
        for size in (22_000_000, 110_000_000, 350_000_000)
    ]
    assert rates == sorted(rates, reverse=True)
    assert len(set(rates)) == 3


def test_the_best_epoch_is_kept_where_there_is_validation_and_only_there() -> None:
    with_rows = choose(rows=1000, classes=2, parameters=1, validated=True, **COMMON)
    without = choose(rows=1000, classes=2, parameters=1, validated=False, **COMMON)
    assert with_rows.arguments["load_best_model_at_end"]
    assert with_rows.patience
    assert "load_best_model_at_end" not in without.arguments
    assert without.patience is None


def test_what_the_user_named_is_not_said_to_be_chosen() -> None:
    choice = choose(rows=1000, classes=3, parameters=22_000_000, validated=True, **COMMON)
    told = said(choice, {"num_train_epochs": 2}, choice.patience)
    assert "epochs," not in told
    assert "learning rate" in told
    assert "1000 rows of 3 classes and 22M parameters" in told
    assert said(choice, dict.fromkeys(("learning_rate", "num_train_epochs", "warmup_steps"), 1), None) == ""


def test_epochs_that_do_not_apply_are_not_said() -> None:
    choice = choose(rows=1000, classes=3, parameters=22_000_000, validated=True, **COMMON)
    assert "at most 8 epochs" in said(choice, {"max_steps": -1}, 3)
    for steps in (5, "5"):
        told = said(choice, {"max_steps": steps}, 3)
        assert "at most" not in told
        assert "learning rate" in told
    for epochs in (1, 3, "3", 4):  # the first is progress: the fourth is the soonest end
        assert "a stop after" not in said(choice, {"num_train_epochs": epochs}, 3)
    assert "a stop after 3 epochs" in said(choice, {"num_train_epochs": 5}, 3)
    assert "a stop after 3 evaluations" in said(choice, {"num_train_epochs": 1, "eval_strategy": "steps"}, 3)


@pytest.mark.parametrize("rows", [1, 10, 10**7])
def test_the_epochs_are_bounded_whatever_the_size(rows: int) -> None:
    epochs = choose(rows=rows, classes=2, parameters=1, validated=False, **COMMON).arguments["num_train_epochs"]
    assert 3 <= epochs <= 20
