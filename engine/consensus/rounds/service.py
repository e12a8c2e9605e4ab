"""The service of consensus: starts rounds as jobs, keeps them, resumes them, verifies them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.chain.session import Chain
from engine.chain.wallet import Wallet
from engine.consensus.errors import ConsensusError
from engine.consensus.rounds.play import RoundPlay, Seats, ServiceParts, hosted
from engine.consensus.rounds.records import CHAINS, NewRound, Records, RoundRecord
from engine.consensus.rounds.run import ConsensusRun, check_behaviour
from engine.consensus.specs import AgentSpec, RunSpec
from engine.core.bus import EventBus
from engine.core.errors import EngineError
from engine.core.handles import Handles
from engine.core.jobs import Jobs
from engine.store.database import Store
from engine.store.ledger import LOCAL_BOOK

if TYPE_CHECKING:
    from engine.consensus.onchain.verification import Verification

__all__ = ["AgentRow", "AgentSpec", "ConsensusRun", "ConsensusService", "RoundRecord", "RunSpec"]


@dataclass(frozen=True, slots=True)
class AgentRow:
    """An agent with an account. Stake in wei, what was slashed gone; None without a chain."""

    name: str
    address: str
    strategy: str
    stake: int | None = None
    reputation: int | None = None
    registered: bool | None = None
    banned: bool | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form; wei are text."""
        return {**asdict(self), "stake": None if self.stake is None else str(self.stake)}


class ConsensusService:
    """Rounds of one data directory. ``connect`` gives the chain, or raises EngineError where there is none.

    ``seats`` brings the participants of a round to life; by default their models run in a process of their own.
    ``folder`` is where the nodes of cross-chain rounds keep their state.
    """

    def __init__(
        self,
        store: Store,
        bus: EventBus,
        jobs: Jobs,
        wallet: Wallet,
        connect: Callable[[], Awaitable[Chain]],
        folder: Path,
        *,
        seats: Seats = hosted,
    ) -> None:
        self._parts = ServiceParts(store, bus, jobs, wallet, connect, seats, folder)
        self._records = Records(store, wallet.address)
        self._runs: Handles[ConsensusRun] = Handles()
        self._turn = asyncio.Lock()

    async def start(self, spec: RunSpec) -> ConsensusRun:
        """Start a round as a job. Raises ConsensusError for a spec that cannot be run, EngineError without a chain."""
        for agent in spec.agents:
            check_behaviour(agent.behaviour)
        chain = await self._chain_of(spec)
        place = CHAINS if spec.uses_chain and spec.task.chains else LOCAL_BOOK
        record = self._records.create(NewRound(spec.task, spec.config, spec.agents, place), spec.task.hash)
        return await self._begin(record.run_id, spec, chain)

    async def resume(self, run_id: int) -> ConsensusRun:
        """Go on with a round that is not over, as a job. Raises UsageError, ConsensusError, or EngineError."""
        record = self._records.get(run_id)
        running = self._runs.get(run_id)
        if running is not None and not running.done:
            raise ConsensusError(f"The round {run_id} is running")
        if not record.resumable:
            raise ConsensusError(f"The round {run_id} is over", record.message or "it has a result")
        spec = RunSpec(record.task, record.agents, record.config, on_chain=record.on_chain)
        return await self._begin(run_id, spec, await self._chain_of(spec))

    async def verify(self, task_hash: str) -> Verification:
        """Recompute a round from what the chain recorded and compare all there is.

        ``task_hash`` are hex digits, or the first of them. Raises VerificationError for an unknown one.
        """
        from engine.consensus.onchain.verification import verify

        return await verify(task_hash, self._records, self._parts)

    def runs(self) -> list[RoundRecord]:
        """Return the rounds that are kept, newest first."""
        return self._records.all()

    def run(self, run_id: int) -> ConsensusRun | None:
        """Return the handle of a round of this program; of those that are over only the newest are kept."""
        return self._runs.get(run_id)

    async def agents(self) -> list[AgentRow]:
        """Return the agents that have accounts; stake and reputation are of the chain, where there is one."""
        strategies: dict[str, str] = {}
        for record in reversed(self._records.all()):
            strategies |= {agent.name: agent.config.strategy_type for agent in record.agents}
        rows = [AgentRow(a.name, a.address, strategies.get(a.name, "")) for a in self._records.accounts()]
        try:
            chain = await self._parts.connect() if rows else None
            return rows if chain is None else list(await asyncio.gather(*(_beside(row, chain) for row in rows)))
        except EngineError:
            return rows

    def number_of(self, address: str) -> int | None:
        """Return the wallet's account number of an agent, None for another address."""
        return self._records.number_of(address)

    async def close(self) -> None:
        """Cancel the rounds that run, and wait for them."""
        running = self._runs.working()
        for run in running:
            run.cancel()
        await asyncio.gather(*(run.result() for run in running), return_exceptions=True)

    async def _chain_of(self, spec: RunSpec) -> Chain | None:
        """Return the chain of a round on one."""
        return await self._parts.connect() if spec.uses_chain and not spec.task.chains else None

    async def _begin(self, run_id: int, spec: RunSpec, chain: Chain | None) -> ConsensusRun:
        run = ConsensusRun(run_id, spec, spec.task.hash)
        phase = None
        if chain is not None:
            from engine.consensus.onchain.phase import OnChainPhase

            phase = OnChainPhase(
                chain,
                self._parts.store,
                spec.config,
                lambda step: play.stepped(step),
                run_id=run_id,
                turn=self._turn,
            )
            run.task_hash = await phase.reserve(spec.task)
        play = RoundPlay(self._parts, self._records, run, phase)
        self._runs.put(run_id, run)
        run.begin(self._parts.jobs, lambda _, job: play.play(job))
        return run


async def _beside(row: AgentRow, chain: Chain) -> AgentRow:
    from dataclasses import replace

    kept, held = await asyncio.gather(chain.consensus.agent_of(row.address), chain.vault.account_of(row.address))
    known = kept.registered_at != 0
    return replace(
        row,
        stake=held.active,
        reputation=kept.reputation if known or kept.banned else None,
        registered=kept.active,
        banned=kept.banned,
    )
