"""Transactions of one learning chain through the outbox: each is written once, sent once, and its fate is told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count

from engine.chain.bindings import Call
from engine.chain.session import Chain
from engine.learning.errors import LearningError
from engine.store.database import Store
from engine.store.outbox import OutboxRow, OutboxTx

_ATTEMPTS = 2  # in a call: a step that was refused may be right as things are after that


class StakingError(LearningError):
    """The staking contract refuses a step, or cannot be asked for it."""


@dataclass(frozen=True, slots=True)
class Step:
    """A transaction to be: who sends which call, and what it is for."""

    account: str
    call: Call
    purpose: str


class Desk:
    """Writes steps under keys of one chain. ``prefix`` tells this chain's rows from all others in the outbox."""

    def __init__(self, chain: Chain, store: Store, prefix: str) -> None:
        self._chain = chain
        self._store = store
        self._prefix = prefix

    def row(self, key: str) -> OutboxRow | None:
        """Return the last attempt at a step, None where there was none."""
        found = self._store.outbox.get(self._key(key, attempt := self._refused(key)))
        return found if found is not None or not attempt else self._store.outbox.get(self._key(key, attempt - 1))

    def write(self, steps: dict[str, Step]) -> None:
        """Write steps that are not written yet, all together; what was refused is written again."""
        with self._store.transaction():
            for key, step in steps.items():
                self._enqueue(key, step, self._refused(key))

    async def settle(self, keys: list[str]) -> list[OutboxRow]:
        """Bring steps to their ends. Raises StakingError with the first refusal; RpcError: nothing is lost."""
        await self._chain.drain()
        rows = [row for key in keys if (row := self.row(key)) is not None]
        for row in rows:
            if row.state == "failed":
                raise self._refusal(row)
        return rows

    async def once(
        self, key: str, build: Callable[[], Awaitable[Step]], done: Callable[[], Awaitable[bool]] | None = None
    ) -> OutboxRow | None:
        """Take a step once, whatever is killed meanwhile; one that was refused is built anew, as things are by then.

        ``done`` tells whether the chain shows its effect already, however that came about; then nothing is sent and
        None is returned where no row of this desk did it.
        """
        row: OutboxRow | None = None
        for _ in range(_ATTEMPTS):
            attempt = self._refused(key)
            if self._store.outbox.get(self._key(key, attempt)) is None:
                if done is not None and await done():
                    return None
                step = await build()
                with self._store.transaction():
                    self._enqueue(key, step, attempt)
            await self._chain.drain()
            row = self._store.outbox.get(self._key(key, attempt))
            if row is not None and row.state == "mined":
                return row
        assert row is not None
        raise self._refusal(row)

    def _refused(self, key: str) -> int:
        """Return how many attempts at a step the contract refused; the next one has this number."""
        return next(n for n in count() if self._store.outbox.state(self._key(key, n)) != "failed")

    def _enqueue(self, key: str, step: Step, attempt: int) -> bool:
        to, data = step.call.to, step.call.data
        row = OutboxTx(self._key(key, attempt), self._chain.book, step.account, to, data, 0, step.purpose)
        return self._store.outbox.enqueue(row)

    def _key(self, key: str, attempt: int) -> str:
        return f"{self._prefix}:{key}" + (f"#{attempt}" if attempt else "")

    @staticmethod
    def _refusal(row: OutboxRow) -> StakingError:
        return StakingError(
            f"The staking contract refuses to {row.tx.purpose}", row.error, "Nothing else is lost: try again later."
        )
