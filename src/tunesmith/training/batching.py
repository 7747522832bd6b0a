"""Pieces that the recipes share: padding, cross-entropy with a count, running a model for its outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from ..errors import ConfigError
from .entropy import IGNORED as IGNORED
from .entropy import large, summed
from .recipe import Batch, Encoding, Feature


def pad_rows(
    rows: Sequence[Sequence[int | float]],
    fill: float,
    *,
    side: str = "right",
    multiple: int | None = None,
    limit: int | None = None,
) -> torch.Tensor:
    """Rows of unequal length as one tensor (rows, longest), int64 or float32.

    multiple: the width is rounded up to a multiple of it, but by rounding never goes over `limit` (a model has no
    position embedding there).
    """
    arrays = [np.asarray(row) for row in rows]
    lengths = np.array([len(array) for array in arrays])
    longest = max(int(lengths.max(initial=0)), 1)  # no model takes a batch of width 0
    width = -(-longest // multiple) * multiple if multiple else longest
    if limit is not None:
        width = max(longest, min(width, limit))
    real = np.arange(width) < lengths[:, None]
    if side == "left":
        real = real[:, ::-1]
    kinds = {array.dtype.kind for array in arrays if len(array)}
    padded = np.full(real.shape, fill, dtype=np.float32 if "f" in kinds else np.int64)
    if len(arrays):
        padded[real] = np.concatenate(arrays)
    return torch.from_numpy(padded)


def pad(features: Sequence[Feature], encoding: Encoding, *, extra: Mapping[str, float] | None = None) -> Batch:
    """Features as a batch, padded to its longest row on the tokenizer's side.

    Taken are the tokenizer's model inputs (an attention mask is made where the features have none) and the keys of
    `extra`, which maps a key to its fill value; a key of `extra` whose values are single numbers becomes a vector.

    Raises:
        ConfigError: the tokenizer has no pad token.
    """
    tokenizer, extra = encoding.tokenizer, extra or {}
    if tokenizer.pad_token_id is None:
        expected = "a tokenizer with a pad token; set `tokenizer.pad_token`"
        raise ConfigError("tokenizer", tokenizer.name_or_path, expected)
    fills = {"input_ids": tokenizer.pad_token_id, "token_type_ids": tokenizer.pad_token_type_id, "attention_mask": 0}
    keys = [key for key in tokenizer.model_input_names if key in features[0] and key not in extra]
    batch: Batch = {}
    for key in [*keys, *(key for key in extra if key in features[0])]:
        values = [feature[key] for feature in features]
        if np.ndim(values[0]) == 0:
            numbers = np.asarray(values)
            batch[key] = torch.from_numpy(numbers.astype(np.float32 if numbers.dtype.kind == "f" else np.int64))
        else:
            fill = extra[key] if key in extra else fills.get(key, 0)
            batch[key] = _padded(values, fill, encoding)
    if "attention_mask" not in batch:
        batch["attention_mask"] = _padded([np.ones(len(f["input_ids"]), dtype=np.int64) for f in features], 0, encoding)
    return batch


def _padded(rows: Sequence[Any], fill: float, encoding: Encoding) -> torch.Tensor:
    side = encoding.tokenizer.padding_side
    return pad_rows(rows, fill, side=side, multiple=encoding.pad_to, limit=encoding.maxlength)


def named(outputs: Any, name: str, place: int = 0) -> torch.Tensor:
    """A tensor of a model's outputs, be they a `ModelOutput`, a mapping or (by place) a tuple."""
    value = outputs[name] if isinstance(outputs, Mapping) else outputs[place]
    assert isinstance(value, torch.Tensor)
    return value


class TokenCrossEntropy:
    """Cross-entropy of every token whose target is not -100, in 32-bit arithmetic; in chunks where logits are large.

    Logits (batch, tokens, classes), targets `key` (batch, tokens). shift: a token's logits are for the next token's
    target (causal language models).
    """

    def __init__(self, key: str = "labels", *, shift: bool = False) -> None:
        self.key, self.shift = key, shift
        self.targets: tuple[str, ...] = (key,)

    def count(self, batch: Batch) -> torch.Tensor:
        return self._wanted(batch).ne(IGNORED).sum()

    def __call__(self, outputs: Any, targets: Batch, count: torch.Tensor | None = None) -> torch.Tensor:
        logits, wanted = named(outputs, "logits"), self._wanted(targets)
        if self.shift and large(logits):  # a part of large logits would be copied
            wanted = torch.nn.functional.pad(wanted, (0, 1), value=IGNORED)
        elif self.shift:
            logits = logits[:, :-1]
        total = summed(logits, wanted)
        items = self.count(targets) if count is None else count
        return total / items.to(total.device).clamp(min=1)  # a batch without items has loss 0, not nan

    def _wanted(self, batch: Batch) -> torch.Tensor:
        return batch[self.key][:, 1:] if self.shift else batch[self.key]


def forward(model: Any, batch: Batch, encoding: Encoding, *, also: Sequence[str] = ()) -> Any:
    """The model's outputs for a batch: the tokenizer's model inputs and the keys of `also`, no targets."""
    taken = {*encoding.tokenizer.model_input_names, "attention_mask", *also}
    return model(**{key: value for key, value in batch.items() if key in taken})


def overlap(encoding: Encoding, room: int) -> int:
    """Tokens that neighbouring chunks of `room` tokens share: the stride, or half a chunk where the stride is none."""
    return encoding.stride if 0 <= encoding.stride < room else room // 2


def need_offsets(encoding: Encoding, task: str) -> None:
    """Refuse a tokenizer that cannot say where in the text a token lies.

    Raises:
        ConfigError: the tokenizer is not a fast one.
    """
    if not encoding.tokenizer.is_fast:
        raise ConfigError(
            "tokenizer",
            type(encoding.tokenizer).__name__,
            f"a fast tokenizer (one backed by a tokenizer.json): {task} needs the place of each token in the text",
        )
