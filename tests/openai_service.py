"""A service with OpenAI's fine-tuning and chat API on a loopback port, strict in what it takes.

It holds what it receives against the published rules: the key, the multipart form, chat rows, hyperparameters. Its
tuned models are our own baseline, fitted on the uploaded rows and asked in chats, so that what is sent must be sound
for anything to be learned. It can be told to fail.
"""

from __future__ import annotations

import base64
import json
import math
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from tunesmith.data.labels import Labels
from tunesmith.frameworks import baseline, baseline_spans, baseline_text
from tunesmith.tasks.base import Account, Example, Examples, Span

BASE, KEY = "gpt-4.1-mini-2025-04-14", "sk-of-the-tests"
_KNOWN = {"model", "training_file", "validation_file", "seed", "suffix", "method", "metadata", "integrations"}
_HYPER = {"n_epochs": int, "batch_size": int, "learning_rate_multiplier": (int, float)}
_ASKED = {"model", "messages", "temperature", "logprobs", "top_logprobs"}
_VALUES = {name: each.default for name, each in baseline.ARGUMENTS.items()}


class Refused(Exception):
    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code = status, code


@dataclass(frozen=True)
class Fault:
    """What goes wrong with the next `times` requests of a method whose path begins so. status 0: no answer.

    done: the request is carried out, and its answer lost. body: what is answered in place of the error, of the type
    `kind`.
    """

    method: str
    path: str
    status: int
    times: int = 1
    headers: Mapping[str, str] = field(default_factory=dict)
    message: str = "the tests want it so"
    code: str | None = None
    done: bool = False
    body: str | None = None
    kind: str = "application/json"


@dataclass
class Job:
    id: str
    wanted: Mapping[str, Any]
    looks: int = 0
    status: str = "validating_files"
    error: str | None = None
    model: str | None = None
    events: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Service:
    """looks: how often a job is asked for until it ends. failing: the message of a job that fails.

    hold: jobs go on while it is set. losses: of the checkpoints on validation rows. answers: text -> what is written
    for it in place of the model's answer. probable: whether logprobs are given; None: asking for them is an error.
    """

    url: str = ""
    looks: int = 2
    failing: str | None = None
    hold: threading.Event = field(default_factory=threading.Event)
    losses: Sequence[float] = (0.5, 0.3)
    answers: dict[str, Any] = field(default_factory=dict)
    probable: bool | None = True
    delay: float = 0.0
    files: dict[str, bytes] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    models: dict[str, Tuned] = field(default_factory=dict)
    asked: list[dict[str, Any]] = field(default_factory=list)
    requests: Counter[str] = field(default_factory=Counter)
    keys: set[str] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)
    busy: int = 0
    busiest: int = 0
    lock: Any = field(default_factory=threading.Lock)

    def forget(self) -> None:
        """As it was when it began."""
        vars(self).update(vars(Service(self.url)))

    def rows(self, name: str) -> list[dict[str, Any]]:
        """The chat rows of an uploaded file."""
        return [json.loads(line) for line in self.files[name].decode().split("\n") if line]

    def fault(self, method: str, path: str) -> Fault | None:
        for place, each in enumerate(self.faults):
            if each.times and each.method == method and path.startswith(each.path):
                self.faults[place] = Fault(**{**vars(each), "times": each.times - 1})
                return each
        return None


@dataclass(frozen=True)
class Tuned:
    """What a job made of chat rows. kind: single, multi, spans or text. system: what opened each chat."""

    kind: str
    system: str | None
    fitted: Any
    pairs: Mapping[str, str]

    def answer(self, text: str) -> tuple[str, Mapping[str, float]]:
        """(what is written, the probability of each answer that is one token)."""
        if self.kind == "text":
            words = set(text.split())
            known = max(self.pairs, key=lambda source: len(words & set(source.split())))
            return self.pairs[known], {}
        found = self.fitted.predict([Example(0, text)])[0]
        if self.kind == "single":
            return found.label, found.scores
        if self.kind == "multi":
            return json.dumps(found.labels), {}
        spans = [{"label": span.label, "text": text[span.start : span.end]} for span in found.spans]
        return json.dumps(spans, ensure_ascii=False), {}


