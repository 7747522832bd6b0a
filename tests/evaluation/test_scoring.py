from __future__ import annotations

from typing import Any

import pytest

from tunesmith.evaluation.scoring import rows
from tunesmith.tasks.base import Account, Example, Examples, Prediction, Span


def held(*items: Example) -> Examples:
    return Examples(items, None, Account(len(items)), "")


@pytest.mark.parametrize(
    ("example", "gold"),
    [
        (Example(7, "a", label="good"), "good"),
        (Example(7, "a", label=()), ()),
        (Example(7, "a", label=0.0), 0.0),
        (Example(7, "a b", tokens=("a", "b"), tags=("B-X", "O"), spans=(Span("X", 0, 1),)), ("B-X", "O")),
        (Example(7, "a b", spans=(Span("X", 0, 1),)), [{"label": "X", "start": 0, "end": 1}]),
        (Example(7, "a b", spans=()), []),
        (Example(7, "who?", pair="Anna", answers=(("Anna", 0),)), (("Anna", 0),)),
        (Example(7, "who?", pair="Anna", answers=()), ()),
        (Example(7, "a dog", target="ein Hund"), "ein Hund"),
        (Example(7, "a text"), None),
    ],
)
def test_a_row_has_its_id_its_gold_and_its_prediction(example: Example, gold: Any) -> None:
    made = rows("test", held(example), [Prediction(id=0, label="bad", score=0.5)])
    assert made == [{"id": 7, "split": "test", "gold": gold, "prediction": {"label": "bad", "score": 0.5}}]


def test_predictions_are_never_told_of_other_rows() -> None:
    with pytest.raises(ValueError, match="argument 2 is longer"):
        rows("test", held(Example(0, "a")), [Prediction(), Prediction()])
