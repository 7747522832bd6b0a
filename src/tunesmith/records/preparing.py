"""From annotated records to a framework's training data: which records, which labels, which part."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..data.labels import Labels
from ..errors import ConfigError, DataError, NothingToTrain, RowError, UnsupportedTask
from ..registry import frameworks
from ..tasks.base import Account, Example, Examples, Span
from ..tasks.reading import fingerprint
from ..tasks.word_tags import bio_names
from .parts import Parts
from .record import Record
from .settings import SETTINGS, labels_of

log = logging.getLogger("tunesmith")

TASKS = {
    "TextClassification": "text-classification",
    "TokenClassification": "token-classification",
    "Text2Text": "sequence-sequence",
}
"""The records' task -> the task that trains on them."""

SHOWN = 12  # names that one message lists


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
    **options: Any,
) -> Any:
    """The records of a task ("TextClassification" …) as `framework` trains on them; see `Framework.prepare`.

    Records without annotation, and discarded ones, are left out and counted. Others keep their order, in each part.
    settings: the label schema; its order is that of label ids. None takes the annotated labels, sorted, and warns.
    train_size, test_size: shares; see `Parts.make`. `stratify` keeps the shares of the labels in both parts.
    misaligned: 'skip' leaves out, before the split, the records whose spans the framework cannot hold; 'error' is one.
    options: the framework's own.

    Raises:
        UnknownName: no such framework or option. UnsupportedTask: the framework has no form for the task.
        ConfigError: sizes, seed, settings or `lang` that cannot be used.
        DataError: a label outside the schema, or spans that do not fit; the records are named.
        NothingToTrain: no record is left; it tells why.
    """
    name, member = _able(framework, TASKS[task])
    parts = Parts.make(train_size, test_size, seed, stratify)
    if stratify and task == "Text2Text":
        raise ConfigError("stratify", stratify, "False: texts to be written have no classes")
    if misaligned not in ("error", "skip"):
        raise ConfigError("misaligned", misaligned, "'error' or 'skip'")
    _check_settings(settings, task)
    chosen = choose(records, task, settings, include_discarded=include_discarded)
    if misaligned == "skip":
        chosen = chosen.without(member.misfits(TASKS[task], chosen.examples, lang=lang))
    splits = chosen.divided(parts)
    made = member.prepare(TASKS[task], splits, labels=chosen.labels, lang=lang, **options)
    _tell(name, splits)
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
        """ "train", and "test" where there is a split. What was left out is in the account of "train"."""
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


def choose(records: Sequence[Record], task: str, settings: Any, *, include_discarded: bool = False) -> Chosen:
    """The records that have an annotation and, unless asked for, are not discarded, in their order.

    Raises:
        DataError: a label outside the schema; records with one label beside records with several.
        NothingToTrain: none.
    """
    account, used = Account(len(records)), []
    for record in records:
        if record.status == "Discarded" and not include_discarded:
            account.leave_out(record.id, "discarded")
        elif record.annotation is None:
            account.leave_out(record.id, "not annotated")
        else:
            used.append(record)
    used = _some(used, account)
    labels = _schema(used, task, settings)
    kind = _kind(used, task)
    return Chosen([_example(record, labels) for record in used], labels, account, kind)


def text_of(inputs: Mapping[str, str | list[str]]) -> str:
    """The text of a record's inputs: one is its value; several are `name: value`, one a line, in their order.

    A list is its parts joined by blanks.
    """
    if len(inputs) == 1:
        return _joined(next(iter(inputs.values())))
    return "\n".join(f"{name}: {_joined(value)}" for name, value in inputs.items())


def _joined(value: str | list[str]) -> str:
    return value if isinstance(value, str) else " ".join(value)


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


def _schema(records: Sequence[Record], task: str, settings: Any) -> tuple[str, ...]:
    if task not in SETTINGS:
        return ()
    if settings is None:
        settings = SETTINGS[task].infer(records)
        warnings.warn(
            f"no settings were given: label ids are the places of the {len(settings.label_schema)} annotated labels, "
            f"sorted. Pass {type(settings).__name__}(label_schema=[…]) to fix the labels and their order.",
            UserWarning,
            stacklevel=5,  # where a data set's `prepare_for_training` is called
        )
    labels: tuple[str, ...] = settings.label_schema
    known = set(labels)
    for record in records:
        for label in labels_of(record):
            if label not in known:
                listed = ", ".join(labels[:SHOWN]) + (", …" if len(labels) > SHOWN else "")
                raise RowError(record.id, "annotation", f"label {label!r} is not in the settings: {listed}")
    return labels


def _kind(records: Sequence[Any], task: str) -> str:
    if task != "TextClassification":
        return "spans" if task == "TokenClassification" else ""
    several = [record.id for record in records if record.multi_label]
    if several and len(several) < len(records):
        one = next(record.id for record in records if not record.multi_label)
        raise DataError(
            f"{len(several)} of {len(records)} records have multi_label=True (as {several[0]!r}), the others have not "
            f"(as {one!r}): a model has one label a text, or several. Prepare them one kind at a time."
        )
    return "multi" if several else "single"


def _example(record: Any, labels: Sequence[str]) -> Example:
    if record.task == "Text2Text":
        return Example(record.id, record.text, target=record.annotation)
    if record.task == "TokenClassification":
        spans = tuple(Span(label, start, end) for label, start, end in sorted(record.annotation, key=lambda s: s[1:]))
        return Example(record.id, record.text, tokens=record.tokens, spans=spans)
    fields = tuple((name, _joined(value)) for name, value in record.inputs.items()) if len(record.inputs) > 1 else ()
    label = record.annotation
    if record.multi_label:
        label = tuple(name for name in labels if name in record.annotation)
    return Example(record.id, text_of(record.inputs), label=label, fields=fields)


def _classes(example: Example) -> Any:
    if example.spans is not None:
        return tuple(sorted({span.label for span in example.spans}))
    return example.label


def _tell(name: str, splits: Mapping[str, Examples]) -> None:
    """One line of the account; a warning where anything was left out."""
    account = splits["train"].account
    parts = " and ".join(f"{len(examples)} to {part}" for part, examples in splits.items())
    left = "; ".join(f"{count} left out: {reason}" for reason, count in account.counts().items())
    log.log(logging.WARNING if left else logging.INFO, "%s: %s%s", name, parts, f"; {left}" if left else "")
