"""A service for a file's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import openai_service
from openai_service import KEY, Service
from tunesmith.frameworks import openai_calls


@pytest.fixture(scope="module")
def openai_running() -> Iterator[Service]:
    with openai_service.run() as running:
        yield running


@pytest.fixture
def service(openai_running: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    """The service, knowing nothing."""
    openai_running.forget()
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_BASE_URL", openai_running.url)
    monkeypatch.setattr(openai_calls, "FIRST_WAIT", 0.01)
    return openai_running
