"""Cross-entropy in chunks: torch's own value and gradient, in a fraction of its memory."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from fuzz import examples
from tunesmith.training import entropy
from tunesmith.training.batching import TokenCrossEntropy


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """All logits are large, and a chunk is three items of seven classes."""
    monkeypatch.setattr(entropy, "LARGE", 0)
    monkeypatch.setattr(entropy, "CHUNK", 3 * 7 * 4)


def both(logits: torch.Tensor, targets: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """(value, gradient) of ours and of torch's, for a loss that is weighed by 0.5 and logits that were computed."""
    found = []
    for function in (entropy.summed, lambda a, b: cross_entropy(a.float(), b, ignore_index=-100, reduction="sum")):
        leaf = logits.clone().requires_grad_()
        value = function(leaf * 2, targets)
        (value * 0.5).backward()
        assert leaf.grad is not None
        found.append((value.detach(), leaf.grad))
    return found


@examples(40)
@given(
    st.lists(st.one_of(st.just(-100), st.integers(0, 6)), max_size=12),
    st.integers(0, 99),
    st.sampled_from([1, 30]),
)
def test_value_and_gradient_are_torchs(targets: list[int], seed: int, scale: int) -> None:
    logits = scale * torch.randn(len(targets), 7, generator=torch.Generator().manual_seed(seed))
    (value, gradient), (wanted, its) = both(logits, torch.tensor(targets, dtype=torch.long))
    assert torch.allclose(value, wanted, rtol=1e-6, atol=1e-6)
    assert torch.allclose(gradient, its, atol=1e-6)


def test_half_logits_are_computed_in_32_bits() -> None:
    logits = torch.randn(11, 7).bfloat16()
    (value, gradient), (wanted, its) = both(logits, torch.arange(11) % 7)
    assert value.dtype == torch.float32
    assert torch.allclose(value, wanted, rtol=1e-6)
    assert torch.equal(gradient, its)


@pytest.mark.parametrize("shift", [False, True])
def test_a_language_models_loss_is_that_of_small_logits(shift: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    loss, found = TokenCrossEntropy(shift=shift), []
    labels = torch.tensor([[1, 2, -100, 4], [-100, 5, 6, 0]])
    plain = torch.randn(2, 4, 7)
    for bound in (0, 10**9):
        monkeypatch.setattr(entropy, "LARGE", bound)
        logits = plain.clone().requires_grad_()
        value = loss({"logits": logits * 1}, {"labels": labels})
        value.backward()
        found.append((value.detach(), logits.grad))
    assert torch.allclose(found[0][0], found[1][0], rtol=1e-6)
    assert found[0][1] is not None
    assert found[1][1] is not None
    assert torch.allclose(found[0][1], found[1][1], atol=1e-7)


def test_logits_that_nothing_computed_stay_what_they_are() -> None:
    logits = torch.randn(5, 7, requires_grad=True)
    before = logits.detach().clone()
    entropy.summed(logits, torch.tensor([0, 1, 2, 3, 4])).backward()
    assert torch.equal(logits.detach(), before)


@pytest.mark.parametrize("shift", [False, True])
def test_the_gradient_takes_the_place_of_computed_logits(shift: bool) -> None:
    source = torch.randn(1, 5, 7, requires_grad=True)
    logits = source * 1
    place = logits.data_ptr()
    seen: list[int] = []
    logits.register_hook(lambda gradient: seen.append(gradient.data_ptr()))
    TokenCrossEntropy(shift=shift)({"logits": logits}, {"labels": torch.tensor([[0, 1, 2, 3, -100]])}).backward()
    assert seen == [place]


def test_what_saved_the_logits_for_its_own_gradient_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not silently wrong: torch counts the writes."""
    logits = torch.randn(5, 7, requires_grad=True).exp()  # its gradient is computed from its own output
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        entropy.summed(logits, torch.tensor([0, 1, 2, 3, 4])).backward()


PEAK = """
import sys, torch
from tunesmith.training import entropy
from torch.nn.functional import cross_entropy

def peak():
    return next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmHWM"))

hidden, weight = torch.randn(1024, 8, requires_grad=True), torch.randn(50_000, 8, requires_grad=True)
targets = torch.arange(1024)
ours = lambda logits: entropy.summed(logits, targets)
theirs = lambda logits: cross_entropy(logits, targets, reduction="sum")
cross_entropy(hidden[:8] @ weight.t(), targets[:8]).backward()  # what the first products and gradients take once
before = peak()
(ours if sys.argv[1] == "ours" else theirs)(hidden @ weight.t()).backward()
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_large_logits_are_held_once() -> None:
    def megabytes(which: str) -> float:
        done = subprocess.run([sys.executable, "-c", PEAK, which], capture_output=True, text=True, check=True)
        return float(done.stdout)

    logits = 1024 * 50_000 * 4 / 2**20
    assert megabytes("ours") < 1.75 * logits  # held twice would be 2; products take up to a half for themselves
    assert megabytes("theirs") > 2.5 * logits, "what it is compared with"
