from __future__ import annotations

from typing import Any

import datasets
import pytest

from tunesmith.data.dataset import Dataset
from tunesmith.errors import DataError, RowError
from tunesmith.tasks.base import Example, Examples, Prediction, Reading
from tunesmith.tasks.question_answering import TASK, read_answers

CONTEXT = "The cat sat. The dog ran."


def read(rows: list[dict[str, Any]], **settings: Any) -> Examples:
    return TASK.examples(Dataset(datasets.Dataset.from_list(rows)), Reading(**settings))


def test_a_squad_row_keeps_every_accepted_answer() -> None:
    answers = {"text": ["dog", "The dog"], "answer_start": [17, 13]}
    row = {"id": "q1", "title": "Pets", "context": CONTEXT, "question": "  Who ran? ", "answers": answers}
    found = read([row])
    assert found[0] == Example(0, "Who ran? ", pair=CONTEXT, answers=(("dog", 17), ("The dog", 13)))
    assert found.labels is None


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("The", (("The", 0),)),  # the first occurrence
        (["dog", "cat"], (("dog", 17), ("cat", 4))),
        ({"text": "dog", "answer_start": 17}, (("dog", 17),)),
        ({"text": ["The"], "answer_start": [13]}, (("The", 13),)),
        ({"text": ["dog"]}, (("dog", 17),)),
        ([{"text": "dog", "answer_start": 17}, {"text": "cat", "answer_start": 4}], (("dog", 17), ("cat", 4))),
        (None, ()),
        (float("nan"), ()),
        ("", ()),
        ([], ()),
        ({"text": [], "answer_start": []}, ()),
        ({"text": [""], "answer_start": [-1]}, ()),
        ('{"text": ["dog"], "answer_start": [17]}', (("dog", 17),)),
        ("{'text': ['dog'], 'answer_start': [17]}", (("dog", 17),)),
        ('["dog", "cat"]', (("dog", 17), ("cat", 4))),
        ('{"text": [], "answer_start": []}', ()),
        ("[]", ()),
    ],
)
def test_answers_are_read_in_every_form(cell: Any, expected: tuple[tuple[str, int], ...]) -> None:
    assert read_answers(cell, CONTEXT, 0, "answers") == expected


def test_an_answer_in_brackets_that_is_in_the_context_is_that_answer() -> None:
    assert read_answers("[12]", "As shown in [12].", 0, "answers") == (("[12]", 12),)


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("bird", "answer is not in the context: 'bird'"),
        (
            {"text": ["dog"], "answer_start": [16]},
            "answer_start does not point at the answer: 'dog' at 16, found ' do'",
        ),
        ({"text": ["dog"], "answer_start": [-8]}, "answer_start does not point at the answer: 'dog' at -8, found ''"),
        ({"text": ["dog", "cat"], "answer_start": [17]}, "'text' and 'answer_start' differ in length"),
        ({"text": ["dog"], "answer_start": 17}, "'text' and 'answer_start' differ in length"),
        ({"text": ["dog"], "answer_start": ["17"]}, "answer_start is not a whole number: '17'"),
        ({"answer": "dog"}, "answer has no 'text': its keys are answer"),
        ({"text": [5]}, "answer is not text: found int 5"),
        (5, "is no answer: found int 5, expected SQuAD form or text"),
    ],
)
def test_an_answer_that_cannot_be_is_told(cell: Any, told: str) -> None:
    with pytest.raises(RowError) as caught:
        read_answers(cell, CONTEXT, 9, "gold")
    assert str(caught.value).startswith("row 9, column 'gold': ")
    assert told in str(caught.value)


def test_answers_outside_their_context_are_dropped_and_counted_where_allowed() -> None:
    rows = [{"q": "Who?", "c": CONTEXT, "a": answer} for answer in ("dog", "bird", "cow", None)]
    found = read(rows, columns=("q", "c", "a"), bad_rows="drop")
    assert [e.answers for e in found] == [(("dog", 17),), ()]
    assert found.account.left_out == {"column 'a' answer is not in the context": [1, 2]}


def test_context_and_question_are_needed_and_answers_are_not_for_prediction() -> None:
    with pytest.raises(DataError) as caught:
        read([{"question": "Who?", "context": CONTEXT, "n": 1}])
    assert "question-answering finds no column for answers" in str(caught.value)
    found = read([{"question": "Who?", "context": CONTEXT}], need_labels=False)
    assert found[0] == Example(0, "Who?", pair=CONTEXT)
    with pytest.raises(RowError) as caught:
        read([{"question": "Who?", "context": None, "answers": "x"}])
    assert "row 0, column 'context': is empty" in str(caught.value)


def test_inputs_are_pairs_or_mappings() -> None:
    expected = Example(0, "Who?", pair=CONTEXT)
    assert TASK.inputs([(" Who?", CONTEXT)]) == [expected]
    assert TASK.inputs([{"context": CONTEXT, "question": "Who?", "id": "q1"}]) == [expected]
    with pytest.raises(RowError) as caught:
        TASK.inputs(["Who?"])
    assert "row 0, column 'context': is empty: expected text" in str(caught.value)


def test_scores_follow_squad_with_silence_for_no_answer() -> None:
    found = read([{"question": "Who?", "context": CONTEXT, "answers": a} for a in (["dog", "The dog ran"], [])])
    scores = TASK.score(found, [Prediction(answer="the dog", start=13, end=20), Prediction(answer=None)])
    assert scores["exact_match"] == scores["f1"] == 1.0
    scores = TASK.score(found, [Prediction(answer="dog ran"), Prediction(answer="cat")])
    assert scores["f1"] == pytest.approx((1.0 + 0) / 2)
    assert scores["f1_no_answer"] == 0.0
    assert TASK.primary_metric in scores


def test_the_kind_says_whether_some_context_has_no_answer() -> None:
    answered = {"question": "who", "context": "Anna wrote", "answers": "Anna"}
    assert read([answered]).kind == "answerable"
    assert read([answered, answered | {"answers": ""}]).kind == "mixed"
