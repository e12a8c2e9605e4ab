"""The library's face: neural agents agree on a task, off chain or with a chain that checks it.

Nothing is connected before a round needs it, and every round closes its connection: what is left open between rounds is
one small database, which goes with the object.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from engine.chain.wallet import Wallet
from engine.consensus.config import ConsensusConfig
from engine.consensus.errors import ConsensusError
from engine.consensus.library.accounts import Accounts
from engine.consensus.participants import Participant
from engine.consensus.results import ChainStep, Iteration
from engine.consensus.rounds.protocol import reach_consensus
from engine.consensus.state import NashEthereumState, state_of
from engine.consensus.tasks import Task, task_of
from engine.core.errors import VerificationError
from engine.games.games import Floats
from engine.store.database import Store

if TYPE_CHECKING:
    import torch
    from web3 import AsyncHTTPProvider, AsyncWeb3

    from engine.chain.deploy import Rules
    from engine.chain.session import Chain
    from engine.consensus.agents.identity import EthereumAgentIdentity
    from engine.consensus.onchain.phase import OnChainPhase

_DEFAULTS = ConsensusConfig()
SAME = 1e-6  # how far two ways to the equilibrium may be apart
OnState = Callable[[NashEthereumState], Awaitable[None]]


class NashEthereumConsensus:
    """Orchestrates rounds of consensus; ``agents`` is a place for them by name.

    ``web3_provider`` is a node's address. Without a ``contract_address`` the contracts of ``folder`` are used, and on a
    development node put there when there are none; with one, the consensus contract must be there. Without a ``folder``
    a temporary one is used, so that every object has contracts of its own. ``device`` is where tensors are, "cpu" where
    there is no CUDA device or ``config.gpu_acceleration`` is off. A ``wallet`` of one's own and ``consent`` let
    contracts be put on a chain that is no development one. ``on_state`` is awaited after each iteration and at the end,
    ``on_step`` called as the chain's phases move.

    An async context manager; ``close`` may be forgotten. Raises ConsensusError for settings that cannot be used.
    """

    def __init__(
        self,
        web3_provider: str = "http://localhost:8545",
        contract_address: str | None = None,
        device: str = "cuda",
        *,
        config: ConsensusConfig | Mapping[str, Any] | None = None,
        folder: Path | None = None,
        wallet: Wallet | None = None,
        rules: Rules | None = None,
        consent: bool = False,
        on_state: OnState | None = None,
        on_step: Callable[[ChainStep], None] | None = None,
    ) -> None:
        from engine.consensus.agents.model_io import usable

        if not isinstance(web3_provider, str) or not web3_provider.startswith(("http://", "https://")):
            raise ConsensusError(
                f"The provider cannot be {web3_provider!r:.80}", "it is the address of a node, http://host:port"
            )
        self.web3_provider = web3_provider
        self.contract_address = _address(contract_address)
        self.config = config if isinstance(config, ConsensusConfig) else ConsensusConfig.of(config or {})
        self.device = usable(device if self.config.gpu_acceleration else "cpu")
        self.agents: dict[str, Participant] = {}
        self.on_state = on_state
        self.on_step = on_step
        self._accounts = Accounts(wallet or Wallet.development())
        self._rules = rules
        self._consent = consent
        self._folder = folder
        self._store: Store | None = None
        self._finalizer: weakref.finalize[..., Any] | None = None
        self._turn: tuple[asyncio.AbstractEventLoop, asyncio.Lock] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the database and remove a temporary folder. The object can be used again, with a new one."""
        if self._finalizer is not None:
            self._finalizer()
        self._store = self._finalizer = None

    @cached_property
    def web3(self) -> AsyncWeb3[AsyncHTTPProvider]:
        """The node through web3, for whatever else a program wants of it."""
        from engine.consensus.library.web3_access import web3_of

        return web3_of(self.web3_provider)

    def create_agent_identity(self, agent_id: str) -> EthereumAgentIdentity:
        """Return the identity of an agent: the same account for the same name, with the same wallet.

        Raises ConsensusError for a bad name.
        """
        return self._accounts.identity(agent_id)

    async def orchestrate_consensus(
        self,
        task: Mapping[str, Any] | Task,
        agents: Sequence[Participant],
        max_iterations: int = 100,
        convergence_threshold: float = 0.01,
        hybrid_mode: bool = True,
    ) -> NashEthereumState:
        """Let agents agree on a task; without ``hybrid_mode`` off the chain.

        What is left at its default is as ``config`` says. Raises ConsensusError for a task that is none and for too few
        agents, EngineError when the chain cannot be reached or refuses.
        """
        known = task if isinstance(task, Task) else task_of(task)
        config = self._config(max_iterations, convergence_threshold, hybrid_mode)
        members = _members(agents)
        if not config.hybrid_mode:
            return await self._round(known, members, config, None)
        async with self._connected(members) as chain:
            from engine.consensus.onchain.phase import OnChainPhase

            phase = OnChainPhase(chain, self._open(), config, self._report)
            state = await self._round(known, members, config, phase)
            await self._accounts.refresh(chain, members)
            return state

    async def submit_position(
        self, agent: Participant, position: Floats, task_hash: str, confidence: float
    ) -> dict[str, Any]:
        """Let an agent send its position (d,) for an open task by itself; return the transaction's facts.

        Keys: agent, task_hash, tx_hash, block_number, gas_used. Raises EngineError for what the contract refuses.
        """
        from engine.consensus.onchain.submission import submit

        async with self._connected([agent]) as chain:
            return await submit(chain, self._open(), agent.signer.address, position, confidence, _hash(task_hash))

    # -------------------------------------------------------------------------------------------------------------

    async def _round(
        self, task: Task, agents: Sequence[Participant], config: ConsensusConfig, phase: OnChainPhase | None
    ) -> NashEthereumState:
        async def tell(iteration: Iteration) -> None:
            if self.on_state is not None:
                task_hash = task.hash if phase is None else phase.task_hash
                await self.on_state(self._iterated(_text(task_hash), iteration))

        result = await reach_consensus(task, agents, config, phase=phase, on_iteration=tell)
        state = state_of(result if phase is None else phase.reconcile(result), self.device)
        if self.device != "cpu":
            second_opinion(state, self.device)
        if self.on_state is not None:
            await self.on_state(state)
        return state

    def _config(self, iterations: int, threshold: float, hybrid: bool) -> ConsensusConfig:
        given: dict[str, Any] = {
            "max_iterations": iterations,
            "convergence_threshold": threshold,
            "hybrid_mode": hybrid,
        }
        changed = {name: value for name, value in given.items() if value != getattr(_DEFAULTS, name)}
        return replace(self.config, **changed)

    def _iterated(self, task_hash: str, iteration: Iteration) -> NashEthereumState:
        positions = zip(iteration.agents, iteration.positions, strict=True)
        return NashEthereumState(
            task_hash,
            iteration.number,
            {name: self._tensor(row) for name, row in positions},
            self._tensor(iteration.consensus),
            gap=iteration.gap,
        )

    def _tensor(self, values: Floats) -> torch.Tensor:
        import torch

        return torch.tensor(values, dtype=torch.float64, device=self.device)

    def _report(self, step: ChainStep) -> None:
        if self.on_step is not None:
            self.on_step(step)

    def _open(self) -> Store:
        """Return the database, made when it is first needed."""
        if self._store is None:
            folder = self._folder or Path(tempfile.mkdtemp(prefix="nashboard-"))
            folder.mkdir(parents=True, exist_ok=True)
            self._store = Store.open(folder / "consensus.db")
            gone = None if self._folder is not None else folder
            self._finalizer = weakref.finalize(self, _close, self._store, gone)
        return self._store

    @asynccontextmanager
    async def _connected(self, agents: Sequence[Participant]) -> AsyncIterator[Chain]:
        """Give the chain with the contracts on it; one round at a time, since they share the outbox."""
        from engine.chain.session import Chain, Parts
        from engine.core.bus import EventBus

        self._accounts.take_in(agents)
        async with self._one_at_a_time():
            parts = Parts(self._open(), EventBus(), self._accounts.wallet, self._accounts.number_of)
            chain = await Chain.connect(
                self.web3_provider, parts, self._rules, consensus_at=self.contract_address, consent=self._consent
            )
            try:
                yield chain
            finally:
                await chain.close()

    def _one_at_a_time(self) -> asyncio.Lock:
        loop = asyncio.get_running_loop()
        if self._turn is None or self._turn[0] is not loop:
            self._turn = (loop, asyncio.Lock())
        return self._turn[1]


