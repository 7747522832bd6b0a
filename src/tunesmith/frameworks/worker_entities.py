"""The probability of entities that spaCy found. A worker script loads this by its path: numpy alone is imported."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np


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
                chances[place][word] = float(softmax(logits[row])[move])
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


def softmax(logits: Any) -> Any:
    """Probabilities of the last axis."""
    exponents = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return exponents / exponents.sum(axis=-1, keepdims=True)
