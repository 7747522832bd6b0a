"""One request to a server and its answer: what is tried again, and what an answer that is no success means."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

import orjson

from ..errors import ConfigError, RequestRefused, ServerError

TRIES = 4  # the first and three more
_PAUSE = 0.25  # seconds before the second try, twice as long before each further one
_TO_RETRY = (502, 503, 504)
_log = logging.getLogger(__name__)


class Server:
    """A server at an address, asked with a key. Safe for threads. options: of `httpx.Client`."""

    def __init__(
        self, url: str, key: str, *, timeout: float, headers: Mapping[str, str], options: Mapping[str, Any]
    ) -> None:
        import httpx

        self.url = url.rstrip("/")
        if not self.url.startswith(("http://", "https://")):
            raise ConfigError("api_url", url, "an address as http://127.0.0.1:6900")
        if not key.isascii() or not key.isprintable():
            raise ConfigError("api_key", "…", "the key that `tunesmith users create` printed")
        sent = {"X-Argilla-Api-Key": key, **headers}
        self._transport = httpx.TransportError
        self._unsent = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
        try:
            self._http = httpx.Client(base_url=self.url, headers=sent, timeout=timeout, **options)
        except httpx.InvalidURL as error:
            raise ConfigError("api_url", url, "an address as http://127.0.0.1:6900") from error

    def close(self) -> None:
        self._http.close()

    def call(
        self,
        method: str,
        place: str,
        said: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        *,
        twice: bool = True,
    ) -> Any:
        """The parsed answer. twice: sending the same again does no harm."""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if self._http.is_closed:
            told = "the connection to this server was closed: open it again with `init`."
            raise ServerError(self.url, None, told, retryable=False)
        address = f"/tunesmith/{place}"
        for turn in range(TRIES):
            last = turn == TRIES - 1
            try:
                response = self._http.request(method, address, params=said, content=body, headers=headers)
            except self._transport as error:
                if last or not (twice or isinstance(error, self._unsent)):
                    told = f"{type(error).__name__}: {error}. Is the server running, and the address right?"
                    raise ServerError(self.url + address, None, told, retryable=True) from error
            else:
                if response.status_code not in _TO_RETRY or last or not twice:
                    return _read(self.url + address, response)
            _log.debug("%s%s: try %d of %d failed", self.url, address, turn + 1, TRIES)
            time.sleep(_PAUSE * 2**turn)
        raise AssertionError("every turn returns or raises")


def _read(url: str, response: Any) -> Any:
    """The JSON of an answer. Raises: RequestRefused, ServerError."""
    status = response.status_code
    try:
        found = orjson.loads(response.content)
    except orjson.JSONDecodeError as error:
        told = "the answer is no JSON. Is a tunesmith server at this address?"
        raise ServerError(url, status, told, retryable=status in _TO_RETRY) from error
    if status < 300:
        return found
    detail = found.get("detail") if isinstance(found, dict) else None
    params = detail.get("params") if isinstance(detail, dict) else None
    reason = params.get("message") if isinstance(params, dict) else None
    if not isinstance(reason, str):
        raise ServerError(url, status, f"{detail}. Is a tunesmith server at this address?", retryable=False)
    kind = RequestRefused if 400 <= status < 500 and status not in (401, 403) else ServerError
    raise kind(url, status, reason, retryable=status in _TO_RETRY)
