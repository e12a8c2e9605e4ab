"""The verifiers: bonded accounts that play a disputed match again and sign what they find."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.chain.court import ReplayAttestation
from engine.chain.session import Chain
from engine.chain.wallet import VERIFIERS
from engine.core.hashing import keccak
from engine.league.accounts import Accounts
from engine.league.disputes.audit import Replay, replayed_rows
from engine.league.disputes.cases import Attestation, Case
from engine.league.disputes.published import Published
from engine.league.errors import LeagueError
from engine.league.gate.limits import GATE_VERSION
from engine.league.history import MatchRow
from engine.league.settlement import StoredRound
from engine.league.standings import NO_OPPONENT, RoundLeaf, standings_hash

SIZE = 4  # verifiers that are kept bonded: three decide when one is missing
ENGINE_HASH = keccak(b"nashboard/engine/1/" + str(GATE_VERSION).encode())
MINIMUM_STAKE = 10**17


@dataclass(frozen=True, slots=True)
class Conduct:
    """How the simulated verifiers behave: so many do not answer, so many sign for the posted leaf as well."""

    offline: int = 0
    two_faced: int = 0


HONEST = Conduct()


def panel(chain: Chain, accounts: Accounts) -> list[str]:
    """Return the addresses of the verifiers that take part: the first ones that were never slashed."""
    numbers = (chain.wallet.address(number) for number in VERIFIERS)
    return [address for address in numbers if not accounts.balance(address).slashed][:SIZE]


async def replayed_leaf(stored: StoredRound, published: Published, index: int, replay: Replay) -> RoundLeaf:
    """Return the leaf that a replay of one match gives.

    The standings before it are those that the published leaves lead to; one that was withheld is played again too.
    """
    missing = [i for i in published.withheld if i < index]
    rows = await replayed_rows(stored, replay, [*missing, index])
    scores = [0] * len(stored.entries)
    known = dict(zip(missing, rows, strict=False))
    for position in range(index):
        leaf = published.leaves[position]
        _add(scores, _gains(leaf) if leaf is not None else _scored(known[position]))
    row, pre = rows[-1], standings_hash(scores)
    _add(scores, _scored(row))
    b = NO_OPPONENT if row.b is None else row.b
    return RoundLeaf(index, row.a, b, row.score_a, row.score_b or 0, pre, standings_hash(scores), row.commitment)


def sign(
    chain: Chain, case: Case, identity: bytes, seated: Sequence[str], found: bytes, conduct: Conduct
) -> list[Attestation]:
    """Return what the seated verifiers sign: ``found`` is the hash of the leaf that the replay gave them."""
    if case.number is None or case.index is None or case.posted is None:
        raise LeagueError("Nothing can be attested", f"the dispute {case.dispute_id} is not before the court")
    words = []
    for place, verifier in enumerate(seated):
        for leaf in [found, case.posted] if place < conduct.two_faced and found != case.posted else [found]:
            message = ReplayAttestation(case.number, identity, case.index, leaf, ENGINE_HASH)
            words.append(Attestation(verifier, leaf, chain.sign_attestation(verifier, message)))
    return words


def _gains(leaf: RoundLeaf) -> list[tuple[int, int]]:
    return [(leaf.a, leaf.d_a), *([(leaf.b, leaf.d_b)] if leaf.b != NO_OPPONENT else [])]


def _scored(row: MatchRow) -> list[tuple[int, int]]:
    return [(row.a, row.score_a), *([(row.b, row.score_b)] if row.b is not None and row.score_b is not None else [])]


def _add(scores: list[int], gains: Sequence[tuple[int, int]]) -> None:
    for seat, points in gains:
        scores[seat] += points
