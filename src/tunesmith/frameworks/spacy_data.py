"""spaCy: its training data, a DocBin of texts with categories or entities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ConfigError, NotInstalled
from ..tasks.base import Example, Examples, RowId
from ..tasks.word_tags import MISALIGNED, Misfit, overlap_of, shown
from . import base

_TASKS = (base.TEXT, base.TOKENS)


@dataclass(frozen=True)
class SpacyData:
    """What the frameworks of spaCy share: their tasks, and how data is prepared for them."""

    name: str

    def why_not(self, task: str) -> str | None:
        """None: the task can be trained. Else the reason."""
        return None if task in _TASKS else "no component of spaCy learns it"

    def why_not_prepare(self, task: str) -> str | None:
        """None: the task's data can be prepared. Else the reason."""
        return base.why_not_prepare(self.name, task, _TASKS)

    def misfits(self, task: str, examples: Iterable[Example], *, lang: Any = None) -> dict[RowId, Misfit]:
        """The rows whose spans overlap or do not align with the tokens that `lang` makes, by id.

        Raises:
            ConfigError: see `prepare`.
        """
        if task != base.TOKENS:
            return {}
        language = language_of(lang)
        found = ((example.id, _entities(language.make_doc(example.text), example)) for example in examples)
        return {row: entities for row, entities in found if isinstance(entities, Misfit)}

    def prepare(
        self, task: str, splits: Mapping[str, Examples], *, labels: Sequence[str], lang: Any = None, **options: Any
    ) -> Any:
        """A `DocBin`, or (train, test) of them; `user_data` has "id" (a string), and "inputs" where there are several.

        `cats` has every label, in the order of `labels`, as 1.0 or 0.0. Entities are found by characters: the words of
        a text are those of `lang`, as they will be in use.
        lang: a language's code, as "en", or a spaCy `Language`, whose pipeline is not run.

        Raises:
            ConfigError: no `lang`, or what is none. NotInstalled: spaCy is missing.
        """
        base.check_options(self.name, options)
        language = language_of(lang)
        known = {name: place for place, name in enumerate(labels)}
        return base.one_or_both(splits, lambda examples: _docs(task, examples, known, language))


def language_of(lang: Any) -> Any:
    """The spaCy `Language` that `lang` is or names.

    Raises:
        ConfigError: None, or what is no language. NotInstalled: spaCy is missing.
    """
    wanted = "a spaCy Language, or the code of a language, as 'en': its tokenizer makes the words"
    if hasattr(lang, "make_doc"):
        return lang
    if not isinstance(lang, str) or not lang:
        raise ConfigError("lang", lang, wanted)
    try:
        import spacy
    except ImportError as error:
        raise NotInstalled("spaCy", "spacy", "preparing data for spaCy") from error
    try:
        return spacy.blank(lang)
    except ImportError as error:  # a code that spaCy does not know, or one whose tokenizer needs a package
        told = str(error).splitlines()[0]
        raise ConfigError("lang", lang, f"{wanted}; a pipeline is passed by spacy.load. spaCy says: {told}") from error


def _docs(task: str, examples: Examples, known: Mapping[str, int], language: Any) -> Any:
    from spacy.tokens import DocBin

    made, misfits = DocBin(store_user_data=True), {}
    for example in examples:
        doc = language.make_doc(example.text)
        doc.user_data["id"] = str(example.id)
        if example.fields:
            doc.user_data["inputs"] = dict(example.fields)
        if task == base.TEXT:
            chosen = base.names_of(example, known)
            doc.cats = {name: float(name in chosen) for name in known}
        else:
            base.check_spans(example, known)
            entities = _entities(doc, example)
            if isinstance(entities, Misfit):
                misfits[example.id] = entities
                continue
            doc.set_ents(entities)
        made.add(doc)
    base.refuse(misfits)
    return made


def _entities(doc: Any, example: Example) -> list[Any] | Misfit:
    """The example's spans as spaCy's, or why there are none."""
    spans = example.spans or ()
    if misfit := overlap_of(example.text, spans):
        return misfit
    found = []
    for span in spans:
        entity = doc.char_span(span.start, span.end, label=span.label)
        if entity is None:
            return Misfit(MISALIGNED, f"{shown(example.text, span)} among the tokens {[token.text for token in doc]}")
        found.append(entity)
    return found
