"""Records: labelled text in named data sets. The names below are loaded on first use.

`_HOMES` says which module of this folder each public name comes from; a new one is added there and in `__all__`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .datasets import (
        DatasetForText2Text,
        DatasetForTextClassification,
        DatasetForTokenClassification,
        read_datasets,
        read_pandas,
    )
    from .fields import TokenAttributions
    from .record import Record
    from .settings import TextClassificationSettings, TokenClassificationSettings
    from .types import Text2TextRecord, TextClassificationRecord, TokenClassificationRecord

__all__ = [
    "Record",
    "TextClassificationRecord",
    "TokenClassificationRecord",
    "Text2TextRecord",
    "TokenAttributions",
    "DatasetForTextClassification",
    "DatasetForTokenClassification",
    "DatasetForText2Text",
    "read_datasets",
    "read_pandas",
    "TextClassificationSettings",
    "TokenClassificationSettings",
]

_HOMES = {
    "Record": "record",
    "TextClassificationRecord": "types",
    "TokenClassificationRecord": "types",
    "Text2TextRecord": "types",
    "TokenAttributions": "fields",
    "DatasetForTextClassification": "datasets",
    "DatasetForTokenClassification": "datasets",
    "DatasetForText2Text": "datasets",
    "read_datasets": "datasets",
    "read_pandas": "datasets",
    "TextClassificationSettings": "settings",
    "TokenClassificationSettings": "settings",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
