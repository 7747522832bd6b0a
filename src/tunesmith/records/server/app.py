"""The application: a store, the users of its database, the routes, and the gate in front of them."""

from __future__ import annotations

import html
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from ...errors import TunesmithError
from ..store.engine import Database
from ..store.store import Store
from . import argilla, native
from .answers import on_error, refusal
from .gate import Gate
from .limits import Limits

_ABOUT = "Named data sets of annotated text. Every route but /healthz needs a key, in the header X-Argilla-Api-Key."


def create(url: str | None, limits: Limits | None = None) -> FastAPI:
    """The application over the store at `url`, which is opened now and closed when the server stops.

    Raises:
        StoreError, ConfigError: the database cannot be opened.
    """
    bounds = limits or Limits()
    store, database = Store(url, longest=bounds.seconds), Database(url)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        store.close()
        database.close()

    app = FastAPI(title="tunesmith records", description=_ABOUT, docs_url=None, redoc_url=None, lifespan=lifespan)
    app.state.store, app.state.database, app.state.limits = store, database, bounds
    app.add_middleware(Gate, database=database, body=bounds.body)
    app.include_router(argilla.router)
    app.include_router(native.router)
    app.add_api_route("/healthz", healthz, include_in_schema=False)
    app.add_api_route("/docs", page, include_in_schema=False)
    app.add_exception_handler(TunesmithError, on_error)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(RequestValidationError, _on_parameters)
    app.add_exception_handler(Exception, on_error)
    return app


def healthz() -> Response:
    """Whether the server answers; tells nothing else, and needs no key."""
    return PlainTextResponse("ok")


def page(request: Request) -> Response:
    """The routes, one a line, written from /openapi.json: it loads nothing from elsewhere."""
    schema: dict[str, Any] = request.app.openapi()
    rows = [
        f"<tr><td><b>{method.upper()}</b></td><td><code>{html.escape(path)}</code></td>"
        f"<td>{html.escape(' '.join(told.get('description', '').split()))}</td></tr>"
        for path, methods in schema["paths"].items()
        for method, told in methods.items()
    ]
    title = html.escape(schema["info"]["title"])
    return HTMLResponse(
        f'<!doctype html><meta charset="utf-8"><title>{title}</title><h1>{title}</h1><p>{html.escape(_ABOUT)}</p>'
        f'<p><a href="/openapi.json">/openapi.json</a></p><table>{"".join(rows)}</table>'
    )


async def _on_http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return refusal(error.status_code, f"{error.detail}.")


async def _on_parameters(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return refusal(422, f"{where}: {first['msg']}.")
