"""Two tables, tasks and frameworks: a name leads to "module:attribute", imported when it is asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from .errors import UnknownName


@dataclass(frozen=True)
class Registry:
    """Names of one kind. `aliases` are other names the field uses; `group` is the entry point group of outsiders.

    implied: the settings that an alias says beside the member it leads to. forms: aliases that have a part of their
    own, as patterns.
    """

    kind: str
    members: Mapping[str, str]
    aliases: Mapping[str, str] = field(default_factory=dict)
    implied: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    forms: Mapping[str, str] = field(default_factory=dict)

    @property
    def group(self) -> str:
        return f"tunesmith.{self.kind}s"

    def _outsiders(self) -> dict[str, str]:
        return {point.name: point.value for point in entry_points(group=self.group)}

    def names(self) -> tuple[str, ...]:
        """Every member's name, ours first, then outsiders' in alphabetical order."""
        return (*self.members, *sorted(set(self._outsiders()) - set(self.members)))

    def offered(self) -> tuple[str, ...]:
        """`names`, each followed by the aliases that lead to it with settings of their own: 'peft' is one."""
        found: list[str] = []
        for name in self.names():
            found += [name, *(alias for alias in self.implied if self.aliases[alias] == name)]
        return tuple(found)

    def resolve(self, name: str) -> str:
        """The canonical name of `name` or of one of its aliases ('_' and '-' are the same, case is not looked at).

        Raises:
            UnknownName: neither a name nor an alias; the nearest is named.
        """
        plain = _plain(name)
        of_a_form = (member for form, member in self.forms.items() if re.fullmatch(form, plain))
        plain = self.aliases.get(plain) or next(of_a_form, plain)
        if plain in self.members or plain in self._outsiders():
            return plain
        raise UnknownName(self.kind, name, [*self.names(), *self.aliases])

    def settings_of(self, name: str) -> Mapping[str, Any]:
        """The settings that a name implies, such as labels that are numbers for 'regression'."""
        return self.implied.get(_plain(name), {})

    def get(self, name: str) -> Any:
        """The member itself, its module imported now."""
        plain = self.resolve(name)
        target = self.members.get(plain) or self._outsiders()[plain]
        module, _, attribute = target.partition(":")
        return getattr(import_module(module), attribute)


def _plain(name: str) -> str:
    return str(name).strip().lower().replace("_", "-")


tasks = Registry(
    "task",
    {
        "text-classification": "tunesmith.tasks.text_classification:TASK",
        "token-classification": "tunesmith.tasks.token_classification:TASK",
        "question-answering": "tunesmith.tasks.question_answering:TASK",
        "sequence-sequence": "tunesmith.tasks.sequence_sequence:TASK",
        "language-generation": "tunesmith.tasks.language:GENERATION",
        "language-modeling": "tunesmith.tasks.language:MODELING",
        "token-detection": "tunesmith.tasks.language:DETECTION",
        "sentence-similarity": "tunesmith.tasks.sentence_similarity:TASK",
    },
    {
        "classification": "text-classification",
        "sequence-classification": "text-classification",
        "sentiment": "text-classification",
        "sentiment-analysis": "text-classification",
        "multi-label-classification": "text-classification",
        "zero-shot-classification": "text-classification",
        "regression": "text-classification",
        "text-regression": "text-classification",
        "ner": "token-classification",
        "named-entity-recognition": "token-classification",
        "tagging": "token-classification",
        "pos": "token-classification",
        "qa": "question-answering",
        "extractive-qa": "question-answering",
        "seq2seq": "sequence-sequence",
        "text2text": "sequence-sequence",
        "text2text-generation": "sequence-sequence",
        "summarization": "sequence-sequence",
        "translation": "sequence-sequence",
        "text-generation": "language-generation",
        "causal-lm": "language-generation",
        "causal-language-modeling": "language-generation",
        "clm": "language-generation",
        "fill-mask": "language-modeling",
        "lm": "language-modeling",
        "masked-lm": "language-modeling",
        "masked-language-modeling": "language-modeling",
        "mlm": "language-modeling",
        "electra": "token-detection",
        "replaced-token-detection": "token-detection",
        "sts": "sentence-similarity",
        "semantic-similarity": "sentence-similarity",
    },
    {
        "regression": {"label_kind": "regression"},
        "text-regression": {"label_kind": "regression"},
        "multi-label-classification": {"label_kind": "multi"},
    },
    {"translation-[a-z]{2,3}(-[a-z]{2,4})?-to-[a-z]{2,3}(-[a-z]{2,4})?": "sequence-sequence"},  # translation_en_to_de
)

frameworks = Registry(
    "framework",
    {
        "transformers": "tunesmith.frameworks.transformers:FRAMEWORK",
        "baseline": "tunesmith.frameworks.baseline:FRAMEWORK",
        "setfit": "tunesmith.frameworks.setfit:FRAMEWORK",
        "sentence-transformers": "tunesmith.frameworks.sentence_transformers:FRAMEWORK",
        "span-marker": "tunesmith.frameworks.span_marker:FRAMEWORK",
        "spacy": "tunesmith.frameworks.spacy:FRAMEWORK",
        "spacy-transformers": "tunesmith.frameworks.spacy_transformers:FRAMEWORK",
        "spark-nlp": "tunesmith.frameworks.spark_nlp:FRAMEWORK",
        "openai": "tunesmith.frameworks.openai:FRAMEWORK",
        "autotrain": "tunesmith.frameworks.autotrain:FRAMEWORK",
    },
    {
        "hf": "transformers",
        "huggingface": "transformers",
        "peft": "transformers",
        "spanmarker": "span-marker",
        "sparknlp": "spark-nlp",
    },
    {"peft": {"lora": True}},
)
