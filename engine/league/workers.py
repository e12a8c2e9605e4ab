"""The league's worker processes: started when first needed, kept between rounds, replaced when one dies."""

from __future__ import annotations

import asyncio
from concurrent.futures import ProcessPoolExecutor

from engine.core.process import worker_pool


class Workers:
    """Owns at most one pool; ``close`` ends its processes."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self.size = 1

    def pool(self, size: int) -> ProcessPoolExecutor:
        """Return a pool of ``size`` processes."""
        if self._pool is None or self.size != size:
            self.drop()
            self._pool, self.size = worker_pool(size), size
        return self._pool

    def drop(self) -> None:
        """Let the pool go, after a worker of it died or when its size is wrong; what it still plays is lost."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    async def close(self) -> None:
        """End the processes and wait for them, off the loop."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        processes = list((pool._processes or {}).values())
        for process in processes:
            process.terminate()
        await asyncio.to_thread(pool.shutdown, True, cancel_futures=True)
