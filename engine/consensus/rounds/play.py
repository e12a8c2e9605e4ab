"""How a round is played: participants brought to life, the protocol run, its events told, its end kept."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.chain.session import Chain, Parts
from engine.chain.wallet import OPERATOR, Wallet
from engine.consensus.errors import ConsensusError
from engine.consensus.events import (
    ConsensusAgentJudged,
    ConsensusChainStep,
    ConsensusEnded,
    ConsensusIterated,
    ConsensusStarted,
)
from engine.consensus.negotiation.voices import Place
from engine.consensus.participants import Participant, Signer
from engine.consensus.results import ChainStep, ConsensusResult, Iteration, Verdict
from engine.consensus.rounds.again import conclude_again
from engine.consensus.rounds.records import CANCELLED, CHAINS, DONE, FAILED, SIGNED, Records, WalletSigner
from engine.consensus.rounds.run import ON_CHAIN, RUNNING, ConsensusRun
from engine.consensus.specs import RunSpec
from engine.core.bus import EventBus
from engine.core.errors import EngineError
from engine.core.hashing import keccak
from engine.core.jobs import JobContext, Jobs
from engine.store.database import Store

if TYPE_CHECKING:
    from engine.consensus.chains.fleet import ChainFleet
    from engine.consensus.onchain.phase import OnChainPhase

FLEET = "fleet"  # folder of the nodes of rounds on several chains
HOST_SHARE = 0.8  # of the time for an answer: so a model that hangs is named, before its agent counts as silent
Seats = Callable[[RunSpec, Mapping[str, Signer]], AbstractAsyncContextManager[Sequence[Participant]]]


@dataclass(frozen=True, slots=True)
class ServiceParts:
    """What the service is built of. ``connect`` gives the chain, or raises EngineError where there is none.

    ``seats`` brings the participants of a round to life. ``folder`` is where the nodes of cross-chain rounds live.
    """

    store: Store
    bus: EventBus
    jobs: Jobs
    wallet: Wallet
    connect: Callable[[], Awaitable[Chain]]
    seats: Seats
    folder: Path

    def session(self, records: Records) -> Parts:
        """Return what a chain beside the program's own is connected with."""

        def number_of(address: str) -> int:
            found = OPERATOR if address == self.wallet.address(OPERATOR) else records.number_of(address)
            if found is None:
                raise ConsensusError("The wallet has no key for an account", address)
            return found

        return Parts(self.store, EventBus(), self.wallet, number_of)


