"""Bridges: what one chain certified, checked against another without trusting anybody who says so.

An attestation is read from a chain's own node and recomputed from what the chain recorded: the transaction that made
the result final is in a block of the chain, the contract holds the result, and the equilibrium of the positions and
weights in the contract's events is that result. Two chains agree when their results have the same hash.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from engine.chain.rpc import hex_data
from engine.chain.session import Chain
from engine.consensus.fixed import pack
from engine.consensus.onchain.certificate import certify
from engine.consensus.onchain.logs import TaskLog
from engine.consensus.results import OnChain
from engine.consensus.tasks import Task
from engine.core.errors import VerificationError
from engine.core.hashing import keccak


@dataclass(frozen=True, slots=True)
class Attestation:
    """What a chain says: the ``result`` (48-bit integers) of a task, final in a block. Hashes are 0x text.

    ``result_hash`` is the hash of the task's own hash and the packed result: the same on all chains that agree.
    """

    chain: str
    chain_id: int
    contract: str
    tx: str
    block: int
    block_hash: str
    result: tuple[int, ...]
    result_hash: str


@dataclass(frozen=True, slots=True)
class BridgeCheck:
    """Whether two chains hold the same; ``text`` says what was compared, or how they differ."""

    first: str
    second: str
    ok: bool
    text: str


@dataclass(frozen=True, slots=True)
class Bridge:
    """Relays what one of two chains holds to the other, and checks it there."""

    first: str
    second: str

    def check(self, first: Attestation, second: Attestation) -> BridgeCheck:
        """Compare what both chains attested for one task."""
        if first.chain_id == second.chain_id:
            return BridgeCheck(self.first, self.second, False, f"both have the chain id {first.chain_id}")
        if first.result_hash == second.result_hash:
            text = f"{first.result_hash[:18]} in block {first.block} and in block {second.block}"
            return BridgeCheck(self.first, self.second, True, text)
        if len(first.result) != len(second.result):
            return BridgeCheck(self.first, self.second, False, "the results have different lengths")
        apart = max((abs(a - b) for a, b in zip(first.result, second.result, strict=True)), default=0)
        why = f"the results are up to {apart / 2**32:.3g} apart" if apart else "they are of different tasks"
        return BridgeCheck(self.first, self.second, False, why)


async def attest(name: str, chain: Chain, task: Task, held: OnChain) -> Attestation:
    """Read from a chain what it holds of a round, and recompute it.

    Raises VerificationError where it does not bear out what ``held`` says, RpcError where it does not answer.
    """
    receipt, (result, final) = await asyncio.gather(
        chain.rpc.request("eth_getTransactionReceipt", held.tx), chain.consensus.result_of(held.task_hash)
    )
    if receipt is None or int(receipt["status"], 16) != 1:
        raise _refused(name, f"the transaction {held.tx[:18]} is not on it")
    block = await chain.rpc.request("eth_getBlockByNumber", receipt["blockNumber"], False)
    if block is None or block["hash"] != receipt["blockHash"]:
        raise _refused(name, "the block with the result is not part of it any more")
    contract = chain.consensus.address
    named = [log for log in receipt["logs"] if log["address"].lower() == contract.lower()]
    if not any(hex_data(held.task_hash) in log["topics"] for log in named):
        raise _refused(name, "the transaction finalised no such task")
    if not final or result != await _recomputed(chain, held.task_hash):
        raise _refused(name, "its result is not the equilibrium of the positions that it recorded")
    mark = keccak(task.hash + pack(result))
    return Attestation(
        chain=name,
        chain_id=int(chain.book.split(":", 1)[0]),
        contract=contract,
        tx=held.tx,
        block=int(receipt["blockNumber"], 16),
        block_hash=str(receipt["blockHash"]),
        result=result,
        result_hash=hex_data(mark),
    )


def between(chains: tuple[str, ...]) -> dict[tuple[str, str], Bridge]:
    """Return a bridge for each pair of chains."""
    return {(a, b): Bridge(a, b) for place, a in enumerate(chains) for b in chains[place + 1 :]}


async def _recomputed(chain: Chain, task_hash: bytes) -> tuple[int, ...]:
    """Return the equilibrium of what the contract's events say, in its integers."""
    task, log = await asyncio.gather(chain.consensus.task_of(task_hash), TaskLog.read(chain, task_hash))
    out = await asyncio.gather(*(chain.consensus.excluded(task_hash, item.agent) for item in log.taken))
    weights = [0 if gone else item.weight for item, gone in zip(log.taken, out, strict=True)]
    positions = [item.position for item in log.taken]
    confidences = [item.confidence for item in log.taken]
    return tuple(certify(positions, confidences, weights, task.kappa, task.eps).consensus)


def _refused(chain: str, why: str) -> VerificationError:
    return VerificationError(f"What {chain} says does not hold", why)
