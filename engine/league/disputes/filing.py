"""From a fraud to the transaction that brings it before the chain."""

from __future__ import annotations

from engine.chain.bindings import Call
from engine.chain.court import REPLAY, REVEAL
from engine.chain.session import Chain
from engine.league.disputes.checks import Fraud, FraudKind
from engine.league.disputes.posted import Anchored
from engine.league.disputes.published import Published
from engine.league.errors import LeagueError
from engine.league.settlement import StoredRound
from engine.league.standings import RoundLeaf, pack_standings


def court_kind(kind: FraudKind) -> int:
    """Return the court's kind of a dispute."""
    return REVEAL if kind is FraudKind.WITHHELD else REPLAY


def filing(chain: Chain, stored: StoredRound, anchored: Anchored, published: Published, fraud: Fraud) -> Call:
    """Return the call that proves a fraud or opens the dispute on it. Raises LeagueError where the chain has none."""
    court, identity, tree = chain.court, anchored.identity, published.tree()
    if fraud.kind is FraudKind.EQUIVOCATION:
        assert published.second is not None
        return court.prove_equivocation(identity, stored.league_id, published.second.root, published.second.signature)
    if fraud.index is None:
        raise LeagueError("The chain has no remedy for this", fraud.detail, "Do not settle or enter such a round.")
    if fraud.kind is FraudKind.WITHHELD:
        return court.demand_reveal(identity, fraud.index)
    leaf, proof = _shown(published, fraud.index).as_tuple(), tree.proof(fraud.index)
    if fraud.kind is FraudKind.REPLAY:
        return court.dispute_replay(identity, leaf, proof)
    if fraud.kind is FraudKind.ARITHMETIC:
        return court.prove_arithmetic(identity, leaf, proof, pack_standings(fraud.pre))
    if fraud.kind is FraudKind.BREAK:
        right = _shown(published, fraud.index + 1).as_tuple()
        return court.prove_break(identity, leaf, proof, right, tree.proof(fraud.index + 1))
    if fraud.kind is FraudKind.TERMINAL:
        return court.prove_terminal(identity, anchored.addresses, anchored.scores, leaf, proof)
    if fraud.kind is FraudKind.GENESIS:
        return court.prove_genesis(identity, leaf, proof)
    return court.prove_bounds(identity, leaf, proof)


def _shown(published: Published, index: int) -> RoundLeaf:
    leaf = published.leaves[index]
    if leaf is None:
        raise LeagueError(f"Match {index} was not published", "", "Demand it first.")
    return leaf
