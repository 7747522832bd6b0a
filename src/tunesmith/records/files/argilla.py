"""Argilla 2 exports: the folder of `Dataset.to_disk`, its records.json alone, and the columns of `to_datasets`.

The folder holds `records.json`, a list of {id, fields, metadata, suggestions, responses, vectors}, and
`.argilla/settings.json`. A record has one answer: that of one question (the first that a record type can hold, or the
one named in `columns` under label, tags or target), by the first response that was submitted; the first suggestion is
its prediction. Further responses and other questions are counted. Columns of `to_datasets` are told by names such as
`label.responses` and `label.suggestion`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from ...data.labels import name_of
from ...errors import DataError, RowError
from ...tasks.text_classification import HINTS
from ..fields import is_none, listed
from ..record import Record
from .argilla_out import write as write
from .asked import Asked, Row
from .json_values import is_list, json_lines, json_list
from .kept import made
from .rows import PEEKED, made_up, span_of

_TYPES = {
    "label_selection": "TextClassification",
    "multi_label_selection": "TextClassification",
    "rating": "TextClassification",
    "span": "TokenClassification",
    "text": "Text2Text",
}
_MARKS = (".responses", ".suggestion")
_OWN = ("id", "status", "_server_id", "score")


@dataclass(frozen=True)
class _Plan:
    """question: the one that is read, or None; field: the one it is about, where that is known."""

    task: str
    question: str | None
    several: bool
    field: str | None
    asked: Asked


def is_flat(names: Iterable[str]) -> bool:
    """Whether columns are those of `to_datasets`."""
    return any(name.endswith(_MARKS) for name in names)


def read(asked: Asked) -> Iterator[Record]:
    """The records of a folder, or of its records.json."""
    path = Path(asked.path)
    settings: Mapping[str, Any] = {}
    if path.is_dir():
        settings = _settings(path / ".argilla" / "settings.json")
        path = path / "records.json"
    if not path.is_file():
        raise DataError(f"{asked.path} holds no records.json: export with Dataset.to_disk(path, with_records=True).")
    rows = json_list(path) if is_list(path) else json_lines(path)
    return records(rows, asked, settings)


def records(rows: Iterable[tuple[int, Row]], asked: Asked, settings: Mapping[str, Any]) -> Iterator[Record]:
    """The records of rows in the form of records.json."""
    left = iter(rows)
    peeked = list(islice(left, PEEKED))
    plan = _plan([row for _, row in peeked if isinstance(row, Mapping)], asked, settings)
    yield from asked.each(chain(peeked, left), lambda place, row: _record(place, row, plan))


def flat(rows: Iterable[tuple[int, Row]], asked: Asked) -> Iterator[Record]:
    """The records of rows with the columns of `to_datasets`: texts are fields up to the first with an answer's name.

    Of the columns that are neither answers nor ids, the text is the one that `columns` names under text, or one with a
    usual name, or the first that holds text; lists of numbers are vectors; the others are metadata.
    """
    left = iter(rows)
    peeked = list(islice(left, PEEKED))
    names = list(dict.fromkeys(name for _, row in peeked for name in row))
    plain = [name for name in names if name not in _OWN and not any(mark in name for mark in _MARKS)]
    given = asked.columns.get("text") if isinstance(asked.columns, Mapping) else None
    usual = [name for name in HINTS["text"] if name in plain]
    texts = [name for name in plain if any(isinstance(row.get(name), str) for _, row in peeked)]
    text = given or next(iter([*usual, *texts]), None)
    if text is None:
        raise DataError(f"{asked.path}: no column holds text. Columns: {', '.join(names)}.")
    questions = [name.removesuffix(mark) for name in names for mark in _MARKS if name.endswith(mark)]
    nested = ((place, _nested(row, text, plain, questions)) for place, row in chain(peeked, left))
    return records(nested, asked, {})


def _nested(row: Row, text: str, plain: Sequence[str], questions: Sequence[str]) -> Row:
    vectors, metadata = {}, {}
    for name in plain:
        cells = listed(row.get(name))
        if cells and all(isinstance(cell, float) for cell in cells):
            vectors[name] = row[name]
        elif name != text:
            metadata[name] = row.get(name)
    responses: dict[str, Any] = {}
    suggestions: dict[str, Any] = {}
    for name in dict.fromkeys(questions):
        values = listed(row.get(f"{name}.responses")) or ()
        users = listed(row.get(f"{name}.responses.users")) or [None] * len(values)
        statuses = listed(row.get(f"{name}.responses.status")) or [None] * len(values)
        responses[name] = [
            {"value": value, "user_id": user, "status": status}
            for value, user, status in zip(values, users, statuses, strict=False)
        ]
        keys = {"value": "", "score": ".score", "agent": ".agent"}
        suggestions[name] = {key: row.get(f"{name}.suggestion{end}") for key, end in keys.items()}
    told = {"fields": {text: row.get(text)}, "metadata": metadata, "vectors": vectors}
    return {**told, "id": row.get("id"), "responses": responses, "suggestions": suggestions}


def _settings(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path}: not JSON ({error}).") from error
    return found if isinstance(found, Mapping) else {}


def _plan(rows: Sequence[Row], asked: Asked, settings: Mapping[str, Any]) -> _Plan:
    given = dict(asked.columns) if isinstance(asked.columns, Mapping) else {}
    named = next((given[role] for role in ("label", "tags", "target") if given.get(role)), None)
    kinds: dict[str, str] = {}
    fields: dict[str, str | None] = {}
    for each in settings.get("questions") or ():
        kinds[each["name"]] = (each.get("settings") or {}).get("type", "")
        fields[each["name"]] = (each.get("settings") or {}).get("field")
    for name, value in ((name, value) for row in rows for name, value in _values(row)):
        kinds.setdefault(name, _kind(value))
    if named is not None and kinds and named not in kinds:
        raise DataError(f"{asked.path}: no question {named!r}. Questions: {', '.join(kinds)}.")
    fitting = [name for name, kind in kinds.items() if asked.task is None or _TYPES.get(kind) == asked.task]
    can = [name for name in fitting if kinds[name] in _TYPES]
    question = named or next(iter(can), None)
    if question is None and asked.task == "Text2Text":  # text reads as a label where no settings tell
        question = next(iter(kinds), None)
    kind = kinds.get(question or "", "")
    task = asked.task or _TYPES.get(kind, "TextClassification")
    if question is not None and task != "Text2Text":
        _declare(question, settings, asked)
    return _Plan(task, question, kind == "multi_label_selection", fields.get(question or ""), asked)


def _declare(question: str, settings: Mapping[str, Any], asked: Asked) -> None:
    """The order of a question's options, as the settings tell it; else that of the column of its suggestions."""
    asked.order.column = f"{question}.suggestion"
    for each in settings.get("questions") or ():
        options = (each.get("settings") or {}).get("options")
        if each["name"] == question and isinstance(options, list):
            found = [option.get("value") for option in options if isinstance(option, Mapping)]
            asked.order.keep([name_of(value) for value in found if value is not None])


