"""Batches for language tasks: padding, packed rows kept apart, masked tokens, and what a text was predicted to cost."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import cross_entropy

from ..tasks.base import Example, Prediction
from .batching import IGNORED, pad_rows
from .narrowing import narrowed
from .recipe import Batch, Encoding, Feature, Row

APART = -1e9  # added to a score of attention; within range of 16-bit floats with 8 exponent bits
INPUTS = ("input_ids", "token_type_ids", "attention_mask", "position_ids")


def padded(features: Sequence[Feature], encoding: Encoding, *, side: str = "right") -> Batch:
    """`input_ids` and what goes with them, (batch, tokens); packed rows get a mask (batch, 1, tokens, tokens)."""
    fills = _fills(encoding)
    rows = {key: [feature[key] for feature in features] for key in INPUTS if key in features[0]}
    if "attention_mask" not in rows:
        rows["attention_mask"] = [np.ones(len(ids), dtype=np.int64) for ids in rows["input_ids"]]
    return {
        key: pad_rows(values, fills.get(key, 0), side=side, multiple=encoding.pad_to, limit=encoding.maxlength)
        for key, values in rows.items()
    }


def _fills(encoding: Encoding) -> dict[str, int]:
    """What padding holds, where that is not 0."""
    tokenizer = encoding.tokenizer
    types = getattr(tokenizer, "pad_token_type_id", 0)
    return {"input_ids": tokenizer.pad_token_id or 0, "token_type_ids": types, "labels": IGNORED}


def block_mask(segments: torch.Tensor, *, causal: bool) -> torch.Tensor:
    """What is added to attention scores, so that a token sees its own row alone: (batch, 1, tokens, tokens), float32.

    segments: (batch, tokens), the number of each token's row in its block, 0 for padding. Padding sees all tokens but
    itself (a softmax needs one), so the diagonal is 0 for real tokens alone.
    """
    same = (segments[:, :, None] == segments[:, None, :]) & segments.ne(0)[:, None, :]
    if causal:
        same = same.tril()
    others = ~torch.eye(segments.shape[1], dtype=torch.bool, device=segments.device)
    seen = same | (segments.eq(0)[:, :, None] & others)
    return torch.where(seen, 0.0, APART)[:, None]


def apart(batch: Batch, encoding: Encoding, *, causal: bool, narrow: bool = False) -> Batch:
    """The batch with an attention mask the model can read: 2-D where no row of it is packed, else 4-D.

    narrow: packed rows may be set in narrower blocks.
    """
    if narrow and bool(batch["attention_mask"].gt(1).any()):
        batch = narrowed(batch, _fills(encoding), multiple=encoding.pad_to)
    segments = batch["attention_mask"]
    packed = bool(segments.gt(1).any())
    return {**batch, "attention_mask": block_mask(segments, causal=causal) if packed else segments}


def starts(segments: torch.Tensor) -> torch.Tensor:
    """Where a packed row begins, (batch, tokens), bool."""
    before = torch.cat([torch.zeros_like(segments[:, :1]), segments[:, :-1]], dim=1)
    return segments.ne(before)


def _shared(number: int) -> torch.Tensor:
    """A number that other processes see change."""
    made: Any = torch.tensor(number)
    shared: torch.Tensor = made.share_memory_()
    return shared


@dataclass(frozen=True)
class CausalBatches:
    """Collates features with labels that are the tokens themselves, -100 on padding and on a packed row's first token.

    Padding is told by its place, not by its token, and is on the right, whatever the tokenizer's side: positions then
    start at the first token. narrow: see `apart`.
    """

    encoding: Encoding
    narrow: bool = False

    def __call__(self, features: list[Feature]) -> Batch:
        made = padded(features, self.encoding)
        segments = made["attention_mask"]
        made["labels"] = torch.where(segments.eq(0) | starts(segments), IGNORED, made["input_ids"])
        return apart(made, self.encoding, causal=True, narrow=self.narrow)


@dataclass
class MaskedBatches:
    """Collates features with `mlm_probability` of the tokens chosen; `labels` hold them, -100 elsewhere.

    Of these 80% become the mask token, 10% a random one, and 10% stay, as in BERT (Devlin et al. 2019).

    A row's mask depends on the seed, the epoch and the row alone: not on its batch, on workers, or on torch's random
    state. So evaluation sees the same masks every time, and a resumed run those it would have seen. Training calls
    `set_epoch` so that a row is masked anew in each epoch; workers that outlive an epoch see it, for it is shared.
    narrow: see `apart`.
    """

    encoding: Encoding
    epoch: torch.Tensor = field(default_factory=lambda: _shared(0))
    narrow: bool = False

    def set_epoch(self, epoch: int) -> None:
        self.epoch.fill_(epoch)

    def __call__(self, features: list[Feature]) -> Batch:
        side = getattr(self.encoding.tokenizer, "padding_side", "right")
        batch = padded(features, self.encoding, side=side)
        if not features[0].get("plain", False):
            batch["input_ids"], batch["labels"] = self._masked(batch)
        return apart(batch, self.encoding, causal=False, narrow=self.narrow)

    def _masked(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        tokenizer, ids, real = self.encoding.tokenizer, batch["input_ids"], batch["attention_mask"].ne(0)
        special = torch.tensor(tokenizer.all_special_ids, dtype=ids.dtype)
        chance = torch.ones(3, *ids.shape, dtype=torch.float64)
        for place in range(len(ids)):
            row = ids[place][real[place]]
            drawn = draws((3, len(row)), self.encoding.seed, int(self.epoch), row.numpy())
            chance[:, place, real[place]] = torch.from_numpy(drawn)
        chosen = chance[0].lt(self.encoding.mlm_probability) & real & ~torch.isin(ids, special)
        labels = torch.where(chosen, ids, IGNORED)
        random_ids = (chance[2] * len(tokenizer)).long().clamp(max=len(tokenizer) - 1)
        changed = torch.where(chosen & chance[1].lt(0.8), tokenizer.mask_token_id, ids)
        return torch.where(chosen & chance[1].ge(0.9), random_ids, changed), labels


def draws(shape: tuple[int, ...], seed: int, epoch: int, row: NDArray[Any]) -> NDArray[np.float64]:
    """Uniform numbers that depend on the seed, the epoch and the row's token ids."""
    told = f"{seed} {epoch} ".encode() + np.ascontiguousarray(row, dtype=np.int64).tobytes()
    number = int.from_bytes(hashlib.blake2b(told, digest_size=8).digest(), "big")
    return np.random.Generator(np.random.PCG64(number)).random(shape)


