"""A case on its way through the chain: filed, answered or voted on, ended, and booked. Every step can be repeated.

What to do next follows from the chain's state alone, and each transaction has a key: a program killed anywhere goes on
where the chain is. Money moves in the ledger in the transaction that sends the call, or that notes the court's word.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from engine.chain.court import DISMISSED as COURT_DISMISSED
from engine.chain.court import REFUNDED as COURT_REFUNDED
from engine.chain.court import REVEAL, CourtDispute
from engine.chain.court import UPHELD as COURT_UPHELD
from engine.chain.session import Chain
from engine.chain.wallet import AUDITOR
from engine.core.bus import EventBus
from engine.league.disputes.audit import Replay
from engine.league.disputes.cases import DISMISSED, OPEN, REFUNDED, REFUSED, UPHELD, Case, Cases
from engine.league.disputes.checks import Fraud, FraudKind
from engine.league.disputes.filing import court_kind, filing
from engine.league.disputes.panel import MINIMUM_STAKE, Conduct, panel
from engine.league.disputes.posted import REJECTED, Anchored, head_time
from engine.league.disputes.published import Published
from engine.league.disputes.steps import Step, pass_time
from engine.league.disputes.vote import Voting
from engine.league.errors import LeagueError
from engine.league.events import DisputeMoved, DisputeOpened, DisputeResolved
from engine.league.settlement import Settlement, StoredRound
from engine.store.database import Store

_ENDS = {COURT_UPHELD: UPHELD, COURT_DISMISSED: DISMISSED, COURT_REFUNDED: REFUNDED}


@dataclass(frozen=True, slots=True)
class Evidence:
    """What binds a match's leaf to its trace: the header's bytes, the trace's root and length."""

    header: bytes
    trace_root: bytes
    steps: int


