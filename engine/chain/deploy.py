"""Putting the contracts on a chain, once: addresses are kept in the store and checked against the chain's code."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from eth_utils.address import to_checksum_address

from engine.chain.abi import contract_abi, explain_revert
from engine.chain.bindings import BoundContract, Call, LeagueAnchor, StakeVault
from engine.chain.errors import ContractRevertError, RpcError, WrongChainError
from engine.chain.neural import NeuralConsensus
from engine.chain.rpc import Rpc, hex_data, revert_data
from engine.chain.signing import unfunded
from engine.chain.transactions import Fees
from engine.chain.wallet import OPERATOR, Wallet
from engine.store.database import Store

TREASURY_ACCOUNT = 1_000_000
PARTS = ("vault", "anchor", "court", "consensus", "token", "learning")
SUPPLY = 10**27  # base units of POL: a thousand million tokens
NOWHERE = "0x" + "00" * 20
_DEADLINE = 30.0
_POLL = 0.02  # seconds between looks for a receipt, after quicker first ones


@dataclass(frozen=True, slots=True)
class Rules:
    """What the contracts are built with: seconds and wei.

    Unbonding lasts at least seven windows; a demand's ``reveal_period`` and a vote's ``vote_period`` at most one.
    ``committee`` are the seats of a first vote. An agent of the consensus puts ``risk_per_agent`` at risk, until
    ``evidence_window`` after it left, and loses ``equivocation_penalty`` by two words in one round. Who brings evidence
    of any kind gets ``reporter_bps``. A slashed validator of a learning chain loses ``slashing_penalty`` base units of
    POL, and has the rest ``withdrawal_delay`` after it left, which outlasts ``evidence_window``. The defaults are a
    development chain's: its clock can be moved.
    """

    window: int = 3_600
    unbonding: int = 7 * 3_600
    exposure: int = 10**17
    claim_penalty: int = 5 * 10**16
    reporter_bps: int = 5_000
    reveal_period: int = 600
    vote_period: int = 600
    bond: int = 2 * 10**16
    verifier_stake: int = 10**17
    committee: int = 5
    risk_per_agent: int = 10**17
    equivocation_penalty: int = 5 * 10**16
    evidence_window: int = 3_600
    slashing_penalty: int = 16 * 10**18
    withdrawal_delay: int = 2 * 3_600

    def court(self) -> tuple[int, int, int, int, int]:
        """Return the court's part, in the order of its struct."""
        return (self.reveal_period, self.vote_period, self.bond, self.verifier_stake, self.committee)

    def consensus(self) -> tuple[int, int, int, int]:
        """Return the consensus contract's part, in the order of its struct."""
        return (self.risk_per_agent, self.equivocation_penalty, self.evidence_window, self.reporter_bps)

    def learning(self) -> tuple[int, int, int, int]:
        """Return the staking contract's part, in the order of its struct."""
        return (self.slashing_penalty, self.reporter_bps, self.evidence_window, self.withdrawal_delay)


@dataclass(frozen=True, slots=True)
class Contract:
    """Where a contract stands, and the transaction that put it there."""

    name: str
    address: str
    tx: str
    block: int
    gas_used: int


@dataclass(frozen=True, slots=True)
class Deployment:
    """The contracts of one chain. ``book`` names them apart from those of any other chain."""

    book: str
    vault: Contract
    anchor: Contract
    court: Contract
    consensus: Contract
    token: Contract
    learning: Contract
    treasury: str
    rules: Rules

    @property
    def contracts(self) -> tuple[Contract, ...]:
        """All contracts that are there: where only a consensus contract was named, that and its vault."""
        parts: list[Contract] = [getattr(self, part) for part in PARTS]
        return tuple(contract for contract in parts if contract.tx)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Deployment:
        """Read what ``to_json`` gave."""
        contracts = {part: Contract(**value[part]) for part in PARTS}
        return cls(value["book"], **contracts, treasury=value["treasury"], rules=Rules(**value["rules"]))


