"""spaCy's DocBin files. Entities are spans, categories labels; what a Doc has no place for stands in its user data.

Read: entities (and, where there are none, the span group "sc") as annotations of tokens; else categories of at least
0.5 as labels: one for each text if every text has just one, a list otherwise. What else a Doc holds (tags, vectors,
dependencies) is left. Write: each record's own tokens, so that spans fit; the file holds all of them in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import DataError
from ..kept_labels import names_in
from ..record import Record
from ..settings import Settings
from ..types import TokenClassificationRecord
from .asked import Account, Asked, Row
from .kept import made, rest_of, text_of, with_labels
from .rows import made_up
from .staged import staged


def read(asked: Asked) -> Iterator[Record]:
    """The documents of a file, in order."""
    from ...frameworks.spacy_docs import read_docs

    rows = read_docs(Path(asked.path))
    tagged = any(row["spans"] is not None for row in rows)
    task = asked.task or ("TokenClassification" if tagged else "TextClassification")
    if task == "Text2Text":
        raise DataError(f"{asked.path}: a DocBin holds entities and categories, not text to be written.")
    several = any(len(_chosen(row["cats"])) != 1 for row in rows if row["cats"])

    def make(place: int, row: Row) -> Record:
        kept = row["kept"] if isinstance(row["kept"], Mapping) else {}
        asked.order.keep(names_in(kept))
        if task == "TokenClassification" and row["cats"]:
            asked.account.add("documents' categories")
        if task == "TextClassification" and row["spans"]:
            asked.account.add("documents' entities")
        known = kept.get("id", row["id"])
        said: dict[str, Any] = {"text": row["text"]}
        said["id"] = made_up(asked.path, place, row, {"text": "text"}) if known is None else known
        labels = _spans(row, asked, kept) if task == "TokenClassification" else _labels(row, asked, several, kept)
        return made(task, kept, {**said, **labels}, place, {"annotation": "ents", "prediction": "cats"})

    return asked.each(enumerate(rows), make)


def _spans(row: Row, asked: Asked, kept: Mapping[str, Any]) -> dict[str, Any]:
    spans = row["spans"]
    before = [tuple(span) for span in kept.get("annotation") or ()]  # a Doc sorts them
    if spans and sorted(before) == sorted(spans):
        spans = before
    if spans is not None and asked.side == "prediction":
        spans = [(*span, 1.0) for span in spans]
    tokens, whole = row["tokens"], kept.get("tokens")
    if isinstance(whole, list) and [token for token in whole if not token.isspace()] == tokens:
        tokens = whole  # with those of white space, which a Doc also has where a record has none
    return {"tokens": tokens, asked.side: spans}


def _chosen(cats: Mapping[str, float]) -> list[str]:
    return [name for name, score in cats.items() if score >= 0.5]


def _labels(row: Row, asked: Asked, several: bool, kept: Mapping[str, Any]) -> dict[str, Any]:
    cats = row["cats"]
    if not cats:
        return {}
    several = bool(kept.get("multi_label")) or len(_chosen(cats)) > 1 if kept else several
    if asked.side == "prediction":
        return {"prediction": list(cats.items()), "multi_label": several}
    chosen, before = _chosen(cats), kept.get("annotation")
    if isinstance(before, list) and sorted(set(before)) == sorted(chosen):
        chosen = before  # in the order they had
    return {"annotation": chosen, "multi_label": True} if several else {"annotation": chosen[0] if chosen else None}


def write(records: Iterator[Record], path: Path, account: Account, settings: Settings | None = None) -> int:
    """The labels of the settings stand in the user data of the first document.

    Raises: DataError, for records of Text2Text; NotInstalled, where spaCy is missing.
    """
    from ...frameworks.spacy_docs import write_docs

    labels = () if settings is None else settings.label_schema

    with staged(path) as aside:
        return write_docs(_docs(records, labels), aside)


def _docs(records: Iterator[Record], labels: Sequence[str]) -> Iterator[dict[str, Any]]:
    for place, record in enumerate(records):
        row = _doc(record)
        yield {**row, "kept": with_labels(row["kept"], labels, place)}


def _unsorted(spans: list[Any] | None) -> bool:
    return spans is not None and spans != sorted(spans, key=lambda span: span[1:])


def _doc(record: Any) -> dict[str, Any]:
    if record.task == "Text2Text":
        raise DataError("a DocBin holds entities and categories, not text to be written: choose another format.")
    row: dict[str, Any] = {"text": text_of(record), "id": str(record.id), "spans": None, "labels": None}
    if isinstance(record, TokenClassificationRecord):
        kept = {"annotation": _unsorted(record.annotation), "tokens": any(token.isspace() for token in record.tokens)}
        told = ("text", *(name for name, is_kept in kept.items() if not is_kept))
        return {**row, "tokens": record.tokens, "spans": record.annotation, "kept": rest_of(record, told)}
    given = record.annotation
    labels = [given] if isinstance(given, str) else given
    sorts = labels and labels == sorted(set(labels))
    told = ("text", *(("annotation",) if sorts else ()))
    return {**row, "tokens": None, "labels": labels, "kept": rest_of(record, told)}
