"""Texts as they are written: words between white space, with case and signs, looked for in the record itself."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import and_, case, cast, false, func, literal, literal_column, or_, select, type_coerce
from sqlalchemy.dialects.postgresql import JSON

from ..store.schema import records
from . import patterns
from .names import TEXT
from .parsing import Value

Expression = Any  # SQLAlchemy's, of a type that depends on the database
ALL = "*"  # every input
_BROKEN = r"(^|[^\\])(\\\\)*\\u0000"  # a NUL, which PostgreSQL reads out of no JSON


def pattern(value: Value, *, atomic: bool) -> str | None:
    """The regular expression of the words of a value in a row; None where it has none."""
    if value.literal is not None:
        asked = r"\s+".join(map(re.escape, value.literal.split()))
    else:
        asked = patterns.pattern(value.parts, value.signs, r"\S", atomic=atomic)
    return rf"(?:^|\s){asked}(?:\s|$)" if asked else None


def found(name: str | None, asked: str, *, sqlite: bool) -> Expression:
    """Whether the text (name None), or an input of this name, holds what matches; never NULL.

    A record that holds a NUL anywhere is not found.
    """
    conditions = [_in_inputs(name, asked, sqlite)]
    if name in (None, TEXT, ALL):
        body = _body(sqlite)
        text = func.json_extract(body, "$.text") if sqlite else body.op("->>")(literal(TEXT))
        conditions.append(func.coalesce(type_coerce(text, records.c.body.type).regexp_match(asked), false()))
    return or_(*conditions)


def _body(sqlite: bool) -> Expression:
    sound = records.c.body.regexp_match(_BROKEN)
    held = case((sound, literal("{}")), else_=records.c.body)
    return held if sqlite else cast(held, JSON())


def _in_inputs(name: str | None, asked: str, sqlite: bool) -> Expression:
    """Each input is a text or a list of texts."""
    if sqlite:
        each = func.json_each(_body(True), "$.inputs").table_valued("key", "value", "type", joins_implicitly=True)
        each = each.alias("input")
        texts = case((each.c.type == "array", each.c.value), else_=func.json_array(each.c.value))
        part = func.json_each(texts).table_valued("value", joins_implicitly=True).alias("part")
    else:
        inputs = func.json_each(_body(False).op("->")(literal("inputs")))
        each = inputs.table_valued("key", "value", joins_implicitly=True).render_derived("input")
        texts = case(
            (func.json_typeof(each.c.value) == "array", each.c.value), else_=func.json_build_array(each.c.value)
        )
        part = func.json_array_elements_text(texts).table_valued("value", joins_implicitly=True).render_derived("part")
    held = type_coerce(part.c.value, records.c.body.type).regexp_match(asked)
    named = [] if name in (None, ALL) else [each.c.key == name]
    return select(literal_column("1")).select_from(each, part).where(and_(held, *named)).correlate(records).exists()
