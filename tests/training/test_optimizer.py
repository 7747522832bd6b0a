"""AdamW in the time that rows with a gradient take: dense AdamW step by step, also for rows that have none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn

from tunesmith.training import tables as modules
from tunesmith.training.optimizer import CpuAdamW
from tunesmith.training.tables import lean, tables

OPTIONS = {"lr": 0.1, "betas": (0.8, 0.95), "eps": 1e-7, "weight_decay": 0.03}


@pytest.fixture
def small_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modules, "LARGE", 18)


class Reader(nn.Module):
    """Looks rows up and maps them to a number each."""

    def __init__(self, *, sparse: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(6, 3, sparse=sparse)
        self.head = nn.Linear(3, 1)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.head(self.table(rows)).sin().sum()
        return found


def steps(model: Reader, made: torch.optim.Optimizer, batches: list[list[int]], max_norm: float = 0.0) -> None:
    for batch in batches:
        made.zero_grad()
        model(torch.tensor(batch)).backward()
        if isinstance(made, CpuAdamW):
            made.clip(max_norm)
        elif max_norm:
            nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        made.step()


@pytest.mark.parametrize("max_norm", [0.0, 0.05, 100.0], ids=["unclipped", "clipped", "clipped above the norm"])
def test_where_every_row_occurs_it_takes_the_steps_of_dense_adamw(max_norm: float) -> None:
    batches = [[*range(6), step % 6] for step in range(10)]  # one row twice: its gradients are added
    ours, dense = Reader(sparse=True), Reader(sparse=False)
    steps(ours, CpuAdamW(ours.parameters(), **OPTIONS), batches, max_norm)
    steps(dense, torch.optim.AdamW(dense.parameters(), **OPTIONS), batches, max_norm)
    for mine, theirs in zip(ours.parameters(), dense.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-6)


def trained(batches: list[list[int]], **options: Any) -> tuple[Reader, Reader, CpuAdamW]:
    """Ours after `batches`, as left by `lean`, the dense twin, and our optimizer."""
    ours, dense = Reader(sparse=False), Reader(sparse=False)
    made, plain = (
        kind(m.parameters(), **OPTIONS | options) for kind, m in ((CpuAdamW, ours), (torch.optim.AdamW, dense))
    )
    schedules = [
        torch.optim.lr_scheduler.LambdaLR(each, lambda step: step / 3 if step < 3 else 3 / step)
        for each in (made, plain)
    ]
    with lean(ours, made):
        for batch in batches:
            steps(ours, made, [batch])
            steps(dense, plain, [batch])
            for schedule in schedules:
                schedule.step()
    return ours, dense, made


SOME_ROWS = [[0, 1, 2, 3], [1, 1], [0, 4], [1], [1], [1], [2, 0], *[[1]] * 30, [3, 2], [1]]  # 5 in no batch, 4 in one


@pytest.mark.parametrize("decay", [0.0, 0.3], ids=["no decay", "weight decay"])
@pytest.mark.parametrize("eps", [1e-8, 1e3], ids=["small epsilon", "large epsilon"])
def test_rows_that_do_not_occur_move_as_in_dense_adamw(decay: float, eps: float, small_tables: None) -> None:
    """With a warm-up from zero, a rate that falls, rows that miss no, one, some and all steps."""
    for length in range(1, len(SOME_ROWS) + 1):
        rate = max(0.1, 0.1 * eps)
        ours, dense, _ = trained(SOME_ROWS[:length], weight_decay=decay / rate * 0.1, eps=eps, lr=rate)
        torch.testing.assert_close(ours.table.weight, dense.table.weight, rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("warm", [1, 5, 20])
@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.9, 0.95)], ids=["default betas", "betas of language models"])
def test_an_epsilon_of_the_size_of_the_spread_costs_a_hundredth_of_a_move_at_most(
    small_tables: None, warm: int, betas: tuple[float, float]
) -> None:
    batches = [[0, 1, 2, 3, 4, 5]] * warm + [[1]] * 60
    for eps in (0.3, 0.1, 0.03, 0.01):
        before, _, _ = trained(batches[:warm], betas=betas, eps=eps, weight_decay=0.0)
        ours, dense, _ = trained(batches, betas=betas, eps=eps, weight_decay=0.0)
        moves, differences = (
            (dense.table.weight - other.table.weight)[[0, 2, 3, 4, 5]].abs() for other in (before, ours)
        )
        assert (differences / moves).max() < 1e-2, eps


@contextmanager
def twins(batches: list[list[int]]) -> Iterator[tuple[Reader, CpuAdamW, Reader, torch.optim.AdamW]]:
    """Within `lean`, ours after some batches, with rows behind, and its dense twin."""
    ours, dense = Reader(sparse=False), Reader(sparse=False)
    made, plain = CpuAdamW(ours.parameters(), **OPTIONS), torch.optim.AdamW(dense.parameters(), **OPTIONS)
    with lean(ours, made):
        for model, each in ((ours, made), (dense, plain)):
            steps(model, each, batches)
        assert not torch.allclose(ours.table.weight, dense.table.weight), "no row is behind"
        yield ours, made, dense, plain


BEHIND = [[0, 1, 2], [0, 4], [0], [0]]


def test_a_lookup_and_a_saved_model_find_all_steps_and_change_nothing(small_tables: None) -> None:
    with twins(BEHIND) as (ours, _, dense, _):
        stale = ours.table.weight.detach().clone()
        torch.testing.assert_close(ours.state_dict(), dense.state_dict())
        with torch.inference_mode():
            for rows in ([[4, 1], [1, 5]], [[3, 0]]):
                torch.testing.assert_close(ours(torch.tensor(rows)), dense(torch.tensor(rows)))
                torch.testing.assert_close(ours(torch.tensor(rows).int()), dense(torch.tensor(rows)))
        assert torch.equal(ours.table.weight, stale), "reading moved the table"


def test_weights_that_were_exchanged_stay_and_go_on_as_in_dense_adamw(small_tables: None) -> None:
    fresh = Reader(sparse=False).state_dict()
    with twins(BEHIND) as (ours, _, _, _):
        ours.load_state_dict(fresh)
    assert torch.equal(ours.table.weight, fresh["table.weight"])
    for loaded in ({}, fresh):
        with twins(BEHIND) as (ours, made, dense, plain):
            for model, each in ((ours, made), (dense, plain)):
                model.load_state_dict(loaded or {"head.bias": torch.zeros(1)}, strict=False)
                steps(model, each, [[1], [3]])
        torch.testing.assert_close(ours.table.weight, dense.table.weight)


def test_a_table_that_is_also_read_whole_is_stepped_whole(small_tables: None) -> None:
    with twins(BEHIND) as (ours, made, dense, plain):
        for model, each in ((ours, made), (dense, plain)):
            each.zero_grad()
            model.table.weight.sum().backward()
            each.step()
            steps(model, each, [[1], [3, 4]])
    torch.testing.assert_close(ours.table.weight, dense.table.weight, rtol=1e-4, atol=1e-5)


def test_another_adamw_goes_on_from_its_state_and_ours_from_that(small_tables: None) -> None:
    with twins(BEHIND) as (ours, made, dense, plain):
        saved, optimized = ours.state_dict(), made.state_dict()
    other = Reader(sparse=False)
    other.load_state_dict(saved)
    gone_on = torch.optim.AdamW(other.parameters(), **OPTIONS)
    gone_on.load_state_dict(optimized)
    steps(other, gone_on, [[1], [0]])
    steps(dense, plain, [[1], [0]])
    torch.testing.assert_close(other.state_dict(), dense.state_dict())
    last = CpuAdamW(other.parameters(), **OPTIONS)
    with lean(other, last):
        last.load_state_dict(gone_on.state_dict())
        steps(other, last, [[2], [0]])
    steps(dense, plain, [[2], [0]])
    torch.testing.assert_close(other.state_dict(), dense.state_dict())


def test_moments_that_do_not_fade_are_refused() -> None:
    with pytest.raises(ValueError, match=r"betas \(0.9, 0.9\)"):
        CpuAdamW(Reader(sparse=True).parameters(), betas=(0.9, 0.9))


def test_the_norm_is_that_of_all_gradients() -> None:
    ours, dense = Reader(sparse=True), Reader(sparse=False)
    made = CpuAdamW(ours.parameters(), **OPTIONS)
    for model in (ours, dense):
        model(torch.tensor([0, 0, 3])).backward()
    torch.testing.assert_close(made.clip(1.0), nn.utils.clip_grad_norm_(dense.parameters(), 1.0))


def test_a_saved_and_read_optimizer_goes_on_as_if_nothing_had_been(small_tables: None) -> None:
    batches = [[0, 1, 2], [2, 3], [0, 5, 5], [1, 2], [3]]

    def run(cuts: list[int]) -> dict[str, torch.Tensor]:
        saved: tuple[Any, Any] = ({}, {})
        for start, end in pairwise([0, *cuts, len(batches)]):
            model = Reader(sparse=False)
            made = CpuAdamW(model.parameters(), **OPTIONS)
            if start:
                model.load_state_dict(saved[0])
            with lean(model, made):
                if start:
                    made.load_state_dict(saved[1])
                steps(model, made, batches[start:end])
                saved = deepcopy((model.state_dict(), made.state_dict()))
        return model.state_dict()

    whole = run([])
    for stop in range(1, len(batches)):
        assert all(torch.equal(value, whole[name]) for name, value in run([stop]).items()), f"stopped after {stop}"


def test_the_state_of_plain_adamw_is_taken() -> None:
    model = Reader(sparse=False)
    plain = torch.optim.AdamW(model.parameters(), **OPTIONS)
    steps(model, plain, [[0, 1, 2]])
    model.table.sparse = True
    made = CpuAdamW(model.parameters(), **OPTIONS)
    made.load_state_dict(plain.state_dict())
    steps(model, made, [[0, 1]], max_norm=1e-3)  # clipped: the fused kernel alone can
    assert made.param_groups[0]["fused"]


def test_only_large_tables_that_are_read_by_lookup_alone_get_sparse_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modules, "LARGE", 18)
    model = Reader(sparse=False)
    assert tables(model) == [model.table]
    with lean(model, CpuAdamW(model.parameters())):
        model(torch.tensor([1])).backward()
        assert model.table.weight.grad is not None
        assert model.table.weight.grad.is_sparse
    assert not model.table.sparse

    model.out = nn.Linear(3, 6, bias=False)  # as in a language model
    model.out.weight = model.table.weight
    assert tables(model) == []
    monkeypatch.setattr(modules, "LARGE", 19)
    assert tables(Reader(sparse=False)) == []
