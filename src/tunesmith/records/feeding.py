"""Records as the table that a run reads: what `tunesmith.train` does with a data set of records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ..data.dataset import Dataset, RowId
from ..data.tables import gather
from ..tasks.base import Example
from ..tasks.word_tags import bio_names
from .choosing import example_of, kind_of, label_names, text_of, used
from .settings import Settings

_LEARNED = {"single": "label", "multi": "label", "spans": "spans", "": "target"}
"""Kind -> the column of what is to be learned."""


def table(
    records: Sequence[Any], task: str, settings: Settings | None, *, name: str, gold: bool, origin: Any = None
) -> Dataset:
    """The column `text`, and where `gold` is asked for what the annotation says: `label`, `spans` or `target`.

    Row ids are the records'. Labels have the order of the settings. Discarded records, and where `gold` is asked for
    those without an annotation, are in `left_out` with the reason.

    Raises:
        RowError: a label outside the settings. DataError: records with one label beside records with several.
    """
    declared: dict[str, tuple[str, ...]] = {}
    if not gold:
        kept = [record for record in records if record.status != "Discarded"]
        left: dict[str, list[RowId]] = {"discarded": [r.id for r in records if r.status == "Discarded"]}
        rows = _arrow({"text": [input_of(record) for record in kept]}, "")
    else:
        kept, account = used(records)
        left = account.left_out
        rows, declared = _learned(kept, task, settings)
    left_out = {reason: ids for reason, ids in left.items() if ids}
    return Dataset(
        gather([rows], source=name),
        name,
        declared,
        ids=[record.id for record in kept],
        left_out=left_out,
        origin=origin,
    )


def input_of(record: Any) -> str:
    """The text that a model reads of a record."""
    text: str = text_of(record.inputs) if record.task == "TextClassification" else record.text
    return text


def _learned(records: Sequence[Any], task: str, settings: Settings | None) -> tuple[Any, dict[str, tuple[str, ...]]]:
    """(the Arrow table, the class names of its column of labels)"""
    labels = label_names(records, task, settings, warn=False) if records else ()
    kind = kind_of(records, task)
    examples = [example_of(record, labels) for record in records]
    column = _LEARNED[kind]
    rows = _arrow({"text": [each.text for each in examples], column: [_cell(each) for each in examples]}, kind)
    names = bio_names(labels) if kind == "spans" else labels
    return rows, {column: names} if labels else {}


def _cell(example: Example) -> Any:
    if example.spans is not None:
        return [asdict(span) for span in example.spans]
    return example.label if example.target is None else example.target


def _arrow(columns: Mapping[str, Sequence[Any]], kind: str) -> Any:
    """The columns as a table, typed also where every cell is empty."""
    import pyarrow as pa

    text = pa.large_string()
    span = pa.struct([("label", text), ("start", pa.int64()), ("end", pa.int64())])
    cells = {"multi": pa.large_list(text), "spans": pa.large_list(span)}.get(kind, text)
    types = {name: text if name == "text" else cells for name in columns}
    return pa.table({name: pa.array(values, types[name]) for name, values in columns.items()})
