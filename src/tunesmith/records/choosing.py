"""Annotated records as examples: which are used, under which labels, as which text."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import DataError, RowError
from ..tasks.base import Account, Example, Span
from .settings import SETTINGS, labels_of

SHOWN = 12  # names that one message lists


def used(records: Sequence[Any], *, include_discarded: bool = False) -> tuple[list[Any], Account]:
    """The records that have an annotation and, unless asked for, are not discarded, in their order; the account."""
    account, found = Account(len(records)), []
    for record in records:
        if record.status == "Discarded" and not include_discarded:
            account.leave_out(record.id, "discarded")
        elif record.annotation is None:
            account.leave_out(record.id, "not annotated")
        else:
            found.append(record)
    return found, account


def label_names(records: Sequence[Any], task: str, settings: Any, *, warn: bool) -> tuple[str, ...]:
    """The labels in the order of the settings; without them those of the annotations, sorted, and maybe a warning.

    Raises:
        RowError: a record with a label outside the settings. DataError: no label at all.
    """
    if task not in SETTINGS:
        return ()
    if settings is None:
        settings = SETTINGS[task].infer(records)
        if warn:
            _warn(settings)
    labels: tuple[str, ...] = settings.label_schema
    known = set(labels)
    for record in records:
        for label in labels_of(record):
            if label not in known:
                listed = ", ".join(labels[:SHOWN]) + (", …" if len(labels) > SHOWN else "")
                raise RowError(record.id, "annotation", f"label {label!r} is not in the settings: {listed}")
    return labels


def _warn(settings: Any) -> None:
    warnings.warn(
        f"no settings were given: label ids are the places of the {len(settings.label_schema)} annotated labels, "
        f"sorted. To fix the labels and their order, pass settings={type(settings).__name__}(label_schema=[…]) where "
        "records are prepared, or store them with `configure_dataset_settings`.",
        UserWarning,
        stacklevel=6,  # where a data set's `prepare_for_training` is called
    )


def kind_of(records: Sequence[Any], task: str) -> str:
    """single, multi, spans, or none of text to text.

    Raises:
        DataError: records with one label beside records with several.
    """
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


def example_of(record: Any, labels: Sequence[str]) -> Example:
    """An annotated record as an example; several labels are in the order of `labels`."""
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


def text_of(inputs: Mapping[str, str | list[str]]) -> str:
    """The text of a record's inputs: one is its value; several are `name: value`, one a line, in their order.

    A list is its parts joined by blanks.
    """
    if len(inputs) == 1:
        return _joined(next(iter(inputs.values())))
    return "\n".join(f"{name}: {_joined(value)}" for name, value in inputs.items())


def _joined(value: str | list[str]) -> str:
    return value if isinstance(value, str) else " ".join(value)
