"""The routes of Argilla 1.x that its client needs to sign in, log, load, configure, copy and delete."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any
from uuid import NAMESPACE_URL, uuid5

from fastapi import APIRouter, Query
from starlette.responses import Response

from ..record import Record
from ..settings import SETTINGS
from ..store import catalog, users
from ..store.catalog import StoredDataset
from ..store.users import User
from ..store.writing import Logged
from ..wire import from_wire, to_wire
from .access import Body, Call, Caller, known_only, parsed
from .answers import Refused, answer

VERSION = "1.29.1"  # of Argilla, whose client warns of another
router = APIRouter(prefix="/api", tags=["Argilla 1.x"])
_NAME = re.compile(r"(?!-|_)[a-z0-9-_]+")  # a name that its client takes

Limit = Annotated[int | None, Query(description="Records on the page.")]


@router.get("/_info")
def info() -> Response:
    """The version of Argilla whose protocol is spoken."""
    return answer({"version": VERSION})


@router.get("/me")
def me(call: Caller) -> Response:
    """Who the key belongs to. The key itself is not told again."""
    return answer(_user(call.user, call.workspaces()))


@router.get("/users")
def users_of(call: Caller) -> Response:
    """Every user, without keys; for owners."""
    if call.user.role != "owner":
        raise Refused(403, "only an owner may list the users.")
    with call.database.reading() as connection:
        return answer([_user(each, each.workspaces) for each in users.listed(connection)])


@router.get("/v1/me/workspaces")
def workspaces(call: Caller) -> Response:
    """The workspaces of the user."""
    return answer({"items": [_workspace(call.user, name) for name in call.workspaces()]})


@router.get("/v1/me/datasets")
def feedback(call: Caller) -> Response:
    """Feedback data sets: there are none."""
    return answer({"items": []})


@router.get("/datasets")
def listed(call: Caller, workspace: Annotated[str | None, Query()] = None) -> Response:
    """The data sets of the user, or of one workspace. Those with a name that the client does not take are left out."""
    if workspace:
        call.allow("read")
    names = [workspace] if workspace else call.workspaces()
    known = set(call.store.workspaces())
    found = [each for name in names if name in known for each in call.store.datasets(name)]
    return answer([_dataset(each) for each in found if _NAME.fullmatch(each.name)])


@router.post("/datasets")
def create(call: Caller, body: Body) -> Response:
    """Says whether a data set can be made. It is made by its first records or settings, so that no failed log
    leaves an empty one."""
    given = parsed(body)
    call = call.to(given.get("workspace"))
    name, task = given.get("name"), given.get("task")
    if task not in catalog.TASKS:
        raise Refused(422, f"the task is {task!r}: expected one of {', '.join(catalog.TASKS)}.")
    catalog.check_name(name)
    catalog.check_workspace(call.workspace)
    if call.find(str(name)) is not None:
        raise Refused(409, f"there is a data set {name!r} in workspace {call.workspace!r} already.")
    call.allow("manage")
    return answer({"id": f"{call.workspace}.{name}", "name": name, "task": task, "workspace": call.workspace})


@router.get("/datasets/{name}")
def get(call: Caller, name: str) -> Response:
    """One data set."""
    return answer(_dataset(call.dataset(name)))


@router.delete("/datasets/{name}")
def delete(call: Caller, name: str) -> Response:
    """Takes a data set out, with its records."""
    call.dataset(name, "manage")
    call.store.delete(name, call.workspace)
    return answer({})


@router.put("/datasets/{name}:copy")
def copy(call: Caller, name: str, body: Body) -> Response:
    """Copies a data set under a new name, into `target_workspace` where it is said."""
    given = parsed(body)
    call.dataset(name)
    target = call.to(given.get("target_workspace"))
    target.allow("manage")
    new = given.get("name")
    catalog.check_name(new)
    if target.find(str(new)) is not None:
        raise Refused(409, f"there is a data set {new!r} in workspace {target.workspace!r} already.")
    call.store.copy(name, call.workspace, str(new), target.workspace)
    return answer(_dataset(target.dataset(str(new))))


@router.post("/datasets/{name}/{task}:bulk")
def bulk(call: Caller, name: str, task: str, body: Body) -> Response:
    """Logs records, all or none: one transaction. A known id is replaced."""
    given = parsed(body)
    known_only(given, {"records", "tags", "metadata"}, "the body")
    if task not in catalog.TASKS:
        raise Refused(404, f"unknown task {task!r}: one of {', '.join(catalog.TASKS)}.")
    records = call.limits.check_bulk(given.get("records"))
    tags, metadata = given.get("tags") or None, given.get("metadata") or None
    may_log(call, name, tags or metadata)
    read = [from_wire(task, each) for each in records]
    return answer(asdict(logged(call, name, read, tags=tags, metadata=metadata, author=call.user.name)))


def logged(call: Call, name: str, read: list[Record], **said: Any) -> Logged:
    """Writes records in one transaction. Who only annotates changes nothing else of those that are there."""
    annotating = not call.user.may("manage", call.workspace)
    return call.store.log(read, name, call.workspace, batch=len(read), annotating=annotating, **said)


def may_log(call: Call, name: str, said: object) -> None:
    """Raises: Refused, where the user may not log there: who only annotates makes no data set and sets no tags."""
    action = "manage" if said or call.find(name) is None else "annotate"
    call.allow(action)


@router.post("/datasets/{name}/records/:search")
def search(call: Caller, name: str, body: Body, limit: Limit = None) -> Response:
    """One page of records. `next_idx` is the id that the next page begins after."""
    given = parsed(body)
    known_only(given, {"query", "fields", "sort_by", "next_idx"}, "the body")
    call.dataset(name)
    query, ids = _filters(call, given.get("query"))
    size = call.limits.read_page(limit)
    fields = given.get("fields")
    vectors = not isinstance(fields, list) or any(str(each).startswith("vectors") for each in fields)
    found = call.store.load(
        name,
        call.workspace,
        query=query,
        ids=ids,
        limit=size,
        sort=_sort(given.get("sort_by")),
        after=call.limits.check_id(given.get("next_idx")),
        with_vectors=vectors,
    )
    more = found[-1].id if len(found) == size else None
    return answer({"records": [to_wire(each, vectors=vectors) for each in found], "next_idx": more})


@router.post("/datasets/{name}/{task}:search")
def similar(call: Caller, name: str, task: str, body: Body, limit: Limit = None) -> Response:
    """The records that match a query, or the nearest to a vector, best first."""
    given = parsed(body)
    known_only(given, {"query"}, "the body")
    stored = call.dataset(name)
    if stored.task != task:
        raise Refused(404, f"data set {name!r} holds {stored.task} records, not {task}.")
    asked = given.get("query") or {}
    vector = asked.get("vector") if isinstance(asked, Mapping) else None
    query, ids = _filters(call, {key: each for key, each in asked.items() if key != "vector"})
    size = call.limits.read_page(limit)
    if vector is None:
        found = call.store.load(name, call.workspace, query=query, ids=ids, limit=size)
        total = call.store.count(name, call.workspace, query=query) if ids is None else len(found)
    elif ids is not None:
        raise Refused(422, "a search by vector takes no ids.")
    else:
        pairs = call.store.similar(name, call.workspace, read_vector(vector), query=query, limit=size)
        found = [record for record, _ in pairs]
        total = len(found)
    return answer({"total": total, "records": [to_wire(each) for each in found]})


def read_vector(vector: Any) -> tuple[str, list[float]]:
    """Raises: Refused, where it has not the form `{"name", "value"}`."""
    name, value = (vector.get("name"), vector.get("value")) if isinstance(vector, Mapping) else (None, None)
    numbers = isinstance(value, list) and all(isinstance(x, int | float) and not isinstance(x, bool) for x in value)
    if not isinstance(name, str) or not value or not numbers:
        raise Refused(422, 'the vector is no {"name": text, "value": [numbers]}.')
    return name, list(map(float, value))


@router.delete("/datasets/{name}/data")
def delete_records(call: Caller, name: str, body: Body, mark_as_discarded: bool = False) -> Response:
    """Takes out the records of the query and of the ids, or marks them Discarded. One of the two is needed."""
    given = parsed(body)
    if set(given) == {"query"}:  # its client says it so where it tries again
        given = parsed_query(given["query"])
    call.dataset(name, "annotate" if mark_as_discarded else "manage")
    query, ids = _filters(call, given)
    author = call.user.name
    done = call.store.delete_records(
        name, call.workspace, query=query, ids=ids, discard_only=mark_as_discarded, author=author
    )
    return answer({"matched": done.matched, "processed": done.processed})


def parsed_query(query: Any) -> Mapping[str, Any]:
    if query is None:
        return {}
    if not isinstance(query, Mapping):
        raise Refused(422, "the query is no JSON object.")
    return query


@router.get("/datasets/{name}/{task}/settings")
def settings(call: Caller, name: str, task: str) -> Response:
    """The label schema, in its order."""
    call.dataset(name)
    found = call.store.settings(name, call.workspace)
    if found is None or found.task != task:
        raise Refused(404, f"data set {name!r} has no settings for {task}.")
    return answer(found.to_dict())


@router.patch("/datasets/{name}/{task}/settings")
@router.put("/datasets/{name}/{task}/settings")
def configure(call: Caller, name: str, task: str, body: Body) -> Response:
    """Sets the label schema; the data set is made where it is new."""
    if task not in SETTINGS:
        raise Refused(404, f"{task!r} has no settings: one of {', '.join(SETTINGS)}.")
    call.allow("manage")
    found = SETTINGS[task].from_dict(parsed(body))
    call.store.configure(name, call.workspace, found)
    return answer(found.to_dict())


def _filters(call: Call, query: Any) -> tuple[str | None, list[str | int] | None]:
    given = parsed_query(query)
    known_only(given, {"query_text", "ids"}, "the query")
    return call.limits.check_query(given.get("query_text")), call.limits.check_ids(given.get("ids"))


def _sort(said: Any) -> list[tuple[str, str]] | None:
    if said is None:
        return None
    named = isinstance(said, list) and all(isinstance(each, Mapping) for each in said)
    if not named or not all(isinstance(each.get("id"), str) for each in said):
        raise Refused(422, 'sort_by is no list of {"id": field, "order": "asc" or "desc"}.')
    return [(each["id"], each.get("order") or "asc") for each in said]


def _user(user: User, workspaces: Any) -> dict[str, Any]:
    at = user.created.isoformat()
    names = {"username": user.name, "first_name": user.name, "last_name": None, "full_name": user.name}
    own = {"id": user.id, "role": user.role, "workspaces": list(workspaces), "api_key": ""}
    return {**own, **names, "inserted_at": at, "updated_at": at}


def _workspace(user: User, name: str) -> dict[str, Any]:
    at = user.created.isoformat()
    return {"id": str(uuid5(NAMESPACE_URL, f"tunesmith:{name}")), "name": name, "inserted_at": at, "updated_at": at}


def _dataset(found: StoredDataset) -> dict[str, Any]:
    return {
        "id": f"{found.workspace}.{found.name}",
        "name": found.name,
        "task": found.task,
        "owner": found.workspace,
        "workspace": found.workspace,
        "tags": {key: str(value) for key, value in found.tags.items()},
        "metadata": found.metadata,
        "created_at": found.created.isoformat(),
        "last_updated": found.updated.isoformat(),
    }
