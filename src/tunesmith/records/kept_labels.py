"""The labels of settings beside a table: where Arrow, Hugging Face and pandas keep what is no column.

That is the metadata of an Arrow schema (and so of a parquet file), the description of a `datasets.Dataset`, and the
`attrs` of a pandas frame. polars has no such place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar, cast

from ..data.places import is_a
from .settings import SETTINGS, Settings

KEY = "tunesmith"  # of metadata, of attrs, and beside the keys of other tools
LABELS = "label_schema"
_LINE = re.compile(rf"^{KEY}: (\{{.*\}})$", re.MULTILINE)

T = TypeVar("T")
Told = tuple[str, tuple[str, ...]]
"""Task, and labels in their order."""


def beside(settings: Settings) -> dict[str, Any]:
    """What stands beside a table, in JSON values."""
    return {"task": settings.task, LABELS: list(settings.label_schema)}


def in_schema(schema: Any, settings: Settings | None) -> Any:
    """An Arrow schema with the labels in its metadata; as it is where there are none."""
    if settings is None or not settings.label_schema:
        return schema
    return schema.with_metadata({**(schema.metadata or {}), KEY: json.dumps(beside(settings))})


def with_settings(table: T, settings: Settings | None) -> T:
    """An Arrow table, a `datasets.Dataset` or a pandas frame with the labels beside it, where there are some."""
    whole: Any = table
    if settings is None or not settings.label_schema:
        return table
    if is_a(table, "pyarrow", "Table"):
        return cast(T, whole.replace_schema_metadata(in_schema(whole.schema, settings).metadata))
    if is_a(table, "datasets", "Dataset"):
        whole.info.description = description(settings)
    else:
        whole.attrs[KEY] = beside(settings)
    return table


def description(settings: Settings | None) -> str:
    """What a `datasets.Dataset` says of itself: a line of JSON with the labels; "" where there are none."""
    if settings is None or not settings.label_schema:
        return ""
    told = json.dumps(beside(settings))
    return f"Records of {settings.task}, with their labels in the order of the ids.\n{KEY}: {told}"


def settings_beside(table: Any, task: str) -> Settings | None:
    """The settings that stand beside a table; None where there are none, several that differ, or those of another task.

    table: an Arrow table or schema, a `datasets.Dataset` or a pandas frame; None for any other.
    """
    found = {labels for kind, labels in told_beside(table) if kind == task}
    return SETTINGS[task](found.pop()) if len(found) == 1 and task in SETTINGS else None


def told_beside(table: Any) -> list[Told]:
    """What stands beside a table, each once; what is no labels is not there."""
    return list(dict.fromkeys(told for value in _values(table) if (told := _told(value)) is not None))


def _values(table: Any) -> Iterator[Any]:
    if is_a(table, "pandas", "DataFrame"):
        yield table.attrs.get(KEY)
    elif is_a(table, "datasets", "Dataset", "IterableDataset"):
        yield from map(_parsed, _LINE.findall(table.info.description or ""))
    elif is_a(table, "pyarrow", "Table", "Schema"):
        held: Mapping[bytes, bytes] = (table.schema if is_a(table, "pyarrow", "Table") else table).metadata or {}
        yield _parsed(held.get(KEY.encode()))
        of_pandas = _parsed(held.get(b"PANDAS_ATTRS"))
        yield of_pandas.get(KEY) if isinstance(of_pandas, Mapping) else None


def _parsed(text: str | bytes | None) -> Any:
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return None


def _told(value: Any) -> Told | None:
    if not isinstance(value, Mapping) or not isinstance(value.get("task"), str):
        return None
    names = names_in(value)
    return (value["task"], names) if names else None


def names_in(kept: Any) -> tuple[str, ...]:
    """The labels among what was kept; () where it has none."""
    found = kept.get(LABELS) if isinstance(kept, Mapping) else None
    if not isinstance(found, Iterable) or isinstance(found, str):
        return ()
    names = tuple(found)
    return names if all(isinstance(name, str) for name in names) else ()
