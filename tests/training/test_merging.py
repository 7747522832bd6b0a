"""Rows into blocks: no token lost, whole rows, equal input gives equal blocks."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import chain
from typing import Any

import pytest

from tunesmith.errors import UnknownName
from tunesmith.training import merging


def rows(*lengths: int) -> Iterator[dict[str, Any]]:
    """Rows of consecutive token ids, so that a lost or moved token shows."""
    start = 0
    for place, length in enumerate(lengths):
        yield {"input_ids": list(range(start, start + length)), "example": place, "lost": 0}
        start += length


def tokens(blocks: list[dict[str, Any]]) -> list[int]:
    return list(chain.from_iterable(block["input_ids"] for block in blocks))


def test_concat_loses_no_token_and_keeps_a_short_last_block() -> None:
    blocks = list(merging.merge(rows(*[3] * 2500), "concat", 64))
    assert tokens(blocks) == list(range(7500))
    assert [len(block["input_ids"]) for block in blocks] == [64] * 117 + [12]
    assert sum(block["lost"] for block in blocks) == 0


def test_concat_drops_a_tail_of_one_token_and_counts_it() -> None:
    blocks = list(merging.merge(rows(5, 4), "concat", 4))
    assert tokens(blocks) == list(range(8))
    assert [block["lost"] for block in blocks] == [0, 1]


def test_concat_keeps_what_is_shorter_than_one_block() -> None:
    assert [block["input_ids"] for block in merging.merge(rows(2, 1), "concat", 64)] == [[0, 1, 2]]
    assert [block["input_ids"] for block in merging.merge(rows(1), "concat", 64)] == [[0]]
    assert list(merging.merge(rows(), "concat", 64)) == []
    assert list(merging.merge(rows(0, 0), "concat", 64)) == []


def test_concat_names_the_example_of_each_blocks_first_token() -> None:
    assert [block["example"] for block in merging.merge(rows(3, 3, 4), "concat", 4)] == [0, 1, 2]


def test_concat_cuts_token_types_with_their_tokens() -> None:
    typed = [{**row, "token_type_ids": [row["example"]] * 3} for row in rows(3, 3)]
    blocks = list(merging.merge(iter(typed), "concat", 4))
    assert [block["token_type_ids"] for block in blocks] == [[0, 0, 0, 1], [1, 1]]


def test_pack_takes_whole_rows_that_fill_a_block_exactly() -> None:
    blocks = list(merging.merge(rows(6, 3, 4, 7), "pack", 10))
    assert [block["input_ids"] for block in blocks] == [[*range(6), *range(9, 13)], [6, 7, 8, *range(13, 20)]]
    assert [block["attention_mask"] for block in blocks] == [[1] * 6 + [2] * 4, [1] * 3 + [2] * 7]
    assert blocks[0]["position_ids"] == [0, 1, 2, 3, 4, 5, 0, 1, 2, 3]


def test_pack_splits_a_row_over_the_limit_and_counts_it() -> None:
    blocks = list(merging.merge(rows(42), "pack", 10))
    assert max(len(block["input_ids"]) for block in blocks) == 10
    assert sorted(tokens(blocks)) == list(range(42))
    assert sum(block["split"] for block in blocks) == 4
    assert max(map(max, (block["position_ids"] for block in blocks))) == 9


def test_pack_positions_start_where_the_model_counts_from() -> None:
    (block,) = merging.merge(rows(2, 3), "pack", 10, first_position=2)
    assert block["position_ids"] == [2, 3, 2, 3, 4]


def test_best_fit_takes_the_fullest_bin_with_room_and_is_deterministic() -> None:
    assert merging.best_fit([4, 7, 3, 6], 10) == [[0, 3], [1, 2]]
    numbers = random.Random(0)
    lengths = [numbers.randint(1, 64) for _ in range(500)]
    first = merging.best_fit(lengths, 64)
    assert first == merging.best_fit(list(lengths), 64)
    assert sorted(chain.from_iterable(first)) == list(range(500))
    assert max(sum(lengths[place] for place in places) for places in first) <= 64
    assert len(first) <= 1.05 * sum(lengths) / 64


def test_no_merging_cuts_at_the_limit_and_counts_the_rest() -> None:
    blocks = list(merging.merge(rows(3, 12), None, 10))
    assert [len(block["input_ids"]) for block in blocks] == [3, 10]
    assert [block["lost"] for block in blocks] == [0, 2]


def test_an_unknown_mode_names_the_nearest() -> None:
    with pytest.raises(UnknownName) as caught:
        merging.merge(rows(3), "packed", 10)
    assert "unknown merge mode 'packed'. Did you mean 'pack'?" in str(caught.value)
