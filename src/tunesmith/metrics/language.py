"""Loss and perplexity over tokens."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ..errors import DataError

_LARGEST = 700.0  # exp of more leaves the range of a double, and JSON has no infinity


def token_mean(parts: Iterable[tuple[float, int]]) -> float:
    """The mean over all tokens of (mean, tokens) pairs, so that a long row weighs more than a short one.

    Raises:
        DataError: no pair has a token.
    """
    pairs = [(mean, tokens) for mean, tokens in parts if tokens]
    total = sum(tokens for _, tokens in pairs)
    if not total:
        raise DataError("no token was scored: every row is empty or too short to predict a token of it.")
    return math.fsum(mean * tokens for mean, tokens in pairs) / total


def loss(parts: Iterable[tuple[float, int]]) -> dict[str, float]:
    """`loss` (mean nats a token) and `perplexity` (its exponential, at most e^700) of (mean loss, tokens) pairs."""
    mean = token_mean(parts)
    return {"loss": mean, "perplexity": math.exp(min(mean, _LARGEST))}
