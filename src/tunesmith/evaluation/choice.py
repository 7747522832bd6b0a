"""Which of several trained frameworks to take: their scores on the same rows, how sure the differences are, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..metrics.intervals import Difference, Interval, affordable, paired_bootstrap
from ..tasks.base import Example, Examples, Prediction, Task, followed


@dataclass(frozen=True)
class Candidate:
    """What became of one framework. reason: why there is no score; then all other fields but the name are None.

    seconds: of training. speed: rows a second in prediction. size: bytes of the model on disk. behind: the score less
    that of the best, with its interval; None of the best. constant: the one label that it gives to every scored row
    where these have several; empty where it tells them apart.
    """

    framework: str
    score: Interval | None = None
    seconds: float | None = None
    speed: float | None = None
    size: int | None = None
    behind: Difference | None = None
    constant: str = ""
    reason: str = ""
    folder: str = ""


@dataclass(frozen=True)
class Choice:
    """Candidates in the order asked for. taken: the name of the one to take, None where none has a score; why in words.

    metric: the score's name. rows: how many were trained on and scored.
    """

    task: str
    metric: str
    rows: tuple[int, int]
    candidates: tuple[Candidate, ...]
    taken: str | None
    why: str


def decide(
    task: Task,
    metric: str,
    splits: Mapping[str, Examples],
    found: Sequence[tuple[Candidate, Sequence[Prediction]]],
) -> Choice:
    """The table, with how far each is behind the best, and which to take."""
    test = splits["test"]
    rows = (len(splits["train"]), len(test))
    scored = [(candidate, predictions) for candidate, predictions in found if candidate.score is not None]
    if not scored:
        return Choice(task.name, metric, rows, tuple(each for each, _ in found), None, "none has a score")
    sign = 1 if followed(task, test.kind)[1] else -1
    best, of_best = max(scored, key=lambda pair: (sign * _value(pair[0]), not _constant(test, pair[1])))

    def score(gold: Sequence[Example], predictions: Sequence[Prediction]) -> float:
        return task.score(gold, predictions)[metric]

    told: list[Candidate] = []
    for candidate, predictions in found:
        if candidate.score is not None:
            candidate = replace(candidate, constant=_constant(test, predictions))
            if candidate.framework != best.framework:
                samples = affordable(2 * len(test))
                gap = paired_bootstrap(list(test), predictions, of_best, score, seed=42, samples=samples)
                candidate = replace(candidate, behind=gap)
        told.append(candidate)
    taken, why = _taken(told, sign)
    return Choice(task.name, metric, rows, tuple(told), taken, why)


def _constant(gold: Sequence[Example], predictions: Sequence[Prediction]) -> str:
    """The one label that all predictions give, where the rows have several; else empty."""
    said, real = {each.label for each in predictions}, {each.label for each in gold}
    only = said.pop() if len(said) == 1 < len(real) else None
    return only or ""


def _taken(candidates: Sequence[Candidate], sign: int) -> tuple[str, str]:
    """The fastest of those that are not surely worse than the best, and why; last, what gives every row one label."""
    scored = [each for each in candidates if each.score is not None]
    best = next(each for each in scored if each.behind is None)
    close = [each for each in scored if each.behind is not None and _reaches_zero(each.behind, sign)]
    able = [each for each in (best, *close) if not each.constant]
    taken = max(able or [best], key=lambda each: each.speed or 0.0)
    if taken.behind is not None:
        gap = f"{taken.behind.difference:+.4f} ({taken.behind.low:+.4f} … {taken.behind.high:+.4f})"
        under = f"{best.framework}'s" + (", which gives every row one label" if best.constant else "")
        return taken.framework, f"it predicts fastest of those whose score is not surely below {under}: {gap}"
    if len(scored) == 1:
        why = "it is the only one with a score"
    elif not close:
        why = "its score is the best, beyond the 95% interval of the difference to each other"
    else:
        apart = "" if all(each in able for each in close) else " and tells rows apart"
        why = f"its score is the best, and none that may be as good{apart} predicts faster"
    return taken.framework, why + (f"; it gives every row the label {taken.constant!r}" if taken.constant else "")


def _reaches_zero(gap: Difference, sign: int) -> bool:
    return (gap.high if sign > 0 else -gap.low) >= 0


def _value(candidate: Candidate) -> float:
    return candidate.score.value if candidate.score is not None else float("nan")
