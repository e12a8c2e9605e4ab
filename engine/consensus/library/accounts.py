"""The accounts of a program's agents: of the wallet by their names, or brought along."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from engine.chain.wallet import OPERATOR, Wallet
from engine.consensus.errors import ConsensusError
from engine.consensus.participants import Participant
from engine.core.hashing import keccak

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

    from engine.chain.session import Chain
    from engine.consensus.agents.identity import EthereumAgentIdentity

NAMED = range(3_000_000, 2_000_000_000)  # account numbers of agents by their names
FOREIGN = 1 << 31  # from here on: accounts that are not the wallet's; BIP-44 has no such numbers


class Accounts:
    """Knows the account number of each agent's address. ``wallet`` signs for all of them."""

    def __init__(self, wallet: Wallet) -> None:
        self.wallet = _WithForeign(wallet)
        self._numbers: dict[str, int] = {}

    def identity(self, agent_id: str) -> EthereumAgentIdentity:
        """Return the identity of an agent by its name. Raises ConsensusError for a bad name."""
        from engine.consensus.agents.identity import EthereumAgentIdentity, checked_name

        number = _number(checked_name(agent_id))
        account = self.wallet.account(number)
        self._numbers[str(account.address)] = number
        return EthereumAgentIdentity.from_account(agent_id, account)

    def take_in(self, agents: Iterable[Participant]) -> None:
        """Let agents that brought an account of their own send transactions too."""
        for agent in agents:
            account = getattr(agent.signer, "account", None)
            address = agent.signer.address
            if account is not None and address not in self._numbers:
                self._numbers[address] = self.wallet.add(account)

    def number_of(self, address: str) -> int:
        """Return the account number of the operator or an agent. Raises ConsensusError for another."""
        if address == self.wallet.address(OPERATOR):
            return OPERATOR
        if address not in self._numbers:
            raise ConsensusError(
                "There is no key for an account",
                address,
                "Make identities by create_agent_identity, or EthereumAgentIdentity.from_account.",
            )
        return self._numbers[address]

    async def refresh(self, chain: Chain, agents: Iterable[Participant]) -> None:
        """Write to the agents' identities what the chain has of them: nonce, reputation and stake."""
        identities: list[Any] = [agent.signer for agent in agents if hasattr(agent.signer, "reputation")]
        await asyncio.gather(*(_refresh(chain, identity) for identity in identities))


async def _refresh(chain: Chain, identity: Any) -> None:
    kept, held = await asyncio.gather(
        chain.consensus.agent_of(identity.address), chain.vault.account_of(identity.address)
    )
    identity.nonce, identity.stake = kept.nonce, held.active
    identity.reputation = kept.reputation or identity.reputation


class _WithForeign(Wallet):
    """A wallet, and accounts that are not its own."""

    def __init__(self, wallet: Wallet) -> None:
        super().__init__(wallet._phrase, secret=wallet._secret)
        self._foreign: dict[int, LocalAccount] = {}

    def account(self, number: int) -> LocalAccount:
        """Return an account with its key, for an identity."""
        return self._account(number)

    def add(self, account: LocalAccount) -> int:
        """Take an account in; return its number."""
        number = FOREIGN + len(self._foreign)
        self._foreign[number] = account
        return number

    def _derive(self, number: int) -> LocalAccount:
        return self._foreign[number] if number in self._foreign else super()._derive(number)


@lru_cache(maxsize=4096)
def _number(agent_id: str) -> int:
    return NAMED[int.from_bytes(keccak(b"agent " + agent_id.encode())[:8], "big") % len(NAMED)]