def _values(row: Row) -> Iterator[tuple[str, Any]]:
    for name, found in (row.get("responses") or {}).items():
        yield from ((name, each.get("value")) for each in found or ())
    for name, found in (row.get("suggestions") or {}).items():
        if not is_none(found.get("value")):
            yield name, found["value"]


def _kind(value: Any) -> str:
    """The type of a question that no settings tell, by an answer to it."""
    parts = listed(value)
    if parts is None:
        return "rating" if isinstance(value, int | float) else "label_selection"
    if any(isinstance(part, Mapping) for part in parts):
        return "span" if any("start" in part for part in parts) else "ranking"
    return "multi_label_selection"


def _record(place: int, row: Row, plan: _Plan) -> Record:
    fields = row.get("fields") if isinstance(row, Mapping) else None
    if not isinstance(fields, Mapping):
        raise RowError(place, "fields", "is missing: expected a record of Argilla 2")
    texts = {name: value for name, value in fields.items() if isinstance(value, str)}
    said, used = _about(texts, place, plan)
    others = {name: value for name, value in fields.items() if name not in used}
    metadata = {**others, **(row.get("metadata") or {})}
    said["metadata"] = {name: value for name, value in metadata.items() if not is_none(value)}
    said["id"] = row.get("id") or made_up(plan.asked.path, place, {"fields": fields}, {"text": "fields"})
    said["vectors"] = {name: value for name, value in (row.get("vectors") or {}).items() if value} or None
    for name, value in _values(row):
        if name != plan.question and value is not None:
            plan.asked.account.add(f"answers to the question {name!r}")
    if plan.question is not None:
        said |= _answered((row.get("responses") or {}).get(plan.question) or (), place, plan)
        said |= _suggested((row.get("suggestions") or {}).get(plan.question) or {}, place, plan)
    column = f"question {plan.question}"
    return made(plan.task, None, said, place, {"annotation": column, "prediction": column})


