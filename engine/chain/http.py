"""The HTTP session under a connection: one a connection, with no lock that a cancelled request could leave taken.

web3's own manager guards its cache of sessions by one lock for the whole process, which a thread takes on behalf of a
coroutine: when that is cancelled meanwhile, the thread takes the lock for nobody, and no request is ever sent again.
Imported when a connection is made, since it imports web3.
"""

from __future__ import annotations

from typing import Any

from aiohttp import ClientSession, TCPConnector
from web3._utils.http_session_manager import HTTPSessionManager


class OneSession(HTTPSessionManager):
    """Gives every request of a connection the same session; ``close`` ends it."""

    def __init__(self) -> None:
        super().__init__(session_pool_max_workers=1)
        self._session: ClientSession | None = None

    async def async_cache_and_return_session(self, *arguments: Any, **settings: Any) -> ClientSession:
        """Return the session, made on the loop of the first request."""
        if self._session is None:
            self._session = ClientSession(raise_for_status=True, connector=TCPConnector(force_close=True))
        return self._session

    async def close(self) -> None:
        """End the session; the next request begins another."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()
