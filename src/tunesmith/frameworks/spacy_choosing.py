"""What is chosen for a pipeline of spaCy by its data: the component, the names of its labels, when training ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..data.labels import Labels
from ..errors import DataError
from ..folder import RunFolder
from ..metrics.tagging import split_tag
from ..tasks.base import Examples
from ..tasks.token_classification import is_by_word
from .base import TEXT, TOKENS
from .spacy_arguments import ARGUMENTS
from .spacy_config import ENTITIES, SEVERAL, TAGGER, TEXTCAT
from .trained import refuse_kind, refuse_pairs

FIRST = {TEXT: TEXTCAT, TOKENS: ENTITIES}  # the component that stands for a task before its data is read
_TEXTS = 20_000  # that a run without validation rows reads, where nobody says how long it lasts
_PASSES = (5, 20)


def component_of(framework: str, task: str, examples: Examples) -> str:
    """The component that learns examples of a kind.

    Raises:
        UnsupportedTask: numbers, or pairs of texts. DataError: nothing to learn.
    """
    if task == TEXT:
        refuse_kind(framework, task, examples, ("single", "multi"))
        refuse_pairs(framework, task, examples)
        return TEXTCAT if examples.kind == "single" else SEVERAL
    assert examples.labels is not None
    if is_by_word(examples.labels.names):
        return TAGGER
    if not any(example.spans for example in examples):
        raise DataError("no training row has an entity: there is nothing that spaCy could learn.")
    return ENTITIES


def names_of(component: str, labels: Labels) -> list[str]:
    """The labels as the component names them: entities without the prefixes of their tags."""
    if component != ENTITIES:
        return list(labels.names)
    return list(dict.fromkeys(kind for prefix, kind in map(split_tag, labels.names) if kind))


def ended(
    named: Mapping[str, Any], splits: Mapping[str, Examples], folder: RunFolder
) -> tuple[Mapping[str, Any], dict[str, Any]]:
    """The settings with an end of training, and what was chosen of them.

    Without validation rows no score tells when to stop. Training rows are not scored in their place: they would say
    that longer is better.
    """
    steps = ARGUMENTS["max_steps"].default
    if "validation" in splits or named.get("max_epochs") or named.get("max_steps", steps) not in (0, steps):
        return named, {}
    rows = max(len(splits["train"]), 1)
    passes = min(max(_TEXTS // rows, _PASSES[0]), _PASSES[1])
    folder.note(f"max_epochs is {passes}: there are no validation rows to tell when to stop")
    return {**named, "max_epochs": passes}, {"max_epochs": passes}


def skipped(spans: int, texts: int, lang: str) -> str:
    """What a note says of entities that no entity recognizer can be taught."""
    return (
        f"{spans} entities in {texts} texts begin or end inside a word as the tokenizer of {lang!r} "
        "makes them: these words are left out of training"
    )
