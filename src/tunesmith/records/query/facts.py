"""Conditions on `records.facts`, the JSON of field -> values, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sqlalchemy import Double, Numeric, Select, Text, case, cast, func, literal_column, select, type_coerce
from sqlalchemy.dialects.postgresql import JSONB

from ..store.schema import records

Expression = Any  # SQLAlchemy's, of a type that depends on the database
Chosen = Callable[[Expression, Expression], Expression]
"""(a value as text, as a number) -> what is asked of it; text is NULL of what is no string, number of what is none.

A string of digits has both: a cell of a CSV file is text, and its column is one of numbers all the same."""
_DIGITS = r"^-?[0-9]{1,15}(\.[0-9]{1,15})?$"  # what no database cuts or refuses as a number


def exact(number: float, *, sqlite: bool) -> Any:
    """A number to compare by: PostgreSQL would round a float to 15 digits on its way to a numeric."""
    return number if sqlite else Decimal(repr(number))


def some(field: str, condition: Chosen, *, sqlite: bool) -> Expression:
    """Whether any value that a record of the enclosing statement has in a field meets a condition."""
    if sqlite:
        return _sqlite(field, lambda text, number: literal_column("1"), condition).exists()
    return _postgresql(field, lambda text, number: literal_column("1"), condition, Numeric()).exists()


def first(field: str, *, numeric: bool, sqlite: bool) -> Expression:
    """The first number, or the first string, in a field; or NULL."""

    def wanted(text: Expression, number: Expression) -> Expression:
        return number if numeric else text

    asked = _sqlite if sqlite else _postgresql
    found = asked(field, wanted, lambda text, number: wanted(text, number).is_not(None))
    return found.limit(1).scalar_subquery()


def _sqlite(field: str, wanted: Chosen, condition: Chosen) -> Select[Any]:
    fact = func.json_each(records.c.facts).table_valued("key", "value", joins_implicitly=True).alias("fact")
    one = func.json_each(fact.c.value).table_valued("value", "type", joins_implicitly=True).alias("one")
    text = case((one.c.type == "text", type_coerce(one.c.value, Text())))
    number = case(
        (one.c.type.in_(["integer", "real"]), type_coerce(one.c.value, Double())),
        (text.regexp_match(_DIGITS), cast(text, Double())),
    )
    found = select(wanted(text, number)).select_from(fact, one)
    return found.where(fact.c.key == field, condition(text, number)).correlate(records)


def _postgresql(field: str, wanted: Chosen, condition: Chosen, kind_of_number: Any = None) -> Select[Any]:
    """kind_of_number: Double where none is said."""
    listed = type_coerce(records.c.facts, JSONB()).op("->")(cast(field, Text()))
    one = func.jsonb_array_elements(listed).table_valued("value", joins_implicitly=True).render_derived("one")
    kind, said = func.jsonb_typeof(one.c.value), one.c.value.op("#>>")(literal_column("'{}'"))
    # COLLATE "C": by code point, as SQLite compares
    text = case((kind == "string", type_coerce(said, Text()))).collate("C")
    is_number = (kind == "number") | ((kind == "string") & type_coerce(said, Text()).regexp_match(_DIGITS))
    number = case((is_number, cast(type_coerce(said, Text()), kind_of_number or Double())))
    return select(wanted(text, number)).select_from(one).where(condition(text, number)).correlate(records)
