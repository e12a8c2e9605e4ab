"""The story of each round's update, as the operator sees it: how far it came, who voted how, and why it ended so."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from engine.core.errors import EngineError
from engine.core.events import Event
from engine.learning.beacon.committees import ack_committee_of
from engine.learning.beacon.state import BeaconState
from engine.learning.brain import Aggregated
from engine.learning.config import LearnConfig, quorum_of
from engine.learning.events import LearnAcks, LearnUpdate
from engine.learning.ports import Stored
from engine.learning.results import REJECTIONS, STAGES, RawDelta, UpdateResult
from engine.learning.run import acks
from engine.learning.run.library import Update
from engine.learning.run.words import explain

if TYPE_CHECKING:
    from engine.learning.run.member import Judgement

ENDED = ("merged", "rolled_back", "rejected", "expired")
SHOWN = 64  # committee members up to which every ACK is told when it comes


class Story:
    """One update on its way. What comes in twice, by several nodes, changes nothing."""

    def __init__(self, number: int, opened: int) -> None:
        self.round = number
        self.opened = opened
        self.update_id = b""
        self.aggregator = -1
        self.stage = "training"
        self.slot = -1
        self.votes: list[str] = []
        self.committee = 0
        self.before: tuple[int, ...] = ()
        self.after: tuple[int, ...] = ()
        self.reason = ""
        self.accepted = False
        self.canary = False
        self.losses: dict[int, float] = {}
        self.raws: dict[int, RawDelta] = {}

    def reach(self, stage: str) -> bool:
        """Go on to a stage; False where the story is there or further already."""
        order = {"merged": 8, "rolled_back": 8, "rejected": 8, "expired": 8}
        old = order.get(self.stage, STAGES.index(self.stage))
        new = order.get(stage, STAGES.index(stage))
        if self.stage == stage or (new <= old and self.stage not in ("rolled_back",)):
            return False
        if self.stage == "rolled_back" and stage not in ("included", "merged"):
            return False
        self.stage = stage
        return True

    @property
    def accepts(self) -> int:
        """Members that accept."""
        return self.votes.count(acks.ACCEPT)


class Rounds:
    """All stories of a run; each change is told by an event."""

    def __init__(
        self, config: LearnConfig, emit: Callable[[Event], None], run_id: int, slot: Callable[[], int]
    ) -> None:
        self._config = config
        self._emit = emit
        self._run_id = run_id
        self._slot = slot
        self._by_round: dict[tuple[int, int], Story] = {}
        self._by_id: dict[bytes, Story] = {}
        self.all: list[Story] = []

    def get(self, update_id: bytes) -> Story | None:
        """Return an update's story."""
        return self._by_id.get(update_id)

    def of(self, number: int, opened: int) -> Story:
        """Return a round's story, begun where there is none."""
        story = self._by_round.get((number, opened))
        if story is None:
            story = self._by_round[number, opened] = Story(number, opened)
            self.all.append(story)
        return story

    # What trainers and aggregators do

    def opened(self, number: int, slot: int) -> None:
        """A round opened."""
        if (number, slot) not in self._by_round:
            self._tell(self.of(number, slot))

    def trained(self, number: int, slot: int, trainer: int, loss: float) -> None:
        """A trainer has its delta."""
        self.of(number, slot).losses[trainer] = loss

    def published(self, number: int, slot: int, trainer: int) -> None:
        """A raw delta is in the DHT."""
        story = self.of(number, slot)
        if story.reach("published"):
            self._tell(story)

    def raw_refused(self, number: int, slot: int, trainer: int, reason: str) -> None:
        """A raw delta was refused before any rule looked at it."""
        story = self.of(number, slot)
        story.raws[trainer] = RawDelta(trainer, "", 0, 0.0, None, False, reason, REJECTIONS.get(reason, reason))
        self._tell(story)

    def judged(self, number: int, slot: int, made: Aggregated) -> None:
        """The rule chose."""
        story = self.of(number, slot)
        story.raws.update({raw.trainer: raw for raw in made.raws})

    def failed(self, number: int, slot: int, reason: str) -> None:
        """A round came to no update."""
        story = self.of(number, slot)
        if not story.update_id and story.reach("expired" if reason != "too_few" else "rejected"):
            story.reason = reason
            self._tell(story)

    def aggregated(self, number: int, slot: int, update_id: bytes, update: Update, aggregator: int) -> None:
        """An update was made; a second one of the same round gets a story of its own."""
        story = self.of(number, slot)
        if story.update_id and story.update_id != update_id:
            first, story = story, Story(number, slot)
            story.raws = dict(first.raws)
            self.all.append(story)
        story.update_id, story.aggregator = update_id, aggregator
        self._by_id[update_id] = story
        if story.reach("aggregated"):
            self._tell(story)

    # What the committee does

    def voting(self, update_id: bytes, slot: int, state: BeaconState, texts: tuple[int, ...]) -> None:
        """A block fixed the update; the committee looks at it."""
        story = self._by_id.get(update_id)
        if story is None or story.votes:
            return
        story.committee = len(ack_committee_of(state, slot))
        story.votes = [acks.NONE] * len(state.registry)
        if story.reach("committed"):
            self._tell(story)

    def evaluated(self, update_id: bytes, judgement: Judgement) -> None:
        """A node came to a verdict."""
        story = self._by_id.get(update_id)
        if story is None:
            return
        if judgement.after and not story.after:
            story.before, story.after = judgement.before, judgement.after
        if judgement.reason and not story.reason:
            story.reason = judgement.reason
        if story.reach("voting"):
            self._tell(story)

    def failed_update(self, update_id: bytes, reason: str) -> None:
        """A node could not judge."""
        story = self._by_id.get(update_id)
        if story is not None and not story.reason:
            story.reason = reason

    def acked(self, update_id: bytes, validator: int, accept: bool, stored: Stored | EngineError) -> None:
        """A member's ACK is in the DHT."""
        story = self._by_id.get(update_id)
        if story is None or isinstance(stored, EngineError) or stored.reason or validator >= len(story.votes):
            return
        story.votes[validator] = acks.ACCEPT if accept else acks.REJECT
        if story.committee <= SHOWN or story.votes.count(acks.NONE) <= len(story.votes) - story.committee:
            self._tell_acks(story)

    def counted(self, update_id: bytes, found: acks.Count) -> None:
        """The proposer counted the ACKs."""
        story = self._by_id.get(update_id)
        if story is None:
            return
        story.committee = len(found.committee)
        story.votes = [acks.NONE] * max(len(story.votes), int(max(found.committee, default=-1)) + 1)
        for validator, letter in zip(found.committee, found.votes, strict=True):
            story.votes[validator] = letter
        self._tell_acks(story)
        if found.accepts >= found.quorum(self._config.quorum) and story.reach("certified"):
            self._tell(story)

    def canary(self, update_id: bytes) -> None:
        """The aggregator told that it was a canary."""
        story = self._by_id.get(update_id)
        if story is not None and not story.canary:
            story.canary, story.reason = True, "canary"
            story.reach("rejected")
            self._tell(story)

    # What the chain makes of it

    def included(self, update_id: bytes, slot: int) -> None:
        """The chain that most of the stake follows has it in a block."""
        story = self._by_id.get(update_id)
        if story is not None and story.reach("included"):
            story.slot, story.accepted, story.reason = slot, True, ""
            self._tell(story)

    def merged(self, update_id: bytes) -> None:
        """It is final."""
        story = self._by_id.get(update_id)
        if story is not None and story.stage in ("included", "certified", "rolled_back"):
            story.stage = "merged"
            self._tell(story)

    def rolled_back(self, update_id: bytes) -> None:
        """The chain that most of the stake follows has it no more."""
        story = self._by_id.get(update_id)
        if story is not None and story.stage == "included":
            story.stage, story.accepted = "rolled_back", False
            self._tell(story)

    def expire(self, state: BeaconState) -> None:
        """End the stories whose slot has passed without them."""
        for story in self.all:
            if story.stage in ENDED or story.stage == "included" or state.slot <= story.opened + 2:
                continue
            refused = story.reason in ("gate", "not_reproducible", "wrong_hash", "stale_base", "malformed")
            if not story.reason:
                story.reason = "no_quorum" if story.votes else "withheld" if story.stage != "training" else "no_deltas"
            story.reach("rejected" if refused else "expired")
            self._tell(story)

    # Telling

    def results(self) -> tuple[UpdateResult, ...]:
        """Return every update as it stands."""
        return tuple(self.result(story) for story in self.all)

    def result(self, story: Story) -> UpdateResult:
        """Return a story's result."""
        quorum = quorum_of(self._config.quorum, story.committee) if story.committee else 0
        mean = [sum(losses) / len(losses) / 1e9 if losses else 0.0 for losses in (story.before, story.after)]
        return UpdateResult(
            id=story.update_id.hex(),
            round=story.round,
            opened_slot=story.opened,
            slot=story.slot,
            stage=story.stage,
            acks=story.accepts,
            committee=story.committee,
            quorum=quorum,
            loss_before=mean[0],
            loss_after=mean[1],
            accepted=story.accepted,
            reason=story.reason,
            explanation=explain(story, self._config, quorum),
            rule=self._config.rule,
            byzantine=self._config.tolerated,
            raws=tuple(story.raws[trainer] for trainer in sorted(story.raws)),
        )

    def verdicts(self) -> list[Any]:
        """Return what the hash of a run holds of its updates."""
        return [[story.round, story.opened, story.update_id.hex(), story.stage, story.reason] for story in self.all]

    def _tell(self, story: Story) -> None:
        self._emit(LearnUpdate(self._run_id, self._slot(), dataclasses.asdict(self.result(story))))

    def _tell_acks(self, story: Story) -> None:
        mode = self._config.quorum
        self._emit(
            LearnAcks(
                self._run_id,
                self._slot(),
                story.round,
                story.update_id.hex(),
                "".join(story.votes),
                story.accepts,
                quorum_of(mode, story.committee) if story.committee else 0,
                story.committee,
                mode,
                acks.arithmetic(mode, story.accepts, story.committee),
            )
        )
