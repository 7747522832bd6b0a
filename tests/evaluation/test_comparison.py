"""Two runs on the same rows, worked by hand."""

from __future__ import annotations

from tunesmith.data.labels import Labels
from tunesmith.evaluation.comparison import compared
from tunesmith.registry import tasks
from tunesmith.tasks.base import Account, Example, Examples, Prediction

TASK = tasks.get("text-classification")
GOLD = [Example(at, f"text {at}", label="ab"[at % 2]) for at in range(40)]
ROWS = Examples(GOLD, Labels("single", ("a", "b")), Account(40), "", "single")


def said(right: int) -> list[Prediction]:
    """Predictions of which the first are right, the others wrong."""
    return [
        Prediction(row.id, label=row.label if at < right else {"a": "b", "b": "a"}[str(row.label)])
        for at, row in enumerate(GOLD)
    ]


def test_a_better_run_helped_and_a_worse_one_did_not() -> None:
    found = compared(TASK, ROWS, (said(10), said(38)), former="old", trained=(50, 90), known=())
    assert found is not None
    assert (found.before, found.after, found.helped) == (0.25, 0.95, True)
    assert str(found).startswith("against old, with +40 training rows: f1 0.2500 → 0.9500, +0.7000 (95%: +0.")
    assert str(found).endswith("on 40 rows: it helped")
    worse = compared(TASK, ROWS, (said(38), said(10)), former="old", trained=(90, 50), known=())
    assert worse is not None
    assert worse.helped is False
    assert "-40 training rows" in str(worse)


def test_a_verdict_takes_thirty_rows() -> None:
    """Resamples of a handful hardly differ: their interval says nothing."""
    for known, rows in ((range(11), "29 rows"), (range(39), "1 row")):
        found = compared(TASK, ROWS, (said(0), said(40)), former="old", trained=(9, 9), known=known)
        assert found is not None
        assert found.difference.low > 0
        assert found.helped is None
        assert str(found).endswith(f"on {rows}: too few to tell, 30 are the least")
    enough = compared(TASK, ROWS, (said(0), said(40)), former="old", trained=(9, 9), known=range(10))
    assert enough is not None
    assert enough.helped


def test_rows_that_the_former_run_learned_are_no_test_of_it() -> None:
    found = compared(TASK, ROWS, (said(20), said(20)), former="old", trained=(20, 20), known=range(20))
    assert found is not None
    assert (found.rows, found.before, found.helped) == (20, 0.0, None)
    assert compared(TASK, ROWS, (said(20), said(20)), former="old", trained=(40, 40), known=range(40)) is None
