"""Readers of what a record is about: inputs, labels, spans and texts, each checked against the fields before it.

As in `fields`, a reader raises ValueError with the reason alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .fields import listed, read_flag, read_name, read_score, read_text, shown
from .spans import places, read_spans, spans_of

_EITHER = "a TextClassificationRecord needs 'text' or 'inputs', or both with the same text"


def read_inputs(value: Any, record: Any) -> dict[str, str | list[str]]:
    found = value if isinstance(value, Mapping) else {"text": value}
    inputs = {read_name(name): read_input(name, part) for name, part in found.items()}
    if not inputs:
        raise ValueError("is empty: expected at least one input")
    alone = inputs.get("text")
    if record.text is None and len(inputs) == 1 and isinstance(alone, str):
        object.__setattr__(record, "text", alone)
    elif record.text is not None and record.text != alone:
        raise ValueError(f"says {shown(alone)} for 'text', but text is {shown(record.text)}: {_EITHER}")
    return inputs


def read_input(name: str, value: Any) -> str | list[str]:
    parts = listed(value)
    try:
        return read_text(value) if parts is None else [read_text(part) for part in parts]
    except ValueError as error:
        raise ValueError(f"{shown(name)} {error}") from error


def inputs_of_text(record: Any) -> dict[str, str]:
    if record.text is None:
        raise ValueError(f"is missing: {_EITHER}")
    return {"text": record.text}


def read_classes(value: Any, record: Any) -> list[tuple[str, float]]:
    parts = list(value.items()) if isinstance(value, Mapping) else listed(value)
    if parts is None:
        raise ValueError(f"is of type {type(value).__name__}, {shown(value)}: expected a list of (label, score)")
    found = []
    for part in parts:
        cells = listed(part)
        if cells is None or len(cells) != 2:
            raise ValueError(f"holds {shown(part)}: expected (label, score)")
        found.append((read_name(cells[0]), read_score(cells[1])))
    return found


def read_labels(value: Any, record: Any) -> str | list[str]:
    parts = listed(value)
    if record.multi_label and parts is None:
        name = read_name(value)
        raise ValueError(f"is one label, {shown(name)}, but multi_label is True: write annotation=[{name!r}]")
    if not record.multi_label and parts is not None:
        one = f", or annotation={parts[0]!r}" if len(parts) == 1 else ""
        raise ValueError(f"is a list, {shown(parts)}, but multi_label is False: write multi_label=True{one}")
    return read_name(value) if parts is None else [read_name(part) for part in parts]


def read_multi(value: Any, record: Any) -> bool:
    many = read_flag(value)
    label = getattr(record, "annotation", None)
    if label is not None and many != isinstance(label, list):
        raise ValueError(f"is {many}, but the annotation is {shown(label)}: set the annotation to None first")
    return many


@dataclass(frozen=True, slots=True)
class Tags:
    """An annotation given as tags, with the spans given beside them."""

    tags: Any
    spans: Any


def read_tagged(value: Any, record: Any) -> str:
    text = read_text(value)
    if not text.strip():
        raise ValueError(f"is {shown(value)}: expected more than white space")
    places(text, record.tokens)
    return text


def text_of_tokens(record: Any) -> str:
    if record.tokens is None:
        raise ValueError("is missing: a TokenClassificationRecord needs 'text', 'tokens' or both")
    return " ".join(record.tokens)


def read_scored(value: Any, record: Any) -> list[Any]:
    return read_spans(value, record.text, record.tokens, scored=True)


def read_annotation(value: Any, record: Any) -> list[Any]:
    if not isinstance(value, Tags):
        return read_spans(value, record.text, record.tokens, scored=False)
    spans = spans_of(value.tags, record.text, record.tokens)
    if value.spans is not None and read_annotation(value.spans, record) != spans:
        raise ValueError(f"is {shown(value.spans)}, but the tags say {shown(spans)}: give one of the two")
    return spans


def text_needed(record: Any) -> str:
    raise ValueError("is missing: expected text")


def read_texts(value: Any, record: Any) -> list[tuple[str, float]]:
    parts = listed(value)
    if parts is None:
        raise ValueError(f"is of type {type(value).__name__}, {shown(value)}: expected a list of (text, score)")
    found = []
    for part in parts:
        cells = (part, 1.0) if isinstance(part, str) else listed(part)
        if cells is None or len(cells) != 2:
            raise ValueError(f"holds {shown(part)}: expected text or (text, score)")
        found.append((read_text(cells[0]), read_score(cells[1])))
    return found
