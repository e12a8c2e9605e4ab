"""The roster's part of the Leagues page: what is dropped, what the gate says, who plays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Signal

from app.formats import plural, size
from app.links import address_link
from app.pages.base import search_field
from app.viewmodels.roster import RosterState, RosterViewModel
from widgets.basics import Card, button, label, row
from widgets.drop_zone import DropZone, DropZoneState
from widgets.labels import SectionHeader
from widgets.panels import Action, Banner, BannerState, EmptyPanelState
from widgets.table import Column, DataTable, TableState

EMPTY_ROSTER = EmptyPanelState(
    "agent",
    "No agents yet",
    "Drop .wasm files here, or start with the samples of the chosen System.",
    (Action("samples", "Add the sample agents", "plus"),),
)
_HINT = "Agents and Systems (.wasm), several at once"


class RosterCard(Card):
    """Drop zone, verdicts and the table of agents."""

    browseRequested = Signal()
    samplesRequested = Signal()
    rejected = Signal(str)
    linkActivated = Signal(str)

    def __init__(self, model: RosterViewModel) -> None:
        super().__init__()
        self._model = model
        self._zone = DropZone(DropZoneState("Drop agents here", _HINT, (".wasm",)))
        self._undo = Banner(None)
        self._verdicts = DataTable(
            (
                Column("File", width=172),
                Column("Verdict", kind="pill", pill=_verdict_kind, width=132),
                Column("Why"),
            ),
            name="Verdicts of the gate",
        )
        self.table = DataTable(
            (
                Column("Plays", kind="check", width=64, tooltip="Whether it plays in the next round"),
                Column("Agent"),
                Column("Sample of", width=88),
                Column("Size", align="right", kind="number", format=size, width=76),
                Column("Module", kind="hash", width=116),
                Column("Account", kind="hash", link=address_link, width=132),
                Column("Interface", width=88),
            ),
            name="Agents",
        )
        self._count = label("", "muted")
        self._samples = button("Add samples", "plus", tooltip="Add the sample agents of the chosen System")
        self._all, self._none = button("All play", "check", "ghost"), button("None", "", "ghost")
        self._remove = button("Remove", "trash")
        self._build()
        self.unobserve: Callable[[], None] = model.observe(self._show)

    def _build(self) -> None:
        self.header = SectionHeader("Agents", "Those that are checked play in the next round")
        self.header.add_action(self._samples)
        self.header.add_action(self._remove)
        self.add(self.header)
        self.add(self._zone)
        self.add(self._undo)
        self._verdicts.fit_height(1, 3)
        self.add(self._verdicts)
        self.add(row(self._count, None, self._all, self._none, search_field("Filter agents", self.table.set_filter)))
        self.table.setMinimumHeight(220)
        self.add(self.table, 1)
        self._zone.filesDropped.connect(lambda names: self._model.add([Path(name) for name in names]))
        self._zone.rejected.connect(self.rejected)
        self._zone.browseRequested.connect(self.browseRequested)
        self._samples.clicked.connect(self.samplesRequested)
        self._all.clicked.connect(lambda: self._model.play_all(True))
        self._none.clicked.connect(lambda: self._model.play_all(False))
        self._none.setAccessibleName("Let none play")
        self._remove.clicked.connect(self.remove_selected)
        self._undo.actionTriggered.connect(lambda key: self._model.undo())
        self.table.selectionChanged.connect(lambda keys: self._remove.setEnabled(bool(keys)))
        self.table.checkToggled.connect(lambda key, on: self._model.let_play((str(key),), on))
        self.table.linkActivated.connect(self.linkActivated)
        self.table.emptyAction.connect(lambda key: self.samplesRequested.emit())
        self._remove.setEnabled(False)

    def remove_selected(self) -> None:
        """Take the selected agents out."""
        self._model.remove(*(str(key) for key in self.table.selected_keys()))

    def _show(self, state: RosterState) -> None:
        rows = tuple(
            (a.sha256 in state.playing, a.name, ", ".join(a.games) or None, a.size, a.sha256, a.address, a.abi)
            for a in state.agents
        )
        self.table.set_state(TableState(rows, tuple(a.sha256 for a in state.agents), EMPTY_ROSTER))
        self._count.setText(f"{len(state.entrants):,} of {plural(len(state.agents), 'agent')} play")
        for widget in (self._count, self._all, self._none):
            widget.setVisible(bool(state.agents))
        verdicts = tuple((v.file, v.word, v.text) for v in state.verdicts)
        self._verdicts.set_state(TableState(verdicts))
        self._verdicts.setVisible(bool(verdicts))
        title = "Drop agents here" if not state.checking else f"Checking {state.checking}…"
        self._zone.set_state(DropZoneState(title, _HINT, (".wasm",), busy=bool(state.checking)))
        self._undo.set_state(_undo_banner(state))


def _undo_banner(state: RosterState) -> BannerState | None:
    if not state.removed:
        return None
    gone = state.removed[-1]
    what = f"{gone[0].name} was removed" if len(gone) == 1 else f"{len(gone):,} agents were removed"
    return BannerState("info", what, "", "", (Action("undo", "Undo", "undo"),))


def _verdict_kind(word: str) -> str:
    return {"Rejected": "error", "System added": "info"}.get(word, "ok")
