"""Who an agent is on Ethereum: an account that signs for it. The key stays inside."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn, Self

from engine.consensus.errors import ConsensusError
from engine.consensus.messages import Domain, PositionMessage, digest

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

MAX_NAME = 64  # characters


@dataclass(eq=False)
class EthereumAgentIdentity:
    """An agent's name and account. It is a :class:`engine.consensus.participants.Signer`.

    ``reputation`` (1..1000, 100 at first), ``stake`` in wei and ``nonce``, the next one of its positions, are as the
    chain last had them. An identity is neither copied nor pickled: its key does not leave the process.
    """

    agent_id: str
    address: str
    account: LocalAccount = field(repr=False)
    nonce: int = 0
    reputation: int = 100
    stake: int = 0

    @classmethod
    def create(cls, agent_id: str) -> Self:
        """Return an identity with a new account from the system's randomness. Raises ConsensusError for a bad name."""
        from eth_account import Account

        return cls.from_account(agent_id, Account.create())

    @classmethod
    def from_account(cls, agent_id: str, account: LocalAccount) -> Self:
        """Return the identity of an account. Raises ConsensusError for a bad name."""
        return cls(checked_name(agent_id), str(account.address), account)

    def sign(self, message: PositionMessage, domain: Domain) -> bytes:
        """Return the 65-byte EIP-712 signature of a position message."""
        from eth_typing import Hash32

        # As sign_typed_data, which encodes the types anew each time, at ten times the cost.
        return bytes(self.account.unsafe_sign_hash(Hash32(digest(message, domain))).signature)

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"the identity of {self.agent_id} holds a key and is neither copied nor pickled")

    def __deepcopy__(self, memo: dict[int, Any]) -> NoReturn:
        self.__reduce__()


def checked_name(agent_id: object) -> str:
    """Return an agent's name: 1 to 64 printable characters. Raises ConsensusError."""
    if not isinstance(agent_id, str) or not agent_id.strip() or len(agent_id) > MAX_NAME or not agent_id.isprintable():
        shown = repr(agent_id)[:40] if isinstance(agent_id, str) else f"of type {type(agent_id).__name__}"
        raise ConsensusError(
            f"An agent's name cannot be {shown}", f"it is text of 1 to {MAX_NAME} printable characters"
        )
    return agent_id
