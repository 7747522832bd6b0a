"""Records as columns: an Arrow table, of which every other form is made, and the frames of pandas and polars.

What Arrow has a type for is typed: structs, lists, numbers. Where that would lose something (mixed types, a key that is
there with None, differing inputs) the column is JSON (`data.rows.JSON`), which reading takes back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from ..errors import NotInstalled
from .record import Record

_JSON_KEY = "__json__"
NUMBERED = "id_is_number"  # beside ids that are texts and numbers in one data set: which are numbers


def arrow_table(records: Sequence[Record], kind: type[Record]) -> Any:
    """A `pyarrow.Table` with a column for each field of `kind`, in their order."""
    import pyarrow as pa

    makers = {**_MAKERS, **_TYPED[kind.task]}
    columns = {}
    for name in kind.FIELDS:
        values = [getattr(record, name) for record in records]
        columns[name] = makers[name](values, records)
        if name == "id" and len(set(map(type, values))) > 1:
            columns[NUMBERED] = pa.array([isinstance(value, int) for value in values])
    return pa.table(columns)


def pandas_frame(records: Sequence[Record], kind: type[Record]) -> Any:
    """A frame of Python objects; times and `multi_label` in pandas' own types where it has one for all of them.

    A column with a mapping that looks like a cell of JSON is written as such cells: see `from_json_cells`.
    """
    import pandas as pd

    columns = {}
    for name in kind.FIELDS:
        values = [getattr(record, name) for record in records]
        if any(map(_is_json_cell, values)):
            values = [None if value is None else {_JSON_KEY: json.dumps(value)} for value in values]
        own = name == "multi_label" or (name == "event_timestamp" and _moments(values) is not None)
        columns[name] = pd.Series(values) if own and values else pd.Series(values, dtype=object)
    return pd.DataFrame(columns)


def from_json_cells(cells: list[Any]) -> list[Any]:
    """A frame's column as it was, where pandas has made it of an Arrow column of JSON; others as they are."""
    if any(cell is not None and not _is_json_cell(cell) for cell in cells):
        return cells
    try:
        return [None if cell is None else json.loads(cell[_JSON_KEY]) for cell in cells]
    except ValueError:  # somebody's own texts under this name
        return cells


def _is_json_cell(value: Any) -> bool:
    return isinstance(value, dict) and list(value) == [_JSON_KEY] and isinstance(value[_JSON_KEY], str)


def polars_frame(records: Sequence[Record], kind: type[Record]) -> Any:
    """The Arrow table in polars.

    Raises:
        NotInstalled: polars is missing.
    """
    try:
        import polars as pl
    except ImportError as error:
        raise NotInstalled("polars", "polars", "to_polars") from error
    return pl.from_arrow(arrow_table(records, kind))


Maker = Callable[[list[Any], Sequence[Record]], Any]


def _text(values: list[Any], records: Sequence[Record]) -> Any:
    import pyarrow as pa

    return pa.array(values, pa.string())


def _texts(values: list[Any], records: Sequence[Record]) -> Any:
    import pyarrow as pa

    return pa.array(values, pa.list_(pa.string()))


def _flag(values: list[Any], records: Sequence[Record]) -> Any:
    import pyarrow as pa

    return pa.array(values, pa.bool_())


def _id(values: list[Any], records: Sequence[Record]) -> Any:
    import pyarrow as pa

    numbers = bool(values) and all(isinstance(value, int) for value in values)
    return pa.array(values, pa.int64()) if numbers else pa.array(list(map(str, values)), pa.string())


def _moments(values: Sequence[datetime]) -> str | None:
    """ "" where no time has a zone, "UTC" where all are in UTC, None where they have one each."""
    offsets = {value.utcoffset() for value in values}
    return "" if offsets <= {None} else "UTC" if offsets == {timedelta(0)} else None


