"""Metrics of one class, several classes, a number, and a ranking. Shares, from 0 to 1, unless said otherwise."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from ..errors import DataError


def _check(gold: Sequence[Any], predicted: Sequence[Any]) -> None:
    if len(gold) != len(predicted):
        raise DataError(f"{len(gold)} gold values but {len(predicted)} predictions: expected one each.")
    if not len(gold):
        raise DataError("nothing to score: expected at least one row.")


def single(gold: Sequence[str], predicted: Sequence[str], names: Sequence[str]) -> dict[str, float]:
    """Accuracy, macro precision, recall and F1, and `f1_<name>` of each class.

    The macro averages run over the classes found in gold or predicted, as scikit-learn's do: a name found in neither
    has no F1, and no `f1_<name>`. A ratio without a denominator (a class never predicted) is 0.
    """
    from sklearn.metrics import precision_recall_fscore_support

    _check(gold, predicted)
    found = set(gold) | set(predicted)
    seen = [name for name in names if name in found]
    seen += sorted(found.difference(seen))
    ids = {name: place for place, name in enumerate(seen)}
    precision, recall, f1, _ = precision_recall_fscore_support(
        [ids[g] for g in gold], [ids[p] for p in predicted], labels=range(len(seen)), average=None, zero_division=0
    )
    return {
        "accuracy": sum(g == p for g, p in zip(gold, predicted, strict=True)) / len(gold),
        "f1": float(f1.mean()),
        "precision": float(precision.mean()),
        "recall": float(recall.mean()),
        **{f"f1_{name}": float(value) for name, value in zip(seen, f1, strict=True)},
    }


def multi(
    gold: Sequence[Collection[str]],
    predicted: Sequence[Collection[str]],
    scores: Sequence[Sequence[float]] | None,
    names: Sequence[str],
) -> dict[str, float]:
    """Several classes a row: `f1` (macro), `micro_f1`, `accuracy` (the whole set is right), `average_precision`.

    scores: (rows, names), a row's score for each name; None leaves `average_precision` out.
    Macro F1 runs over the names found in gold or predicted, macro average precision over those found in gold (without a
    positive row there is none to rank); with no such name they are 0.
    """
    import numpy as np
    from sklearn.metrics import average_precision_score

    _check(gold, predicted)
    truth = np.array([[name in row for name in names] for row in gold], dtype=bool)
    guess = np.array([[name in row for name in names] for row in predicted], dtype=bool)
    hits, total = (truth & guess).sum(axis=0), truth.sum(axis=0) + guess.sum(axis=0)  # (names,)
    seen = total > 0
    f1 = np.divide(2 * hits, total, out=np.zeros(len(names)), where=seen)
    result = {
        "f1": float(f1[seen].mean()) if seen.any() else 0.0,
        "micro_f1": float(2 * hits.sum() / total.sum()) if seen.any() else 0.0,
        "accuracy": float((truth == guess).all(axis=1).mean()),
    }
    if scores is not None:
        matrix = np.asarray(scores, dtype=float)
        if matrix.shape != truth.shape:
            raise DataError(f"scores have the shape {matrix.shape}: expected (rows, names) = {truth.shape}.")
        ranked = [average_precision_score(truth[:, i], matrix[:, i]) for i in np.flatnonzero(truth.any(axis=0))]
        result["average_precision"] = float(np.mean(ranked)) if ranked else 0.0
    return result | {f"f1_{name}": float(f1[i]) for i, name in enumerate(names) if seen[i]}


def regression(gold: Sequence[float], predicted: Sequence[float]) -> dict[str, float]:
    """Pearson and Spearman correlation (-1 to 1), mean squared and mean absolute error (in the label's unit).

    Where gold or predicted is constant (or one row long) no correlation is defined: it is then 0, not NaN.
    """
    import numpy as np
    from scipy.stats import rankdata

    _check(gold, predicted)
    a, b = np.asarray(gold, dtype=float), np.asarray(predicted, dtype=float)
    error = b - a
    return {
        "pearson": _correlation(a, b),
        "spearman": _correlation(rankdata(a), rankdata(b)),
        "mse": float((error**2).mean()),
        "mae": float(np.abs(error).mean()),
    }


def _correlation(a: Any, b: Any) -> float:
    import numpy as np

    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a * a).sum()) * np.sqrt((b * b).sum()))
    return float(np.clip((a * b).sum() / scale, -1.0, 1.0)) if scale else 0.0


def roc_auc(truth: Sequence[bool], scores: Sequence[float]) -> float:
    """The chance that a positive scores above a negative, ties half. With positives or negatives alone: 0.5."""
    import numpy as np
    from sklearn.metrics import roc_auc_score

    _check(truth, scores)
    gold = np.asarray(truth, dtype=bool)
    if gold.all() or not gold.any():
        return 0.5
    return float(roc_auc_score(gold, np.asarray(scores, dtype=float)))
