"""Records: labelled text in named data sets. The names below are loaded on first use.

`_HOMES` says which module of this folder each public name comes from; a new one is added there and in `__all__`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .asking import next_to_label
    from .datasets import (
        DatasetForText2Text,
        DatasetForTextClassification,
        DatasetForTokenClassification,
        read_datasets,
        read_pandas,
    )
    from .fields import TokenAttributions
    from .hub import load_from_hub
    from .record import Record
    from .session import (
        close,
        configure_dataset_settings,
        copy,
        count,
        delete,
        delete_records,
        get_workspace,
        init,
        iterate,
        list_datasets,
        list_workspaces,
        load,
        load_dataset_settings,
        log,
        set_workspace,
    )
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
    "load_from_hub",
    "TextClassificationSettings",
    "TokenClassificationSettings",
    "init",
    "close",
    "log",
    "load",
    "iterate",
    "count",
    "delete",
    "delete_records",
    "copy",
    "list_datasets",
    "list_workspaces",
    "get_workspace",
    "set_workspace",
    "configure_dataset_settings",
    "load_dataset_settings",
    "next_to_label",
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
    "load_from_hub": "hub",
    "TextClassificationSettings": "settings",
    "TokenClassificationSettings": "settings",
    "init": "session",
    "close": "session",
    "log": "session",
    "load": "session",
    "iterate": "session",
    "count": "session",
    "delete": "session",
    "delete_records": "session",
    "copy": "session",
    "list_datasets": "session",
    "list_workspaces": "session",
    "get_workspace": "session",
    "set_workspace": "session",
    "configure_dataset_settings": "session",
    "load_dataset_settings": "session",
    "next_to_label": "asking",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
