"""What the full-text index is asked: words, phrases, and how they are joined; in the syntax of either database.

Every word is quoted, and holds letters, digits and `_` only: nothing in it is an operator.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Phrase:
    """Words in a row; with `prefix` the last may go on."""

    words: tuple[str, ...]
    prefix: bool = False


@dataclass(frozen=True)
class Both:
    parts: tuple[Terms, ...]


@dataclass(frozen=True)
class Either:
    parts: tuple[Terms, ...]


@dataclass(frozen=True)
class Without:
    part: Terms


Terms = Phrase | Both | Either | Without


def word(text: str) -> Phrase:
    return Phrase((text,))


def fts5(terms: Terms, everything: str) -> str:
    """A match string of SQLite's FTS5. `everything`: the mark that all rows in question have."""
    if isinstance(terms, Phrase):
        return f'"{" ".join(terms.words)}"' + (" *" if terms.prefix else "")
    if isinstance(terms, Either):
        return "(" + " OR ".join(fts5(part, everything) for part in terms.parts) + ")"
    parts = terms.parts if isinstance(terms, Both) else (terms,)
    wanted = [fts5(part, everything) for part in parts if not isinstance(part, Without)]
    refused = [fts5(part.part, everything) for part in parts if isinstance(part, Without)]
    # its NOT has two sides: one without a left side is taken from everything
    joined = "(" + " AND ".join(wanted or [f'"{everything}"']) + ")"
    return f"({joined} NOT ({' OR '.join(refused)}))" if refused else joined


def tsquery(terms: Terms) -> str:
    """The text form of a PostgreSQL tsquery."""
    if isinstance(terms, Phrase):
        quoted = [f"'{each}'" for each in terms.words]
        return "(" + " <-> ".join([*quoted[:-1], quoted[-1] + (":*" if terms.prefix else "")]) + ")"
    if isinstance(terms, Without):
        return f"!{tsquery(terms.part)}"
    return "(" + (" & " if isinstance(terms, Both) else " | ").join(map(tsquery, terms.parts)) + ")"
