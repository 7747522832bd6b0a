"""A query as conditions: one question to the full-text index, and what the columns must meet beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any as Expression

from sqlalchemy import and_, cast, literal, not_, or_, select, true
from sqlalchemy.dialects.postgresql import TSQUERY

from ..store.schema import records, search
from .leaves import Leaves, Narrowed
from .parsing import All, Match, Node, Not, parse
from .terms import Both, Either, Phrase, Terms, Without, fts5, tsquery
from .words import dataset_mark

_TERMS = (Phrase, Both, Either, Without)


@dataclass(frozen=True)
class Compiled:
    """Both must hold; None is no demand."""

    terms: Terms | None = None
    condition: Expression = None


@dataclass(frozen=True)
class Compiler:
    """Compiles queries over one data set of one database."""

    dataset: int
    sqlite: bool

    def __call__(self, query: str | None) -> Compiled:
        """Raises QueryError where the query is not in the syntax, or asks what cannot be answered."""
        if query is None:
            return Compiled()
        return self.node(parse(query), Leaves(query, self.sqlite))

    def node(self, node: Node, leaves: Leaves) -> Compiled:
        if isinstance(node, Match):
            found = leaves(node)
            if isinstance(found, Narrowed):
                return Compiled(found.terms, found.condition)
            return Compiled(found) if isinstance(found, _TERMS) else Compiled(None, found)
        if isinstance(node, Not):
            inner = self.node(node.part, leaves)
            if inner.terms is not None and inner.condition is None:
                return Compiled(Without(inner.terms))
            return Compiled(None, not_(self.condition(inner)))
        parts = [self.node(part, leaves) for part in node.parts]
        return self.both(parts) if isinstance(node, All) else self.either(parts)

    def both(self, parts: list[Compiled]) -> Compiled:
        terms = [part.terms for part in parts if part.terms is not None]
        conditions = [part.condition for part in parts if part.condition is not None]
        return Compiled(
            (Both(tuple(terms)) if len(terms) > 1 else terms[0]) if terms else None,
            and_(*conditions) if conditions else None,
        )

    def either(self, parts: list[Compiled]) -> Compiled:
        pure = [part.terms for part in parts if part.terms is not None and part.condition is None]
        joined = (Either(tuple(pure)) if len(pure) > 1 else pure[0]) if pure else None
        if len(pure) == len(parts):
            return Compiled(joined)
        others = [self.condition(part) for part in parts if part.condition is not None]
        return Compiled(None, or_(*([self.match(joined)] if joined else []), *others))

    def condition(self, found: Compiled) -> Expression:
        """As one condition on `records`."""
        held = [] if found.terms is None else [self.match(found.terms)]
        if found.condition is not None:
            held.append(found.condition)
        return and_(*held) if held else true()

    def match(self, terms: Terms) -> Expression:
        """The question to the index as a condition on `records`."""
        if self.sqlite:
            return records.c.place.in_(select(search.c.rowid).where(self.asked(terms)))
        return records.c.search.op("@@")(cast(literal(tsquery(terms)), TSQUERY))

    def asked(self, terms: Terms | None) -> Expression:
        """The question to SQLite's index, which holds all data sets, about this one."""
        mark = dataset_mark(self.dataset)
        both = Phrase((mark,)) if terms is None else Both((Phrase((mark,)), *_flat(terms)))
        return search.c.records_fts.op("MATCH")(literal(fts5(both, mark)))


def _flat(terms: Terms) -> tuple[Terms, ...]:
    return terms.parts if isinstance(terms, Both) else (terms,)
