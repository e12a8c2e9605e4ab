"""What a round of consensus leaves: iterations, verdicts on agents, steps on the chain, the result."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from engine.consensus.config import ConsensusConfig
from engine.consensus.messages import SignedPosition
from engine.consensus.tasks import Task
from engine.games.games import Floats

REASONS = {
    "silent": "it did not answer in time",
    "failed": "its model raised an error",
    "not finite": "its position holds NaN or infinity",
    "out of range": "its position is not in the task's space",
    "wrong shape": "its position has another number of coordinates than the task",
    "bad signature": "its signature is not its own",
    "stale nonce": "it signed with a nonce that is used up",
    "equivocation": "it signed two different positions for one round",
    "outlier": "its position is far from all others, and was outvoted",
    "not accepted": "the contract did not take its position",
}
PHASES = ("stake", "register", "create", "submit", "prove", "finalize", "reputation", "slash")


@dataclass(frozen=True, slots=True, eq=False)
class Iteration:
    """One iteration off chain. Rows are agents in the order of ``agents``.

    ``ideals`` (n, d) are the proposals, ``positions`` (n, d) where the agents stand in play, ``consensus`` (d,) the
    equilibrium's weighted mean. ``gap`` is the largest relative regret of ``positions``.
    """

    number: int
    agents: tuple[str, ...]
    ideals: Floats
    positions: Floats
    consensus: Floats
    gap: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why an agent's word did not count from ``iteration`` on (0: on chain). ``reason`` is a key of REASONS."""

    agent: str
    reason: str
    iteration: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Equivocation:
    """Evidence that convicts: two messages of one agent, task and round that differ, both signed."""

    agent: str
    first: SignedPosition
    second: SignedPosition


@dataclass(frozen=True, slots=True)
class ChainStep:
    """A phase on chain: ``state`` running, done or failed; ``txs`` are hashes, ``gas`` their sum."""

    phase: str
    state: str
    txs: tuple[str, ...] = ()
    gas: int = 0
    block: int | None = None
    text: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the step as a JSON-ready object."""
        return {**asdict(self), "txs": list(self.txs)}


@dataclass(frozen=True, slots=True, eq=False)
class OnChain:
    """What the chain holds. ``equilibrium`` (d,) is read back from the contract, ``tx`` finalised it.

    ``verdicts`` are on agents whose positions it did not take.
    """

    chain_id: int
    contract: str
    task_hash: bytes
    tx: str
    block: int
    gas_used: int
    equilibrium: Floats
    certified: bool
    steps: tuple[ChainStep, ...] = ()
    slashed_wei: dict[str, int] = field(default_factory=dict)
    verdicts: tuple[Verdict, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON-ready object; wei are text."""
        return {
            "chain_id": self.chain_id,
            "contract": self.contract,
            "task_hash": "0x" + self.task_hash.hex(),  # the chain's own: another attempt's than on other chains
            "tx": self.tx,
            "block": self.block,
            "gas_used": self.gas_used,
            "equilibrium": self.equilibrium.tolist(),
            "certified": self.certified,
            "steps": [step.to_json() for step in self.steps],
            "slashed_wei": {agent: str(wei) for agent, wei in self.slashed_wei.items()},
        }


@dataclass(frozen=True, slots=True, eq=False)
class ConsensusResult:
    """The end of a round.

    ``equilibrium`` (d,) is the weighted mean of the equilibrium of the last proposals, ``positions`` (n, d) where each
    of ``agents`` stands in it. ``gap`` is its largest relative regret, as verified. ``convergence_rate`` in [0, 1] is
    the share of the gap that an iteration took away, as a geometric mean. ``message`` says in a sentence why the round
    did not converge or has no result on chain; ``task_hash`` differs from the task's own when it ran on a chain before.
    ``chains`` are all that hold the result of a cross-chain round, ``on_chain`` the first of them. ``trace`` is the
    hash of all iterations, "" where the round was taken up again after they were signed.
    """

    task: Task
    task_hash: bytes
    config: ConsensusConfig
    agents: tuple[str, ...]
    ideals: Floats
    positions: Floats
    confidences: Floats
    weights: Floats
    equilibrium: Floats
    converged: bool
    convergence_rate: float
    iterations: int
    gap: float
    seconds: float
    message: str = ""
    verdicts: tuple[Verdict, ...] = ()
    evidence: tuple[Equivocation, ...] = ()
    on_chain: OnChain | None = None
    chains: tuple[OnChain, ...] = ()
    trace: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the result as a JSON-ready object, vectors in full precision."""
        return {
            "task_hash": "0x" + self.task_hash.hex(),
            "task": {"type": self.task.type, "title": self.task.title, "labels": list(self.task.labels)},
            "equilibrium": self.equilibrium.tolist(),
            "converged": self.converged,
            "convergence_rate": self.convergence_rate,
            "iterations": self.iterations,
            "gap": self.gap,
            "seconds": self.seconds,
            "trace_hash": self.trace,
            "message": self.message,
            "agents": [
                {"agent": agent, "ideal": ideal, "position": position, "confidence": confidence, "weight": weight}
                for agent, ideal, position, confidence, weight in zip(
                    self.agents,
                    self.ideals.tolist(),
                    self.positions.tolist(),
                    self.confidences.tolist(),
                    self.weights.tolist(),
                    strict=True,
                )
            ],
            "verdicts": [asdict(verdict) for verdict in self.verdicts],
            "convicted": [proof.agent for proof in self.evidence],
            "config": asdict(self.config),
            "on_chain": None if self.on_chain is None else self.on_chain.to_json(),
            "chains": [chain.to_json() for chain in self.chains],
        }
