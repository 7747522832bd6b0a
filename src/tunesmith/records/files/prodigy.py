"""Prodigy's JSON lines: one task a line, with its answer.

Read: `text` with `label` (one category), `accept` (of `options`), `spans` (and `tokens`) or `user_input` (written
text). answer: accept is Validated; reject and ignore are Discarded, with the answer in the metadata. `meta` and keys
that are not Prodigy's go to the metadata; `_annotator_id` is the agent; other keys with a leading `_` are left.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any

from ...errors import RowError
from ..kept_labels import names_in
from ..record import Record
from ..settings import Settings
from ..spans import places
from ..types import TokenClassificationRecord
from .asked import Account, Asked, Row
from .json_values import is_list, json_lines, json_list
from .jsonl import line
from .kept import KEY, made, rest_of, text_of, with_labels
from .rows import PEEKED, made_up, span_of
from .staged import text_file

_STATUS = {"accept": "Validated", "reject": "Discarded", "ignore": "Discarded"}
_OWN = {"text", "label", "accept", "options", "spans", "tokens", "user_input", "answer", "meta", "config", "id", KEY}
_NOT_TAKEN = ("relations", "image", "audio", "audio_spans")


def read(asked: Asked) -> Iterator[Record]:
    """The tasks of a file; see the module."""
    path = Path(asked.path)
    rows = json_list(path) if is_list(path) else json_lines(path)
    peeked = list(islice(rows, PEEKED))
    task = asked.task or _guessed([row for _, row in peeked])

    def make(place: int, row: Row) -> Record:
        return _record(place, row, task, asked)

    yield from asked.each(chain(peeked, rows), make)


def _guessed(rows: list[Any]) -> str:
    keys = {key for row in rows if isinstance(row, Mapping) for key in row}
    if "spans" in keys:
        return "TokenClassification"
    if "user_input" in keys and not keys & {"label", "accept"}:
        return "Text2Text"
    return "TokenClassification" if "tokens" in keys and not keys & {"label", "accept"} else "TextClassification"


def _record(place: int, row: Row, task: str, asked: Asked) -> Record:
    if not isinstance(row, Mapping) or not isinstance(row.get("text"), str):
        raise RowError(place, "text", "is missing: expected a Prodigy task with a text")
    for key in _NOT_TAKEN:
        if row.get(key):
            asked.account.add(f"values of {key!r}")
    answer = row.get("answer")
    if answer is not None and answer not in _STATUS:
        raise RowError(place, "answer", f"is {answer!r}: expected accept, reject or ignore")
    kept = row.get(KEY)
    known = kept if isinstance(kept, Mapping) else {}
    asked.order.keep(names_in(known))
    meta = row.get("meta", {})
    meta = meta if isinstance(meta, Mapping) else {"meta": meta}
    others = {key: value for key, value in row.items() if key not in _OWN and key[:1] != "_" and key not in _NOT_TAKEN}
    metadata = {**meta, **{key: value for key, value in others.items() if value is not None}}
    if answer in ("reject", "ignore") and known.get("status") != "Discarded":
        metadata["answer"] = answer
    agent = row.get("_annotator_id") or row.get("_session_id")
    moment = row.get("_timestamp")
    said = {
        "text": row["text"],
        "id": row.get("id", known.get("id", made_up(asked.path, place, row, {"text": "text"}))),
        "status": None if answer is None or known.get("status") == "Edited" else _STATUS[answer],
        "metadata": metadata or None,
        "annotation_agent": None if agent is None else str(agent),
        "event_timestamp": datetime.fromtimestamp(moment, UTC) if isinstance(moment, int | float) else None,
        **_labels(place, row, task, asked),
    }
    return made(task, kept, said, place, {"annotation": _COLUMN[task], "prediction": _COLUMN[task]})


_COLUMN = {"TextClassification": "label", "TokenClassification": "spans", "Text2Text": "user_input"}


def _labels(place: int, row: Row, task: str, asked: Asked) -> dict[str, Any]:
    if task == "TokenClassification":
        tokens = [part.get("text") for part in row.get("tokens") or ()]
        if KEY not in row:  # spaCy has tokens of white space
            tokens = [token for token in tokens if str(token).strip()]
        spans = row.get("spans")
        if spans is None and row.get("answer") == "accept" and KEY not in row:
            spans = []  # looked at, and nothing found
        found: Any = None if spans is None else [span_of(part, (place, "spans")) for part in spans]
        if asked.side == "annotation" and found is not None:
            found = [part[:3] for part in found]
        return {asked.side: found, "tokens": tokens or None}
    if task == "Text2Text":
        text = row.get("user_input")
        return {asked.side: text if text is None or asked.side == "annotation" else [text]}
    accepted = row.get("accept")
    options = row.get("options")
    if KEY not in row and isinstance(options, list):  # ours have those that a record names
        found = [option.get("id") for option in options if isinstance(option, Mapping)]
        asked.order.column = "options"
        asked.order.declare({"options": [name for name in found if name is not None]})
    if accepted is None:
        label = row.get("label")
        if label is None or asked.side == "annotation":
            return {"annotation": label}
        return {"prediction": [(label, row.get("score", 1.0))]}
    style = row["config"].get("choice_style") if isinstance(row.get("config"), Mapping) else None
    several = style == "multiple" or (style is None and len(accepted) > 1)
    if asked.side == "prediction":
        return {"prediction": [(label, 1.0) for label in accepted], "multi_label": several}
    if several:
        return {"annotation": accepted, "multi_label": True}
    if len(accepted) > 1:
        raise RowError(place, "accept", f"holds {accepted!r}: expected one, for the choice is of a single one")
    return {"annotation": accepted[0] if accepted else None}


def write(records: Iterator[Record], path: Path, account: Account, settings: Settings | None = None) -> int:
    """A task a line, for `prodigy db-in`. What Prodigy has no key for stands under `tunesmith`, which it keeps.

    With the first task these are the labels of the settings too.
    """
    labels = () if settings is None else settings.label_schema
    count = 0
    with text_file(path) as file:
        for record in records:
            file.write(line(_task(record, with_labels({}, labels, count))) + "\n")
            count += 1
    return count


def _task(record: Any, more: Mapping[str, Any]) -> dict[str, Any]:
    told = {"text", "metadata", "tokens"}
    row: dict[str, Any] = {"text": text_of(record)}
    if isinstance(record, TokenClassificationRecord):
        row |= _tokens(record)
        told |= {"annotation"}
    elif record.task == "Text2Text" and record.annotation is not None:
        row["user_input"] = record.annotation
        told |= {"annotation"}
    elif isinstance(record.annotation, list):
        options = dict.fromkeys([*record.annotation, *(label for label, _ in record.prediction or ())])
        row["options"] = [{"id": name, "text": name} for name in options]
        row |= {"accept": record.annotation, "config": {"choice_style": "multiple"}}
        told |= {"annotation", "multi_label"}
    elif record.annotation is not None:
        row["label"] = record.annotation
        told |= {"annotation"}
    metadata = dict(record.metadata)
    if record.status == "Discarded":
        row["answer"] = metadata["answer"] if metadata.get("answer") in ("reject", "ignore") else "ignore"
    elif record.status == "Validated":
        row["answer"] = "accept"
        told |= {"status"}
    if metadata:
        row["meta"] = metadata
    return {**row, KEY: {**rest_of(record, told), **more}}


def _tokens(record: TokenClassificationRecord) -> dict[str, Any]:
    where = places(record.text, record.tokens)
    starts = {start: place for place, (start, _) in enumerate(where)}
    ends = {end: place for place, (_, end) in enumerate(where)}
    tokens = [
        {"text": token, "start": start, "end": end, "id": place, "ws": record.text[end : end + 1] == " "}
        for place, (token, (start, end)) in enumerate(zip(record.tokens, where, strict=True))
    ]
    found: dict[str, Any] = {"tokens": tokens}
    if record.annotation is not None:
        found["spans"] = [
            {"start": start, "end": end, "label": label, "token_start": starts[start], "token_end": ends[end]}
            for label, start, end in record.annotation
        ]
    return found
