"""What an update keeps of the record that is there: its vectors and metrics, where the new one says nothing of them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from ...errors import RowError
from .facts import Encoded, dump, parse, vector_marks
from .schema import vectors
from .vectors import read

ANNOTATED = {"annotation", "annotation_agent", "status", "event_timestamp", "search_keywords"}
"""What an annotator may change of a record that is there. The last two are there as clients set or leave them out."""


def merge(connection: Connection, pairs: list[tuple[Encoded, Any]], *, annotating: bool = False) -> None:
    """Changes the encoded half of each pair to what is to be there; the other half is the row that is there.

    None is "not said": a record loaded without its vectors or metrics keeps them. `{}` takes them away.
    annotating: nothing but ANNOTATED may change.

    Raises:
        RowError: two ids of one spelling, as 7 and "7": a store holds both under one key. Or a change beyond ANNOTATED.
    """
    if annotating:
        _check_vectors(connection, pairs)
    silent = [old.place for each, old in pairs if old.has_vectors and each.vectors is None]
    kept: dict[int, list[str]] = {}
    named = select(vectors.c.place, vectors.c.name).where(vectors.c.place.in_(silent))
    for row in connection.execute(named.order_by(vectors.c.place, vectors.c.name)) if silent else ():
        kept.setdefault(row.place, []).append(row.name)
    for each, old in pairs:
        if old.body != each.row["body"]:
            each.row["body"] = _body(each, parse(old.body))
            if annotating:
                _check_fields(each, parse(old.body))
        if old.place in kept:
            each.row["has_vectors"] = True
            each.row["terms"] = " ".join([*vector_marks(kept[old.place]), each.row["terms"]])


def _body(each: Encoded, old: dict[str, Any]) -> str:
    check_same(each.identity, old["id"])
    body: str = each.row["body"]
    if "metrics" not in old:
        return body
    new = parse(body)
    return body if "metrics" in new else dump({**new, "metrics": old["metrics"]}, each.identity)


def check_same(new: int | str, old: int | str) -> None:
    """Raises RowError where two ids of one spelling are of different kinds."""
    if type(new) is not type(old):
        raise RowError(
            new, "id", f"is {new!r}, and there is a record with the id {old!r}: give ids of one kind, texts or numbers."
        )


def _check_fields(each: Encoded, old: dict[str, Any]) -> None:
    new = parse(each.row["body"])
    changed = sorted(name for name in {*old, *new} - ANNOTATED if old.get(name) != new.get(name))
    if changed:
        raise _beyond(each, changed[0])


def _check_vectors(connection: Connection, pairs: list[tuple[Encoded, Any]]) -> None:
    said = {old.place: each for each, old in pairs if each.vectors is not None}
    held = read(connection, list(said))
    for place, each in said.items():
        if {**(each.vectors or {})} != held.get(place, {}):
            raise _beyond(each, "vectors")


def _beyond(each: Encoded, column: str) -> RowError:
    reason = "is not that of the record that is there: an annotator changes its annotation, agent and status alone."
    return RowError(each.identity, column, reason)
