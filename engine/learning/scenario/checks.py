"""What a scenario expects of a run, each by a name, decided from what its nodes hold at the end."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

from engine.learning.config import quorum_of
from engine.learning.errors import LearnSettingError
from engine.learning.results import OFFENCES, REJECTIONS, Check, UpdateResult

if TYPE_CHECKING:
    from engine.learning.run.world import World

Found = tuple[bool, str]
Judge = Callable[["World", str], Found]
CERTIFIED = ("included", "merged")


def read(line: str) -> tuple[str, str]:
    """Return name and value of an expectation. Raises LearnSettingError where there is none of that name."""
    name, _, value = line.partition("=")
    if name not in CHECKS:
        raise LearnSettingError(f"there is no expectation {name!r}", f"there are {', '.join(CHECKS)}")
    wanted = WANTED.get(name, "")
    if (wanted == "number" and not value.isdigit()) or (wanted == "span" and not _is_span(value)):
        raise LearnSettingError(f"{name} asks for a {wanted}", f"got {value!r}")
    if isinstance(wanted, dict) and value not in wanted:
        raise LearnSettingError(f"{name} asks for one of {', '.join(wanted)}", f"got {value!r}")
    return name, value


def check(line: str, world: World) -> Check:
    """Return what became of an expectation."""
    name, value = read(line)
    ok, text = CHECKS[name](world, value)
    return Check(line, ok, text)


def _is_span(value: str) -> bool:
    first, dash, last = value.partition("-")
    return bool(dash) and first.isdigit() and last.isdigit() and int(first) < int(last)


def _updates(world: World) -> tuple[UpdateResult, ...]:
    return world.kit.watch.rounds.results()


def _certified(world: World) -> list[UpdateResult]:
    return [update for update in _updates(world) if update.stage in CERTIFIED]


# Finality


def _final_at(world: World, slot: int) -> int:
    return max((final for when, _, final in world.kit.watch.finality if when <= slot), default=0)


def finalised(world: World, value: str) -> Found:
    """The final epoch is at least this one, on every node."""
    found = min(node.choice.finalized.epoch for node in world.nodes)
    return found >= int(value), f"Every node holds epoch {found} or a later one for final; {value} was expected."


def stalled(world: World, value: str) -> Found:
    """Nothing became final between two slots."""
    first, last = map(int, value.split("-"))
    before, after = _final_at(world, first), _final_at(world, last)
    return before == after, f"Final was epoch {before} at slot {first} and epoch {after} at slot {last}."


def grew(world: World, value: str) -> Found:
    """Something became final between two slots."""
    first, last = map(int, value.split("-"))
    before, after = _final_at(world, first), _final_at(world, last)
    return before < after, f"Final was epoch {before} at slot {first} and epoch {after} at slot {last}."


def consistent(world: World, value: str) -> Found:
    """No two nodes hold final blocks that exclude each other."""
    count = len(world.kit.watch.conflicts)
    return count == 0, f"Pairs of final blocks that exclude each other: {count}."


def one_head(world: World, value: str) -> Found:
    """All nodes follow one head at the end."""
    heads = {node.head() for node in world.nodes}
    return len(heads) == 1, f"Heads that the {len(world.nodes)} nodes follow: {len(heads)}."


# Slashing


def nobody_slashed(world: World, value: str) -> Found:
    """No validator was slashed."""
    found = sorted(world.kit.watch.slashings)
    return not found, f"Slashed: {', '.join(map(str, found)) or 'nobody'}."


def honest_unslashed(world: World, value: str) -> Found:
    """Only validators that were given a punishable fault were slashed."""
    innocent = sorted(set(world.kit.watch.slashings) - world.kit.faults.guilty)
    return not innocent, f"Honest validators that were slashed: {', '.join(map(str, innocent)) or 'none'}."


def slashed(world: World, value: str) -> Found:
    """Every validator with a punishable fault was slashed for this, once, and leaves."""
    watch, guilty = world.kit.watch, sorted(world.kit.faults.guilty)
    state = watch.main.state(world.slot)
    times = {index: [item.reason for item in state.slashings if item.validator == index] for index in guilty}
    ok = bool(guilty) and all(reasons == [value] for reasons in times.values())
    ok = ok and all(bool(state.registry.slashed[index]) for index in guilty)
    told = "; ".join(f"validator {index}: {', '.join(reasons) or 'not slashed'}" for index, reasons in times.items())
    return ok, f"{told or 'Nobody was given the fault'}."


def slashed_within(world: World, value: str) -> Found:
    """Each fault was punished within that many slots of being there."""
    watch = world.kit.watch
    since = world.kit.faults.since
    waits = {index: item.slot - since.get(index, 0) for index, item in watch.slashings.items()}
    told = ", ".join(f"validator {index} after {wait}" for index, wait in waits.items())
    return bool(waits) and max(waits.values()) <= int(value), f"Slots from the fault to the slashing: {told or 'none'}."


def gone(world: World, value: str) -> Found:
    """Whoever was slashed is active no more."""
    state = world.kit.watch.main.state(world.slot)
    active = set(state.registry.active(state.epoch).tolist())
    left = sorted(set(world.kit.watch.slashings) & active)
    return bool(world.kit.watch.slashings) and not left, f"Slashed and still active: {left or 'nobody'}."


def block_refused(world: World, value: str) -> Found:
    """A block was refused by this rule."""
    texts = [text for (what, rule, _, _), text in world.kit.watch.refusals.items() if (what, rule) == ("block", value)]
    return bool(texts), f"Refused: {'; '.join(texts[:3]) or 'no block'}."


# Updates


def certified(world: World, value: str) -> Found:
    """At least that many updates were certified and are in the chain."""
    count = len(_certified(world))
    return count >= int(value), f"Updates with a certificate and a block: {count}; {value} expected."


def no_updates(world: World, value: str) -> Found:
    """Every block of the chain names the zero update."""
    count = len(_certified(world))
    return count == 0, f"Blocks that name an update: {count}; the others bear the zero update id."


def loss_falls(world: World, value: str) -> Found:
    """The loss on held-out texts fell with each update that was included."""
    losses = [loss for _, loss in world.kit.watch.losses]
    ok = len(losses) > 1 and all(later < earlier for earlier, later in pairwise(losses))
    return ok, "Held-out loss: " + ", ".join(f"{loss:.4f}" for loss in losses) + "."


def loss_rises(world: World, value: str) -> Found:
    """The loss on held-out texts is higher at the end."""
    losses = [loss for _, loss in world.kit.watch.losses]
    ok = len(losses) > 1 and losses[-1] > losses[0]
    return ok, "Held-out loss: " + ", ".join(f"{loss:.4f}" for loss in losses) + "."


def merged(world: World, value: str) -> Found:
    """At least that many updates are part of the final model."""
    count = sum(update.stage == "merged" for update in _updates(world))
    return count >= int(value), f"Updates in the final model: {count}; {value} expected."


def refused(world: World, value: str) -> Found:
    """At least one update was refused for this."""
    found = [update for update in _updates(world) if update.reason == value and update.stage in ("rejected", "expired")]
    return bool(found), f"Updates refused: {len(found)} ({REJECTIONS[value]})."


def raw_refused(world: World, value: str) -> Found:
    """At least one raw delta was refused for this before any rule looked at it, and none of its kind was chosen."""
    raws = [raw for update in _updates(world) for raw in update.raws if raw.reason == value]
    return bool(raws) and not any(
        raw.chosen for raw in raws
    ), f"{len(raws)} raw deltas were refused: {REJECTIONS[value]}."


def bad_unchosen(world: World, value: str) -> Found:
    """No delta of a trainer with a fault was chosen; those of others were."""
    bad = world.kit.faults.bad_trainers
    chosen = [raw.trainer for update in _updates(world) for raw in update.raws if raw.chosen]
    wrong = sum(trainer in bad for trainer in chosen)
    return bool(chosen) and wrong == 0, f"{wrong} of {len(chosen)} chosen deltas are of trainers {sorted(bad)}."


def bad_chosen(world: World, value: str) -> Found:
    """Deltas of trainers with a fault were chosen: the rule does not see them."""
    bad = world.kit.faults.bad_trainers
    chosen = [raw.trainer for update in _updates(world) for raw in update.raws if raw.chosen]
    wrong = sum(trainer in bad for trainer in chosen)
    return wrong > 0, f"{wrong} of {len(chosen)} chosen deltas are of trainers {sorted(bad)}."


# Committee and DHT


def conflicts(world: World) -> list[tuple[str, str]]:
    """Return pairs of updates of one round that both reached the quorum."""
    reached = [u for u in _updates(world) if u.committee and u.acks >= quorum_of(world.config.quorum, u.committee)]
    return [
        (first.id[:16], second.id[:16])
        for first, second in combinations(reached, 2)
        if (first.round, first.opened_slot) == (second.round, second.opened_slot) and first.id != second.id
    ]


def violation(world: World, value: str) -> Found:
    """Two conflicting updates of one round both reached the quorum."""
    found = conflicts(world)
    which = "; ".join(f"{first} and {second}" for first, second in found) or "none"
    return bool(found), f"Conflicting updates that both reached the quorum: {which}."


def no_violation(world: World, value: str) -> Found:
    """Of conflicting updates at most one reached the quorum, though there were some."""
    rounds = [(update.round, update.opened_slot) for update in _updates(world) if update.committee]
    twice = len(rounds) - len(set(rounds))
    found = conflicts(world)
    return not found and twice > 0, f"{twice} rounds had two updates; in {len(found)} of them both reached the quorum."


def attack_fails(world: World, value: str) -> Found:
    """None of an attacker's records was taken in."""
    tried, taken = world.kit.watch.attacks.get(value, (0, 0))
    return tried > 0 and taken == 0, f"{taken} of {tried:,} records were taken in."


