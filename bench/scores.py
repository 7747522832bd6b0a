"""Scores and their paired bootstrap: one code for every side, and none of tunesmith's, so that it also checks ours.

A metric is a function of how often each held-out row counts: weights (resamples, rows) -> (resamples,). A score is
the metric with every row counted once, a resample of the bootstrap the metric with the counts of its draw.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Metric = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Difference:
    """Ours minus theirs, and the 95% interval of the paired bootstrap."""

    ours: float
    theirs: float
    difference: float
    low: float
    high: float

    @property
    def lower(self) -> bool:
        """Lower than theirs beyond the interval."""
        return self.high < 0

    def to_dict(self) -> dict[str, Any]:
        return {**{name: round(value, 5) for name, value in asdict(self).items()}, "lower": self.lower}


def metrics(kind: str, gold: Sequence[Any], predicted: Sequence[Any], labels: Sequence[str] = ()) -> dict[str, Metric]:
    """The metrics of a kind of work load, the one that decides first."""
    if len(gold) != len(predicted):
        raise ValueError(f"{len(predicted)} predictions for {len(gold)} rows")
    if kind == "multi":
        return _multi(gold, predicted, labels)
    table: dict[str, Callable[[Any, Any], dict[str, Metric]]] = {
        "single": _single,
        "regression": _regression,
        "tags": _tags,
        "answers": _answers,
        "causal": _causal,
        "texts": _causal,
    }
    return table[kind](gold, predicted)


def point(found: Mapping[str, Metric], rows: int) -> dict[str, float]:
    return {name: float(metric(np.ones((1, rows)))[0]) for name, metric in found.items()}


def compare(
    ours: Mapping[str, Metric], theirs: Mapping[str, Metric], rows: int, *, resamples: int = 2000, seed: int = 0
) -> dict[str, Difference]:
    """The paired bootstrap over held-out rows: a resample draws the same rows for both sides (Koehn 2004)."""
    rng = np.random.default_rng(seed)
    drawn: dict[str, list[Floats]] = {name: [] for name in ours}
    for start in range(0, resamples, 100):
        size = min(100, resamples - start)
        weights = rng.multinomial(rows, np.full(rows, 1 / rows), size=size).astype(np.float64)
        for name, metric in ours.items():
            drawn[name].append(metric(weights) - theirs[name](weights))
    left, right = point(ours, rows), point(theirs, rows)
    found = {}
    for name, parts in drawn.items():
        low, high = np.nanpercentile(np.concatenate(parts), [2.5, 97.5])
        found[name] = Difference(left[name], right[name], left[name] - right[name], float(low), float(high))
    return found


def _causal(gold: Sequence[str], predicted: Sequence[Sequence[float]]) -> dict[str, Metric]:
    """Minus the nats a token, over all tokens; a prediction is (nats, tokens) of its row."""
    nats, tokens = (np.array(each, dtype=np.float64) for each in zip(*predicted, strict=True))
    return {"log_likelihood": lambda weights: -(weights @ nats) / (weights @ tokens)}


def _mean(values: Sequence[float]) -> Metric:
    column = np.asarray(values, dtype=np.float64)

    def mean(weights: Floats) -> Floats:
        return _ratio(weights @ column, weights.sum(axis=1))

    return mean


def _ratio(above: Floats, below: Floats) -> Floats:
    """above / below, 0 where nothing is below."""
    return np.asarray(np.divide(above, below, out=np.zeros_like(above), where=below > 0))


def _f1(hits: Floats, guessed: Floats, real: Floats) -> Floats:
    return _ratio(2 * hits, guessed + real)


def _one_hot(values: Sequence[str], names: Sequence[str]) -> Floats:
    return np.array([[value == name for name in names] for value in values], dtype=np.float64)


def _single(gold: Sequence[str], predicted: Sequence[str]) -> dict[str, Metric]:
    names = sorted({*gold, *predicted})
    real, guess = _one_hot(gold, names), _one_hot(predicted, names)

    def macro(weights: Floats) -> Floats:
        hits, seen = weights @ (real * guess), weights @ (real + guess)
        return _ratio(_ratio(2 * hits, seen).sum(axis=1), (seen > 0).sum(axis=1).astype(np.float64))

    return {"accuracy": _mean([a == b for a, b in zip(gold, predicted, strict=True)]), "macro_f1": macro}


def _multi(gold: Sequence[Any], predicted: Sequence[Any], labels: Sequence[str]) -> dict[str, Metric]:
    """A prediction is {"labels": names, "scores": one a label, in the order of `labels`}."""
    real = np.array([[name in row for name in labels] for row in gold], dtype=np.float64)
    guess = np.array([[name in row["labels"] for name in labels] for row in predicted], dtype=np.float64)
    scores = np.array([row["scores"] for row in predicted], dtype=np.float64)

    def micro(weights: Floats) -> Floats:
        return _f1(*(weights @ part.sum(axis=1) for part in (real * guess, guess, real)))

    def macro(weights: Floats) -> Floats:
        each = _f1(*(weights @ part for part in (real * guess, guess, real)))
        return np.asarray(each.mean(axis=1))

    def average_precision(weights: Floats) -> Floats:
        columns = [_average_precision(weights, real[:, c], scores[:, c]) for c in range(len(labels))]
        return np.asarray(np.nanmean(np.stack(columns), axis=0))

    return {"micro_f1": micro, "macro_f1": macro, "macro_average_precision": average_precision}


def _average_precision(weights: Floats, real: Floats, scores: Floats) -> Floats:
    """Area under the precision-recall steps; rows of one score are one step. NaN where a resample has no positive."""
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    seen = np.cumsum(weights[:, order], axis=1)[:, ends]
    hits = np.cumsum((weights * real)[:, order], axis=1)[:, ends]
    gained = np.diff(hits, axis=1, prepend=0)
    total = hits[:, -1]
    area = (gained * _ratio(hits, seen)).sum(axis=1)
    return np.where(total > 0, area / np.maximum(total, 1), np.nan)


def _regression(gold: Sequence[float], predicted: Sequence[float]) -> dict[str, Metric]:
    real, guess = np.asarray(gold, dtype=np.float64), np.asarray(predicted, dtype=np.float64)

    def pearson(weights: Floats) -> Floats:
        return _correlation(weights, np.broadcast_to(real, weights.shape), np.broadcast_to(guess, weights.shape))

    def spearman(weights: Floats) -> Floats:
        return _correlation(weights, _ranks(weights, real), _ranks(weights, guess))

    return {"pearson": pearson, "spearman": spearman}


def _ranks(weights: Floats, values: Floats) -> Floats:
    """The rank of each row in a resample where row i occurs weights[i] times; ties share their mean rank."""
    distinct, group = np.unique(values, return_inverse=True)
    sums = np.zeros((len(weights), len(distinct)))
    np.add.at(sums.T, group, weights.T)
    middle = np.cumsum(sums, axis=1) - (sums - 1) / 2
    return middle[:, group]


def _correlation(weights: Floats, left: Floats, right: Floats) -> Floats:
    total = weights.sum(axis=1, keepdims=True)
    left = left - (weights * left).sum(axis=1, keepdims=True) / total
    right = right - (weights * right).sum(axis=1, keepdims=True) / total
    spread = np.sqrt((weights * left**2).sum(axis=1) * (weights * right**2).sum(axis=1))
    return _ratio((weights * left * right).sum(axis=1), spread)


def _tags(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> dict[str, Metric]:
    """Entity-level scores: an entity counts when its type and both ends are right (seqeval's reading of tags)."""
    from seqeval.metrics.sequence_labeling import get_entities

    pairs = [(set(get_entities(list(a))), set(get_entities(list(b)))) for a, b in zip(gold, predicted, strict=True)]
    counts = np.array([(len(a & b), len(b), len(a)) for a, b in pairs], dtype=np.float64)

    hits, guessed, found = counts.T

    def f1(weights: Floats) -> Floats:
        return _f1(weights @ hits, weights @ guessed, weights @ found)

    def precision(weights: Floats) -> Floats:
        return _ratio(weights @ hits, weights @ guessed)

    def recall(weights: Floats) -> Floats:
        return _ratio(weights @ hits, weights @ found)

    return {"entity_f1": f1, "entity_precision": precision, "entity_recall": recall}


def plain(answer: str) -> list[str]:
    """The words of an answer by the rules of SQuAD: lower case, no punctuation, no articles."""
    bare = "".join(character for character in answer.lower() if character not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", bare).split()


def overlap(answer: str, accepted: str) -> float:
    left, right = plain(answer), plain(accepted)
    if not left or not right:
        return float(left == right)
    shared = (Counter(left) & Counter(right)).total()
    return 2 * shared / (len(left) + len(right))


def _answers(gold: Sequence[Sequence[str]], predicted: Sequence[str]) -> dict[str, Metric]:
    rows = list(zip(gold, predicted, strict=True))
    exact = [max(float(plain(answer) == plain(one)) for one in accepted) for accepted, answer in rows]
    f1 = [max(overlap(answer, one) for one in accepted) for accepted, answer in rows]
    return {"exact_match": _mean(exact), "f1": _mean(f1)}
