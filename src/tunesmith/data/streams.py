"""Rows that come one by one, for more than one reader."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any


class Stream:
    """The rows of an iterator, from the first for every reader: each is fetched when it is first asked for, and kept.

    What the iterator raises is raised for every reader that comes as far.
    """

    def __init__(self, rows: Iterable[Any]) -> None:
        self._left = iter(rows)
        self._kept: list[Any] = []
        self._fault: BaseException | None = None

    def __iter__(self) -> Iterator[Any]:
        for place in count():
            if place == len(self._kept) and not self._fetched():
                return
            yield self._kept[place]

    def _fetched(self) -> bool:
        """Whether there was one more row; it is kept."""
        if self._fault is not None:
            raise self._fault
        try:
            self._kept.append(next(self._left))
        except StopIteration:
            return False
        except BaseException as error:  # an iterator that broke off looks like one at its end when it is asked again
            self._fault = error
            raise
        return True
