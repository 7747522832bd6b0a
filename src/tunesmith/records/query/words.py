"""Text as words to search for: one function for what is stored and for what is asked, on every database."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b

LONGEST = 255  # characters of a word that count; PostgreSQL takes lexemes of 2 KB

_ALONE = "\u2600-\u27bf\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U0001f000-\U0001faff\U00020000-\U0003ffff"
"""Signs that are a word each: scripts that set no spaces between words (Han, kana), and pictures."""
_MARKS = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e8"
    "\u06ea-\u06ed\u0900-\u0963\u0971-\u0df3\u0e00-\u0e4e\u0eb0-\u0ecd\u0f71-\u0f84\u102b-\u103e\u1780-\u17d3"
)
"""Vowel signs and the like, which belong to the word they stand in but are no letters to a regular expression."""

_PLAIN = {code: chr(code).lower() if chr(code).isalnum() else " " for code in range(128)}
_WORD = re.compile(rf"(?:[^\W_{_ALONE}]|[{_MARKS}])+|[{_ALONE}]")
_ACCENTS = re.compile("[\u0300-\u036f]")


def fold(text: str) -> str:
    """Without case, compatibility forms and the accents of European scripts: 'Ｃafé' and 'cafe' are one."""
    if text.isascii():
        return text.lower()
    bare = _ACCENTS.sub("", unicodedata.normalize("NFKD", text))
    return _ACCENTS.sub("", unicodedata.normalize("NFKC", bare.casefold()))


def words(text: str) -> list[str]:
    """The words of a text in order, folded; each of letters, digits and their signs, never with a `_` or a space."""
    found = text.translate(_PLAIN).split() if text.isascii() else _WORD.findall(fold(text))
    return [word[:LONGEST] for word in found] if len(text) > LONGEST else found


def is_part_of_word(text: str) -> bool:
    """Whether a folded text has nothing that `words` would split at."""
    return not text or words(text) == [text]


# Words of the index that no text has, as each begins with `_`: what a record is, beside what it says.
BOUNDARY = "_e"  # between two fields of one record: no phrase reaches over it
SEVERAL = "_i"  # its words also stand under the name of their field


def dataset_mark(dataset: int) -> str:
    return f"_d{dataset}"


def status_mark(status: str) -> str:
    return f"_s{status.lower()}"


@lru_cache(maxsize=65_536)
def mark(field: str, kind: str, value: str = "") -> str:
    """The word for "this field has this value": kind 's' a string, 'n' a number, 'b' a bool, 'x' any value."""
    held = f"{kind}{len(field)}:{field}{value}".encode("utf-8", "surrogatepass")
    return "_m" + blake2b(held, digest_size=10).hexdigest()


@lru_cache(maxsize=4_096)
def field_prefix(name: str) -> str:
    """What stands before each word of one of several inputs."""
    return "_i" + blake2b(name.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest() + "_"


def number_text(value: float) -> str:
    """One spelling for each number: 3, 3.0 and 3e0 are '3'."""
    if isinstance(value, int):
        return str(value)
    return str(int(value)) if value.is_integer() else repr(value)


def value_marks(field: str, values: Iterable[object]) -> list[str]:
    return [_value_mark(field, value) for value in values]


def _value_mark(field: str, value: object) -> str:
    if isinstance(value, str):
        return mark(field, "s", value)
    if isinstance(value, bool):
        return mark(field, "b", "true" if value else "false")
    return mark(field, "n", number_text(value)) if isinstance(value, (int, float)) else mark(field, "s", str(value))
