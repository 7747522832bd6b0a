"""Examples as spaCy's documents, with gold for training and without for prediction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import RowError
from ..tasks.base import Example
from .spacy_config import ENTITIES, TAGGER


@dataclass
class Skipped:
    """What no entity recognizer can be taught: entities that begin or end inside a word of the pipeline."""

    spans: int = 0
    texts: int = 0


def doc_of(nlp: Any, example: Example) -> Any:
    """The document of an example: its own words, parted by one space, or those that the pipeline makes of its text.

    A text without a word becomes one blank, so that what is said of it does not depend on its neighbours.

    Raises:
        RowError: a text longer than the pipeline reads, or an empty word.
    """
    from spacy.tokens import Doc

    try:
        if example.tokens:
            spaces = [*[True] * (len(example.tokens) - 1), False]
            return Doc(nlp.vocab, words=list(example.tokens), spaces=spaces)
        return nlp.make_doc(example.text or " ")
    except ValueError as error:
        column = "tokens" if example.tokens else "text"
        raise RowError(example.id, column, f"cannot be read by spaCy: {error}") from error


def gold(nlp: Any, examples: Sequence[Example], component: str, names: Sequence[str], skipped: Skipped) -> list[Any]:
    """spaCy's examples, in order: documents as they will be read, beside those with gold."""
    from spacy.training import Example as Pair

    mark: Callable[..., None] = {ENTITIES: _entities, TAGGER: _tags}.get(component, _categories)
    made = []
    for example in examples:
        reference = doc_of(nlp, example)
        mark(reference, example, names, skipped)
        made.append(Pair(doc_of(nlp, example), reference))
    return made


def _categories(doc: Any, example: Example, names: Sequence[str], _: Skipped) -> None:
    label = example.label
    chosen = (label,) if isinstance(label, str) else label
    assert isinstance(chosen, tuple)
    doc.cats = {name: float(name in chosen) for name in names}


def _tags(doc: Any, example: Example, _: Sequence[str], __: Skipped) -> None:
    for token, tag in zip(doc, example.tags or (), strict=True):
        token.tag_ = tag


def _entities(doc: Any, example: Example, _: Sequence[str], skipped: Skipped) -> None:
    """Entities by their characters; the words under one that does not end where words end say nothing."""
    found, unknown = [], []
    for span in example.spans or ():
        entity = doc.char_span(span.start, span.end, label=span.label)
        if entity is None:
            unknown.append(doc.char_span(span.start, span.end, alignment_mode="expand"))
        else:
            found.append(entity)
    held = {token.i for entity in found for token in entity}
    missing = [token for span in unknown if span is not None for token in span if token.i not in held]
    doc.set_ents(found, missing=[doc[token.i : token.i + 1] for token in missing])
    skipped.spans += len(unknown)
    skipped.texts += bool(unknown)
