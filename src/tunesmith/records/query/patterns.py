"""Wildcards as regular expressions that take no time to fail."""

from __future__ import annotations

import re
from collections.abc import Sequence

WORD_SIGN = "[^ ]"
ANY_SIGN = "."


def pattern(parts: Sequence[str], signs: str, sign: str, *, atomic: bool) -> str:
    """What `parts` with `signs` (`*` and `?`) between them match, each wildcard a `sign`.

    atomic: each part but the last is taken at its first place and kept, as it may be for wildcards: Python's engine
    would try all places otherwise. PostgreSQL's does not need it, nor know it.
    """
    pieces, open_star = [re.escape(parts[0])], False
    for wildcard, part in zip(signs, parts[1:], strict=True):
        if wildcard == "*":
            if open_star:
                pieces.append(")" if atomic else "")
            pieces.append(f"(?>{sign}*?" if atomic else f"{sign}*")
            open_star = True
        else:
            pieces.append(sign)
        pieces.append(re.escape(part))
    if open_star and atomic:  # the last star reaches as far as the end needs
        last = max(place for place, piece in enumerate(pieces) if piece.startswith("(?>"))
        pieces[last] = f"{sign}*"
    return "".join(pieces)


def whole(parts: Sequence[str], signs: str, *, atomic: bool) -> str:
    """A whole value."""
    return rf"(?s)\A{pattern(parts, signs, ANY_SIGN, atomic=atomic)}\Z"


def within(prefix: str, parts: Sequence[str], signs: str, *, atomic: bool) -> str:
    """One word among words with blanks between; without a prefix none of the marks, which begin with `_`."""
    begin = re.escape(prefix) if prefix else "(?!_)"
    return f"(?:^| ){begin}{pattern(parts, signs, WORD_SIGN, atomic=atomic)}(?: |$)"