class RoundPlay:
    """One round from its start, or from where it was left, to its end."""

    def __init__(self, parts: ServiceParts, records: Records, run: ConsensusRun, phase: OnChainPhase | None) -> None:
        self._parts = parts
        self._records = records
        self._run = run
        self._phase = phase
        self._last: Iteration | None = None
        self._first_gap = 0.0
        self._verdicts: list[Verdict] = []
        self._began = time.perf_counter()

    async def play(self, job: JobContext) -> ConsensusResult:
        """Play it; whatever happens, its end is kept and told."""
        outcome, message, result = CANCELLED, "It was cancelled.", None
        try:
            result = await (self._finish(job) if self._signed else self._negotiate(job))
            outcome, message = DONE, result.message
            return result
        except EngineError as error:
            if self._run.spec.uses_chain and "resume" not in error.next_step.lower():
                hint = f"Then resume the round: its number is {self._run.run_id}."
                error.next_step = f"{error.next_step} {hint}" if error.next_step else hint
            outcome, message = FAILED, str(error)
            raise
        except Exception as error:
            outcome, message = FAILED, repr(error)
            raise
        finally:
            self._end(outcome, message, result)

    @property
    def _signed(self) -> bool:
        if self._phase is not None:
            return self._phase.resuming
        record = self._records.get(self._run.run_id)
        return record.place == CHAINS and record.phase == SIGNED

    async def _negotiate(self, job: JobContext) -> ConsensusResult:
        from engine.consensus.rounds.protocol import reach_consensus

        spec, run = self._run.spec, self._run
        signers = self._signers()
        self._publish_start(signers)
        async with self._parts.seats(spec, signers) as participants:
            run.enter(RUNNING)
            if self._phase is not None:
                self._phase.model_hashes = await asyncio.to_thread(_model_hashes, spec)
            hooks: dict[str, Any] = {
                "on_iteration": lambda iteration: self._iterated(iteration, job),
                "on_verdict": self._judged,
                "before": run.before,
            }
            agents = run.seat(participants)
            if spec.uses_chain and spec.task.chains:
                return await self._on_chains(agents, hooks)
            result = await reach_consensus(spec.task, agents, spec.config, phase=self._phase, **hooks)
        return result if self._phase is None else self._phase.reconcile(result)

    async def _on_chains(self, agents: Sequence[Participant], hooks: Mapping[str, Any]) -> ConsensusResult:
        """Agree once, and settle that on each of the task's chains."""
        from engine.consensus.chains.cross_chain import reach_on_chains
        from engine.consensus.chains.words import Words

        spec, run = self._run.spec, self._run
        async with self._fleet() as fleet:

            def keep(words: Words) -> Mapping[str, int]:
                kept = {"words": words.to_json(), "behaviours": run.behaviours}
                return self._records.keep_words(run.run_id, kept, fleet.names)

            return await reach_on_chains(
                spec.task,
                agents,
                spec.config,
                fleet,
                self._parts.store,
                keep=keep,
                report=self._stepped_there,
                **hooks,
            )

    def _fleet(self) -> ChainFleet:
        from engine.consensus.chains.fleet import ChainFleet

        parts = self._parts
        return ChainFleet(parts.folder / FLEET, self._run.spec.task.chains, parts.session(self._records))

    async def _finish(self, job: JobContext) -> ConsensusResult:
        """Go on where the positions are signed: nobody is asked again."""
        self._publish_start(self._signers())
        self._run.enter(ON_CHAIN)
        job.progress(0, 0, "on chain")
        if self._phase is None:
            return await self._finish_chains()
        return await conclude_again(self._phase, self._run.spec.task, self._run.spec.config, self._records)

    async def _finish_chains(self) -> ConsensusResult:
        """Go on with each chain from where it is."""
        from engine.consensus.chains.cross_chain import settle_on_chains
        from engine.consensus.chains.words import Words

        spec, signers, kept = self._run.spec, self._signers(), self._records.get(self._run.run_id).progress
        words = Words.from_json(kept["words"])
        for name, behaviour in kept["behaviours"].items():
            self._run.inject(name, behaviour)
        seats = [
            Place(agent.name, agent.config.strategy_type, signers[agent.name], words.proposals[agent.name])
            for agent in spec.agents
            if agent.name in words.proposals
        ]
        voices = words.voices(self._run.seat(seats))
        async with self._fleet() as fleet:
            return await settle_on_chains(
                spec.task, voices, spec.config, fleet, self._parts.store, words, kept["parts"], self._stepped_there
            )

    def _signers(self) -> dict[str, WalletSigner]:
        names = [agent.name for agent in self._run.spec.agents]
        return {name: WalletSigner(self._parts.wallet, self._records.account(name).account) for name in names}

    # Telling -----------------------------------------------------------------------------------------------------

    @property
    def _hash(self) -> str:
        return "0x" + self._run.task_hash.hex()

    def _publish_start(self, signers: Mapping[str, Signer]) -> None:
        spec = self._run.spec
        names = tuple(agent.name for agent in spec.agents)
        self._parts.bus.publish(
            ConsensusStarted(
                run_id=self._run.run_id,
                task_hash=self._hash,
                title=spec.task.title,
                labels=spec.task.labels,
                agents=names,
                addresses=tuple(signers[name].address for name in names),
                strategies=tuple(agent.config.strategy_type for agent in spec.agents),
                on_chain=spec.uses_chain,
            )
        )

    def _iterated(self, iteration: Iteration, job: JobContext) -> None:
        self._first_gap = iteration.gap if self._last is None else self._first_gap
        self._last = iteration
        config = self._run.spec.config
        if self._phase is not None:
            self._phase.progress = self._figures(iteration)
        job.progress(iteration.number, config.max_iterations, f"gap {iteration.gap:.3g}")
        self._parts.bus.publish(
            ConsensusIterated(
                run_id=self._run.run_id,
                task_hash=self._hash,
                iteration=iteration.number,
                agents=iteration.agents,
                positions=_rows(iteration.positions),
                ideals=_rows(iteration.ideals),
                consensus=tuple(iteration.consensus.tolist()),
                gap=iteration.gap,
                converged=iteration.gap <= config.convergence_threshold,
            )
        )

    def _figures(self, iteration: Iteration) -> dict[str, Any]:
        """Return what a resumed round needs to know of the negotiation."""
        verdicts = [asdict(verdict) for verdict in self._verdicts]
        figures = {"iterations": iteration.number, "gap": iteration.gap, "first": self._first_gap}
        return {**figures, "verdicts": verdicts}

    def _judged(self, verdict: Verdict) -> None:
        self._verdicts.append(verdict)
        if self._phase is not None:
            kept = [asdict(verdict) for verdict in self._verdicts]
            self._phase.progress = {**self._phase.progress, "verdicts": kept}
        self._parts.bus.publish(
            ConsensusAgentJudged(
                self._run.run_id, self._hash, verdict.agent, verdict.reason, verdict.iteration, verdict.detail
            )
        )

    def _stepped_there(self, _: str, chain_id: int, step: ChainStep) -> None:
        self.stepped(step, chain_id)

    def stepped(self, step: ChainStep, chain_id: int | None = None) -> None:
        """Tell of a step on chain."""
        if step.phase in ("create", "slash"):
            self._run.enter(ON_CHAIN)
        if chain_id is None:
            chain_id = self._phase.chain_id if self._phase is not None else 0
        self._parts.bus.publish(
            ConsensusChainStep(
                run_id=self._run.run_id,
                task_hash=self._hash,
                chain_id=chain_id,
                phase=step.phase,
                state=step.state,
                txs=step.txs,
                gas=step.gas,
                block=step.block,
                text=step.text,
            )
        )

    def _end(self, outcome: str, message: str, result: ConsensusResult | None) -> None:
        self._run.enter(outcome)
        kept = None if result is None else result.to_json()
        with contextlib.suppress(EngineError):  # a store that cannot be written has raised before
            self._records.end(self._run.run_id, outcome, message, kept)
        chain = None if result is None else result.on_chain
        chains = () if result is None else (result.chains or ((chain,) if chain is not None else ()))
        self._parts.bus.publish(
            ConsensusEnded(
                run_id=self._run.run_id,
                task_hash=self._hash,
                outcome=outcome,
                converged=result is not None and result.converged,
                iterations=self._last.number if self._last is not None else (result.iterations if result else 0),
                gap=result.gap if result is not None else (self._last.gap if self._last is not None else 0.0),
                seconds=time.perf_counter() - self._began,
                equilibrium=() if result is None else tuple(result.equilibrium.tolist()),
                gas_used=sum(each.gas_used for each in chains),
                block=None if chain is None else chain.block,
                message=message,
            )
        )


@contextlib.asynccontextmanager
async def hosted(spec: RunSpec, signers: Mapping[str, Signer]) -> AsyncIterator[Sequence[Participant]]:
    """Bring a round's agents to life in a process of their own."""
    from engine.consensus.agents.host import AgentHost, HostedSpec

    specs = [HostedSpec(agent.name, agent.config, agent.model) for agent in spec.agents]
    patience = HOST_SHARE * spec.config.answer_timeout
    async with AgentHost.start(specs, spec.config.seed, deadline_s=patience) as host:
        yield host.participants(signers)


def _model_hashes(spec: RunSpec) -> dict[str, bytes]:
    """Return what each agent's model is known by: the hash of its file, or of its name."""
    found = {}
    for agent in spec.agents:
        path = Path(agent.model)
        found[agent.name] = keccak(path.read_bytes() if path.is_file() else agent.model.encode())
    return found


def _rows(values: Any) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in values.tolist())