def fitted(rows: Sequence[Mapping[str, Any]]) -> Tuned:
    """Learn from chat rows what their answers look like."""
    chats = [{turn["role"]: turn["content"] for turn in row["messages"]} for row in rows]
    pairs = {chat["user"]: chat["assistant"] for chat in chats}
    system = chats[0].get("system")
    lists = [_listed(answer) for answer in pairs.values()]
    if None not in lists:
        spans = any(isinstance(item, dict) for each in lists for item in each or ())
        items = {text: items or [] for text, items in zip(pairs, lists, strict=True)}
        return _of_spans(items, system, pairs) if spans else _of_labels(items, system, pairs, "multi")
    if len(set(pairs.values())) > len(pairs) // 2:
        return Tuned("text", system, None, pairs)
    return _of_labels(pairs, system, pairs, "single")


def _listed(answer: str) -> list[Any] | None:
    try:
        found = json.loads(answer)
    except ValueError:
        return None
    return found if isinstance(found, list) else None


def _of_labels(answers: Mapping[str, Any], system: str | None, pairs: Mapping[str, str], kind: Any) -> Tuned:
    items = [
        Example(place, text, label=label if kind == "single" else tuple(label))
        for place, (text, label) in enumerate(answers.items())
    ]
    names = sorted({name for each in items for name in ([each.label] if kind == "single" else each.label)})
    return Tuned(kind, system, baseline_text.fit(_examples(items, Labels(kind, tuple(names)), kind), _VALUES), pairs)


def _of_spans(answers: Mapping[str, Any], system: str | None, pairs: Mapping[str, str]) -> Tuned:
    items = []
    for place, (text, listed) in enumerate(answers.items()):
        spans, end = [], 0
        for item in listed:
            start = text.index(item["text"], end)
            end = start + len(item["text"])
            spans.append(Span(item["label"], start, end))
        items.append(Example(place, text, spans=tuple(spans)))
    types = sorted({span.label for item in items for span in item.spans or ()})
    names = ("O", *(f"{prefix}-{kind}" for kind in types for prefix in "BI"))
    return Tuned(
        "spans", system, baseline_spans.fit(_examples(items, Labels("single", names), "spans"), _VALUES), pairs
    )


def _examples(items: list[Example], labels: Labels, kind: str) -> Examples:
    return Examples(items, labels, Account(len(items)), "", kind)


def check_rows(content: bytes, fewest: int) -> list[dict[str, Any]]:
    """The rules for chat rows: https://platform.openai.com/docs/guides/supervised-fine-tuning."""
    rows = []
    for number, line in enumerate(content.decode("utf-8").rstrip("\n").split("\n"), start=1):
        row = json.loads(line)
        if set(row) != {"messages"}:
            raise Refused(400, f"line {number}: keys are {sorted(row)}", "invalid_file_format")
        turns = row["messages"]
        if not all(set(turn) == {"role", "content"} and isinstance(turn["content"], str) for turn in turns):
            raise Refused(400, f"line {number}: a message is a role and a content", "invalid_file_format")
        roles = [turn["role"] for turn in turns]
        if roles not in (["system", "user", "assistant"], ["user", "assistant"]):
            raise Refused(400, f"line {number}: roles are {roles}", "invalid_file_format")
        rows.append(row)
    if len(rows) < fewest:
        raise Refused(400, f"{len(rows)} rows, {fewest} are needed", "invalid_n_examples")
    return rows


