"""The form of a round: which System, who meets whom, what is at stake, how it is computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from app.pages.league_fields import FieldGrid, Section, narrow
from app.viewmodels.setup import FORMAT_TITLES, HOSTS, STAGED, SetupState, SetupViewModel, tier_choices
from engine.league.config import MAX_AGENTS, MAX_BUDGET, MAX_MATCHES, MAX_STAGES
from engine.league.disputes.published import Dishonesty
from widgets.basics import Card, button, column, label
from widgets.forms import ChoiceField, EthField, IntField, SeedField, TextField
from widgets.labels import SectionHeader

MAX_SUSPENSION = 1000
GAME = ("name", "format", "matches", "stages", "seed", "preset")
PARAMS_OPEN = 4  # as many parameters are shown at once


def _game_fields(state: SetupState) -> FieldGrid:
    formats = tuple(FORMAT_TITLES.items())
    return FieldGrid(
        {
            "name": TextField("League", state.name, help="Rounds of one league are numbered"),
            "format": ChoiceField("Format", formats, value=state.format, help="Who meets whom"),
            "matches": IntField("Matches an agent", state.matches, minimum=1, maximum=MAX_MATCHES),
            "stages": IntField(
                "Stages", state.stages, maximum=MAX_STAGES, help="How often they are paired; 0: as often as it takes"
            ),
            "seed": SeedField("Seed", state.seed),
            "preset": narrow(ChoiceField("Variant", (("", "Own parameters"),), value="", help="Sets the parameters")),
        }
    )


def _money_fields(state: SetupState) -> FieldGrid:
    tiers = tuple((tier.id, tier.text) for tier in tier_choices())
    return FieldGrid(
        {
            "tier": narrow(
                ChoiceField("Tier", tiers, value=state.tier, help="Its least capital, and the reward factor")
            ),
            "stake_wei": EthField("Stake of a newcomer", state.stake_wei),
            "reward_wei": EthField("Base reward", state.reward_wei),
        }
    )


def _advanced_fields(state: SetupState) -> FieldGrid:
    return FieldGrid(
        {
            "budget": IntField("Gas a decision", state.budget, minimum=1, maximum=MAX_BUDGET),
            "capacity": IntField(
                "Capacity", state.capacity, maximum=MAX_AGENTS, help="The richest get in; 0: no limit"
            ),
            "suspension": IntField(
                "Suspension", state.suspension, maximum=MAX_SUSPENSION, help="Rounds that a disqualified agent sits out"
            ),
            "cluster": TextField(
                "Cluster",
                state.cluster,
                required=False,
                placeholder="this machine",
                help="Address of a Dask scheduler; the result is the same",
                pattern=r"[a-z]+://\S+:[0-9]+",
                pattern_help="Of the form tcp://host:8786.",
            ),
        }
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
        self._filling = False
        state = model.state
        self._system = narrow(ChoiceField("System", ((state.system, "Snake"),), value=state.system))
        self._game, self._money, self._advanced = _game_fields(state), _money_fields(state), _advanced_fields(state)
        self._params = FieldGrid({})
        self._params_holder = QWidget()
        self._params_box: QVBoxLayout = column(self._params_holder)
        self._params_section = Section("Parameters", self._params_holder)
        self._more = Section("Budget, capacity, suspension, cluster", self._advanced)
        self._anchor = QCheckBox("Anchor and settle on the devnet")
        hosts = tuple((how.value, text) for how, text in HOSTS.items())
        self._host = ChoiceField("Host (simulation)", hosts, value=state.host)
        self._summary = label("", "muted", wrap=True)
        self._run = button("Run round", "play", "primary")
        self._build()
        self.unobserve: Callable[[], None] = model.observe(self._show)

    @property
    def fields(self) -> dict[str, Any]:
        """Every field by name."""
        grids = (self._game, self._money, self._advanced, self._params)
        return {"system": self._system, **{name: field for grid in grids for name, field in grid.fields.items()}}

    def _build(self) -> None:
        header = SectionHeader("Round")
        load, keep = button("Open…", "import"), button("Save…", "export")
        load.setToolTip("Open a LEAGUE.toml")
        keep.setToolTip("Save as LEAGUE.toml, with the agents beside it, for another machine")
        load.clicked.connect(self.importRequested)
        keep.clicked.connect(self.exportRequested)
        header.add_action(load)
        header.add_action(keep)
        header.add_action(self._run)
        parts = (header, self._summary, self._system, self._game, self._params_section, self._money, self._more)
        for part in (*parts, self._anchor, self._host):
            self.add(part)
        self.body.addStretch(1)
        for grid in (self._game, self._money, self._advanced):
            grid.changed.connect(self._on_changed)
        self._system.valueChanged.connect(lambda value: self._on_changed())
        self._host.valueChanged.connect(lambda value: self._on_changed())
        self._anchor.toggled.connect(self._on_anchor)
        self._run.clicked.connect(self.runRequested)

    def _on_anchor(self, anchored: bool) -> None:
        if not self._filling:
            self._model.set_anchor(anchored)

    def _on_changed(self) -> None:
        if self._filling:
            return
        params = self._params.values()
        values = {"system": self._system.value(), "host": self._host.value()}
        for grid in (self._game, self._money, self._advanced):
            values |= grid.values()
        # An empty optional field is read as well: its value is "".
        readable = {name: value for name, value in values.items() if value is not None}
        readable["params"] = {name: value for name, value in params.items() if value is not None}
        self._model.edit(readable, len(readable) == len(values) + 1 and None not in params.values())

    def _show(self, state: SetupState) -> None:
        self._filling = True
        if state.revision != self._revision:
            self._revision = state.revision
            self._load(state)
        self._show_parts(state)
        for grid in (self._game, self._money, self._advanced):
            grid.set_errors(state.errors)
        self._system.set_error(state.errors.get("system", ""))
        self._anchor.setChecked(state.anchor)
        self._host.setVisible(state.anchor)
        self._host.set_help(_host_help(state))
        self._summary.setText(state.summary)
        self._run.setEnabled(state.ready)
        self._filling = False

    def _show_parts(self, state: SetupState) -> None:
        info = state.info
        versus = state.seats > 1
        self._game.fields["matches"].set_title("Games a pairing" if versus else "Matches an agent")
        hidden = {"stages"} if state.format not in STAGED else set()
        if info is None or not info.presets:
            hidden.add("preset")
        self._game.show_only(name for name in GAME if name not in hidden)
        if info is not None:
            seats = "Two seats" if versus else "One seat"
            self._system.set_help(f"{info.summary} {seats}, at most {info.max_steps:,} steps.")

    def _load(self, state: SetupState) -> None:
        """Show values that came from elsewhere."""
        if state.systems:
            self._system.set_choices(tuple((choice.value, choice.text) for choice in state.systems))
        self._system.set_value(state.system)
        self._game.fields["format"].set_choices(tuple((choice.id, choice.text) for choice in state.formats))
        self._load_params(state)
        values: Mapping[str, Any] = {name: getattr(state, name) for name in self.fields if hasattr(state, name)}
        for grid in (self._game, self._money, self._advanced):
            grid.set_values(values)
        self._host.set_value(state.host)

    def _load_params(self, state: SetupState) -> None:
        info = state.info
        specs = info.params if info is not None else ()
        presets = tuple((preset.id, preset.title) for preset in (info.presets if info is not None else ()))
        self._game.fields["preset"].set_choices((("", "Own parameters"), *presets))
        if tuple(self._params.fields) != tuple(spec.name for spec in specs):
            self._params_box.removeWidget(self._params)
            self._params.hide()
            self._params.deleteLater()
            self._params = FieldGrid(
                {
                    spec.name: IntField(spec.title or spec.name, minimum=spec.min, maximum=spec.max, wrap=True)
                    for spec in specs
                }
            )
            self._params.changed.connect(self._on_changed)
            self._params_box.addWidget(self._params)
            self._params_section.set_title(f"Parameters ({len(specs)})")
            self._params_section.open(0 < len(specs) <= PARAMS_OPEN)
        self._params_section.setVisible(bool(specs))
        self._params.set_values(state.params)

    def set_running(self, running: bool) -> None:
        """Refuse a second round while one is played."""
        self._run.setEnabled(not running and self._model.state.ready)


def _host_help(state: SetupState) -> str:
    how = Dishonesty(state.host)
    if how is Dishonesty.HONEST:
        return "A dishonest host can be simulated, to see an audit find it and the court slash it."
    return f"Simulation of a dishonest host: {how.meaning[:1].lower()}{how.meaning[1:]}. Audit and dispute it after."
