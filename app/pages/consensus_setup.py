"""The form of the Consensus page: which game, which method, how exact, and what goes wrong on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.pages.league_fields import FieldGrid, Section, narrow
from app.viewmodels.consensus import ConsensusState, ConsensusViewModel
from app.viewmodels.consensus_setup import (
    FAULTS,
    FOUND,
    STARTS,
    RunSetup,
    describe,
    fitting,
    numbers_of,
    starts_anywhere,
)
from engine.games.catalogue import Parameter
from engine.games.consensus import ConsensusGame
from engine.games.methods import AUTO
from engine.games.options import MAX_ITERATIONS
from engine.games.parameters import Number
from widgets.basics import Card, button, column, label, row
from widgets.forms import ChoiceField, Field, IntField, SeedField
from widgets.labels import SectionHeader
from widgets.real_field import RealField


class SetupCard(Card):
    """The form. What is typed goes to the view-model at once; what is wrong stands beneath the field."""

    openRequested = Signal()

    def __init__(self, model: ConsensusViewModel) -> None:
        super().__init__()
        self._model = model
        self._revision = -1
        self._filling = False
        self._known: tuple[Any, ...] = ()
        self._values: Any = None
        self._seen: tuple[Any, ...] = ()
        self._numbers: tuple[Number, ...] = ()
        setup = model.state.setup
        self.group = narrow(
            ChoiceField("Kind of game", ((None, ""),), help="Or open a file; or drop one on the window")
        )
        self.game = narrow(ChoiceField("Game", ((None, ""),)))
        self.parameters = FieldGrid({})
        self._box: QVBoxLayout = column(spacing=0)
        self.method = narrow(ChoiceField("Method", ((AUTO, "Automatic"),), value=AUTO))
        self.fields, self.more, self.faults = _run_fields(setup), _more_fields(setup), _fault_fields(setup)
        self.tuning = FieldGrid({})
        self.inject = button("Inject now", "slash", tooltip="Make that agent faulty at the iteration of this moment")
        self._summary = label("", "muted", wrap=True)
        self._undo = button("Undo edits", "undo", tooltip="Take the payoffs as they were before they were edited")
        self._build()
        self.unobserve: Callable[[], None] = model.observe(self._show)

    def _build(self) -> None:
        header = SectionHeader("Set up")
        load = button("Open…", "open", tooltip="Open a game file: .nfg, .npz or .json; or drop one on the window")
        load.clicked.connect(self.openRequested)
        header.add_action(load)
        self.add(header)
        self.add(self.group)
        self.add(self.game)
        self.add(self._box)
        self._box.addWidget(self.parameters)
        self.add(row(self._summary, self._undo))
        self.body.itemAt(self.body.count() - 1).layout().setStretch(0, 1)
        self.add(self.method)
        self.add(self.fields)
        more = QWidget()
        self._tunables: QVBoxLayout = column(more, spacing=8)
        self._tunables.addWidget(self.more)
        self._tunables.addWidget(self.tuning)
        self._more = Section("More", more)
        self.add(self._more)
        faults = QWidget()
        inside = column(faults, spacing=8)
        inside.addWidget(self.faults)
        inside.addLayout(row(self.inject, None))
        self._faults = Section("Byzantine agent", faults)
        self.add(self._faults)
        self.body.addStretch(1)
        self.group.valueChanged.connect(self._on_group)
        self.game.valueChanged.connect(self._on_game)
        self.method.valueChanged.connect(lambda value: self._edit(method=value))
        self.more.changed.connect(lambda: self._edit(**self.more.values()))
        self.fields.changed.connect(lambda: self._edit(**self.fields.values()))
        self.faults.changed.connect(lambda: self._edit(**self.faults.values()))
        self._undo.clicked.connect(self._model.undo_edits)
        self.inject.clicked.connect(self._inject)

    def _inject(self) -> None:
        setup = self._model.state.setup
        kind = setup.fault if setup.fault != "none" else "far"
        self._model.inject(setup.fault_agent or 1, kind)

    def _edit(self, **values: Any) -> None:
        if not self._filling:
            self._model.edit(values)

    def _on_group(self, group: Any) -> None:
        if not self._filling:
            first = next((c for c in self._model.state.choices if c.group == group), None)
            if first is not None:
                self._model.choose(first.key)

    def _on_game(self, key: Any) -> None:
        if not self._filling and key is not None:
            self._model.choose(key)

    def _on_parameters(self) -> None:
        if not self._filling:
            self._model.set_parameters(self.parameters.values())
            self._values = self._model.state.parameters  # they stand in the form already

    def _show(self, state: ConsensusState) -> None:
        wanted = (state.choices, state.choice, state.parameters, state.game, state.original, state.building)
        seen = (*wanted, state.setup, state.errors, state.revision, state.busy)
        if len(self._seen) == len(seen) and all(one is other for one, other in zip(self._seen, seen, strict=True)):
            return  # a run went on
        self._seen = seen
        self._filling = True
        try:
            self._show_games(state)
            if state.revision != self._revision:
                self._revision = state.revision
                self._load(state)
            self._show_errors(state)
        finally:
            self._filling = False
        edited = " Edited by hand." if state.edited else ""
        self._summary.setText("Making the game…" if state.building else describe(state.game) + edited)
        self._undo.setVisible(state.edited)
        consensus = isinstance(state.game, ConsensusGame)
        self._faults.setVisible(consensus)
        self.inject.setEnabled(consensus and state.busy)

    def _show_games(self, state: ConsensusState) -> None:
        known = (state.choices, state.choice)
        if known == self._known:
            if state.parameters is not self._values:
                self._values = state.parameters
                self.parameters.set_values(state.parameters)
            return
        self._known, self._values = known, state.parameters
        chosen = next((c for c in state.choices if c.key == state.choice), None)
        groups = tuple(dict.fromkeys(c.group for c in state.choices))
        self.group.set_choices(tuple((group, group) for group in groups))
        if chosen is None:
            return
        self.group.set_value(chosen.group)
        self.game.set_choices(tuple((c.key, c.title) for c in state.choices if c.group == chosen.group))
        self.game.set_value(chosen.key)
        self.game.set_help(chosen.summary)
        self._box.removeWidget(self.parameters)
        self.parameters.hide()
        self.parameters.deleteLater()
        self.parameters = FieldGrid(
            {p.name: _parameter_field(p, state.parameters.get(p.name, p.default)) for p in chosen.parameters}
        )
        self.parameters.changed.connect(self._on_parameters)
        self._box.addWidget(self.parameters)
        self.parameters.setVisible(bool(chosen.parameters))

    def _load(self, state: ConsensusState) -> None:
        """Show values that came from elsewhere."""
        methods = fitting(state.game)
        self.method.set_choices(tuple((method.key, method.title) for method in methods))
        self.method.set_value(state.setup.method)
        grids = (self.fields, self.more, self.faults)
        values = {name: getattr(state.setup, name) for grid in grids for name in grid.fields}
        readable = {name: value for name, value in values.items() if value is not None}
        for grid in grids:
            grid.set_values(readable)
        self.tuning.set_values({number.name: state.setup.parameters.get(number.name) for number in self._numbers})

    def _show_tuning(self, state: ConsensusState) -> None:
        """Offer the method's own parameters; empty fields leave them to the method."""
        numbers = numbers_of(state.game, state.setup.method)
        if numbers == self._numbers:
            return
        self._numbers = numbers
        self._tunables.removeWidget(self.tuning)
        self.tuning.hide()
        self.tuning.deleteLater()
        self.tuning = FieldGrid({n.name: _tuning_field(n, state.setup.parameters.get(n.name)) for n in numbers})
        self.tuning.changed.connect(self._on_tuning)
        self._tunables.addWidget(self.tuning)
        self.tuning.setVisible(bool(numbers))
        self._more.set_title(f"More ({len(numbers)} of the method)" if numbers else "More")

    def _on_tuning(self) -> None:
        given = {name: value for name, value in self.tuning.values().items() if value is not None}
        well = all(field.valid for field in self.tuning.fields.values())
        self._edit(parameters=given, tuned_well=well)

    def _show_errors(self, state: ConsensusState) -> None:
        method = next((m for m in fitting(state.game) if m.key == state.setup.method), None)
        if method is not None:
            self.method.set_help(f"{FOUND[method.finds]}. {method.summary}.")
            self.method.combo.setToolTip(method.summary)
        learns = state.game is not None and method is not None and starts_anywhere(state.game, method.key)
        self.fields.show_only(name for name in self.fields.fields if name != "start" or learns)
        offered = method is not None and "cuda" in method.devices
        self.more.show_only(name for name in self.more.fields if name != "device" or offered)
        self._show_tuning(state)
        own = {name: text for name, text in state.errors.items() if text != "Cannot be read."}
        self.game.set_error(own.get("game", ""))
        self.method.set_error(own.get("method", ""))
        self.more.set_errors(own)
        self.faults.set_errors(own)


