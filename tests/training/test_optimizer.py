"""AdamW that leaves out rows without a gradient: dense AdamW where every row has one, and rest where it has none."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tunesmith.training import optimizer
from tunesmith.training.optimizer import RowAdamW, sparse_rows, tables

OPTIONS = {"lr": 0.1, "betas": (0.8, 0.95), "eps": 1e-7, "weight_decay": 0.03}


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
        if isinstance(made, RowAdamW):
            made.clip(max_norm)
        elif max_norm:
            nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        made.step()


@pytest.mark.parametrize("max_norm", [0.0, 0.05, 100.0], ids=["unclipped", "clipped", "clipped above the norm"])
def test_where_every_row_occurs_it_takes_the_steps_of_dense_adamw(max_norm: float) -> None:
    batches = [[*range(6), step % 6] for step in range(10)]  # one row twice: its gradients are added
    ours, dense = Reader(sparse=True), Reader(sparse=False)
    steps(ours, RowAdamW(ours.parameters(), **OPTIONS), batches, max_norm)
    steps(dense, torch.optim.AdamW(dense.parameters(), **OPTIONS), batches, max_norm)
    for mine, theirs in zip(ours.parameters(), dense.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-6)


def test_a_row_that_does_not_occur_rests() -> None:
    model = Reader(sparse=True)
    made = RowAdamW(model.parameters(), **OPTIONS)
    steps(model, made, [[0, 1, 2, 3, 4, 5]])
    before = model.table.weight.detach().clone()
    steps(model, made, [[1, 1, 4]])
    moved = (model.table.weight.detach() != before).any(dim=1)
    assert moved.tolist() == [False, True, False, False, True, False]


def test_the_norm_is_that_of_all_gradients() -> None:
    ours, dense = Reader(sparse=True), Reader(sparse=False)
    made = RowAdamW(ours.parameters(), **OPTIONS)
    for model in (ours, dense):
        model(torch.tensor([0, 0, 3])).backward()
    torch.testing.assert_close(made.clip(1.0), nn.utils.clip_grad_norm_(dense.parameters(), 1.0))


def test_a_saved_and_read_optimizer_goes_on_as_if_nothing_had_been() -> None:
    batches = [[0, 1, 2], [2, 3], [0, 5, 5], [1, 2]]
    whole, halves = Reader(sparse=True), Reader(sparse=True)
    steps(whole, RowAdamW(whole.parameters(), **OPTIONS), batches)
    first = RowAdamW(halves.parameters(), **OPTIONS)
    steps(halves, first, batches[:2])
    second = RowAdamW(halves.parameters(), **OPTIONS)
    second.load_state_dict(first.state_dict())
    steps(halves, second, batches[2:])
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), halves.parameters(), strict=True))


def test_the_state_of_plain_adamw_is_taken() -> None:
    model = Reader(sparse=False)
    plain = torch.optim.AdamW(model.parameters(), **OPTIONS)
    steps(model, plain, [[0, 1, 2]])
    model.table.sparse = True
    made = RowAdamW(model.parameters(), **OPTIONS)
    made.load_state_dict(plain.state_dict())
    steps(model, made, [[0, 1]], max_norm=1e-3)  # clipped: the fused kernel alone can
    assert made.param_groups[0]["fused"]


def test_only_large_tables_that_are_read_by_lookup_alone_get_sparse_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimizer, "LARGE", 18)
    model = Reader(sparse=False)
    assert tables(model) == [model.table]
    with sparse_rows(model):
        model(torch.tensor([1])).backward()
        assert model.table.weight.grad is not None
        assert model.table.weight.grad.is_sparse
    assert not model.table.sparse

    model.out = nn.Linear(3, 6, bias=False)  # as in a language model
    model.out.weight = model.table.weight
    assert tables(model) == []
    monkeypatch.setattr(optimizer, "LARGE", 19)
    assert tables(Reader(sparse=False)) == []
