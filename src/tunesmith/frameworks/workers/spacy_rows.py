"""Rows as spaCy's documents, and what a pipeline found in them as rows. spaCy alone is imported, by its own worker."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from spacy.tokens import Doc
from spacy.training import Example

ENTITIES, TAGGER = "ner", "tagger"


def _doc(nlp: Any, text: str, words: Sequence[str]) -> Any:
    """Words parted by one space, or those that the pipeline makes of a text; one without a word becomes a blank."""
    if words:
        return Doc(nlp.vocab, words=list(words), spaces=[*[True] * (len(words) - 1), False])
    return nlp.make_doc(text or " ")


def docs(nlp: Any, rows: Mapping[str, list[Any]]) -> list[Any]:
    """A document of each row."""
    return [_doc(nlp, text, words) for text, words in zip(rows["text"], rows["words"], strict=True)]


def gold(nlp: Any, rows: Mapping[str, list[Any]], component: str, names: Sequence[str]) -> tuple[list[Any], list[int]]:
    """spaCy's examples of rows with what is to be learned, and how many spans of how many texts are left out."""
    made, skipped = [], [0, 0]
    told = zip(docs(nlp, rows), rows["labels"], rows["starts"], rows["ends"], strict=True)
    for doc, labels, starts, ends in told:
        read = Doc(nlp.vocab, words=[token.text for token in doc], spaces=[bool(token.whitespace_) for token in doc])
        if component == ENTITIES:
            count = _mark(doc, list(zip(labels, starts, ends, strict=True)))
            skipped = [skipped[0] + count, skipped[1] + bool(count)]
        elif component == TAGGER:
            for token, tag in zip(doc, labels, strict=True):
                token.tag_ = tag
        else:
            doc.cats = {name: float(name in labels) for name in names}
        made.append(Example(read, doc))
    return made, skipped


def _mark(doc: Any, spans: Sequence[tuple[str, int, int]]) -> int:
    """Set entities; the words under one that does not end where words end say nothing. The number of these."""
    found = [doc.char_span(start, end, label=label) for label, start, end in spans]
    held = {token.i for entity in found if entity is not None for token in entity}
    missing = []
    for entity, (_, start, end) in zip(found, spans, strict=True):
        if entity is None and (wide := doc.char_span(start, end, alignment_mode="expand")) is not None:
            missing += [doc[token.i : token.i + 1] for token in wide if token.i not in held]
    doc.set_ents([entity for entity in found if entity is not None], missing=missing)
    return found.count(None)


Found = list[tuple[str, float, int, int, int, int]]
"""Label, score, first character, end, first word and word after the last of what was found in a document."""


def classes(docs: Sequence[Any]) -> Iterator[Found]:
    """Each category, with its probability."""
    for doc in docs:
        yield [(label, float(score), 0, 0, 0, 0) for label, score in doc.cats.items()]


def entities(docs: Sequence[Any], scores: Sequence[Sequence[float]]) -> Iterator[Found]:
    """scores: of each document's entities."""
    for doc, own in zip(docs, scores, strict=True):
        yield [
            (entity.label_, score, entity.start_char, entity.end_char, entity.start, entity.end)
            for entity, score in zip(doc.ents, own, strict=True)
        ]


def tags(docs: Sequence[Any], scores: Sequence[Any]) -> Iterator[Found]:
    """A tag for each word. scores: of each document, an array of (words, tags)."""
    for doc, own in zip(docs, scores, strict=True):
        yield [
            (token.tag_, float(score), token.idx, token.idx + len(token), token.i, token.i + 1)
            for token, score in zip(doc, own.max(axis=1), strict=True)
        ]
