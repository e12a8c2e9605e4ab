"""Less gas for the same: positions packed and sent in batches, kept the cheaper way, with fees no higher than needed.

What it saves is measured by ``nashboard bench consensus``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.chain.abi import Decoded, contract_abi
from engine.consensus.config import TIERS
from engine.consensus.errors import ConsensusError
from engine.consensus.fixed import pack
from engine.consensus.messages import ON_CHAIN, PositionMessage, SignedPosition, entry, position_hash

if TYPE_CHECKING:
    from engine.chain.rpc import Rpc

BATCH = 64  # signed positions in a transaction: beyond that the saving grows no more
MAX_BYTES = 96 * 1024  # of a transaction's calldata: nodes take 128 KiB
SLOTS_AT_MOST = 4  # agents up to which a slot for each, which anyone can look up by its address, costs little more
_BLOCKS = 20  # of the fee history
_PERCENTILE = 50.0
_HEADROOM = 2  # the base fee doubles within six full blocks


@dataclass(frozen=True, slots=True)
class Fees:
    """What to offer for gas, in wei a unit."""

    max_fee: int
    priority: int


class GasOptimizer:
    """Rewrites transactions to the consensus contract so that they cost less; ``batch`` positions go into one."""

    def __init__(self, *, batch: int = BATCH) -> None:
        if batch < 1:
            raise ConsensusError("A batch holds at least one position", f"not {batch}")
        self._batch = batch

    def optimize_transaction(self, tx_data: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return transactions that do the same as ``tx_data``, one or several with ``to``, ``data`` (bytes) and more.

        Signed submissions of one task and deadline become batches of packed positions, in the place of the first of
        them; a new task gets the tier that is cheaper for the agents that it needs. All else stays as it is.
        """
        made: list[dict[str, Any]] = []
        batches: dict[tuple[Any, ...], tuple[int, list[SignedPosition]]] = {}
        for tx in [tx_data] if isinstance(tx_data, Mapping) else tx_data:
            call = contract_abi("NeuralConsensus").decode_call(bytes(tx.get("data", b"")))
            if call is not None and call.name == "submitPosition" and "signature" in call.arguments:
                signed = _signed(call)
                where = (tx["to"], tx.get("from"), signed.message.task_hash, signed.message.deadline)
                if where not in batches:
                    batches[where] = (len(made), [])
                    made.append(dict(tx))
                batches[where][1].append(signed)
            else:
                made.append(self._with_tier(dict(tx), call))
        packed = {place: self._submissions(made[place], signed) for place, signed in batches.values()}
        return [tx for place, old in enumerate(made) for tx in packed.get(place, [old])]

    def batches(self, signed: Sequence[SignedPosition]) -> list[bytes]:
        """Return signed positions of one task and deadline as packed batches, in their order."""
        entries = [entry(item) for item in signed]
        size = max((len(item) for item in entries), default=1)
        count = max(1, min(self._batch, MAX_BYTES // size))
        return [b"".join(entries[first : first + count]) for first in range(0, len(entries), count)]

    def tier(self, agents: int) -> str:
        """Return how positions of so many agents are kept: a slot each, or one accumulator for all."""
        return TIERS[0] if agents <= SLOTS_AT_MOST else TIERS[1]

    def _submissions(self, tx: Mapping[str, Any], signed: Sequence[SignedPosition]) -> list[dict[str, Any]]:
        """Return a submission's transaction as batches; one alone is not worth it."""
        if len(signed) == 1:
            return [dict(tx)]
        message = signed[0].message
        contract = contract_abi("NeuralConsensus")
        calls = [
            contract.encode_call("submitPositions", message.task_hash, message.deadline, packed)
            for packed in self.batches(signed)
        ]
        rest = {key: value for key, value in tx.items() if key not in ("gas", "nonce")}  # of one position
        return [{**rest, "data": data} for data in calls]

    def _with_tier(self, tx: dict[str, Any], call: Decoded | None) -> dict[str, Any]:
        if call is None or call.name != "createTask":
            return tx
        values = {**call.arguments, "tier": TIERS.index(self.tier(call.arguments["minAgents"]))}
        values["taskHash"] = bytes.fromhex(values["taskHash"][2:])
        return {**tx, "data": contract_abi("NeuralConsensus").encode_call("createTask", *values.values())}

    @staticmethod
    async def fees(rpc: Rpc) -> Fees:
        """Return what to offer now, by what the last blocks paid. Raises RpcError."""
        history = await rpc.request("eth_feeHistory", hex(_BLOCKS), "latest", [_PERCENTILE])
        return choose_fees(history)


def choose_fees(history: Mapping[str, Any]) -> Fees:
    """Return fees by the answer to eth_feeHistory: twice the next block's base fee, and the median tip of full blocks.

    A block that is nearly empty says nothing of what it takes to get in.
    """
    base = int(history["baseFeePerGas"][-1], 16)
    rewards = history.get("reward") or []
    ratios = history.get("gasUsedRatio") or [1.0] * len(rewards)
    tips = sorted(int(row[0], 16) for row, used in zip(rewards, ratios, strict=False) if used > 0.1)
    tip = tips[len(tips) // 2] if tips else 1
    return Fees(_HEADROOM * base + tip, tip)


def _signed(call: Decoded) -> SignedPosition:
    values = call.arguments
    packed = pack(values["_position"])
    message = PositionMessage(
        bytes.fromhex(values["_taskHash"][2:]),
        values["_agentId"],
        position_hash(packed),
        values["_confidence"],
        ON_CHAIN,
        values["nonce"],
        values["deadline"],
    )
    return SignedPosition(message, packed, bytes.fromhex(values["signature"][2:]))