class Deployer:
    """Finds or makes the deployment of one chain."""

    def __init__(self, rpc: Rpc, store: Store, wallet: Wallet, *, development: bool = False) -> None:
        self._rpc = rpc
        self._store = store
        self._wallet = wallet
        self._development = development

    async def find(self) -> Deployment | None:
        """Return the deployment kept for this chain, if it is whole and its code still stands there."""
        for record in self._records():
            if all(part in record for part in PARTS):
                deployment = Deployment.from_json(record)
                if await self.stands(deployment):
                    return deployment
        return None

    async def complete(self) -> Deployment | None:
        """Put what an older program did not have beside the contracts that it left here; None where there are none.

        So an update forgets no stake. What is older than the court is not completed: its contracts are not today's.
        """
        for record in self._records():
            if all(part in record for part in PARTS) or "court" not in record:
                continue
            kept = [Contract(**record[part]) for part in PARTS if part in record]
            if await self._stand(kept):
                rules = Rules(**_later_rules(record["rules"]))
                return self._keep({**record, **await self._missing(record, rules), "rules": asdict(rules)})
        return None

    async def _missing(self, record: dict[str, Any], rules: Rules) -> dict[str, Any]:
        """Create what a record lacks, and return it by part."""
        added: dict[str, Any] = {}
        if "consensus" not in record:
            added["consensus"] = asdict(await self._add_consensus(record["vault"]["address"], rules))
        if "learning" not in record:
            token, learning = await self._add_learning(rules)
            added |= {"token": asdict(token), "learning": asdict(learning)}
        return added

    async def attach(self, address: str) -> Deployment:
        """Return the deployment around a consensus contract that stands at ``address``, whoever put it there.

        Raises WrongChainError where there is no such contract.
        """
        here = await self.find()
        if here is not None and here.consensus.address.lower() == address.lower():
            return here
        await self._require_code("NeuralConsensus", address)
        consensus = NeuralConsensus(to_checksum_address(address), self._rpc)
        vault = StakeVault(await consensus.vault(), self._rpc)
        await self._require_code("StakeVault", vault.address)
        origin, own = await self._origin("StakeVault", vault), await self._origin("NeuralConsensus", consensus)
        book = f"{await self._rpc.chain_id()}:{origin.tx[2:10]}:{vault.address}"
        names = ("LeagueAnchor", "LeagueCourt", "POL", "ProofOfLearning")
        anchor, court, token, learning = (Contract(name, NOWHERE, "", 0, 0) for name in names)
        return Deployment(book, origin, anchor, court, own, token, learning, await vault.treasury(), Rules())

    async def _require_code(self, name: str, address: str) -> None:
        code = str(await self._rpc.request("eth_getCode", address, "latest"))
        if not is_code_of(name, bytes.fromhex(code[2:])):
            why = f"there is no code at {address}" if code == "0x" else f"the code at {address} is another"
            raise WrongChainError(f"There is no {name} of this version", why, "Check the address and the node.")

    async def _origin(self, name: str, contract: BoundContract) -> Contract:
        """Return where a contract comes from: its first event is of its creation."""
        logs = await self._rpc.request("eth_getLogs", {"address": contract.address, "fromBlock": "0x0"})
        if not logs:
            raise RpcError(f"The {name} cannot be traced", f"the node keeps no events of {contract.address}")
        receipt = await self._rpc.request("eth_getTransactionReceipt", logs[0]["transactionHash"])
        block, gas = int(receipt["blockNumber"], 16), int(receipt["gasUsed"], 16)
        return Contract(name, contract.address, str(receipt["transactionHash"]), block, gas)

    async def deploy(self, rules: Rules) -> Deployment:
        """Create the contracts, give them their roles in each other, and keep the addresses.

        Random bytes behind the vault's arguments make its transaction the mark of this chain: a fresh devnet gives the
        same addresses again, and Anvil does not keep the hash of block 0 over restarts.
        """
        operator, treasury = self._wallet.address(OPERATOR), self._wallet.address(TREASURY_ACCOUNT)
        vault = await self._create("StakeVault", operator, treasury, rules.unbonding, mark=secrets.token_bytes(32))
        arguments = (operator, vault.address, rules.window, rules.exposure, rules.claim_penalty, rules.reporter_bps)
        anchor = await self._create("LeagueAnchor", *arguments)
        court = await self._create("LeagueCourt", anchor.address, rules.court())
        for grant in self._grants(vault.address, anchor.address, court.address):
            await self._send(grant.to, grant.data)
        consensus = await self._add_consensus(vault.address, rules)
        token, learning = await self._add_learning(rules)
        book = f"{await self._rpc.chain_id()}:{vault.tx[2:10]}:{vault.address}"
        return self._keep(Deployment(book, vault, anchor, court, consensus, token, learning, treasury, rules).to_json())

    async def _add_consensus(self, vault: str, rules: Rules) -> Contract:
        """Create the consensus contract over a vault, with power to slash there; the wallet's operator runs it."""
        operator = self._wallet.address(OPERATOR)
        contract = await self._create("NeuralConsensus", operator, vault, rules.consensus())
        granted = NeuralConsensus(contract.address, self._rpc).grant_operator(operator)
        for grant in (StakeVault(vault, self._rpc).grant_slasher(contract.address), granted):
            await self._send(grant.to, grant.data)
        return contract

    async def _add_learning(self, rules: Rules) -> tuple[Contract, Contract]:
        """Create the token and the contract that holds stakes of it; on a development node with a faucet."""
        operator, treasury = self._wallet.address(OPERATOR), self._wallet.address(TREASURY_ACCOUNT)
        token = await self._create("POL", operator, SUPPLY, operator if self._development else NOWHERE)
        return token, await self._create("ProofOfLearning", operator, token.address, treasury, rules.learning())

    def _records(self) -> list[dict[str, Any]]:
        rows = self._store.db.execute("SELECT record FROM deployments ORDER BY created DESC").fetchall()
        return [json.loads(row["record"]) for row in rows]

    def _keep(self, record: dict[str, Any]) -> Deployment:
        with self._store.transaction() as db:
            row = (record["book"], json.dumps(record), time.time())
            db.execute("INSERT OR REPLACE INTO deployments VALUES (?, ?, ?)", row)
        return Deployment.from_json(record)

    def _grants(self, vault: str, anchor: str, court: str) -> Sequence[Call]:
        slashing = StakeVault(vault, self._rpc)
        judging = LeagueAnchor(anchor, self._rpc)
        return slashing.grant_slasher(anchor), slashing.grant_slasher(court), judging.grant_court(court)

    async def stands(self, deployment: Deployment) -> bool:
        """Return whether this is the deployment's chain and its contracts are on it."""
        return await self._stand(deployment.contracts)

    async def _stand(self, contracts: Sequence[Contract]) -> bool:
        """Return whether the first of the contracts was created on this chain, and all of them have today's code."""
        receipt = await self._rpc.request("eth_getTransactionReceipt", contracts[0].tx)
        if receipt is None:
            return False
        answers = await self._rpc.batch([("eth_getCode", [contract.address, "latest"]) for contract in contracts])
        return all(
            is_code_of(contract.name, bytes.fromhex(str(answer.get("result", "0x"))[2:]))
            for contract, answer in zip(contracts, answers, strict=True)
        )

    async def _create(self, name: str, *arguments: Any, mark: bytes = b"") -> Contract:
        receipt = await self._send(None, contract_abi(name).encode_constructor(*arguments) + mark)
        address = to_checksum_address(receipt["contractAddress"])
        block, gas = int(receipt["blockNumber"], 16), int(receipt["gasUsed"], 16)
        return Contract(name, address, receipt["transactionHash"], block, gas)

    async def _send(self, to: str | None, data: bytes) -> dict[str, Any]:
        """Send one transaction of the operator and wait for its receipt. Raises ContractRevertError or RpcError."""
        operator = self._wallet.address(OPERATOR)
        call = {"from": operator, "data": hex_data(data), **({"to": to} if to else {})}
        price, estimate, held, chain_id, nonce = await self._rpc.numbers(
            [
                ("eth_gasPrice", []),
                ("eth_estimateGas", [call]),
                ("eth_getBalance", [operator, "latest"]),
                ("eth_chainId", []),
                ("eth_getTransactionCount", [operator, "pending"]),
            ]
        )
        gas, fees = estimate * 5 // 4, Fees.offer(price, 2)
        if held < gas * fees.cap:
            raise unfunded(operator, "deploy the contracts", held, gas * fees.cap - held)
        fields: dict[str, Any] = {
            "chainId": chain_id,
            "nonce": nonce,
            "data": data,
            "value": 0,
            "gas": gas,
            "maxFeePerGas": fees.cap,
            "maxPriorityFeePerGas": fees.tip,
            "type": 2,
        }
        raw, digest = self._wallet.sign_transaction(OPERATOR, fields if to is None else {**fields, "to": to})
        await self._rpc.request("eth_sendRawTransaction", hex_data(raw))
        receipt = await self._receipt(digest)
        if int(receipt["status"], 16) != 1:
            (answer,) = await self._rpc.batch([("eth_call", [call, "latest"])])
            reason = explain_revert(revert_data(answer.get("error")) or b"")[0]
            raise ContractRevertError("The contracts could not be deployed", reason)
        return receipt

    async def _receipt(self, digest: str) -> dict[str, Any]:
        pause = 0.001
        try:
            async with asyncio.timeout(_DEADLINE):
                while True:
                    receipt = await self._rpc.request("eth_getTransactionReceipt", digest)
                    if receipt is not None:
                        return dict(receipt)
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, _POLL)
        except TimeoutError as error:
            raise RpcError("The chain does not mine", f"{digest} waits for {_DEADLINE:g} s") from error


def _later_rules(rules: dict[str, Any]) -> dict[str, Any]:
    """Return an older program's rules with what follows from them of today's."""
    return {"evidence_window": rules["window"], "withdrawal_delay": 2 * rules["window"], **rules}


def is_code_of(name: str, code: bytes) -> bool:
    """Return whether ``code`` is the shipped contract's: immutable values stand where the artifact has zeros."""
    shipped = contract_abi(name).artifact.deployed_bytecode
    return len(code) == len(shipped) and all(a in (0, b) for a, b in zip(shipped, code, strict=True))
