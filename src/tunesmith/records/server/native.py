"""The routes of `records.client`: what a store does, in the JSON of `Record.to_dict`, with nothing lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import orjson
from fastapi import APIRouter
from starlette.responses import Response

from ..settings import SETTINGS
from ..store import catalog
from ..store.catalog import LONGEST_NAME
from ..store.paging import Asked
from ..types import TYPES
from .access import Body, Call, Caller, known_only, parsed
from .answers import Refused, answer
from .argilla import logged, may_log, read_vector

router = APIRouter(prefix="/tunesmith", tags=["tunesmith"])


@router.get("/workspaces")
def workspaces(call: Caller) -> Response:
    """The workspaces of the user, and its own where it names none."""
    return answer({"workspaces": call.workspaces(), "home": call.user.home})


@router.get("/datasets")
def datasets(call: Caller, all: bool = False) -> Response:
    """The data sets of a workspace; with `all`, of every workspace of the user."""
    known = set(call.store.workspaces())
    if not all:
        call.allow("read")
        call.check_exists()
    names = [name for name in call.workspaces() if name in known] if all else [call.workspace]
    return answer([asdict(each) for name in names for each in call.store.datasets(name)])


@router.get("/datasets/{name}")
def dataset(call: Caller, name: str) -> Response:
    """One data set."""
    return answer(asdict(call.dataset(name)))


@router.post("/datasets/{name}/log")
def log(call: Caller, name: str, body: Body) -> Response:
    """Logs records, all or none: one transaction. A known id is replaced."""
    given = parsed(body)
    known_only(given, {"task", "records", "tags", "metadata", "author"}, "the body")
    task = str(given.get("task"))
    if task not in TYPES:
        raise Refused(422, f"the task is {task!r}: expected one of {', '.join(TYPES)}.")
    records = call.limits.check_bulk(given.get("records"))
    tags, metadata = given.get("tags"), given.get("metadata")
    may_log(call, name, tags is not None or metadata is not None)
    if not all(isinstance(each, Mapping) for each in records):
        raise Refused(422, "a record is no JSON object.")
    kind = TYPES[task]
    read = [kind.from_dict(each) for each in records]  # type: ignore[arg-type]
    author = _author(call, given.get("author"))
    return answer(asdict(logged(call, name, read, tags=tags, metadata=metadata, author=author)))


def _author(call: Call, said: Any) -> str:
    """Who the history names. Raises: Refused, where a user who may only annotate names another."""
    if said is None or said == call.user.name:
        return call.user.name
    call.allow("manage")
    if not isinstance(said, str) or len(said) > LONGEST_NAME:
        raise Refused(422, f"the author is no text of up to {LONGEST_NAME} characters.")
    return said


@router.post("/datasets/{name}/page")
def page(call: Caller, name: str, body: Body) -> Response:
    """One page of records, and whether there may be more; `mark` of an answer, sent back, gives the next page."""
    given = parsed(body)
    known_only(given, {"query", "ids", "limit", "sort", "after", "mark", "with_vectors"}, "the body")
    stored = call.dataset(name)
    size = call.limits.read_page(given.get("limit"), default=call.limits.page)
    asked = Asked(
        call.limits.check_query(given.get("query")),
        call.limits.check_ids(given.get("ids")),
        _sort(given.get("sort")),
        _mark(given.get("mark")),
        given.get("with_vectors") is not False,
    )
    after = call.limits.check_id(given.get("after"))
    found, mark = call.store.page(name, call.workspace, size, asked=asked, after=after)
    records = [orjson.Fragment(each) for each in found]  # as the store has them: the client makes records of them
    return answer({"task": stored.task, "records": records, "more": mark is not None, "mark": mark})


def _mark(said: Any) -> list[Any] | None:
    if said is None or isinstance(said, list):
        return said
    raise Refused(422, "the mark is no list: send the one that the page before came with.")


def _sort(said: Any) -> list[tuple[str, str]] | None:
    if said is None:
        return None
    pairs = isinstance(said, list) and all(isinstance(each, list) and len(each) == 2 for each in said)
    if not pairs or not all(isinstance(part, str) for each in said for part in each):
        raise Refused(422, 'sort is no list of [field, "asc" or "desc"].')
    return [(field, order) for field, order in said]


@router.post("/datasets/{name}/count")
def count(call: Caller, name: str, body: Body) -> Response:
    """How many records match."""
    given = parsed(body)
    known_only(given, {"query"}, "the body")
    call.dataset(name)
    query = call.limits.check_query(given.get("query"))
    return answer({"count": call.store.count(name, call.workspace, query=query)})


@router.post("/datasets/{name}/similar")
def similar(call: Caller, name: str, body: Body) -> Response:
    """The records nearest to a vector, best first, each with its score."""
    given = parsed(body)
    known_only(given, {"vector", "query", "limit"}, "the body")
    stored = call.dataset(name)
    vector, query = read_vector(given.get("vector")), call.limits.check_query(given.get("query"))
    size = call.limits.read_page(given.get("limit"), default=10)
    found = call.store.similar(name, call.workspace, vector, query=query, limit=size)
    return answer({"task": stored.task, "records": [[record.to_dict(), score] for record, score in found]})


@router.post("/datasets/{name}/delete-records")
def delete_records(call: Caller, name: str, body: Body) -> Response:
    """Takes out the records of the query and of the ids, or marks them Discarded. One of the two is needed."""
    given = parsed(body)
    known_only(given, {"query", "ids", "discard_only"}, "the body")
    discard = given.get("discard_only") is True
    call.dataset(name, "annotate" if discard else "manage")
    query, ids = call.limits.check_query(given.get("query")), call.limits.check_ids(given.get("ids"))
    author = call.user.name
    done = call.store.delete_records(name, call.workspace, query=query, ids=ids, discard_only=discard, author=author)
    return answer({"matched": done.matched, "processed": done.processed})


@router.delete("/datasets/{name}")
def delete(call: Caller, name: str) -> Response:
    """Takes a data set out, with its records."""
    call.dataset(name, "manage")
    return answer({"deleted": call.store.delete(name, call.workspace)})


@router.post("/datasets/{name}/copy")
def copy(call: Caller, name: str, body: Body) -> Response:
    """Copies a data set under a new name, into another workspace where one is said."""
    given = parsed(body)
    known_only(given, {"name", "workspace"}, "the body")
    call.dataset(name)
    target, new = call.to(given.get("workspace")), given.get("name")
    target.allow("manage")
    catalog.check_name(new)
    if target.find(str(new)) is not None:
        raise Refused(409, f"there is a data set {new!r} in workspace {target.workspace!r} already.")
    return answer(asdict(call.store.copy(name, call.workspace, str(new), target.workspace)))


@router.get("/datasets/{name}/settings")
def settings(call: Caller, name: str) -> Response:
    """The task of a data set and its label schema, None where none was set."""
    stored = call.dataset(name)
    found = call.store.settings(name, call.workspace)
    return answer({"task": stored.task, "settings": None if found is None else found.to_dict()})


@router.put("/datasets/{name}/settings")
def configure(call: Caller, name: str, body: Body) -> Response:
    """Sets the label schema; the data set is made where it is new."""
    given = parsed(body)
    task = str(given.get("task"))
    if task not in SETTINGS:
        raise Refused(422, f"{task!r} has no settings: one of {', '.join(SETTINGS)}.")
    call.allow("manage")
    call.store.configure(name, call.workspace, SETTINGS[task].from_dict(given.get("settings") or {}))
    return answer({})


@router.get("/datasets/{name}/history")
def history(call: Caller, name: str, id: str) -> Response:
    """What happened to one record, oldest first."""
    call.dataset(name)
    return answer([asdict(each) for each in call.store.history(name, call.workspace, id)])


@router.post("/datasets/{name}/mark")
def mark(call: Caller, name: str, body: Body) -> Response:
    """Notes the split that records were in, and the run that trained on them."""
    given = parsed(body)
    known_only(given, {"ids", "split", "run"}, "the body")
    call.dataset(name, "manage")
    ids = call.limits.check_ids(given.get("ids")) or []
    split, run = (call.limits.check_query(given.get(each) or None) for each in ("split", "run"))
    return answer({"marked": call.store.mark(name, call.workspace, ids, split=split, run=run)})
