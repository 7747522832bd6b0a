"""Records as the table that a run reads: what `tunesmith.train` does with a data set of records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ..data.dataset import Dataset, RowId
from ..data.tables import gather
from ..tasks.base import Example
from ..tasks.word_tags import Misfit, bio_names, bio_of
from .choosing import example_of, kind_of, label_names, text_of, used
from .settings import Settings

_LEARNED = {"single": "label", "multi": "label", "spans": "spans", "": "target"}
"""Kind -> the column of what is to be learned."""


def table(
    records: Sequence[Any], task: str, settings: Settings | None, *, name: str, gold: bool, origin: Any = None
) -> Dataset:
    """The column `text`, and where `gold` is asked for what the annotation says: `label`, `spans` or `target`.

    Where all annotated spans are of whole tokens and all texts are their tokens joined by one blank, a cell of `text`
    has the tokens and one of `spans` a tag for each: a word is then labelled as a whole.

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
    tags = _tags(examples) if kind == "spans" else None
    column = _LEARNED[kind]
    if tags is None:
        rows = _arrow({"text": [each.text for each in examples], column: [_cell(each) for each in examples]}, kind)
    else:
        rows = _arrow({"text": [list(each.tokens or ()) for each in examples], column: tags}, "tags")
    names = bio_names(labels) if kind == "spans" else labels
    return rows, {column: names} if labels else {}


def _tags(examples: Sequence[Example]) -> list[list[str]] | None:
    """A tag for each token, where that says all: texts are their tokens joined by blanks, spans end where tokens do."""
    tags = []
    for example in examples:
        found = bio_of(example)
        if isinstance(found, Misfit) or example.text != " ".join(example.tokens or ()):
            return None
        tags.append(list(found))
    return tags


def _cell(example: Example) -> Any:
    if example.spans is not None:
        return [asdict(span) for span in example.spans]
    return example.label if example.target is None else example.target


def _arrow(columns: Mapping[str, Sequence[Any]], kind: str) -> Any:
    """The columns as a table, typed also where every cell is empty."""
    import pyarrow as pa

    text = pa.large_string()
    span = pa.struct([("label", text), ("start", pa.int64()), ("end", pa.int64())])
    words = pa.large_list(text)
    cells = {"multi": words, "tags": words, "spans": pa.large_list(span)}.get(kind, text)
    types = {name: cells if name != "text" else words if kind == "tags" else text for name in columns}
    return pa.table({name: pa.array(values, types[name]) for name, values in columns.items()})
