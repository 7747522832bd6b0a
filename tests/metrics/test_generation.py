from __future__ import annotations

import math

import pytest
import sacrebleu

from tunesmith.errors import DataError
from tunesmith.metrics.generation import bleu, chrf, exact_match, rouge, score

GOLD = ["the cat sat on the mat", "a dog ran home quickly today"]
TEXT = ["the cat sat on the hat", "a dog ran home"]


def test_bleu_by_hand() -> None:
    # matches of 1- to 4-grams: 9/10, 7/8, 5/6, 3/4; brevity penalty exp(1 - 12/10)
    shares = (9 / 10, 7 / 8, 5 / 6, 3 / 4)
    assert bleu(GOLD, TEXT) == pytest.approx(100 * math.exp(1 - 12 / 10) * math.prod(shares) ** 0.25)
    assert bleu(GOLD, TEXT) == pytest.approx(sacrebleu.corpus_bleu(TEXT, [GOLD]).score)
    assert bleu(GOLD, GOLD) == pytest.approx(100)


def test_chrf_is_sacrebleus() -> None:
    assert chrf(GOLD, TEXT) == pytest.approx(sacrebleu.corpus_chrf(TEXT, [GOLD]).score)
    assert chrf(GOLD, GOLD) == pytest.approx(100)


def test_rouge_by_hand() -> None:
    scores = rouge(GOLD, TEXT)
    assert scores["rouge1"] == pytest.approx((5 / 6 + 2 * 4 / 10) / 2)
    assert scores["rouge2"] == pytest.approx((4 / 5 + 2 * 3 / 8) / 2)
    assert scores["rougeL"] == pytest.approx((5 / 6 + 2 * 4 / 10) / 2)


def test_rouge_lsum_parts_sentences_at_line_ends() -> None:
    scores = rouge(["a cat\nthe dog"], ["the dog\na cat"])
    assert scores["rougeLsum"] == pytest.approx(1.0)
    assert scores["rougeL"] == pytest.approx(0.5)


def test_exact_match_forgives_white_space_at_the_ends_alone() -> None:
    assert exact_match(["yes", "no", "it is"], [" yes\n", "No", "it  is"]) == pytest.approx(1 / 3)


def test_score_has_every_metric_as_a_plain_float() -> None:
    scores = score(GOLD, ["", ""])
    assert list(scores) == ["bleu", "chrf", "rouge1", "rouge2", "rougeL", "rougeLsum", "exact_match"]
    assert scores == dict.fromkeys(scores, 0.0)
    assert all(type(value) is float for value in score(GOLD, TEXT).values())


@pytest.mark.parametrize("metric", [bleu, chrf, rouge, exact_match])
def test_unequal_lengths_are_an_error_not_a_shorter_comparison(metric: object) -> None:
    with pytest.raises(DataError) as caught:
        metric(GOLD, TEXT[:1])  # type: ignore[operator]
    assert str(caught.value) == "2 references but 1 predictions: expected one each."
