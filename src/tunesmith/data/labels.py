"""The labels of a data set: which names there are, in which order, and how a cell becomes one of them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, cast

from ..errors import ConfigError, DataError, nearest

Kind = Literal["single", "multi", "regression"]
Label = str | tuple[str, ...] | float | None
KINDS = ("single", "multi", "regression")

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_NO_VALUE = {"", "na", "n/a", "nan", "null", "none"}  # read as missing where numbers are expected, never among names


@dataclass(frozen=True)
class Labels:
    """What the model's outputs stand for.

    names: in label id order; empty for regression. hot: a cell is one 0 or 1 per name, not a list of names.
    Names are strings: 5 and 5.0 are "5", True is "True"; blanks around a name do not count.
    """

    kind: Kind
    names: tuple[str, ...] = ()
    hot: bool = False

    def __len__(self) -> int:
        """The number of model outputs: one for regression."""
        return len(self.names) or 1

    @cached_property
    def ids(self) -> Mapping[str, int]:
        return {name: place for place, name in enumerate(self.names)}

    @cached_property
    def _numbered(self) -> bool:
        return any(_NUMBER.fullmatch(name) for name in self.names)

    def read(self, value: Any) -> Label:
        """The label a cell stands for, or None where the cell is missing (None, NaN, blank text).

        A whole number (not text) among names none of which is a number is a label id.

        Raises:
            ValueError: the reason alone; the caller adds row and column.
        """
        if is_missing(value):
            return None
        if self.kind == "regression":
            return _number(value)
        if self.kind == "single":
            if isinstance(value, (list, tuple, dict)):
                raise ValueError(f"it holds {_kind_of(value)}; one label is expected")
            return self._name(value)
        return self._several(value)

    def encode(self, label: str | tuple[str, ...] | float) -> int | list[float] | float:
        """What the model learns: the label id, one 0.0 or 1.0 per name, or the number itself."""
        if self.kind == "regression":
            return float(cast(float, label))
        if self.kind == "single":
            return self.ids[cast(str, label)]
        chosen = set(cast("tuple[str, ...]", label))
        return [float(name in chosen) for name in self.names]

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "names": list(self.names), "hot": self.hot}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Labels:
        return cls(values["kind"], tuple(values.get("names", ())), bool(values.get("hot", False)))

    def _name(self, value: Any) -> str:
        name = name_of(value)
        if name in self.ids:
            return name
        if isinstance(value, str) and (plain := _canonical(name)) in self.ids:
            return plain
        if isinstance(value, int) and not isinstance(value, bool) and not self._numbered:
            if 0 <= value < len(self.names):
                return self.names[value]
            raise ValueError(f"label id {value} is outside 0 … {len(self.names) - 1} ({_listed(self.names)})")
        close = nearest(name, self.names)
        hint = f"; did you mean {close!r}?" if close else ""
        raise ValueError(f"label {name!r} is not one of the {len(self.names)} known: {_listed(self.names)}{hint}")

    def _several(self, value: Any) -> tuple[str, ...]:
        cells = _parts(value, self.ids) if isinstance(value, str) else value
        if not isinstance(cells, (list, tuple)):
            cells = [cells]
        if self.hot and not (cells and isinstance(cells[0], str)):
            if len(cells) != len(self.names):
                raise ValueError(f"it holds {len(cells)} numbers; one for each of {len(self.names)} labels is expected")
            if not all(cell in (0, 1) for cell in cells):
                raise ValueError(f"it holds {list(cells)!r}; only 0 and 1 are expected")
            return tuple(name for name, cell in zip(self.names, cells, strict=True) if cell)
        if any(is_missing(cell) for cell in cells):
            raise ValueError("one label of the list is missing")
        found = {self._name(cell) for cell in cells}
        return tuple(name for name in self.names if name in found)


def is_missing(value: Any) -> bool:
    """None, NaN or blank text."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or (isinstance(value, float) and math.isnan(value))


