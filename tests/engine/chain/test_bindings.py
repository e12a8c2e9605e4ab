"""The bindings against the ABI: names, types, shapes of results, claims, decoded calls, events and errors."""

import dataclasses
import re

import pytest
from eth_abi.abi import encode
from eth_account.messages import encode_typed_data
from eth_utils.address import to_checksum_address

from engine.chain.abi import (
    CONTRACTS,
    contract_abi,
    decode_call,
    decode_log,
    explain_revert,
    parameter_types,
    selector,
    signature,
)
from engine.chain.bindings import LeagueAnchor, PostedRound, ScoreClaim, StakeVault, VaultAccount, VaultTotals
from engine.chain.court import CourtDispute, LeagueCourt, ReplayAttestation, RoundRoot, Vote
from engine.chain.explorer import Explorer
from engine.core.hashing import keccak
from engine.store.outbox import OutboxTx

ETHER = 10**18
A, B = "0x" + "aa" * 20, "0x" + "bb" * 20
ONE = b"\x01" * 32
LEAF = (0, 0, 1, 5, -5, ONE, ONE, ONE)
CLAIM = ScoreClaim(ONE, 0, to_checksum_address(A), 7, ONE)
VOTE = Vote(ONE, ONE, bytes(65))


class Recorder:
    """Answers every view with zeros of the right shape and keeps the calldata."""

    def __init__(self, name: str) -> None:
        self.abi, self.calls = contract_abi(name), []

    async def call(self, to: str, data: bytes, *, block: int | None = None) -> bytes:
        self.calls.append(self.abi.decode_call(data).name)
        return bytes(32 * 32)


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda found: "_" + found.group(1).lower(), name)


def fields(cls) -> list[str]:
    return [field.name for field in dataclasses.fields(cls)]


def test_transactions_encode_what_the_abi_decodes():
    vault, anchor = StakeVault(A, Recorder("StakeVault")), LeagueAnchor(B, Recorder("LeagueAnchor"))
    sent = {
        "stake": vault.stake(),
        "requestUnbond": vault.request_unbond(5),
        "withdraw": vault.withdraw(),
        "claim": vault.claim(),
        "grantRole": vault.grant_slasher(B),
        "collectPenalty": anchor.collect_penalty(ONE, A),
        "reclaimPot": anchor.reclaim_pot(ONE),
        "post": anchor.post(ONE, ONE, ONE, 3, 2, 9, [A, B], [4, -4]),
        "proveScoreMismatch": anchor.prove_score_mismatch(ONE, [A], [4], LEAF, [ONE], CLAIM, bytes(65)),
        "settle": anchor.settle(ONE, [A, B], [4, -4], [0, 1]),
        "claimPayout": anchor.claim_payout(ONE, [A], [4], 0),
    }
    for name, call in sent.items():
        decoded = decode_call(call.data)
        assert decoded is not None and decoded.name == name
        assert call.to == (B if decoded.contract == "LeagueAnchor" else A)
    post = decode_call(sent["post"].data).arguments
    assert (post["nSteps"], post["depth"], post["bound"]) == (3, 2, 9)
    assert post["agents"] == [to_checksum_address(A), to_checksum_address(B)] and post["scores"] == [4, -4]
    proof = decode_call(sent["proveScoreMismatch"].data).arguments
    assert proof["leaf"]["dB"] == -5 and proof["claim"]["score"] == 7
    assert decode_call(sent["grantRole"].data).arguments["role"] == "0x" + keccak(b"SLASHER_ROLE").hex()
    assert anchor.abi.decode_call(anchor.grant_court(B).data).arguments["role"] == "0x" + keccak(b"COURT_ROLE").hex()


