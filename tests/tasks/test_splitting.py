"""Examples held out: what stays together, and that what is not in memory stays out of it."""

from __future__ import annotations

from typing import Any

import datasets
import pytest

from tunesmith.data.dataset import Dataset
from tunesmith.registry import tasks
from tunesmith.tasks import reading
from tunesmith.tasks.base import Examples, Reading
from tunesmith.tasks.splitting import group_values, part


def examples_of(rows: list[dict[str, Any]], task: str = "text-classification") -> tuple[Dataset, Examples]:
    data = Dataset(datasets.Dataset.from_list(rows))
    return data, tasks.get(task).examples(data, Reading())


def parted(rows: list[dict[str, Any]], fraction: float = 0.2, group: str | None = "g") -> tuple[Examples, Examples]:
    data, examples = examples_of(rows)
    return part(examples, fraction, seed=0, groups=group_values(data, group) if group else None)


def test_rows_that_share_a_text_or_a_group_stay_on_one_side() -> None:
    rows = [{"text": f"text {n % 20}", "label": "yn"[n % 2], "g": n} for n in range(200)]
    kept, held = parted(rows)
    assert (len(kept), len(held)) == (160, 40)
    assert not {example.text for example in kept} & {example.text for example in held}
    rows = [{"text": f"text {n}", "label": "yn"[n % 2], "g": n % 20} for n in range(200)]
    kept, held = parted(rows)
    assert not {example.id % 20 for example in kept} & {example.id % 20 for example in held}


def test_rows_stay_together_by_way_of_others() -> None:
    chain = [{"text": f"text {n // 2}", "label": "yn"[n % 2], "g": (n + 1) // 2} for n in range(10)]
    rows = chain + [{"text": f"other {n}", "label": "yn"[n % 2], "g": 100 + n} for n in range(10)]
    kept, held = parted(rows, 0.3)
    assert len({example.id < 10 for example in held}) == 1
    assert len(kept) + len(held) == 20


@pytest.mark.parametrize("none", [None, ""])
def test_rows_without_a_group_are_no_group(none: Any) -> None:
    rows = [{"text": f"text {n}", "label": "yn"[n % 2], "g": none if n % 2 else "a"} for n in range(40)]
    kept, held = parted(rows, 0.25)
    assert (len(kept), len(held)) == (30, 10)
    assert {example.id % 2 for example in held} == {1}


def test_a_group_may_be_a_list_or_a_mapping() -> None:
    for make in (lambda n: {"id": n, "more": [n]}, lambda n: [n, n]):
        rows = [{"text": f"text {n}", "label": "yn"[n // 4 % 2], "g": make(n // 4)} for n in range(40)]
        kept, held = parted(rows)
        assert not {example.id // 4 for example in kept} & {example.id // 4 for example in held}


def test_equal_texts_stay_on_one_side_without_groups() -> None:
    kept, held = parted([{"text": f"text {n % 10}", "label": "yn"[n % 2]} for n in range(50)], group=None)
    assert len(held) == 10
    assert not {example.text for example in kept} & {example.text for example in held}


@pytest.mark.parametrize("task", ["text-classification", "token-classification"])
def test_examples_that_are_not_in_memory_are_not_brought_there(task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"tokens": ["Anna", f"came {n}"], "tags": ["B-PER", "O"]} for n in range(30)]
    if task == "text-classification":
        rows = [{"text": f"text {n}", "label": "yn"[n % 2]} for n in range(30)]
    inside = part(examples_of(rows, task)[1], 0.2, seed=0)
    monkeypatch.setattr(reading, "IN_MEMORY", 10)
    outside = part(examples_of(rows, task)[1], 0.2, seed=0)
    again = part(outside[0], 0.2, seed=1)
    for known, found in zip(inside, outside, strict=True):
        assert isinstance(found.items, reading.Reread)
        assert list(found) == list(known)
        assert found[1:5] == known[1:5]
        assert found[-1] == known[-1]
        assert (found.fingerprint, found.labels) == (known.fingerprint, known.labels)
    assert list(again[1]) == list(part(inside[0], 0.2, seed=1)[1])
