"""Question answering: the stretch of a context that answers a question, or none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..data.columns import resolve
from ..errors import RowError
from ..metrics import answers
from .base import Example, Examples, Prediction, Reading, RowId
from .reading import by_role, check_pairs, collect, is_null, text_cell
from .tagged_cells import from_text

HINTS = {
    "question": ("question", "query"),
    "context": ("context", "passage", "paragraph", "document", "text"),
    "answers": ("answers", "answer", "label", "target"),
}


@dataclass(frozen=True)
class QuestionAnswering:
    """Where in the context the answer stands."""

    name: str = "question-answering"
    summary: str = "the stretch of a context that answers a question, or that there is none"
    primary_metric: str = "f1"
    greater_is_better: bool = True
    roles: tuple[str, ...] = ("question", "context", "answers")
    optional: tuple[str, ...] = ()

    def examples(self, dataset: Any, reading: Reading) -> Examples:
        """`text` is the question (left-stripped), `pair` the context, `answers` every accepted (text, start).

        Their kind is "mixed" where some context has no answer (only then does a model learn to say so), else
        "answerable".
        """
        optional = self.optional if reading.need_labels else (*self.optional, "answers")
        columns = resolve(
            dataset.columns, roles=self.roles, optional=optional, hints=HINTS, given=reading.columns, task=self.name
        )
        question, context, gold = columns["question"], columns["context"], columns.get("answers")

        def read(row: RowId, values: Mapping[str, Any]) -> Example:
            passage = text_cell(values.get(context), row, context)
            return Example(
                row,
                text_cell(values.get(question), row, question).lstrip(),
                pair=passage,
                answers=None if gold is None else read_answers(values.get(gold), passage, row, gold),
            )

        found = collect(dataset, read, columns=columns, bad_rows=reading.bad_rows)
        mixed = any(example.answers == () for example in found)
        return replace(found, kind="mixed" if mixed else "answerable")

    def inputs(self, values: Sequence[Any]) -> list[Example]:
        """(question, context) tuples, or mappings with these keys."""
        hints = {role: HINTS[role] for role in ("question", "context")}
        return [
            Example(
                place,
                text_cell(value.get("question"), place, "question").lstrip(),
                pair=_passage(value.get("context"), place),
            )
            for place, value in by_role(values, hints)
        ]

    def score(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> dict[str, float]:
        """Exact match and F1 (0 to 1) by the SQuAD rules; a prediction without an answer says that there is none."""
        check_pairs(examples, predictions)
        gold = [[text for text, _ in example.answers or ()] for example in examples]
        return answers.score(gold, [prediction.answer or "" for prediction in predictions])


def _passage(cell: Any, place: int) -> str:
    """The context of an input. Raises: RowError, also for a question alone, with the form that has both."""
    if is_null(cell):
        reason = (
            "is empty: expected text, for a question is answered from its context. Give both: (question, context) "
            """in Python, '{"question": "…", "context": "…"}' on the command line"""
        )
        raise RowError(place, "context", reason)
    return text_cell(cell, place, "context")


def read_answers(cell: Any, context: str, row: RowId, column: str) -> tuple[tuple[str, int], ...]:
    """A cell of answers as (text, start in `context`) pairs; none where it is null, '' or empty.

    The SQuAD form `{"text": [...], "answer_start": [...]}`, a list of such or of strings, a string that spells one of
    these and is not in the context, or another string, which stands for its first occurrence.

    Raises:
        RowError: an answer that is not in the context, a start where the context reads differently, another type.
    """
    found = []
    if isinstance(cell, str) and cell not in context:
        cell = from_text(cell)
    for text, start in _parts(cell, row, column):
        if is_null(text) or text == "":
            continue  # SQuAD 2.0 in flat files: an empty text for 'no answer'
        if not isinstance(text, str):
            raise RowError(row, column, f"answer is not text: found {type(text).__name__} {text!r}")
        if start is None:
            start = context.find(text)
            if start < 0:
                raise RowError(row, column, f"answer is not in the context: {text!r}")
        elif isinstance(start, bool) or not isinstance(start, int):
            raise RowError(row, column, f"answer_start is not a whole number: {start!r}")
        elif start < 0 or context[start : start + len(text)] != text:
            there = context[start : start + len(text)] if start >= 0 else ""
            reason = f"answer_start does not point at the answer: {text!r} at {start}, found {there!r}"
            raise RowError(row, column, reason)
        found.append((text, start))
    return tuple(found)


def _parts(cell: Any, row: RowId, column: str) -> Iterator[tuple[Any, Any]]:
    """(text, start or None) of each answer in a cell, unchecked."""
    if is_null(cell):
        return
    if isinstance(cell, str):
        yield cell, None
    elif isinstance(cell, Mapping):
        if "text" not in cell:
            keys = ", ".join(map(str, cell))
            raise RowError(row, column, f"answer has no 'text': its keys are {keys or 'none'}")
        texts, starts = cell["text"], cell.get("answer_start")
        if not isinstance(texts, list | tuple):
            yield texts, starts
            return
        starts = [None] * len(texts) if starts is None else starts
        if not isinstance(starts, list | tuple) or len(starts) != len(texts):
            raise RowError(row, column, f"'text' and 'answer_start' differ in length: {texts!r} and {starts!r}")
        yield from zip(texts, starts, strict=True)
    elif isinstance(cell, list | tuple):
        for part in cell:
            yield from _parts(part, row, column)
    else:
        raise RowError(row, column, f"is no answer: found {type(cell).__name__} {cell!r}, expected SQuAD form or text")


TASK = QuestionAnswering()