class Proceedings:
    """The cases about one anchored round. ``evidence`` gives what the host shows of the match at an index."""

    def __init__(
        self,
        store: Store,
        bus: EventBus,
        settlement: Settlement,
        chain: Chain,
        stored: StoredRound,
        replay: Replay,
        evidence: Callable[[int], Awaitable[Evidence]],
    ) -> None:
        self._store = store
        self._bus = bus
        self._settlement = settlement
        self._chain = chain
        self._stored = stored
        self._evidence = evidence
        self._cases = Cases(store.db)
        self._auditor = chain.wallet.address(AUDITOR)
        self._identity = stored.commitment_id(chain.operator)
        self._voting = Voting(store, settlement, chain, stored, replay, self._auditor, self._sent)

    async def file(self, anchored: Anchored, published: Published, fraud: Fraud, replayed: bytes | None) -> Case:
        """Write a case and what brings it before the chain, with its bond, in one transaction."""
        if fraud.kind.proves_itself:
            anchored.require_open()
        else:
            anchored.require_window()
        if fraud.kind is FraudKind.REPLAY:
            await self._bond_panel()
        call, bond = filing(self._chain, self._stored, anchored, published, fraud), 0
        if not fraud.kind.proves_itself:
            bond = await self._chain.court.bond_for(self._identity, court_kind(fraud.kind))
        posted = None if fraud.index is None else published.hashes[fraud.index]
        match = None if fraud.index is None else self._stored.matches[fraud.index].fixture
        round_id = self._stored.row.round_id
        with self._store.transaction():
            case = self._cases.add(round_id, fraud, match, self._auditor, bond, (posted, replayed))
            if bond:
                key = f"{case.dispute_id}:bond"
                self._settlement.accounts.bond(key, self._auditor, case.dispute_id, bond, round_id)
            purpose = f"prove {fraud.kind.value}" if fraud.kind.proves_itself else "open a dispute"
            self._settlement.send(_key(case, "open"), self._auditor, call, bond, purpose)
        self._bus.publish(DisputeOpened(case.dispute_id, round_id, fraud.kind.value, match, self._auditor, str(bond)))
        return case

    async def drive(self, case: Case, conduct: Conduct) -> Case:
        """Bring a case to its end on the chain, also one that the chain forgot after it had ended.

        Raises LeagueError where the chain refuses a step, DevnetError where time is left that only a development node
        can pass.
        """
        await self._chain.drain()
        case = await self._to_the_end(case, conduct)
        if case.state == UPHELD:
            with self._store.transaction():
                self._settlement.reclaim_pot(self._stored)
            await self._chain.drain()
        return case

    async def _to_the_end(self, case: Case, conduct: Conduct) -> Case:
        if self._sent(case, "open") == "failed":
            if case.state == OPEN:
                return self._end(case, REFUSED)
            await self._again(case, "open")
        if case.kind.proves_itself:
            return self._end(case, UPHELD)
        while True:
            number = case.number or await self._chain.court.latest_of(
                self._identity, court_kind(case.kind), case.index or 0
            )
            dispute = await self._chain.court.dispute_of(number)
            case = self._place(case, number, dispute)
            if dispute.state in _ENDS:
                return self._end(case, _ENDS[dispute.state])
            step = await self._next(case, dispute, conduct)
            if step is not None:
                await self._take(case, step)

    async def _again(self, case: Case, step: str) -> None:
        """Send once more what the chain had taken, forgot, and refused when it came again too early."""
        with self._store.transaction():
            self._store.outbox.requeue(self._full(_key(case, step)))
        await self._chain.drain()
        if self._sent(case, step) != "mined":
            raise LeagueError("The chain refuses what it had taken before", case.detail, "See the Devnet page.")

    # Steps

    async def _next(self, case: Case, dispute: CourtDispute, conduct: Conduct) -> Step | None:
        """Return the next transaction, None where only time had to pass."""
        posted, now = await self._chain.anchor.commitment_of(self._identity), await head_time(self._chain)
        court, number = self._chain.court, case.number or 0
        if posted.status == REJECTED:
            return Step("refund", self._auditor, court.refund(number), "take the bond back")
        if dispute.kind == REVEAL:
            if now >= dispute.deadline:
                return Step("timeout", self._auditor, court.timeout(number), "end an unanswered demand")
            if self._answers(dispute.index):
                return await self._reveal(number, dispute.index)
        elif now >= dispute.deadline:
            return self._voting.after(dispute, number, now)
        else:
            step = await self._voting.next(case, dispute, conduct)
            if step is not None:
                return step
        await pass_time(self._chain, dispute.deadline)
        return None

    def _answers(self, index: int) -> bool:
        """Whether the host shows the match: it does unless it is told to withhold it."""
        publication = self._stored.publication
        return publication is None or index not in publication.withheld

    async def _reveal(self, number: int, index: int) -> Step:
        commitment, shown = self._stored.commitment, await self._evidence(index)
        call = self._chain.court.reveal(
            number,
            commitment.leaves[index].as_tuple(),
            commitment.tree.proof(index),
            shown.header,
            shown.trace_root,
            shown.steps,
        )
        return Step("reveal", self._chain.operator, call, "show a demanded match")

    async def _take(self, case: Case, step: Step) -> None:
        """Send a step and see it mined. Raises LeagueError when the chain refuses it or has had it before."""
        key = _key(case, step.key)
        if self._sent(case, step.key) == "mined":
            raise LeagueError("The dispute does not move", f"the chain has it that we {step.purpose}, and waits for it")
        with self._store.transaction():
            fresh = self._settlement.send_again(key, step.account, step.call, step.purpose)
            if fresh and step.loser is not None:
                stake, round_id = self._chain.deployment.rules.verifier_stake, self._stored.row.round_id
                self._settlement.accounts.slash_now(key, step.loser, stake, self._auditor, round_id)
        await self._chain.drain()
        row = self._store.outbox.get(self._full(key))
        if row is None or row.state != "mined":
            raise LeagueError(f"The chain refused to {step.purpose}", row.error if row else "", "See the Devnet page.")
        self._moved(case, step.purpose)

    # Before and after

    async def _bond_panel(self) -> None:
        """Have enough verifiers bonded: each stakes what the court reserves, and registers."""
        stake = self._chain.deployment.rules.verifier_stake
        accounts = self._settlement.accounts
        members = panel(self._chain, accounts)
        missing = [v for v in members if not (await self._chain.court.verifier_of(v))[0]]
        with self._store.transaction():
            for verifier in missing:
                short = stake - accounts.balance(verifier).stake
                if short > 0:
                    self._settlement.stake(verifier, max(short, MINIMUM_STAKE), f"verifier:{verifier}")
                call = self._chain.court.register_verifier()
                self._settlement.send_again(f"verifier:{verifier}:register", verifier, call, "register a verifier")
        await self._chain.drain()

    def _place(self, case: Case, number: int, dispute: CourtDispute) -> Case:
        if not number or dispute.state == 0:
            raise LeagueError("The dispute is not before the court", f"the chain knows no dispute {case.dispute_id}")
        with self._store.transaction():
            fresh = self._cases.place(case.dispute_id, number, dispute.deadline, dispute.extended)
        if fresh and case.number is None:
            self._moved(case, f"is the court's dispute {number}")
        return self._cases.get(case.dispute_id)

    def _end(self, case: Case, state: str) -> Case:
        """Note the end of a case and move its money, once."""
        accounts, round_id, slashed = self._settlement.accounts, self._stored.row.round_id, 0
        key, dispute = f"{case.dispute_id}:{state}", case.dispute_id
        with self._store.transaction():
            if self._cases.get(dispute).state != OPEN:
                return self._cases.get(dispute)
            if state == UPHELD:
                exposure = self._chain.deployment.rules.exposure
                slashed = self._settlement.reject(self._stored, case.challenger, exposure)
            if case.bond and state == DISMISSED:
                accounts.forfeit_bond(key, dispute, accounts.book.operator, round_id)
            elif case.bond and state == REFUSED:
                accounts.take_bond_back(key, dispute, case.challenger, round_id)
            elif case.bond:
                accounts.return_bond(key, dispute, case.challenger, round_id)
            self._cases.end(dispute, state, slashed)
        self._bus.publish(DisputeResolved(dispute, round_id, state, str(slashed)))
        return self._cases.get(dispute)

    def _sent(self, case: Case, step: str) -> str | None:
        return self._store.outbox.state(self._full(_key(case, step)))

    def _full(self, key: str) -> str:
        return f"{self._settlement.accounts.book.name}:{key}"

    def _moved(self, case: Case, step: str) -> None:
        self._bus.publish(DisputeMoved(case.dispute_id, case.round_id, step))


def _key(case: Case, step: str) -> str:
    return f"dispute:{case.dispute_id}:{step}"
