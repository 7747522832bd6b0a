"""Records in the JSON of Argilla 1.x servers, and back.

There a label is `{"class", "score"}` (`{"label", "start", "end", "score"}` of a span, `{"text", "score"}` of a text), a
group of them stands under the agent that gave them, and a vector under `value`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..errors import DataError, RowError
from .fields import shown
from .record import Record
from .types import TYPES

_INNER = {"TextClassification": "labels", "TokenClassification": "entities", "Text2Text": "sentences"}
_OWN = {
    "TextClassification": ("inputs", "multi_label", "explanation"),
    "TokenClassification": ("text", "tokens"),
    "Text2Text": ("text",),
}
_SHARED = ("id", "metadata", "status", "event_timestamp")
_DERIVED = {"metrics", "search_keywords", "last_updated", "predicted"}  # a server's own, which a client may send back
_AGENT = 64  # characters that its client takes

Given = Mapping[str, Any]


def from_wire(task: str, values: Any) -> Record:
    """The record of its JSON, checked.

    Raises:
        RowError: a part has another form than the protocol's, or a field does not hold.
    """
    if not isinstance(values, Mapping):
        raise DataError(f"a record is {shown(values)}: expected an object.")
    identity = values.get("id")
    row = identity if isinstance(identity, str | int) else shown(identity)
    own = _OWN[task]
    strange = set(values) - {*own, *_SHARED, *_DERIVED, "prediction", "annotation", "vectors"}
    if strange:
        raise RowError(row, min(strange), f"is no field of a {task} record")
    fields = {name: values.get(name) for name in (*own, *_SHARED)}
    try:
        fields["prediction_agent"], prediction = _group(values, "prediction", task)
        fields["annotation_agent"], annotation = _group(values, "annotation", task)
        fields["vectors"] = _vectors(values.get("vectors"))
    except _Form as error:
        raise RowError(row, error.column, error.reason) from None
    if task == "TextClassification":
        fields["multi_label"] = bool(fields["multi_label"])
    fields["prediction"] = prediction
    fields["annotation"] = None if annotation is None else _annotation(task, annotation, fields, row)
    return TYPES[task].from_dict({name: value for name, value in fields.items() if value is not None})


class _Form(Exception):
    """A part that has not the protocol's form."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(reason)
        self.column, self.reason = column, reason


def _group(values: Given, column: str, task: str) -> tuple[str | None, list[Any] | None]:
    """(the agent, what it gave) of `prediction` or `annotation`; twice None where there is none."""
    found = values.get(column)
    if found is None:
        return None, None
    inner = _INNER[task]
    parts = found.get(inner) if isinstance(found, Mapping) else None
    if not isinstance(parts, list):
        raise _Form(column, f'is {shown(found)}: expected {{"agent": …, "{inner}": […]}}')
    try:
        return found.get("agent") or None, [_READ[task](part) for part in parts]
    except (KeyError, TypeError, AttributeError):
        raise _Form(column, f"holds {shown(parts)}: expected {_SHAPE[task]} in each of its {inner}") from None


def _read_class(part: Given) -> tuple[Any, Any]:
    return part["class"], part.get("score", 1.0)


def _read_span(part: Given) -> tuple[Any, Any, Any, Any]:
    return part["label"], part["start"], part["end"], part.get("score", 1.0)


def _read_sentence(part: Given) -> tuple[Any, Any]:
    return part["text"], part.get("score", 1.0)


_READ: Mapping[str, Callable[[Given], tuple[Any, ...]]] = {
    "TextClassification": _read_class,
    "TokenClassification": _read_span,
    "Text2Text": _read_sentence,
}
_SHAPE = {
    "TextClassification": '"class" and "score"',
    "TokenClassification": '"label", "start", "end" and "score"',
    "Text2Text": '"text" and "score"',
}


def _annotation(task: str, parts: list[Any], fields: Given, row: str | int) -> Any:
    if task == "TokenClassification":
        return [part[:3] for part in parts]
    names = [part[0] for part in parts]
    if task == "TextClassification" and fields["multi_label"]:
        return names
    if len(names) == 1:
        return names[0]
    if task == "TextClassification" and not names:
        return None  # its client sends an empty list for a record whose label was taken away
    wanted = "one label, or multi_label" if task == "TextClassification" else "one text"
    raise RowError(row, "annotation", f"holds {len(names)} of them: expected {wanted}")


def _vectors(found: Any) -> dict[str, Any] | None:
    if found is None:
        return None
    if not isinstance(found, Mapping) or not all(
        isinstance(each, Mapping) and "value" in each for each in found.values()
    ):
        raise _Form("vectors", f'is {shown(found)}: expected {{"name": {{"value": […]}}}}')
    return {name: each["value"] for name, each in found.items()} or None


def to_wire(record: Record, *, vectors: bool = True) -> dict[str, Any]:
    """The JSON of a record; what every record of its task has is there, None where it is not set."""
    values = record.to_dict()
    task = record.task
    found: dict[str, Any] = {
        "id": values["id"],
        "metadata": values.get("metadata", {}),
        "status": values["status"],
        "event_timestamp": values["event_timestamp"],
        "metrics": values.get("metrics", {}),
        "vectors": {name: {"value": each} for name, each in (record.vectors or {}).items()} if vectors else {},
        **_own(task, values),
    }
    prediction = [_WRITE[task](*part) for part in values.get("prediction") or ()]
    found["prediction"] = _under(values, "prediction", _INNER[task], prediction)
    found["annotation"] = _under(values, "annotation", _INNER[task], _annotated(task, values.get("annotation")))
    return found


def _own(task: str, values: Given) -> dict[str, Any]:
    if task == "TokenClassification":
        return {"text": values["text"], "tokens": values["tokens"]}
    if task == "Text2Text":
        return {"text": values["text"]}
    return {
        "inputs": values.get("inputs") or {"text": values["text"]},
        "multi_label": values.get("multi_label", False),
        "explanation": values.get("explanation"),
    }


def _write_class(label: str, score: float) -> dict[str, Any]:
    return {"class": label, "score": score}


def _write_span(label: str, start: int, end: int, score: float) -> dict[str, Any]:
    return {"label": label, "start": start, "end": end, "score": score}


def _write_sentence(text: str, score: float) -> dict[str, Any]:
    return {"text": text, "score": score}


_WRITE: Mapping[str, Callable[..., dict[str, Any]]] = {
    "TextClassification": _write_class,
    "TokenClassification": _write_span,
    "Text2Text": _write_sentence,
}


def _annotated(task: str, annotation: Any) -> list[dict[str, Any]]:
    if annotation is None:
        return []
    if task == "TokenClassification":
        return [_write_span(label, start, end, 1.0) for label, start, end in annotation]
    parts = annotation if isinstance(annotation, list) else [annotation]
    return [_WRITE[task](part, 1.0) for part in parts]


def _under(values: Given, column: str, inner: str, parts: list[dict[str, Any]]) -> dict[str, Any] | None:
    """A group under its agent, whose name its client takes only up to a length, and never None."""
    if values.get(column) is None:
        return None
    return {"agent": (values.get(f"{column}_agent") or "")[:_AGENT], inner: parts}
