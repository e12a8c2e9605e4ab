"""What the services have in common: who may ask, how much, and the form of an error."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from engine.core.access import Access
from engine.core.hashing import parse_json

HOST = "127.0.0.1"  # the services have no passwords: nobody but this machine reaches them
MAX_BODY = 1 << 20  # bytes of a request
MAX_DEPTH = 16  # of JSON
READ_S = 10.0  # for a request's body to arrive
CLOSE_S = 1.0  # for requests that are being answered when the services end, and for what nobody reads any more
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
ErrorForm = Callable[[int, str], Any]  # of an HTTP status and a sentence, JSON-ready
_log = logging.getLogger(__name__)


class ApiError(Exception):
    """A request that is answered with an HTTP status and a sentence."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def application(routes: Mapping[tuple[str, str], Handler], error: ErrorForm) -> web.Application:
    """Return an application with routes by method and path, all of whose errors have one form."""
    access = Access(HOST, None)

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        allowed, why = access.allows(request.host, request.headers.get("Origin"), None, None)
        if not allowed:
            return web.json_response(error(403, why), status=403)
        try:
            return await handler(request)
        except ApiError as refused:
            return web.json_response(error(refused.status, refused.message), status=refused.status)
        except web.HTTPException as refused:  # aiohttp's own: no such path, another method
            allow = {"Allow": refused.headers["Allow"]} if "Allow" in refused.headers else None
            return web.json_response(error(refused.status, refused.reason), status=refused.status, headers=allow)
        except Exception:
            _log.exception("a request failed: %s %s", request.method, request.path)
            return web.json_response(error(500, "the service failed; the log says why"), status=500)

    app = web.Application(client_max_size=MAX_BODY, middlewares=[guard])
    for (method, path), handler in routes.items():
        app.router.add_route(method, path, handler)
    return app


async def json_body(request: web.Request) -> Any:
    """Return the JSON in a request's body. Raises ApiError for its type, size and time, ValueError for its form."""
    if request.content_type != "application/json":  # a form of a page elsewhere cannot have this type
        raise ApiError(415, f"the body must be application/json, not {request.content_type}")
    try:
        async with asyncio.timeout(READ_S):
            text = await request.text()
    except TimeoutError as error:
        raise ApiError(408, f"the body did not arrive within {READ_S:.0f} seconds") from error
    except web.HTTPRequestEntityTooLarge as error:
        raise ApiError(413, f"the body may have {MAX_BODY} bytes") from error
    except LookupError as error:  # a charset that there is not
        raise ApiError(415, "the body's charset is not known") from error
    try:
        return parse_json(text, MAX_DEPTH, strict=True)
    except RecursionError as error:
        raise ValueError("it nests too deep") from error
