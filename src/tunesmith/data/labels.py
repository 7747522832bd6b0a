"""The labels of a data set: which names there are, in which order, and how a cell becomes one of them."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, cast

from ..errors import ConfigError, DataError, nearest
from .cells import NO_VALUE, NUMBER, all_opened, canonical, is_missing, number, opened, split, whole

Kind = Literal["single", "multi", "regression"]
Label = str | tuple[str, ...] | float | None
KINDS = ("single", "multi", "regression")
MANY = 20  # classes; more of them that are numbers, and most of them rows of their own, may be amounts
_COMMA = re.compile(r"[+-]?\d+,\d+")


@dataclass(frozen=True)
class Labels:
    """What the model's outputs stand for.

    names: in label id order; empty for regression. hot: a cell is one 0 or 1 per name, not a list of names. by_id: a
    whole number may be a label id; not where the training cells were names and numbers, which says too little.
    Names are strings: 5 and 5.0 are "5", True is "True"; blanks around a name do not count.
    """

    kind: Kind
    names: tuple[str, ...] = ()
    hot: bool = False
    by_id: bool = True

    def __len__(self) -> int:
        """The number of model outputs: one for regression."""
        return len(self.names) or 1

    @cached_property
    def ids(self) -> Mapping[str, int]:
        return {name: place for place, name in enumerate(self.names)}

    @cached_property
    def _numbered(self) -> bool:
        return any(NUMBER.fullmatch(name) for name in self.names)

    def read(self, value: Any) -> Label:
        """The label a cell stands for, or None where the cell is missing (None, NaN, blank text).

        A whole number (not text; 1.0 too) among names none of which is a number is a label id.

        Raises:
            ValueError: the reason alone; the caller adds row and column.
        """
        if is_missing(value):
            return None
        if self.kind == "regression":
            return number(value)
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
        told = {"kind": self.kind, "names": list(self.names), "hot": self.hot}
        return told if self.by_id else {**told, "by_id": False}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Labels:
        return cls(
            values["kind"], tuple(values.get("names", ())), bool(values.get("hot", False)), values.get("by_id", True)
        )

    def _name(self, value: Any) -> str:
        name = value if isinstance(value, str) and value in self.ids else name_of(value)
        if name in self.ids:
            return self.names[self.ids[name]]  # one object for all rows
        if isinstance(value, str) and (plain := canonical(name)) in self.ids:
            return plain
        place = whole(value)
        if place is not None and self.by_id and not self._numbered:
            if 0 <= place < len(self.names):
                return self.names[place]
            raise ValueError(f"label id {place} is outside 0 … {len(self.names) - 1} ({_listed(self.names)})")
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


def name_of(value: Any) -> str:
    """A label's name: 5 -> "5", 5.0 -> "5", True -> "True", " spam " -> "spam"."""
    place = whole(value)
    return str(value).strip() if place is None else str(place)


def infer(
    values: Iterable[Any], *, declared: Sequence[str] | None = None, untyped: bool = False, kind: str | None = None
) -> Labels:
    """The labels that the training cells stand for; missing cells are passed over.

    Numbers with a fraction anywhere are regression; lists are multi-label (lists of 0 and 1, one per label:
    multi-hot), also where every text spells one; all else is one class a row. Names are sorted, numbers by size;
    `declared` names keep their order, unseen ones too. Cells that cannot be labels beside the others (a number among
    names, a fraction in a list) are passed over: `read` tells of them by row.
    untyped: cells are text, so numbers are recognised by their spelling. kind: forces the kind; text is then split
    into labels at '|', ';' or ',' where some cell holds one, at blanks otherwise, and "[0, 1]" read as a list.

    Raises:
        DataError: no label at all, a single class, no cell that fits the kind, or numbers that may well be amounts.
    """
    if kind is not None and kind not in KINDS:
        raise ConfigError("kind", kind, "single, multi or regression")
    cells = [value for value in values if not is_missing(value)]
    is_open = kind is None and not declared
    cells = all_opened(cells) if is_open else cells
    if not cells:
        raise DataError("no row has a label: every cell of the label column is empty.")
    if kind == "regression":
        return _regression(cells)
    if kind == "multi":
        return _multi(cells, declared)
    if kind == "single" and all(isinstance(cell, (list, tuple)) for cell in cells):
        raise DataError(f"{len(cells)} label cells hold lists, but kind is 'single': one label a row is expected.")
    alike = _alike(cells, lists=kind is None)
    if isinstance(alike[0], (list, tuple)):
        return _multi(alike, declared)
    if is_open and _has_fraction(alike, untyped):
        return Labels("regression")
    if is_open:
        _refuse_amounts(alike, untyped)
    return replace(_single(alike, declared, untyped), by_id=len(alike) == len(cells) or bool(declared))


def _alike(cells: Sequence[Any], *, lists: bool) -> list[Any]:
    """The cells of the form that most have: text, number, true or false, list (where asked for)."""
    found: dict[str, list[Any]] = {}
    for cell in cells:
        if isinstance(cell, (list, tuple)) and lists:
            found.setdefault("list", []).append(cell)
        elif isinstance(cell, (str, bool)):
            found.setdefault(type(cell).__name__, []).append(cell)
        elif not isinstance(cell, (list, tuple)) and not (isinstance(cell, float) and math.isinf(cell)):
            found.setdefault("other", []).append(cell)
    if not found:
        raise DataError("no row has a label: the label column holds infinite numbers alone.")
    return max(found.values(), key=len)


