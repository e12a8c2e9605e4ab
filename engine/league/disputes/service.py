"""Disputes as the operator meets them: audit an anchored round, act on what is wrong, see what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from engine.chain.court import RoundRoot
from engine.chain.session import Chain
from engine.core.bus import EventBus
from engine.core.errors import UsageError
from engine.league.chainside import ChainSide
from engine.league.disputes.audit import Audit, audit
from engine.league.disputes.cases import (
    DISMISSED,
    OPEN,
    REFUNDED,
    UPHELD,
    Ballot,
    Case,
    Cases,
    DisputeView,
    Transaction,
)
from engine.league.disputes.checks import Fraud, FraudKind
from engine.league.disputes.host import altered_bundle, chosen_match, publication
from engine.league.disputes.panel import HONEST, Conduct, replayed_leaf
from engine.league.disputes.posted import read_anchored
from engine.league.disputes.proceedings import Evidence, Proceedings
from engine.league.disputes.published import Dishonesty, Publication
from engine.league.errors import LeagueError
from engine.league.events import RoundChanged
from engine.league.history import History, RoundRow
from engine.league.rerun import Rerun
from engine.league.settlement import Settlement, StoredRound
from engine.store.database import Store
from engine.store.outbox import OutboxRow

LOCK = "league"  # rounds, settlements and disputes take turns


class Disputes:
    """Disputes on the rounds of one store."""

    def __init__(
        self,
        store: Store,
        bus: EventBus,
        history: History,
        onchain: ChainSide,
        settlement_of: Callable[[Chain], Settlement],
        rerun: Rerun,
    ) -> None:
        self._store = store
        self._bus = bus
        self._history = history
        self._onchain = onchain
        self._settlement_of = settlement_of
        self._rerun = rerun
        self._cases = Cases(store.db)

    async def prepare(self, row: RoundRow, chain: Chain | None, bound: int) -> Publication | None:
        """Return what a dishonest host posts of a played round, None for an honest one."""
        how = Dishonesty(row.config.get("dishonesty", Dishonesty.HONEST))
        if how is Dishonesty.HONEST or chain is None:
            return None
        stored, seed = await StoredRound.read(self._history, row.round_id), row.config["seed"]
        claimed = {claim.fixture for claim in self._history.claims(row.round_id)}
        played = [
            index
            for index, match in enumerate(stored.matches)
            if match.outcome != "BYE" and match.fixture not in claimed  # a false claim is proven by a true leaf
        ]
        match = chosen_match(stored.commitment, played, how, seed, bound)
        altered = b""
        if how is Dishonesty.ALTER and match is not None:
            altered = altered_bundle(await self._rerun.bundle(row, stored.matches[match]), seed).commitment

        def sign(root: bytes) -> bytes:
            return chain.sign_root(chain.operator, RoundRoot(stored.league_id, root))

        return publication(stored.commitment, how, match, bound, altered=altered, sign=sign)

    async def check(self, round_id: str, *, workers: int | None = None) -> Audit:
        """Audit an anchored round, change nothing. Raises LeagueError when it is not on the chain.

        ``workers`` are the processes that replay; None leaves them as they are.
        """
        self._resize(workers)
        stored, chain = await self._anchored(round_id)
        return await audit(stored, chain, self._rerun.rows)

    async def open(
        self,
        round_id: str,
        *,
        match: int | None = None,
        withheld: bool = False,
        conduct: Conduct = HONEST,
        workers: int | None = None,
    ) -> list[DisputeView]:
        """Bring what is wrong with a round before the chain, until it is decided; first go on with what is open.

        With ``match`` that match is disputed (``withheld``: demanded) whether anything is wrong with it or not. Of a
        round that is rejected already, what led there is returned. Raises LeagueError when nothing is wrong, or it is
        too late.
        """
        with self._store.exclusive(LOCK):
            self._resize(workers)
            stored, chain = await self._anchored(round_id)
            await self.repair(chain)
            if self._rejected(stored):
                return [self._view(case) for case in self._cases.all(stored.row.round_id)]
            court = self._proceedings(stored, chain)
            before = [case for case in self._cases.all(stored.row.round_id) if case.state == OPEN]
            taken = [await court.drive(case, conduct) for case in before]
            if self._rejected(stored) or (taken and match is None):
                return self._done(stored, taken)
            found = await (self._audited(stored, chain) if match is None else self._accused(stored, match, withheld))
            anchored = await read_anchored(chain, stored.commitment_id(chain.operator))
            published = replace(stored.published(), scores=anchored.scores)
            for fraud, replayed in found:
                case = await court.file(anchored, published, fraud, replayed)
                taken.append(await court.drive(case, conduct))
                if self._rejected(stored):
                    break
            return self._done(stored, taken)

    async def resume(self, round_id: str, chain: Chain, conduct: Conduct = HONEST) -> list[DisputeView]:
        """Go on with the open disputes of a round; the caller keeps other programs out."""
        stored = await StoredRound.read(self._history, round_id)
        court = self._proceedings(stored, chain)
        open_cases = [case for case in self._cases.all(stored.row.round_id) if case.state == OPEN]
        return self._done(stored, [await court.drive(case, conduct) for case in open_cases])

    async def repair(self, chain: Chain) -> None:
        """Bring disputes that had ended to the same end again, after the chain came back from an older state.

        What it forgot is sent again, but a vote depends on blocks, and a deadline on time that had passed.
        """
        prefix = f"{chain.book}:dispute:"
        broken = {item.tx.key.removeprefix(prefix).split(":", 1)[0] for item in self._store.outbox.failed(prefix)}
        for dispute_id in sorted(broken):
            case = self._cases.get(dispute_id)
            if case.state in (UPHELD, DISMISSED, REFUNDED):
                stored = await StoredRound.read(self._history, case.round_id)
                await self._proceedings(stored, chain).drive(case, HONEST)

    def all(self, round_id: str | None = None) -> list[DisputeView]:
        """Return the disputes, of one round or of all, newest first."""
        wanted = None if round_id is None else self._history.round(round_id).round_id
        return [self._view(case) for case in reversed(self._cases.all(wanted))]

    def require_settleable(self, row: RoundRow) -> None:
        """Raise LeagueError when a round was rejected, or a dispute on it is not decided."""
        if row.state == "rejected":
            raise LeagueError("The round was rejected", "its host was slashed; nobody is paid from it")
        if any(case.state == OPEN for case in self._cases.all(row.round_id)):
            raise LeagueError(
                "The round is disputed", "", f"Bring it to its end by `nashboard dispute open {row.round_id[:12]}`."
            )

    # Inside

    def _resize(self, workers: int | None) -> None:
        if workers is not None:
            self._rerun.resize(workers)

    async def _anchored(self, round_id: str) -> tuple[StoredRound, Chain]:
        stored = await StoredRound.read(self._history, round_id)
        chain = await self._onchain.of(stored.row)
        if chain is None or stored.row.root is None:
            raise LeagueError("The round is not anchored", "", "Only what stands on a chain can be disputed.")
        await chain.drain()
        return stored, chain

    async def _audited(self, stored: StoredRound, chain: Chain) -> list[tuple[Fraud, bytes | None]]:
        """Return the frauds of a round, those that prove themselves first. Raises LeagueError when there is none."""
        found = await audit(stored, chain, self._rerun.rows)
        if found.clean:
            raise LeagueError("Nothing is wrong with the round", f"all {found.replayed} matches replay as posted")
        leaves = found.honest.leaves
        return [
            (fraud, leaves[fraud.index].hash() if fraud.index is not None and fraud.index < len(leaves) else None)
            for fraud in found.frauds
        ]

    async def _accused(self, stored: StoredRound, match: int, withheld: bool) -> list[tuple[Fraud, bytes | None]]:
        index = next((i for i, row in enumerate(stored.matches) if row.fixture == match), None)
        if index is None:
            raise UsageError(f"The round has no match {match}", "it is not played, or was skipped")
        if withheld:
            return [(Fraud(FraudKind.WITHHELD, index, "the challenger wants to see the match"), None)]
        leaf = await replayed_leaf(stored, stored.published(), index, self._rerun.rows)
        return [(Fraud(FraudKind.REPLAY, index, "the challenger disputes the match"), leaf.hash())]

    def _proceedings(self, stored: StoredRound, chain: Chain) -> Proceedings:
        async def evidence(index: int) -> Evidence:
            return await self._evidence(stored, index)

        settlement = self._settlement_of(chain)
        return Proceedings(self._store, self._bus, settlement, chain, stored, self._rerun.rows, evidence)

    async def _evidence(self, stored: StoredRound, index: int) -> Evidence:
        """Return what the host shows of a match: what its posted leaf binds."""
        row, match = stored.row, stored.matches[index]
        if match.outcome == "BYE":
            return Evidence(await self._rerun.bye_header(row, match), match.trace_root, match.steps)
        bundle, host = await self._rerun.bundle(row, match), stored.publication
        if host is not None and host.dishonesty is Dishonesty.ALTER and host.match == index:
            bundle = altered_bundle(bundle, row.config["seed"])
        return Evidence(bundle.header, bundle.trace_root, bundle.steps)

    def _rejected(self, stored: StoredRound) -> bool:
        return self._history.round(stored.row.round_id).state == "rejected"

    def _done(self, stored: StoredRound, cases: list[Case]) -> list[DisputeView]:
        row = self._history.round(stored.row.round_id)
        if cases:
            self._bus.publish(RoundChanged(row.round_id, self._onchain.state(row), row.results_hash or ""))
        return [self._view(case) for case in cases]

    def _view(self, case: Case) -> DisputeView:
        row = self._history.round(case.round_id)
        words = self._cases.attestations(case.dispute_id)
        sent = self._store.outbox.under(f"{row.book}:dispute:{case.dispute_id}:")
        return DisputeView(
            dispute_id=case.dispute_id,
            round_id=case.round_id,
            round_name=f"{row.name} #{row.number}",
            kind=case.kind.value,
            match=case.match,
            index=case.index,
            challenger=case.challenger,
            bond_wei=case.bond,
            state=case.state,
            detail=case.detail,
            posted=case.posted.hex() if case.posted else None,
            replayed=case.replayed.hex() if case.replayed else None,
            number=case.number,
            deadline=case.deadline,
            extended=case.extended,
            slashed_wei=case.slashed,
            created=case.created,
            ballots=tuple(Ballot(word.verifier, word.leaf.hex(), word.leaf == case.posted) for word in words),
            transactions=tuple(_transaction(item) for item in sent),
        )


def _transaction(row: OutboxRow) -> Transaction:
    return Transaction(row.tx.purpose, row.state, row.hash, row.block, row.error)