def _time(values: list[Any], records: Sequence[Record]) -> Any:
    """Timestamps where no time has a zone or all are in UTC; ISO text for others, which keeps each one's zone."""
    import pyarrow as pa

    zone = _moments(values)
    if zone is None:
        return pa.array([value.isoformat() for value in values], pa.string())
    return pa.array(values, pa.timestamp("us", tz=zone or None))


def _structs(*fields: str) -> Maker:
    """Lists of tuples as lists of structs; `start` and `end` are whole numbers, `score` is a float."""

    def make(values: list[Any], records: Sequence[Record]) -> Any:
        import pyarrow as pa

        types = {"start": pa.int64(), "end": pa.int64(), "score": pa.float64()}
        kind = pa.list_(pa.struct([(name, types.get(name, pa.string())) for name in fields]))
        rows = [None if value is None else [dict(zip(fields, part, strict=True)) for part in value] for value in values]
        return pa.array(rows, kind)

    return make


def _labels(values: list[Any], records: Sequence[Record]) -> Any:
    """Names, or lists of them where a record has several labels: then single ones are lists of one."""
    if not any(record.multi_label for record in records if hasattr(record, "multi_label")):
        return _text(values, records)
    return _texts([[value] if isinstance(value, str) else value for value in values], records)


def _explanations(values: list[Any], records: Sequence[Record]) -> Any:
    told = [record.to_dict().get("explanation") for record in records]
    return _free(told, records)


def _metadata(values: list[Any], records: Sequence[Record]) -> Any:
    return _free([value or None for value in values], records)


def _inputs(values: list[Any], records: Sequence[Record]) -> Any:
    return _free(values, records, ordered=True)


def _free(values: list[Any], records: Sequence[Record], *, ordered: bool = False) -> Any:
    """Mappings as structs where they come back the same (`ordered`: keys in the same order too), else as JSON."""
    import pyarrow as pa

    from ..data.rows import JSON, as_json, is_json

    if all(value is None for value in values):
        return pa.nulls(len(values), JSON)
    try:
        found = pa.array(values)
    except (pa.ArrowException, OverflowError, ValueError, TypeError):
        return as_json(values)
    if is_json(found.type):
        return as_json(values)
    back = map(without_none, found.to_pylist()) if _is_whole(found.type) else [None] * len(values)
    same = all(
        json.dumps(one, sort_keys=not ordered) == json.dumps(other, sort_keys=not ordered)
        for one, other in zip(values, back, strict=True)
    )
    return found if same else as_json(values)


def _is_whole(kind: Any) -> bool:
    """Whether files can hold a type: no struct without a field, no NUL in a name, no part that is None everywhere."""
    import pyarrow as pa

    if pa.types.is_null(kind) or (pa.types.is_struct(kind) and kind.num_fields == 0):
        return False
    parts = [kind.field(place) for place in range(kind.num_fields)]
    return all("\0" not in part.name and _is_whole(part.type) for part in parts)


def without_none(value: Any) -> Any:
    """Mappings without the keys whose value is None, at any depth: Arrow fills in the keys of other rows."""
    if isinstance(value, dict):
        return {key: without_none(part) for key, part in value.items() if part is not None}
    if isinstance(value, list):
        return [without_none(part) for part in value]
    return value


_MAKERS: dict[str, Maker] = {
    "text": _text,
    "inputs": _inputs,
    "tokens": _texts,
    "prediction_agent": _text,
    "annotation_agent": _text,
    "vectors": _free,
    "multi_label": _flag,
    "explanation": _explanations,
    "id": _id,
    "metadata": _metadata,
    "status": _text,
    "event_timestamp": _time,
    "metrics": _free,
    "search_keywords": _texts,
}
_TYPED: dict[str, dict[str, Maker]] = {
    "TextClassification": {"prediction": _structs("label", "score"), "annotation": _labels},
    "TokenClassification": {
        "prediction": _structs("label", "start", "end", "score"),
        "annotation": _structs("label", "start", "end"),
    },
    "Text2Text": {"prediction": _structs("text", "score"), "annotation": _text},
}
