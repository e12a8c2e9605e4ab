"""The vote on a disputed match: a committee is drawn, its verifiers replay and sign, the auditor brings the votes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256

from engine.chain.court import CourtDispute, Vote
from engine.chain.session import Chain
from engine.league.disputes.audit import Replay
from engine.league.disputes.cases import OPEN, Attestation, Case, Cases
from engine.league.disputes.panel import ENGINE_HASH, SIZE, Conduct, panel, replayed_leaf, sign
from engine.league.disputes.steps import Step, pass_block
from engine.league.settlement import Settlement, StoredRound
from engine.store.database import Store


class Voting:
    """Votes on matches of one round; ``sent`` tells what became of a step of a case, None when it was not sent."""

    def __init__(
        self,
        store: Store,
        settlement: Settlement,
        chain: Chain,
        stored: StoredRound,
        replay: Replay,
        auditor: str,
        sent: Callable[[Case, str], str | None],
    ) -> None:
        self._store = store
        self._accounts = settlement.accounts
        self._chain = chain
        self._stored = stored
        self._replay = replay
        self._auditor = auditor
        self._sent = sent
        self._cases = Cases(store.db)
        self._identity = stored.commitment_id(chain.operator)

    async def next(self, case: Case, dispute: CourtDispute, conduct: Conduct) -> Step | None:
        """Return the next transaction while a vote is on, None when all who answer have voted."""
        number = case.number or 0
        if dispute.draw_block:
            await pass_block(self._chain, dispute.draw_block)
            call = self._chain.court.draw(number)
            return Step(f"draw:{dispute.draw_block}", self._auditor, call, "draw the committee")
        members = panel(self._chain, self._accounts)[: SIZE - conduct.offline]
        ballots = {verifier: await self._chain.court.ballot_of(number, verifier) for verifier in members}
        seated = [verifier for verifier in members if ballots[verifier][0]]
        words = await self._words(case, seated, conduct)
        unheard = {verifier for verifier in seated if not any(ballots[verifier][1])}
        return self._confirming(case, words, unheard) or self._double(case, words) or self._other(case, words, unheard)

    def after(self, dispute: CourtDispute, number: int, now: int) -> Step:
        """Return what ends a vote without result: a second one, or the refund."""
        court = self._chain.court
        if dispute.extended or now >= dispute.deadline + self._chain.deployment.rules.vote_period:
            return Step("refund", self._auditor, court.refund(number), "take the bond back")
        return Step("extend", self._auditor, court.extend(number), "call a second vote")

    async def _words(self, case: Case, seated: Sequence[str], conduct: Conduct) -> list[Attestation]:
        """Return what the seated verifiers signed; who did not yet plays the match again and signs.

        A case that had ended comes to the same end by the same voices.
        """
        known = {word.verifier for word in self._cases.attestations(case.dispute_id)}
        fresh: list[Attestation] = []
        for place, verifier in enumerate(seated if case.state == OPEN else ()):
            if verifier not in known:
                leaf = await replayed_leaf(self._stored, self._stored.published(), case.index or 0, self._replay)
                own = replace(conduct, two_faced=int(place < conduct.two_faced))
                fresh += sign(self._chain, case, self._identity, [verifier], leaf.hash(), own)
        with self._store.transaction():
            for word in fresh:
                self._cases.attest(case.dispute_id, word)
        return [word for word in self._cases.attestations(case.dispute_id) if word.verifier in seated]

    def _confirming(self, case: Case, words: list[Attestation], unheard: set[str]) -> Step | None:
        return self._attest(case, [word for word in words if word.leaf == case.posted], unheard)

    def _other(self, case: Case, words: list[Attestation], unheard: set[str]) -> Step | None:
        """Return the votes against the posted leaf, without those who voted for it too."""
        both = {word.verifier for word in words if word.leaf == case.posted}
        against = [word for word in words if word.leaf != case.posted and word.verifier not in both]
        first = [word for word in against if word.leaf == against[0].leaf]
        return self._attest(case, first, unheard)

    def _attest(self, case: Case, words: list[Attestation], unheard: set[str]) -> Step | None:
        if not any(word.verifier in unheard for word in words):
            return None
        leaf, signatures = words[0].leaf, [word.signature for word in words]
        call = self._chain.court.attest(case.number or 0, leaf, ENGINE_HASH, signatures)
        key = f"attest:{sha256(leaf + b''.join(signatures)).hexdigest()[:16]}"
        return Step(key, self._auditor, call, "bring the verifiers' votes")

    def _double(self, case: Case, words: list[Attestation]) -> Step | None:
        """Return the proof against a verifier that signed two leaves, unless it was sent."""
        for verifier in sorted({word.verifier for word in words}):
            own = [Vote(word.leaf, ENGINE_HASH, word.signature) for word in words if word.verifier == verifier]
            if len(own) > 1 and self._sent(case, f"double:{verifier}") is None:
                call = self._chain.court.prove_double_vote(case.number or 0, own[0], own[1])
                return Step(f"double:{verifier}", self._auditor, call, "prove a double vote", verifier)
        return None
