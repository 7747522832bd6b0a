"""Label Studio's JSON export (the full one, not JSON_MIN): a list of tasks with `data`, `annotations`, `predictions`.

Of each task the first annotation that was not cancelled and the first prediction are taken; further ones are counted.
Results of type choices (one class, or several), labels (spans; also hypertextlabels) and textarea (written text) are
read, those of one control: the first, or the one named in `columns` under label, tags or target. The text is the key
of `data` that `columns` names under text, or one with a usual name, or the only text; other keys, and `meta`, go to
the metadata. A task whose annotations were all cancelled is Discarded. Ids are those of the tasks. Where tasks carry
the project's `label_config`, it declares the order of the labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from ...data.columns import resolve
from ...errors import DataError, RowError
from ...tasks.text_classification import HINTS
from ..kept_labels import names_in
from ..record import Record
from ..settings import Settings
from .asked import Account, Asked, Row
from .json_values import is_list, json_lines, json_list
from .jsonl import line
from .kept import KEY, made, rest_of, with_labels
from .label_config import labels_of
from .rows import PEEKED
from .staged import text_file

_TASKS = {
    "choices": "TextClassification",
    "labels": "TokenClassification",
    "hypertextlabels": "TokenClassification",
    "textarea": "Text2Text",
}
_CONTROLS = {
    "TextClassification": ("label", "choices"),
    "TokenClassification": ("tags", "labels"),
    "Text2Text": ("target", "textarea"),
}
Results = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class _Plan:
    """task; control: the `from_name` that is read (None: any); text: key of `data`; several: multi-label."""

    task: str
    control: str | None
    text: str
    several: bool
    asked: Asked


def read(asked: Asked) -> Iterator[Record]:
    """The tasks of an export, one after the other; see the module."""
    path = Path(asked.path)
    rows = json_list(path) if is_list(path) else json_lines(path)
    peeked = list(islice(rows, PEEKED))
    plan = _plan([row for _, row in peeked if isinstance(row, Mapping)], asked)
    yield from asked.each(chain(peeked, rows), lambda place, row: _record(place, row, plan))


def _plan(rows: list[Row], asked: Asked) -> _Plan:
    if rows and not isinstance(rows[0].get("data"), Mapping):
        raise DataError(
            f"{asked.path} is no list of Label Studio tasks, which have 'data' and 'annotations': export as JSON, and "
            "not as JSON_MIN (which is read as plain rows, with the format 'json')."
        )
    results = [part for row in rows for of in ("annotations", "predictions") for part in _all(row, of)]
    kinds = [_TASKS[str(part.get("type"))] for part in results if part.get("type") in _TASKS]
    task = asked.task or (kinds[0] if kinds else "TextClassification")
    given: dict[str, Any] = dict(asked.columns) if isinstance(asked.columns, Mapping) else {}
    role, _ = _CONTROLS[task]
    control = given.get(role) or given.get("label")
    if control is None:
        names = [part.get("from_name") for part in results if _TASKS.get(str(part.get("type"))) == task]
        control = names[0] if names else None
    keys = list(dict.fromkeys(key for row in rows for key, value in row["data"].items() if isinstance(value, str)))
    text = given.get("text") or asked.columns
    if not isinstance(text, str):
        ours = any(map(_kept, rows))
        text = "text" if ours else keys[0] if len(keys) == 1 else _text_key(keys, asked)
    asked.order.column = control
    several = any(
        len(part["value"].get("choices") or ()) > 1
        for part in results
        if part.get("from_name") == control and isinstance(part.get("value"), Mapping)
    )
    return _Plan(task, control, text, several, asked)


def _kept(row: Row) -> Mapping[str, Any]:
    meta = row.get("meta")
    found = meta.get(KEY) if isinstance(meta, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _text_key(keys: list[str], asked: Asked) -> str:
    hints = {"text": HINTS["text"]}
    return resolve(keys, roles=("text",), optional=(), hints=hints, given=None, task=f"data of {asked.path}")["text"]


def _all(row: Row, of: str) -> Iterator[Mapping[str, Any]]:
    for each in row.get(of) or ():
        yield from (part for part in _results(each) if isinstance(part, Mapping))


def _results(each: Any) -> Results:
    found = each.get("result") if isinstance(each, Mapping) else None
    return found if isinstance(found, list) else ()


def _record(place: int, row: Row, plan: _Plan) -> Record:
    data = row.get("data") if isinstance(row, Mapping) else None
    if not isinstance(data, Mapping):
        raise RowError(place, "data", "is missing: expected a Label Studio task")
    meta = row.get("meta") if isinstance(row.get("meta"), Mapping) else {}
    known = _kept(row)
    if told := labels_of(row):
        plan.asked.order.declare(told)
    elif plan.control in (None, "label"):  # the control that `write` names
        plan.asked.order.keep(names_in(known))
    inputs = known.get("inputs") or {}
    text = data.get(plan.text)
    if not isinstance(text, str) and not inputs:
        raise RowError(place, f"data.{plan.text}", "is missing: expected text")
    rest = {key: value for key, value in (meta or {}).items() if key != KEY}
    rest |= {key: value for key, value in data.items() if key != plan.text and key not in inputs}
    said: dict[str, Any] = {"text": text, "id": known.get("id", row.get("id")), "metadata": rest or None}
    if inputs:
        said["inputs"] = {name: data.get(name, value) for name, value in dict(inputs).items()}
    given = [each for each in row.get("annotations") or () if isinstance(each, Mapping)]
    sound = [each for each in given if not each.get("was_cancelled")]
    if len(sound) > 1:
        plan.asked.account.add("further annotations of a task", len(sound) - 1)
    if sound:
        said |= _labels(sound[0], place, plan, text, known)
        by = sound[0].get("completed_by")
        by = by.get("email", by.get("id")) if isinstance(by, Mapping) else by
        said["annotation_agent"] = known.get("annotation_agent") or (None if by is None else str(by))
    elif given:
        said["status"] = "Discarded"
    if predictions := [each for each in row.get("predictions") or () if isinstance(each, Mapping)]:
        if len(predictions) > 1:
            plan.asked.account.add("further predictions of a task", len(predictions) - 1)
        said |= _predicted(predictions[0], place, plan, text)
    names = {"text": f"data.{plan.text}", "annotation": "annotations", "prediction": "predictions"}
    return made(plan.task, known, said, place, names)


def _parts(each: Mapping[str, Any], place: int, plan: _Plan) -> Iterator[Mapping[str, Any]]:
    """The results of the control that is read, with their values; others are counted."""
    for part in _results(each):
        kind = part.get("type") if isinstance(part, Mapping) else None
        if _TASKS.get(str(kind)) != plan.task or part.get("from_name") != plan.control:
            plan.asked.account.add(f"results of type {kind!r} of other controls")
        elif not isinstance(part.get("value"), Mapping):
            raise RowError(place, "annotations", f"has a result without a value: {part!r}")
        else:
            yield part


def _labels(each: Mapping[str, Any], place: int, plan: _Plan, text: Any, known: Mapping[str, Any]) -> dict[str, Any]:
    values = [part["value"] for part in _parts(each, place, plan)]
    if plan.task == "TokenClassification":
        return {"annotation": [_span(value, name, text, place) for value in values for name in _names(value)]}
    if plan.task == "Text2Text":
        texts = [found for value in values for found in _texts(value)]
        if len(texts) > 1:
            plan.asked.account.add("further texts of a task", len(texts) - 1)
        return {"annotation": texts[0] if texts else None}
    labels = [name for value in values for name in value.get("choices") or ()]
    if known.get("multi_label") or len(labels) > 1 or (plan.several and not known):
        return {"annotation": labels, "multi_label": True}
    return {"annotation": labels[0] if labels else None}


def _names(value: Mapping[str, Any]) -> Sequence[str]:
    return value.get("labels") or value.get("hypertextlabels") or ()


def _texts(value: Mapping[str, Any]) -> list[str]:
    found = value.get("text")
    return [found] if isinstance(found, str) else list(found or ())


def _span(value: Mapping[str, Any], label: str, text: str, place: int) -> tuple[str, int, int]:
    """Offsets are checked against the text that is stored with a span: HTML counts otherwise."""
    offsets = value.get("globalOffsets") if isinstance(value.get("globalOffsets"), Mapping) else value
    start, end = (offsets or {}).get("start"), (offsets or {}).get("end")
    if isinstance(start, str) and start.isdecimal() and isinstance(end, str) and end.isdecimal():
        start, end = int(start), int(end)
    if not isinstance(start, int) or not isinstance(end, int):
        raise RowError(place, "annotations", f"has a span from {start!r} to {end!r}: expected numbers of characters")
    marked = value.get("text")
    if isinstance(marked, str) and marked.strip() != text[start:end].strip():
        raise RowError(place, "annotations", f"marks {marked!r}, but the text has {text[start:end]!r} there")
    return label, start, end


def _predicted(each: Mapping[str, Any], place: int, plan: _Plan, text: Any) -> dict[str, Any]:
    whole = each.get("score")
    found: list[tuple[Any, ...]] = []
    for part in _parts(each, place, plan):
        value = part["value"]
        score = next((one for one in (part.get("score"), value.get("score"), whole) if one is not None), 1.0)
        if plan.task == "TokenClassification":
            found += [(*_span(value, name, text, place), score) for name in _names(value)]
        else:
            names = _texts(value) if plan.task == "Text2Text" else value.get("choices") or ()
            found += [(name, score) for name in names]
    return {"prediction": found, "prediction_agent": each.get("model_version") or None}


def write(records: Iterator[Record], path: Path, account: Account, settings: Settings | None = None) -> int:
    """A list of tasks for import. Controls are called label (Choices, Labels) or answer (TextArea), the text `text`.

    What Label Studio has no key for stands in `meta` under `tunesmith`, which it gives back; with the first task the
    labels of the settings.
    """
    labels = () if settings is None else settings.label_schema
    count = 0
    with text_file(path) as file:
        for record in records:
            file.write(("[\n" if not count else ",\n") + line(_task(record, with_labels({}, labels, count))))
            count += 1
        file.write("\n]\n")
    return count


def _task(record: Any, more: Mapping[str, Any]) -> dict[str, Any]:
    told = {"text", "annotation", "prediction", *(["prediction_agent"] if record.prediction is not None else [])}
    row: dict[str, Any] = {"data": {"text": record.text} if record.text is not None else dict(record.inputs)}
    if isinstance(record.id, int):
        row["id"] = record.id
    if record.annotation is not None:
        row["annotations"] = [{"result": _written(record, record.annotation), "was_cancelled": False}]
    else:
        row["annotations"] = []
    row["predictions"] = []
    if record.prediction is not None:
        given = [(part[:-1] if len(part) > 2 else part[0], part[-1]) for part in record.prediction]
        result = [{**_written(record, [part])[0], "score": score} for part, score in given]
        agent = {"model_version": record.prediction_agent} if record.prediction_agent else {}
        row["predictions"] = [{"result": result, **agent}]
    return {**row, "meta": {KEY: {**rest_of(record, told), **more}}}


def _written(record: Any, labels: Any) -> list[dict[str, Any]]:
    if record.task == "TokenClassification":
        values = [
            {"start": start, "end": end, "text": record.text[start:end], "labels": [label]}
            for label, start, end in labels
        ]
        kind, control = "labels", "label"
    elif record.task == "Text2Text":
        values, kind, control = [{"text": [labels] if isinstance(labels, str) else labels}], "textarea", "answer"
    else:
        values, kind, control = [{"choices": [labels] if isinstance(labels, str) else labels}], "choices", "label"
    named = {"from_name": control, "to_name": "text", "type": kind}
    return [{"id": f"{kind}{place}", **named, "value": value} for place, value in enumerate(values)]
