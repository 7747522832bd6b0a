"""Where the records of a data set are stored, to be told in which split they were and which run trained on them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from .holder import Holder

AT_ONCE = 5_000  # ids of one call, which is one transaction


@dataclass(frozen=True)
class Origin:
    """A stored data set, and the keys of the records that were loaded from it."""

    holder: Holder
    name: str
    workspace: str
    keys: frozenset[str]

    def __str__(self) -> str:
        return f"{self.name!r} of {self.workspace} at {self.holder.where}"

    def mark(self, ids: Iterable[str | int], *, split: str, run: str | None = None) -> int:
        """Notes it in the history of each record that was loaded; what was added since is passed over. How many.

        Raises:
            TunesmithError: the store cannot be reached, may not be written, or has lost a record.
        """
        done = 0
        for part in _parts([each for each in ids if str(each) in self.keys]):
            done += self.holder.mark(self.name, self.workspace, part, split=split, run=run)
        return done


def _parts(ids: Sequence[str | int]) -> Iterator[Sequence[str | int]]:
    for start in range(0, len(ids), AT_ONCE):
        yield ids[start : start + AT_ONCE]
