"""The facts of the Replay page as rows of its panels: plain functions from the state."""

from __future__ import annotations

from dataclasses import replace

from app.formats import count, spoken
from app.links import address_link, match_link, step_link
from app.pages.proof_rows import walk_state
from app.viewmodels.chain_check import ChainCheck
from app.viewmodels.match_facts import MatchFacts
from app.viewmodels.proof import ProofWalk
from app.viewmodels.replay import ReplayState, VerifyState
from widgets.cards import KeyValueRow
from widgets.merkle import ProofState
from widgets.panels import Action, BannerState
from widgets.seats_bar import SeatInfo

LEGALITY = {True: ("Legal", "ok"), False: ("Illegal", "error"), None: ("Not asked", "neutral")}


def outcome_text(facts: MatchFacts) -> str:
    """How the match ended, and who is to blame."""
    if facts.cause is None:
        return spoken(facts.outcome)
    blamed = facts.seats[facts.seat] if facts.seat is not None and facts.seat < len(facts.seats) else "nobody"
    return f"{spoken(facts.outcome)}: {spoken(facts.cause).lower()}, {blamed}"


def seat_infos(state: ReplayState) -> tuple[SeatInfo, ...]:
    """Every seat: its gas so far, and its score at the end."""
    facts = state.facts
    assert facts is not None
    ended = state.shown is None
    infos = []
    for seat, name in enumerate(facts.agents):
        gas = state.gas[seat] if seat < len(state.gas) else 0
        status = f"score {facts.scores[seat]:,}" if ended and seat < len(facts.scores) else ""
        moves = state.shown is not None and state.shown.seat == seat
        infos.append(SeatInfo(name, f"{count(gas)} gas so far", status, moves))
    return tuple(infos)


def match_rows(state: ReplayState) -> tuple[KeyValueRow, ...]:
    """What the bundle says of the match."""
    facts = state.facts
    assert facts is not None
    kind = {"FINISHED": "ok", "VOID": "warn"}.get(facts.outcome, "error")
    rows = [KeyValueRow("File", facts.name), KeyValueRow("Ended", outcome_text(facts), "pill", kind)]
    for seat, name in enumerate(facts.seats):
        score = facts.scores[seat] if seat < len(facts.scores) else 0
        gas = state.reading.gas[seat][-1] if seat < len(state.reading.gas) else 0
        rows.append(KeyValueRow(f"Seat {seat}", f"{name}: score {score:,}, {count(gas)} gas"))
    rows += [KeyValueRow(name, f"{value}", "mono") for name, value in facts.params]
    if state.round_id:
        rows.append(KeyValueRow("Round", "Open in the Merkle explorer", "link", link=step_link_of(state)))
    return (
        *rows,
        KeyValueRow("Steps", count(facts.steps), "mono"),
        KeyValueRow("Seed", f"{facts.seed}", "mono"),
        KeyValueRow("Gas a decision", count(facts.budget), "mono"),
        KeyValueRow("Trace root", facts.trace_root, "hash"),
        KeyValueRow("Commitment", facts.commitment, "hash"),
    )


def step_link_of(state: ReplayState) -> str:
    """The place of the step shown in the Merkle explorer."""
    if state.proof is None:
        return match_link(state.round_id, state.fixture)
    return step_link(state.round_id, state.fixture, state.proof.index)


def step_rows(state: ReplayState) -> tuple[KeyValueRow, ...]:
    """What the step shows; after the last one, how the match ended."""
    shown, facts = state.shown, state.facts
    assert facts is not None
    if shown is None:
        scores = ", ".join(f"{name} {score:,}" for name, score in zip(facts.seats, facts.scores, strict=False))
        text = f"After the last of {count(facts.steps)} steps"
        return (KeyValueRow("End", text), KeyValueRow("Outcome", outcome_text(facts)), KeyValueRow("Scores", scores))
    rows = [KeyValueRow("Agent", facts.seats[shown.seat])]
    if shown.cause is not None:
        rows.append(KeyValueRow("Fault", shown.cause, "pill", "error"))
    word, kind = LEGALITY[shown.legal]
    rows += [
        KeyValueRow("Action", shown.action, "mono"),
        KeyValueRow("Legality", word, "pill", kind),
        KeyValueRow("Gas used", f"{count(shown.gas)} of {count(facts.budget)}", "mono"),
        KeyValueRow("Leaf hash", shown.leaf, "hash"),
        KeyValueRow("Observation", f"0x{shown.packed % 2**64:016x}", "mono"),
    ]
    rows += [KeyValueRow(f"   {name}", value, "mono") for name, value in shown.fields]
    if shown.mailbox:
        rows.append(KeyValueRow("Mailbox", f"{len(shown.observation)} bytes, see the State tab", "mono"))
    return tuple(rows)


def proof_state(proof: ProofWalk, check: ChainCheck | None) -> ProofState:
    """The proof view of a walk, with what the contract said of it."""
    answered = check is not None and check.answer
    source = "chain" if answered else "local"
    return replace(walk_state(proof), source=source, chain=() if check is None else chain_rows(check))


def chain_rows(check: ChainCheck) -> tuple[KeyValueRow, ...]:
    """What the contract said, and where and when it was asked."""
    return (
        KeyValueRow("Contract says", str(check.answer).lower(), "pill", "ok" if check.answer else "error"),
        KeyValueRow("Contract", check.contract, "hash", link=address_link(check.contract)),
        KeyValueRow("Block", count(check.block), "mono"),
        KeyValueRow("Round", f"{check.round_name}, leaf {check.leaf}"),
    )


def verdict_banner(verify: VerifyState) -> BannerState | None:
    """What playing the match again gave."""
    if verify.state == "ok":
        return BannerState("ok", "The match verifies", verify.text)
    if verify.state == "failed":
        actions = () if verify.step is None else (Action(str(verify.step), f"Go to step {verify.step}", primary=True),)
        return BannerState("error", "The match does not verify", verify.text, "", actions)
    return None
