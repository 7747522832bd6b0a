"""DocBin files of spaCy as plain rows, and plain rows as DocBin files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from ..errors import DataError, NotInstalled

_KEPT = "tunesmith"  # the key of user data under which rows keep what a Doc has no place for
_GROUP = "sc"  # of spans that may overlap, as spaCy's span categorizer calls it

Row = dict[str, Any]


def read_docs(path: Path) -> list[Row]:
    """A row a document: text, tokens, spans (None where none were set), cats, id, kept. A DocBin is read as a whole.

    Raises:
        DataError: no such file, or no DocBin. NotInstalled: spaCy is missing.
    """
    spacy, tokens = _spacy()
    if not path.is_file():
        raise DataError(f"there is no file {str(path)!r}.")
    try:
        found = tokens.DocBin().from_disk(path)
        return [_row(doc) for doc in found.get_docs(spacy.blank("xx").vocab)]
    except Exception as error:  # whatever zlib, msgpack and spaCy make of a file that is none
        raise DataError(f"{path} cannot be read as a DocBin: {error}") from error


def write_docs(rows: Iterable[Mapping[str, Any]], path: Path) -> int:
    """Writes a DocBin of rows with text, tokens (None: those of white space), spans, labels, id and kept.

    Spans that overlap stand in the span group "sc" instead of the entities. Every label of any row is a category of
    every row that has labels, 1.0 or 0.0.
    """
    spacy, tokens = _spacy()
    vocab = spacy.blank("xx").vocab
    made = [(_doc(vocab, row, tokens.Doc), row) for row in rows]
    names = sorted({name for _, row in made for name in row["labels"] or ()})
    store = tokens.DocBin(store_user_data=True)
    for doc, row in made:
        if row["labels"] is not None:
            doc.cats = {name: float(name in row["labels"]) for name in names}
        store.add(doc)
    store.to_disk(path)
    return len(made)


def _spacy() -> tuple[Any, Any]:
    try:
        import spacy
        import spacy.tokens
    except ImportError as error:
        raise NotInstalled("spaCy", "spacy", "a DocBin file") from error
    return spacy, spacy.tokens


def _row(doc: Any) -> Row:
    spans = [(span.label_, span.start_char, span.end_char) for span in doc.ents]
    overlapping = [(span.label_, span.start_char, span.end_char) for span in doc.spans.get(_GROUP, ())]
    is_set = bool(spans or overlapping or doc.has_annotation("ENT_IOB"))
    kept = doc.user_data.get(_KEPT)
    return {
        "text": doc.text,
        "tokens": [token.text for token in doc if not token.is_space],
        "spans": (spans or overlapping) if is_set else None,
        "cats": dict(doc.cats),
        "id": doc.user_data.get("id"),
        "kept": json.loads(kept) if isinstance(kept, str) else None,
    }


def _doc(vocab: Any, row: Mapping[str, Any], make: Any) -> Any:
    text = row["text"]
    words, spaces = _words(text, row["tokens"] if row["tokens"] is not None else text.split())
    doc = make(vocab, words=words, spaces=spaces)
    doc.user_data["id"] = row["id"]
    doc.user_data[_KEPT] = json.dumps(row["kept"], ensure_ascii=False)
    if row["spans"] is not None:
        found = [doc.char_span(start, end, label=label) for label, start, end in row["spans"]]
        if any(one.end > other.start for one, other in pairwise(sorted(found, key=lambda span: span.start))):
            doc.spans[_GROUP] = found
        else:
            doc.set_ents(found, default="outside")
    return doc


def _words(text: str, tokens: Sequence[str]) -> tuple[list[str], list[bool]]:
    """Words and whether a blank follows each, which together give the text: what is between tokens is words too."""
    words: list[str] = []
    spaces: list[bool] = []
    at = 0

    def add(part: str) -> None:
        if part.startswith(" ") and words and not spaces[-1]:
            spaces[-1], part = True, part[1:]
        if part:
            words.append(part)
            spaces.append(False)

    for token in tokens:
        start = text.index(token, at)
        add(text[at:start])
        words.append(token)
        spaces.append(False)
        at = start + len(token)
    add(text[at:])
    return words, spaces
