"""The facts of the Merkle explorer as rows of its panels: plain functions from the state."""

from __future__ import annotations

from dataclasses import replace

from app.formats import count, spoken
from app.links import address_link, block_link, leaf_link, match_link
from app.pages.proof_rows import walk_state
from app.viewmodels.merkle import MerkleState
from app.viewmodels.proof import INNER_PARTS, ROUND_PARTS, STEP_PARTS, ProofWalk
from engine.league.inclusion import Answer
from engine.league.standings import NO_OPPONENT
from engine.league.trees import leaf_tuple
from widgets.cards import KeyValueRow
from widgets.merkle import ProofState

ON_CHAIN = KeyValueRow("This root is", "on chain", "pill", "ok", tooltip="The contract keeps the same root")
UNTRUSTED = KeyValueRow(
    "This root is", "local, untrusted", "pill", "warn", tooltip="Computed here; nobody vouches for it"
)
REJECTED = KeyValueRow(
    "This root is", "on chain, rejected", "pill", "error", tooltip="The contract keeps it as one that a dispute refuted"
)
OTHER = KeyValueRow("This root is", "not the one on chain", "pill", "error", tooltip="The contract keeps another root")


def chosen_rows(state: MerkleState) -> tuple[KeyValueRow, ...]:
    """What the chosen leaf stands for."""
    facts, words = state.facts, state.words
    if facts is None or state.chosen is None:
        return ()
    if facts.kind == "match":
        link = f"{match_link(state.round_id, state.fixture)}/{state.chosen}"
        rows = [KeyValueRow("Step", count(state.chosen), "link", link=link)]
        if len(words) > 1:
            rows.append(KeyValueRow("Moved", words[1] if not words[2] else f"{words[1]}: {words[2]}"))
        leaf = state.leaf if state.leaf is not None else 0
        return (*rows, KeyValueRow("Leaf of the round", count(leaf), "link", link=leaf_link(state.round_id, leaf)))
    if len(words) < 7:
        return (KeyValueRow("Leaf", count(state.chosen), "mono"),)
    title, first, second, outcome, cause, scores, steps = words[:7]
    ended = f"{spoken(outcome)}: {spoken(cause).lower()}" if cause else spoken(outcome)
    return (
        KeyValueRow("Leaf", title, "link", link=match_link(state.round_id, state.fixture)),
        KeyValueRow("Agents", f"{first} against {second}" if second else first),
        KeyValueRow("Ended", f"{ended}, {scores}, {steps}"),
    )


def root_rows(state: MerkleState) -> tuple[KeyValueRow, ...]:
    """The root of the tree shown, and who vouches for it."""
    facts, onchain = state.facts, state.onchain
    if facts is None:
        return ()
    rows = [KeyValueRow("Root", facts.root, "hash")]
    if onchain is None:
        rows.append(UNTRUSTED)
    elif onchain.holds and onchain.status == "rejected":
        rows.append(REJECTED)
    elif onchain.holds:
        rows += [
            ON_CHAIN,
            KeyValueRow("Read at", f"block {count(onchain.block)}", "link", link=block_link(onchain.block)),
        ]
    else:
        rows.append(OTHER)
    if facts.kind == "match":
        rows.append(KeyValueRow("Bound by", "the match commitment, in the leaf of its round"))
    return tuple(rows)


def proof_state(state: MerkleState) -> ProofState:
    """The proof view of the chosen leaf, or of the inner node that poses as one."""
    proof, facts = state.proof, state.facts
    if proof is None or facts is None:
        return ProofState(can_verify=False)
    in_round = facts.kind == "round"
    parts = INNER_PARTS if state.offered else ROUND_PARTS if in_round else STEP_PARTS
    return replace(
        walk_state(proof),
        leaf_parts=parts,
        source=_source(state.onchain),
        chain=() if state.answer is None else _answer_rows(state.answer),
        # The contract takes the fields of a match, and the two hashes of an inner node are none.
        can_verify=not (in_round and state.offered),
        can_offer=proof.size > 1,
        texts=_leaf_texts(proof) if in_round and not state.offered else (),
    )


def _source(onchain: Answer | None) -> str:
    """Who vouches for the root: the contract, nobody, or nobody can ("": the contract keeps another one)."""
    if onchain is None:
        return "local"
    return "" if not onchain.holds else "rejected" if onchain.status == "rejected" else "chain"


def _answer_rows(answer: Answer) -> tuple[KeyValueRow, ...]:
    return (
        KeyValueRow("Contract says", str(answer.holds).lower(), "pill", "ok" if answer.holds else "error"),
        KeyValueRow("Contract", answer.contract, "hash", link=address_link(answer.contract)),
        KeyValueRow("Round there", answer.status),
        KeyValueRow("Asked at block", count(answer.block), "link", link=block_link(answer.block)),
    )


def _leaf_texts(proof: ProofWalk) -> tuple[tuple[str, str], ...]:
    """The parts of a round leaf that are not plain numbers: scores have a sign, and a match may have one seat."""
    _, _, b, d_a, d_b, *_ = leaf_tuple(proof.leaf)
    seat_b = "none" if b == NO_OPPONENT else str(b)
    return (("seat b", seat_b), ("score a", f"{d_a:,}"), ("score b", f"{d_b:,}"))
