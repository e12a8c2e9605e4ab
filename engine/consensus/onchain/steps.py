"""The steps that bring signed positions to a final result on chain. Each does nothing where it is done already."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from engine.chain.bindings import Call
from engine.chain.errors import ContractRevertError, RpcError
from engine.chain.neural import NONE, OPEN, NeuralTask
from engine.chain.session import Chain
from engine.consensus.config import ConsensusConfig
from engine.consensus.errors import ConsensusError
from engine.consensus.fixed import millionths, unpack
from engine.consensus.messages import SignedPosition
from engine.consensus.negotiation.agreement import quorum_of
from engine.consensus.onchain.certificate import Certificate, certify
from engine.consensus.onchain.gas import GasOptimizer
from engine.consensus.onchain.logs import Taken, TaskLog, certificate_order
from engine.consensus.onchain.transactions import ChainTxs, step_of, why_refused
from engine.consensus.results import ChainStep
from engine.core.hashing import keccak
from engine.store.database import Store

POLL_S = 1.0
UNIT = 10**18  # of regrets
_WITH_THE_AGENT = ("not registered", "stale nonce")  # reasons of a batch that pass when the agent is what it was
Report = Callable[[ChainStep], None]


class ShortOfPositionsError(ConsensusError):
    """The task's window is over and too few positions are in: it can only be run again, under another hash."""


