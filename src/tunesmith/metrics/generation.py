"""Metrics of written text against one reference a row. BLEU and chrF run from 0 to 100, the others from 0 to 1."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import DataError

_ROUGE = ("rouge1", "rouge2", "rougeL", "rougeLsum")


def _check(gold: Sequence[str], predicted: Sequence[str]) -> None:
    if len(gold) != len(predicted):
        raise DataError(f"{len(gold)} references but {len(predicted)} predictions: expected one each.")
    if not len(gold):
        raise DataError("nothing to score: expected at least one row.")


def bleu(gold: Sequence[str], predicted: Sequence[str]) -> float:
    """Corpus BLEU as sacrebleu gives it by default (13a tokens, exponential smoothing), 0 to 100."""
    from sacrebleu.metrics import BLEU

    _check(gold, predicted)
    # force: sacrebleu's warning about text that is tokenized already concerns published comparisons
    return float(BLEU(force=True).corpus_score(list(predicted), [list(gold)]).score)


def chrf(gold: Sequence[str], predicted: Sequence[str]) -> float:
    """Corpus chrF2 (character 6-grams, beta 2) as sacrebleu gives it by default, 0 to 100."""
    from sacrebleu.metrics import CHRF

    _check(gold, predicted)
    return float(CHRF().corpus_score(list(predicted), [list(gold)]).score)


def rouge(gold: Sequence[str], predicted: Sequence[str]) -> dict[str, float]:
    """Mean F-measure of ROUGE-1, -2, -L and -Lsum (sentences parted by line ends), without stemming.

    The words are those of rouge_score: runs of ASCII letters and digits. Other scripts have none and score 0.
    """
    from rouge_score.rouge_scorer import RougeScorer

    _check(gold, predicted)
    scorer = RougeScorer(list(_ROUGE), use_stemmer=False)
    rows = [scorer.score(target, text) for target, text in zip(gold, predicted, strict=True)]
    return {name: float(sum(row[name].fmeasure for row in rows) / len(rows)) for name in _ROUGE}


def exact_match(gold: Sequence[str], predicted: Sequence[str]) -> float:
    """The share of rows equal to their reference, white space at both ends aside."""
    _check(gold, predicted)
    return sum(g.strip() == p.strip() for g, p in zip(gold, predicted, strict=True)) / len(gold)


def score(gold: Sequence[str], predicted: Sequence[str]) -> dict[str, float]:
    """All of them."""
    return {
        "bleu": bleu(gold, predicted),
        "chrf": chrf(gold, predicted),
        **rouge(gold, predicted),
        "exact_match": exact_match(gold, predicted),
    }
