"""What a query means, said once more and slowly: queries as small trees, their text, and which records meet them."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any

from hypothesis import strategies as st

from tunesmith.records.types import TextClassificationRecord

WORDS = ["fox", "Dog", "quick", "café", "日本", "don't", "a1", "A1b"]
LABELS = ["pos", "neg", "New York", "p*s", "Pos"]
AGENTS = ["me", "you"]
STATUSES = ["Default", "Edited", "Discarded", "Validated"]
SPLITS = ["train", "test", "Train", "3", "true"]
NUMBERS = [-5, 0, 3, 3.5, 10]
DAYS = ["2023-12-31T23:59:59.999999", "2024-01-01T00:00:00", "2024-05-17T09:30:00", "2024-05-17T09:30:00.500000"]
DAYS_ASKED = ["2024-05-17", "2024-05-17T09:30:00"]

Query = tuple[Any, ...]


def record(seed: int) -> TextClassificationRecord:
    """A record of few values, so that queries meet some."""
    draw = random.Random(seed)
    several = draw.random() < 0.5
    prediction = [(label, draw.choice([0.1, 0.5, 0.9])) for label in draw.sample(LABELS, 2)]
    said = " ".join(draw.choices(WORDS, k=draw.randint(0, 4)))
    other = " ".join(draw.choices(WORDS, k=2))
    many = {"title": said, "body": [other, "fox dog"]}
    metadata = {"split": draw.choice(SPLITS), "n": draw.choice(NUMBERS), "deep": {"tags": draw.sample(SPLITS, 2)}}
    annotation = draw.sample(LABELS, draw.randint(0, 2)) if several else draw.choice(LABELS)
    return TextClassificationRecord(
        inputs={"text": said} if draw.random() < 0.7 else many,
        id=seed if draw.random() < 0.5 else f"id-{seed}",
        prediction=prediction if draw.random() < 0.6 else None,
        prediction_agent=draw.choice(AGENTS),
        annotation=annotation if draw.random() < 0.6 else None,
        annotation_agent=draw.choice(AGENTS),
        multi_label=several,
        status=draw.choice(STATUSES),
        metadata=metadata if draw.random() < 0.8 else {"flag": draw.choice([True, False])},
        event_timestamp=datetime.fromisoformat(draw.choice(DAYS)),
        vectors={"v": [1.0, draw.random()]} if draw.random() < 0.3 else None,
    )


def quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def queries() -> st.SearchStrategy[Query]:
    word, any_of = st.sampled_from(WORDS), st.sampled_from
    bounds = st.tuples(st.none() | any_of([-5, 0.5, 3, 4]), st.none() | any_of([0.5, 3, 10]))
    leaves = [
        ("word", any_of(["", "text", "title", "body"]), word),
        ("exact", any_of(["", "title", "body"]), any_of([*WORDS, "dog", "A1*", "f?x", "ca*é"])),
        ("phrase", st.lists(word, min_size=2, max_size=3)),
        ("wild", any_of(["", "text", "title"]), any_of("f* ?og *k q*c? *".split())),
        ("label", any_of(["annotated_as", "predicted_as"]), any_of(LABELS)),
        ("label", any_of(["annotated_by", "predicted_by"]), any_of(AGENTS)),
        ("label", st.just("predicted"), any_of(["ok", "ko"])),
        ("labels", any_of(["annotated_as", "metadata.split"]), any_of(["p*", "?os", "*t*"])),
        ("status", any_of([*STATUSES, "dis*", "EDITED"])),
        ("meta", any_of(["split", "deep.tags"]), any_of(SPLITS)),
        ("metan", any_of(NUMBERS)),
        ("range", any_of(["score", "metadata.n"]), bounds, st.booleans(), st.booleans()),
        ("time", any_of([None, "2024", *DAYS_ASKED]), st.booleans()),
        ("id", st.integers(0, 39)),
        ("has", any_of("prediction metadata.n vectors.v text score".split())),
    ]
    return st.recursive(
        st.one_of(*(st.tuples(st.just(kind), *rest) for kind, *rest in leaves)),
        lambda inner: st.one_of(
            st.tuples(st.sampled_from(["and", "or", "next"]), inner, inner),
            st.tuples(st.sampled_from(["not", "-"]), inner),
        ),
        max_leaves=6,
    )


def text_of(query: Query) -> str:
    kind, *rest = query
    if kind in ("and", "or", "next"):
        return f"({text_of(rest[0])}{ {'and': ' AND ', 'or': ' OR ', 'next': ' '}[kind] }{text_of(rest[1])})"
    if kind in ("not", "-"):
        return f"{'NOT ' if kind == 'not' else '-'}({text_of(rest[0])})"
    if kind in ("word", "wild"):
        field = {"": "", "text": "text:"}.get(rest[0], f"inputs.{rest[0]}:")
        return field + rest[1]
    if kind == "exact":
        return f"{f'inputs.{rest[0]}' if rest[0] else 'text'}.exact:{rest[1]}"
    if kind == "phrase":
        return quoted(" ".join(rest[0]))
    if kind == "label":
        return f"{rest[0]}:{quoted(rest[1])}"
    if kind in ("status", "labels", "id"):
        return ":".join(map(str, ("status", *rest) if kind == "status" else ("id", *rest) if kind == "id" else rest))
    if kind == "meta":
        return f"metadata.{rest[0]}:{rest[1]}"
    if kind == "metan":
        return f"metadata.n:{rest[0]}"
    if kind == "range":
        field, (low, high), with_low, with_high = rest
        shown = ["*" if bound is None else str(bound) for bound in (low, high)]
        return f"{field}:{'[' if with_low else '{'}{shown[0]} TO {shown[1]}{']' if with_high else '}'}"
    if kind == "time":
        return f"event_timestamp:{rest[0] or '*'}" if rest[1] else f"event_timestamp:[* TO {rest[0] or '*'}]"
    return f"_exists_:{ {'prediction': 'predicted_as'}.get(rest[0], rest[0]) }"


def tokens(text: str) -> list[str]:
    """Of WORDS alone: without case and accents, split at apostrophes, Han signs alone."""
    plain = text.lower().replace("é", "e")
    return re.findall(r"[a-z0-9]+|[日本]", plain)


def parts(record: TextClassificationRecord, name: str | None = None) -> list[list[str]]:
    found = []
    for key, value in record.inputs.items():
        if name is None or key == name:
            found += [tokens(part) for part in ([value] if isinstance(value, str) else value)]
    return found


def in_row(wanted: list[str], found: list[str]) -> bool:
    return any(found[place : place + len(wanted)] == wanted for place in range(len(found) - len(wanted) + 1))


def labels(record: TextClassificationRecord, field: str) -> list[str]:
    if field == "annotated_as":
        held = record.annotation
        return [] if held is None else [held] if isinstance(held, str) else held
    if field == "predicted_as":
        if not record.prediction:
            return []
        if record.multi_label:
            return [label for label, score in record.prediction if score >= 0.5]
        return [max(record.prediction, key=lambda pair: pair[1])[0]]
    if field == "predicted":
        if record.prediction is None or record.annotation is None:
            return []
        return ["ok" if set(labels(record, "predicted_as")) == set(labels(record, "annotated_as")) else "ko"]
    if field == "metadata.split":
        return [record.metadata["split"]] if "split" in record.metadata else []
    side = field.partition("_")[0]
    held = record.annotation if side == "annotated" else record.prediction
    agent = record.annotation_agent if side == "annotated" else record.prediction_agent
    return [] if held is None or agent is None else [agent]


def within(value: float | None, query: Query) -> bool:
    _, _, (low, high), with_low, with_high = query
    if value is None:
        return False
    above = low is None or value > low or (with_low and value == low)
    return above and (high is None or value < high or (with_high and value == high))


def meets(record: TextClassificationRecord, query: Query) -> bool:
    """Whether the record is what the query asks for."""
    kind, *rest = query
    if kind in ("and", "next"):
        return meets(record, rest[0]) and meets(record, rest[1])
    if kind == "or":
        return meets(record, rest[0]) or meets(record, rest[1])
    if kind in ("not", "-"):
        return not meets(record, rest[0])
    if kind in ("word", "wild"):
        name = None if rest[0] == "" or (rest[0] == "text") else rest[0]
        found = parts(record, name)
        if kind == "word":
            return any(in_row(tokens(rest[1]), each) for each in found)
        return any(fnmatchcase(each, rest[1]) for part in found for each in part)
    if kind == "exact":
        chosen = [value for key, value in record.inputs.items() if rest[0] in ("", key)]
        texts = [part for value in chosen for part in ([value] if isinstance(value, str) else value)]
        return any(fnmatchcase(each, rest[1]) for text in texts for each in text.split())
    if kind == "phrase":
        return any(in_row(tokens(" ".join(rest[0])), each) for each in parts(record))
    if kind == "label":
        return rest[1] in labels(record, rest[0])
    if kind == "labels":
        return any(fnmatchcase(each, rest[1]) for each in labels(record, rest[0]))
    if kind == "status":
        return fnmatchcase(record.status.lower(), rest[0].lower())
    return _of_fields(record, query)


def _of_fields(record: TextClassificationRecord, query: Query) -> bool:
    kind, *rest = query
    scores = [score for _, score in record.prediction or []]
    if kind == "meta":
        held = (
            record.metadata.get("deep", {}).get("tags", [])
            if rest[0] == "deep.tags"
            else labels(record, "metadata.split")
        )
        return rest[1] in held
    if kind == "metan":
        return record.metadata.get("n") == rest[0]
    if kind == "range":
        return within(max(scores, default=None) if rest[0] == "score" else record.metadata.get("n"), query)
    if kind == "time":
        return _in_time(record, rest[0], rest[1])
    if kind == "id":
        return str(record.id) == str(rest[0])
    return {
        "prediction": bool(labels(record, "predicted_as")),
        "metadata.n": "n" in record.metadata,
        "vectors.v": record.vectors is not None,
        "text": any(parts(record)),
        "score": bool(scores),
    }[rest[0]]


def _in_time(record: TextClassificationRecord, said: str | None, equal: bool) -> bool:
    held = record.event_timestamp.replace(tzinfo=UTC).isoformat()
    if said is None:
        return True
    return held.startswith(said) if equal else held[: len(said)] <= said
