"""Language tasks: text alone is the gold. Generation (causal), modeling (masked), token detection (ELECTRA)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..data.columns import resolve
from ..errors import DataError
from ..metrics import classification, language
from .base import Example, Examples, Prediction, Reading, RowId
from .reading import by_role, collect, optional_text, text_cell

HINTS = {
    "text": ("text", "content", "document", "sentence", "article", "body", "story", "line", "prompt"),
    "pair": ("pair", "text_pair"),
}


@dataclass(frozen=True)
class Language:
    """A model of running text. `detects`: scored by telling replaced tokens from original ones."""

    name: str
    summary: str
    primary_metric: str = "loss"
    greater_is_better: bool = False
    roles: tuple[str, ...] = ("text", "pair")
    optional: tuple[str, ...] = ("pair",)
    detects: bool = False

    def examples(self, dataset: Any, reading: Reading) -> Examples:
        """`text`, and `pair` where the column is given; an empty text is a row like others, a null is not."""
        columns = resolve(
            dataset.columns,
            roles=self.roles,
            optional=self.optional,
            hints=HINTS,
            given=reading.columns,
            task=self.name,
        )
        text, pair = columns["text"], columns.get("pair")

        def read(row: RowId, values: Mapping[str, Any]) -> Example:
            second = None if pair is None else text_cell(values.get(pair), row, pair)
            return Example(row, text_cell(values.get(text), row, text), pair=second)

        return collect(dataset, read, columns=columns, bad_rows=reading.bad_rows)

    def inputs(self, values: Sequence[Any]) -> list[Example]:
        """Texts (a prompt, a text with the mask token), (text, pair) tuples, or mappings by role."""
        return [
            Example(
                place,
                text_cell(value.get("text"), place, "text"),
                pair=optional_text(value.get("pair"), place, "pair"),
            )
            for place, value in by_role(values, HINTS)
        ]

    def score(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> dict[str, float]:
        """`loss` over all tokens and `perplexity`; `accuracy` where predictions carry a score (masked models).

        Token detection: `loss`, and `roc_auc` and `accuracy` (at a score of 0.5) over all tokens of all rows.
        Rows may have been merged, so predictions need not be as many as examples: only their own fields are read.

        Raises:
            DataError: no token was scored, or token detection without detections.
        """
        scored = [p for p in predictions if p.loss is not None and p.tokens]
        parts = [(p.loss or 0.0, p.tokens or 0) for p in scored]
        if self.detects:
            return {"loss": language.token_mean(parts), **_detection(predictions)}
        result = language.loss(parts)
        if all(p.score is not None for p in scored):
            result["accuracy"] = language.token_mean((p.score or 0.0, p.tokens or 0) for p in scored)
        return result


def _detection(predictions: Sequence[Prediction]) -> dict[str, float]:
    tokens = [pair for prediction in predictions for pair in prediction.detections or ()]
    if not tokens:
        raise DataError("no token was judged original or replaced: token detection is scored by `detections`.")
    scores, truth = [float(score) for score, _ in tokens], [bool(replaced) for _, replaced in tokens]
    right = sum((score >= 0.5) == replaced for score, replaced in zip(scores, truth, strict=True))
    return {"roc_auc": classification.roc_auc(truth, scores), "accuracy": right / len(truth)}


GENERATION = Language("language-generation", "a causal language model: text that goes on")
MODELING = Language("language-modeling", "a masked language model: words filled in")
DETECTION = Language(
    "token-detection",
    "ELECTRA: a generator that replaces tokens and a discriminator that finds them",
    primary_metric="roc_auc",
    greater_is_better=True,
    detects=True,
)
