"""Records out of a data set: by query, by id, in order, in pages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, bindparam, func, select

from ...errors import DataError
from ..query.compiling import Compiler
from ..query.sorting import Order, beyond, keys
from . import vectors
from .catalog import StoredDataset
from .facts import dump, is_kept, parse
from .schema import records, search

PAGE = 1_000  # rows in memory between the database and the records
ROW = records.c.place, records.c.has_vectors, records.c.body  # what a record is made of


@dataclass(frozen=True)
class Source:
    """One data set, seen through one transaction."""

    connection: Connection
    dataset: StoredDataset

    @property
    def sqlite(self) -> bool:
        return self.connection.dialect.name == "sqlite"

    def chosen(self, query: str | None, *columns: Any) -> tuple[Select[Any], Any]:
        """(a select of columns from what a query matches, the place to order and to page by)."""
        compiler = Compiler(self.dataset.id, self.sqlite)
        found = compiler(query)
        wanted = select(*columns)
        place: ColumnElement[Any] = records.c.place
        if found.terms is None:
            wanted = wanted.where(records.c.dataset == self.dataset.id)
        elif self.sqlite:  # the index leads, in the order of places
            wanted = wanted.select_from(search.join(records, records.c.place == search.c.rowid))
            wanted, place = wanted.where(compiler.asked(found.terms)), search.c.rowid
        else:
            wanted = wanted.where(records.c.dataset == self.dataset.id, compiler.match(found.terms))
        return (wanted if found.condition is None else wanted.where(found.condition)), place

    def count(self, query: str | None) -> int:
        compiler = Compiler(self.dataset.id, self.sqlite)
        found = compiler(query)
        if self.sqlite and found.terms is not None and found.condition is None:  # the index knows
            wanted = select(func.count()).select_from(search).where(compiler.asked(found.terms))
        else:
            wanted, _ = self.chosen(query, func.count(records.c.place))
        return int(self.connection.scalar(wanted) or 0)

    def pages(
        self,
        query: str | None = None,
        ids: Iterable[int | str] | None = None,
        *,
        after: int = 0,
        limit: int | None = None,
    ) -> Iterator[Sequence[Any]]:
        """Rows of ROW in the order of insertion, by parts of PAGE at most: of what a query matches, and of these ids
        where they are given; after a place, and no more than `limit`."""
        if ids is not None:
            rows = [row for row in self.with_ids(query, [str(each) for each in ids]) if row[0] > after][:limit]
            yield from (rows[start : start + PAGE] for start in range(0, len(rows), PAGE))
            return
        wanted, place = self.chosen(query, *ROW)
        wanted = wanted.order_by(place).limit(bindparam("most")).where(place > bindparam("after"))
        left = limit
        while left is None or left > 0:
            most = PAGE if left is None else min(PAGE, left)
            part = self.connection.execute(wanted, {"most": most, "after": after}).all()
            if part:
                yield part
            if len(part) < most:
                return
            after, left = part[-1][0], None if left is None else left - len(part)

    def sorted(
        self,
        query: str | None,
        order: Order,
        ids: Iterable[int | str] | None = None,
        *,
        after: Sequence[Any] | None = None,
        limit: int | None = None,
    ) -> Iterator[Sequence[Any]]:
        """As `pages`, in another order, after a mark of `mark`."""
        found = keys(order, sqlite=self.sqlite)
        wanted, _ = self.chosen(query, *ROW)
        if ids is not None:
            wanted = wanted.where(
                records.c.place.in_([row[0] for row in self.with_ids(query, [str(each) for each in ids])])
            )
        if after is not None:
            wanted = wanted.where(beyond(found, after))
        order_by = [key.expression.desc() if key.falling else key.expression.asc() for key in found]
        yield from self.connection.execute(wanted.order_by(*order_by).limit(limit)).partitions(PAGE)

    def mark(self, order: Order | None, place: int) -> list[Any]:
        """Where the record at a place stands in an order, which says what comes after it even when it is gone."""
        if not order:
            return [place]
        wanted = select(*(key.expression for key in keys(order, sqlite=self.sqlite)))
        return list(self.connection.execute(wanted.where(records.c.place == place)).one())

    def with_ids(self, query: str | None, ids: Sequence[str]) -> Sequence[Any]:
        """Rows of ROW of those that have one of these keys, in the order of insertion."""
        found: dict[int, Any] = {}
        ids = [each for each in ids if is_kept(each)]
        wanted, _ = self.chosen(query, *ROW)
        for start in range(0, len(ids), PAGE):
            part = self.connection.execute(wanted.where(records.c.key.in_(ids[start : start + PAGE])))
            found |= {row[0]: row for row in part}
        return [found[place] for place in sorted(found)]

    def at(self, places: Sequence[int]) -> Sequence[Any]:
        """Rows of ROW at these places."""
        return self.connection.execute(select(*ROW).where(records.c.place.in_(places))).all()

    def place_of(self, identity: int | str) -> int:
        """Raises DataError where no record has this id."""
        same = (records.c.dataset == self.dataset.id) & (records.c.key == str(identity))
        found = self.connection.scalar(select(records.c.place).where(same)) if is_kept(str(identity)) else None
        if found is None:
            raise DataError(f"data set {self.dataset.name!r} has no record with the id {identity!r}.")
        return int(found)

    def fields(self, rows: Sequence[Any], *, with_vectors: bool = True) -> Iterator[dict[str, Any]]:
        """The fields of records from rows of place, has_vectors and body, in their order.

        One at a time: many at once would outlive the first rounds of Python's garbage collector, which then looks
        through all that a process holds several times as often.
        """
        named = self._vectors(rows) if with_vectors else {}
        for place, _, body in rows:
            held = parse(body)
            if place in named:
                held["vectors"] = named[place]
            yield held

    def bodies(self, rows: Sequence[Any], *, with_vectors: bool = True) -> Iterator[str]:
        """As `fields`, in JSON."""
        named = self._vectors(rows) if with_vectors else {}
        for place, _, body in rows:  # which holds an id at least, and no vectors where the row has some
            yield f'{body[:-1]},"vectors":{dump(named[place], place)}}}' if place in named else body

    def _vectors(self, rows: Sequence[Any]) -> dict[int, dict[str, list[float]]]:
        """place -> name -> numbers, of the rows that have any."""
        places = [row[0] for row in rows if row[1]]
        return vectors.read(self.connection, places) if places else {}
