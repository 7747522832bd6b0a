"""What goes back: JSON, and errors in the form that clients of Argilla 1.x read."""

from __future__ import annotations

import logging
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from ...errors import DataError, QueryError, RowError, StoreError, TunesmithError, UnknownName

_log = logging.getLogger(__name__)


def answer(value: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS), status, media_type="application/json")


class Refused(TunesmithError):
    """A request that is answered with an error. `extra` goes into its parameters."""

    def __init__(self, status: int, message: str, **extra: Any) -> None:
        super().__init__(message)
        self.status, self.extra = status, extra


_KEYS = "`tunesmith users create` prints one, for the header X-Argilla-Api-Key, or api_key of a client"


def unauthorized() -> Refused:
    return Refused(401, f"the key is missing or nobody's: {_KEYS}.")


def refusal(status: int, message: str, **extra: Any) -> Response:
    """The body of every error: `{"detail": {"code", "params": {"message", …}}}`."""
    return answer({"detail": {"code": _CODES.get(status, "Error"), "params": {"message": message, **extra}}}, status)


_CODES = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "AlreadyExists",
    413: "TooLarge",
    422: "Validation",
    500: "Generic",
    503: "Unavailable",
}


def told(error: Exception) -> Response:
    """The answer to an error of a route. What is not ours is not told: it may hold paths or SQL."""
    if isinstance(error, Refused):
        return refusal(error.status, str(error), **error.extra)
    if isinstance(error, QueryError):
        return refusal(400, str(error), kind="query", place=error.place)
    if isinstance(error, RowError):
        return refusal(422, str(error), kind="row", row=error.row, column=error.column)
    if isinstance(error, UnknownName):
        return refusal(404, str(error), kind="name")
    if isinstance(error, DataError):
        return refusal(400, str(error), kind="data")
    if isinstance(error, StoreError):
        _log.error("%s", error)
        return refusal(503, "the store cannot be read or written now; the server's log says why.")
    _log.error("a request failed", exc_info=error)
    return refusal(500, "the server failed; its log says why.")


async def on_error(_: Request, error: Exception) -> Response:
    return told(error)
