"""What `import argilla as rg` gave for text: change it to `import tunesmith.argilla as rg` and go on.

The types, data sets, settings and verbs are those of `tunesmith.records`; `ArgillaTrainer` trains on them. `log` and
`load` take the arguments of Argilla 1.29 in its order; what stands in the place of those that mean nothing here is said
at each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import DataError, nearest
from .records import session
from .records.session import (
    configure_dataset_settings,
    copy,
    delete,
    delete_records,
    get_workspace,
    init,
    list_datasets,
    list_workspaces,
    load_dataset_settings,
    set_workspace,
)

if TYPE_CHECKING:
    from .argilla_trainer import ArgillaTrainer
    from .records.asking import next_to_label
    from .records.datasets import (
        DatasetForText2Text,
        DatasetForTextClassification,
        DatasetForTokenClassification,
        read_datasets,
        read_pandas,
    )
    from .records.fields import TokenAttributions
    from .records.record import Record
    from .records.settings import TextClassificationSettings, TokenClassificationSettings
    from .records.store.writing import Logged
    from .records.types import Text2TextRecord, TextClassificationRecord, TokenClassificationRecord

__all__ = [
    "ArgillaTrainer",
    "init",
    "log",
    "load",
    "delete",
    "delete_records",
    "copy",
    "list_datasets",
    "list_workspaces",
    "set_workspace",
    "get_workspace",
    "configure_dataset_settings",
    "load_dataset_settings",
    "next_to_label",
    "TextClassificationRecord",
    "TokenClassificationRecord",
    "Text2TextRecord",
    "TokenAttributions",
    "DatasetForTextClassification",
    "DatasetForTokenClassification",
    "DatasetForText2Text",
    "TextClassificationSettings",
    "TokenClassificationSettings",
    "read_datasets",
    "read_pandas",
]

_MISSING = "Feedback data sets, labelling rules and metrics of Argilla are not here."


def log(
    records: Record | Iterable[Record],
    name: str,
    workspace: str | None = None,
    tags: Mapping[str, str] | None = None,
    metadata: Mapping[str, Any] | None = None,
    batch_size: int = 1_000,
    verbose: bool = True,
    background: bool = False,
    chunk_size: int | None = None,
    num_threads: int = 0,
    max_retries: int = 3,
) -> Logged | Future[Logged]:
    """`records.log`. chunk_size is an old name of batch_size.

    num_threads, max_retries: batches go one after the other, and each is tried four times: both may be said, and
    change nothing that is kept.
    """
    size = batch_size if chunk_size is None else chunk_size
    return session.log(records, name, workspace, tags, metadata, size, verbose=verbose, background=background)


def load(
    name: str,
    workspace: str | None = None,
    query: str | None = None,
    vector: tuple[str, Sequence[float]] | None = None,
    ids: Sequence[str | int] | None = None,
    limit: int | None = None,
    sort: Sequence[tuple[str, str]] | None = None,
    id_from: str | int | None = None,
    batch_size: int | None = None,
    include_vectors: bool = True,
    include_metrics: bool = True,
    as_pandas: bool | None = None,
) -> Any:
    """`records.load`. batch_size: the records of one request, 1,000 where it is not said.

    Raises:
        DataError: as_pandas is True, which Argilla refuses too; and as `records.load`.
    """
    if as_pandas:
        raise DataError(f"as_pandas is no more: write load({name!r}).to_pandas().")
    return session.load(
        name,
        workspace,
        query,
        vector,
        ids,
        limit,
        sort=sort,
        id_from=id_from,
        page=batch_size,
        include_vectors=include_vectors,
        include_metrics=include_metrics,
    )


def __getattr__(name: str) -> Any:
    if name not in __all__:
        close = nearest(name, __all__)
        hint = f" Did you mean {close!r}?" if close else ""
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}.{hint} {_MISSING}")
    home = ".argilla_trainer" if name == "ArgillaTrainer" else ".records"
    value = getattr(import_module(home, __package__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
