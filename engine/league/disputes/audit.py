"""The auditor: checks an anchored round by its numbers, then by playing every match of it again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from engine.chain.session import Chain
from engine.core.turns import beside
from engine.league.disputes.checks import Fraud, FraudKind, self_proving
from engine.league.disputes.posted import Anchored, read_anchored
from engine.league.disputes.published import Published
from engine.league.disputes.walk import first_divergence
from engine.league.history import MatchRow, RoundRow
from engine.league.results import commitment_of
from engine.league.schedule import Fixture
from engine.league.settlement import StoredRound
from engine.league.standings import NO_OPPONENT, RoundCommitment

Replay = Callable[[RoundRow, Sequence[Fixture]], Awaitable[list[MatchRow]]]


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found. ``frauds`` come in the order to act on; ``replayed`` counts matches, ``compared`` pairs of
    tree nodes. ``published`` is what the host shows, ``honest`` what the replay gives."""

    stored: StoredRound
    anchored: Anchored
    published: Published
    honest: RoundCommitment
    frauds: tuple[Fraud, ...]
    replayed: int
    compared: int

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong with the round."""
        return not self.frauds

    def fixture(self, fraud: Fraud) -> int | None:
        """Return the number of the match that a fraud is about."""
        return None if fraud.index is None else self.stored.matches[fraud.index].fixture

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "round_id": self.stored.row.round_id,
            "name": self.stored.row.name,
            "number": self.stored.row.number,
            "root": self.anchored.round.root.hex(),
            "replayed_root": self.honest.tree.root.hex(),
            "clean": self.clean,
            "replayed": self.replayed,
            "compared": self.compared,
            "frauds": [
                {
                    "kind": fraud.kind.value,
                    "match": self.fixture(fraud),
                    "index": fraud.index,
                    "detail": fraud.detail,
                    "proves_itself": fraud.kind.proves_itself,
                }
                for fraud in self.frauds
            ],
        }


async def audit(stored: StoredRound, chain: Chain, replay: Replay) -> Audit:
    """Check a posted round. Raises LeagueError when it is not on the chain or a match cannot be played here.

    1. Root and totals come from the chain, the leaves as the host published them. 2. Frauds that prove themselves.
    3. Every match is played again; the first divergent leaf is found by walking both trees down.
    """
    anchored = await read_anchored(chain, stored.commitment_id(chain.operator))
    published = replace(stored.published(), scores=anchored.scores)
    frauds = list(self_proving(published, anchored.posted))
    rows = await replayed_rows(stored, replay)
    honest = await beside(partial(commitment_of, len(stored.entries), rows))
    found, compared = _compare(published, honest, anchored)
    frauds += found
    return Audit(stored, anchored, published, honest, tuple(frauds), len(rows), compared)


async def replayed_rows(stored: StoredRound, replay: Replay, indices: Sequence[int] | None = None) -> list[MatchRow]:
    """Play matches of a round again, all or those of some leaves; byes are as they are, nobody played them."""
    rows = [stored.matches[index] for index in (range(len(stored.matches)) if indices is None else indices)]
    fixtures = [Fixture(m.fixture, m.a, m.b, m.seed, m.stage) for m in rows if m.outcome != "BYE"]
    played = {row.fixture: row for row in (await replay(stored.row, fixtures) if fixtures else ())}
    return [played.get(row.fixture, row) for row in rows]


def _compare(published: Published, honest: RoundCommitment, anchored: Anchored) -> tuple[list[Fraud], int]:
    """Return what differs from the replay, and how many pairs of nodes were compared."""
    tree = published.tree()
    if tree.root != anchored.round.root or tree.size != anchored.round.n_steps:
        index = next(iter(published.withheld), 0)
        return [Fraud(FraudKind.WITHHELD, index, "the published matches are not those of the posted root")], 0
    withheld = [Fraud(FraudKind.WITHHELD, i, f"match {i} of the tree was not published") for i in published.withheld]
    if tree.size != honest.tree.size:
        return [Fraud(FraudKind.REPLAY, None, f"{tree.size} matches are posted, {honest.tree.size} were played")], 1
    divergence = first_divergence(tree, honest.tree)
    if divergence is None:
        return withheld, 1
    index = divergence.index
    if index not in published.withheld:
        withheld.append(Fraud(FraudKind.REPLAY, index, _difference(published, honest, index)))
    return withheld, divergence.compared


def _difference(published: Published, honest: RoundCommitment, index: int) -> str:
    """Say how a published leaf differs from the replayed one."""
    said, played = published.leaves[index], honest.leaves[index]
    assert said is not None
    if (said.d_a, said.d_b) != (played.d_a, played.d_b):
        if said.b == NO_OPPONENT:
            return f"the host posted the score {said.d_a}, the replay gives {played.d_a}"
        return f"the host posted the scores {said.d_a} and {said.d_b}, the replay gives {played.d_a} and {played.d_b}"
    if said.evidence != played.evidence:
        return "the host posted another trace than the replay gives"
    return "the host posted other seats or standings than the replay gives"
