"""A node through web3, for what programs of one's own want of it. Nothing has to be closed.

Imported when it is asked for: web3 takes a second to import.
"""

from __future__ import annotations

from typing import Any

from aiohttp import ClientSession, TCPConnector
from web3 import AsyncHTTPProvider, AsyncWeb3
from web3._utils.http_session_manager import HTTPSessionManager


class _SessionEach(HTTPSessionManager):
    """Opens a session for each request: who forgets to disconnect leaves none open."""

    async def async_make_post_request(self, endpoint_uri: Any, data: Any, **settings: Any) -> bytes:
        """Return what a request is answered with."""
        async with ClientSession(raise_for_status=True, connector=TCPConnector(force_close=True)) as session:
            async with session.post(endpoint_uri, data=data, **settings) as answer:
                return await answer.read()


def web3_of(url: str) -> AsyncWeb3[AsyncHTTPProvider]:
    """Return web3 on a node."""
    provider = AsyncHTTPProvider(url)
    provider._request_session_manager = _SessionEach()
    return AsyncWeb3(provider)
