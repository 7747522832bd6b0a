"""What one request may ask for."""

from __future__ import annotations

from dataclasses import dataclass

from .answers import Refused


@dataclass(frozen=True)
class Limits:
    """body: bytes of a request. bulk: records written by one. page: records read by one. query: its characters.
    ids: ids that one may name. seconds: what one search may take."""

    body: int = 100_000_000
    bulk: int = 5_000
    page: int = 1_000
    query: int = 10_000
    ids: int = 5_000
    seconds: float = 10.0

    def read_page(self, said: object, default: int = 100) -> int:
        """The records that a page may have. More than the limit is refused, not cut: a client that asked for
        them would take the page for the last.

        Raises:
            Refused: it is no whole number from 1 to the limit.
        """
        if said is None:
            return min(default, self.page)
        if isinstance(said, bool) or not isinstance(said, int) or not 1 <= said <= self.page:
            raise Refused(
                400,
                f"limit is {said!r}: expected a whole number from 1 to {self.page} (batch_size, where a client loads).",
            )
        return said

    def check_query(self, query: object) -> str | None:
        """The query, or None where there is none. Raises: Refused, where it is no text or too long."""
        if query is None:
            return None
        if not isinstance(query, str):
            raise Refused(422, f"the query is of type {type(query).__name__}: expected text.")
        if len(query) > self.query:
            raise Refused(400, f"the query has {len(query)} characters: at most {self.query} are read.")
        return query

    def check_ids(self, ids: object) -> list[str | int] | None:
        """The ids, or None where there are none. Raises: Refused, where they are too many or no ids."""
        if ids is None:
            return None
        if not isinstance(ids, list) or any(isinstance(each, bool) or not isinstance(each, str | int) for each in ids):
            raise Refused(422, "ids are no list of texts and whole numbers.")
        if len(ids) > self.ids:
            raise Refused(400, f"{len(ids)} ids are named: at most {self.ids} in one request.")
        return ids

    def check_bulk(self, records: object) -> list[object]:
        """The records of a bulk. Raises: Refused, where they are no list, none, or too many."""
        if not isinstance(records, list):
            raise Refused(422, "records are no list.")
        if not records:
            raise Refused(400, "the list of records is empty.")
        if len(records) > self.bulk:
            raise Refused(413, f"{len(records)} records: at most {self.bulk} in one request. Send them in several.")
        return records

    def check_id(self, said: object) -> str | int | None:
        """An id, or None where there is none. Raises: Refused, where it cannot be one."""
        if said is None or (isinstance(said, str | int) and not isinstance(said, bool)):
            return said
        raise Refused(422, f"an id is of type {type(said).__name__}: expected text or a whole number.")