def _about(texts: Mapping[str, str], place: int, plan: _Plan) -> tuple[dict[str, Any], set[str]]:
    if not texts:
        raise RowError(place, "fields", "holds no text")
    given = plan.asked.columns.get("text") if isinstance(plan.asked.columns, Mapping) else None
    named = [name for name in (given, plan.field) if name is not None and name in texts]
    if named or len(texts) == 1 or plan.task != "TextClassification":
        name = next(iter([*named, *(name for name in ("text", "prompt", "source") if name in texts), *texts]))
        return {"text": texts[name]}, {name}
    return {"inputs": dict(texts)}, set(texts)


def _answered(responses: Sequence[Mapping[str, Any]], place: int, plan: _Plan) -> dict[str, Any]:
    """What the first submitted response says; where all were discarded, the first of these."""
    sound = [each for each in responses if each.get("status") not in ("discarded", "draft")]
    sound = [each for each in sound if not is_none(each.get("value"))]
    refused = [each for each in responses if each.get("status") == "discarded"]
    if len(sound) > 1:
        plan.asked.account.add("further responses to a record", len(sound) - 1)
    taken = sound or refused
    if not taken:
        return {}
    agent, value = taken[0].get("user_id"), taken[0].get("value")
    told: dict[str, Any] = {"annotation_agent": None if agent is None else str(agent)}
    told["status"] = None if sound else "Discarded"
    if is_none(value):
        return told
    found = told["annotation"] = _labels(value, place, plan)
    return told if plan.task != "TextClassification" else {**told, "multi_label": isinstance(found, list)}


def _labels(value: Any, place: int, plan: _Plan) -> Any:
    if plan.task == "TokenClassification":
        return [span_of(part, (place, f"question {plan.question}"))[:3] for part in listed(value) or ()]
    if plan.task == "Text2Text":
        return value
    parts = listed(value)
    return [value] if parts is None and plan.several else value if parts is None else list(parts)


def _suggested(suggestion: Mapping[str, Any], place: int, plan: _Plan) -> dict[str, Any]:
    value, score = suggestion.get("value"), suggestion.get("score")
    if is_none(value):
        return {}
    score = 1.0 if is_none(score) else score
    agent = suggestion.get("agent") or None
    if plan.task == "TokenClassification":
        parts = [span_of(part, (place, f"question {plan.question}")) for part in listed(value) or ()]
        scores = listed(score) or [score] * len(parts)
        pairs = zip(parts, scores, strict=True)
        found: list[Any] = [part if len(part) > 3 else (*part, one) for part, one in pairs]
    else:
        names = listed(value) or [value]
        found = list(zip(names, listed(score) or [score] * len(names), strict=True))
    several = {"multi_label": True} if plan.several and plan.task == "TextClassification" else {}
    return {"prediction": found, "prediction_agent": agent, **several}
