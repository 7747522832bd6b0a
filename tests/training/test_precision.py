"""What arithmetic a run takes: the user's word, else what the hardware is fast in."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from tunesmith.errors import ConfigError
from tunesmith.training import precision
from tunesmith.training.precision import Arithmetic

AMD = {"avx512_bf16": True, "sse4a": True}


class Model(nn.Module):
    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.config, self.layer = SimpleNamespace(), nn.Linear(10, 10, dtype=dtype)


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CPU that is fast in bf16, and models of 50 weights that are large."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: AMD)
    monkeypatch.setattr(precision, "SMALL", 50)


@pytest.mark.parametrize("known", [AMD, {"avx512_bf16": True, "amx_bf16": True}], ids=["AMD", "Intel with AMX"])
def test_auto_takes_bf16_where_the_hardware_is_fast_in_it_and_says_so(
    fast: None, known: dict[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: known)
    chosen = precision.choose("auto", {}, Model())
    assert chosen.arguments == {"bf16": True}
    assert "bf16 arithmetic on this CPU, fp32 weights" in chosen.told


@pytest.mark.parametrize("known", [{"avx512_bf16": True}, {"sse4a": True}, {}], ids=["Intel without AMX", "AMD", "any"])
def test_auto_stays_with_fp32_where_bf16_is_slower_and_is_cheap_in_it(
    fast: None, known: dict[str, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: known)
    assert precision.choose("auto", {}, Model()) == Arithmetic(cheap=True)


@pytest.mark.parametrize("named", [{"bf16": False}, {"fp16": False}, {"bf16": True}, {"fp16": True}])
def test_what_is_named_wins(fast: None, named: dict[str, bool]) -> None:
    assert precision.choose("auto", named, Model()) == Arithmetic()


@pytest.mark.parametrize("wanted", ["fp32", "bf16"])
def test_what_is_wanted_is_taken_on_any_hardware(wanted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    chosen = precision.choose(wanted, {}, Model())
    assert (chosen.arguments, chosen.cheap) == ({"bf16": True} if wanted == "bf16" else {}, False)


def test_auto_is_upstreams_fp32_where_nothing_is_gained(fast: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert precision.choose("auto", {}, Model(torch.bfloat16)) == Arithmetic()  # weights that have their own type
    quantized = Model()
    quantized.is_quantized = True
    assert precision.choose("auto", {}, quantized) == Arithmetic()
    assert precision.choose("auto", {}, nn.Linear(10, 10)) == Arithmetic()  # a module of the user's own
    monkeypatch.setattr(precision, "SMALL", 1000)
    assert precision.choose("auto", {}, Model()) == Arithmetic()


@pytest.mark.parametrize(
    ("wanted", "named"), [("fp32", {"bf16": True}), ("bf16", {"bf16": False}), ("bf16", {"fp16": True})]
)
def test_two_words_that_say_otherwise_are_refused(wanted: str, named: dict[str, bool]) -> None:
    with pytest.raises(ConfigError, match="precision"):
        precision.choose(wanted, named, Model())


def test_two_words_that_agree_are_taken() -> None:
    assert precision.choose("bf16", {"bf16": True}, Model()) == Arithmetic()
    assert precision.choose("fp32", {"bf16": False}, Model()) == Arithmetic()


@pytest.mark.parametrize(
    ("args", "cheap", "told"),
    [
        ({"bf16": True}, False, "bf16"),
        ({"fp16": True}, False, "fp16"),
        ({}, True, "fp32 with cheap dropout"),
        ({}, False, "fp32"),
        ({"device": torch.device("cuda")}, True, "fp32"),
    ],
)
def test_the_record_of_a_run_names_its_arithmetic(args: dict[str, Any], cheap: bool, told: str) -> None:
    given = SimpleNamespace(**{"bf16": False, "fp16": False, "device": torch.device("cpu"), **args})
    assert precision.told_of(given, cheap=cheap) == told
