"""One field with one value: as terms of the full-text index where it has them, as a condition on columns else."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, true

from ...errors import QueryError
from ..store.facts import plain
from ..store.schema import records
from . import exact, facts, patterns
from .moments import span
from .names import EXACT, EXISTS, LABELS, MOMENTS, NUMBERS, TEXT, is_exact
from .parsing import Match, Range, Value
from .terms import Both, Either, Phrase, Terms, Without, word
from .words import LONGEST, SEVERAL, field_prefix, fold, is_part_of_word, mark, number_text, status_mark, words

STATUSES = ("Default", "Edited", "Discarded", "Validated")
_NO_ORDER = "text has no order: a range needs a number, a time or a label"
_TERMS = (Phrase, Both, Either, Without)
Condition = Any  # an SQLAlchemy expression that is never NULL
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_COLUMNS = {"score": records.c.score, "event_timestamp": records.c.event_timestamp, "last_updated": records.c.updated}


def number(text: str) -> int | float | None:
    """The number that a text is; None of another text, and of a number that no record can hold."""
    if not _NUMBER.fullmatch(text.strip()):
        return None
    try:
        found = plain(int(text))
    except ValueError:
        found = float(text)
    return found if isinstance(found, int | float) and math.isfinite(found) else None


@dataclass(frozen=True)
class Narrowed:
    """A condition on the columns that only records can meet which the index gives for these terms."""

    terms: Terms
    condition: Condition


@dataclass(frozen=True)
class Leaves:
    """Reads the matches of one query for one database."""

    query: str
    sqlite: bool

    def __call__(self, match: Match) -> Terms | Condition | Narrowed:
        field, value = match.field, match.value
        if field == "*" or (field == "id" and isinstance(value, Value) and value.anything):
            if isinstance(value, Value) and value.anything:
                return true()
            raise self.error(match, "the field * goes with the value * alone")
        if field == EXISTS:
            return self.exists(match)
        if isinstance(value, Value) and value.anything:
            return self.has(field)
        group, _, rest = field.partition(".")
        if is_exact(field):
            return self.exact(match, None if group == TEXT else rest.removesuffix(EXACT))
        if field == TEXT or field == "inputs.*":
            return self.text(match, "", value)
        if group == "inputs":
            return self.input(match, rest)
        if group == "vectors":
            raise self.error(match, f"a vector is there or not: write {field}:*")
        if field in _COLUMNS:
            return self.column(match)
        return {"status": self.status, "id": self.identity}.get(field, self.keyword)(match)

    def error(self, match: Match, reason: str) -> QueryError:
        return QueryError(self.query, match.place, reason)

    def exists(self, match: Match) -> Terms | Condition:
        name = match.value.literal if isinstance(match.value, Value) else None
        if not name:
            raise self.error(match, "_exists_ goes with the name of a field")
        return self.has(name)

    def has(self, field: str) -> Terms | Condition:
        """Whether a record has anything in a field; one that no record has is not there."""
        if field in ("id", "status"):
            return true()
        if field in NUMBERS or field in MOMENTS:
            return _COLUMNS[field].is_not(None)
        group, _, rest = (field.removesuffix(EXACT) if is_exact(field) else field).partition(".")
        if group == "inputs" and rest != "*":
            return _of_input(rest, word(mark(TEXT, "x")), lambda prefix: Phrase((prefix,), prefix=True))
        return word(mark(TEXT if group in (TEXT, "inputs") else plain(field), "x"))

    def exact(self, match: Match, name: str | None) -> Condition | Narrowed:
        """Words as they are written, in the text or in one input."""
        value = match.value
        if isinstance(value, Range):
            raise self.error(match, _NO_ORDER)
        asked = exact.pattern(value, atomic=self.sqlite)
        if asked is None:
            raise self.error(match, "has nothing to search for")
        condition = exact.found(name, asked, sqlite=self.sqlite)
        inside = words(value.literal) if value.literal is not None else []
        return Narrowed(Phrase(tuple(inside)), condition) if inside else condition

    def text(self, match: Match, prefix: str, value: Value | Range) -> Terms | Condition:
        """Words in a row, each with `prefix` before it; wildcards within one word."""
        if isinstance(value, Range):
            raise self.error(match, _NO_ORDER)
        parts = [fold(part) for part in value.parts]
        if value.signs in ("", "*") and not (value.signs and parts[1]):
            found = words(parts[0])
            if found:
                goes_on = bool(value.signs) and parts[0].endswith(found[-1])
                return Phrase(tuple(prefix + each for each in found), goes_on)
            raise self.error(match, "has no letter or digit to search for")
        if not all(map(is_part_of_word, parts)):
            raise self.error(match, "a wildcard stands within one word, of letters and digits")
        if sum(map(len, parts)) > LONGEST:
            raise self.error(match, f"is longer than {LONGEST} characters, which no word is")
        return records.c.terms.regexp_match(patterns.within(prefix, parts, value.signs, atomic=self.sqlite))

    def input(self, match: Match, name: str) -> Terms | Condition:
        named = self.text(match, field_prefix(name), match.value)
        if name != TEXT:
            return named
        alone = self.text(match, "", match.value)
        several = word(SEVERAL)
        if isinstance(named, Phrase) and isinstance(alone, Phrase):
            return Either((named, Both((alone, Without(several)))))
        assert not isinstance(named, _TERMS)  # one value has one kind of answer, under both names
        assert not isinstance(alone, _TERMS)
        return named | (alone & records.c.terms.not_like(f"%\\{SEVERAL} %", escape="\\"))

    def status(self, match: Match) -> Terms | Condition:
        value = match.value
        if isinstance(value, Value):
            asked = re.compile(patterns.whole(value.parts, value.signs, atomic=True), re.IGNORECASE)
            found = [status for status in STATUSES if asked.match(status)]
            if found:
                return Either(tuple(word(status_mark(status)) for status in found))
        raise self.error(match, f"is no status: {', '.join(STATUSES)}")

    def identity(self, match: Match) -> Condition:
        value = match.value
        if isinstance(value, Range):
            raise self.error(match, "an id has no order: name it, or use wildcards")
        if value.literal is not None:
            return records.c.key == plain(value.literal)
        return records.c.key.regexp_match(patterns.whole(_plain(value), value.signs, atomic=self.sqlite))

    def column(self, match: Match) -> Condition:
        """A score or a moment: a value that is a span of time matches all of it."""
        column, value = _COLUMNS[match.field], match.value
        read = self.score if match.field in NUMBERS else self.moment
        if isinstance(value, Value):
            low = high = read(match, value.literal)
            conditions = [column >= low[0], column < low[1]] if low[0] < low[1] else [column == low[0]]
            return and_(column.is_not(None), *conditions)
        conditions = [column.is_not(None)]
        if value.low is not None:
            low = read(match, value.low)
            conditions.append(column >= low[0] if value.with_low else _beyond(column, low))
        if value.high is not None:
            high = read(match, value.high)
            conditions.append(_until(column, high) if value.with_high else column < high[0])
        return and_(*conditions)

    def score(self, match: Match, text: str | None) -> tuple[float, float]:
        found = number(text) if text is not None else None
        if found is None:
            raise self.error(match, f"{match.field} is a number, such as 0.5")
        return float(found), float(found)

    def moment(self, match: Match, text: str | None) -> tuple[int, int]:
        found = span(text) if text is not None else None
        if found is None:
            raise self.error(match, f"{match.field} is a time, such as 2024-05-17 or 2024-05-17T09:30:00")
        return found

    def keyword(self, match: Match) -> Terms | Condition:
        """A label, an agent or metadata: the whole value, as it is written."""
        field, value = plain(match.field), match.value
        if isinstance(value, Range):
            return self.between(field, value)
        if value.literal is None:
            asked = patterns.whole(_plain(value), value.signs, atomic=self.sqlite)
            return self.some(field, lambda text, number: text.regexp_match(asked))
        said = plain(value.literal)
        found = [mark(field, "s", said)]
        if field not in LABELS and not value.phrase:
            as_number = number(said)
            if as_number is not None:
                found.append(mark(field, "n", number_text(as_number)))
            if said in ("true", "false"):
                found.append(mark(field, "b", said))
        return Either(tuple(map(word, found))) if len(found) > 1 else word(found[0])

    def between(self, field: str, value: Range) -> Condition:
        """Numbers where the bounds are numbers, else text by code points."""
        bounds = [bound for bound in (value.low, value.high) if bound is not None]
        if not bounds:
            return self.has(field)
        numbers = [number(bound) for bound in bounds]
        as_numbers = None not in numbers
        low, high = (
            None if bound is None else self.bound(number(bound) or 0) if as_numbers else plain(bound)
            for bound in (value.low, value.high)
        )

        def inside(text: Any, number: Any) -> Any:
            asked = number if as_numbers else text
            conditions = [asked.is_not(None)]
            if low is not None:
                conditions.append(asked >= low if value.with_low else asked > low)
            if high is not None:
                conditions.append(asked <= high if value.with_high else asked < high)
            return and_(*conditions)

        return self.some(field, inside)

    def bound(self, number: float) -> Any:
        return facts.exact(number, sqlite=self.sqlite)

    def some(self, field: str, condition: facts.Chosen) -> Condition:
        return facts.some(field, condition, sqlite=self.sqlite)


def _of_input(name: str, plain_terms: Terms, named: Callable[[str], Terms]) -> Terms:
    found = named(field_prefix(name))
    return Either((found, Both((plain_terms, Without(word(SEVERAL)))))) if name == TEXT else found


def _plain(value: Value) -> list[str]:
    return [plain(part) for part in value.parts]


def _beyond(column: Any, bound: tuple[float, float]) -> Any:
    return column >= bound[1] if bound[0] < bound[1] else column > bound[0]


def _until(column: Any, bound: tuple[float, float]) -> Any:
    return column < bound[1] if bound[0] < bound[1] else column <= bound[0]