def _parameter_field(parameter: Parameter, value: float) -> Field:
    low, high = parameter.minimum, parameter.maximum
    if parameter.name == "seed":
        return SeedField("Game's seed", int(value))
    if parameter.whole:
        limits = f"{low:,.0f} to {high:,.0f}"
        return IntField(parameter.title, int(value), minimum=int(low), maximum=int(high), help=limits, wrap=True)
    return RealField(parameter.title, value, minimum=low, maximum=high, help=f"{low:g} to {high:g}").wrap_title()


def _run_fields(setup: RunSetup) -> FieldGrid:
    start = narrow(ChoiceField("Start", tuple(STARTS.items()), value=setup.start, help="Random by the seed"))
    start.combo.setMinimumContentsLength(6)
    return FieldGrid(
        {
            "epsilon": RealField("Epsilon", setup.epsilon or 1e-6, above=0.0, maximum=1.0, help="Of the payoff range"),
            "iterations": IntField(
                "Iterations", setup.iterations, maximum=MAX_ITERATIONS, help="0: its own limit", wrap=True
            ),
            "seed": SeedField("Seed", setup.seed or 0),
            "start": start,
        }
    )


def _more_fields(setup: RunSetup) -> FieldGrid:
    help_text = "0: as the method likes, the fastest"
    devices = (("cpu", "Processor"), ("cuda", "Graphics card"))
    return FieldGrid(
        {
            "stride": IntField("Iterations a point", setup.stride, maximum=MAX_ITERATIONS, help=help_text, wrap=True),
            "device": narrow(ChoiceField("Device", devices, value="cpu", help="Where it computes")),
        }
    )


def _fault_fields(setup: RunSetup) -> FieldGrid:
    kinds = tuple(FAULTS.items())
    return FieldGrid(
        {
            "fault": ChoiceField("Byzantine agent", kinds, value="none", help="What it wants from then on"),
            "fault_agent": IntField("Which agent", setup.fault_agent, minimum=1, maximum=10_000, help="Its number"),
            "fault_at": IntField("At iteration", setup.fault_at, minimum=1, maximum=MAX_ITERATIONS, help="Planned"),
        }
    )


def _tuning_field(number: Number, value: float | None) -> Field:
    low, high, title = number.minimum, number.maximum, number.name.capitalize()
    if number.whole:
        given = None if value is None else int(value)
        field: Field = IntField(
            title, given, minimum=int(low), maximum=int(high), help=number.title, optional=True, placeholder="default"
        )
    else:
        field = RealField(title, value, minimum=low, maximum=high, help=number.title, optional=True)
        field.edit.setPlaceholderText("default")
    return field
