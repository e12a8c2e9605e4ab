"""What the staking contract holds of one learning chain, as it is now."""

from __future__ import annotations

from typing import Any

from eth_utils.address import to_checksum_address

from engine.chain.learning import STAKED, Signable, Staker, pack_signatures
from engine.chain.rpc import Request, hex_bytes, hex_data
from engine.chain.session import Chain
from engine.core.hashing import keccak
from engine.learning.staking.desk import StakingError

_DEPOSITED = "0x" + keccak(b"Deposited(bytes32,uint256,address,bytes,bytes32,bytes8,uint256,bytes)").hex()
_BATCH = 500


class StakeView:
    """Reads one chain of the contract. ``name`` are its 32 bytes."""

    def __init__(self, chain: Chain, name: bytes) -> None:
        self._chain = chain
        self._contract = chain.learning
        self._name = name

    async def deposits(self) -> list[dict[str, Any]]:
        """Return the arguments of all Deposited events, by index from 0, the genesis validators' first."""
        query = {
            "address": self._contract.address,
            "topics": [_DEPOSITED, hex_data(self._name)],
            "fromBlock": hex(self._chain.deployment.learning.block),
            "toBlock": "latest",
        }
        found = []
        for log in await self._chain.rpc.request("eth_getLogs", query):
            topics = [bytes.fromhex(topic[2:]) for topic in log["topics"]]
            event = self._contract.abi.decode_log(topics, bytes.fromhex(log["data"][2:]))
            if event is not None:
                found.append(event.arguments)
        return sorted(found, key=lambda values: int(values["index"]))

    async def index_of(self, pubkey: bytes) -> int:
        """Return the number of the validator with a BLS key. Raises StakingError when it never staked."""
        for values in await self.deposits():
            if values["pubkey"] == hex_data(pubkey):
                return int(values["index"])
        raise StakingError(
            "The validator has no stake", "the staking contract knows no such key", "Stake for it first."
        )

    async def stakers(self, count: int) -> list[Staker]:
        """Return the first ``count`` validators."""
        calls = [self._contract.abi.encode_call("validatorOf", self._name, number) for number in range(count)]
        requests: list[Request] = [
            ("eth_call", [{"to": self._contract.address, "data": hex_data(data)}, "latest"]) for data in calls
        ]
        found = []
        for at in range(0, count, _BATCH):
            for answer in await self._chain.rpc.batch(requests[at : at + _BATCH]):
                data = hex_bytes(answer.get("result"), "eth_call")
                ((account, *rest),) = self._contract.abi.decode_result("validatorOf", data)
                found.append(Staker(str(to_checksum_address(account)), *rest))
        return found

    async def signatures(self, value: Signable, accused: int | None = None) -> bytes:
        """Return signatures over a value of just more than two thirds of the set, without the accused's.

        Raises StakingError where too few are left for that.
        """
        state = await self._contract.chain_of(self._name)
        stakers = enumerate(await self.stakers(state.deposits))
        members = [(number, staker) for number, staker in stakers if number != accused and is_in(staker, state.era)]
        needed = 2 * state.size // 3 + 1
        if len(members) < needed:
            why = f"{needed} of {state.size} validators would have to sign, {len(members)} can"
            raise StakingError("The staking contract takes no word of so few", why, "Run more validators.")
        signed = [(number, self._chain.sign_stake(staker.account, value)) for number, staker in members[:needed]]
        return pack_signatures(signed)


def is_in(staker: Staker, era: int) -> bool:
    """Return whether a validator is in the set of an era."""
    left = staker.last_era != 0 and staker.last_era <= era
    return staker.status == STAKED and staker.first_era <= era and not left
