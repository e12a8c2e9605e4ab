"""The agents tab: who takes part, how each makes up its mind, what the chain holds of it, how it was judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from app.formats import ether, plural
from app.links import address_link
from app.pages.base import search_field
from app.pages.league_fields import FieldGrid, narrow
from app.viewmodels.agreement import AgreementViewModel
from app.viewmodels.agreement_agents import (
    HONEST,
    STRATEGIES,
    AgentDraft,
    AgentFacts,
    AgentList,
    agent_errors,
    model_name,
)
from app.viewmodels.agreement_draft import AgreementState
from app.viewmodels.agreement_runs import AgreementRecord
from engine.consensus.config import AgentConfig
from engine.consensus.negotiation.byzantine import BEHAVIOURS
from widgets.basics import Card, button, column, label, row
from widgets.forms import ChoiceField, IntField, TextField
from widgets.labels import HashLabel, HashState, SectionHeader
from widgets.panels import Action, Banner, BannerState, EmptyPanelState
from widgets.real_field import RealField
from widgets.table import Column, DataTable, TableState

EMPTY = EmptyPanelState(
    "agent", "No agents", "A round needs at least two. Add one, open a file, or take the samples.",
    (Action("samples", "Take the samples", "refresh", primary=True), Action("add", "Add an agent", "plus")),
)  # fmt: skip
FILTERED = 8  # agents up to which nobody needs to search
KINDS = {"Counts": "ok", "Takes part": "info", "Ready": "neutral", "Cannot run": "error"}
COLUMNS = (
    Column("Agent"),
    Column("Strategy", width=80, format=str.capitalize),
    Column("Model", width=92, format=model_name, exact=str),
    Column("Behaviour", width=94, format=lambda v: v.replace("_", " "), tone=lambda v: "" if v == HONEST else "warn"),
    Column("Verdict", kind="pill", width=142, pill=lambda word: KINDS.get(word, "error")),
    Column("Reputation", align="right", kind="number", width=96, tooltip="On chain, from 1 to 1,000"),
    Column("Stake", align="right", kind="number", width=86, format=ether, exact=lambda v: f"{v} wei"),
    Column(
        "Address",
        kind="hash",
        link=address_link,
        width=128,
        tooltip="Its account on the devnet",
    ),
)


class AgentsTab(QWidget):
    """The table, and beneath it the fields of who is selected."""

    linkActivated = Signal(str)
    openRequested = Signal()
    saveRequested = Signal()
    modelRequested = Signal()

    def __init__(self, model: AgreementViewModel) -> None:
        super().__init__()
        self._model = model
        self._filling = False
        self._state: AgreementState | None = None
        self._listed: AgentList | None = None
        self._wrong: dict[int, str] = {}
        self.table = DataTable(COLUMNS, name="Agents of the round")
        self.table.setMinimumHeight(170)
        self.add, self.copy = button("Add", "plus"), button("Duplicate", "copy")
        self.remove = button("Remove", "trash", tooltip="Take the selected ones out; Undo brings them back")
        self.open, self.save = (
            button("Open…", "open", tooltip="Open an agents file: .json or .toml"),
            button("Save…", "export"),
        )
        self._undo = Banner(None)
        self.name = TextField("Name", "", max_length=64)
        self.fields = _fields()
        self.learning = _learning()
        self.file = button("Model file…", "file", tooltip="A .pt file: TorchScript, or weights; or drop one here")
        self.address = HashLabel()
        self.editor = Card(sunken=True, margins=12, spacing=8)
        self._who = SectionHeader("Selected agent")
        self._why = label("", "error", wrap=True, selectable=True)
        self._build()

    def _build(self) -> None:
        self._header = SectionHeader("Agents")
        for made in (self.add, self.copy, self.remove, self.open, self.save):
            self._header.add_action(made)
        self._filter = search_field("Filter agents", self.table.set_filter)
        body = column(self, spacing=12)
        body.addWidget(self._header)
        body.addWidget(self._undo)
        body.addLayout(row(None, self._filter))
        body.addWidget(self.table, 1)
        self._who.add_action(self.address)
        self._who.add_action(self.file)
        self.address.linkActivated.connect(self.linkActivated)
        self.editor.add(self._who)
        self.editor.add(self._why)
        self.fields.fields = {"name": self.name, **self.fields.fields}
        self.editor.add(row(self.name, self.fields, spacing=16))
        self.editor.body.itemAt(2).layout().setStretch(0, 1)
        self.editor.body.itemAt(2).layout().setStretch(1, 3)
        self.editor.add(self.learning)
        body.addWidget(self.editor)
        self._connect()

    def _connect(self) -> None:
        model, table = self._model, self.table
        self.add.clicked.connect(self._add)
        self.copy.clicked.connect(lambda: model.duplicate(_keys(table)))
        self.remove.clicked.connect(lambda: model.remove(_keys(table)))
        self.open.clicked.connect(self.openRequested)
        self.save.clicked.connect(self.saveRequested)
        self.file.clicked.connect(self.modelRequested)
        self._undo.actionTriggered.connect(lambda key: model.undo_remove())
        table.selectionChanged.connect(lambda keys: self._show_editor())
        table.linkActivated.connect(self.linkActivated)
        table.emptyAction.connect(lambda key: model.use_samples() if key == "samples" else self._add())
        self.name.valueChanged.connect(lambda value: self._edit(name=self.name.text()))
        self.fields.changed.connect(lambda: self._edit_changed(self.fields, ("strategy", "model", "behaviour")))
        self.learning.changed.connect(lambda: self._edit_changed(self.learning, tuple(self.learning.fields)))

    def selected(self) -> tuple[int, ...]:
        """The keys of the selected agents."""
        return _keys(self.table)

    def show_state(self, state: AgreementState) -> None:
        """Show the agents."""
        self._state = state
        if not self.isVisible():
            return
        listed = state.agents
        if listed is not self._listed:
            self._listed, self._wrong = listed, agent_errors(listed)
        wrong = self._wrong
        rows = tuple(_row(agent, state, wrong) for agent in listed.agents)
        self.table.set_state(TableState(rows, tuple(agent.key for agent in listed.agents), EMPTY))
        chosen = {agent.key for agent in listed.agents}.intersection(self.selected())
        if listed.agents and not chosen:
            self.table.select((listed.agents[0].key,))
        words = f"{plural(len(listed.agents), 'agent')}; select to change" if listed.agents else "Nobody yet"
        self._header.set_text("Agents", words)
        self._filter.setVisible(len(listed.agents) > FILTERED)
        gone = listed.removed
        words = f"{gone[0][1].name} was removed" if len(gone) == 1 else f"{len(gone)} agents were removed"
        undo = (Action("undo", "Undo", "undo"),)
        self._undo.set_state(BannerState("info", words, "", "", undo, closable=False) if gone else None)
        self.save.setEnabled(bool(listed.agents))
        self._show_editor()

    def showEvent(self, event: object) -> None:
        """Catch up with what came while another tab was in front."""
        super().showEvent(event)  # type: ignore[arg-type]
        if self._state is not None:
            self.show_state(self._state)

    def _add(self) -> None:
        self._model.add_agent()
        agents = self._model.state.agents.agents
        if agents and self._state is not None:
            self.show_state(self._model.state)
            self.table.select((agents[-1].key,))
            self.name.setFocus()

    def _show_editor(self) -> None:
        if self._state is None:
            return
        keys = set(self.selected())
        chosen = [agent for agent in self._state.agents.agents if agent.key in keys]
        for made in (self.copy, self.remove):
            made.setEnabled(bool(chosen))
        self.editor.setVisible(bool(chosen))
        if not chosen:
            return
        first = chosen[0]
        one = len(chosen) == 1
        self._who.set_text(first.name if one else f"{len(chosen)} agents", "" if one else "A change is for all of them")
        self.name.setVisible(one)
        address = _address(first, self._state) if one else ""
        self.address.setVisible(bool(address))
        if self.address.value() != address:
            self.address.set_state(HashState(address, address_link(address)))
        wrong = self._wrong
        why = next((wrong[agent.key] for agent in chosen if agent.key in wrong), "")
        judged = self._judged(first.name) if one else ""
        self._why.setText(why or judged)
        self._why.setVisible(bool(why or judged))
        self._fill(first)

    def _judged(self, name: str) -> str:
        run = self._state.run if self._state is not None else None
        found = run.judged.get(name) if run is not None else None
        return f"Left out from iteration {found.iteration}: {found.sentence}" if found is not None else ""

    def _fill(self, agent: AgentDraft) -> None:
        self._filling = True
        try:
            if not self.name.edit.hasFocus():
                self.name.set_value(agent.name)
            self.fields.set_values({"strategy": agent.strategy, "behaviour": agent.behaviour})
            model = self.fields.fields["model"]
            if not model.focusProxy().hasFocus():
                model.set_value(agent.model)
            values = {name: getattr(agent, name) for name in self.learning.fields}
            self.learning.set_values({name: value for name, value in values.items() if value is not None})
        finally:
            self._filling = False
        self.learning.setVisible(agent.strategy == "adaptive")

    def _edit_changed(self, grid: FieldGrid, names: tuple[str, ...]) -> None:
        """Take what differs from the first selected agent: the rest of several stays as it is."""
        if self._filling or self._state is None:
            return
        keys = set(self.selected())
        first = next((agent for agent in self._model.state.agents.agents if agent.key in keys), None)
        values = {name: grid.fields[name].value() for name in names}
        if first is not None:
            self._edit(**{name: value for name, value in values.items() if value != getattr(first, name)})

    def _edit(self, **values: Any) -> None:
        if not self._filling and values:
            self._model.edit_agents(self.selected(), values)


def _keys(table: DataTable) -> tuple[int, ...]:
    return tuple(int(str(key)) for key in table.selected_keys())


def _row(agent: AgentDraft, state: AgreementState, wrong: Mapping[int, str]) -> tuple[Any, ...]:
    run = state.run
    facts = state.facts.get(agent.name, AgentFacts())
    address = _address(agent, state) or None
    return (
        agent.name, agent.strategy, agent.model,
        run.behaviours.get(agent.name, agent.behaviour) if run is not None and not run.ended else agent.behaviour,
        verdict_word(agent, run, wrong), facts.reputation, facts.stake, address,
    )  # fmt: skip


def _address(agent: AgentDraft, state: AgreementState) -> str:
    """Return an agent's address, "" while it has none."""
    known = state.facts.get(agent.name, AgentFacts()).address
    return known or (state.run.addresses.get(agent.name, "") if state.run is not None else "")


