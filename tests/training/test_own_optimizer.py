"""An optimizer of the user's trains the model that is trained, and what starts anew in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import tiny
import tunesmith
from tunesmith.errors import ConfigError

TWO = [{"text": text, "label": "ab"[place % 2]} for place, text in enumerate(tiny.TEXTS)]
THREE = [{"text": text, "label": "abc"[place % 3]} for place, text in enumerate(tiny.TEXTS)]


@pytest.fixture
def live(tmp_path: Path) -> tuple[Any, Any]:
    folder = tiny.bert(tmp_path / "base")
    return AutoModelForSequenceClassification.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)


def train(rows: Any, own: Any, **settings: Any) -> Any:
    return tunesmith.train(rows, optimizers=(own, None), max_steps=3, disable_tqdm=True, **settings)


def of(parameters: Any) -> Any:
    return torch.optim.SGD(parameters, lr=0.1)


def test_an_optimizer_of_another_model_is_refused(live: tuple[Any, Any], tmp_path: Path) -> None:
    own = of(live[0].parameters())
    with pytest.raises(ConfigError, match="'optimizers' is 'SGD': expected one of parameters that are trained"):
        train(TWO, own, base=str(tmp_path / "base"))
    for parameter in live[0].parameters():
        parameter.requires_grad = False
    with pytest.raises(ConfigError, match="expected one of parameters that are trained"):
        train(TWO, own, base=live, lora=True)


def test_an_optimizer_made_before_the_head_was_changed_is_refused(live: tuple[Any, Any]) -> None:
    with pytest.raises(ConfigError, match=r"expected one that holds classifier\.weight too, which starts anew"):
        train(THREE, of(live[0].parameters()), base=live)
    run = train(THREE, of(live[0].parameters()), base=live)
    assert run.model is live[0], "the head has three labels now, and this optimizer holds it"


def test_an_optimizer_may_leave_out_what_the_base_brings(live: tuple[Any, Any]) -> None:
    before = {name: value.clone() for name, value in live[0].named_parameters()}
    run = train(TWO, of(live[0].classifier.parameters()), base=live)
    moved = {name for name, value in run.model.named_parameters() if not torch.equal(before[name], value)}
    assert moved == {"classifier.weight", "classifier.bias"}