def second_opinion(state: NashEthereumState, device: str) -> None:
    """Let the solver of :mod:`engine.games` find a round's equilibrium on a device too.

    From 256 agents on a CUDA device solves the linear system there. Raises VerificationError where it finds another.
    """
    import torch

    from engine.games.nash_solver import NashEquilibriumSolver

    result = state.result
    if result is None or not result.agents:
        return
    influence = np.tile(result.config.coupling * result.weights, (len(result.weights), 1))
    np.fill_diagonal(influence, 0.0)
    confidence, weighed = torch.from_numpy(result.confidences), torch.from_numpy(influence)
    solver = NashEquilibriumSolver(device, confidence=confidence, influence=weighed)
    ideals = {name: torch.tensor(row, device=device) for name, row in zip(result.agents, result.ideals, strict=True)}
    found, verified = solver.compute_equilibrium(ideals)
    apart = float((found - torch.stack(list(state.positions.values()))).abs().max())
    if not verified or apart > SAME * max(1.0, float(np.abs(result.ideals).max())):
        raise VerificationError("The device finds another equilibrium", f"{apart:.3g} away, on {device}")


def _close(store: Store, folder: Path | None) -> None:
    store.close()
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


def _members(agents: Sequence[Participant]) -> list[Participant]:
    """Return the agents of a call. Raises ConsensusError for what is no list of agents."""
    if isinstance(agents, str | Mapping) or not isinstance(agents, Iterable):
        why = f"a list of agents is needed, not {type(agents).__name__}"
        raise ConsensusError("The agents cannot be used", why, "Give list(consensus.agents.values()).")
    members = list(agents)
    for member in members:
        if not all(hasattr(member, name) for name in ("agent_id", "signer", "propose", "learn")):
            raise ConsensusError("The agents cannot be used", f"{member!r:.80} is no EthereumNeuralAgent")
    return members


def _address(text: str | None) -> str | None:
    from eth_utils.address import is_address, to_checksum_address

    if text is None:
        return None
    if not is_address(text):
        raise ConsensusError(f"The contract's address cannot be {text!r:.80}", "it has 0x and 40 hexadecimal digits")
    return str(to_checksum_address(text))


def _hash(text: str) -> bytes:
    try:
        made = bytes.fromhex(text.removeprefix("0x"))
    except (AttributeError, ValueError):
        made = b""
    if len(made) != 32:
        raise ConsensusError(f"A task's hash cannot be {text!r:.80}", "it has 0x and 64 hexadecimal digits")
    return made


def _text(data: bytes) -> str:
    return "0x" + data.hex()
