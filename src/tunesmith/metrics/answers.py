"""Exact match and F1 of extracted answers, by the rules of the SQuAD evaluation scripts (1.1 and 2.0). From 0 to 1."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

from ..errors import DataError

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalize_answer(text: str) -> str:
    """Lower case, without ASCII punctuation and English articles, white space made single."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(gold: str, predicted: str) -> float:
    """1 where both are equal once normalized, 0 otherwise."""
    return float(normalize_answer(gold) == normalize_answer(predicted))


def f1(gold: str, predicted: str) -> float:
    """Harmonic mean of precision and recall over words. Where either is empty: 1 if both are, 0 otherwise."""
    wanted, given = normalize_answer(gold).split(), normalize_answer(predicted).split()
    if not wanted or not given:
        return float(wanted == given)
    return 2 * (Counter(wanted) & Counter(given)).total() / (len(wanted) + len(given))


def best(gold: Sequence[str], predicted: str) -> tuple[float, float]:
    """(exact match, F1) against the accepted answers, each its own maximum. No answer accepted: '' is the right one."""
    accepted = [answer for answer in gold if normalize_answer(answer)] or [""]
    return max(exact_match(a, predicted) for a in accepted), max(f1(a, predicted) for a in accepted)


def score(gold: Sequence[Sequence[str]], predicted: Sequence[str]) -> dict[str, float]:
    """Means of `best` over the rows; where rows with and without an answer are mixed, also over each kind alone."""
    if len(gold) != len(predicted):
        raise DataError(f"{len(gold)} gold rows but {len(predicted)} predictions: expected one each.")
    if not gold:
        raise DataError("nothing to score: expected at least one row.")
    rows = [best(answers, text) for answers, text in zip(gold, predicted, strict=True)]
    answered = [any(map(normalize_answer, answers)) for answers in gold]
    result = _means(rows, "")
    if any(answered) and not all(answered):
        result |= _means([row for row, has in zip(rows, answered, strict=True) if has], "_has_answer")
        result |= _means([row for row, has in zip(rows, answered, strict=True) if not has], "_no_answer")
    return result


def _means(rows: Sequence[tuple[float, float]], suffix: str) -> dict[str, float]:
    exact, overlap = zip(*rows, strict=True)
    return {f"exact_match{suffix}": sum(exact) / len(rows), f"f1{suffix}": sum(overlap) / len(rows)}
