"""A fine-tuning job: files uploaded once, one job, followed to its end, and found again after the process died."""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import ArtifactError, ConfigError, ServerError, TrainingFailed
from ..folder import RunFolder
from .openai_arguments import METHOD
from .openai_calls import Calls, whole
from .openai_plan import Plan

STATE = "openai_job.json"  # in the run's folder, written before the job is waited for
ENDED = ("succeeded", "failed", "cancelled")
_NEWEST = 100  # events looked at each time; older ones only while they are new
_ORDER = ("host", "base", "method", "suffix", "seed", "data")


@dataclass(frozen=True)
class Order:
    """What is to be tuned. method: the supervised hyperparameters that the user set."""

    plan: Plan
    base: str
    method: Mapping[str, Any]
    suffix: str | None
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """What decides a job, in JSON values: an equal order is the same job."""
        data = {name: file.sha256 for name, file in self.plan.files.items()}
        own = {"host": self.plan.host, "base": self.base, "method": dict(self.method)}
        return {**own, "suffix": self.suffix, "seed": self.seed, "data": data}


@dataclass(frozen=True)
class Tuning:
    """How a job ended. model: the one to ask. results: the service's table of losses, as CSV."""

    job: str
    model: str
    history: tuple[Mapping[str, Any], ...]
    chosen: Mapping[str, Any]
    results: str | None = None


@dataclass
class Watch:
    """What was seen of a job's events."""

    folder: RunFolder
    seen: set[str] = field(default_factory=set)
    history: list[Mapping[str, Any]] = field(default_factory=list)

    def take(self, event: Any) -> None:
        """Tell an event that is new: losses as progress, messages as notes."""
        self.seen.add(event.id)
        data = event.data if isinstance(event.data, Mapping) else {}
        if event.type != "metrics" or "step" not in data:
            self.folder.note(f"the service: {event.message}")
            return
        step, loss = int(data["step"]), data.get("train_loss")
        held = data.get("full_valid_loss", data.get("valid_loss"))
        entry = {"step": step, "loss": loss, "eval_loss": held}
        self.history.append({name: value for name, value in entry.items() if value is not None})
        self.folder.event("train", step=step, total=data.get("total_steps"), loss=loss)


def tune(
    order: Order, calls: Calls, folder: RunFolder, agree: Callable[[str], None], values: Mapping[str, Any]
) -> Tuning:
    """The job of an order, brought to its end: the one that the folder knows, else a new one.

    agree: called with what will be sent, before any of it is. values: `checkpoint`, `poll_interval` and `timeout`.

    Raises:
        ConfigError: no consent; or checkpoint=True, and the folder's job is one of other data or settings.
        TrainingFailed: the job failed, was cancelled, or did not end in time.
        ServerError: the service refuses a call, or does not answer.
    """
    state = _state(order, folder, values["checkpoint"])
    job = _earlier(state, calls, folder)
    if job is None:
        agree(str(order.plan))
        job = _start(order, state, calls, folder)
    elif scoring := order.plan.scoring():
        agree(scoring)
    watch = Watch(folder)
    job = _wait(job.id, calls, watch, values)
    if job.status != "succeeded" or not job.fine_tuned_model:
        why = getattr(job.error, "message", None) or f"it was {job.status}"
        raise TrainingFailed(f"the job {job.id} at {order.plan.host} failed: {why}")
    return _tuning(job, calls, watch, "validation" in order.plan.files)


def read(folder: Path | None) -> dict[str, Any] | None:
    """What a folder knows of a job, or None.

    Raises:
        ArtifactError: the file is broken.
    """
    if folder is None or not (folder / STATE).is_file():
        return None
    state = RunFolder(folder).read_json(STATE)
    if not isinstance(state, dict):
        raise ArtifactError(folder / STATE, "is no job of tunesmith: delete it to start a new one")
    return state


def _state(order: Order, folder: RunFolder, checkpoint: bool | None) -> dict[str, Any]:
    """The order, with the files and the job of the same order that the folder knows of."""
    wanted = {**order.to_dict(), "files": {}, "job": None}
    found = None if checkpoint is False else read(folder.path)
    if found is None:
        return wanted
    other = [name for name in _ORDER if found.get(name) != wanted[name]]
    if not other:
        return {**wanted, "files": dict(found.get("files") or {}), "job": found.get("job")}
    told = f"the job {found.get('job')} in {folder.path} has another {' and '.join(other)}"
    if checkpoint:
        raise ConfigError("checkpoint", True, f"the data and settings of that job: {told}. False starts a new one")
    folder.note(f"{told}: it is left alone")
    return wanted


def _earlier(state: dict[str, Any], calls: Calls, folder: RunFolder) -> Any:
    """The job to go on with, or None."""
    job = None
    if state["job"]:
        job = calls.optional("looking for the job", lambda c: _job(c, state["job"]), None)
    elif "train" in state["files"]:  # the process died before it could write the job down
        job = calls("looking for the job", lambda c: _with_file(c, state["files"]["train"]))
    if job is None:
        return None
    if job.status in ("failed", "cancelled"):
        folder.note(f"the job {job.id} of this folder was {job.status}: a new one is started")
        return None
    folder.note(f"goes on with the job {job.id}, which is {job.status}: nothing is uploaded")
    folder.write_json(STATE, {**state, "job": job.id})
    return job


def _job(client: Any, name: str) -> Any:
    return whole(client.fine_tuning.jobs.retrieve(name), "id", "status")


def _with_file(client: Any, file: str) -> Any:
    """The job that was started with a training file, or None."""
    jobs = client.fine_tuning.jobs.list(limit=_NEWEST).data
    alive = (job for job in jobs if job.training_file == file and job.status not in ("failed", "cancelled"))
    return next(alive, None)


