"""Data sets of records: lists that hold one type, and read and write tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableSequence, Sequence
from typing import Any, ClassVar, Generic, Self, TypeVar, cast, overload

from ..data.dataset import Dataset, RowId
from ..errors import UnknownName, WrongRecordType
from .kept_labels import settings_beside, with_settings
from .origin import Origin
from .record import Record
from .settings import Settings
from .types import Text2TextRecord, TextClassificationRecord, TokenClassificationRecord

R = TypeVar("R", bound=Record)


class RecordDataset(MutableSequence[R], Generic[R]):
    """A list of records of one type; a slice is a plain list.

    left_out: reason -> rows that are in no record, of a data set read from a table.
    settings: the label schema, of a store that has one or of a table: see `kept_labels`. Preparing uses it, and a hub.
    origin: where the records were loaded from; its history is told of the split they are in and the run that uses them.
    """

    record_type: ClassVar[type[Record]] = Record
    task: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        cls.task = cls.record_type.task

    def __init__(self, records: Iterable[R] | None = None) -> None:
        self._records: list[R] = self._checked([] if records is None else records)
        self.left_out: Mapping[str, int] = {}
        self.settings: Settings | None = None
        self.origin: Origin | None = None

    def _checked(self, records: Any) -> list[R]:
        if isinstance(records, Record | str | Mapping) or not isinstance(records, Iterable):
            raise WrongRecordType(type(self).__name__, self.record_type.__name__, [type(records).__name__])
        held = list(records)
        kinds = dict.fromkeys(map(type, held))
        if any(kind is not self.record_type for kind in kinds):
            raise WrongRecordType(type(self).__name__, self.record_type.__name__, [kind.__name__ for kind in kinds])
        return held

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[R]:
        return iter(self._records)

    @overload
    def __getitem__(self, index: int) -> R: ...
    @overload
    def __getitem__(self, index: slice) -> list[R]: ...
    def __getitem__(self, index: int | slice) -> R | list[R]:
        return self._records[index]

    @overload
    def __setitem__(self, index: int, value: R) -> None: ...
    @overload
    def __setitem__(self, index: slice, value: Iterable[R]) -> None: ...
    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(index, slice):
            self._records[index] = self._checked(value)
        else:
            self._records[index] = self._checked([value])[0]

    def __delitem__(self, index: int | slice) -> None:
        del self._records[index]

    def insert(self, index: int, value: R) -> None:
        self._records.insert(index, self._checked([value])[0])

    def __eq__(self, other: object) -> bool:
        return self._records == other._records if type(other) is type(self) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # a list

    def __repr__(self) -> str:
        labelled = sum(record.annotation is not None for record in self._records)
        return f"{type(self).__name__}({len(self)} records, {labelled} annotated)"

    @classmethod
    def _read(cls, table: Any, columns: Mapping[str, Any], multi_label: bool | None = None) -> Self:
        from .tables import from_table

        found = from_table(table, cls.task, columns, multi_label=multi_label)
        dataset = cls(found.records)  # type: ignore[arg-type]  # of the task's type
        dataset.left_out = found.left_out
        dataset.settings = settings_beside(table, cls.task)
        return dataset

    @classmethod
    def from_pandas(cls, frame: Any, **columns: Any) -> Self:
        """The records of a pandas (or polars) frame; columns as those of `from_datasets`."""
        return cls.from_datasets(frame, **columns)

    @classmethod
    def from_polars(cls, frame: Any, **columns: Any) -> Self:
        """The same; polars keeps no settings."""
        return cls.from_datasets(frame, **columns)

    @classmethod
    def from_datasets(cls, dataset: Any, *columns: Any, **named: Any) -> Self:
        """The records of a `datasets.Dataset`; the types say which columns can be named."""
        return cls._read(dataset, named)

    def to_arrow(self) -> Any:
        """A `pyarrow.Table` with a column for each field: see `columns`."""
        from .columns import arrow_table

        return with_settings(arrow_table(self._records, self.record_type), self.settings)

    def to_datasets(self) -> Any:
        """A `datasets.Dataset` with a column for each field, which `from_datasets` reads back to equal records."""
        from datasets import Dataset

        return with_settings(Dataset(self.to_arrow()), self.settings)

    def to_pandas(self) -> Any:
        """A pandas frame with a column for each field, Python objects in the cells."""
        from .columns import pandas_frame

        return with_settings(pandas_frame(self._records, self.record_type), self.settings)

    def to_polars(self) -> Any:
        """A polars frame with a column for each field, typed as those of `to_datasets`."""
        from .columns import polars_frame

        return polars_frame(self._records, self.record_type)

    def prepare_for_training(
        self,
        framework: str = "transformers",
        settings: Any = None,
        lang: Any = None,
        train_size: float | None = None,
        test_size: float | None = None,
        seed: int | None = None,
        *,
        stratify: bool = False,
        include_discarded: bool = False,
        **options: Any,
    ) -> Any:
        """The annotated records as a framework trains on them: see `preparing.prepare`, and docs/preparing.md.

        settings: None is those of the data set.
        """
        from .preparing import prepare

        settings = self.settings if settings is None else settings
        split = {"train_size": train_size, "test_size": test_size, "seed": seed, "stratify": stratify}
        options = {**options, **split, "include_discarded": include_discarded, "origin": self.origin}
        return prepare(self._records, self.task, framework, settings, lang, **options)

    def as_dataset(self, name: str = "train", limit: int | None = None, *, gold: bool = True) -> Dataset:
        """The records (the first `limit`) as the table that `tunesmith.train` reads: see `feeding.table`."""
        from .feeding import table

        more: dict[str, Any] = {"name": name, "gold": gold, "origin": self.origin}
        return table(self._records[:limit], self.task, self.settings, **more)

    def as_inputs(self) -> list[tuple[RowId, str]]:
        """(id, what a model reads) of each record, to be predicted."""
        from .feeding import input_of

        return [(record.id, input_of(record)) for record in self._records]

    def push_to_hub(
        self,
        repo_id: str,
        *,
        token: str | None = None,
        endpoint: str | None = None,
        private: bool | None = None,
        split: str = "train",
        settings: Settings | None = None,
    ) -> str:
        """Writes a split of a data set repository, with its card; gives back the address: see `hub.push`."""
        from .hub import push

        options: dict[str, Any] = {"token": token, "endpoint": endpoint, "private": private, "split": split}
        return push(self, repo_id, settings=settings or self.settings, **options)

    @classmethod
    def from_hub(cls, repo_id: str, **options: Any) -> Self:
        """The records of a split that was pushed: options as those of `hub.load_from_hub`."""
        from .hub import load_from_hub

        return cast(Self, load_from_hub(repo_id, cls.task, **options))


class DatasetForTextClassification(RecordDataset[TextClassificationRecord]):
    """`TextClassificationRecord`s."""

    record_type = TextClassificationRecord

    @classmethod
    def from_datasets(
        cls,
        dataset: Any,
        text: str | None = None,
        id: str | None = None,
        inputs: str | Sequence[str] | None = None,
        annotation: str | None = None,
        metadata: str | Sequence[str] | None = None,
        *,
        multi_label: bool | None = None,
    ) -> Self:
        """The records of a `datasets.Dataset` (or of a frame), each field from the column of its name or the one named.

        inputs, metadata: several columns make one mapping. multi_label: of every record; None takes the column of that
        name, or else whether the annotations are lists. Ids of a `ClassLabel` become names, -1 and NaN no label.
        Rows without text are left out and counted in `left_out`.

        Raises:
            DataError: a `DatasetDict`, a column that is missing. RowError: a cell that does not hold.
        """
        columns = {"text": text, "id": id, "inputs": inputs, "annotation": annotation, "metadata": metadata}
        return cls._read(dataset, columns, multi_label)


class DatasetForTokenClassification(RecordDataset[TokenClassificationRecord]):
    """`TokenClassificationRecord`s."""

    record_type = TokenClassificationRecord

    @classmethod
    def from_datasets(
        cls,
        dataset: Any,
        text: str | None = None,
        id: str | None = None,
        tokens: str | None = None,
        tags: str | None = None,
        metadata: str | Sequence[str] | None = None,
    ) -> Self:
        """The records of a `datasets.Dataset` (or of a frame), each field from the column of its name or the one named.

        tags: a column of IOB or BILOU tags, by name or by the id of a `ClassLabel`, which become the annotation.
        Rows without tokens are left out and counted in `left_out`.

        Raises:
            DataError: a `DatasetDict`, a column that is missing. RowError: a cell that does not hold.
        """
        return cls._read(dataset, {"text": text, "id": id, "tokens": tokens, "tags": tags, "metadata": metadata})


class DatasetForText2Text(RecordDataset[Text2TextRecord]):
    """`Text2TextRecord`s."""

    record_type = Text2TextRecord

    @classmethod
    def from_datasets(
        cls,
        dataset: Any,
        text: str | None = None,
        annotation: str | None = None,
        metadata: str | Sequence[str] | None = None,
        id: str | None = None,
    ) -> Self:
        """The records of a `datasets.Dataset` (or of a frame), each field from the column of its name or the one named.

        Rows without text are left out and counted in `left_out`.

        Raises:
            DataError: a `DatasetDict`, a column that is missing. RowError: a cell that does not hold.
        """
        return cls._read(dataset, {"text": text, "annotation": annotation, "metadata": metadata, "id": id})


_ALL = DatasetForTextClassification, DatasetForTokenClassification, DatasetForText2Text
DATASETS: Mapping[str, type[RecordDataset[Any]]] = {cls.task: cls for cls in _ALL}
"""Task name -> class."""


def dataset_class(task: str) -> type[RecordDataset[Any]]:
    """The data set class of a task.

    Raises:
        UnknownName: no task of records; the nearest is named.
    """
    name = str(getattr(task, "value", task))
    if name not in DATASETS:
        raise UnknownName("task of records", name, DATASETS)
    return DATASETS[name]


def read_datasets(dataset: Any, task: str, **columns: Any) -> RecordDataset[Any]:
    """The records of a `datasets.Dataset`: the class of the task, and its `from_datasets`."""
    return dataset_class(task).from_datasets(dataset, **columns)


def read_pandas(frame: Any, task: str, **columns: Any) -> RecordDataset[Any]:
    """The records of a pandas or polars frame: the class of the task, and its `from_pandas`."""
    return dataset_class(task).from_pandas(frame, **columns)
