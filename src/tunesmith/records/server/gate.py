"""What every request passes before any route: the size of its body, and the key that says who asks."""

from __future__ import annotations

import base64
import binascii

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ...errors import StoreError
from ..store.engine import Database
from ..store.users import User, of_key
from .answers import Refused, refusal, told, unauthorized

OPEN = ("/healthz",)
PAGES = ("/docs", "/openapi.json")  # a browser has no header for the key: it asks for a name and a password
KEY_HEADER = "X-Argilla-Api-Key"
_LONGEST_KEY = 200


class Gate:
    """ASGI middleware: a route behind it is reached only with a key, and reads at most `body` bytes.

    The user stands in `request.state.user`.
    """

    def __init__(self, app: ASGIApp, database: Database, body: int) -> None:
        self.app, self.database, self.body = app, database, body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN:
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            user = await run_in_threadpool(self._user, _key(headers, scope["path"]))
        except StoreError as error:
            await told(error)(scope, receive, send)
            return
        if user is None:
            await _closed(scope["path"])(scope, receive, send)
            return
        scope.setdefault("state", {})["user"] = user
        if int(headers.get("content-length") or 0) > self.body:
            await told(self._too_large())(scope, receive, send)
            return
        await self.app(scope, self._bounded(receive), send)

    def _user(self, key: str) -> User | None:
        with self.database.reading() as connection:
            return of_key(connection, key)

    def _too_large(self) -> Refused:
        return Refused(413, f"the request has more than {self.body} bytes. Send the records in several.")

    def _bounded(self, receive: Receive) -> Receive:
        """`receive`, which stops a body that is longer than it said."""
        left = self.body

        async def bounded() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise self._too_large()
            return message

        return bounded


def _key(headers: Headers, path: str) -> str:
    said = headers.get(KEY_HEADER, "")
    basic = headers.get("authorization", "")
    if not said and path in PAGES and basic[:6].lower() == "basic ":
        try:
            said = base64.b64decode(basic[6:], validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            said = ""
    return said[:_LONGEST_KEY]


def _closed(path: str) -> Response:
    refused = unauthorized()
    response = refusal(refused.status, str(refused))
    if path in PAGES:
        response.headers["WWW-Authenticate"] = 'Basic realm="tunesmith: the key is the password"'
    return response
