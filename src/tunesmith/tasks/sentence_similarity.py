"""Sentence similarity: how alike two texts are, learned from scored pairs, from pairs, or from triplets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from ..data.columns import by_role as columns_by_role
from ..data.columns import resolve
from ..data.labels import Labels
from ..errors import DataError, RowError
from ..metrics import classification
from .base import Example, Examples, Prediction, Reading, RowId
from .reading import by_role, check_pairs, collect, is_blank, text_cell

SCORES, PAIRS, TRIPLETS = "scores", "pairs", "triplets"
NEGATIVE = "negative"
HINTS = {
    "sentence1": (
        "sentence1",
        "sentence_1",
        "anchor",
        "query",
        "question",
        "question1",
        "text1",
        "text_a",
        "premise",
        "text",
    ),
    "sentence2": (
        "sentence2",
        "sentence_2",
        "positive",
        "answer",
        "question2",
        "text2",
        "text_b",
        "pair",
        "hypothesis",
        "document",
    ),
    NEGATIVE: (NEGATIVE, "negative_1", "hard_negative"),
    "score": ("score", "similarity", "similarity_score", "label", "is_duplicate", "rating"),
}
_NUMBERS = Labels("regression")  # a score is a number, be it a whole one


@dataclass(frozen=True)
class SentenceSimilarity:
    """How alike two texts are. The kind is read off the columns: a score, a negative text, or neither."""

    name: str = "sentence-similarity"
    summary: str = "how alike two texts are, from scored pairs, pairs or triplets"
    primary_metric: str = "spearman"
    greater_is_better: bool = True
    roles: tuple[str, ...] = ("sentence1", "sentence2", NEGATIVE, "score")
    optional: tuple[str, ...] = (NEGATIVE,)

    def examples(self, dataset: Any, reading: Reading) -> Examples:
        """`text` and `pair` are the two texts, `label` the score, the field "negative" the third text of a triplet.

        Rows of a scored data set without a score are left out and counted.

        Raises:
            DataError: a score beside a negative text, or a column that is not there.
        """
        columns = resolve(
            dataset.columns,
            roles=self.roles,
            optional=(NEGATIVE, "score"),
            hints=HINTS,
            given=_given(dataset, reading, self),
            task=self.name,
        )
        first, second, third, score = (columns.get(role) for role in self.roles)
        if third is not None and score is not None and reading.need_labels:
            told = f"columns {third!r} (a negative text) and {score!r} (a score) do not go together"
            raise DataError(f"{dataset.name}: {told}: name the columns that are meant, with columns={{…}}.")

        def read(row: RowId, values: Mapping[str, Any]) -> Example | str:
            found = Example(
                row,
                text_cell(values.get(cast(str, first)), row, cast(str, first)),
                pair=text_cell(values.get(cast(str, second)), row, cast(str, second)),
            )
            if third is not None:
                found = replace(found, fields=((NEGATIVE, text_cell(values.get(third), row, third)),))
            if score is None:
                return found
            label = _number(values.get(score), row, score)
            return "no score" if label is None and reading.need_labels else replace(found, label=label)

        kind = TRIPLETS if third is not None else SCORES if score is not None else PAIRS
        labels = _NUMBERS if kind == SCORES else None
        return collect(dataset, read, columns=columns, labels=labels, kind=kind, bad_rows=reading.bad_rows)

    def inputs(self, values: Sequence[Any]) -> list[Example]:
        """(text, text) tuples, or mappings with the roles' or the usual columns' names."""
        hints = {role: HINTS[role] for role in self.roles[:2]}
        return [
            Example(
                place,
                text_cell(value.get("sentence1"), place, "sentence1"),
                pair=text_cell(value.get("sentence2"), place, "sentence2"),
            )
            for place, value in by_role(values, hints)
        ]

    def score(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> dict[str, float]:
        """Spearman, Pearson and errors of scored pairs. Of others, `accuracy`: how often the second text is more like
        the first than the negative is, or than any second text of the rows that it is compared with.
        """
        check_pairs(examples, predictions)
        if not predictions:
            return {}
        if examples[0].label is not None:
            gold = [float(cast(float, example.label)) for example in examples]
            return classification.regression(gold, [float(p.value or 0.0) for p in predictions])
        rivals = [p.scores for p in predictions if p.scores is not None and NEGATIVE in p.scores]
        if not rivals:
            return {}
        return {"accuracy": sum(each["positive"] > each[NEGATIVE] for each in rivals) / len(rivals)}


def _given(dataset: Any, reading: Reading, task: SentenceSimilarity) -> Any:
    """The columns that were said. The third of three is the score, where it holds no texts."""
    given = reading.columns
    if isinstance(given, list | tuple) and len(given) == 3 and given[2] in dataset.columns:
        cells = (cell for cell in dataset.column(given[2]) if not is_blank(cell))
        try:
            _NUMBERS.read(next(cells, None))
        except ValueError:
            return given
        return {**columns_by_role(given[:2], task.roles, task.optional, task.name), NEGATIVE: None, "score": given[2]}
    return given


def _number(cell: Any, row: RowId, column: str) -> float | None:
    try:
        return cast("float | None", _NUMBERS.read(cell))
    except ValueError as error:
        raise RowError(row, column, str(error)) from error


TASK = SentenceSimilarity()
