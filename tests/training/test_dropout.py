"""Cheap dropout: the share that is asked for, unbiased, repeatable; attention that is torch's, with and without it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

import tiny
from tunesmith.training import dropout


@pytest.mark.parametrize("p", [0.001, 0.1, 0.5])
def test_elements_are_dropped_with_probability_p_and_their_mean_stays(p: float) -> None:
    torch.manual_seed(0)
    kept = dropout.keep(torch.Size([1000, 1001]), p, torch.float32)
    assert float((kept == 0).float().mean()) == pytest.approx(p, abs=4 * (p * (1 - p) / 1e6) ** 0.5 + 1 / 65536)
    assert kept.unique().tolist() == pytest.approx([0, 1 / (1 - p)])


def test_the_ends_of_what_p_can_be() -> None:
    assert dropout.keep(torch.Size([0, 3]), 0.5, torch.float32).shape == (0, 3)
    assert float(dropout.keep(torch.Size([10_000]), 1 - 1e-7, torch.float32).bool().float().mean()) < 0.01


@pytest.fixture(params=["whole", "by parts"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Attention of short texts, and of long ones: two of three heads at a time, then the third."""
    if request.param == "by parts":
        monkeypatch.setattr(dropout, "WHOLE", 0)
        monkeypatch.setattr(dropout, "_PART", 2 * 7 * 7)


@pytest.mark.usefixtures("way")
def test_a_row_that_sees_nothing_gets_no_nan() -> None:
    mask = torch.zeros(2, 1, 7, 7).index_fill(2, torch.tensor([3]), -torch.inf)
    found, _ = dropout.attention(SimpleNamespace(is_causal=False), *tensors(), mask, dropout=0.1)
    assert bool(found.isfinite().all())


def test_neighbours_are_independent() -> None:
    torch.manual_seed(0)
    zeros = (dropout.keep(torch.Size([1_000_000]), 0.5, torch.float32) == 0).float() - 0.5
    for lag in (1, 2, 3, 4, 8):
        assert abs(float((zeros[lag:] * zeros[:-lag]).mean()) * 4) < 0.005


def test_masks_follow_torchs_seed() -> None:
    masks = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        masks.append([dropout.keep(torch.Size([50]), 0.5, torch.float32) for _ in range(2)])
    assert torch.equal(masks[0][0], masks[1][0])
    assert not torch.equal(masks[0][0], masks[0][1])
    assert not torch.equal(masks[0][0], masks[2][0])


def test_the_gradient_passes_where_the_value_passed() -> None:
    layer, x = dropout.Dropout(0.3), torch.ones(100, requires_grad=True)
    out = layer(x)
    out.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, out.detach())
    assert out.unique().tolist() == pytest.approx([0, 1 / 0.7])
    assert layer.eval()(x) is x


def tensors(tokens: int = 7) -> list[torch.Tensor]:
    torch.manual_seed(0)
    return [torch.randn(2, 3, tokens, 4, requires_grad=True) for _ in range(3)]


MASKS = {
    "all": None,
    "added": torch.randn(2, 1, 7, 7, generator=torch.Generator().manual_seed(1)),
    "padding": torch.tensor([[True] * 7, [True] * 4 + [False] * 3])[:, None, None, :].expand(2, 1, 7, 7),
}


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("causal", [False, True], ids=["both ways", "causal"])
@pytest.mark.parametrize("mask", MASKS)
def test_attention_and_its_gradients_are_torchs_where_hardly_anything_is_dropped(mask: str, causal: bool) -> None:
    given = MASKS[mask]
    if causal and given is not None:
        below = torch.ones(7, 7, dtype=torch.bool).tril()
        given = given & below if given.dtype == torch.bool else given.masked_fill(~below, -1e9)
    module = SimpleNamespace(is_causal=causal, num_key_value_groups=1)
    mine, theirs = tensors(), tensors()
    found, _ = dropout.attention(module, *mine, given, dropout=1e-9)  # rounds to none, by our own path
    wanted = scaled_dot_product_attention(*theirs, attn_mask=given, is_causal=causal and given is None).transpose(1, 2)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
    for out in (found, wanted):
        (out * torch.arange(4)).sin().sum().backward()
    for a, b in zip(mine, theirs, strict=True):
        torch.testing.assert_close(a.grad, b.grad, atol=1e-4, rtol=1e-4)


@pytest.mark.usefixtures("way")
def test_attention_drops_probabilities_without_bias() -> None:
    torch.manual_seed(0)
    query, key, value = (torch.randn(1, 1, 5, 4) for _ in range(3))
    module = SimpleNamespace(is_causal=False)
    many = [each.expand(2_000, -1, -1, -1) for each in (query, key, value)]
    drawn = torch.cat([dropout.attention(module, *many, None, dropout=0.5)[0] for _ in range(10)])
    whole = scaled_dot_product_attention(query, key, value).transpose(1, 2)[0]
    torch.testing.assert_close(drawn.mean(0), whole, atol=0.03, rtol=0)
    assert float(drawn.std(0).min()) > 0.05


@pytest.mark.parametrize("part", [1, 2 * 3 * 3, 4 * 3 * 3, 2**20])
def test_parts_are_heads_of_a_row_or_rows(part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dropout, "_PART", part)
    seen = torch.zeros(2, 3)
    for rows, heads in dropout._parts(*tensors(3)[:2]):
        seen[rows, heads] += 1
        assert seen[rows, heads].numel() * 9 <= max(part, 9)
    assert bool((seen == 1).all())


@pytest.mark.usefixtures("way")
def test_gradients_of_dropped_attention_are_those_of_its_function() -> None:
    module = SimpleNamespace(is_causal=False)

    def attend(*given: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(5)
        return dropout.attention(module, *given, None, dropout=0.4)[0]

    assert torch.autograd.gradcheck(attend, [each.detach().double().requires_grad_() for each in tensors(3)])


def test_a_model_has_it_meanwhile_and_is_as_before_after(tmp_path: Path) -> None:
    from transformers import AutoModel

    model = AutoModel.from_pretrained(tiny.bert(tmp_path)).train()
    before = [(name, type(module)) for name, module in model.named_modules()]
    with dropout.fast(model):
        inside = {type(module) for module in model.modules()}
        assert dropout.Dropout in inside
        assert nn.Dropout not in inside
        assert model.config._attn_implementation == dropout.ATTENTION
        assert dropout.ATTENTION not in str(model.config.to_dict()), "a saved model would ask for it"
        model.eval()
    assert [(name, type(module)) for name, module in model.named_modules()] == before
    assert model.config._attn_implementation == "sdpa"
    assert not any(module.training for module in model.modules())
