"""What grows with the rows of a table: bytes a row, not objects a row."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tunesmith.config import Settings
from tunesmith.data.dataset import Dataset
from tunesmith.data.splits import hold_out, places_held_out
from tunesmith.evaluation import scoring
from tunesmith.folder import RunFolder
from tunesmith.registry import tasks
from tunesmith.tasks import reading
from tunesmith.tasks.parts import read_data
from tunesmith.training.sampling import ByLength

ROWS = 30_000


@contextmanager
def peak() -> Iterator[list[int]]:
    """The most bytes that Python and numpy held at once meanwhile, put into the list at the end."""
    found: list[int] = []
    tracemalloc.start()
    try:
        yield found
        found.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    lines = (f"the text of row {place} of this table,{('good', 'bad')[place % 2]}\n" for place in range(ROWS))
    path.write_text("text,label\n" + "".join(lines))
    return path


def test_examples_beyond_memory_cost_few_bytes_a_row(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "IN_MEMORY", 100_000)
    monkeypatch.setattr("tunesmith.data.rows.CHUNK", 1_000)
    settings = Settings.make(train=str(table))
    read_data(tasks.get("text-classification"), table, None, None, settings)  # what is loaded once
    with peak() as found:
        parts = read_data(tasks.get("text-classification"), table, 0.1, None, settings)
    assert len(parts["train"]) == ROWS * 9 // 10
    assert found[0] / ROWS < 220, "bytes a row"


def test_ids_of_examples_that_are_not_in_memory_are_told_without_reading_them(
    table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, task = Settings.make(train=str(table), limit=60), tasks.get("text-classification")
    held = read_data(task, table, 0.2, None, settings)
    monkeypatch.setattr(reading, "IN_MEMORY", 10)
    parts = read_data(task, table, 0.2, None, settings)
    wanted = {name: [example.id for example in part] for name, part in held.items()}

    def fail(*_: Any) -> Any:
        raise AssertionError("rows were read")

    monkeypatch.setattr(Dataset, "rows", fail)
    assert {name: list(reading.row_ids(part)) for name, part in parts.items()} == wanted
    told = scoring.account(parts)
    assert {name: each["kept_rows"] for name, each in told.items()} == wanted
    assert all(type(row) is int for row in told["train"]["kept_rows"])


def test_equal_label_cells_are_one_object(table: Path) -> None:
    from tunesmith.data.sources import read

    assert len({id(cell) for cell in read(table).column("label")}) == 2


def test_long_lists_are_written_to_a_file_piece_by_piece(tmp_path: Path) -> None:
    folder, told = RunFolder.create(tmp_path / "run"), {"rows": list(range(200_000)), "name": "é"}
    with peak() as found:
        folder.write_json("told.json", told)
    assert found[0] < 2_000_000
    text = (tmp_path / "run" / "told.json").read_text(encoding="utf-8")
    assert text == json.dumps(told, indent=2, ensure_ascii=False) + "\n"


def test_the_order_of_training_costs_few_bytes_a_row() -> None:
    sizes = np.random.default_rng(0).lognormal(2, 0.5, (200_000, 1)).astype(np.int64) + 2
    with peak() as found:
        sampler = ByLength(sizes, micro=8, batch=8, seed=1)
        next(iter(sampler))
    assert found[0] / len(sizes) < 35, "bytes a row"


@pytest.mark.parametrize("strata", [None, [place % 3 for place in range(100)]])
def test_numbers_as_keys_are_split_as_their_texts_are(strata: list[int] | None) -> None:
    keys = [(place * 7919) % 61 for place in range(100)]
    kept, held = places_held_out(np.array(keys), 0.3, seed=2, strata=strata)
    assert (kept.tolist(), held.tolist()) == hold_out(map(str, keys), 0.3, seed=2, strata=strata)


def test_a_seed_draws_what_it_has_always_drawn() -> None:
    """Runs of earlier versions can be repeated: these were drawn before tables of millions were thought of."""
    texts = [f"text {place % 30}" for place in range(40)]
    assert hold_out(texts, 0.2, seed=0)[1] == HELD["plain"]
    assert hold_out(texts, 0.2, seed=0, strata=[place % 3 for place in range(40)])[1] == HELD["strata"]
    lists = [("a",) if place % 4 else ("a", "b") for place in range(40)]
    assert hold_out(texts, 0.2, seed=5, strata=lists)[1] == HELD["lists"]
    sizes = np.array([[3 + place * 7 % 11, 2 + place * 5 % 7] for place in range(30)])
    sampler = ByLength(sizes, micro=4, batch=8, seed=1)
    sampler.set_epoch(2)
    assert (sampler.window, list(sampler)) == ORDER


HELD: dict[str, list[int]] = {
    "plain": [3, 5, 10, 17, 18, 26, 33, 35],
    "strata": [13, 15, 21, 23, 24, 25, 28, 29],
    "lists": [6, 12, 18, 22, 23, 24, 26, 36],
}
ORDER: tuple[int, list[list[int]]] = (
    32,
    [
        [20, 9, 28, 17],
        [6, 14, 3, 25],
        [0, 22, 19, 8],
        [27, 16, 5, 24],
        [13, 21, 10, 29],
        [18, 26, 15, 4],
        [11, 2, 7, 23],
        [12, 1],
    ],
)
