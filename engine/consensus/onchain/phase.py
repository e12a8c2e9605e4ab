"""The chain's part of a round: agents ready, task created, positions submitted, equilibrium proven and final.

Every step looks at what the contract holds before it sends anything, and sends through the outbox: killed at any point
it goes on, and a chain that lost its last blocks is brought back to where it was.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from engine.chain.neural import CERTIFIED, FINALIZED, NONE, OPEN, VOID, NeuralTask
from engine.chain.session import Chain
from engine.consensus.config import AgentConfig, ConsensusConfig
from engine.consensus.errors import ConsensusError
from engine.consensus.fixed import BYTES, from_fixed
from engine.consensus.messages import Domain, SignedPosition
from engine.consensus.onchain.certificate import Certificate, effective_weights
from engine.consensus.onchain.logs import TaskLog
from engine.consensus.onchain.members import Member, Members
from engine.consensus.onchain.slashes import PURPOSE, Slashes
from engine.consensus.onchain.steps import ChainSteps, ShortOfPositionsError, now
from engine.consensus.onchain.transactions import MINED, step_of, why_refused
from engine.consensus.participants import Participant
from engine.consensus.results import PHASES, ChainStep, ConsensusResult, Equivocation, OnChain, Verdict
from engine.consensus.rounds.records import DONE, SIGNED, NewRound, Records, attempt_hash
from engine.consensus.specs import AgentSpec
from engine.consensus.tasks import Task
from engine.core.errors import VerificationError
from engine.core.hashing import keccak
from engine.store.database import Store

SIGNATURES_HOLD = 30 * 86_400  # seconds: a round may be paused for long, and its window opens after the negotiation
AGREE = 1e-5  # how far floating point and the chain's integers may be apart, relative to the positions
TURNS = 3  # how often the steps are gone through where the chain loses blocks meanwhile
# Errors of a contract that is not where it was looked for, or took the same positions in another order.
_OUT_OF_STEP = ("NotReady", "UnknownTask", "Closed", "CommitmentMismatch")
Report = Callable[[ChainStep], None]


@dataclass(frozen=True, slots=True)
class Opening:
    """What the negotiation needs of the chain. Mappings are by agent, ``names`` by address; see ``Opened``."""

    task_hash: bytes
    domain: Domain
    nonces: Mapping[str, int]
    weights: Mapping[str, int]
    verdicts: tuple[Verdict, ...]
    deadline: int
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Standing:
    """What the contract has of a task: its log, the certificate of that, and the addresses that do not count."""

    log: TaskLog
    certificate: Certificate
    excluded: frozenset[str]


class OnChainPhase:
    """One round on one chain. ``run_id`` is its record, made anew where there is none.

    ``model_hashes`` (32 bytes, by agent) are what agents register with; they may be set until ``open``. ``turn`` lets
    only one round at a time have positions taken: on a development node one round's deadline is passed by moving
    everybody's clock.
    """

    def __init__(
        self,
        chain: Chain,
        store: Store,
        config: ConsensusConfig,
        report: Report = lambda step: None,
        *,
        run_id: int | None = None,
        model_hashes: Mapping[str, bytes] | None = None,
        turn: asyncio.Lock | None = None,
    ) -> None:
        self.chain_id = int(chain.book.split(":", 1)[0])
        self.progress: Mapping[str, Any] = {}
        self.run_id = run_id
        self.task_hash = b""
        self.standing: _Standing | None = None
        self._chain = chain
        self._store = store
        self._config = config
        self._tell = report
        self._slashes = Slashes(chain, store)
        self._records = Records(store, chain.wallet.address)
        self.model_hashes = model_hashes or {}
        self._turn = turn or asyncio.Lock()
        self._ready: dict[str, ChainStep] = {}
        self._slashed: dict[str, int] = {}
        self._names: dict[str, str] = {}

    # Opening -----------------------------------------------------------------------------------------------------

    async def reserve(self, task: Task, agents: Sequence[AgentSpec] = ()) -> bytes:
        """Return the hash of this round: a new one, or that of its signed positions where it goes on."""
        if self.task_hash:
            return self.task_hash
        if self.run_id is None:
            new = NewRound(task, self._config, tuple(agents), part=True)
            self.run_id = self._records.create(new, task.hash).run_id
        if self.resuming:
            self.task_hash = self._records.get(self.run_id).task_hash
            return self.task_hash
        attempt = self._records.claimed(self._chain.book, task.hash)
        while True:
            found = attempt_hash(task.hash, attempt)
            free = (await self._chain.consensus.task_of(found)).status == NONE
            if free and self._records.claim(self.run_id, self._chain.book, found):
                self.task_hash = found
                return found
            attempt += 1

    @property
    def resuming(self) -> bool:
        """Whether the positions are signed already, so that nobody is asked any more; it may even be over."""
        if self.run_id is None:
            return False
        record = self._records.get(self.run_id)
        return record.phase in (SIGNED, DONE) and record.place == self._chain.book

    async def open(self, task: Task, participants: Sequence[Participant]) -> Opening:
        """Get agents ready: staked and registered. Raises ConsensusError, RpcError, WrongChainError."""
        await self._chain.drain()
        await self._slashes.catch_up()
        await self.reserve(task, [_spec(participant) for participant in participants])
        members = [self._member(participant) for participant in participants]
        desk = Members(self._chain, self._store, self._report)
        agents, verdicts = await desk.admit(members, own=not self._config.gas_optimization)
        return Opening(
            task_hash=self.task_hash,
            domain=self._domain,
            nonces={name: agent.nonce for name, agent in agents.items()},
            weights={name: max(1, agent.reputation) for name, agent in agents.items()},
            verdicts=tuple(verdicts),
            deadline=await now(self._chain) + self._config.submission_window + SIGNATURES_HOLD,
            names={member.address: member.name for member in members},
        )

    def reopened(self) -> tuple[Opening, list[SignedPosition]]:
        """Return the opening and the signed positions of a round that goes on."""
        assert self.run_id is not None
        record, kept = self._records.get(self.run_id), self._records.signed(self.run_id)
        opening = Opening(
            task_hash=record.task_hash,
            domain=self._domain,
            nonces={name: signed.message.nonce for name, _, signed in kept},
            weights={name: weight for name, weight, _ in kept},
            verdicts=(),
            deadline=record.deadline,
            names={signed.message.agent: name for name, _, signed in kept},
        )
        self.task_hash, self.progress = record.task_hash, record.progress
        for step in record.progress.get("ready", ()):  # what was spent before the program ended
            self._ready[step["phase"]] = ChainStep(**{**step, "txs": tuple(step["txs"])})
        return opening, [signed for _, _, signed in kept]

    # Concluding --------------------------------------------------------------------------------------------------

    async def conclude(self, opening: Opening, signed: Sequence[SignedPosition]) -> OnChain:
        """Submit signed positions, prove their equilibrium, make it final, and read it back.

        Raises ConsensusError where the task cannot come to an end (then ``resume`` negotiates anew), VerificationError
        where the chain holds another result, RpcError and WrongChainError; nothing is lost by those.
        """
        names = self._names = dict(opening.names)
        if not self.resuming and self.run_id is not None:
            kept = [(names[item.message.agent], opening.weights[names[item.message.agent]], item) for item in signed]
            ready = [step.to_json() for step in self._ready.values()]
            self._records.keep_signed(self.run_id, opening.deadline, kept, {**self.progress, "ready": ready})
        async with self._turn if self._chain.control is not None else contextlib.nullcontext():
            for _ in range(TURNS):
                standing = await self._go_through_once(opening, signed)
                if standing is None:
                    continue
                result, final = await self._chain.consensus.result_of(self.task_hash)
                if final:
                    held = self._held(opening, signed, standing, result)
                    if self.run_id is not None and self._records.get(self.run_id).part:
                        self._records.end(self.run_id, DONE)
                    return held
        raise ConsensusError("The chain keeps losing its blocks", "the result is not final yet", "Resume the round.")

    async def convict(self, evidence: Equivocation) -> dict[str, int]:
        """Have an equivocator slashed; return what it lost, in wei by agent. Once only, however often it is called."""
        address = evidence.first.message.agent
        self._report(ChainStep("slash", "running", text=f"evidence against {evidence.agent}"))
        first, second = evidence.first, evidence.second
        call = self._chain.consensus.prove_equivocation(
            first.message.values(), first.signature, second.message.values(), second.signature
        )
        txs, key = self._steps_of_task().txs, f"slash:{address}"
        with self._store.transaction():
            if self.run_id is not None:
                self._records.keep_evidence(self.run_id, evidence)
            if not txs.add(key, self._chain.operator, call, PURPOSE):
                txs.again(key)
        (row,) = await txs.settle(key)
        why = why_refused([row])
        if why and "AlreadyProven" not in why:
            self._report(ChainStep("slash", "failed", text=why))
            raise ConsensusError(f"{evidence.agent} could not be slashed", why)
        wei = 0 if why else await self._slashes.book(row)
        self._slashed[evidence.agent] = wei
        self._report(step_of("slash", txs.rows("slash:"), f"{evidence.agent} lost {wei / 10**18:g} ETH"))
        return {evidence.agent: wei}

    async def _go_through_once(self, opening: Opening, signed: Sequence[SignedPosition]) -> _Standing | None:
        """Do what is left; None where the contract is at another step than it was: blocks were lost, so look again."""
        try:
            return await self._go_through(opening, signed)
        except ConsensusError as error:
            if isinstance(error, ShortOfPositionsError) or not any(name in error.why for name in _OUT_OF_STEP):
                raise
            return None

    async def _go_through(self, opening: Opening, signed: Sequence[SignedPosition]) -> _Standing | None:
        """Do what is left of the steps; return what the contract has then, None where it lost the task meanwhile."""
        steps = self._steps_of_task()
        await self._chain.drain()
        task = await steps.task()
        if task.status == NONE:
            await steps.create(len(signed[0].packed) // BYTES, len(opening.nonces), len(signed))
            task = await steps.task()
        while task.status == OPEN and await now(self._chain) < task.deadline:
            taken = await steps.submit(signed)
            await steps.wait(task, taken)  # until then anybody may join
            task = await steps.task()
        if task.status == NONE:
            return None
        log = await steps.log()
        excluded = await steps.excluded(log.taken)
        counted = len(log.taken) - len(excluded)
        if task.status == VOID or (task.status == OPEN and counted < task.min_agents):
            await self._fall_short(steps, task, log, counted)
        certificate = steps.certificate(task, log.taken, excluded)
        if (await steps.task()).status == OPEN:
            await steps.prove(task, log.taken, certificate, excluded)
        if (await steps.task()).status == CERTIFIED:
            await steps.finalize(certificate, CERTIFIED)
        if (await steps.task()).status == FINALIZED:
            await steps.credit(task, log.taken)
        return _Standing(log, certificate, excluded)

    async def _fall_short(self, steps: ChainSteps, task: NeuralTask, log: TaskLog, counted: int) -> None:
        why = next(iter(log.rejected.values()), "") or why_refused(steps.txs.rows("submit:"))
        try:
            await steps.fall_short(task, counted, why)
        except ShortOfPositionsError:
            if self.run_id is not None:
                self._records.give_up(self.run_id)
            raise

    def _held(
        self,
        opening: Opening,
        signed: Sequence[SignedPosition],
        standing: _Standing,
        result: tuple[int, ...],
    ) -> OnChain:
        """Return what the chain holds, once it is what was computed here. Raises VerificationError."""
        expected = standing.certificate.consensus
        if result != expected:
            places = [place for place, pair in enumerate(zip(result, expected, strict=False)) if pair[0] != pair[1]]
            raise VerificationError(
                "The chain holds another result than was computed",
                f"they differ in {len(places)} coordinates" if places else "their lengths differ",
                f"Look at it by `nashboard consensus verify 0x{self.task_hash.hex()}`.",
                task_hash="0x" + self.task_hash.hex(),
                chain=list(result),
                computed=list(expected),
            )
        self.standing = standing
        rows = self._steps_of_task().txs.rows("finalize:")
        final = next((row for row in reversed(rows) if row.state == MINED), None)
        done = tuple(self._done())
        return OnChain(
            chain_id=self.chain_id,
            contract=self._chain.consensus.address,
            task_hash=self.task_hash,
            tx=(final.hash or "") if final is not None else "",
            block=final.block or 0 if final is not None else max(standing.log.blocks, default=0),
            gas_used=sum(step.gas for step in done),
            equilibrium=from_fixed(result),
            certified=True,
            steps=done,
            slashed_wei=dict(self._slashed),
            verdicts=tuple(self._verdicts(opening, signed, standing)),
        )

    def _verdicts(self, opening: Opening, signed: Sequence[SignedPosition], standing: _Standing) -> list[Verdict]:
        """Return on whose positions the result does not build, and why."""
        taken = {item.agent for item in standing.log.taken}
        txs, found = self._steps_of_task().txs, []
        for item in signed:
            address = item.message.agent
            name = opening.names[address]
            if address in standing.excluded:
                found.append(Verdict(name, "equivocation", 0, "somebody proved it on the chain"))
            elif address not in taken:
                why = standing.log.rejected.get(address) or why_refused(txs.rows(f"submit:{address}"))
                found.append(Verdict(name, "not accepted", 0, why or "it came too late"))
        return found

    def reconcile(self, result: ConsensusResult) -> ConsensusResult:
        """Return the result with what only the chain knows: weights that changed since, agents that came alone.

        Raises VerificationError where it differs from the chain's although it builds on the same positions.
        """
        if self.standing is None or result.on_chain is None:
            return result
        taken = [item for item in self.standing.log.taken if item.agent not in self.standing.excluded]
        voices = sorted(zip(result.agents, result.weights.tolist(), strict=True))
        weights = effective_weights([item.weight for item in taken])
        names = {self._name(item.agent): float(weight) for item, weight in zip(taken, weights, strict=True)}
        if voices == sorted(names.items()):
            self._require_same(result)
            return result
        strangers = len(set(names) - set(result.agents))
        says = (
            f"The chain counts {strangers} agents more than negotiated." if strangers else "Reputations have changed."
        )
        middle = result.on_chain.equilibrium
        own = np.array([names[name] for name in result.agents])
        kappa = self._config.coupling * sum(weights)
        share = (result.confidences / (result.confidences + kappa))[:, None]
        return replace(
            result,
            equilibrium=middle,
            weights=own,
            positions=middle + share * (result.ideals - middle),
            message=" ".join(filter(None, (result.message, says))),
        )

    def _require_same(self, result: ConsensusResult) -> None:
        assert result.on_chain is not None
        apart = float(np.abs(result.equilibrium - result.on_chain.equilibrium).max())
        allowed = AGREE * max(1.0, float(np.abs(result.ideals).max()))
        if apart > allowed:
            raise VerificationError(
                "The chain holds another equilibrium than the agents agreed on",
                f"they are {apart:.3g} apart",
                f"Look at it by `nashboard consensus verify 0x{self.task_hash.hex()}`.",
                task_hash="0x" + self.task_hash.hex(),
                chain=result.on_chain.equilibrium.tolist(),
                computed=result.equilibrium.tolist(),
            )

    # Inside ------------------------------------------------------------------------------------------------------

    def _steps_of_task(self) -> ChainSteps:
        return ChainSteps(self._chain, self._store, self._config, self.task_hash, self._report)

    @property
    def _domain(self) -> Domain:
        return Domain(self.chain_id, self._chain.consensus.address)

    def _name(self, address: str) -> str:
        return self._names.get(address, address)

    def _member(self, participant: Participant) -> Member:
        name = participant.agent_id
        fallback = keccak(f"{name}:{participant.strategy}".encode())
        return Member(name, participant.signer.address, self.model_hashes.get(name, fallback))

    def _report(self, step: ChainStep) -> None:
        """Tell of a step. What was spent on getting agents ready is only known now; the rest is in the outbox."""
        if step.state == "done":
            self._ready[step.phase] = step
        self._tell(step)

    def _done(self) -> list[ChainStep]:
        """Return the steps that were done, with what was sent for them, by this program or before it was killed."""
        txs, found = self._steps_of_task().txs, []
        for phase in PHASES:
            rows = txs.rows(phase)
            if any(row.state == MINED for row in rows):
                text = self._ready[phase].text if phase in self._ready else ""
                found.append(step_of(phase, rows, text))
            elif phase in self._ready:
                found.append(self._ready[phase])
        return found


def _spec(participant: Participant) -> AgentSpec:
    return AgentSpec(participant.agent_id, AgentConfig(strategy_type=participant.strategy))
