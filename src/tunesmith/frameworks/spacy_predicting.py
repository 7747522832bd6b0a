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


def entity_scores(ner: Any, docs: Sequence[Any]) -> list[list[float]]:
    """The probability of each document's entities: the product over its words of the step that the parser took.

    A step is a word's place in an entity; its probability is the softmax that training fits, given the steps before.
    The sums that a beam gives in its place are not normalized word by word: nearly all of them are 1.
    """
    moves = {ner.moves.get_class_name(place): place for place in range(ner.moves.n_moves)}
    steps = [{k: moves[name] for entity in doc.ents for k, name in _steps(entity)} for doc in docs]
    chances: list[dict[int, float]] = [{} for _ in docs]
    states = dict(enumerate(ner.moves.init_batch(docs)))
    model = ner.model.predict(docs)
    word = 0
    while live := {place: state for place, state in states.items() if not state.is_final()}:
        logits = model.predict(list(live.values()))
        for row, place in enumerate(live):
            if (move := steps[place].get(word)) is not None:
                chances[place][word] = float(_softmax(logits[row])[move])
        ner.transition_states(list(live.values()), logits)
        states, word = live, word + 1
    model.clear_memory()
    return [
        [float(np.prod([found[k] for k in range(entity.start, entity.end)])) for entity in doc.ents]
        for doc, found in zip(docs, chances, strict=True)
    ]


def _steps(entity: Any) -> Iterator[tuple[int, str]]:
    """(word, name of the step) of an entity: begin, in, last; or unit."""
    marks = "U" if len(entity) == 1 else f"B{'I' * (len(entity) - 2)}L"
    return ((entity.start + place, f"{mark}-{entity.label_}") for place, mark in enumerate(marks))


def _softmax(logits: Any) -> Any:
    exponents = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return exponents / exponents.sum(axis=-1, keepdims=True)


def _tags(model: Trained, pipe: Any, examples: Sequence[Example], docs: Sequence[Any]) -> Iterator[Prediction]:
    """A span for each word, and its tag."""
    for example, doc, logits in zip(examples, docs, pipe.model.predict(docs), strict=True):
        scores = _softmax(np.asarray(logits)).max(axis=1)
        spans = tuple(
            Span(token.tag_, token.idx, token.idx + len(token), float(score))
            for token, score in zip(doc, scores, strict=True)
            if not token.is_space
        )
        tags = None if example.tokens is None else tuple(token.tag_ for token in doc)[: len(example.tokens)]
        yield Prediction(example.id, spans=spans, tags=tags)