def check_job(service: Service, wanted: Mapping[str, Any]) -> None:
    """The rules for a job."""
    if set(wanted) - _KNOWN:
        raise Refused(400, f"unknown parameters {sorted(set(wanted) - _KNOWN)}", "unknown_parameter")
    if wanted["model"] != BASE:
        raise Refused(400, f"model {wanted['model']} is not available for fine-tuning", "model_not_available")
    method = wanted.get("method") or {"type": "supervised", "supervised": {}}
    hyper = method.get("supervised", {}).get("hyperparameters", {})
    sound = all(name in _HYPER and isinstance(value, _HYPER[name]) and value > 0 for name, value in hyper.items())
    if method["type"] != "supervised" or set(method) > {"type", "supervised"} or not sound:
        raise Refused(400, f"method is {method}", "invalid_method")
    if not isinstance(wanted.get("seed", 0), int) or not 0 < len(wanted.get("suffix", "x")) <= 64:
        raise Refused(400, "seed or suffix", "invalid_value")
    for name in {"training_file", "validation_file"} & set(wanted):
        if wanted[name] not in service.files:
            raise Refused(404, f"no file {wanted[name]}: it may have expired", "file_not_found")


def advance(service: Service, job: Job) -> None:
    """One look at a job further."""
    job.looks += 1
    if job.status in ("succeeded", "failed") or service.hold.is_set():
        return
    if job.looks < service.looks:
        job.status = "running"
        return
    if service.failing is not None:
        job.status, job.error = "failed", service.failing
        return
    tuned = fitted(check_rows(service.files[job.wanted["training_file"]], 10))
    suffix = job.wanted.get("suffix", "")
    job.status, job.model = "succeeded", f"ft:{BASE}:tests:{suffix}:{job.id[-4:]}"
    for place, loss in enumerate(service.losses, start=1):
        data = {"step": place * 10, "train_loss": 1 / place, "total_steps": 10 * len(service.losses)}
        if "validation_file" in job.wanted:
            data["full_valid_loss"] = loss
        job.events.append(_event(job, "metrics", f"step {place * 10}", data))
        service.models[f"{job.model}:ckpt-step-{place * 10}"] = tuned
    job.events.append(_event(job, "message", "The job has successfully completed"))
    service.models[job.model] = tuned


def _event(job: Job, kind: str, message: str, data: Any = None) -> dict[str, Any]:
    name = f"ftevent-{len(job.events)}-{job.id}"
    told = {"id": name, "object": "fine_tuning.job.event", "created_at": 1, "level": "info"}
    return {**told, "type": kind, "message": message, "data": data}


def _job(job: Job) -> dict[str, Any]:
    hyper = job.wanted.get("method", {}).get("supervised", {}).get("hyperparameters", {})
    chosen = {"n_epochs": 3, "batch_size": 1, "learning_rate_multiplier": 2.0, **hyper}
    error = {"code": "tests", "message": job.error, "param": None} if job.error else None
    return {
        "id": job.id,
        "object": "fine_tuning.job",
        "created_at": 1,
        "model": BASE,
        "organization_id": "org-tests",
        "status": job.status,
        "error": error,
        "fine_tuned_model": job.model,
        "training_file": job.wanted["training_file"],
        "validation_file": job.wanted.get("validation_file"),
        "seed": job.wanted.get("seed", 0),
        "hyperparameters": chosen,
        "method": {"type": "supervised", "supervised": {"hyperparameters": chosen}},
        "result_files": [f"file-results-{job.id}"] if job.status == "succeeded" else [],
        "trained_tokens": 1234 if job.status == "succeeded" else None,
    }


def _page(items: Sequence[Mapping[str, Any]], after: str | None, limit: int) -> dict[str, Any]:
    ids = [item["id"] for item in items]
    start = ids.index(after) + 1 if after else 0
    return {"object": "list", "data": items[start : start + limit], "has_more": start + limit < len(items)}


