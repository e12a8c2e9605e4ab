"""The setup tab of the Leagues page: the roster beside the form of a round."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox

from app.formats import size
from app.links import address_link
from app.pages.base import search_field
from app.viewmodels.roster import RosterState, RosterViewModel
from app.viewmodels.setup import SetupState, SetupViewModel, tier_choices
from widgets.basics import Card, button, label, row
from widgets.drop_zone import DropZone, DropZoneState
from widgets.forms import ChoiceField, EthField, Form, IntField, SeedField, TextField
from widgets.labels import SectionHeader
from widgets.panels import Action, Banner, BannerState, EmptyPanelState
from widgets.table import Column, DataTable, TableState

EMPTY_ROSTER = EmptyPanelState(
    "agent",
    "No agents yet",
    "Drop .wasm files here, or start with the samples that come with Nashboard.",
    (Action("samples", "Add the sample agents", "plus"),),
)


class RosterCard(Card):
    """Drop zone, verdicts and the table of agents."""

    browseRequested = Signal()
    samplesRequested = Signal()
    rejected = Signal(str)
    linkActivated = Signal(str)

    def __init__(self, model: RosterViewModel) -> None:
        super().__init__()
        self._model = model
        self._zone = DropZone(
            DropZoneState("Drop agents here", "WebAssembly modules (.wasm), several at once", (".wasm",))
        )
        self._undo = Banner(None)
        self._verdicts = DataTable(
            (
                Column("File", width=150),
                Column("Verdict", kind="pill", pill=lambda v: "ok" if v == "Admitted" else "error", width=116),
                Column("Why"),
            ),
            name="Verdicts of the gate",
        )
        self.table = DataTable(
            (
                Column("Agent"),
                Column("Interface", width=84),
                Column("Size", align="right", kind="number", format=size, width=76),
                Column("Module", kind="hash", width=150),
                Column("Account", kind="hash", link=address_link, width=160),
            ),
            name="Agents",
        )
        self._remove = button("Remove", "trash")
        self._build()
        self.unobserve: Callable[[], None] = model.observe(self._show)

    def _build(self) -> None:
        self.header = SectionHeader("Agents", "Each plays in the next round")
        self.header.add_action(search_field("Filter agents", self.table.set_filter))
        self.header.add_action(self._remove)
        self.add(self.header)
        self.add(self._zone)
        self.add(self._undo)
        self._verdicts.setFixedHeight(150)
        self.add(self._verdicts)
        self.table.setMinimumHeight(220)
        self.add(self.table, 1)
        self._zone.filesDropped.connect(lambda names: self._model.add([Path(name) for name in names]))
        self._zone.rejected.connect(self.rejected)
        self._zone.browseRequested.connect(self.browseRequested)
        self._remove.clicked.connect(self.remove_selected)
        self._undo.actionTriggered.connect(lambda key: self._model.undo())
        self.table.selectionChanged.connect(lambda keys: self._remove.setEnabled(bool(keys)))
        self.table.linkActivated.connect(self.linkActivated)
        self.table.emptyAction.connect(lambda key: self.samplesRequested.emit())
        self._remove.setEnabled(False)

    def remove_selected(self) -> None:
        """Take the selected agents out."""
        for key in self.table.selected_keys():
            self._model.remove(str(key))

    def _show(self, state: RosterState) -> None:
        rows = tuple((a.name, a.abi, a.size, a.sha256, a.address) for a in state.agents)
        self.table.set_state(TableState(rows, tuple(a.sha256 for a in state.agents), EMPTY_ROSTER))
        verdicts = tuple((v.file, "Admitted" if v.accepted else "Rejected", v.text) for v in state.verdicts)
        self._verdicts.set_state(TableState(verdicts))
        self._verdicts.setVisible(bool(verdicts))
        self._zone.set_state(
            DropZoneState(
                "Drop agents here" if not state.checking else f"Checking {state.checking}…",
                "WebAssembly modules (.wasm), several at once",
                (".wasm",),
                busy=bool(state.checking),
            )
        )
        removed = state.removed
        self._undo.set_state(
            BannerState("info", f"{removed.name} was removed", "", "", (Action("undo", "Undo", "undo"),))
            if removed
            else None
        )


class SetupCard(Card):
    """The form of a round and its Run button."""

    runRequested = Signal()
    importRequested = Signal()
    exportRequested = Signal()

    def __init__(self, model: SetupViewModel) -> None:
        super().__init__()
        self._model = model
        self._revision = -1
        state = model.state
        self._fields = {
            "name": TextField("League", state.name, help="Rounds of one league are numbered"),
            "system": ChoiceField("System", (("snake", "Snake"),), value="snake"),
            "tier": ChoiceField("Tier", tuple((t.id, t.text) for t in tier_choices()), value=state.tier),
            "matches": IntField("Matches an agent", state.matches, minimum=1, maximum=100_000),
            "seed": SeedField("Seed", state.seed),
            "budget": IntField("Gas a decision", state.budget, minimum=1, maximum=2**31 - 1),
            "stake_wei": EthField("Stake of a newcomer", state.stake_wei),
            "reward_wei": EthField("Base reward", state.reward_wei),
        }
        self._form = Form(self._fields)
        self._anchor = QCheckBox("Anchor and settle on the devnet")
        self._summary = label("", "muted", wrap=True)
        self._run = button("Run round", "play", "primary")
        self._build()
        self.unobserve: Callable[[], None] = model.observe(self._show)

    def _build(self) -> None:
        header = SectionHeader("Round", "The same values and agents give the same result anywhere")
        load, keep = button("Open…", "import"), button("Save…", "export")
        load.setToolTip("Open a LEAGUE.toml")
        keep.setToolTip("Save as LEAGUE.toml, with the agents beside it, for another machine")
        load.clicked.connect(self.importRequested)
        keep.clicked.connect(self.exportRequested)
        header.add_action(load)
        header.add_action(keep)
        self.add(header)
        self.add(self._form)
        self.add(self._anchor)
        self.body.addStretch(1)
        self.add(self._summary)
        self.add(row(None, self._run))
        self._form.changed.connect(self._on_changed)
        self._form.validChanged.connect(lambda ok: self._on_changed())
        self._anchor.toggled.connect(self._model.set_anchor)
        self._run.clicked.connect(self.runRequested)

    def _on_changed(self) -> None:
        values = self._form.values()
        readable = {name: value for name, value in values.items() if value is not None}
        self._model.edit(readable, len(readable) == len(values))

    def _show(self, state: SetupState) -> None:
        if state.revision != self._revision:
            self._revision = state.revision
            self._load(state)
        for name, field in self._fields.items():
            field.set_error(state.errors.get(name, ""))
        self._anchor.setChecked(state.anchor)
        self._summary.setText(state.summary)
        self._run.setEnabled(state.ready)

    def _load(self, state: SetupState) -> None:
        if state.systems:
            self._fields["system"].set_choices(tuple((s.id, s.text) for s in state.systems))
        self._form.set_values({name: getattr(state, name) for name in self._fields})

    def set_running(self, running: bool) -> None:
        """Refuse a second round while one is played."""
        self._run.setEnabled(not running and self._model.state.ready)
