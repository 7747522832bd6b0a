"""A data set of records in two parts, as `prepare_for_training` makes them: the same records, in the same order."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .datasets import RecordDataset
from .parts import Parts
from .preparing import choose
from .settings import SETTINGS


def divided(dataset: RecordDataset[Any], parts: Parts) -> dict[str, RecordDataset[Any]]:
    """ "train", and "test" where there is a split. Records that are not used stay in "train", which counts them.

    Both parts have the labels of the whole in their settings, those too that only the other part has.

    Raises:
        DataError: a label outside the settings; records with one label beside records with several.
        NothingToTrain: no record is left.
    """
    chosen = choose(list(dataset), dataset.task, dataset.settings)
    settings = SETTINGS[dataset.task](chosen.labels) if dataset.task in SETTINGS else None
    found = chosen.divided(parts)
    if "test" not in found:
        return {"train": _part(dataset, dataset, settings)}
    held = {example.id for example in found["test"]}
    train = _part(dataset, (record for record in dataset if record.id not in held), settings)
    of_test = {record.id: record for record in dataset if record.id in held and _is_used(record)}
    return {"train": train, "test": _part(dataset, of_test.values(), settings)}


def _is_used(record: Any) -> bool:
    return record.annotation is not None and record.status != "Discarded"


def _part(dataset: RecordDataset[Any], records: Iterable[Any], settings: Any) -> RecordDataset[Any]:
    made = type(dataset)(records)
    made.settings, made.origin = settings, dataset.origin
    return made
