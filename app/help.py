"""What the Help menu says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.dialogs import shortcut_list, tell

if TYPE_CHECKING:
    from app.wiring import Wiring

BEGIN = (
    "1. Start the devnet and deploy the contracts.\n2. Drop .wasm agents on the window.\n"
    "3. Run a league round; its results are hashed and anchored.\n4. Settle it; open any match to replay and "
    "prove it.\n\nOn the Consensus page, choose a game and watch a method find its equilibria; or let agents "
    "agree on a task, and have the chain check what they found.\n\nOn the Learning chain page, run a scenario: "
    "validators vote on trained updates, and every fault is a button.\n\n"
    "The guided demo on the Overview page walks through all of this by itself, or step by step."
)
REPLAY = (
    ("Play or pause", "Space"),
    ("A step, ten steps", "← →, Shift+← →"),
    ("First, last", "Home, End"),
    ("Slower, faster", "- +"),
    ("Next event, the one before", "N, Shift+N"),
)
CHAIN = (
    ("Slot before, after (timeline, forks)", "← →"),
    ("Epoch before, after", "Page Up, Page Down"),
    ("Vote, cell of the sweep", "← → ↑ ↓"),
    ("Closer, farther", "+ -"),
    ("All validators", "0"),
)
PICTURES = (
    ("Leaf; parent and child in the tree", "← →, ↑ ↓"),
    ("A subtree; the whole tree", "Enter, Home"),
    ("Values of a plot, farther", "← →, Shift+← →"),
    ("A bar; where it leads", "← →, Enter"),
    ("The link of a table's cell", "Enter"),
)


def show_help(w: Wiring) -> None:
    """Say how to begin."""
    tell(w.window, "Getting started", BEGIN, kind="info")


def show_keys(w: Wiring) -> None:
    """List the keys."""
    sections = [*w.commands.shortcuts(), ("Replay", list(REPLAY)), ("Learning chain", list(CHAIN)),
                ("Trees, plots, tables", list(PICTURES))]  # fmt: skip
    shortcut_list(w.window, sections)