def name_of(value: Any) -> str:
    """A label's name: 5 -> "5", 5.0 -> "5", True -> "True", " spam " -> "spam"."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def infer(
    values: Iterable[Any], *, declared: Sequence[str] | None = None, untyped: bool = False, kind: str | None = None
) -> Labels:
    """The labels that the training cells stand for; missing cells are passed over.

    Numbers with a fraction anywhere are regression; lists are multi-label (equal lists of 0 and 1: multi-hot); all
    else is one class a row. Names are sorted, numbers by size; `declared` names keep their order, unseen ones too.
    untyped: cells are text, so numbers are recognised by their spelling. kind: forces the kind; text is then split
    into labels at '|', ';' or ',' where some cell holds one, at blanks otherwise.

    Raises:
        DataError: no label at all, a single class, or cells that do not fit the kind.
    """
    if kind is not None and kind not in KINDS:
        raise ConfigError("kind", kind, "single, multi or regression")
    cells = [value for value in values if not is_missing(value)]
    if not cells:
        raise DataError("no row has a label: every cell of the label column is empty.")
    lists = sum(isinstance(cell, (list, tuple)) for cell in cells)
    if kind == "regression" or (kind is None and not lists and not declared and _has_fraction(cells, untyped)):
        return _regression(cells)
    if kind == "multi" or (kind is None and lists):
        return _multi(cells, declared)
    if lists:
        raise DataError(f"{lists} label cells hold lists, but kind is 'single': one label a row is expected.")
    return _single(cells, declared, untyped)


def _regression(cells: Sequence[Any]) -> Labels:
    for cell in cells:
        try:
            _number(cell)
        except ValueError as error:
            raise DataError(f"a label is no number, but kind is 'regression': {error}.") from error
    return Labels("regression")


def _single(cells: Sequence[Any], declared: Sequence[str] | None, untyped: bool) -> Labels:
    if declared:
        names = tuple(map(str, declared))
    else:
        found = {name_of(cell) for cell in cells}
        if untyped and all(_NUMBER.fullmatch(name) for name in found):
            found = set(map(_canonical, found))
        names = _in_order(found)
    if len(names) < 2:
        raise DataError(
            f"every labelled row has the label {names[0]!r}; classification needs at least two classes. "
            "Add rows of another class, or ask for regression if the label is a score."
        )
    return Labels("single", names)


def _multi(cells: Sequence[Any], declared: Sequence[str] | None) -> Labels:
    hot = _is_hot(cells, len(declared) if declared else None)
    if declared:
        return Labels("multi", tuple(map(str, declared)), hot)
    if hot:
        return Labels("multi", tuple(str(place) for place in range(len(cells[0]))), True)
    mark = next((mark for mark in "|;," if any(mark in cell for cell in cells if isinstance(cell, str))), None)
    found = set()
    for cell in cells:
        parts = _split(cell, mark) if isinstance(cell, str) else cell if isinstance(cell, (list, tuple)) else [cell]
        for part in parts:
            if isinstance(part, float) and not part.is_integer():
                raise DataError(f"a label list holds {part}: lists hold names, ids, or one 0 or 1 per label.")
            if not is_missing(part):
                found.add(name_of(part))
    if not found:
        raise DataError("no row has a label: every list of the label column is empty.")
    return Labels("multi", _in_order(found))


def _is_hot(cells: Sequence[Any], width: int | None) -> bool:
    """Whether every cell is a list of one length over one (`width`, where given) with only 0 and 1 in it."""
    if not all(isinstance(cell, (list, tuple)) for cell in cells):
        return False
    width = width or len(cells[0])
    return width > 1 and all(
        len(cell) == width and all(not isinstance(part, str) and part in (0, 1) for part in cell) for cell in cells
    )


def _in_order(names: Iterable[str]) -> tuple[str, ...]:
    found = sorted(names)
    return tuple(sorted(found, key=float) if all(map(_NUMBER.fullmatch, found)) else found)


def _has_fraction(cells: Sequence[Any], untyped: bool) -> bool:
    if untyped:
        numbers = [cell for cell in cells if str(cell).strip().lower() not in _NO_VALUE]
        if not all(_NUMBER.fullmatch(str(cell).strip()) for cell in numbers):
            return False
        return any(not float(cell).is_integer() for cell in numbers)
    return any(isinstance(cell, float) and not cell.is_integer() for cell in cells)


def _number(value: Any) -> float | None:
    if isinstance(value, str) and value.strip().lower() in _NO_VALUE:
        return None
    if isinstance(value, (int, float)) or (isinstance(value, str) and _NUMBER.fullmatch(value.strip())):
        number = float(value)
        if math.isfinite(number):
            return number
    raise ValueError(f"{value!r} is no finite number")


def _canonical(name: str) -> str:
    """ "1.0" -> "1": how spreadsheets write whole numbers of a column with gaps."""
    return re.sub(r"(\d)\.0+$", r"\1", name) if _NUMBER.fullmatch(name) else name


def _parts(text: str, known: Mapping[str, int]) -> list[str]:
    if text.strip() in known:
        return [text.strip()]
    return _split(text, next((mark for mark in "|;," if mark in text), None))


def _split(text: str, mark: str | None) -> list[str]:
    """The labels written in one cell: "3 27", "joy|anger", "['a', 'b']"."""
    bare = text.strip()
    if bare[:1] == "[" and bare[-1:] == "]":
        bare = bare[1:-1]
    return [part for piece in bare.split(mark) if (part := piece.strip().strip("'\"").strip())]


def _listed(names: Sequence[str], limit: int = 12) -> str:
    return ", ".join(names[:limit]) + (", …" if len(names) > limit else "")


def _kind_of(value: Any) -> str:
    return "a mapping" if isinstance(value, dict) else f"a list of {len(value)}"
