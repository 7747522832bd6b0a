"""The label schema of a data set: which labels there are, in which order. The order is that of label ids everywhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

from ..errors import DataError
from .fields import read_name, shown
from .record import Record


class _Settings:
    """Labels in the order given, each once."""

    __slots__ = ("label_schema",)
    label_schema: tuple[str, ...]
    task: ClassVar[str] = ""

    def __init__(self, label_schema: Iterable[str]) -> None:
        object.__setattr__(self, "label_schema", _labels(label_schema))

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"settings do not change: make new ones with {type(self).__name__}(label_schema)")

    @property
    def label2id(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.label_schema)}

    @property
    def id2label(self) -> dict[int, str]:
        return dict(enumerate(self.label_schema))

    def to_dict(self) -> dict[str, Any]:
        """The form of the wire: `{"label_schema": {"labels": [{"name": "pos"}, …]}}`."""
        return {"label_schema": {"labels": [{"name": name} for name in self.label_schema]}}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The settings of `to_dict`'s mapping; labels may be plain names, and the inner mapping left out.

        Raises:
            DataError: there is no label schema in it.
        """
        found = values.get("label_schema") if isinstance(values, Mapping) else None
        labels = found.get("labels") if isinstance(found, Mapping) else found
        if not isinstance(labels, list | tuple):
            raise DataError(f'settings {shown(values)}: expected {{"label_schema": {{"labels": [{{"name": …}}, …]}}}}.')
        names: list[Any] = [label.get("name") if isinstance(label, Mapping) else label for label in labels]
        return cls(names)

    @classmethod
    def infer(cls, records: Iterable[Record]) -> Self:
        """The labels that annotations of these records hold, sorted.

        Raises:
            DataError: no record has a label.
        """
        found = sorted({label for record in records for label in labels_of(record)})
        if not found:
            raise DataError("no record has a label in its annotation: annotate some, or give the label schema.")
        return cls(found)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.label_schema == getattr(other, "label_schema", None)

    def __hash__(self) -> int:
        return hash((type(self), self.label_schema))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.label_schema,)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self.label_schema)!r})"


class TextClassificationSettings(_Settings):
    """The labels of a `DatasetForTextClassification`."""

    __slots__ = ()
    task = "TextClassification"


class TokenClassificationSettings(_Settings):
    """The labels of a `DatasetForTokenClassification`: of spans, without B- and I-."""

    __slots__ = ()
    task = "TokenClassification"


Settings = TextClassificationSettings | TokenClassificationSettings
SETTINGS: Mapping[str, type[Settings]] = {
    "TextClassification": TextClassificationSettings,
    "TokenClassification": TokenClassificationSettings,
}
"""Task name -> class; Text2Text has no labels."""


def labels_of(record: Record) -> tuple[str, ...]:
    """The labels in a record's annotation, in its order; none of a record without one, or of text to text."""
    found = record.annotation
    if not found or record.task == "Text2Text":
        return ()
    if isinstance(found, str):
        return (found,)
    return tuple(found) if record.task == "TextClassification" else tuple(label for label, _, _ in found)


def _labels(names: Any) -> tuple[str, ...]:
    if isinstance(names, str | Mapping) or not isinstance(names, Iterable):
        raise DataError(f"label_schema is {shown(names)}: expected a list of label names.")
    given = sorted(names, key=str) if isinstance(names, set | frozenset) else names  # a set has no order of its own
    try:
        return tuple(dict.fromkeys(read_name(name) for name in given))
    except ValueError as error:
        raise DataError(f"label_schema {error}.") from error
