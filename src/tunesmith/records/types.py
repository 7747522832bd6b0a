"""The three types of records: classified text, tagged text, and text with the text to write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from .contents import (
    Tags,
    inputs_of_text,
    read_annotation,
    read_classes,
    read_inputs,
    read_labels,
    read_multi,
    read_scored,
    read_tagged,
    read_texts,
    text_needed,
    text_of_tokens,
)
from .fields import TokenAttributions, read_explanation, read_text
from .record import Defaults, Readers, alone, put
from .record import Record as Record
from .spans import cuts_of, read_tokens, split


class TextClassificationRecord(Record):
    """Text, or several named inputs, with one label or, where `multi_label`, a list of them.

    One of `text` and `inputs` is needed: `text` is short for `inputs={"text": text}`. Both stay as they are.
    """

    __slots__ = ("explanation", "inputs", "multi_label", "text")
    text: str | None
    inputs: dict[str, str | list[str]]
    prediction: list[tuple[str, float]] | None
    annotation: str | list[str] | None
    multi_label: bool
    explanation: dict[str, list[TokenAttributions]] | None
    task = "TextClassification"
    FIELDS = tuple(
        "text inputs prediction prediction_agent annotation annotation_agent vectors multi_label explanation id "
        "metadata status event_timestamp metrics search_keywords".split()
    )
    _FIXED = frozenset({"text", "inputs"})
    _READERS: ClassVar[Readers] = {
        "text": alone(read_text),
        "inputs": read_inputs,
        "multi_label": read_multi,
        "prediction": read_classes,
        "annotation": read_labels,
        "explanation": alone(read_explanation),
    }
    _DEFAULTS: ClassVar[Defaults] = {"inputs": inputs_of_text, "multi_label": lambda record: False}

    def __init__(
        self,
        text: str | None = None,
        inputs: str | list[str] | Mapping[str, str | list[str]] | None = None,
        *,
        prediction: Sequence[tuple[str, float]] | None = None,
        prediction_agent: str | None = None,
        annotation: str | Sequence[str] | None = None,
        annotation_agent: str | None = None,
        vectors: Mapping[str, Sequence[float]] | None = None,
        multi_label: bool = False,
        explanation: Mapping[str, Sequence[TokenAttributions]] | None = None,
        id: str | int | None = None,
        metadata: Mapping[str, Any] | None = None,
        status: str | None = None,
        event_timestamp: datetime | str | None = None,
        metrics: Mapping[str, Any] | None = None,
        search_keywords: Sequence[str] | None = None,
        **unknown: Any,
    ) -> None:
        self._fill(
            unknown,
            id=id,
            text=text,
            inputs=inputs,
            multi_label=multi_label,
            prediction=prediction,
            prediction_agent=prediction_agent,
            annotation=annotation,
            annotation_agent=annotation_agent,
            vectors=vectors,
            explanation=explanation,
            metadata=metadata,
            status=status,
            event_timestamp=event_timestamp,
            metrics=metrics,
            search_keywords=search_keywords,
        )

    def _settle(self) -> None:
        told: tuple[Any, Any] = self.inputs, self.multi_label
        if told[0] is None:
            put(self, "inputs", {"text": self.text})
        if told[1] is None:
            put(self, "multi_label", False)
        if self.explanation is not None:
            put(self, "explanation", read_explanation(self.explanation))

    def _unsaid(self) -> tuple[str, ...]:
        said = ("inputs",) if self.inputs == {"text": self.text} else ()
        return (*super()._unsaid(), *said, *(() if self.multi_label else ("multi_label",)))


class TokenClassificationRecord(Record):
    """Text in tokens, with labelled spans: (label, start, end) in characters, which begin and end with a token.

    tokens alone: the text is the tokens joined by a blank. text alone: the tokens are the text split at white space,
    and at the ends of the spans given. tags: IOB or BILOU, one a token, in place of `annotation`.
    Spans may overlap. White space at their ends is cut off, the score stays. `text` and `tokens` stay as they are.
    """

    __slots__ = ("text", "tokens")
    text: str
    tokens: tuple[str, ...]
    prediction: list[tuple[str, int, int, float]] | None
    annotation: list[tuple[str, int, int]] | None
    task = "TokenClassification"
    FIELDS = tuple(
        "text tokens prediction prediction_agent annotation annotation_agent vectors id metadata status "
        "event_timestamp metrics search_keywords".split()
    )
    _FIXED = frozenset({"text", "tokens"})
    _READERS: ClassVar[Readers] = {
        "tokens": alone(read_tokens),
        "text": read_tagged,
        "prediction": read_scored,
        "annotation": read_annotation,
    }
    _DEFAULTS: ClassVar[Defaults] = {"text": text_of_tokens}

    def __init__(
        self,
        text: str | None = None,
        tokens: Sequence[str] | None = None,
        tags: Sequence[str] | None = None,
        *,
        prediction: Sequence[tuple[str, int, int] | tuple[str, int, int, float]] | None = None,
        prediction_agent: str | None = None,
        annotation: Sequence[tuple[str, int, int]] | None = None,
        annotation_agent: str | None = None,
        vectors: Mapping[str, Sequence[float]] | None = None,
        id: str | int | None = None,
        metadata: Mapping[str, Any] | None = None,
        status: str | None = None,
        event_timestamp: datetime | str | None = None,
        metrics: Mapping[str, Any] | None = None,
        search_keywords: Sequence[str] | None = None,
        **unknown: Any,
    ) -> None:
        if tokens is None and isinstance(text, str):
            tokens = split(text, cuts_of(text, prediction, annotation)) or None
        self._fill(
            unknown,
            id=id,
            tokens=tokens,
            text=text,
            prediction=prediction,
            prediction_agent=prediction_agent,
            annotation=annotation if tags is None else Tags(tags, annotation),
            annotation_agent=annotation_agent,
            vectors=vectors,
            metadata=metadata,
            status=status,
            event_timestamp=event_timestamp,
            metrics=metrics,
            search_keywords=search_keywords,
        )

    def _settle(self) -> None:
        put(self, "tokens", tuple(self.tokens))
        if self.annotation:
            put(self, "annotation", list(map(tuple, self.annotation)))


class Text2TextRecord(Record):
    """Text, and the text to be written for it. A predicted text without a score has the score 1.0."""

    __slots__ = ("text",)
    text: str
    prediction: list[tuple[str, float]] | None
    annotation: str | None
    task = "Text2Text"
    FIELDS = tuple(
        "text prediction prediction_agent annotation annotation_agent vectors id metadata status event_timestamp "
        "metrics search_keywords".split()
    )
    _READERS: ClassVar[Readers] = {"text": alone(read_text), "prediction": read_texts, "annotation": alone(read_text)}
    _DEFAULTS: ClassVar[Defaults] = {"text": text_needed}

    def __init__(
        self,
        text: str | None = None,
        *,
        prediction: Sequence[str | tuple[str, float]] | None = None,
        prediction_agent: str | None = None,
        annotation: str | None = None,
        annotation_agent: str | None = None,
        vectors: Mapping[str, Sequence[float]] | None = None,
        id: str | int | None = None,
        metadata: Mapping[str, Any] | None = None,
        status: str | None = None,
        event_timestamp: datetime | str | None = None,
        metrics: Mapping[str, Any] | None = None,
        search_keywords: Sequence[str] | None = None,
        **unknown: Any,
    ) -> None:
        self._fill(
            unknown,
            id=id,
            text=text,
            prediction=prediction,
            prediction_agent=prediction_agent,
            annotation=annotation,
            annotation_agent=annotation_agent,
            vectors=vectors,
            metadata=metadata,
            status=status,
            event_timestamp=event_timestamp,
            metrics=metrics,
            search_keywords=search_keywords,
        )


TYPES: Mapping[str, type[Record]] = {
    cls.task: cls for cls in (TextClassificationRecord, TokenClassificationRecord, Text2TextRecord)
}
"""Task name -> class."""