def test_the_courts_transactions_encode_what_the_abi_decodes():
    court = LeagueCourt(B, Recorder("LeagueCourt"))
    sent = {
        "proveArithmetic": court.prove_arithmetic(ONE, LEAF, [ONE], bytes(16)),
        "proveBreak": court.prove_break(ONE, LEAF, [ONE], LEAF, []),
        "proveTerminal": court.prove_terminal(ONE, [A], [4], LEAF, [ONE]),
        "proveGenesis": court.prove_genesis(ONE, LEAF, [ONE]),
        "proveBounds": court.prove_bounds(ONE, LEAF, [ONE]),
        "proveEquivocation": court.prove_equivocation(ONE, ONE, ONE, bytes(65)),
        "demandReveal": court.demand_reveal(ONE, 3),
        "reveal": court.reveal(1, LEAF, [ONE], b"{}", ONE, 7),
        "timeout": court.timeout(1),
        "disputeReplay": court.dispute_replay(ONE, LEAF, [ONE]),
        "draw": court.draw(1),
        "attest": court.attest(1, ONE, ONE, [bytes(65)]),
        "extend": court.extend(1),
        "refund": court.refund(1),
        "registerVerifier": court.register_verifier(),
        "leaveVerifiers": court.leave_verifiers(),
        "proveDoubleVote": court.prove_double_vote(1, VOTE, VOTE),
    }
    changing = {n for n, item in court.abi.functions.items() if item["stateMutability"] in ("nonpayable", "payable")}
    assert set(sent) == changing
    for name, call in sent.items():
        decoded = decode_call(call.data)
        assert (decoded.contract, decoded.name, call.to) == ("LeagueCourt", name, B)
        assert len(decoded.arguments) == len(court.abi.functions[name]["inputs"])
    shown = decode_call(sent["reveal"].data).arguments
    assert (shown["disputeId"], shown["leaf"]["dB"], shown["header"], shown["steps"]) == (1, -5, "0x7b7d", 7)
    assert decode_call(sent["proveDoubleVote"].data).arguments["other"]["leaf"] == "0x" + ONE.hex()


async def test_the_courts_views_give_the_abis_fields():
    node = Recorder("LeagueCourt")
    court = LeagueCourt(A, node)
    dispute = await court.dispute_of(1)
    assert (dispute.state, dispute.bond, dispute.extended, dispute.leaf) == (0, 0, False, bytes(32))
    assert await court.latest_of(ONE, 1, 5) == await court.bond_for(ONE, 0) == await court.dispute_count() == 0
    assert await court.ballot_of(1, A) == (False, bytes(32)) and await court.votes_for(1, ONE) == 0
    assert await court.verifier_of(A) == (False, 0) and await court.verifier_count() == 0
    expected = [
        "disputeOf",
        "latestOf",
        "bondFor",
        "disputeCount",
        "ballotOf",
        "votesFor",
        "verifierOf",
        "verifierCount",
    ]
    assert node.calls == expected
    (struct,) = node.abi.functions["disputeOf"]["outputs"]
    assert [snake(part["name"]) for part in struct["components"]] == fields(CourtDispute)


async def test_views_ask_what_they_are_named_for_and_give_the_abis_fields():
    vault_node, anchor_node = Recorder("StakeVault"), Recorder("LeagueAnchor")
    vault, anchor = StakeVault(A, vault_node), LeagueAnchor(B, anchor_node)
    assert await vault.account_of(A) == VaultAccount(0, 0, 0, 0, 0, 0)
    assert await vault.totals() == VaultTotals(0, 0, 0, 0, 0)
    assert (await anchor.commitment_of(ONE)).status == 0
    assert await anchor.verify_step(ONE, LEAF, [ONE]) is False
    assert await anchor.verify_trace(ONE, LEAF, [ONE], ONE, ONE, 3, 1, ONE, ONE, [ONE]) is False
    assert await anchor.payout_of(ONE, [A], [4], 0) == 0
    assert await anchor.reporter_of(ONE, A) == "0x" + "00" * 20
    assert vault_node.calls == ["accountOf", "totals"]
    assert anchor_node.calls == ["commitmentOf", "verifyStep", "verifyTrace", "payoutOf", "reporterOf"]
    functions = {**vault_node.abi.functions, **anchor_node.abi.functions}
    for name, cls in (("accountOf", VaultAccount), ("totals", VaultTotals), ("commitmentOf", PostedRound)):
        outputs = functions[name]["outputs"]
        parts = outputs[0].get("components") or outputs
        named = [snake(part["name"]) for part in parts]
        assert [name for name in named if name] in ([], fields(cls)), named
        assert len(named) == len(fields(cls))
        types = {"root": "bytes32", "roster_hash": "bytes32", "poster": "address"}
        for part, field in zip(parts, fields(cls), strict=True):
            assert part["type"] == types.get(field, part["type"] if part["type"].startswith("uint") else "")


