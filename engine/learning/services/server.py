"""Opens and closes the services of a run, each on its port."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from engine.chain import busy
from engine.learning.env import Ports
from engine.learning.errors import LearnPortError
from engine.learning.services import beacon, dht, eth, jsonrpc, jwt
from engine.learning.services.engine import EngineApi
from engine.learning.services.http import CLOSE_S, HOST, Handler, application
from engine.learning.services.view import ChainView


@dataclass(frozen=True, slots=True)
class Address:
    """Where a service listens; ``setting`` is the port's name in the ``.env``."""

    name: str
    setting: str
    url: str


class Services:
    """The four services of one view; an async context manager.

    ``ports`` by field or by the names of the ``.env``, 0 for any that is free. ``jwt`` is the secret of the engine API,
    or the file that holds it (made where it is missing). Raises LearnPortError naming every port that is taken.
    """

    def __init__(
        self,
        view: ChainView,
        ports: Ports | Mapping[str, int],
        jwt_secret: bytes | Path,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._ports = ports if isinstance(ports, Ports) else Ports.of(ports)
        self._secret = jwt.read_secret(jwt_secret) if isinstance(jwt_secret, Path) else jwt_secret
        self._now = now
        self._engine = EngineApi(view)
        self._view = view
        self._runners: list[web.AppRunner] = []
        self.listening: tuple[Address, ...] = ()

    @property
    def addresses(self) -> dict[str, str]:
        """URLs by the services' names."""
        return {address.name: address.url for address in self.listening}

    async def __aenter__(self) -> Services:
        try:
            await self._open()
        except BaseException:  # cancelled on the way, too: nobody would close what is open
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Stop listening and end what is being mined."""
        await self._engine.close()
        runners, self._runners = self._runners, []
        for runner in runners:
            await runner.cleanup()
        self.listening = ()

    async def _open(self) -> None:
        failed: list[tuple[str, int, OSError]] = []
        for name, setting, port, app in self._applications():
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=CLOSE_S, lingering_time=CLOSE_S)
            self._runners.append(runner)
            await runner.setup()
            try:
                await web.TCPSite(runner, HOST, port).start()
            except OSError as error:
                failed.append((setting, port, error))
                continue
            url = f"http://{HOST}:{runner.addresses[0][1]}"
            self.listening = (*self.listening, Address(name, setting, url))
        if failed:
            raise await _why_not(failed, self._ports)

    def _applications(self) -> list[tuple[str, str, int, web.Application]]:
        view, ports = self._view, self._ports
        engine = _authorised(jsonrpc.handler_of(self._engine.methods()), self._secret, self._now)
        calls = {("POST", "/"): jsonrpc.handler_of(eth.methods_of(view))}
        return [
            ("beacon", "PRYSM_REST_PORT", ports.prysm_rest, application(beacon.routes_of(view), beacon.error_form)),
            ("eth", "GETH_HTTP_PORT", ports.geth_http, application(calls, jsonrpc.error_form)),
            ("engine", "AI_ENGINE_PORT", ports.ai_engine, application({("POST", "/"): engine}, jsonrpc.error_form)),
            ("dht", "DHT_PORT", ports.dht, application(dht.routes_of(view), dht.error_form)),
        ]


def _authorised(handler: Handler, secret: bytes, now: Callable[[], float]) -> Handler:
    """Return a handler that lets only requests with a fresh token of the secret through."""

    async def handle(request: web.Request) -> web.StreamResponse:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        why = "there is none" if scheme.lower() != "bearer" else jwt.refusal(token.strip(), secret, now())
        if why:
            form = jsonrpc.error_form(401, f"the request needs a token of jwt.hex: {why}")
            return web.json_response(form, status=401, headers={"WWW-Authenticate": "Bearer"})
        return await handler(request)

    return handle


async def _why_not(failed: list[tuple[str, int, OSError]], ports: Ports) -> LearnPortError:
    """Return the error that names who has each port, and which free one its setting could have."""
    reserved = {getattr(ports, name) for name in Ports.__slots__}
    causes, remedies, facts = [], [], []
    for setting, port, error in failed:
        if error.errno == errno.EADDRINUSE:
            who = await busy.occupant(port)
            causes.append(f"{who} listens on {port} ({setting})")
        else:
            who = ""
            causes.append(f"{port} ({setting}) may not be used: {error.strerror or error!r}")
        free = next((one for one in busy.alternatives(port, 16) if one not in reserved), 0)
        reserved.add(free)
        remedies.append(f"{setting}={free or 'auto'}")
        facts.append({"port": port, "setting": setting, "occupant": who, "free": free})
    taken = " and ".join(str(port) for _, port, _ in failed)
    what = f"The port {taken} is taken" if len(failed) == 1 else f"The ports {taken} are taken"
    hint = f"Set {', '.join(remedies)}, or auto for any free port, or end the other program."
    return LearnPortError(what, "; ".join(causes), hint, ports=facts)
