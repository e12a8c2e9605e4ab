"""A position that an agent sends by itself, in a transaction of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.chain.neural import OPEN
from engine.consensus.errors import ConsensusError
from engine.consensus.fixed import millionths, to_fixed
from engine.core.hashing import keccak
from engine.games.games import Floats
from engine.store.database import Store
from engine.store.outbox import OutboxTx

if TYPE_CHECKING:
    from engine.chain.session import Chain


async def submit(
    chain: Chain, store: Store, address: str, position: Floats, confidence: float, task_hash: bytes
) -> dict[str, Any]:
    """Send an agent's position (d,) for an open task from its own account, and wait for the transaction.

    Returns agent, task_hash, tx_hash, block_number and gas_used. Raises ConsensusError for a task that takes none, or
    where the contract refuses, RpcError without a node.
    """
    task = await chain.consensus.task_of(task_hash)
    if task.status != OPEN or task.dims != len(position):
        why = "there is no open task of that hash" if task.status != OPEN else f"it has {task.dims} coordinates"
        raise ConsensusError("The position cannot be submitted", f"{why} (0x{task_hash.hex()})")
    call = chain.consensus.submit_position(
        address, [int(value) for value in to_fixed(position)], millionths(confidence), task_hash
    )
    # Sent twice the same position is one; what failed may be tried again. The contract refuses a second, other one.
    base = f"{chain.book}:own:{keccak(call.data + address.encode()).hex()}:"
    key = f"{base}{len(store.outbox.failed(base))}"
    with store.transaction():
        store.outbox.enqueue(OutboxTx(key, chain.book, address, call.to, call.data, 0, "submit an own position"))
    await chain.drain()
    row = store.outbox.get(key)
    if row is None or row.state != "mined":
        raise ConsensusError("The position was not taken", row.error if row is not None else "its transaction is gone")
    return {
        "agent": address,
        "task_hash": "0x" + task_hash.hex(),
        "tx_hash": row.hash,
        "block_number": row.block,
        "gas_used": row.gas_used,
    }
