"""Sequence to sequence: a text in, a text out (translation, summaries, data to text)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..data.columns import resolve
from ..metrics import generation
from .base import Example, Examples, Prediction, Reading, RowId
from .reading import by_role, check_pairs, collect, text_cell

HINTS = {
    "source": ("source", "src", "input", "text", "article", "document", "dialogue", "question", "prompt", "mr", "en"),
    "target": (
        "target",
        "tgt",
        "output",
        "summary",
        "highlights",
        "answer",
        "response",
        "completion",
        "ref",
        "de",
        "fr",
    ),
}


@dataclass(frozen=True)
class SequenceSequence:
    """Which text answers a text."""

    name: str = "sequence-sequence"
    summary: str = "a text written for a text: translation, summary, data to text"
    primary_metric: str = "bleu"
    greater_is_better: bool = True
    roles: tuple[str, ...] = ("source", "target")
    optional: tuple[str, ...] = ()

    def examples(self, dataset: Any, reading: Reading) -> Examples:
        """`text` is the source as it stands, `target` the text to write."""
        optional = self.optional if reading.need_labels else (*self.optional, "target")
        columns = resolve(
            dataset.columns, roles=self.roles, optional=optional, hints=HINTS, given=reading.columns, task=self.name
        )
        source, target = columns["source"], columns.get("target")

        def read(row: RowId, values: Mapping[str, Any]) -> Example:
            gold = None if target is None else text_cell(values.get(target), row, target)
            return Example(row, text_cell(values.get(source), row, source), target=gold)

        return collect(dataset, read, columns=columns, bad_rows=reading.bad_rows)

    def inputs(self, values: Sequence[Any]) -> list[Example]:
        """Source texts, or mappings with `source` or one of its usual column names."""
        return [
            Example(place, text_cell(value.get("source"), place, "source"))
            for place, value in by_role(values, {"source": HINTS["source"]})
        ]

    def score(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> dict[str, float]:
        """BLEU and chrF (0 to 100), ROUGE and exact match (0 to 1), of `Prediction.text` against `target`."""
        check_pairs(examples, predictions)
        return generation.score([e.target or "" for e in examples], [p.text or "" for p in predictions])


TASK = SequenceSequence()