def scored(logits: torch.Tensor, labels: torch.Tensor, *, correct: bool = False, rows: int = 1024) -> Batch:
    """Sums over each row's targets: `nll` in nats, `tokens` and, where asked for, `correct`; (batch,) each.

    logits: (batch, tokens, vocabulary), labels: (batch, tokens), -100 where there is nothing to predict. Targets are
    taken `rows` at a time, so that no second copy of the logits is held in 32 bits.
    """
    places = labels.ne(IGNORED).nonzero()
    names = ("nll", "tokens", "correct") if correct else ("nll", "tokens")
    sums = {name: torch.zeros(len(labels), device=logits.device) for name in names}
    for start in range(0, len(places), rows):
        row, token = places[start : start + rows].unbind(1)
        chosen, wanted = logits[row, token].float(), labels[row, token]
        sums["nll"].index_add_(0, row, cross_entropy(chosen, wanted, reduction="none"))
        sums["tokens"].index_add_(0, row, torch.ones_like(row, dtype=torch.float32))
        if correct:
            sums["correct"].index_add_(0, row, chosen.argmax(-1).eq(wanted).float())
    return sums


def cost(row: Row, feature: Feature, examples: Sequence[Example]) -> Prediction:
    """The prediction of one block: mean nats a token; its id is that of the example its first token is from.

    `score` is the share of tokens predicted right, where the outputs tell.
    """
    tokens = int(row["tokens"])
    share = float(row["correct"]) / max(tokens, 1) if "correct" in row else None
    return Prediction(
        id=examples[feature["example"]].id, loss=float(row["nll"]) / max(tokens, 1), tokens=tokens, score=share
    )
