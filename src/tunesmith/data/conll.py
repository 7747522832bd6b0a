"""CoNLL files as Arrow tables: one row a sentence, one list column a field."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from ..errors import DataError
from .files import lines
from .rows import tables

_UNIVERSAL = ("tokens", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
# "#" may also be a token, so that only what is surely a comment is passed over
_COMMENT = re.compile(r"#\s*(\w+\s*=|id\b)")

Row = dict[str, list[str]]


def conll(path: Path) -> Iterator[pa.Table]:
    """One token a line, fields separated by blanks (by tabs where the first line has one), a blank line between
    sentences. The first field is `tokens`, the last `tags`; between them `pos` and `chunk` where there are three or
    four fields, `field_1` … otherwise. -DOCSTART- lines and comments before a sentence are passed over."""
    return tables(_sentences(path), str(path))


def conllu(path: Path) -> Iterator[pa.Table]:
    """CoNLL-U (universaldependencies.org/format.html): tokens, lemma, upos, xpos, feats, head, deprel, deps, misc.

    Tokens are the syntactic words: the lines of multiword ranges (1-2) and empty nodes (1.1) are passed over."""
    return tables(_universal_sentences(path), str(path))


def _sentences(path: Path) -> Iterator[Row]:
    names: Sequence[str] = ()
    mark: str | None = None
    words: list[list[str]] = []
    for number, line in enumerate(lines(path), start=1):
        text = line.rstrip("\r\n")
        if not text.strip():
            if words:
                yield _row(names, words)
            words = []
            continue
        if text.startswith("-DOCSTART-") or (not words and _COMMENT.match(text)):
            continue
        if not names:
            mark = "\t" if "\t" in text else None
            names = _names(len(text.split(mark)))
        words.append(_fields(text.split(mark), names, path, number))
    if words:
        yield _row(names, words)


def _universal_sentences(path: Path) -> Iterator[Row]:
    words: list[list[str]] = []
    for number, line in enumerate(lines(path), start=1):
        text = line.rstrip("\r\n")
        if not text.strip():
            if words:
                yield _row(_UNIVERSAL, words)
            words = []
        elif not text.startswith("#"):
            fields = _fields(text.split("\t"), ("id", *_UNIVERSAL), path, number)
            if fields[0].isdigit():
                words.append(fields[1:])
    if words:
        yield _row(_UNIVERSAL, words)


def _fields(fields: list[str], names: Sequence[str], path: Path, number: int) -> list[str]:
    if len(fields) != len(names):
        told = f"{len(fields)} fields where {len(names)} are expected ({', '.join(names)})"
        raise DataError(f"{path}, line {number}: {told}. Sentences are separated by a blank line.")
    return fields


def _names(width: int) -> tuple[str, ...]:
    known = {1: ("tokens",), 2: ("tokens", "tags"), 3: ("tokens", "pos", "tags"), 4: ("tokens", "pos", "chunk", "tags")}
    return known.get(width) or ("tokens", *(f"field_{place}" for place in range(1, width - 1)), "tags")


def _row(names: Sequence[str], words: Sequence[Sequence[str]]) -> Row:
    return {name: list(field) for name, field in zip(names, zip(*words, strict=True), strict=True)}