def test_a_claim_is_the_contracts_struct():
    claim = next(i for i in contract_abi("LeagueAnchor").functions["hashClaim"]["inputs"] if i["type"] == "tuple")
    declared = [{"name": part["name"], "type": part["type"]} for part in claim["components"]]
    assert declared == ScoreClaim.TYPES["ScoreClaim"]
    assert [snake(part["name"]) for part in declared] == fields(ScoreClaim)


@pytest.mark.chain
async def test_a_signed_claim_hashes_as_the_contract_hashes_it(tmp_path, chain_at):
    async with chain_at(tmp_path) as (_, chain, parts):
        agent = parts.wallet.address(3)
        claim = ScoreClaim(ONE, 2, agent, -7, keccak(b"evidence"))
        data = chain.anchor.abi.encode_call("hashClaim", dataclasses.astuple(claim))
        domain = {"name": "Nashboard LeagueAnchor", "version": "1", "chainId": 31337}
        domain["verifyingContract"] = chain.anchor.address
        message = encode_typed_data(domain, ScoreClaim.TYPES, claim.message())
        digest = keccak(b"\x19" + message.version + message.header + message.body)
        assert await chain.rpc.call(chain.anchor.address, data) == digest
        from eth_account import Account

        assert Account.recover_message(message, signature=chain.sign_claim(agent, claim)) == agent


@pytest.mark.chain
async def test_roots_and_attestations_hash_as_the_court_hashes_them(tmp_path, chain_at):
    from eth_account import Account

    async with chain_at(tmp_path) as (_, chain, parts):
        signer = parts.wallet.address(3)
        domain = {"name": "Nashboard LeagueCourt", "version": "1", "chainId": 31337}
        domain["verifyingContract"] = chain.court.address
        root, word = (
            RoundRoot(ONE, keccak(b"root")),
            ReplayAttestation(9, bytes(32), 0, keccak(b"leaf"), keccak(b"engine")),
        )
        for value, name, arguments, signature in (
            (root, "hashRoundRoot", (root.league_id, root.root), chain.sign_root(signer, root)),
            (word, "hashAttestation", (9, word.leaf, word.engine_hash), chain.sign_attestation(signer, word)),
        ):
            message = encode_typed_data(domain, value.TYPES, value.message())
            digest = keccak(b"\x19" + message.version + message.header + message.body)
            assert await chain.rpc.call(chain.court.address, chain.court.abi.encode_call(name, *arguments)) == digest
            assert Account.recover_message(message, signature=signature) == signer


@pytest.mark.chain
async def test_a_deployment_holds_the_rules_and_the_roles(tmp_path, chain_at):
    async with chain_at(tmp_path) as (_, chain, _parts):
        rules, court = chain.deployment.rules, chain.court
        for name, value in (("revealPeriod", rules.reveal_period), ("votePeriod", rules.vote_period)):
            assert (await court._view(name))[0] == value
        assert await court.bond_for(ONE, 0) == await court.bond_for(ONE, 1) == rules.bond
        assert (await court._view("anchor"))[0].lower() == chain.anchor.address.lower()
        roles = ((chain.vault, b"SLASHER_ROLE", chain.anchor), (chain.vault, b"SLASHER_ROLE", court))
        for where, role, holder in (*roles, (chain.anchor, b"COURT_ROLE", court)):
            assert (await where._view("hasRole", keccak(role), holder.address))[0] is True