def acks_land(world: World, value: str) -> Found:
    """Every update in the chain has the ACKs of its whole committee."""
    rows = [(update.acks, update.committee) for update in _certified(world)]
    ok = bool(rows) and all(count == size for count, size in rows)
    return ok, f"{sum(count == size for count, size in rows)} of {len(rows)} updates have all ACKs of their committee."


def readable(world: World, value: str) -> Found:
    """That share of ACKs, in per cent, can still be read after peers were lost."""
    read_now, written = world.kit.watch.readable
    share = 100.0 * read_now / written if written else 0.0
    dead = sum(not peer.up for peer in world.kit.post.dht.peers())
    return written > 0 and share >= int(value), (
        f"{read_now} of {written} ACKs ({share:.1f} %) can be read with {dead} of {world.config.peer_count} peers lost."
    )


def joined(world: World, value: str) -> Found:
    """Newcomers are active, and the committee that acknowledges grew with them."""
    state = world.kit.watch.main.state(world.slot)
    active = len(state.registry.active(state.epoch))
    sizes = [update.committee for update in _updates(world) if update.committee]
    ok = active >= world.config.validators + int(value) and bool(sizes) and sizes[-1] > sizes[0]
    last = sizes[-1] if sizes else 0
    quorum = quorum_of(world.config.quorum, last) if last else 0
    return ok, f"{active} validators are active; the last committee had {last} members and a quorum of {quorum}."


CHECKS: dict[str, Judge] = {
    judge.__name__: judge
    for judge in (
        finalised,
        stalled,
        grew,
        consistent,
        one_head,
        nobody_slashed,
        honest_unslashed,
        slashed,
        slashed_within,
        gone,
        block_refused,
        certified,
        no_updates,
        loss_falls,
        loss_rises,
        merged,
        refused,
        raw_refused,
        bad_unchosen,
        bad_chosen,
        violation,
        no_violation,
        attack_fails,
        acks_land,
        readable,
        joined,
    )
}
WANTED: dict[str, str | dict[str, str]] = {
    "finalised": "number",
    "stalled": "span",
    "grew": "span",
    "slashed": OFFENCES,
    "slashed_within": "number",
    "certified": "number",
    "merged": "number",
    "refused": REJECTIONS,
    "raw_refused": REJECTIONS,
    "readable": "number",
    "joined": "number",
}
