"""The chain over HTTP on the specification's ports: beacon REST, Ethereum and engine JSON-RPC, DHT peers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.learning.services.server import Address, Services

__all__ = ["Address", "Services"]


def __getattr__(name: str) -> Any:
    """Import the HTTP library when it is needed, and not with the forms that a view has."""
    if name in __all__:
        from engine.learning.services import server

        return getattr(server, name)
    raise AttributeError(name)
