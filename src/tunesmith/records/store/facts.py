"""What of a record is searched, filtered and sorted by: its row, beside the body."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Any, Protocol

import orjson

from ...errors import RowError
from ..query.words import BOUNDARY, SEVERAL, field_prefix, mark, status_mark, value_marks, words
from .clock import micros
from .schema import Row

LARGE_SCORE = 0.5  # from here on a label of a multi-label prediction is predicted

_SCORE = itemgetter(1)
Fields = Mapping[str, Any]
Facts = dict[str, list[Any]]


class Storable(Protocol):
    """What the store asks of a record."""

    @property
    def id(self) -> int | str: ...
    @property
    def key(self) -> str: ...
    @property
    def task(self) -> str: ...
    def to_dict(self) -> dict[str, Any]: ...


FOLLOWED = ("status", "annotation", "annotation_agent", "prediction", "prediction_agent")
"""The fields whose changes a history keeps."""


@dataclass(slots=True)
class Encoded:
    """A record ready to be written: its row but for data set, place and times; its vectors by name, None where it
    says nothing of them; its first line of history as JSON."""

    identity: int | str
    key: str
    row: Row
    vectors: dict[str, Any] | None
    line: str


def encode(record: Storable) -> Encoded:
    """Raises RowError where the record has a value that no database holds."""
    fields = record.to_dict()
    key, identity = record.key, record.id
    if not is_kept(key):
        raise RowError(identity, "id", "holds a NUL or half a surrogate pair: give an id that every database can keep.")
    vectors = fields.pop("vectors") if fields.get("vectors") else {}  # without any, the body says which none it is
    body = dump(fields, identity)
    facts, score = _facts(fields, record.task, identity)
    status = fields["status"]
    row = {
        "key": key,
        "status": status,
        "score": score,
        "event_timestamp": _timestamp(fields.get("event_timestamp")),
        "has_vectors": bool(vectors),
        "facts": orjson.dumps(facts).decode(),  # as text at once: a batch of lists would keep the collector busy
        "body": body,
        "terms": " ".join(_terms(fields, facts, status, vectors)),
    }
    line = {name: fields[name] for name in FOLLOWED if fields.get(name) is not None}
    return Encoded(identity, key, row, vectors or fields.get("vectors"), dump(line, identity))


def dump(fields: Fields, identity: int | str) -> str:
    """JSON of any Unicode text; what orjson refuses (half a surrogate pair, a very large int) is escaped."""
    try:
        return orjson.dumps(fields).decode()
    except TypeError:
        pass
    try:
        return json.dumps(fields, ensure_ascii=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise RowError(identity, "metadata", f"holds a value that JSON has no form for ({error}).") from error


def parse(body: str) -> dict[str, Any]:
    try:
        held: dict[str, Any] = orjson.loads(body)
    except orjson.JSONDecodeError:  # half a surrogate pair, which only Python's own reads back
        held = json.loads(body)
    return held


def _timestamp(value: Any) -> int | None:
    if value is None:
        return None
    return micros(value if isinstance(value, datetime) else datetime.fromisoformat(value))


def _terms(fields: Fields, facts: Facts, status: str, vectors: Fields) -> list[str]:
    """Marks, then the words; of several inputs also under the name of each."""
    terms = [status_mark(status)]
    for field, values in facts.items():
        terms.append(mark(field, "x"))
        terms += value_marks(field, values)
    terms += vector_marks(vectors)
    inputs = fields.get("inputs")
    parts = inputs if isinstance(inputs, dict) else {"text": fields.get("text") or ""}
    if len(parts) == 1 and isinstance(only := parts.get("text"), str):
        found = words(only)
        if found:
            terms.append(mark("text", "x"))
            terms += found
        return terms
    return terms + _several(parts)


def vector_marks(names: Iterable[str]) -> list[str]:
    return [mark(f"vectors.{name}", "x") for name in names]


def _several(parts: Fields) -> list[str]:
    texts = ((name, part) for name, value in parts.items() for part in ([value] if isinstance(value, str) else value))
    read = [(name, words(part)) for name, part in texts]
    terms = [SEVERAL]
    if any(found for _, found in read):
        terms.append(mark("text", "x"))
    for name, found in read:
        prefix = field_prefix(name)
        terms += [BOUNDARY, *(prefix + word for word in found)]
    for _, found in read:
        terms += [BOUNDARY, *found]
    return terms


def _facts(fields: Fields, task: str, identity: int | str) -> tuple[Facts, float | None]:
    """(field -> its values, the best score of the predictions)."""
    facts: Facts = {}
    prediction, annotation = fields.get("prediction"), fields.get("annotation")
    several, score = bool(fields.get("multi_label")), None
    predicted: list[str] = []
    if prediction is not None:
        scores = [part[-1] for part in prediction if part[-1] is not None]
        score = max(scores, default=None)
        if score is not None and not math.isfinite(sum(scores)):
            raise RowError(identity, "prediction", "a score is not a finite number.")
        predicted = predicted_labels(prediction, task, several)
        _put(facts, "predicted_as", predicted)
        _put(facts, "predicted_by", [fields.get("prediction_agent")])
    if annotation is not None:
        annotated = annotated_labels(annotation)
        _put(facts, "annotated_as", annotated)
        _put(facts, "annotated_by", [fields.get("annotation_agent")])
        if prediction is not None:
            spans = task == "TokenClassification"
            agreed = _same_spans(prediction, annotation) if spans else set(predicted) == set(annotated)
            facts["predicted"] = ["ok" if agreed else "ko"]
    if held := fields.get("metadata"):
        for key, value in held.items():
            _flatten(f"metadata.{key}", value, facts, identity)
    return facts, score


def annotated_labels(annotation: Any) -> list[str]:
    if isinstance(annotation, str):
        return [annotation]
    return list(dict.fromkeys(part if isinstance(part, str) else part[0] for part in annotation))


def predicted_labels(prediction: Sequence[Any], task: str, several: bool) -> list[str]:
    """The best label; of a multi-label record those of at least LARGE_SCORE; of spans every label."""
    if task == "TokenClassification":
        return list(dict.fromkeys(part[0] for part in prediction))
    if several:
        return [label for label, score in prediction if score >= LARGE_SCORE]
    return [max(prediction, key=_SCORE)[0]] if prediction else []


def _same_spans(prediction: Sequence[Any], annotation: Sequence[Any]) -> bool:
    return {tuple(part[:3]) for part in prediction} == {tuple(part[:3]) for part in annotation}


def _put(facts: Facts, field: str, values: Sequence[Any]) -> None:
    held = [plain(value) for value in values if value is not None]
    if held:
        facts[field] = held


def _flatten(path: str, value: Any, facts: Facts, identity: int | str) -> None:
    """Nested metadata under dotted names; a list gives each of its values."""
    if isinstance(value, dict):
        for key, part in value.items():
            _flatten(f"{path}.{key}", part, facts, identity)
    elif isinstance(value, (list, tuple)):
        for part in value:
            _flatten(path, part, facts, identity)
    elif value is not None:
        if isinstance(value, float) and not math.isfinite(value):
            raise RowError(identity, path, f"is {value}, which JSON has no form for: leave it out, or give a number.")
        field = plain(path)
        if field in facts:
            facts[field].append(plain(value))
        else:
            facts[field] = [plain(value)]


def is_kept(text: str) -> bool:
    """Whether a column of text holds this: PostgreSQL has no NUL, and neither database half a surrogate pair."""
    return text.isprintable() or not any(sign == "\0" or "\ud800" <= sign <= "\udfff" for sign in text)


def plain(value: Any) -> Any:
    """A copy to compare by: without what a column of text cannot hold. The body keeps the value itself."""
    if isinstance(value, str):
        if value.isascii():
            return value.replace("\0", "\ufffd") if "\0" in value else value
        return value.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return float(value) if abs(value) < 10**300 else str(value)
    return value
