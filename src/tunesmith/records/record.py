"""What the three types of records share: a plain class with slots, checked when made and when a field is assigned."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any, ClassVar, Self

from ..errors import RowError, UnknownField, nearest
from .fields import (
    TokenAttributions,
    is_none,
    new_id,
    read_id,
    read_mapping,
    read_name,
    read_status,
    read_time,
    read_vectors,
    read_words,
    shown,
)

Reader = Callable[[Any, Any], Any]
"""(value, record) -> the form to keep; the fields before it are set in the record."""

Readers = dict[str, Reader]
Defaults = dict[str, Callable[[Any], Any]]
put = object.__setattr__  # a field, unchecked


def alone(read: Callable[[Any], Any]) -> Reader:
    return lambda value, record: read(value)


def _default_status(record: Record) -> str:
    return "Default" if record.annotation is None else "Validated"


class Record:
    """What the three types share. Fields are checked on assignment as in the constructor.

    Two records are equal when they are of one type and all fields are equal, `id` and `event_timestamp` too.
    """

    __slots__ = (
        *("annotation", "annotation_agent", "event_timestamp", "id", "metadata", "metrics"),
        *("prediction", "prediction_agent", "search_keywords", "status", "vectors"),
    )
    id: str | int
    prediction: list[Any] | None
    prediction_agent: str | None
    annotation: Any
    annotation_agent: str | None
    vectors: dict[str, list[float]] | None
    metadata: dict[str, Any]
    status: str
    event_timestamp: datetime
    metrics: dict[str, Any] | None
    search_keywords: list[str] | None

    task: ClassVar[str] = ""
    FIELDS: ClassVar[tuple[str, ...]] = ()  # in declared order, which is that of columns
    _FIXED: ClassVar[frozenset[str]] = frozenset()
    _READERS: ClassVar[Readers] = {
        "prediction_agent": alone(read_name),
        "annotation_agent": alone(read_name),
        "vectors": alone(read_vectors),
        "id": alone(read_id),
        "metadata": alone(read_mapping),
        "status": alone(read_status),
        "event_timestamp": alone(read_time),
        "metrics": alone(read_mapping),
        "search_keywords": alone(read_words),
    }
    _DEFAULTS: ClassVar[Defaults] = {
        "id": lambda record: new_id(),
        "metadata": lambda record: {},
        "status": _default_status,
        "event_timestamp": lambda record: datetime.now(),
    }
    _NONE: ClassVar[frozenset[str]] = frozenset()  # fields that may be None
    _PUTS: ClassVar[dict[str, Callable[[Any, Any], None]]] = {}
    _GET: ClassVar[Callable[[Any], tuple[Any, ...]]]

    def __init_subclass__(cls) -> None:
        cls._READERS = Record._READERS | cls._READERS
        cls._DEFAULTS = Record._DEFAULTS | cls._DEFAULTS
        cls._NONE = frozenset(cls.FIELDS) - set(cls._DEFAULTS)
        cls._PUTS = {name: getattr(cls, name).__set__ for name in cls.FIELDS}
        cls._GET = attrgetter(*cls.FIELDS)

    def _fill(self, unknown: Mapping[str, Any], **values: Any) -> None:
        """Every field, in the order given."""
        if unknown:
            raise UnknownField(next(iter(unknown)), type(self).__name__, self.FIELDS)
        puts, blank = self._PUTS, self._NONE
        for name, value in values.items():
            puts[name](self, None if value is None and name in blank else self._read(name, value))

    def _read(self, name: str, value: Any) -> Any:
        try:
            if value is not None:
                try:
                    return self._READERS[name](value, self)
                except ValueError:
                    if not is_none(value):
                        raise
            default = self._DEFAULTS.get(name)
            return default(self) if default else None
        except ValueError as error:
            known = getattr(self, "id", None)
            raise RowError(repr(value) if known is None else known, name, str(error)) from error

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self._FIXED:
            raise AttributeError(f"You cannot assign a new value to `{name}`: make a new record")
        if name not in self.FIELDS:
            close = nearest(name, self.FIELDS)
            hint = f": did you mean {close!r}?" if close else f": it has {', '.join(self.FIELDS)}"
            raise AttributeError(f"{type(self).__name__} has no field {name!r}{hint}")
        put(self, name, self._read(name, value))
        if name == "annotation" and self.annotation is not None and self.status == "Default":
            put(self, "status", "Validated")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a field of a record cannot be deleted: assign None to `{name}`")

    @property
    def key(self) -> str:
        """What a store holds the record under: the string of its id."""
        return str(self.id)

    def _unsaid(self) -> tuple[str, ...]:
        """The fields that go without saying."""
        return () if self.metadata else ("metadata",)

    def to_dict(self) -> dict[str, Any]:
        """The fields that are set in JSON values, copied: tuples are lists, the time is ISO text.

        `inputs` is left out where `text` says it.
        """
        found, unsaid = {}, self._unsaid()
        for name, value in zip(self.FIELDS, type(self)._GET(self), strict=True):
            if value is not None and name not in unsaid:
                found[name] = value if type(value) in _SCALARS else _plain(value)
        return found

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The record of `to_dict`'s mapping, checked.

        Raises:
            RowError: a field that does not hold. UnknownField: a key that is no field.
        """
        return cls(**values)

    @classmethod
    def trusted(cls, values: Mapping[str, Any]) -> Self:
        """The record of `to_dict`'s mapping, unchecked: of a store that holds what was checked before.

        The lists and mappings in `values` become the record's own.
        """
        record = cls.__new__(cls)
        get = values.get
        for name, fill in cls._PUTS.items():
            fill(record, get(name))
        moment: Any = record.event_timestamp
        if get("metadata") is None:
            put(record, "metadata", {})
        if record.prediction:
            put(record, "prediction", list(map(tuple, record.prediction)))
        if type(moment) is str:
            put(record, "event_timestamp", datetime.fromisoformat(moment))
        record._settle()
        return record

    @classmethod
    def together(cls, records: Iterable[Record]) -> Any:
        """A data set of these records."""
        from .datasets import dataset_class

        return dataset_class(cls.task)(records)

    def _settle(self) -> None:
        """What a type has to add to a trusted record."""

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.FIELDS)

    __hash__ = None  # type: ignore[assignment]  # fields can change

    def __reduce__(self) -> tuple[Any, ...]:  # copies and processes: what was checked is not checked again
        return type(self).trusted, (self.to_dict(),)

    def __repr__(self) -> str:
        first = self.FIELDS[0] if getattr(self, self.FIELDS[0]) is not None else self.FIELDS[1]
        names = ("id", first, "prediction", "annotation", "status")
        told = (f"{name}={shown(value)}" for name in names if (value := getattr(self, name)) is not None)
        return f"{type(self).__name__}({', '.join(told)})"


_SCALARS = frozenset({str, int, float, bool, type(None)})


def _plain(value: Any) -> Any:
    """A checked value that is no scalar in JSON values, copied."""
    kind = type(value)
    if kind is dict:
        return {key: part if type(part) in _SCALARS else _plain(part) for key, part in value.items()}
    if kind is datetime:
        return value.isoformat()
    if kind is TokenAttributions:
        return {"token": value.token, "attributions": dict(value.attributions)}
    return [part if type(part) in _SCALARS else _plain(part) for part in value]
