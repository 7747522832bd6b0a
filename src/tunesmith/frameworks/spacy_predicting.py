"""What a trained pipeline says of texts: categories, entities with their probability, tags."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ..metrics.tagging import is_prefixed
from ..tasks.base import Example, Prediction, Span
from ..tasks.text_classification import by_scores
from .spacy_config import ENTITIES, SEVERAL, TAGGER
from .spacy_reading import doc_of
from .trained import Trained
from .worker_entities import entity_scores, softmax


def infer(model: Trained, examples: Sequence[Example], batch_size: int) -> list[Prediction]:
    """One prediction each, in order; the pipeline reads `batch_size` texts at a time."""
    nlp, component = model.module, model.kept["component"]
    tell = {ENTITIES: _entities, TAGGER: _tags}.get(component, _categories)
    found: list[Prediction] = []
    for start in range(0, len(examples), batch_size):
        part = examples[start : start + batch_size]
        docs = list(nlp.pipe([doc_of(nlp, example) for example in part], batch_size=batch_size))
        found += tell(model, nlp.get_pipe(component), part, docs)
    return found


def _categories(model: Trained, pipe: Any, examples: Sequence[Example], docs: Sequence[Any]) -> Iterator[Prediction]:
    assert model.labels is not None
    for example, doc in zip(examples, docs, strict=True):
        scores = {name: float(doc.cats[name]) for name in model.labels.names}
        yield by_scores(example.id, scores, several=pipe.name == SEVERAL)


def _entities(model: Trained, pipe: Any, examples: Sequence[Example], docs: Sequence[Any]) -> Iterator[Prediction]:
    assert model.labels is not None
    prefixed = is_prefixed(set(model.labels.names))
    for example, doc, scores in zip(examples, docs, entity_scores(pipe, docs), strict=True):
        spans = [
            Span(entity.label_, entity.start_char, entity.end_char, score)
            for entity, score in zip(doc.ents, scores, strict=True)
        ]
        tags = None
        if example.tokens is not None:
            words = ["O"] * len(example.tokens)
            for entity in doc.ents:
                marks = ("B-", *["I-"] * (len(entity) - 1)) if prefixed else [""] * len(entity)
                words[entity.start : entity.end] = [f"{mark}{entity.label_}" for mark in marks]
            tags = tuple(words)
        yield Prediction(example.id, spans=tuple(spans), tags=tags)


def _tags(model: Trained, pipe: Any, examples: Sequence[Example], docs: Sequence[Any]) -> Iterator[Prediction]:
    """A span for each word, and its tag."""
    for example, doc, logits in zip(examples, docs, pipe.model.predict(docs), strict=True):
        scores = softmax(np.asarray(logits)).max(axis=1)
        spans = tuple(
            Span(token.tag_, token.idx, token.idx + len(token), float(score))
            for token, score in zip(doc, scores, strict=True)
            if not token.is_space
        )
        tags = None if example.tokens is None else tuple(token.tag_ for token in doc)[: len(example.tokens)]
        yield Prediction(example.id, spans=spans, tags=tags)
