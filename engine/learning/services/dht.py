"""The DHT's peers over HTTP: ``GET /dht/peers``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from aiohttp import web

from engine.learning.services.http import Handler
from engine.learning.services.view import ChainView


def routes_of(view: ChainView) -> Mapping[tuple[str, str], Handler]:
    """Return the handlers by method and path."""

    async def peers(_: web.Request) -> web.StreamResponse:
        known = view.peers()
        up = sum(peer.up for peer in known)
        return web.json_response({"count": len(known), "up": up, "peers": [asdict(peer) for peer in known]})

    return {("GET", "/dht/peers"): peers}


def error_form(status: int, message: str) -> dict[str, Any]:
    """Return the form of an error."""
    return {"error": message, "status": status}
