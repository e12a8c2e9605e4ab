"""The welcome: three ways to begin. It is the first page as long as nothing is kept here."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QPushButton, QWidget

from app.pages.base import ConsolePage, side_by_side
from widgets.basics import Card, ElidedLabel, IconLabel, button, column, label, row

DEMO = (
    "Eleven steps from an empty chain to a trained update: devnet, league, replay, proof, consensus, learning chain. "
    "It takes about ten seconds, and each step says why it matters."
)
NEW = (
    "A workspace is a folder that keeps everything: agents, rounds, stakes, and a devnet of its own. What already lies "
    "in a folder is named first, and never overwritten."
)
OPEN = (
    "A match (.nets), agents (.wasm), a game (.nfg, .npz, .json), a task (.json), a league (.toml), or the folder of a "
    "workspace. Dropping them on this window does the same."
)
PROMISE = (
    "No account, no telemetry, no network: everything runs and stays on this machine. The devnet's keys are public: "
    "never use them on mainnet."
)
NARROW = 900


class WelcomePage(ConsolePage):
    """Run the demo, make a workspace, open something."""

    demoRequested = Signal()
    walkRequested = Signal()
    stayRequested = Signal()
    newRequested = Signal()
    filesRequested = Signal()
    workspaceRequested = Signal()
    guideRequested = Signal()

    def __init__(self) -> None:
        super().__init__("Welcome to Nashboard", "Verifiable consensus and competition of AI agents, on this machine")
        self.demo = button("Run the demo", "play", "primary")
        self.walk = button("Step by step", "forward")
        self.stay = button("Use this folder", "check")
        self.new = button("Choose a folder…", "plus")
        self.files = button("Open files…", "open")
        self.workspace = button("Open a workspace…", "open")
        self.guide = button("Read the guide", "logs", "ghost")
        self.place = ElidedLabel("mono-muted", mode=Qt.TextElideMode.ElideMiddle)
        self.holds = label("", "muted", wrap=True)
        self.holds.hide()
        for made, signal in (
            (self.demo, self.demoRequested),
            (self.walk, self.walkRequested),
            (self.stay, self.stayRequested),
            (self.new, self.newRequested),
            (self.files, self.filesRequested),
            (self.workspace, self.workspaceRequested),
            (self.guide, self.guideRequested),
        ):
            made.clicked.connect(lambda _=False, signal=signal: signal.emit())
            made.setAutoDefault(True)  # Enter presses it
        cards = (
            _choice("rocket", "Run the demo", DEMO, self.demo, self.walk),
            _choice("plus", "New workspace", NEW, self.stay, self.new, notes=(self.place, self.holds)),
            _choice("open", "Open", OPEN, self.files, self.workspace),
        )
        self.add(side_by_side(*cards, narrow=NARROW))
        below = row(IconLabel("shield", "ok", 20), 4)
        below.addWidget(label(PROMISE, "muted", wrap=True), 1)
        below.addWidget(self.guide)
        self.add(below)
        self.body.addStretch(1)

    def showEvent(self, event: QShowEvent) -> None:
        """Give the keyboard to the first choice, unless it was on another one here before."""
        super().showEvent(event)
        if self.focusWidget() is None:
            self.demo.setFocus(Qt.FocusReason.OtherFocusReason)

    def show_place(self, root: str, holds: tuple[str, ...]) -> None:
        """Say where this window's workspace lies and what is in it already."""
        self.place.setText(root)
        self.holds.setText(", ".join(holds))
        self.holds.setVisible(bool(holds))
        self.place.setAccessibleName(f"This window's folder: {self.place.text()}")
        self.stay.setText("Stay in this folder" if holds else "Use this folder")
        self.stay.setAccessibleName(self.stay.text())


def _choice(icon: str, title: str, text: str, *buttons: QPushButton, notes: Sequence[QWidget] = ()) -> Card:
    """A way to begin: what it is, and what does it."""
    card = Card(margins=24, spacing=12)
    card.setMinimumWidth(240)
    card.add(IconLabel(icon, "accent", 32))
    card.add(label(title, "title"))
    card.add(label(text, "", wrap=True))
    for note in notes:
        card.add(note)
    card.body.addStretch(1)
    below = column(spacing=8)
    for made in buttons:
        below.addWidget(made, 0, Qt.AlignmentFlag.AlignLeft)
    card.add(below)
    return card