def test_every_error_and_event_of_the_contracts_is_decoded():
    samples = {
        "address": A,
        "bytes32": ONE,
        "bytes8": b"12345678",
        "(bytes32,bytes32,uint64,uint32,uint32,uint32)": (ONE, ONE, 1, 1, 1, 1),
        "bytes": b"x",
        "string": "x",
        "bool": True,
        "bytes32[]": [ONE],
        "uint256[]": [1, 2],
        "address[]": [A],
    }
    samples["(uint32,uint32,uint32,int64,int64,bytes32,bytes32,bytes32)"] = LEAF
    for name in CONTRACTS:
        abi = contract_abi(name)
        for item in abi.errors.values():
            types = [entry["type"] for entry in item["inputs"]]
            data = selector(item) + encode(types, [samples.get(kind, 1) for kind in types])
            text, facts = explain_revert(data)
            assert facts["error"] == item["name"] and item["name"] in text
            assert len(facts["arguments"]) == len(types)
        for item in abi.events.values():
            indexed = parameter_types([entry for entry in item["inputs"] if entry["indexed"]])
            plain = parameter_types([entry for entry in item["inputs"] if not entry["indexed"]])
            topics = [keccak(signature(item).encode())]
            topics += [encode([kind], [samples.get(kind, 1)]) for kind in indexed]
            found = decode_log(topics, encode(plain, [samples.get(kind, 1) for kind in plain]))
            assert found is not None and found.name == item["name"]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "reverted without a reason"),
        (keccak(b"Error(string)")[:4] + encode(["string"], ["too late"]), "too late"),
        (keccak(b"Panic(uint256)")[:4] + encode(["uint256"], [0x11]), "panic 0x11"),
        (b"\xde\xad\xbe\xef", "unknown error 0xdeadbeef"),
        (keccak(b"Error(string)")[:4] + b"cut off", "unknown error 0x08c379a0"),
        (keccak(b"Panic(uint256)")[:4], "unknown error 0x4e487b71"),
        (selector(contract_abi("StakeVault").errors["BelowMinimum"]) + b"\x00", "unknown error"),
    ],
)
def test_reverts_of_all_kinds_are_told(data, text):
    assert text in explain_revert(data)[0]


def test_an_event_indexed_otherwise_is_left_undecoded():
    topic = keccak(b"Staked(address,uint256)")
    assert decode_log([topic], encode(["address", "uint256"], [A, 1])) is None
    assert decode_log([topic, bytes(32)], b"") is None
    assert decode_log([], b"") is None


@pytest.mark.chain
async def test_a_mined_transaction_is_shown_with_its_call_and_events(tmp_path, chain_at):
    async with chain_at(tmp_path) as (_, chain, parts):
        call = chain.vault.stake()
        with parts.store.transaction():
            parts.store.outbox.enqueue(
                OutboxTx("k", chain.book, parts.wallet.address(3), call.to, call.data, ETHER, "stake")
            )
        await chain.drain()
        row = parts.store.outbox.get("k")
        shown = await Explorer(chain.rpc).transaction(row.hash)
        assert (shown.call, shown.ok, shown.error, shown.value) == ("StakeVault.stake()", True, "", ETHER)
        (event,) = shown.events
        assert event.startswith("StakeVault.Staked(") and parts.wallet.address(3) in event and str(ETHER) in event
        account = await chain.vault.account_of(parts.wallet.address(3))
        assert account == VaultAccount(ETHER, 0, 0, 0, 0, 0)
        assert (await chain.vault.account_of(parts.wallet.address(3), block=row.block - 1)).active == 0


def test_keys_show_nowhere(wallet):
    from engine.chain.wallet import DEVELOPMENT_PHRASE

    key = wallet._account(0).key.hex()
    for text in (repr(wallet), str(wallet), repr(wallet._account(0)), repr(vars(wallet).get("_account"))):
        assert key.removeprefix("0x") not in text and DEVELOPMENT_PHRASE not in text
    assert wallet.address(0) == "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
    assert len({wallet.address(number) for number in (0, 1, 500, 1_000_000)}) == 4
