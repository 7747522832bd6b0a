"""Calls of the service: where it is, the key, and how often a call is tried before it is an error."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ..errors import ConfigError, MissingCredential, NotInstalled, ServerError

KEY, ADDRESS = "OPENAI_API_KEY", "OPENAI_BASE_URL"
OFFICIAL = "https://api.openai.com/v1"
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0  # seconds between tries, doubled each time, where the service says nothing
PATIENCE = 300.0  # seconds that a service may ask to wait; more is an error at once
_AGAIN = (408, 409, 429)
_SAFE = ("localhost", "127.0.0.1", "::1")
_CUT = (json.JSONDecodeError, UnicodeDecodeError)  # what the client raises for a body of status 200 that is no JSON
_OTHER = (AttributeError, LookupError, TypeError)  # what reading an answer of another form raises
_SHOWN = 200  # characters of an answer that an error tells

T = TypeVar("T")
Note = Callable[[str], None]


def warn(text: str) -> None:
    """A note where there is no run to tell it to."""
    logging.getLogger("tunesmith").warning(text)


@dataclass(frozen=True)
class Service:
    """Where the models are, and how they are called. said: the user named the address in this process."""

    base_url: str
    said: bool = True
    request_timeout: float = 120.0
    retries: int = 5
    concurrency: int = 8

    @property
    def host(self) -> str:
        return urlsplit(self.base_url).netloc

    def to_dict(self) -> dict[str, Any]:
        """JSON values, for tunesmith.json; never a key."""
        names = ("base_url", "request_timeout", "retries", "concurrency")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def saved(cls, told: Mapping[str, Any], given: Mapping[str, Any]) -> Service:
        """The service of a saved model: what is `given` now wins, then OPENAI_BASE_URL, then the file."""
        now = given.get("base_url") or os.environ.get(ADDRESS)
        return cls(**{**told, **given, "base_url": read_address(now or told["base_url"])}, said=bool(now))


def address(given: str | None) -> str:
    """The address that a run calls: `base_url`, OPENAI_BASE_URL, or OpenAI's own.

    Raises:
        ConfigError: it is no web address, or it holds a password.
    """
    return read_address(given or os.environ.get(ADDRESS) or OFFICIAL)


def read_address(text: str) -> str:
    """The address, checked. Raises: ConfigError."""
    expected = "the address of a service, such as 'https://api.openai.com/v1'"
    try:
        parts = urlsplit(text)
    except ValueError as error:
        raise ConfigError("base_url", text, expected) from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError("base_url", text, expected)
    if parts.username or parts.password:
        hidden = f"{parts.scheme}://…@{parts.hostname}"
        raise ConfigError("base_url", hidden, f"an address without a password: the key is read from {KEY}")
    return text


def check(service: Service) -> None:
    """What can be in the way of the first call.

    Raises:
        NotInstalled: the client. MissingCredential: the key.
        ConfigError: the address is a file's word alone, and a key would go there.
    """
    try:
        import openai  # noqa: F401
    except ImportError as error:
        raise NotInstalled("openai", "openai", "framework='openai'") from error
    host = urlsplit(service.base_url).hostname or ""
    if not service.said and host not in _SAFE and not f".{host}".endswith(".api.openai.com"):
        why = f"{ADDRESS}={service.base_url} set, or model_args={{'base_url': …}}, if your key may go to {host}"
        raise ConfigError("base_url", service.base_url, f"{why}: only the saved model names that host")
    if not os.environ.get(KEY):
        raise MissingCredential(service.host, KEY, "set it to any text where the service asks for none")


def connect(service: Service, note: Note = warn) -> Calls:
    """The official client.

    Raises:
        NotInstalled, MissingCredential, ConfigError: see `check`.
    """
    check(service)
    return Calls(_client(service.base_url, service.request_timeout, os.environ[KEY]), service, note)


@lru_cache(maxsize=4)
def _client(base_url: str, timeout: float, key: str) -> Any:
    """One for many calls: making one takes as long as a call, and it keeps its connections."""
    import openai

    return openai.OpenAI(base_url=base_url, timeout=timeout, api_key=key, max_retries=0)


@dataclass(frozen=True)
class Calls:
    """The client, and how it is called."""

    client: Any
    service: Service
    note: Note

    def __call__(self, what: str, call: Callable[[Any], T]) -> T:
        """`call(client)`, tried again where that may help: no answer, one that is cut, 408, 409, 429, 500 and above.

        It is tried again `retries` times. The service's Retry-After is kept to; else each wait is twice the one before.

        Raises:
            ServerError: the service refuses, did not answer as often as it was asked, or answers in another form than
                `call` reads.
        """
        import openai

        most = self.service.retries
        for tried in range(most + 1):
            try:
                return call(self.client)
            except (openai.APIError, *_CUT) as error:
                wait = _wait(error, tried)
                if wait is None or tried == most:
                    raise self._told(what, error, tried + 1) from error
                self.note(f"{what}: {_reason(error)}; again in {wait:g} s (try {tried + 2} of {most + 1})")
                time.sleep(wait)
            except _OTHER as error:
                why = f"{what}: it is not what the API gives there ({error}). Is base_url right?"
                raise ServerError(self.service.base_url, 200, why, retryable=False) from error
        raise AssertionError("unreachable")

    def optional(self, what: str, call: Callable[[Any], T], otherwise: T) -> T:
        """As `__call__`, or `otherwise` where the service has no such thing."""
        try:
            return self(what, call)
        except ServerError as error:
            if error.status not in (404, 405, 410, 501):
                raise
            return otherwise

    def _told(self, what: str, error: Any, tries: int) -> ServerError:
        status = 200 if isinstance(error, _CUT) else getattr(error, "status_code", None)
        retryable = _may_pass(error)
        told = f"{what}: {_reason(error)}"
        if status in (401, 403):
            told += f". The key is the one in {KEY}"
        if retryable:
            told += f" ({tries} tries)" if tries > 1 else ""
        return ServerError(self.service.base_url, status, f"{told}.", retryable=retryable)


def whole(answer: Any, *fields: str) -> Any:
    """An answer, or a part of one, that has these fields; the client gives what came, whatever its form.

    Raises:
        LookupError: it has not; a call that is made by `Calls` is a `ServerError` then.
    """
    for name in fields:
        if not getattr(answer, name, None):
            own = getattr(answer, "to_json", None)
            told = own(indent=None, warnings=False) if own else json.dumps(answer, ensure_ascii=False)
            raise LookupError(f"{told[:_SHOWN]}, which has no {name}")
    return answer


def _may_pass(error: Any) -> bool:
    """Whether the same call may succeed later."""
    if isinstance(error, _CUT):
        return True
    status = getattr(error, "status_code", None)
    if status is None:
        return type(error).__name__ in ("APIConnectionError", "APITimeoutError")
    return error.code != "insufficient_quota" and (status in _AGAIN or status >= 500)


def _wait(error: Any, tried: int) -> float | None:
    """Seconds until the next try; None: there is none."""
    if not _may_pass(error):
        return None
    said = _retry_after(getattr(error, "response", None))
    if said is None:
        return float(min(FIRST_WAIT * 2**tried, LONGEST_WAIT))
    return said if said <= PATIENCE else None


def _retry_after(response: Any) -> float | None:
    """Seconds that the service asks to wait: a number, or a date; or milliseconds, in a header of OpenAI's own."""
    headers = {} if response is None else response.headers
    said = headers.get("retry-after", "")
    try:
        exact = headers.get("retry-after-ms")
        return max(float(said) if exact is None else float(exact) / 1000, 0.0)
    except ValueError:
        pass
    try:
        return max(parsedate_to_datetime(said).timestamp() - time.time(), 0.0)
    except (TypeError, ValueError):
        return None


def _reason(error: Any) -> str:
    """What the service said, in one line."""
    if isinstance(error, _CUT):
        return f"the answer is no whole JSON: {error}"
    body = error.body if isinstance(error.body, Mapping) else {}
    said = body.get("message") or error.message or type(error).__name__
    cause = f" ({error.__cause__})" if error.__cause__ is not None and str(error.__cause__) else ""
    return " ".join(f"{said}{cause}".split()).rstrip(".")[:500]
