"""JSON lines, and lists of rows in JSON. What is written has every field of a record, and its task."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...data.formats import suffix_of
from ...data.places import Paths, located
from ...errors import RowError
from ..kept_labels import names_in
from ..record import Record
from ..settings import Settings
from . import rows, tables
from .asked import Account, Asked, Row
from .json_values import is_list, json_lines, json_list
from .kept import KEY, with_labels
from .own import row_of
from .staged import text_file


def read(asked: Asked) -> Iterator[Record]:
    """One row a line, or the rows of a list; other JSON (columns, the SQuAD form) as in training."""
    return rows.records(_rows(asked), asked)


def _rows(asked: Asked) -> Iterator[tuple[int, Row]]:
    place = 0
    found = located(asked.path, None)
    for path in found if isinstance(found, Paths) else [Path(asked.path)]:
        for row in _values(path, asked, place):
            labels = names_in(row.get(KEY))
            asked.order.keep(labels)
            yield place, {name: cell for name, cell in row.items() if name != KEY} if labels else row
            place += 1


def _values(path: Path, asked: Asked, start: int) -> Iterator[Row]:
    of_lines = asked.format == "jsonl" or (asked.format is None and suffix_of(path) != ".json")
    if not of_lines and not is_list(path):
        yield from (row for _, row in tables.rows(str(path), ".json"))
        return
    for place, value in json_lines(path) if of_lines else json_list(path):
        if isinstance(value, Mapping):
            yield value
        elif isinstance(value, str):
            yield {"text": value}
        elif asked.bad_rows == "drop":
            asked.account.add("rows that are no mappings")
        else:
            reason = f"it is a {type(value).__name__}; a mapping or text is expected"
            raise RowError(start + place, "*", reason, source=str(path))


def write(
    records: Iterator[Record],
    path: Path,
    account: Account,
    settings: Settings | None = None,
    as_list: bool | None = None,
) -> int:
    """A mapping a line, or a list of them; None is a list where the path ends in .json.

    The first has one key more where there are settings: KEY, with their labels.
    """
    labels = () if settings is None else settings.label_schema
    as_list = suffix_of(path) == ".json" if as_list is None else as_list
    count = 0
    with text_file(path) as file:
        for count, record in enumerate(records, start=1):
            row = row_of(record)
            if kept := with_labels({}, labels, count - 1):
                row[KEY] = kept
            file.write(("[\n" if count == 1 else ",\n") * as_list + line(row) + "\n" * (not as_list))
        if as_list:
            file.write("\n]\n")
    return count


def line(value: Any) -> str:
    """JSON on one line; what some readers take for the end of a line is escaped."""
    return json.dumps(value, ensure_ascii=False).translate(_ENDS)


_ENDS = {ord(sign): f"\\u{ord(sign):04x}" for sign in "\x85\u2028\u2029"}
