"""CoNLL: a token a line with its IOB2 tag, a blank line after each record. It holds tokens and spans, and no more."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ...data.formats import suffix_of
from ...errors import DataError
from ..record import Record
from ..spans import tags_of
from ..types import TokenClassificationRecord
from . import rows, tables
from .asked import Account, Asked
from .staged import text_file

_BREAKS = re.compile(r"[\t\r\n]")
_COMMENT = re.compile(r"#\s*(\w+\s*=|id\b)")  # before a sentence; a line of a document's start is none anywhere
_BOM = "\ufeff"
_COLUMNS = ("pos", "chunk")
_READS_OTHERWISE = "records with a token that reads as a comment or a blank"


def read(asked: Asked) -> Iterator[Record]:
    """The sentences, tags as annotations; fields between token and tag (pos, chunk) go to the metadata, one a token."""
    task = asked.task or "TokenClassification"
    known = asked.format is None or suffix_of(asked.path) in (".conllu", ".conll")
    return rows.records(tables.rows(asked.path, None if known else ".conll"), replace(asked, task=task))


def write(records: Iterator[Record], path: Path, account: Account) -> int:
    """Fields are separated by tabs. `pos` and `chunk` of the metadata are written where each token has one.

    Left out and counted: records without an annotation, with overlapping spans, or with a token that no line can hold;
    and, of those that are written, what is neither token nor annotation.

    Raises:
        DataError: records of another task.
    """
    count = 0
    width: int | None = None
    with text_file(path) as file:
        for record in records:
            if not isinstance(record, TokenClassificationRecord):
                raise DataError(f"CoNLL holds tokens and their spans, and no {record.task}: choose another format.")
            tags = _tags(record, account)
            if tags is None:
                continue
            extra = [found for name in _COLUMNS if (found := _column(record, name)) is not None]
            extra = extra if len(extra) == len(_COLUMNS) else []
            width = len(extra) if width is None else width
            if len(extra) != width:
                extra = extra[:width] if extra else [["_"] * len(tags)] * width
            lines = ["\t".join(fields) for fields in zip(record.tokens, *extra, tags, strict=True)]
            if _COMMENT.match(lines[0]):
                account.add(_READS_OTHERWISE)
                continue
            mark = _BOM if not count and lines[0].startswith(_BOM) else ""  # the first of a file is dropped in reading
            file.write(mark + "\n".join(lines) + "\n\n")
            _lost(record, account, told=set(_COLUMNS) if extra else set())
            count += 1
    return count


def _tags(record: TokenClassificationRecord, account: Account) -> Sequence[str] | None:
    """One tag a token, or None, with the reason in the account."""
    if record.annotation is None:
        account.add("records without an annotation")
    elif any(map(_BREAKS.search, (*record.tokens, *(label for label, _, _ in record.annotation)))):
        account.add("records with a tab or a line end in a token or label")
    elif not all(token.strip() and not token.startswith("-DOCSTART-") for token in record.tokens):
        account.add(_READS_OTHERWISE)
    else:
        try:
            return tags_of(record.annotation, record.text, record.tokens)
        except ValueError:
            account.add("records with overlapping spans")
    return None


def _column(record: TokenClassificationRecord, name: str) -> list[str] | None:
    found = record.metadata.get(name)
    if not isinstance(found, list) or len(found) != len(record.tokens):
        return None
    return found if all(isinstance(part, str) and part.split() == [part] for part in found) else None


def _lost(record: TokenClassificationRecord, account: Account, told: set[str]) -> None:
    if record.prediction is not None:
        account.add("predictions")
    if record.text != " ".join(record.tokens):
        account.add("texts that differ from their tokens joined by a blank")
    if set(record.metadata) - told:
        account.add("records' metadata")
    if record.vectors:
        account.add("records' vectors")
