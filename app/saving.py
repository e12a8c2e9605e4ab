"""Where the operator saves what is shown: each asks for a file, then writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.dialogs import choose_target
from app.pages.logs import LogsPage

if TYPE_CHECKING:
    from app.wiring import Wiring


def save_bundle(w: Wiring) -> None:
    """Save the match that is replayed."""
    facts = w.replay.state.facts
    if facts is not None:
        choose_target(w.window, "Save the match", facts.name, "Match bundle (*.nets)", w.replay.save_bundle)


def save_proof(w: Wiring) -> None:
    """Save the proof of the step that is replayed."""
    name = f"step-{w.replay.state.step}.json"
    choose_target(w.window, "Save the proof", name, "Step proof (*.json)", w.replay.export_proof)


def save_leaf_proof(w: Wiring) -> None:
    """Save the proof of the leaf chosen in the Merkle explorer."""
    state = w.merkle.state
    if state.chosen is not None and state.facts is not None:
        name = f"{'step' if state.facts.kind == 'match' else 'leaf'}-{state.chosen}.json"
        choose_target(w.window, "Save the proof", name, "Proof (*.json)", w.merkle.export_proof)


def save_log(w: Wiring) -> None:
    """Save the log."""
    page = w.pages["logs"]
    assert isinstance(page, LogsPage)
    choose_target(w.window, "Save the log", "nashboard-log.txt", "Text (*.txt)", page.write)
