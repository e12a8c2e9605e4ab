"""What the auditor calls a fraud is what the contract accepts as one, for every kind of proof at every match."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from engine.chain.anvil import Devnet
from engine.chain.errors import ContractRevertError
from engine.chain.rpc import hex_data
from engine.chain.session import Chain, Parts
from engine.chain.wallet import AUDITOR, Wallet, service_number
from engine.core.bus import EventBus
from engine.core.merkle import RoundTree
from engine.league.disputes.checks import Fraud, FraudKind, Posted, roster_hash, self_proving
from engine.league.disputes.published import Published
from engine.league.settlement import commitment_id
from engine.league.standings import (
    NO_OPPONENT,
    Played,
    RoundLeaf,
    commit_round,
    pack_standings,
    standings_hash,
)
from engine.store.database import Store
from engine.store.outbox import OutboxTx

pytestmark = pytest.mark.chain
ROUNDS = 60
SEATS = [f"0x{number + 1:040x}" for number in range(3)]
BIG = 2**63 - 1


def tampered(dice: random.Random) -> tuple[list[RoundLeaf], tuple[int, ...], int]:
    """Return leaves, totals and bound of a small round, right or with one or two things wrong."""
    matches = []
    for number in range(dice.randrange(1, 5)):
        a, b = dice.sample(range(3), 2)
        solo = dice.random() < 0.5
        scores = (dice.randrange(-50, 50), None if solo else dice.randrange(-50, 50))
        matches.append(Played(a, None if solo else b, *scores, bytes([number]) * 32))
    honest = commit_round(3, matches)
    leaves, totals, bound = list(honest.leaves), list(honest.scores), 50
    for _ in range(dice.randrange(3)):
        index = dice.randrange(len(leaves))
        leaf = leaves[index]
        other = standings_hash([dice.randrange(5) for _ in range(3)])
        changes = [
            {"pre": other}, {"post": other}, {"d_a": 51}, {"d_a": -51}, {"d_a": leaf.d_a + 1}, {"a": 3}, {"b": 7},
            {"b": leaf.a}, {"b": NO_OPPONENT, "d_b": 1}, {"d_a": BIG}, {"d_a": -BIG - 1},
        ]  # fmt: skip
        leaves[index] = replace(leaf, **dice.choice(changes))
        if dice.random() < 0.2:
            totals[dice.randrange(3)] += 1
        if dice.random() < 0.2:
            bound = 2**64 - 1
    return leaves, tuple(totals), bound


def candidates(leaves: list[RoundLeaf], scores: tuple[int, ...]) -> list[Fraud]:
    """Return every proof that could be tried: each kind at each match."""
    tries = [Fraud(FraudKind.GENESIS, 0, ""), Fraud(FraudKind.TERMINAL, len(leaves) - 1, "")]
    standings = [0, 0, 0]
    for leaf in leaves:
        tries.append(Fraud(FraudKind.BOUNDS, leaf.index, ""))
        if leaf.index + 1 < len(leaves):
            tries.append(Fraud(FraudKind.BREAK, leaf.index, ""))
        if standings is not None and standings_hash(standings) == leaf.pre:
            tries.append(Fraud(FraudKind.ARITHMETIC, leaf.index, "", tuple(standings)))
        standings = following(standings, leaf)
    return tries


def following(standings: list[int] | None, leaf: RoundLeaf) -> list[int] | None:
    if standings is None or leaf.a > 2 or (leaf.b > 2 and leaf.b != NO_OPPONENT):
        return None
    after = list(standings)
    after[leaf.a] += leaf.d_a
    if leaf.b != NO_OPPONENT:
        after[leaf.b] += leaf.d_b
    return after if all(-BIG - 1 <= score <= BIG for score in after) else None


async def accepts(
    chain: Chain, identity: bytes, leaves: list[RoundLeaf], scores: tuple[int, ...], fraud: Fraud
) -> bool:
    """Ask the contract whether it would take this for a proof; only NoFraud is a plain no."""
    tree, court = RoundTree([leaf.hash() for leaf in leaves]), chain.court
    leaf, proof = leaves[fraud.index].as_tuple(), tree.proof(fraud.index)
    if fraud.kind is FraudKind.ARITHMETIC:
        call = court.prove_arithmetic(identity, leaf, proof, pack_standings(fraud.pre))
    elif fraud.kind is FraudKind.BREAK:
        right = leaves[fraud.index + 1].as_tuple()
        call = court.prove_break(identity, leaf, proof, right, tree.proof(fraud.index + 1))
    elif fraud.kind is FraudKind.TERMINAL:
        call = court.prove_terminal(identity, SEATS, scores, leaf, proof)
    elif fraud.kind is FraudKind.GENESIS:
        call = court.prove_genesis(identity, leaf, proof)
    else:
        call = court.prove_bounds(identity, leaf, proof)
    request = {"from": chain.wallet.address(AUDITOR), "to": call.to, "data": hex_data(call.data)}
    try:
        await chain.rpc.request("eth_call", request, "latest")
    except ContractRevertError as error:
        assert error.data["error"] == "NoFraud", error
        return False
    return True


@asynccontextmanager
async def chain_at(folder: Path) -> AsyncIterator[tuple[Chain, Store]]:
    wallet, store = Wallet.development(), Store.open(folder / "store.db")
    (folder / "node").mkdir()
    devnet = Devnet(folder / "node", EventBus())
    try:
        parts = Parts(store, EventBus(), wallet, lambda address: service_number(wallet, address))
        chain = await Chain.connect((await devnet.up()).url, parts)
        try:
            yield chain, store
        finally:
            await chain.close()
    finally:
        await devnet.down()
        await devnet.close()
        store.close()


async def test_the_checks_are_the_contracts(tmp_path):
    async with chain_at(tmp_path) as (chain, store):
        dice, seen = random.Random(7), set()
        operator = chain.operator
        posted = {}
        with store.transaction():
            stake, exposure = chain.vault.stake(), chain.deployment.rules.exposure
            store.outbox.enqueue(
                OutboxTx("stake", chain.book, operator, stake.to, stake.data, exposure * ROUNDS, "stake")
            )
            for number in range(ROUNDS):
                leaves, scores, bound = tampered(dice)
                tree, league = RoundTree([leaf.hash() for leaf in leaves]), number.to_bytes(32, "big")
                call = chain.anchor.post(bytes(32), league, tree.root, tree.size, tree.depth, bound, SEATS, scores)
                store.outbox.enqueue(OutboxTx(f"post:{number}", chain.book, operator, call.to, call.data, 0, "post"))
                posted[league] = (leaves, scores, bound, tree)
        await chain.drain()
        assert store.outbox.counts(chain.book) == {"mined": ROUNDS + 1}
        for league, (leaves, scores, bound, tree) in posted.items():
            identity = commitment_id(operator, league)
            published = Published(tuple(leaf.hash() for leaf in leaves), tuple(leaves), scores)
            facts = Posted(operator, tree.root, roster_hash(SEATS, scores), tree.size, tree.depth, bound)
            found = {(fraud.kind, fraud.index): fraud for fraud in self_proving(published, facts)}
            for fraud in candidates(leaves, scores):
                wanted = (fraud.kind, fraud.index) in found
                assert await accepts(chain, identity, leaves, scores, fraud) is wanted, (fraud, leaves)
                seen.add((fraud.kind, wanted))
            assert found.keys() <= {(fraud.kind, fraud.index) for fraud in candidates(leaves, scores)}
        kinds = (FraudKind.GENESIS, FraudKind.BOUNDS, FraudKind.ARITHMETIC, FraudKind.BREAK, FraudKind.TERMINAL)
        assert seen == {(kind, wanted) for kind in kinds for wanted in (True, False)}
