"""One consensus on several chains: negotiated once, signed for and settled on each, compared over bridges.

Steps:
1. The agents negotiate off chain. What each proposed last is its word.
2. On each chain a round of its own settles these words: signed under that chain's domain (a signature for one chain
   does not hold on another), submitted, certified and finalised there. Who breaks the protocol is convicted on each.
3. Every chain's result is read back from its node, recomputed (:mod:`engine.consensus.chains.bridges`) and compared
   with that of each other chain. More than half of the chains must hold the same result: it is the consensus. Chains
   that are down, late or hold another one are named.

The service of rounds keeps what was said before any chain is asked: a round that is killed goes on with the same words
on every chain, from where each was. :class:`CrossChainConsensus` keeps no rounds, and begins anew.

Agents have a reputation on each chain. A chain that missed a round, or that alone finished one which nobody resumed,
counts its agents by other reputations than the rest, and is named as soon as that makes a difference.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.chain.session import Parts
from engine.chain.wallet import Wallet
from engine.consensus.chains.bridges import Attestation, Bridge, BridgeCheck, attest, between
from engine.consensus.chains.fleet import CHAIN_IDS, PATIENCE, ChainFleet, checked_chains
from engine.consensus.chains.words import Words
from engine.consensus.config import ConsensusConfig
from engine.consensus.errors import ConsensusError
from engine.consensus.library.accounts import Accounts
from engine.consensus.negotiation.voices import Voice
from engine.consensus.participants import Participant
from engine.consensus.results import ChainStep, ConsensusResult, Verdict
from engine.consensus.rounds.again import conclude_again
from engine.consensus.rounds.protocol import reach_consensus
from engine.consensus.rounds.records import Records
from engine.consensus.state import NashEthereumState, state_of
from engine.consensus.tasks import Task, task_of
from engine.core.bus import EventBus
from engine.core.errors import EngineError
from engine.store.database import Store

if TYPE_CHECKING:
    from engine.consensus.agents.identity import EthereumAgentIdentity
    from engine.consensus.negotiation.talks import Hook, OnIteration, OnVerdict

CHAINS = tuple(CHAIN_IDS)
Report = Callable[[str, int, ChainStep], None]


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """How a round came out on one chain, and what its node bears out."""

    result: ConsensusResult
    attestation: Attestation


@dataclass(frozen=True, slots=True, eq=False)
class CrossChainResult:
    """What the chains hold together.

    ``result`` is that of the majority. ``agreeing`` names its chains, ``failed`` the others with the reason; ``checks``
    are the bridges' comparisons.
    """

    result: ConsensusResult
    agreeing: tuple[str, ...]
    failed: Mapping[str, str]
    attestations: Mapping[str, Attestation]
    checks: tuple[BridgeCheck, ...]


async def reach_on_chains(
    task: Task,
    participants: Sequence[Participant],
    config: ConsensusConfig,
    fleet: ChainFleet,
    store: Store,
    *,
    report: Report = lambda chain, chain_id, step: None,
    on_iteration: OnIteration | None = None,
    on_verdict: OnVerdict | None = None,
    before: Hook | None = None,
    keep: Callable[[Words], Mapping[str, int]] = lambda words: {},
) -> ConsensusResult:
    """Return the consensus that more than half of a fleet's chains hold; hooks are as in ``reach_consensus``.

    ``report`` gets the chain's name and id with each step. ``keep`` writes down what was said before any chain is
    asked, and returns the record numbers of the chains' parts, by chain. A negotiation without a quorum goes on no
    chain. Raises ConsensusError when no majority of chains comes to the same result.
    """
    require_majority(fleet)
    voices = [Voice(participant) for participant in participants]
    agreed = await reach_consensus(
        task, voices, config, on_iteration=on_iteration, on_verdict=on_verdict, before=before
    )
    if not agreed.agents:
        return agreed
    words = Words.of(voices, agreed)
    heard = words.voices(participants)
    return await settle_on_chains(task, heard, config, fleet, store, words, keep(words), report)


async def settle_on_chains(
    task: Task,
    voices: Sequence[Voice],
    config: ConsensusConfig,
    fleet: ChainFleet,
    store: Store,
    words: Words,
    parts: Mapping[str, int],
    report: Report,
) -> ConsensusResult:
    """Settle what was said on each chain from where its part is, and return what the majority holds; raises as above.

    Parts that are over are read back; those whose positions are signed are concluded; the others begin.
    """
    require_majority(fleet)
    outcomes: dict[str, Settled | EngineError] = {}
    for name in fleet.names:
        try:
            outcomes[name] = await settle(task, voices, config, fleet, store, name, report, parts.get(name))
        except EngineError as error:
            outcomes[name] = error
    return aggregate(outcomes, words).result


async def settle(
    task: Task,
    voices: Sequence[Voice],
    config: ConsensusConfig,
    fleet: ChainFleet,
    store: Store,
    name: str,
    report: Report = lambda chain, chain_id, step: None,
    run_id: int | None = None,
) -> Settled:
    """Settle what voices said last on one chain. Raises EngineError that says why it is not done.

    ``run_id`` is the record of the chain's part, which goes on from where it is; without one it is made anew.
    """
    from engine.consensus.onchain.phase import OnChainPhase

    if name not in fleet.chains:
        raise ConsensusError(f"{name} cannot be used", fleet.down.get(name, "it is not one of the chains"))
    chain = fleet.chains[name]
    heard = [voice for voice in voices if voice.last is not None]
    for voice in heard:
        voice.settled = True
    phase = OnChainPhase(chain, store, config, lambda step: report(name, phase.chain_id, step), run_id=run_id)

    def judged(verdict: Verdict) -> None:
        phase.progress = {"verdicts": [*phase.progress.get("verdicts", ()), asdict(verdict)]}

    # The clock of a development node is moved; elsewhere the window passes in its own time.
    patience = PATIENCE + (config.submission_window if chain.control is None else 0)
    try:
        async with asyncio.timeout(patience):
            if phase.resuming:
                result = await conclude_again(phase, task, config, Records(store, chain.wallet.address))
            else:
                result = phase.reconcile(await reach_consensus(task, heard, config, phase=phase, on_verdict=judged))
            if result.on_chain is None:
                raise ConsensusError(f"The agents came to no end on {name}", result.message)
            return Settled(result, await attest(name, chain, task, result.on_chain))
    except TimeoutError as error:
        raise ConsensusError(f"{name} is late", f"its round was not over within {patience:g} s") from error


def require_majority(fleet: ChainFleet) -> None:
    """Refuse to begin where too many chains are down. Raises ConsensusError, which names them."""
    if 2 * len(fleet.chains) <= len(fleet.names):
        raise _no_majority(f"{len(fleet.chains)} of {len(fleet.names)} can be used", fleet.down)


def aggregate(
    outcomes: Mapping[str, Settled | EngineError],
    agreed: ConsensusResult | Words | None = None,
    bridges: Mapping[tuple[str, str], Bridge] | None = None,
) -> CrossChainResult:
    """Return what more than half of the chains hold. Raises ConsensusError, which names all of them.

    ``agreed`` is the negotiation, whose iterations, verdicts and evidence the result gets.
    """
    held = {name: outcome for name, outcome in outcomes.items() if isinstance(outcome, Settled)}
    failed = {name: str(outcome) for name, outcome in outcomes.items() if isinstance(outcome, EngineError)}
    checks = tuple(
        bridge.check(held[a].attestation, held[b].attestation)
        for (a, b), bridge in (bridges or between(tuple(outcomes))).items()
        if a in held and b in held
    )
    groups = [_agreeing(name, held, checks) for name in held]
    agreeing = max(groups, key=len, default=())
    for name in held:
        if name not in agreeing:
            why = next((check.text for check in checks if not check.ok and name in (check.first, check.second)), "")
            failed[name] = f"It holds another result: {why}."
    if 2 * len(agreeing) <= len(outcomes):
        raise _no_majority(f"{len(agreeing)} of {len(outcomes)} hold the same result", failed)
    result = _together([held[name].result for name in agreeing], agreed, failed)
    return CrossChainResult(result, agreeing, failed, {name: held[name].attestation for name in held}, checks)


def _agreeing(name: str, held: Mapping[str, Settled], checks: Sequence[BridgeCheck]) -> tuple[str, ...]:
    """Return the chains whose bridges to ``name`` say that they hold the same, in the order of ``held``."""
    near = {name} | {
        other for check in checks if check.ok for other in (check.first, check.second) if _joins(check, name)
    }
    return tuple(other for other in held if other in near)


def _joins(check: BridgeCheck, name: str) -> bool:
    return name in (check.first, check.second)


def _together(
    results: Sequence[ConsensusResult], agreed: ConsensusResult | Words | None, failed: Mapping[str, str]
) -> ConsensusResult:
    first = results[0]
    chains = tuple(result.on_chain for result in results if result.on_chain is not None)
    said = [f"{name} does not count: {why}" for name, why in failed.items()]
    made = replace(first, chains=chains, message=" ".join(filter(None, (first.message, *said))))
    if agreed is None:
        return made
    return replace(
        made,
        converged=agreed.converged,
        convergence_rate=agreed.convergence_rate,
        iterations=agreed.iterations,
        seconds=agreed.seconds + sum(result.seconds for result in results),
        verdicts=tuple(dict.fromkeys((*agreed.verdicts, *first.verdicts))),
        evidence=first.evidence or agreed.evidence,
    )


def _no_majority(what: str, failed: Mapping[str, str]) -> ConsensusError:
    why = "; ".join(f"{name}: {reason}" for name, reason in failed.items())
    return ConsensusError(
        "No majority of the chains holds a result",
        f"{what}. {why}" if why else what,
        "Bring the chains back.",
        chains=dict(failed),
    )


@dataclass(eq=False)
class CrossChainState(NashEthereumState):
    """The state of a cross-chain consensus: of the majority, with what every chain said.

    ``chains`` are the states by chain, ``failed`` the reasons of the chains that do not count, ``checks`` the bridges'.
    """

    chains: dict[str, NashEthereumState] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    checks: tuple[BridgeCheck, ...] = ()


class CrossChainConsensus:
    """Coordinates one consensus over several chains; ``agents`` is a place for them by name.

    ``urls`` are the nodes by chain; those that are not given are Anvils, started for each call and ended with it, their
    state kept in ``folder`` (a temporary one, where there is none). ``report`` is told of each step.
    """

    def __init__(
        self,
        chains: Sequence[str] = CHAINS,
        *,
        urls: Mapping[str, str] | None = None,
        config: ConsensusConfig | Mapping[str, Any] | None = None,
        folder: Path | None = None,
        wallet: Wallet | None = None,
        report: Report = lambda chain, chain_id, step: None,
    ) -> None:
        self.chains = list(checked_chains(chains))
        self.bridges = self._initialize_bridges()
        self.config = config if isinstance(config, ConsensusConfig) else ConsensusConfig.of(config or {})
        self.agents: dict[str, Participant] = {}
        self._urls = dict(urls or {})
        checked_chains((*self.chains, *(name for name in self._urls if name not in self.chains)))
        self._folder = folder
        self._accounts = Accounts(wallet or Wallet.development())
        self._report = report
        self._fleet: tuple[ChainFleet, Store] | None = None
        self._owner: asyncio.Task[Any] | None = None  # whose call opened the chains

    def _initialize_bridges(self) -> dict[tuple[str, str], Bridge]:
        """Return a bridge for each pair of chains."""
        return between(tuple(self.chains))

    def create_agent_identity(self, agent_id: str) -> EthereumAgentIdentity:
        """Return the identity of an agent, the same on all chains. Raises ConsensusError for a bad name."""
        return self._accounts.identity(agent_id)

    async def cross_chain_consensus(
        self, task: Mapping[str, Any] | Task, agents: Sequence[Participant]
    ) -> CrossChainState:
        """Let agents agree once, settle it on every chain, and return what the majority of them holds.

        Raises ConsensusError when no majority holds a result, and for a task or agents that cannot be used.
        """
        known = task if isinstance(task, Task) else task_of(task)
        async with self._opened(self.chains, agents) as (fleet, _):
            require_majority(fleet)
            voices = [Voice(agent) for agent in agents]
            agreed = await reach_consensus(known, voices, self.config)
            if not agreed.agents:
                return _state(agreed, {}, {}, ())
            results: dict[str, Settled | EngineError] = {}
            for chain in self.chains:
                try:
                    results[chain] = await self.consensus_on_chain(chain, known, voices)
                except EngineError as error:
                    results[chain] = error
            return self.aggregate_cross_chain(results, agreed)

    async def consensus_on_chain(
        self, chain: str, task: Mapping[str, Any] | Task, agents: Sequence[Participant]
    ) -> Settled:
        """Let agents agree on one chain, and attest what it holds. Raises EngineError that says why they cannot.

        Agents that are voices have negotiated and are not asked again.
        """
        known = task if isinstance(task, Task) else task_of(task)
        heard = [agent for agent in agents if isinstance(agent, Voice)]
        voices = heard if len(heard) == len(agents) else [Voice(agent) for agent in agents]
        async with self._opened([chain], agents) as (fleet, store):
            if voices is not heard:
                await reach_consensus(known, voices, self.config)
            return await settle(known, voices, self.config, fleet, store, chain, self._report)

    def aggregate_cross_chain(
        self, results: Mapping[str, Settled | EngineError], agreed: ConsensusResult | None = None
    ) -> CrossChainState:
        """Return what the majority of chains holds, compared over the bridges. Raises ConsensusError without one."""
        made = aggregate(results, agreed, self.bridges)
        return _state(made.result, results, dict(made.failed), made.checks)

    @asynccontextmanager
    async def _opened(
        self, chains: Sequence[str], agents: Sequence[Participant]
    ) -> AsyncIterator[tuple[ChainFleet, Store]]:
        """Give the chains, those that this call opened already or new ones. Raises ConsensusError in another call."""
        self._accounts.take_in(agents)
        if self._fleet is not None and self._owner is asyncio.current_task():
            yield self._fleet
            return
        if self._owner is not None:
            raise ConsensusError("Another cross-chain round is running", "it uses the same chains", "Wait for its end.")
        self._owner = asyncio.current_task()
        try:
            async with self._new_fleet(chains) as opened:
                self._fleet = opened
                yield opened
        finally:
            self._fleet = self._owner = None

    @asynccontextmanager
    async def _new_fleet(self, chains: Sequence[str]) -> AsyncIterator[tuple[ChainFleet, Store]]:
        folder = self._folder or Path(tempfile.mkdtemp(prefix="nashboard-"))
        folder.mkdir(parents=True, exist_ok=True)
        try:
            store = Store.open(folder / "consensus.db")
            try:
                parts = Parts(store, EventBus(), self._accounts.wallet, self._accounts.number_of)
                async with ChainFleet(folder, chains, parts, self._urls) as fleet:
                    yield fleet, store
            finally:
                store.close()
        finally:
            if self._folder is None:
                shutil.rmtree(folder, ignore_errors=True)


def _state(
    result: ConsensusResult,
    outcomes: Mapping[str, Settled | EngineError],
    failed: dict[str, str],
    checks: tuple[BridgeCheck, ...],
) -> CrossChainState:
    chains = {name: state_of(found.result) for name, found in outcomes.items() if isinstance(found, Settled)}
    return CrossChainState(**vars(state_of(result)), chains=chains, failed=failed, checks=checks)
