"""A connected chain: contracts, wallet, outbox and time of one node."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from engine.chain.bindings import BoundContract, LeagueAnchor, ScoreClaim, StakeVault
from engine.chain.control import NodeControl
from engine.chain.court import LeagueCourt, ReplayAttestation, RoundRoot
from engine.chain.deploy import PARTS, Deployer, Deployment, Rules
from engine.chain.errors import DevnetError, RpcError, WrongChainError
from engine.chain.events import ContractsDeployed
from engine.chain.learning import PERMIT, POL, ProofOfLearning, Signable, message_of
from engine.chain.neural import NeuralConsensus
from engine.chain.rpc import Rpc
from engine.chain.sender import Sender
from engine.chain.wallet import OPERATOR, Wallet
from engine.core.bus import EventBus
from engine.store.database import Store


@dataclass(frozen=True, slots=True)
class Parts:
    """What a chain session is built of. ``number_of`` gives the wallet's account number of an address."""

    store: Store
    bus: EventBus
    wallet: Wallet
    number_of: Callable[[str], int]


class Chain:
    """The contracts of one node, ready to use; ``close`` ends the connection."""

    def __init__(self, rpc: Rpc, parts: Parts, deployment: Deployment, *, development: bool) -> None:
        self.rpc = rpc
        self.deployment = deployment
        self.development = development
        self.wallet = parts.wallet
        self.operator = parts.wallet.address(OPERATOR)
        self.vault = StakeVault(deployment.vault.address, rpc)
        self.anchor = LeagueAnchor(deployment.anchor.address, rpc)
        self.court = LeagueCourt(deployment.court.address, rpc)
        self.consensus = NeuralConsensus(deployment.consensus.address, rpc)
        self.token = POL(deployment.token.address, rpc)
        self.learning = ProofOfLearning(deployment.learning.address, rpc)
        self._store = parts.store
        self._number_of = parts.number_of
        self.control = NodeControl(rpc) if development else None
        self._deployer = Deployer(rpc, parts.store, parts.wallet)
        self._sender = Sender(rpc, parts.store, parts.bus, parts.wallet, deployment.book, parts.number_of, self.control)

    @classmethod
    async def connect(
        cls,
        url: str,
        parts: Parts,
        rules: Rules | None = None,
        *,
        consensus_at: str | None = None,
        consent: bool = False,
    ) -> Chain:
        """Connect to a node and find the contracts on it, or put them there. Raises RpcError, ContractRevertError.

        Contracts are put on a development node; on another only by keys of the operator's own, and with ``consent``,
        since that costs ether. With ``consensus_at`` none are, the
        consensus contract at that address is used with its vault; then there may be no anchor and no court. Raises
        WrongChainError where there is no such contract.
        """
        rpc = Rpc(url)
        try:
            development = str(await rpc.request("web3_clientVersion")).lower().startswith(("anvil", "hardhat"))
            deployer = Deployer(rpc, parts.store, parts.wallet, development=development)
            found = await (deployer.attach(consensus_at) if consensus_at else deployer.find())
            if found is None and not development:
                _require_consent(parts.wallet, consent)
            if found is None and development:
                await NodeControl(rpc).cover({parts.wallet.address(OPERATOR): 0})
            deployment = found or await deployer.complete() or await deployer.deploy(rules or Rules())
        except BaseException:
            await rpc.close()
            raise
        addresses = {part: getattr(deployment, part).address for part in PARTS}
        parts.bus.publish(ContractsDeployed(deployment.book, **addresses, fresh=found is None))
        return cls(rpc, parts, deployment, development=development)

    @property
    def url(self) -> str:
        """The node's address."""
        return self.rpc.url

    @property
    def book(self) -> str:
        """The name of the ledger's book that stands for this deployment."""
        return self.deployment.book

    async def close(self) -> None:
        """End the connection."""
        await self.rpc.close()

    async def alive(self) -> bool:
        """Return whether the node answers and this is still the chain that holds the contracts.

        It has as long as any request: a node on a busy machine is not gone, and others are asking it meanwhile.
        """
        try:
            return await self._deployer.stands(self.deployment)
        except RpcError:
            return False

    async def block_number(self) -> int:
        """Return the head's number."""
        return await self.rpc.block_number()

    def sign_claim(self, address: str, claim: ScoreClaim) -> bytes:
        """Return the claim's EIP-712 signature by an account of the wallet."""
        return self._sign(address, self.anchor, claim)

    def sign_root(self, address: str, root: RoundRoot) -> bytes:
        """Return the EIP-712 signature of a round's root by an account of the wallet."""
        return self._sign(address, self.court, root)

    def sign_attestation(self, address: str, attestation: ReplayAttestation) -> bytes:
        """Return the EIP-712 signature of a verifier's word by an account of the wallet."""
        return self._sign(address, self.court, attestation)

    def sign_stake(self, address: str, value: Signable) -> bytes:
        """Return the EIP-712 signature of a header, ACK or verdict by a validator's account of the wallet."""
        return self.wallet.sign_typed(
            self._number_of(address), self._domain(self.learning), value.TYPES, message_of(value)
        )

    def sign_permit(self, owner: str, spender: str, amount: int, nonce: int, deadline: int) -> bytes:
        """Return an account's permit (EIP-2612): ``spender`` may take ``amount`` of its POL until ``deadline``."""
        domain = {**self._domain(self.token), "name": "Proof of Learning"}
        values = (owner, spender, amount, nonce, deadline)
        message = dict(zip((field["name"] for field in PERMIT["Permit"]), values, strict=True))
        return self.wallet.sign_typed(self._number_of(owner), domain, PERMIT, message)

    def _sign(
        self, address: str, contract: LeagueAnchor | LeagueCourt, value: ScoreClaim | RoundRoot | ReplayAttestation
    ) -> bytes:
        return self.wallet.sign_typed(self._number_of(address), self._domain(contract), value.TYPES, value.message())

    def _domain(self, contract: BoundContract) -> dict[str, Any]:
        return {
            "name": f"Nashboard {contract.abi.name}",
            "version": "1",
            "chainId": int(self.book.split(":", 1)[0]),
            "verifyingContract": contract.address,
        }

    async def drain(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Bring the outbox to the chain; see :meth:`engine.chain.sender.Sender.drain`."""
        await self._require_contracts()
        await self._sender.drain(progress)

    async def pass_window(self, identity: bytes) -> None:
        """Let a posted round's challenge window pass: on a development node by moving its clock.

        Raises DevnetError elsewhere while the window is open.
        """
        posted = await self.anchor.commitment_of(identity)
        head = await self.rpc.request("eth_getBlockByNumber", "latest", False)
        left = posted.settleable_at - int(head["timestamp"], 16)
        if left <= 0:
            return
        if self.control is None:
            raise DevnetError("The challenge window is open", f"{left} seconds are left", "Settle after that.")
        await self.control.warp_to(posted.settleable_at + 1)

    async def _require_contracts(self) -> None:
        """Refuse to send where the contracts are not: an address without code takes the ether and succeeds."""
        if not await self._deployer.stands(self.deployment):
            raise WrongChainError(
                "The contracts are not on this chain",
                f"the node at {self.url} began a new chain or lost its last blocks",
                "Connect again: they are deployed anew then.",
            )


def _require_consent(wallet: Wallet, consent: bool) -> None:
    """Refuse to deploy on a chain that is not for development. Raises WrongChainError."""
    if wallet.public:
        raise WrongChainError(
            "The node is no development node",
            "its accounts' keys would be public",
            "Make a key of your own by `nashboard wallet new`.",
        )
    if not consent:
        raise WrongChainError(
            "The contracts are not on this chain",
            f"{wallet.address(OPERATOR)} would have to pay for putting them there",
            "Say that you want that, or name the address of contracts that are there.",
        )