class ChainSteps:
    """The steps of one task on one chain."""

    def __init__(self, chain: Chain, store: Store, config: ConsensusConfig, task_hash: bytes, report: Report) -> None:
        self.task_hash = task_hash
        self.txs = ChainTxs(chain, store, task_hash.hex())
        self._chain = chain
        self._store = store
        self._config = config
        self._report = report

    async def task(self) -> NeuralTask:
        """Return the task as the contract keeps it."""
        return await self._chain.consensus.task_of(self.task_hash)

    async def log(self) -> TaskLog:
        """Return what was recorded of the task."""
        return await TaskLog.read(self._chain, self.task_hash)

    async def create(self, dims: int, agents: int, signed: int) -> None:
        """Open the task for positions of ``dims`` coordinates, needing more than half of ``agents``."""
        call = self._chain.consensus.create_task(
            self.task_hash,
            dims,
            await now(self._chain) + self._config.submission_window,
            millionths(self._config.coupling),
            max(1, round(self._config.epsilon * UNIT)),
            max(2, min(quorum_of(self._config, agents), signed)),
            self._config.tier,
        )
        # One that was refused is not tried again as it is: its window may have passed.
        key = f"create:{len(self.txs.rows('create:')):04}"
        await self._do("create", key, call, "create a consensus task")

    async def submit(self, signed: Sequence[SignedPosition]) -> int:
        """Send the positions: in batches, or each from its agent. Returns how many the contract has then.

        What it refused is seen in the log; what it refused only since blocks were lost is sent again.
        """
        signed = sorted(signed, key=lambda item: int(item.message.agent, 16))  # the same batches whenever it is done
        self._report(ChainStep("submit", "running", text=f"{len(signed)} positions"))
        with self._store.transaction():
            for key, account, call in self._submissions(signed):
                self.txs.add(f"submit:{key}", account, call, "submit positions")
            self.txs.again("submit:")
        rows = await self.txs.settle("submit:")
        log = await self.log()
        if left_out := await self._left_out(signed, log):
            with self._store.transaction():
                for place, (_, account, call) in enumerate(self._submissions(left_out), start=len(rows)):
                    self.txs.add(f"submit:{place:04}", account, call, "submit positions")
            rows = await self.txs.settle("submit:")
            log = await self.log()
        if not log.taken:
            self._require_patience()
        self._report(step_of("submit", rows, f"{len(log.taken)} positions taken"))
        return len(log.taken)

    async def _left_out(self, signed: Sequence[SignedPosition], log: TaskLog) -> list[SignedPosition]:
        """Return what a batch was taken without, though the contract would take it now.

        Blocks that were lost take registrations along: where those come back after the batch, it stands without them.
        A position that an agent sends by itself reverts then, and is tried again as all that reverted.
        """
        taken = {item.agent for item in log.taken}
        absent = [
            item
            for item in signed
            if item.message.agent not in taken and log.rejected.get(item.message.agent) in _WITH_THE_AGENT
        ]
        agents = await asyncio.gather(*(self._chain.consensus.agent_of(item.message.agent) for item in absent))
        pairs = zip(absent, agents, strict=True)
        return [item for item, agent in pairs if agent.active and agent.nonce == item.message.nonce]

    def _require_patience(self) -> None:
        """Refuse to go on where the chain gave a reason that time does not mend. Raises ConsensusError."""
        why = why_refused(self.txs.rows("submit:"))
        if why and "Closed" not in why:
            self._report(ChainStep("submit", "failed", text=why))
            raise ConsensusError("The contract refused the positions", why, _RESUME)

    def _submissions(self, signed: Sequence[SignedPosition]) -> list[tuple[str, str, Call]]:
        contract = self._chain.consensus
        if self._config.gas_optimization:
            deadline = signed[0].message.deadline
            batches = GasOptimizer().batches(signed)
            return [
                (f"{place:04}", self._chain.operator, contract.submit_positions(self.task_hash, deadline, packed))
                for place, packed in enumerate(batches)
            ]
        return [
            (item.agent, item.agent, contract.submit_position(item.agent, values, item.confidence, item.task_hash))
            for item, values in ((entry.message, unpack(entry.packed).tolist()) for entry in signed)
        ]

    async def fall_short(self, task: NeuralTask, counted: int, why: str) -> None:
        """End a task for which too few positions count. Raises ShortOfPositionsError."""
        if task.status == OPEN:
            call = self._chain.consensus.void(self.task_hash)
            await self._do("create", "void", call, "void a consensus task", moved=self._left(OPEN))
        text = f"{counted} of at least {task.min_agents} positions were in when the window closed"
        self._report(ChainStep("submit", "failed", text=text))
        raise ShortOfPositionsError(
            "The task came to no end on the chain",
            f"{text}{f' ({why})' if why else ''}",
            "Resume the round: it runs again under another hash. A longer submission_window may help.",
        )

    async def prove(
        self, task: NeuralTask, taken: Sequence[Taken], certificate: Certificate, excluded: frozenset[str]
    ) -> None:
        """Have the certificate checked.

        Where evidence against an agent came meanwhile, nothing is proven: there is another certificate now.
        """
        shown = certificate_order(taken, task.tier)
        heads, values = [item.head for item in shown], b"".join(item.packed for item in shown)
        call = self._chain.consensus.prove_equilibrium(self.task_hash, heads, values, certificate.aggregate)
        key = f"prove:{keccak(call.data)[:8].hex()}"  # after evidence against an agent there is another one

        async def moved() -> bool:
            return await self._left(OPEN)() or await self.excluded(taken) != excluded

        await self._do("prove", key, call, "prove an equilibrium", moved=moved)

    async def finalize(self, certificate: Certificate, status: int) -> None:
        """Make the certified result final."""
        call = self._chain.consensus.finalize(self.task_hash, certificate.consensus)
        key = f"finalize:{keccak(call.data)[:8].hex()}"
        await self._do("finalize", key, call, "finalize a consensus", moved=self._left(status))

    async def credit(self, task: NeuralTask, taken: Sequence[Taken]) -> None:
        """Raise and lower reputations, once."""
        shown = certificate_order(taken, task.tier)
        heads, values = [item.head for item in shown], b"".join(item.packed for item in shown)
        call = self._chain.consensus.credit_reputation(self.task_hash, heads, values)
        await self._do("reputation", "reputation", call, "credit reputations", moved=self._credited)

    @staticmethod
    def certificate(task: NeuralTask, taken: Sequence[Taken], excluded: frozenset[str]) -> Certificate:
        """Return the certificate of the positions. Raises ConsensusError."""
        weights = [0 if item.agent in excluded else item.weight for item in taken]
        positions, confidences = [item.position for item in taken], [item.confidence for item in taken]
        return certify(positions, confidences, weights, task.kappa, task.eps)

    async def excluded(self, taken: Sequence[Taken]) -> frozenset[str]:
        """Return whose weight is 0, since they equivocated in the task."""
        out = await asyncio.gather(*(self._chain.consensus.excluded(self.task_hash, item.agent) for item in taken))
        return frozenset(item.agent for item, gone in zip(taken, out, strict=True) if gone)

    async def wait(self, task: NeuralTask, taken: int) -> None:
        """Wait for the deadline, or until the contract has fewer than ``taken`` positions: blocks were lost.

        A development node's clock is moved there.
        """
        while (left := task.deadline - await now(self._chain)) > 0:
            if self._chain.control is not None:
                await self._chain.control.warp_to(task.deadline)
                continue
            self._report(ChainStep("prove", "running", text=f"waits {left} s for the deadline"))
            await asyncio.sleep(min(POLL_S, left))
            if (await self.task()).count < taken:
                return

    async def _do(
        self,
        phase: str,
        key: str,
        call: Call,
        purpose: str,
        *,
        moved: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        """Send one transaction of the operator. Where it is refused but ``moved``, another one has done the same."""
        self._report(ChainStep(phase, "running"))
        if not self.txs.add(key, self._chain.operator, call, purpose):
            self.txs.again(key)
        rows = await self.txs.settle(key)
        why = why_refused(rows)
        if why and not (moved is not None and await moved()):
            self._report(ChainStep(phase, "failed", text=why))
            raise ConsensusError(f"The contract refused to {purpose}", why, _RESUME)
        self._report(step_of(phase, self.txs.rows(key.split(":")[0])))

    async def _credited(self) -> bool:
        """Return whether somebody else has credited them."""
        return "Closed" in why_refused(self.txs.rows("reputation"))

    def _left(self, status: int) -> Callable[[], Awaitable[bool]]:
        async def moved() -> bool:
            return (await self.task()).status not in (status, NONE)

        return moved


_RESUME = "Mend the cause, then resume the round: nothing is lost."


async def now(chain: Chain) -> int:
    """Return the time that the next block will have, in seconds since the epoch."""
    try:
        block = await chain.rpc.request("eth_getBlockByNumber", "pending", False)
    except (RpcError, ContractRevertError):
        block = None
    if block is None or block.get("timestamp") is None:
        block = await chain.rpc.request("eth_getBlockByNumber", "latest", False)
    return int(block["timestamp"], 16)
