"""A date or time as it is written in a query: a span of microseconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from ..store.clock import micros

_TIME = r"(\d\d)(?::(\d\d)(?::(\d\d)(\.\d{1,6})?)?)?(Z|[+-]\d\d:\d\d)?"
_FORM = re.compile(rf"(\d{{4}})(?:-(\d\d)(?:-(\d\d)(?:[T ]{_TIME})?)?)?", re.ASCII)
_FIRST = (1, 1, 1, 0, 0, 0)
_STEPS = (None, None, timedelta(days=1), timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1))


def span(text: str) -> tuple[int, int] | None:
    """(first, end) of a year, month, day, hour, minute, second or moment, UTC without a zone; None of another text.

    `end` is the first microsecond after it.
    """
    found = _FORM.fullmatch(text.strip())
    if not found:
        return None
    *numbers, fraction, zone = found.groups()
    given = [int(number) for number in numbers if number is not None]
    try:
        year, month, day, hour, minute, second = [*given, *_FIRST[len(given) :]]
        begin = datetime(year, month, day, hour, minute, second)
        moment = datetime.fromisoformat(f"{begin.isoformat()}{zone or ''}")
        end = _after(begin, len(given))
        shift = micros(moment.replace(tzinfo=moment.tzinfo or UTC))
        if fraction:
            digits = fraction[1:]
            first = shift + int(digits.ljust(6, "0"))
            return first, first + int(10 ** (6 - len(digits)))
        return shift, shift + end
    except (ValueError, OverflowError):
        return None


def _after(begin: datetime, parts: int) -> int:
    """Microseconds from the begin of a span of so many parts (1 a year … 6 a second) to its end."""
    if parts == 1:
        return micros(begin.replace(year=begin.year + 1)) - micros(begin)
    if parts == 2:
        later = begin.replace(year=begin.year + begin.month // 12, month=begin.month % 12 + 1)
        return micros(later) - micros(begin)
    step = _STEPS[parts - 1]
    assert step is not None
    return step // timedelta(microseconds=1)