def _start(order: Order, state: dict[str, Any], calls: Calls, folder: RunFolder) -> Any:
    """Upload what the service does not have, and create the job; each id is in the folder before the next call."""
    files = {}
    for name, file in order.plan.files.items():
        known = state["files"].get(name)
        if known and _is_there(known, calls):
            files[name] = known
            continue
        folder.note(f"uploading {name}: {file.told()}")
        files[name] = _upload(f"{name}.jsonl", file.path, calls)
        folder.write_json(STATE, {**state, "files": files, "job": None})
    job = calls("creating the job", _creation(order, files))
    folder.write_json(STATE, {**state, "files": files, "job": job.id})
    later = "the same call goes on with it" if folder.path else "without output_dir no call can go on with it"
    folder.note(f"the job {job.id} runs at {order.plan.host}, also if this process ends: {later}")
    return job


def _is_there(file: str, calls: Calls) -> bool:
    found: Any = calls.optional("looking for a file", lambda client: whole(client.files.retrieve(file), "id"), None)
    return found is not None


def _upload(name: str, path: Path, calls: Calls) -> str:
    """The id of the uploaded file."""

    def upload(client: Any) -> Any:
        with path.open("rb") as opened:
            return whole(client.files.create(file=(name, opened), purpose="fine-tune"), "id")

    return str(calls(f"uploading {name}", upload).id)


def _creation(order: Order, files: Mapping[str, str]) -> Callable[[Any], Any]:
    """Creates the job; where a try had no answer, the next looks first whether it made one."""
    supervised = {"hyperparameters": dict(order.method)} if order.method else {}
    wanted = {
        "model": order.base,
        "training_file": files["train"],
        "seed": order.seed,
        "method": {"type": "supervised", "supervised": supervised},
    }
    wanted |= {"validation_file": files["validation"]} if "validation" in files else {}
    wanted |= {"suffix": order.suffix} if order.suffix else {}
    tried: list[bool] = []

    def create(client: Any) -> Any:
        made = _with_file(client, files["train"]) if tried else None
        tried.append(True)
        return made or whole(client.fine_tuning.jobs.create(**wanted), "id")

    return create


def _wait(job: str, calls: Calls, watch: Watch, values: Mapping[str, Any]) -> Any:
    """The job when it has ended."""
    end = time.monotonic() + values["timeout"]
    while True:
        found = calls(f"asking for the job {job}, which goes on there", lambda c: _job(c, job))
        news: list[Any] = calls.optional("asking for events", lambda c: _news(c, job, watch.seen), [])
        for event in news:
            watch.take(event)
        if found.status in ENDED:
            return found
        left = end - time.monotonic()
        if left <= 0:
            told = f"the job {job} is still {found.status} after {values['timeout']:g} s"
            raise TrainingFailed(f"{told}; it goes on at {calls.service.host}, and the same call goes on with it.")
        time.sleep(min(values["poll_interval"], left))


def _news(client: Any, job: str, seen: set[str]) -> list[Any]:
    """The events that were not seen, the oldest first; the service lists the newest first."""
    found = []
    for place, event in enumerate(client.fine_tuning.jobs.list_events(job, limit=_NEWEST)):
        if event.id not in seen:
            found.append(event)
        elif place >= _NEWEST:
            break
    found.reverse()
    return sorted(found, key=lambda event: event.created_at)


def _tuning(job: Any, calls: Calls, watch: Watch, validated: bool) -> Tuning:
    """The model of a job that succeeded: of its checkpoints the one that fits the validation rows best."""
    losses: list[Any] = calls.optional("asking for checkpoints", lambda c: _losses(c, job.id), [])
    scored = losses if validated else []
    model, chosen = job.fine_tuned_model, _resolved(job)
    if scored:
        loss, step, best = min(scored, key=lambda each: each[:2])
        chosen |= {"full_valid_loss": loss, "step": -step}
        if -step < max(-each[1] for each in scored):
            model = best
            watch.folder.note(f"the checkpoint of step {-step} fits the validation rows best: {model}")
    return Tuning(job.id, model, tuple(watch.history), {**chosen, "model": model}, _results(job, calls, watch.folder))


def _losses(client: Any, job: str) -> list[tuple[float, int, str]]:
    """(loss on the validation rows, -step, name) of each checkpoint that was scored on them."""
    checkpoints = client.fine_tuning.jobs.checkpoints.list(job, limit=_NEWEST)
    scored = [each for each in checkpoints if each.metrics and each.metrics.full_valid_loss is not None]
    return [(each.metrics.full_valid_loss, -each.step_number, each.fine_tuned_model_checkpoint) for each in scored]


def _resolved(job: Any) -> dict[str, Any]:
    """The hyperparameters as the service chose them, and the tokens that it trained on."""
    method = job.method.supervised if job.method is not None else None
    found = method.hyperparameters if method is not None and method.hyperparameters else job.hyperparameters
    chosen = {**{name: getattr(found, name, None) for name in METHOD}, "trained_tokens": job.trained_tokens}
    return {name: value for name, value in chosen.items() if value is not None}


def _results(job: Any, calls: Calls, folder: RunFolder) -> str | None:
    """The result file as text; OpenAI gives it in base64."""
    if not job.result_files:
        return None
    try:
        text: str = calls("reading the results", lambda c: c.files.content(job.result_files[0])).text
    except ServerError as error:
        folder.note(f"the results of the job cannot be read: {error}")
        return None
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode()
    except (binascii.Error, ValueError):
        return text
