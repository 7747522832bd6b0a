from __future__ import annotations

import json
import math

import pytest

from tunesmith.errors import DataError
from tunesmith.metrics.language import loss, token_mean


def test_a_long_row_weighs_more_than_a_short_one() -> None:
    assert token_mean([(1.0, 1), (4.0, 3)]) == pytest.approx((1 + 12) / 4)
    assert loss([(1.0, 1), (4.0, 3)]) == pytest.approx({"loss": 3.25, "perplexity": math.exp(3.25)})


def test_a_row_without_tokens_does_not_count_even_where_its_loss_is_nan() -> None:
    assert token_mean([(float("nan"), 0), (2.0, 5)]) == 2.0


def test_a_huge_loss_has_a_finite_perplexity() -> None:
    assert json.loads(json.dumps(loss([(1e6, 3)]), allow_nan=False))["loss"] == 1e6


@pytest.mark.parametrize("parts", [[], [(1.0, 0)]])
def test_no_token_at_all_is_an_error(parts: list[tuple[float, int]]) -> None:
    with pytest.raises(DataError) as caught:
        loss(parts)
    assert "no token was scored" in str(caught.value)
