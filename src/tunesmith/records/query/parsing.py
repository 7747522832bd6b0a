"""Lucene's query syntax, read into a small tree. A blank between two values is AND, and binds as AND does: before OR.

What a tree can hold: All, Any, Not, and Match (one field, one value). What Lucene has beyond that (boost, fuzzy,
proximity, regular expressions) ranks or guesses, and is refused.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass

from luqum import parser as lucene
from luqum import tree
from luqum.exceptions import ParseError

from ...errors import QueryError
from .names import EXACT, TEXT, is_field, known_fields

LONGEST = 10_000  # characters of a query
DEEPEST = 25  # levels of grouping
MOST = 500  # clauses
STARS = 4  # wildcards `*` in one value
PATTERNS = 10  # values with wildcards that no index answers: all but words of the text with one `*` at the end

_REFUSED = {
    "BOOST": "a boost (^) ranks, and records come in order: leave it out",
    "APPROX": "words that are alike or near each other (~) are not supported: use a wildcard, a phrase, or AND",
    "REGEX": "a regular expression (/…/) is not supported: use wildcards, or quote the slashes",
}
_lock = threading.Lock()  # luqum's parser keeps its state in one object


@dataclass(frozen=True)
class Value:
    """A word or a phrase: its literal parts, with the wildcards `*` and `?` between them where `signs` has them.

    `parts` has one more than `signs`. A phrase has no wildcards.
    """

    parts: tuple[str, ...]
    signs: str = ""
    phrase: bool = False

    @property
    def literal(self) -> str | None:
        """The text where there are no wildcards."""
        return None if self.signs else self.parts[0]

    @property
    def anything(self) -> bool:
        return self.signs == "*" and self.parts == ("", "")


@dataclass(frozen=True)
class Range:
    """From `low` to `high`; None is no bound."""

    low: str | None
    high: str | None
    with_low: bool = True
    with_high: bool = True


@dataclass(frozen=True)
class Match:
    """One field with one value. `place`: where it stands in the query, in characters."""

    field: str
    value: Value | Range
    place: int = 0


@dataclass(frozen=True)
class All:
    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Any:
    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Not:
    part: Node


Node = All | Any | Not | Match
EVERYTHING = All(())


def parse(query: str) -> Node:
    """The tree of a query; an empty one asks for everything.

    Raises:
        QueryError: it is not in the syntax, or costs too much.
    """
    if not isinstance(query, str):
        raise QueryError(repr(query), 0, "is not text")
    if len(query) > LONGEST:
        raise QueryError(query, LONGEST, f"is longer than {LONGEST} characters")
    if not query.strip():
        return EVERYTHING
    return _Reader(query).node(_read(query), TEXT, DEEPEST)


def _read(query: str) -> tree.Item:
    try:
        with _lock:
            tokens = lucene.lexer.clone()
            tokens.input(query)
            for token in tokens:
                if token.type in _REFUSED:
                    raise QueryError(query, token.lexpos, _REFUSED[token.type])
            return lucene.parse(query, lexer=lucene.lexer.clone())
    except ParseError as error:
        said = str(error)
        places = re.findall(r"at position (\d+)", said)
        place = int(places[-1]) if places else len(query)
        if place >= len(query):
            raise QueryError(query, len(query), "ends too early: a value, a quote or a bracket is missing") from error
        raise QueryError(query, place, f"{query[place]!r} cannot stand here") from error


class _Reader:
    """From luqum's tree of one query to ours, counting clauses."""

    def __init__(self, query: str) -> None:
        self.query = query
        self.clauses = 0
        self.patterns = 0

    def error(self, item: tree.Item, reason: str) -> QueryError:
        return QueryError(self.query, self.place(item), reason)

    def place(self, item: tree.Item) -> int:
        return min(item.pos or 0, len(self.query))

    def node(self, item: tree.Item, field: str, depth: int) -> Node:
        if not depth:
            raise self.error(item, f"is grouped deeper than {DEEPEST} levels")
        if isinstance(item, tree.UnknownOperation):
            return self.blanks(item, field, depth)
        if isinstance(item, tree.AndOperation):
            return All(tuple(self.node(part, field, depth - 1) for part in item.operands))
        if isinstance(item, tree.OrOperation):
            return Any(tuple(self.node(part, field, depth - 1) for part in item.operands))
        if isinstance(item, (tree.Not, tree.Prohibit)):
            return Not(self.node(item.a, field, depth - 1))
        if isinstance(item, tree.Plus):
            return self.node(item.a, field, depth - 1)
        if isinstance(item, (tree.Group, tree.FieldGroup)):
            return self.node(item.expr, field, depth - 1)
        if isinstance(item, tree.SearchField):
            return self.field(item, depth)
        return self.match(item, field)

    def blanks(self, item: tree.UnknownOperation, field: str, depth: int) -> Node:
        """Values with blanks between, where the parser let OR bind first: `a b OR c d` came as a, (b OR c), d."""
        rows: list[list[tree.Item]] = [[]]
        for part in item.operands:
            first, *further = part.operands if isinstance(part, tree.OrOperation) else (part,)
            rows[-1].append(first)
            rows += [[each] for each in further]
        found = [tuple(self.node(part, field, depth - 1) for part in row) for row in rows]
        joined = tuple(row[0] if len(row) == 1 else All(row) for row in found)
        return joined[0] if len(joined) == 1 else Any(joined)

    def field(self, item: tree.SearchField, depth: int) -> Node:
        name = _unescaped(item.name)
        if not is_field(name):
            raise self.error(item, f"unknown field {name!r}. {known_fields(name)}")
        inner = item.expr
        if isinstance(inner, tree.Prohibit) and isinstance(inner.a, tree.Word) and _is_number(inner.a.value):
            return self.found(name, Value((f"-{inner.a.value}",)), item)  # score:-1 is a number, no negation
        return self.node(inner, name, depth - 1)

    def match(self, item: tree.Item, field: str) -> Node:
        if isinstance(item, tree.Phrase):
            return self.found(field, Value((_unescaped(item.value[1:-1]),), phrase=True), item)
        if isinstance(item, tree.Word):
            return self.found(field, self.word(item), item)
        if isinstance(item, tree.Range):
            low, high = self.bound(item.low), self.bound(item.high)
            return self.found(field, Range(low, high, item.include_low, item.include_high), item)
        if isinstance(item, tree.From):
            return self.found(field, Range(self.bound(item.a), None, with_low=item.include), item)
        if isinstance(item, tree.To):
            return self.found(field, Range(None, self.bound(item.a), with_high=item.include), item)
        raise self.error(item, "cannot be searched for")

    def found(self, field: str, value: Value | Range, item: tree.Item) -> Match:
        self.clauses += 1
        if self.clauses > MOST:
            raise self.error(item, f"is the clause after {MOST}, which is as many as a query may have")
        self.patterns += isinstance(value, Value) and _is_pattern(field, value)
        if self.patterns > PATTERNS:
            raise self.error(item, f"is the value with wildcards after {PATTERNS}, which is as many as are looked for")
        return Match(field, value, self.place(item))

    def bound(self, item: tree.Item) -> str | None:
        if isinstance(item, tree.Prohibit):
            held = self.bound(item.a)
            if held is None:
                raise self.error(item, "a bound is a value, or * for none")
            return f"-{held}"
        if isinstance(item, tree.Phrase):
            return _unescaped(item.value[1:-1])
        return None if item.value == "*" else _unescaped(item.value)

    def word(self, item: tree.Word) -> Value:
        for sign, name in (("&&", "AND"), ("||", "OR"), ("!", "NOT")):
            if item.value.startswith(sign):
                raise self.error(item, f"write {name} for {sign}, or quote what is meant as text")
        parts, signs, escaped = [""], "", False
        for sign in item.value:
            if escaped or sign not in "*?\\":
                parts[-1] += sign
                escaped = False
            elif sign == "\\":
                escaped = True
            elif not (sign == "*" and signs.endswith("*") and not parts[-1]):  # ** is *
                signs += sign
                parts.append("")
        if signs.count("*") > STARS:
            raise self.error(item, f"has more than {STARS} wildcards *")
        return Value(tuple(parts), signs)


def _is_pattern(field: str, value: Value) -> bool:
    words = (field == TEXT or field.startswith("inputs.")) and not field.endswith(EXACT)
    begins = value.signs == "*" and not value.parts[1] and words
    return bool(value.signs) and not value.anything and field != "status" and not begins


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\d+(\.\d+)?", text) is not None
