"""Records as an Argilla 2 folder, which `Dataset.from_disk` reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from ..record import Record
from ..settings import Settings
from ..spans import split
from .asked import Account
from .jsonl import line
from .staged import staged

QUESTION = {"TextClassification": "label", "TokenClassification": "spans", "Text2Text": "answer"}
_USERS = UUID("0d7a3f5e-25d9-5b7e-8d1a-6f1f0a1c9b42")


def write(records: Iterator[Record], path: Path, account: Account, settings: Settings | None = None) -> int:
    """The folder: records.json, and the labels of the settings in their order, then others that were met, sorted.

    Counted, for Argilla 2 has no place for it: status Edited, times, agents that are no uuid (it wants one), tokens
    that are not those of white space, explanations, metrics, search keywords, and ids as numbers.
    """
    labels: set[str] = set()
    inputs: dict[str, None] = {}
    vectors: dict[str, int] = {}
    count, first, several = 0, None, False
    with staged(path) as aside:
        (aside / ".argilla").mkdir(parents=True)
        with (aside / "records.json").open("w", encoding="utf-8") as file:
            for record in records:
                file.write(("[\n" if not count else ",\n") + line(_row(record, account)))
                count, first = count + 1, first or record
                several = several or bool(getattr(record, "multi_label", False))
                labels |= _labels(record)
                inputs |= dict.fromkeys(_fields(record))
                vectors |= {name: len(values) for name, values in (record.vectors or {}).items()}
            file.write("\n]\n")
        task = first.task if first is not None else ""
        known = () if settings is None else settings.label_schema
        options = [*known, *sorted(labels - set(known))]
        schema = _settings(task, several, options, (list(inputs), vectors))
        told = {"name": path.name, "allow_extra_metadata": True, "status": "draft"}
        for name, value in (("settings", schema), ("dataset", told)):
            (aside / ".argilla" / f"{name}.json").write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    return count


def _fields(record: Any) -> dict[str, str]:
    if record.task != "TextClassification" or record.text is not None:
        return {"text": record.text}
    return {name: value if isinstance(value, str) else "\n".join(value) for name, value in record.inputs.items()}


def _labels(record: Record) -> set[str]:
    if record.task == "Text2Text":
        return set()
    given = record.annotation
    found = [given] if isinstance(given, str) else [part if isinstance(part, str) else part[0] for part in given or ()]
    return {*found, *(part[0] for part in record.prediction or ())}


def _row(record: Any, account: Account) -> dict[str, Any]:
    question = QUESTION[record.task]
    row: dict[str, Any] = {"id": str(record.id), "fields": _fields(record), "metadata": record.metadata}
    row |= {"suggestions": {}, "responses": {}, "vectors": record.vectors or {}, "_server_id": None}
    row["status"] = "completed" if record.annotation is not None else "pending"
    _count_lost(record, account)
    if record.annotation is not None or record.status == "Discarded":
        agent = record.annotation_agent or "unknown"
        status = "discarded" if record.status == "Discarded" else "submitted"
        response = {"value": _value(record, record.annotation), "user_id": _user(agent), "status": status}
        row["responses"][question] = [response]
    if record.prediction:
        row["suggestions"][question] = _suggestion(record, account)
    return row


def _value(record: Any, labels: Any) -> Any:
    if labels is None or record.task != "TokenClassification":
        return labels
    return [{"label": label, "start": start, "end": end} for label, start, end in labels]


def _suggestion(record: Any, account: Account) -> dict[str, Any]:
    agent = record.prediction_agent
    if record.task == "TokenClassification" or getattr(record, "multi_label", False):
        names = [part[:-1] if record.task == "TokenClassification" else part[0] for part in record.prediction]
        scores = [part[-1] for part in record.prediction]
        return {"value": _value(record, names), "score": scores, "agent": agent}
    if len(record.prediction) > 1:
        account.add("predictions beside the best of a record", len(record.prediction) - 1)
    value, score = max(record.prediction, key=lambda part: part[1])
    return {"value": value, "score": score, "agent": agent}


def _user(agent: str) -> str:
    try:
        return str(UUID(agent))
    except ValueError:
        return str(uuid5(_USERS, agent))


def _count_lost(record: Any, account: Account) -> None:
    account.add("event times")
    agent = record.annotation_agent
    lost = {
        "records whose status is Edited": record.status == "Edited",
        "ids as numbers: they are texts there": isinstance(record.id, int),
        "names of annotators: they are made-up uuids there": agent is not None and _user(agent) != agent,
        "records' tokens": record.task == "TokenClassification" and record.tokens != split(record.text),
        "lists among inputs: they are one text there": any(
            not isinstance(part, str) for part in (getattr(record, "inputs", None) or {}).values()
        ),
    }
    for name in ("explanation", "metrics", "search_keywords"):
        lost[f"records' {name}"] = bool(getattr(record, name, None))
    for reason, is_lost in lost.items():
        if is_lost:
            account.add(reason)


def _settings(task: str, several: bool, labels: list[str], names: tuple[list[str], dict[str, int]]) -> dict[str, Any]:
    fields, vectors = names
    options = [{"value": name, "text": name, "description": None} for name in labels]
    kinds: dict[str, dict[str, Any]] = {
        "TextClassification": {"type": "multi_label_selection" if several else "label_selection", "options": options},
        "TokenClassification": {"type": "span", "field": "text", "options": options, "allow_overlapping": True},
        "Text2Text": {"type": "text", "use_markdown": False},
    }
    question = {"name": QUESTION[task], "title": QUESTION[task], "description": None, "required": True}
    return {
        "guidelines": None,
        "questions": [{**question, "settings": kinds[task]}],
        "fields": [
            {"name": name, "title": name, "required": False, "settings": {"type": "text", "use_markdown": False}}
            for name in fields
        ],
        "vectors": [{"name": name, "title": name, "dimensions": size} for name, size in vectors.items()],
        "metadata": [],
        "allow_extra_metadata": True,
    }
