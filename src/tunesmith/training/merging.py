"""Rows of tokens joined into blocks for language tasks: concat, pack, or each row for itself."""

from __future__ import annotations

import logging
from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UnknownName

MODES = ("concat", "pack", "none")
TOKEN_KEYS = ("input_ids", "token_type_ids")  # what a block carries for each token; masks are made when batching
SHORTEST = 2  # tokens: a shorter block has nothing to predict

Feature = dict[str, Any]
Tokens = dict[str, NDArray[np.int64]]

logger = logging.getLogger(__name__)


def merge(features: Iterator[Feature], mode: str | None, size: int, *, first_position: int = 0) -> Iterator[Feature]:
    """Blocks of at most `size` tokens from rows of any length.

    A block's `example` is the example of its first token. `lost` counts tokens that are in no block.

    Raises:
        UnknownName: no such mode.
    """
    if mode == "concat":
        return concat(features, size)
    if mode == "pack":
        return pack(features, size, first_position=first_position)
    if mode is None or mode == "none":
        return cut(features, size)
    raise UnknownName("merge mode", mode, MODES)


def cut(features: Iterator[Feature], size: int) -> Iterator[Feature]:
    """Each row for itself, cut at `size` tokens; what is cut off is counted in `lost`."""
    for feature in features:
        over = max(0, len(feature["input_ids"]) - size)
        kept = {key: feature[key][:size] for key in TOKEN_KEYS if key in feature}
        yield {**feature, **kept, "lost": feature.get("lost", 0) + over}


def concat(features: Iterator[Feature], size: int) -> Iterator[Feature]:
    """One stream over all rows, cut every `size` tokens; the last block is shorter.

    No token is lost but a tail of one token, which has nothing to predict: it is counted in `lost` of the last block.
    """
    stream: Tokens = {}
    held: Feature | None = None  # the newest block waits: a tail too short for a block is counted in it
    for feature in features:
        stream = _extended(stream, feature)
        length = len(stream["input_ids"])
        for start in range(0, length - length % size, size):
            if held is not None:
                yield held
            held = _block(stream, start, start + size)
        stream = {key: values[length - length % size :] for key, values in stream.items()}
    tail = len(stream["input_ids"]) if stream else 0
    if held is None:
        if tail:
            yield _block(stream, 0, tail)
    elif tail < SHORTEST:
        yield {**held, "lost": tail}
    else:
        yield held
        yield _block(stream, 0, tail)


def _extended(stream: Tokens, feature: Feature) -> Tokens:
    row = {key: np.asarray(feature[key], dtype=np.int64) for key in TOKEN_KEYS if key in feature}
    row["example"] = np.full(len(row["input_ids"]), feature["example"], dtype=np.int64)
    return {key: np.concatenate([stream[key], values]) if stream else values for key, values in row.items()}


def _block(stream: Tokens, start: int, stop: int) -> Feature:
    block: Feature = {key: stream[key][start:stop].tolist() for key in TOKEN_KEYS if key in stream}
    return {**block, "example": int(stream["example"][start]), "lost": 0}


@dataclass(frozen=True)
class _Piece:
    """A row, or a part of one that is longer than a block."""

    tokens: Tokens
    example: int
    goes_on: bool

    def __len__(self) -> int:
        return len(self.tokens["input_ids"])


def pack(features: Iterator[Feature], size: int, *, first_position: int = 0) -> Iterator[Feature]:
    """Whole rows side by side in blocks of at most `size`: best fit, longest rows first, equal rows in equal blocks.

    `attention_mask` numbers a block's rows from 1, from which batching makes the mask that keeps them apart;
    `position_ids` start at `first_position` in every row. A row over `size` is split into pieces; `split` counts,
    in the block of each piece but the last, the rows that go on elsewhere. Blocks and the rows in them are in source
    order. All rows are held in memory, eight bytes a token.
    """
    pieces = [piece for feature in features for piece in _pieces(feature, size)]
    parts = sum(piece.goes_on for piece in pieces)
    if parts:
        logger.info("rows longer than %d tokens were split: %d cuts, no token lost", size, parts)
    for places in best_fit([len(piece) for piece in pieces], size):
        yield _packed([pieces[place] for place in places], first_position)


def _pieces(feature: Feature, size: int) -> Iterator[_Piece]:
    tokens = {key: np.asarray(feature[key], dtype=np.int64) for key in TOKEN_KEYS if key in feature}
    length = len(tokens["input_ids"])
    for start in range(0, length, size):
        part = {key: values[start : start + size] for key, values in tokens.items()}
        yield _Piece(part, int(feature["example"]), goes_on=start + size < length)


def best_fit(lengths: Sequence[int], size: int) -> list[list[int]]:
    """Places of `lengths` in bins of `size`, best fit decreasing (Johnson 1973); bins and their places ascend.

    Equal input gives equal bins: ties go to the earlier row and the earlier bin.
    """
    bins: list[list[int]] = []
    room: list[tuple[int, int]] = []  # (space left, bin), sorted
    for place in sorted(range(len(lengths)), key=lambda place: (-lengths[place], place)):
        length = lengths[place]
        found = bisect_left(room, (length, -1))
        if found < len(room):
            space, chosen = room.pop(found)
        else:
            space, chosen = size, len(bins)
            bins.append([])
        bins[chosen].append(place)
        if space > length:
            insort(room, (space - length, chosen))
    return sorted(sorted(places) for places in bins)


def _packed(pieces: Sequence[_Piece], first_position: int) -> Feature:
    lengths = [len(piece) for piece in pieces]
    block: Feature = {key: np.concatenate([piece.tokens[key] for piece in pieces]).tolist() for key in pieces[0].tokens}
    block["attention_mask"] = np.repeat(np.arange(1, len(pieces) + 1), lengths).tolist()
    block["position_ids"] = np.concatenate([np.arange(length) + first_position for length in lengths]).tolist()
    return {**block, "example": pieces[0].example, "lost": 0, "split": sum(piece.goes_on for piece in pieces)}
