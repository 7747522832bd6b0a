"""Argilla 1 exports: rows with the columns of its data sets (`to_datasets`, `to_pandas`), as JSON lines.

Reading takes every table with these columns, parquet and folders of `datasets` too: see `own`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..record import Record
from . import jsonl
from .asked import Account, Asked
from .staged import text_file

_KEYS = {
    "TextClassification": ("label", "score"),
    "TokenClassification": ("label", "start", "end", "score"),
    "Text2Text": ("text", "score"),
}


def read(asked: Asked) -> Iterator[Record]:
    """JSON lines, or a list of rows."""
    return jsonl.read(asked)


def write(records: Iterator[Record], path: Path, account: Account) -> int:
    """A line a record, every column in it, for `read_datasets(Dataset.from_json(path), task)`. Ids are texts there."""
    count = 0
    with text_file(path) as file:
        for record in records:
            file.write(jsonl.line(_row(record)) + "\n")
            if isinstance(record.id, int):
                account.add("ids as numbers: they are texts there")
            count += 1
    return count


def _row(record: Any) -> dict[str, Any]:
    told = record.to_dict()
    if record.task == "TextClassification":
        told["inputs"] = {name: part if isinstance(part, str) else list(part) for name, part in record.inputs.items()}
        told["multi_label"] = record.multi_label
    keys = _KEYS[record.task]
    told["id"] = str(record.id)
    for name in ("prediction", "annotation"):
        if told.get(name) and not isinstance(told[name][0], str):
            told[name] = [dict(zip(keys, part, strict=False)) for part in told[name]]
    return {name: told.get(name) for name in record.FIELDS}
