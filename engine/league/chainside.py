"""Where a round stands on chain: its deployment, its anchor, and bringing its transactions to their end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from engine.chain.session import Chain
from engine.league.accounts import Book
from engine.league.errors import LeagueError
from engine.league.history import History, RoundRow
from engine.league.results import Anchor
from engine.league.schedule import league_round_id
from engine.league.settlement import commitment_id
from engine.store.database import Store
from engine.store.outbox import OutboxRow


class ChainSide:
    """The chain's part of rounds. ``connect`` gives the running, deployed chain."""

    def __init__(self, store: Store, history: History, connect: Callable[[], Awaitable[Chain]]) -> None:
        self._store = store
        self._history = history
        self.connect = connect
        self.repair: Callable[[Chain], Awaitable[None]] | None = None  # disputes', after the chain forgot parts of them

    async def of(self, row: RoundRow) -> Chain | None:
        """Return the chain that the round's book stands on, None for the local book.

        Raises LeagueError when the running chain is another one.
        """
        if not Book(row.book).on_chain:
            return None
        chain = await self.connect()
        if chain.book != row.book:
            raise LeagueError(
                "The round belongs to another deployment",
                f"its book is {row.book}, the running chain's is {chain.book}",
                "Start the devnet whose state holds that deployment.",
            )
        return chain

    async def drain(self, chain: Chain, row: RoundRow) -> None:
        """Bring the outbox to the chain. What the chain refused, of this round or an earlier one, is tried once more.

        A chain that came back from an older state may have lost the time that had passed, and with it the end of the
        challenge windows of rounds that were settled. A refused transaction had no effect, so trying it again pays
        nobody twice. Raises LeagueError when the chain refuses one of this round again.
        """
        await chain.drain()
        if self.repair is not None:
            await self.repair(chain)
        # Not those of disputes: they are sent again by who goes on with the dispute, if they still make sense.
        disputes = f"{row.book}:dispute:"
        refused = [item for item in self._store.outbox.failed(f"{row.book}:") if not item.tx.key.startswith(disputes)]
        if refused:
            await self._pass_windows(chain, refused)
            with self._store.transaction():
                for item in refused:
                    self._store.outbox.requeue(item.tx.key)
            await chain.drain()
        refused = self._store.outbox.failed(f"{row.book}:{row.round_id}:")
        if refused:
            raise LeagueError(f"The chain refused to {refused[0].tx.purpose}", refused[0].error, "See the Devnet page.")

    def anchor(self, row: RoundRow) -> Anchor | None:
        """Return where the round's root stands, None while it does not."""
        if not Book(row.book).on_chain:
            return None
        sent = self._store.outbox.get(f"{row.book}:{row.round_id}:post")
        if sent is None or row.root is None or sent.state != "mined":
            return None
        identity = commitment_id(sent.tx.account, _league_id(row))
        return Anchor(row.root, sent.hash, sent.block, identity.hex(), sent.tx.to)

    def state(self, row: RoundRow) -> str:
        """Return the row's state, with ``anchored`` as the chain's word on a played round."""
        return "anchored" if row.state == "played" and self.anchor(row) is not None else row.state

    async def _pass_windows(self, chain: Chain, refused: list[OutboxRow]) -> None:
        for settled in self._history.rounds():
            prefix = f"{settled.book}:{settled.round_id}:"
            if settled.state == "settled" and any(item.tx.key.startswith(prefix) for item in refused):
                await chain.pass_window(commitment_id(chain.operator, _league_id(settled)))


def _league_id(row: RoundRow) -> bytes:
    return league_round_id(row.name, row.number, row.config["seed"])