def _regression(cells: Sequence[Any]) -> Labels:
    problem: ValueError | None = None
    for cell in cells:
        try:
            number(cell)
        except ValueError as error:
            problem = error
        else:
            return Labels("regression")
    raise DataError(f"a label column of numbers is expected, but none can be read: {problem}.") from problem


def _single(cells: Sequence[Any], declared: Sequence[str] | None, untyped: bool) -> Labels:
    if declared:
        names = tuple(map(str, declared))
    else:
        found = {name_of(cell) for cell in cells}
        if untyped and all(NUMBER.fullmatch(name) for name in found):
            found = set(map(canonical, found))
        names = _in_order(found)
    if len(names) < 2:
        score = ", or ask for regression if the label is a score" if NUMBER.fullmatch(names[0]) else ""
        raise DataError(
            f"every labelled row has the label {names[0]!r}; classification needs at least two classes. "
            f"Add rows of another class{score}."
        )
    return Labels("single", names)


def _multi(cells: Sequence[Any], declared: Sequence[str] | None) -> Labels:
    listed = [opened(cell) if isinstance(cell, str) else cell for cell in cells]
    sound = [cell for cell in listed if not isinstance(cell, (list, tuple)) or all(map(_can_be_label, cell))]
    if not sound:
        bad = next(part for part in listed[0] if not _can_be_label(part))
        raise DataError(f"a label list holds {bad!r}: lists hold names, ids, or one 0 or 1 per label.")
    width = _hot_width(sound, len(declared) if declared else None)
    if declared:
        return Labels("multi", tuple(map(str, declared)), width > 0)
    if width:
        return Labels("multi", tuple(map(str, range(width))), True)
    mark = next((mark for mark in "|;," if any(mark in cell for cell in sound if isinstance(cell, str))), None)
    found = set()
    for cell in sound:
        parts = split(cell, mark) if isinstance(cell, str) else cell if isinstance(cell, (list, tuple)) else [cell]
        found |= {name_of(part) for part in parts if _can_be_label(part)}
    if not found:
        raise DataError("no row has a label: every list of the label column is empty.")
    return Labels("multi", _in_order(found))


def _can_be_label(part: Any) -> bool:
    return not is_missing(part) and not (isinstance(part, float) and not part.is_integer())


def _hot_width(cells: Sequence[Any], width: int | None) -> int:
    """How many labels there are where a cell is one 0 or 1 for each (`width`, where given); 0 where it holds names.

    Lists of unequal length, or other cells beside them, are names, unless some list holds one number twice, as lists
    of names do not: then most of the lists tell the length.
    """
    hot = [cell for cell in cells if isinstance(cell, (list, tuple)) and all(map(_is_bit, cell))]
    if 2 * len(hot) <= len(cells):
        return 0
    widths = Counter(map(len, hot))
    width = width or widths.most_common(1)[0][0]
    if width < 2 or width not in widths:
        return 0
    alike = len(widths) == 1 and len(hot) == len(cells)
    return width if alike or any(len(set(cell)) < len(cell) for cell in hot) else 0


def _is_bit(part: Any) -> bool:
    return not isinstance(part, str) and part in (0, 1)


def _in_order(names: Iterable[str]) -> tuple[str, ...]:
    found = sorted(names)
    return tuple(sorted(found, key=float) if all(map(NUMBER.fullmatch, found)) else found)


def _has_fraction(cells: Sequence[Any], untyped: bool) -> bool:
    if untyped:
        numbers = [cell for cell in cells if str(cell).strip().lower() not in NO_VALUE]
        if not all(NUMBER.fullmatch(str(cell).strip()) for cell in numbers):
            return False
        return any(not float(cell).is_integer() for cell in numbers)
    return any(isinstance(cell, float) and not cell.is_integer() for cell in cells)


def _refuse_amounts(cells: Sequence[Any], untyped: bool) -> None:
    """Raises: DataError, for numbers of which it is not plain that they are classes."""
    names = [name for name in map(name_of, cells) if name.lower() not in NO_VALUE]
    different = set(names)
    comma = next((name for name in names if _COMMA.fullmatch(name)), None)
    if comma and all(_COMMA.fullmatch(name) or NUMBER.fullmatch(name) for name in different):
        raise DataError(
            f"the labels are numbers with a comma, as {comma!r}: write amounts with a decimal point, as "
            f"{comma.replace(',', '.')!r}, or say label_kind='single' if they are classes, 'multi' if each is a list."
        )
    numbers = (untyped or not isinstance(cells[0], str)) and all(map(NUMBER.fullmatch, different))
    found = len(set(map(canonical, different)))
    if numbers and found > MANY and 2 * found > len(names):
        raise DataError(
            f"{found} different whole numbers in {len(names)} rows: say label_kind='regression' if they are amounts, "
            "'single' if they are classes."
        )


def _parts(text: str, known: Mapping[str, int]) -> list[Any]:
    if text.strip() in known:
        return [text.strip()]
    listed = opened(text)
    return listed if isinstance(listed, list) else split(text, next((mark for mark in "|;," if mark in text), None))


def _listed(names: Sequence[str], limit: int = 12) -> str:
    return ", ".join(names[:limit]) + (", …" if len(names) > limit else "")


def _kind_of(value: Any) -> str:
    return "a mapping" if isinstance(value, dict) else f"a list of {len(value)}"
