"""A walk from a leaf to a root, as the Replay and Merkle pages both show it."""

from __future__ import annotations

from app.viewmodels.proof import STEP_PARTS, ProofWalk
from widgets.merkle import ProofRow, ProofState


def walk_state(proof: ProofWalk) -> ProofState:
    """Return the proof view of a walk from a step's leaf, under a root for which nobody vouches."""
    return ProofState(
        index=proof.index,
        n_leaves=proof.size,
        leaf=proof.leaf,
        leaf_parts=STEP_PARTS,
        leaf_hash=proof.leaf_hash,
        rows=tuple(ProofRow(r.level, r.side, r.sibling, r.result, r.changed) for r in proof.lines),
        computed_root=proof.computed,
        expected_root=proof.expected,
        source="local",
        verdict="pass" if proof.holds else "fail",
        edited=proof.edited,
        note=proof.note,
    )
