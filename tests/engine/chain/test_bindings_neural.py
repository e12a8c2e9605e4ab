"""The binding of NeuralConsensus against its ABI, its deployment, and workspaces that were made before it."""

import dataclasses
import json
import re

import pytest
from eth_abi.abi import encode
from eth_account.messages import encode_typed_data

from engine.chain import neural
from engine.chain.abi import contract_abi, decode_call
from engine.chain.deploy import PARTS, Deployer, Deployment
from engine.chain.errors import ContractRevertError, WrongChainError
from engine.chain.events import ContractsDeployed
from engine.chain.neural import NeuralAgent, NeuralConsensus, NeuralTask
from engine.chain.session import Chain, Parts
from engine.chain.wallet import OPERATOR
from engine.consensus.messages import Domain, PositionMessage
from engine.core.bus import EventBus
from engine.core.hashing import keccak
from engine.store.database import Store
from engine.store.outbox import OutboxTx

ETHER = 10**18
A, B = "0x" + "aa" * 20, "0x" + "bb" * 20
ONE = b"\x01" * 32
MESSAGE = PositionMessage(ONE, B, keccak(b"packed"), 500_000, 0, 3, 99)


class Zeros:
    """Answers every view with zeros or an empty list, and keeps what was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def call(self, to: str, data: bytes, *, block: int | None = None) -> bytes:
        abi = contract_abi("NeuralConsensus")
        self.asked.append(abi.decode_call(data).name)
        is_list = abi.functions[self.asked[-1]]["outputs"][0]["type"] == "uint256[]"
        return encode(["uint256[]", "bool"], [[], False]) if is_list else bytes(32 * 32)


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda found: "_" + found.group(1).lower(), name)


def fields(cls: type) -> list[str]:
    return [field.name for field in dataclasses.fields(cls)]


def test_every_transaction_is_bound_and_encodes_what_the_abi_decodes():
    bound = NeuralConsensus(A, Zeros())
    sent = {
        "register": bound.register(ONE),
        "deregister": bound.deregister(),
        "release": bound.release(),
        "advanceNonce": bound.advance_nonce(),
        "createTask": bound.create_task(ONE, 8, 77, 1_000_000, 10**12, 3, "accumulator"),
        neural._OWN: bound.submit_position(B, [1, 2**48 - 1], 7, ONE),
        neural._SIGNED: bound.submit_signed([5], MESSAGE.values(), bytes(65)),
        "submitPositions": bound.submit_positions(ONE, 99, bytes(98)),
        "proveEquilibrium": bound.prove_equilibrium(ONE, [ONE, ONE], bytes(12), [2**90]),
        "finalizeConsensus": bound.finalize(ONE, [4, 5]),
        "voidTask": bound.void(ONE),
        "creditReputation": bound.credit_reputation(ONE, [ONE], bytes(6)),
        "proveEquivocation": bound.prove_equivocation(MESSAGE.values(), bytes(65), MESSAGE.values(), bytes(64)),
    }
    functions = bound.abi.functions
    assert set(sent) <= set(functions)
    changing = {name for name, item in functions.items() if item["stateMutability"] in ("nonpayable", "payable")}
    of_openzeppelin = {"grantRole", "revokeRole", "renounceRole", "pause", "unpause"}
    left = {name for name in changing - set(sent) if "DefaultAdmin" not in name} - of_openzeppelin
    assert left == set(), "not bound"
    for name, call in sent.items():
        decoded = bound.abi.decode_call(call.data)
        assert decoded is not None and (decoded.name, call.to) == (name.partition("(")[0], A)
        assert len(decoded.arguments) == len(functions[name]["inputs"])
    task = bound.abi.decode_call(sent["createTask"].data).arguments
    assert (task["dims"], task["minAgents"], task["tier"], task["eps"]) == (8, 3, 1, 10**12)
    signed = decode_call(sent[neural._SIGNED].data).arguments
    assert (signed["_agentId"].lower(), signed["_confidence"], signed["nonce"], signed["deadline"]) == (
        B,
        500_000,
        3,
        99,
    )
    granted = bound.abi.decode_call(bound.grant_operator(B).data).arguments
    assert granted["role"] == "0x" + keccak(b"OPERATOR_ROLE").hex()
    with pytest.raises(ValueError, match="not in tuple"):
        bound.create_task(ONE, 8, 77, 1, 1, 2, "cheap")


async def test_views_give_the_abis_fields():
    node = Zeros()
    bound = NeuralConsensus(A, node)
    agent, task = await bound.agent_of(A), await bound.task_of(ONE)
    assert (agent.active, agent.reputation, task.status, task.count) == (False, 0, neural.NONE, 0)
    assert await bound.compute(ONE) == await bound.result_of(ONE) == ((), False)
    assert await bound.commitment_of(ONE, A) == bytes(32) and not await bound.excluded(ONE, A)
    assert await bound.digest_of(MESSAGE.values()) == bytes(32) and await bound.reputation_of(A) == 0
    assert node.asked[:3] == ["agentOf", "taskOf", "computeNashEquilibrium"]
    for view, cls in (("agentOf", NeuralAgent), ("taskOf", NeuralTask)):
        (struct,) = bound.abi.functions[view]["outputs"]
        assert [snake(part["name"]) for part in struct["components"]] == fields(cls)


def test_enums_are_the_contracts():
    source = (contract_source() / "interfaces" / "INeuralConsensus.sol").read_text(encoding="utf-8")
    for enum, words in (
        ("Status", ["None", "Open", "Certified", "Finalized", "Void"]),
        ("Tier", [tier.title() for tier in neural.TIERS]),
        ("Reason", ["None", *(reason.title().replace(" ", "") for reason in neural.REJECTIONS[1:])]),
    ):
        body = source.partition(f"enum {enum} {{")[2].partition("}")[0]
        assert [word.strip() for word in body.split(",")] == words
    assert (neural.NONE, neural.OPEN, neural.CERTIFIED, neural.FINALIZED, neural.VOID) == (0, 1, 2, 3, 4)


def contract_source():
    from engine.chain.compiler import contracts_dir

    return contracts_dir() / "src"


def test_who_left_or_is_banned_takes_no_part():
    assert NeuralAgent(ONE, 5, 0, 0, 100, False).active
    assert not NeuralAgent(ONE, 5, 9, 0, 100, False).active
    assert not NeuralAgent(ONE, 5, 0, 0, 100, True).active


@pytest.mark.chain
async def test_the_consensus_is_deployed_with_its_roles_and_rules(tmp_path, chain_at):
    async with chain_at(tmp_path) as (_, chain, parts):
        consensus, rules = chain.consensus, chain.deployment.rules
        assert [contract.name for contract in chain.deployment.contracts][3:] == [
            "NeuralConsensus",
            "POL",
            "ProofOfLearning",
        ]
        assert await consensus.has_role("OPERATOR_ROLE", parts.wallet.address(OPERATOR))
        slashes = await chain.vault._view("hasRole", keccak(b"SLASHER_ROLE"), consensus.address)
        assert slashes == (True,)
        assert (await consensus._view("vault"))[0].lower() == chain.vault.address.lower()
        for name, value in (
            ("riskPerAgent", rules.risk_per_agent),
            ("equivocationPenalty", rules.equivocation_penalty),
            ("evidenceWindow", rules.evidence_window),
            ("reporterBps", rules.reporter_bps),
        ):
            assert await consensus._view(name) == (value,)
        message = PositionMessage(ONE, parts.wallet.address(3), keccak(b"packed"), 500_000, 0, 3, 99)
        domain = Domain(31337, consensus.address).fields()
        encoded = encode_typed_data(domain, PositionMessage.TYPES, message.message())
        digest = keccak(b"\x19" + encoded.version + encoded.header + encoded.body)
        assert await consensus.digest_of(message.values()) == digest
        with pytest.raises(ContractRevertError, match="UnknownTask"):
            await chain.rpc.call(consensus.address, consensus.void(ONE).data)


@pytest.mark.chain
async def test_an_older_workspace_keeps_its_stakes_and_gets_the_new_contract(tmp_path, chain_at):
    async with chain_at(tmp_path) as (_, chain, parts):
        staker = parts.wallet.address(3)
        call = chain.vault.stake()
        with parts.store.transaction():
            parts.store.outbox.enqueue(OutboxTx("s", chain.book, staker, call.to, call.data, ETHER, "stake"))
        await chain.drain()
        forget_consensus(parts, chain.deployment)
        deployer = Deployer(chain.rpc, parts.store, parts.wallet)
        assert await deployer.find() is None
        seen: list[ContractsDeployed] = []
        bus = EventBus()
        bus.subscribe(seen.append, ContractsDeployed)
        again = await Chain.connect(chain.url, Parts(parts.store, bus, parts.wallet, parts.number_of))
        assert (again.book, again.vault.address, again.court.address) == (
            chain.book,
            chain.vault.address,
            chain.court.address,
        )
        assert again.consensus.address != chain.consensus.address
        assert (await again.vault.account_of(staker)).active == ETHER
        assert (await again.vault._view("hasRole", keccak(b"SLASHER_ROLE"), again.consensus.address)) == (True,)
        assert seen[0].consensus == again.consensus.address
        assert await deployer.find() == again.deployment
        await again.close()


@pytest.mark.chain
async def test_a_named_contract_is_used_as_it_stands(tmp_path, chain_at):
    async with chain_at(tmp_path) as (_, chain, parts):
        other = Parts(Store.open(tmp_path / "other.db"), EventBus(), parts.wallet, parts.number_of)
        address = chain.consensus.address
        named = await Chain.connect(chain.url, other, consensus_at=address.lower())
        assert (named.consensus.address, named.vault.address) == (address, chain.vault.address)
        assert named.book == chain.book  # of the same chain and vault, so no outbox of another is sent to it
        assert named.deployment.treasury == chain.deployment.treasury
        assert [contract.name for contract in named.deployment.contracts] == ["StakeVault", "NeuralConsensus"]
        assert await named.alive()
        await named.drain()
        assert await Deployer(named.rpc, other.store, other.wallet).find() is None
        same = await Chain.connect(chain.url, parts, consensus_at=address)
        assert same.deployment == chain.deployment
        for wrong, why in ((parts.wallet.address(3), "no code"), (chain.vault.address, "is another")):
            with pytest.raises(WrongChainError, match=why):
                await Chain.connect(chain.url, other, consensus_at=wrong)
        await named.close()
        await same.close()
        other.store.close()


def forget_consensus(parts: Parts, deployment: Deployment) -> None:
    """Write the record as a program without the consensus did."""
    record = deployment.to_json()
    del record["consensus"]
    for name in ("risk_per_agent", "equivocation_penalty", "evidence_window"):
        del record["rules"][name]
    with parts.store.transaction() as db:
        db.execute("UPDATE deployments SET record = ? WHERE book = ?", (json.dumps(record), deployment.book))
    assert set(PARTS) - set(record) == {"consensus"}
