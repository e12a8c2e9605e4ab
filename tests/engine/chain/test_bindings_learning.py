"""The bindings of POL and ProofOfLearning, their deployment, and what an older workspace gets of them."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest
from eth_account.messages import encode_typed_data

from engine.chain import learning
from engine.chain.abi import contract_abi
from engine.chain.deploy import PARTS, SUPPLY, TREASURY_ACCOUNT, Deployer
from engine.chain.errors import ContractRevertError
from engine.chain.events import ContractsDeployed
from engine.chain.learning import (
    OFFENCES,
    STAKE,
    Ack,
    ChainSpec,
    ChainState,
    Finality,
    Header,
    StakeKeys,
    Staker,
    Verdict,
    message_of,
    pack_signatures,
    struct_hash,
)
from engine.chain.session import Chain, Parts
from engine.chain.wallet import OPERATOR
from engine.core.bus import EventBus
from engine.core.hashing import keccak
from engine.store.outbox import OutboxTx

ONE, TWO = b"\x01" * 32, b"\x02" * 32
HEADER = Header(ONE, 7, 2, TWO, ONE, TWO, ONE, TWO)
ACK = Ack(ONE, 7, 2, accept=True, base_root=TWO, update_id=ONE)
VERDICT = Verdict(ONE, 2, 4, TWO)
SPEC = ChainSpec(ONE, TWO, 0, 8, 0, 1)
KEYS = StakeKeys(b"p" * 48, TWO, b"s" * 96)


def snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def test_structs_have_the_contracts_fields_in_order():
    abi = contract_abi("ProofOfLearning")
    for view, cls in (("chainOf", ChainState), ("validatorOf", Staker)):
        (struct,) = abi.functions[view]["outputs"]
        own = [field.name for field in fields(cls)]
        renamed = {"first_era": "from", "last_era": "until"}
        assert [snake(part["name"]) for part in struct["components"]] == [renamed.get(name, name) for name in own]
    for call, cls in (("digestOfHeader", Header), ("digestOfAck", Ack), ("digestOfVerdict", Verdict)):
        (struct,) = abi.functions[call]["inputs"]
        assert [snake(part["name"]) for part in struct["components"]] == [field.name for field in fields(cls)]
        ((_, types),) = cls.TYPES.items()
        assert [(part["name"], part["type"]) for part in struct["components"]] == [
            (field["name"], field["type"]) for field in types
        ]


def test_offences_are_the_contracts_and_the_engines():
    from engine.chain.compiler import contracts_dir
    from engine.learning import results

    source = (contracts_dir() / "src" / "interfaces" / "IProofOfLearning.sol").read_text(encoding="utf-8")
    body = source.partition("enum Offence {")[2].partition("}")[0]
    assert [snake(word.strip()).lstrip("_") for word in body.split(",")] == list(OFFENCES) == list(results.OFFENCES)
    states = source.partition("enum Status {")[2].partition("}")[0]
    names = [word.strip().upper() for word in states.split(",")]
    assert [getattr(learning, name) for name in names] == [0, 1, 2, 3]


def test_batches_of_signatures_rise_by_number_and_are_compact():
    r, s = b"\x11" * 32, b"\x22" * 32
    packed = pack_signatures([(9, r + s + b"\x1c"), (1, r + s + b"\x1b")])
    assert packed[:68] == (1).to_bytes(4) + r + s
    assert packed[68:] == (9).to_bytes(4) + r + bytes([s[0] | 0x80]) + s[1:]
    assert pack_signatures([]) == b""


@pytest.mark.chain
async def test_pol_and_the_staking_contract_are_deployed(tmp_path, chain_at):
    async with chain_at(tmp_path) as (_, chain, parts):
        operator, rules = parts.wallet.address(OPERATOR), chain.deployment.rules
        token, stakes = chain.token, chain.learning
        assert await token.has_faucet() and await token.balance_of(operator) == SUPPLY
        for name, value in zip(
            ("penalty", "reporterBps", "evidenceWindow", "withdrawalDelay"), rules.learning(), strict=True
        ):
            assert await stakes._view(name) == (value,)
        assert (await stakes._view("token"))[0].lower() == token.address.lower()
        assert (await stakes._view("treasury"))[0].lower() == parts.wallet.address(TREASURY_ACCOUNT).lower()
        for value in (HEADER, Finality(ONE), ACK, VERDICT):
            domain = chain._domain(stakes)
            encoded = encode_typed_data(domain, value.TYPES, message_of(value))
            assert encoded.body == struct_hash(value)
            digest = keccak(b"\x19" + encoded.version + encoded.header + encoded.body)
            assert await stakes.digest_of(value) == digest
        with pytest.raises(ContractRevertError, match="UnknownChain"):
            await stakes.chain_of(ONE)


@pytest.mark.chain
async def test_a_chain_is_opened_joined_by_permit_and_left(tmp_path, chain_at):
    async with chain_at(tmp_path) as (_, chain, parts):
        stakes, staker = chain.learning, parts.wallet.address(3)
        name = SPEC.name(chain.operator)
        permit = chain.sign_permit(staker, stakes.address, STAKE, await chain.token.nonce_of(staker), 2**40)
        await send(
            chain,
            parts,
            (chain.operator, stakes.open_chain(SPEC)),
            (chain.operator, chain.token.approve(stakes.address, STAKE)),
            (chain.operator, stakes.deposit_for(name, parts.wallet.address(2), KEYS)),
            (chain.operator, chain.token.transfer(staker, STAKE)),
        )
        other = StakeKeys(b"q" * 48, ONE, b"s" * 96)
        await send(chain, parts, (staker, stakes.deposit_with_permit(name, other, 2**40, permit)))
        state = await stakes.chain_of(name)
        assert (state.opener.lower(), state.deposits, state.size) == (chain.operator.lower(), 2, 1)
        header = Header(name, 9, await stakes.proposer_of(name, 9), ONE, TWO, ONE, TWO, ONE)
        assert header.proposer == 0
        signature = chain.sign_stake(parts.wallet.address(2), header)
        await send(chain, parts, (chain.operator, stakes.propose(header, signature)))
        assert await stakes.header_at(name, 9) == struct_hash(header)
        vote = chain.sign_stake(parts.wallet.address(2), Finality(struct_hash(header)))
        await send(chain, parts, (chain.operator, stakes.finalize(header, pack_signatures([(0, vote)]))))
        assert (await stakes.chain_of(name)).final_header == struct_hash(header)
        rival = Header(name, 9, 0, TWO, TWO, ONE, TWO, ONE)
        second = chain.sign_stake(parts.wallet.address(2), rival)
        await send(chain, parts, (staker, stakes.slash_proposer(header, signature, rival, second)))
        assert (await stakes.validator_of(name, 0)).status == learning.SLASHED
        assert await stakes.credit_of(staker) == 8 * 10**18
        await send(chain, parts, (staker, stakes.claim_credit()), (staker, stakes.request_exit(name, 1)))
        assert await chain.token.balance_of(staker) == 8 * 10**18
        await chain.control.warp_to(await stakes.withdrawable_at(name, 1) + 1)
        await send(chain, parts, (staker, stakes.withdraw(name, 1)))
        assert await chain.token.balance_of(staker) == 40 * 10**18
        assert await stakes.totals() == (16 * 10**18, 8 * 10**18)


@pytest.mark.chain
@pytest.mark.parametrize("missing", [("token", "learning"), ("consensus", "token", "learning")])
async def test_an_older_workspace_keeps_all_and_gets_only_what_is_missing(tmp_path, chain_at, missing):
    async with chain_at(tmp_path) as (_, chain, parts):
        record = chain.deployment.to_json()
        for part in missing:
            del record[part]
        for rule in ("slashing_penalty", "withdrawal_delay", *(("evidence_window",) if len(missing) == 3 else ())):
            del record["rules"][rule]
        with parts.store.transaction() as db:
            db.execute("UPDATE deployments SET record = ? WHERE book = ?", (json.dumps(record), chain.book))
        assert await Deployer(chain.rpc, parts.store, parts.wallet).find() is None
        seen: list[ContractsDeployed] = []
        bus = EventBus()
        bus.subscribe(seen.append, ContractsDeployed)
        again = await Chain.connect(chain.url, Parts(parts.store, bus, parts.wallet, parts.number_of))
        assert again.book == chain.book
        for part in PARTS:
            same = getattr(again.deployment, part) == getattr(chain.deployment, part)
            assert same == (part not in missing)
            assert getattr(seen[0], part) == getattr(again.deployment, part).address
        assert again.deployment.rules == chain.deployment.rules
        assert await again.token.has_faucet()
        third = await Chain.connect(chain.url, parts)
        assert third.deployment == again.deployment
        await again.close()
        await third.close()


async def send(chain, parts, *calls):
    with parts.store.transaction():
        for account, call in calls:
            key = keccak(call.data + account.encode()).hex()
            parts.store.outbox.enqueue(OutboxTx(key, chain.book, account, call.to, call.data, 0, "test"))
    await chain.drain()
    assert parts.store.outbox.failed("") == []