def _completion(service: Service, wanted: Mapping[str, Any]) -> dict[str, Any]:
    if set(wanted) - _ASKED or wanted.get("temperature") != 0:
        raise Refused(400, f"the tests take {sorted(_ASKED)} at temperature 0")
    if wanted.get("logprobs") and service.probable is None:
        raise Refused(400, "'logprobs' is not supported with this model", "unsupported_parameter")
    tuned = service.models.get(wanted["model"])
    if tuned is None:
        raise Refused(404, f"The model `{wanted['model']}` does not exist", "model_not_found")
    turns = {turn["role"]: turn["content"] for turn in wanted["messages"]}
    if turns.get("system") != tuned.system:
        raise Refused(400, "the system message is not that of training")
    said, chances = tuned.answer(turns["user"])
    if turns["user"] in service.answers:
        said, chances = service.answers[turns["user"]], {}
    given = service.probable and wanted.get("logprobs") and said is not None
    reason = "content_filter" if said is None else "stop"
    message = {"role": "assistant", "content": said, "refusal": "I cannot" if said is None else None}
    choice = {"index": 0, "finish_reason": reason, "message": message}
    choice["logprobs"] = {"content": [_token(said, chances)], "refusal": None} if given else None
    return {"id": "chatcmpl", "object": "chat.completion", "created": 1, "model": wanted["model"], "choices": [choice]}


def _token(said: str, chances: Mapping[str, float]) -> dict[str, Any]:
    def told(text: str, chance: float) -> dict[str, Any]:
        return {"token": text, "bytes": list(text.encode()), "logprob": math.log(max(chance, 1e-300))}

    top = sorted(chances.items(), key=lambda item: -item[1])[:20]
    return {**told(said, chances.get(said, 1.0)), "top_logprobs": [told(*each) for each in top]}


def _form(content_type: str, body: bytes) -> dict[str, tuple[str | None, bytes]]:
    """A multipart form: field -> (file name, content)."""
    whole = BytesParser().parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    if not whole.is_multipart():
        raise Refused(400, "expected a multipart form")
    parts: list[Message] = whole.get_payload()  # type: ignore[assignment]
    named = {}
    for part in parts:
        name = re.search(r'name="([^"]*)"', part["Content-Disposition"])
        named[name[1] if name else ""] = (part.get_filename(), part.get_payload(decode=True))
    return named  # type: ignore[return-value]


def application(service: Service) -> Any:
    app = FastAPI()

    @app.exception_handler(Refused)
    async def refused(_: Request, error: Refused) -> JSONResponse:
        told = {"message": str(error), "type": "invalid_request_error", "param": None, "code": error.code}
        return JSONResponse({"error": told}, error.status)

    @app.middleware("http")
    async def keyed(request: Request, go_on: Any) -> Any:
        service.requests[f"{request.method} {request.url.path}"] += 1
        service.keys.add(request.headers.get("authorization", ""))
        if request.headers.get("authorization") != f"Bearer {KEY}":
            error = {"message": "Incorrect API key provided", "type": "auth", "param": None, "code": "invalid_api_key"}
            return JSONResponse({"error": error}, 401)
        return await go_on(request)

    @app.post("/v1/files")
    async def upload(request: Request) -> Any:
        form = _form(request.headers["content-type"], await request.body())
        if form["purpose"][1] != b"fine-tune" or not str(form["file"][0]).endswith(".jsonl"):
            raise Refused(400, "expected a .jsonl file with the purpose fine-tune")
        check_rows(form["file"][1], 1)
        name = f"file-{len(service.files) + 1}"
        service.files[name] = form["file"][1]
        return _file(name, form["file"][1])

    @app.get("/v1/files/{name}")
    def file(name: str) -> Any:
        if name not in service.files:
            raise Refused(404, f"No such File object: {name}")
        return _file(name, service.files[name])

    @app.get("/v1/files/{name}/content")
    def content(name: str) -> Any:
        if not name.startswith("file-results-"):
            raise Refused(404, "no results")
        return PlainTextResponse(base64.b64encode(b"step,train_loss\n10,1.0\n20,0.5\n"))

    _jobs(app, service)
    return app