def verdict_word(agent: AgentDraft, run: AgreementRecord | None, wrong: Mapping[int, str]) -> str:
    """Return how an agent stands in a word or two."""
    if agent.key in wrong:
        return "Cannot run"
    if run is None or agent.name not in run.agents:
        return "Ready"
    if agent.name in run.judged:
        return run.judged[agent.name].reason.capitalize()
    if run.result is not None:
        return "Counts" if agent.name in run.result.agents else "Left out"
    return "Takes part" if not run.ended else "Ready"


def _fields() -> FieldGrid:
    behaviours = ((HONEST, "Honest"), *((key, key.replace("_", " ").capitalize()) for key in BEHAVIOURS))
    return FieldGrid(
        {
            "strategy": narrow(ChoiceField("Strategy", STRATEGIES, value="mixed")),
            "model": TextField("Model", "builtin", help="builtin, builtin:bold, or a .pt file", max_length=4096),
            "behaviour": narrow(ChoiceField("Behaviour", behaviours, help="Honest, or a Byzantine one")),
        },
        columns=3,
    )


def _learning() -> FieldGrid:
    limits, config = AgentConfig.LIMITS, AgentConfig()

    def whole(name: str, title: str) -> IntField:
        low, high = (int(limit) for limit in limits[name])
        return IntField(title, int(getattr(config, name)), minimum=low, maximum=high, wrap=True)

    def real(name: str, title: str) -> RealField:
        low, high = limits[name]
        value = float(getattr(config, name))
        return RealField(title, value, minimum=low, maximum=high, help=f"{low:g} to {high:g}")

    return FieldGrid(
        {
            "learning_rate": real("learning_rate", "Learning rate"),
            "exploration_rate": real("exploration_rate", "Exploration"),
            "memory_size": whole("memory_size", "Memory"),
            "update_frequency": whole("update_frequency", "Learns every"),
        },
        columns=4,
    )
