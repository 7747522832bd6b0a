"""Training at the service of the tests: the rows, the call, and what was said."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import small_tasks
import tunesmith
from openai_service import BASE, Service
from tunesmith import Run

TEXT, TOKENS, TARGET = "text-classification", "token-classification", "sequence-sequence"
JOBS, FILES, CHAT = "/v1/fine_tuning/jobs", "/v1/files", "/v1/chat/completions"
UPLOADED = ("POST /v1/files", "POST /v1/fine_tuning/jobs")
ROWS, HELD = small_tasks.classes()
ROWS, HELD = ROWS[:24], HELD[:8]
SYSTEM = 'Which label does the text have? Answer with one of these labels and nothing else. Labels: ["ham", "spam"]'


def train(rows: Any = ROWS, **more: Any) -> Run:
    settings = {"framework": "openai", "base": BASE, "yes": True, "poll_interval": 0.02, **more}
    return tunesmith.train(rows, **settings)


def unread() -> Iterator[dict[str, Any]]:
    raise AssertionError("a row was read")
    yield {}


def notes(found: list[str]) -> Any:
    return lambda kind, values: found.append(values["text"]) if kind == "note" else None


def count(service: Service, *requests: str) -> list[int]:
    return [service.requests[request] for request in requests]