def _file(name: str, content: bytes) -> dict[str, Any]:
    told = {"object": "file", "created_at": 1, "filename": f"{name}.jsonl", "purpose": "fine-tune"}
    return {"id": name, "bytes": len(content), "status": "processed", **told}


def _jobs(app: FastAPI, service: Service) -> None:
    @app.post("/v1/fine_tuning/jobs")
    async def create(request: Request) -> Any:
        wanted = await request.json()
        check_job(service, wanted)
        check_rows(service.files[wanted["training_file"]], 10)
        name = f"ftjob-{len(service.jobs) + 1:04}"
        service.jobs[name] = Job(name, wanted)
        service.jobs[name].events.append(_event(service.jobs[name], "message", "Created fine-tuning job"))
        return _job(service.jobs[name])

    @app.get("/v1/fine_tuning/jobs")
    def listed(after: str | None = None, limit: int = 20) -> Any:
        return _page([_job(job) for job in reversed(service.jobs.values())], after, limit)

    @app.get("/v1/fine_tuning/jobs/{name}")
    def job(name: str) -> Any:
        if name not in service.jobs:
            raise Refused(404, f"Could not find fine tune: {name}", "fine_tune_not_found")
        with service.lock:
            advance(service, service.jobs[name])
        return _job(service.jobs[name])

    @app.get("/v1/fine_tuning/jobs/{name}/events")
    def events(name: str, after: str | None = None, limit: int = 20) -> Any:
        return _page(service.jobs[name].events[::-1], after, limit)

    @app.get("/v1/fine_tuning/jobs/{name}/checkpoints")
    def checkpoints(name: str, after: str | None = None, limit: int = 10) -> Any:
        made = service.jobs[name]
        items = [
            {
                "id": f"ftckpt-{place}",
                "object": "fine_tuning.job.checkpoint",
                "created_at": 1,
                "fine_tuning_job_id": name,
                "fine_tuned_model_checkpoint": f"{made.model}:ckpt-step-{place * 10}",
                "step_number": place * 10,
                "metrics": {"full_valid_loss": loss} if "validation_file" in made.wanted else {},
            }
            for place, loss in enumerate(service.losses, start=1)
        ]
        return _page(items[::-1], after, limit)

    @app.post("/v1/chat/completions")
    def chat(wanted: dict[str, Any]) -> Any:
        with service.lock:
            service.asked.append(wanted)
            service.busy += 1
            service.busiest = max(service.busiest, service.busy)
        try:
            time.sleep(service.delay)
            return _completion(service, wanted)
        finally:
            with service.lock:
                service.busy -= 1


def failing(service: Service, inner: Any) -> Any:
    """The application with the faults that the service is told of."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        fault = service.fault(scope.get("method", ""), scope.get("path", ""))
        if fault is None:
            return await inner(scope, receive, send)
        if fault.done:
            await inner(scope, receive, _nowhere)
        elif scope["type"] == "http":
            while (await receive()).get("more_body"):  # the request is read before it fails
                pass
        service.requests[f"failed {scope['method']} {scope['path']}"] += 1
        if not fault.status:  # uvicorn closes a connection whose answer is shorter than it said
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000")]})
            await send({"type": "http.response.body", "body": b"{"})
            return None
        told = {"message": fault.message, "type": "tests", "param": None, "code": fault.code}
        said = json.dumps({"error": told}) if fault.body is None else fault.body
        answer = Response(said, fault.status, dict(fault.headers), fault.kind)
        return await answer(scope, receive, send)

    return app


async def _nowhere(_: Any) -> None:
    pass


@contextmanager
def run() -> Iterator[Service]:
    """The service on a free port; its `url` is what `base_url` takes."""
    service = Service()
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(failing(service, application(service)), log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.005)
    service.url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    try:
        yield service
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
