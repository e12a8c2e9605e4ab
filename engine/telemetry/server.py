"""The HTTP service: metrics for Prometheus, events over a WebSocket, and a small JSON interface."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import WSCloseCode, web

from engine.core.access import Access
from engine.core.bus import EventBus
from engine.core.errors import EngineError, UsageError, VerificationError
from engine.core.hashing import parse_json
from engine.telemetry.doors import Doors
from engine.telemetry.hub import LIMIT, Hub
from engine.telemetry.limits import RATE, RateLimit
from engine.telemetry.metrics import CONTENT_TYPE, Metrics
from engine.telemetry.talk import CLOSE_S, Talk, part

MAX_BODY = 1 << 20  # bytes of a request
BODY_S = 30.0  # for it to come
KEEP_S = 30.0  # that a connection stays between two requests
Answer = Callable[[Any], Awaitable[Any]]  # a JSON-ready value for the request's: path parts and the body
Routes = dict[tuple[str, str], Answer]
_log = logging.getLogger(__name__)


class TelemetryServer:
    """Serves one runtime; an async context manager, ``url`` says where it listens.

    ``routes`` adds JSON answers by method and path; they get a dict of path parts, with the body under ``body``.
    ``rate`` is how many requests a second one client may make for long.
    """

    def __init__(self, bus: EventBus, access: Access, routes: Routes | None = None, rate: float = RATE) -> None:
        self.metrics = Metrics(bus)
        self._hub = Hub(bus, self.metrics)
        self._limit = RateLimit(rate)
        self._access = access
        self._routes = routes or {}
        self._sockets: set[web.WebSocketResponse] = set()
        self._runner: web.AppRunner | None = None
        self._doors = Doors(lambda: getattr(self._runner and self._runner.server, "connections", ()))
        self.url = ""

    async def start(self, host: str, port: int) -> None:
        """Listen. Port 0 takes a free one. Raises EngineError when the port is taken or not allowed."""
        app = web.Application(client_max_size=MAX_BODY, middlewares=[self._guard])
        app.router.add_get("/", self._index)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/ws", self._websocket)
        for (method, path), answer in self._routes.items():
            app.router.add_route(method, path, _json_handler(answer))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=CLOSE_S, keepalive_timeout=KEEP_S)
        await self._runner.setup()
        self._doors.start()
        try:
            await web.TCPSite(self._runner, host, port).start()
        except OSError as error:
            await self.close()
            raise _why_not(host, port, error) from error
        bound = self._runner.addresses[0]
        name = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
        self.url = f"http://{name}:{bound[1]}"

    async def close(self) -> None:
        """Say goodbye to all clients and stop listening."""
        self._hub.close()
        self.metrics.close()
        await self._doors.close()
        goodbyes = [part(socket, WSCloseCode.GOING_AWAY, "the service ends") for socket in tuple(self._sockets)]
        await asyncio.gather(*goodbyes)  # together: none may answer
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def __aenter__(self) -> TelemetryServer:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
        self._doors.asked(request.protocol)
        headers, origin = request.headers, request.headers.get("Origin")
        # Strangers first, and they cost nobody's rate: the operator's own programs come from the same address.
        why = self._access.stranger(request.host, origin, headers.get("Sec-Fetch-Site"))
        if why:
            return self._refuse("origin", 403, "Forbidden", "The service refuses", why)
        wait = self._limit.wait(request.remote)
        if wait:
            answer = self._refuse("rate", 429, "TooManyRequests", "Too many requests", f"try again in {wait} s")
            answer.headers["Retry-After"] = str(wait)
            return answer
        allowed, why = self._access.allows(
            request.host, origin, headers.get("Authorization"), request.query.get("token")
        )
        if not allowed:
            self._limit.fine(request.remote)
            return self._refuse("token", 401, "Forbidden", "The service refuses", why)
        response: web.StreamResponse = await handler(request)
        return response

    def _refuse(self, reason: str, status: int, error: str, what: str, why: str) -> web.Response:
        self.metrics.requests_refused.labels(reason).inc()
        return web.json_response({"error": error, "what": what, "why": why}, status=status)

    async def _index(self, request: web.Request) -> web.Response:
        paths = ["GET /metrics", "GET /ws?events=PREFIX", *(" ".join(route) for route in self._routes)]
        return web.json_response({"program": "nashboard", "paths": sorted(paths)})

    async def _metrics(self, request: web.Request) -> web.Response:
        return web.Response(body=self.metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        if self._hub.full:
            return self._refuse("full", 503, "Busy", "There are too many clients", f"{LIMIT} are taken")
        client = self._hub.join(request.query.get("events", "consensus_update"))
        talk = Talk(request, client)
        self._sockets.add(talk.socket)
        try:
            return await talk.run()
        finally:
            self._hub.leave(client)
            self._sockets.discard(talk.socket)


def _json_handler(answer: Answer) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        try:
            value = dict(request.match_info)
            if request.method == "POST":
                value["body"] = await _body(request)
            return web.json_response(await answer(value))
        except EngineError as error:
            return web.json_response(error.to_json(), status=_status_of(error))
        except Exception as error:
            _log.exception("a request failed: %s %s", request.method, request.path)
            return web.json_response({"error": "Bug", "what": repr(error)}, status=500)

    return handle


async def _body(request: web.Request) -> Any:
    if request.content_type != "application/json":  # a form of a page elsewhere cannot have this type
        raise UsageError("The request's body must be JSON", f"its type is {request.content_type}")
    try:
        async with asyncio.timeout(BODY_S):
            text = await request.text()
        return parse_json(text, strict=True)
    except TimeoutError as error:
        raise UsageError("The request's body did not come", f"it may take {BODY_S:g} s") from error
    except web.HTTPRequestEntityTooLarge as error:
        raise UsageError("The request's body is too large", f"it may have {MAX_BODY} bytes") from error
    except (ValueError, RecursionError, LookupError) as error:  # LookupError: a charset that there is not
        raise UsageError("The request's body is no JSON", str(error)) from error


def _status_of(error: EngineError) -> int:
    if isinstance(error, UsageError):
        return 400
    return 409 if isinstance(error, VerificationError) else 422


def _why_not(host: str, port: int, error: OSError) -> EngineError:
    why = error.strerror or repr(error)
    if error.errno == errno.EADDRINUSE:
        return EngineError(
            f"The port {port} is taken", f"another program listens there ({host})", "Choose another --port."
        )
    if error.errno == errno.EACCES:
        return EngineError(
            f"The port {port} may not be used", why, "Ports below 1024 need rights; choose a higher one."
        )
    return EngineError(f"Listening on {host}:{port} is not possible", why, "Check the address.")
