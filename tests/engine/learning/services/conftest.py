"""A small chain, and the services over it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import aiohttp
import pytest

from engine.learning.env import Ports
from engine.learning.services import Services
from engine.learning.services.jwt import make_token
from tests.engine.learning.services.small_chain import NOW, SECRET, Chain, Client


@pytest.fixture(scope="session")
def chain() -> Chain:
    """Ten blocks, none of them final yet; it is only read."""
    made = Chain()
    made.extend(10)
    return made


@pytest.fixture(scope="session")
def long_chain() -> Chain:
    """Five epochs, of which the earlier ones are final; it is only read."""
    made = Chain(validators=8)  # one a slot
    made.extend(40)
    return made


@pytest.fixture
def serving() -> Callable[[Chain], AbstractAsyncContextManager[Client]]:
    """Return a context in which a chain is served on free ports."""

    @asynccontextmanager
    async def serve(chain: Chain) -> AsyncIterator[Client]:
        services = Services(chain.view, Ports.automatic(), SECRET, now=lambda: NOW)
        async with services, aiohttp.ClientSession() as session:
            yield Client(services, session, make_token(SECRET, NOW))

    return serve
