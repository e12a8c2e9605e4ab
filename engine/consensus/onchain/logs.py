"""What the chain recorded of a task: the positions that it took, those that it did not, and the certificate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.chain.abi import Decoded
from engine.chain.neural import REJECTIONS
from engine.chain.rpc import hex_data
from engine.chain.session import Chain
from engine.consensus.fixed import unpack
from engine.consensus.messages import head
from engine.core.hashing import keccak


@dataclass(frozen=True, slots=True)
class Taken:
    """A position that the contract took. ``confidence`` in millionths, ``weight`` the reputation at that time."""

    agent: str
    confidence: int
    weight: int
    packed: bytes

    @property
    def position(self) -> list[int]:
        """The coordinates (d,), 48-bit numbers."""
        return [int(value) for value in unpack(self.packed)]

    @property
    def head(self) -> bytes:
        """What a certificate says of it beside the position."""
        return head(self.agent, self.confidence, self.weight)


@dataclass(frozen=True, slots=True)
class TaskLog:
    """All that was recorded of a task. ``taken`` in the order of submission, ``rejected`` are reasons by address.

    ``certified`` is (regret in 1e-18, total weight) of the last certificate, ``final`` the result that was announced.
    """

    taken: tuple[Taken, ...]
    rejected: dict[str, str]
    certified: tuple[int, int] | None
    final: tuple[int, ...] | None
    blocks: tuple[int, ...]

    @classmethod
    async def read(cls, chain: Chain, task_hash: bytes) -> TaskLog:
        """Read the events of a task. Raises RpcError."""
        contract = chain.consensus
        query = {
            "address": contract.address,
            "topics": [None, hex_data(task_hash)],
            "fromBlock": hex(chain.deployment.consensus.block),
            "toBlock": "latest",
        }
        logs = await chain.rpc.request("eth_getLogs", query)
        found = [(decode(contract.abi, log), int(log["blockNumber"], 16)) for log in logs]
        return cls._of([(event, block) for event, block in found if event is not None])

    @classmethod
    def _of(cls, events: Sequence[tuple[Decoded, int]]) -> TaskLog:
        taken: list[Taken] = []
        rejected: dict[str, str] = {}
        certified: tuple[int, int] | None = None
        final: tuple[int, ...] | None = None
        for event, _ in events:
            values = event.arguments
            if event.name == "PositionSubmitted":
                packed = bytes.fromhex(values["position"][2:])
                taken.append(Taken(values["agent"], values["confidence"], values["weight"], packed))
            elif event.name == "PositionRejected":
                reason = int(values["reason"])
                rejected[values["agent"]] = REJECTIONS[reason] if reason < len(REJECTIONS) else f"reason {reason}"
            elif event.name == "CertificateVerified":
                certified = (values["regret"], values["totalWeight"])
            elif event.name == "CertificateRevoked":
                certified = None
            elif event.name == "ConsensusFinalized":
                final = tuple(values["consensus"])
        return cls(tuple(taken), rejected, certified, final, tuple(block for _, block in events))


def decode(abi: Any, log: Any) -> Decoded | None:
    """Return the event in a log as JSON-RPC gives it."""
    topics = [bytes.fromhex(topic[2:]) for topic in log["topics"]]
    found: Decoded | None = abi.decode_log(topics, bytes.fromhex(log["data"][2:]))
    return found


def certificate_order(taken: Sequence[Taken], tier: int) -> list[Taken]:
    """Return positions in the order in which a certificate shows them: by agent in tier slots, else as they came."""
    return sorted(taken, key=lambda item: int(item.agent, 16)) if tier == 0 else list(taken)


def accumulator_of(taken: Sequence[Taken]) -> bytes:
    """Return what tier accumulator keeps of positions, in the order in which they came."""
    folded = bytes(32)
    for item in taken:
        folded = keccak(folded + item.head + keccak(item.packed))
    return folded
