"""From annotated records to a framework's training data: which records, which labels, which part."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..data.labels import Labels
from ..errors import ConfigError, NothingToTrain, TunesmithError, UnsupportedTask
from ..registry import frameworks
from ..tasks.base import Account, Example, Examples
from ..tasks.reading import fingerprint
from ..tasks.word_tags import bio_names
from .choosing import example_of, kind_of, label_names, used
from .origin import Origin
from .parts import Parts
from .record import Record
from .settings import SETTINGS

log = logging.getLogger("tunesmith")

TASKS = {
    "TextClassification": "text-classification",
    "TokenClassification": "token-classification",
    "Text2Text": "sequence-sequence",
}
"""The records' task -> the task that trains on them."""


def prepare(
    records: Sequence[Record],
    task: str,
    framework: str = "transformers",
    settings: Any = None,
    lang: Any = None,
    *,
    train_size: float | None = None,
    test_size: float | None = None,
    seed: int | None = None,
    stratify: bool = False,
    include_discarded: bool = False,
    misaligned: str = "error",
    origin: Origin | None = None,
    **options: Any,
) -> Any:
    """The records of a task ("TextClassification" …) as `framework` trains on them; see `Framework.prepare`.

    Records without annotation, and discarded ones, are left out and counted. Others keep their order, in each part.
    settings: the label schema; its order is that of label ids. None takes the annotated labels, sorted, and warns.
    train_size, test_size: shares; see `Parts.make`. `stratify` keeps the shares of the labels in both parts.
    misaligned: 'skip' leaves out, before the split, the records whose spans the framework cannot hold; 'error' is one.
    origin: where the records are stored: each one's history there is told of its part. options: the framework's own.

    Raises:
        UnknownName: no such framework or option. UnsupportedTask: the framework has no form for the task.
        ConfigError: sizes, seed, settings or `lang` that cannot be used.
        DataError: a label outside the schema, or spans that do not fit; the records are named.
        NothingToTrain: no record is left; it tells why.
    """
    name, member = _able(framework, TASKS[task])
    parts = Parts.make(train_size, test_size, seed, stratify)
    if misaligned not in ("error", "skip"):
        raise ConfigError("misaligned", misaligned, "'error' or 'skip'")
    _check_settings(settings, task)
    chosen = choose(records, task, settings, include_discarded=include_discarded, warn=True)
    if misaligned == "skip":
        chosen = chosen.without(member.misfits(TASKS[task], chosen.examples, lang=lang))
    splits = chosen.divided(parts)
    made = member.prepare(TASKS[task], splits, labels=chosen.labels, lang=lang, **options)
    _tell(name, splits, origin)
    return made


@dataclass(frozen=True)
class Chosen:
    """The annotated records that are used, as examples; their labels in id order; the account of all records."""

    examples: Sequence[Example]
    labels: tuple[str, ...]
    account: Account
    kind: str

    def without(self, misfits: Mapping[Any, Any]) -> Chosen:
        """The same less these, which the account gets.

        Raises:
            NothingToTrain: all of them.
        """
        kept = []
        for example in self.examples:
            if example.id in misfits:
                self.account.leave_out(example.id, misfits[example.id].reason)
            else:
                kept.append(example)
        return Chosen(_some(kept, self.account), self.labels, self.account, self.kind)

    def divided(self, parts: Parts) -> dict[str, Examples]:
        """ "train", and "test" where there is a split. What was left out is in the account of "train".

        Raises:
            ConfigError: to be stratified, where there are no labels.
        """
        if parts.stratify and not self.kind:
            raise ConfigError("stratify", True, "False: texts to be written have no classes")
        strata = [_classes(example) for example in self.examples]
        places = parts.divide([str(example.id) for example in self.examples], strata)
        train, test, unused = ([self.examples[place] for place in part] for part in places)
        for example in unused:
            self.account.leave_out(example.id, "in neither part")
        splits = {"train": self._part(train, self.account)}
        return {**splits, "test": self._part(test, Account())} if test else splits

    def _part(self, items: Sequence[Example], account: Account) -> Examples:
        own = Account(len(items) + sum(map(len, account.left_out.values())), account.left_out)
        return Examples(items, self._labels(), own, fingerprint(items), self.kind)

    def _labels(self) -> Labels | None:
        if self.kind in ("single", "multi"):
            return Labels("single" if self.kind == "single" else "multi", self.labels)
        return Labels("single", bio_names(self.labels)) if self.kind == "spans" else None


def choose(
    records: Sequence[Record], task: str, settings: Any, *, include_discarded: bool = False, warn: bool = False
) -> Chosen:
    """The records that have an annotation and, unless asked for, are not discarded, in their order.

    warn: where no settings fix the label ids; what is trained says names, not ids.

    Raises:
        DataError: a label outside the schema; records with one label beside records with several.
        NothingToTrain: none.
    """
    found, account = used(records, include_discarded=include_discarded)
    found = _some(found, account)
    labels = label_names(found, task, settings, warn=warn)
    kind = kind_of(found, task)
    return Chosen([example_of(record, labels) for record in found], labels, account, kind)


def _able(framework: str, task: str) -> tuple[str, Any]:
    """The canonical name of a framework and the framework, if it prepares data for the task."""
    name = frameworks.resolve(framework)
    reason = _why_not(frameworks.get(name), task)
    if reason is not None:
        able = [other for other in frameworks.names() if _why_not(frameworks.get(other), task) is None]
        raise UnsupportedTask(name, task, reason, able, verb="prepare")
    return name, frameworks.get(name)


def _why_not(member: Any, task: str) -> str | None:
    told = getattr(member, "why_not_prepare", None)
    found: str | None = "it prepares no data" if told is None else told(task)
    return found


def _check_settings(settings: Any, task: str) -> None:
    wanted = SETTINGS.get(task)
    if settings is None or (wanted is not None and isinstance(settings, wanted)):
        return
    expected = f"None: {task} has no labels" if wanted is None else f"{wanted.__name__} or None"
    raise ConfigError("settings", settings, expected)


def _some(kept: list[Any], account: Account) -> list[Any]:
    if not kept:
        raise NothingToTrain("the data set", account.counts())
    return kept


def _classes(example: Example) -> Any:
    if example.spans is not None:
        return tuple(sorted({span.label for span in example.spans}))
    return example.label


def _note(origin: Origin, splits: Mapping[str, Examples]) -> None:
    """The history of each record gets its part; a store that cannot be written is no reason to withhold the data."""
    try:
        for part, examples in splits.items():
            origin.mark([example.id for example in examples], split=part)
    except TunesmithError as error:
        log.warning("the parts are not noted in the history of %s: %s", origin, error)


def _tell(name: str, splits: Mapping[str, Examples], origin: Origin | None) -> None:
    """One line of the account, a warning where anything was left out; and the history of stored records."""
    account = splits["train"].account
    parts = " and ".join(f"{len(examples)} to {part}" for part, examples in splits.items())
    left = "; ".join(f"{count} left out: {reason}" for reason, count in account.counts().items())
    if origin is not None:
        _note(origin, splits)
    log.log(logging.WARNING if left else logging.INFO, "%s: %s%s", name, parts, f"; {left}" if left else "")
