"""Ctrl+Z: takes back the last local edit of the page shown. What went to a chain asks beforehand instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.errors import Notice

if TYPE_CHECKING:
    from app.wiring import Wiring


def undo_here(w: Wiring) -> None:
    """Undo on the page shown: removed agents, edited payoffs, edited leaf bytes."""
    consensus = w.agreement.undo_remove if w.games.agents_shown else w.consensus.undo_edits
    edits = {
        "leagues": w.roster.undo,
        "consensus": consensus,
        "replay": w.replay.revert_leaf,
        "merkle": w.merkle.revert_leaf,
    }
    undo = edits.get(w.navigator.here.page)
    if undo is None:
        text = "Agents that were removed, payoffs and leaves that were edited come back on their own pages."
        w.notify(Notice("info", "There is nothing to undo here", text, key="undo"))
    else:
        undo()
