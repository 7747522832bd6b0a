"""Text classification: one class, several classes, or a number, for a text or a pair of texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from ..data.cells import all_opened
from ..data.columns import resolve
from ..data.labels import Labels, infer
from ..errors import DataError, RowError
from ..metrics import classification
from .base import Example, Examples, Prediction, Reading, RowId
from .reading import by_role, check_pairs, collect, optional_text, text_cell

HINTS = {
    "text": (
        "text",
        "sentence",
        "sentence1",
        "text_a",
        "premise",
        "question1",
        "review",
        "message",
        "content",
        "body",
        "question",
        "document",
    ),
    "pair": ("pair", "text_pair", "sentence2", "text_b", "hypothesis", "question2"),
    "label": (
        "label",
        "labels",
        "label_ids",
        "class",
        "category",
        "target",
        "score",
        "sentiment",
        "intent",
        "tag",
        "y",
        "is_duplicate",
    ),
}

THRESHOLD = 0.5  # a label of a row of several is predicted from this probability on
_NO_LABEL = "(no label)"  # how a prediction without one is counted: as a class that no row has


def by_scores(
    row: RowId | None, scores: Mapping[str, float], *, several: bool, threshold: float = THRESHOLD
) -> Prediction:
    """What the probabilities of the labels predict: the likeliest, or of several each that reaches the threshold."""
    if several:
        return Prediction(
            row, labels=tuple(name for name, chance in scores.items() if chance >= threshold), scores=scores
        )
    label = max(scores, key=scores.__getitem__)
    return Prediction(row, label=label, score=scores[label], scores=scores)


@dataclass(frozen=True)
class TextClassification:
    """Which label a text has. The kind (single, multi, regression) is read off the labels of the training rows."""

    name: str = "text-classification"
    summary: str = "one label, several labels or a number for a text or a pair of texts"
    primary_metric: str = "f1"
    greater_is_better: bool = True
    roles: tuple[str, ...] = ("text", "pair", "label")
    optional: tuple[str, ...] = ("pair",)

    def examples(self, dataset: Any, reading: Reading) -> Examples:
        """The rows as texts with the user's label names; rows without a label are left out and counted."""
        optional = self.optional if reading.need_labels else (*self.optional, "label")
        columns = resolve(
            dataset.columns, roles=self.roles, optional=optional, hints=HINTS, given=reading.columns, task=self.name
        )
        labelled = "label" in columns
        labels = reading.labels or (_labels(dataset, columns["label"], reading) if labelled else None)

        def read(row: int | str, values: Mapping[str, Any]) -> Example | str:
            text = text_cell(values.get(columns["text"]), row, columns["text"])
            pair = text_cell(values.get(columns["pair"]), row, columns["pair"]) if "pair" in columns else None
            label = _label(labels, values.get(columns["label"]), row, columns["label"]) if labelled and labels else None
            if label is None and reading.need_labels:
                return "no label"
            return Example(row, text, pair=pair, label=label)

        kind = labels.kind if labels else ""
        return collect(dataset, read, columns=columns, labels=labels, kind=kind, bad_rows=reading.bad_rows)

    def inputs(self, values: Sequence[Any]) -> list[Example]:
        """Texts, (text, pair) tuples, or mappings with the roles' or the usual columns' names."""
        hints = {role: HINTS[role] for role in ("text", "pair")}
        return [
            Example(
                place,
                text_cell(value.get("text"), place, "text"),
                pair=optional_text(value.get("pair"), place, "pair"),
            )
            for place, value in by_role(values, hints)
        ]

    def score(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> dict[str, float]:
        """Accuracy, F1 …; micro and macro F1 for several labels; Pearson and Spearman for numbers."""
        check_pairs(examples, predictions)
        if not predictions:
            return {}
        if predictions[0].value is not None:
            gold = [cast(float, example.label) for example in examples]
            return classification.regression(gold, [float(p.value or 0.0) for p in predictions])
        names = list(predictions[0].scores or {})
        if predictions[0].labels is not None:
            sets = [example.label if isinstance(example.label, tuple) else () for example in examples]
            scores = [[(p.scores or {})[name] for name in names] for p in predictions]
            return classification.multi(sets, [p.labels or () for p in predictions], scores, names)
        found = [_NO_LABEL if p.label is None else p.label for p in predictions]
        return classification.single([str(e.label) for e in examples], found, names)


def _labels(dataset: Any, column: str, reading: Reading) -> Labels:
    values = dataset.column(column)
    if any(isinstance(cell, list) and cell and isinstance(cell[0], Mapping) for cell in all_opened(values)):
        raise DataError(
            f"{dataset.name}: column {column!r} holds lists of mappings, not labels: spans of a text are learned with "
            "task='token-classification'."
        )
    return infer(values, declared=dataset.declared.get(column), untyped=dataset.untyped, kind=reading.label_kind)


def _label(labels: Labels, value: Any, row: int | str, column: str) -> str | tuple[str, ...] | float | None:
    try:
        return labels.read(value)
    except ValueError as error:
        raise RowError(row, column, str(error)) from error


TASK = TextClassification()
