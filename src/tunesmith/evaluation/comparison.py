"""Two runs on the same rows: whether the later one is better, and how sure that is."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..metrics.intervals import Difference, affordable, paired_bootstrap
from ..tasks.base import Example, Examples, Prediction, RowId, Task, followed

FEWEST = 30  # rows that a verdict takes: resamples of a handful hardly differ


@dataclass(frozen=True)
class Comparison:
    """A run against a former one, on rows that neither was trained on.

    former: where that run is. metric: the name of the score. rows: how many both predicted. trained: rows that the
    former and the later run were trained on. difference: of the later score less the former, with its 95% interval.
    """

    former: str
    metric: str
    rows: int
    trained: tuple[int, int]
    before: float
    after: float
    difference: Difference
    more_is_better: bool = True

    @property
    def helped(self) -> bool | None:
        """Whether the later run is better beyond the interval; None where that cannot be told, nor by few rows."""
        low, high = self.difference.low, self.difference.high
        if low <= 0 <= high or self.rows < FEWEST:
            return None
        return (low > 0) == self.more_is_better

    def __str__(self) -> str:
        verdict = {True: "it helped", False: "it is worse", None: "no difference can be told"}[self.helped]
        if self.rows < FEWEST:
            verdict = f"too few to tell, {FEWEST} are the least"
        gap, more = self.difference, self.trained[1] - self.trained[0]
        rows = f"{self.rows:,} row{'s' * (self.rows != 1)}"
        return (
            f"against {self.former}, with {more:+,} training rows: {self.metric} {self.before:.4f} → {self.after:.4f}, "
            f"{gap.difference:+.4f} (95%: {gap.low:+.4f} … {gap.high:+.4f}) on {rows}: {verdict}"
        )

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "helped": self.helped}


def compared(
    task: Task,
    examples: Examples,
    predictions: tuple[Sequence[Prediction], Sequence[Prediction]],
    *,
    former: str,
    trained: tuple[int, int],
    known: Collection[RowId],
) -> Comparison | None:
    """The later run against the former one; None where no row is left to compare by.

    predictions: of the former and of the later run, one an example. known: ids that the former run was trained on,
    which are no test of it.
    """
    metric, more_is_better = followed(task, examples.kind)
    rows = [row for row in zip(examples, *predictions, strict=True) if row[0].id not in known]
    if not rows:
        return None
    gold, before, after = zip(*rows, strict=True)

    def score(golden: Sequence[Example], found: Sequence[Prediction]) -> float:
        return task.score(golden, found)[metric]

    gap = paired_bootstrap(gold, after, before, score, seed=42, samples=affordable(2 * len(rows)))
    ends = score(gold, before), score(gold, after)
    return Comparison(former, metric, len(rows), trained, *ends, gap, more_is_better)
