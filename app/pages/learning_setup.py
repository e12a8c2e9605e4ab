"""The form of the Learning chain page: scenario, seed, who takes part, how they agree, and what is opened beside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtWidgets import QWidget

from app.pages.base import InSight, scrolling
from app.pages.league_fields import FieldGrid, Section, narrow
from app.viewmodels.learning import LearningViewModel
from app.viewmodels.learning_draft import PORTS, UNREADABLE, LearningState
from app.viewmodels.learning_runs import training_words
from app.viewmodels.learning_tables import RULE_WORDS, quorum_preview
from engine.learning.config import RULES, LearnConfig
from widgets.basics import Card, column, label
from widgets.forms import ChoiceField, Field, IntField, PortField, SeedField, TextField
from widgets.hex_field import HexField
from widgets.labels import SectionHeader
from widgets.real_field import RealField

YES = ((True, "Yes"), (False, "No"))
MODES = (("spec", "spec: ceil(n/2)"), ("bft", "bft: floor(2n/3)+1"), ("number", "A number"))
CLOCKS = (("simulated", "Simulated: an event heap"), ("scaled", "Scaled wall clock"), ("wall", "Wall clock"))
PORT_TITLES = {"PRYSM_REST_PORT": "Beacon REST", "AI_ENGINE_PORT": "Engine", "DHT_PORT": "DHT peers",
               "GETH_HTTP_PORT": "Ethereum RPC"}  # fmt: skip


class LearningSetup(Card):
    """What is typed goes to the view-model at once; what is wrong stands beneath the field."""

    def __init__(self, model: LearningViewModel) -> None:
        super().__init__()
        self._model = model
        self._revision = -1
        self._filling = False
        self.scenario = narrow(ChoiceField("Scenario", ((None, ""),)))
        self.seed = HexField("Genesis seed", "", help="Decides keys, genesis and trace.")
        self.fields, self.more = FieldGrid(_fields()), FieldGrid(_more())
        self.choices = FieldGrid(_choices(), columns=1)
        self._training = label("", "small", wrap=True)
        self._problem = label("", "error", wrap=True)
        self.mirror = narrow(ChoiceField("Mirror to Anvil", YES, False, help="Stakes and slashings on chain"))
        self.services = narrow(ChoiceField("HTTP services", YES, False, help="Beacon, engine and DHT by HTTP"))
        self.ports = FieldGrid({name: PortField(PORT_TITLES[name], port, help=name) for name, port in PORTS.items()})
        self._build()
        self.unobserve: Callable[[], None] = model.observe(InSight(self, self._show))

    def _build(self) -> None:
        self.add(SectionHeader("Set up"))
        inner, outside = QWidget(), QWidget()
        beside = column(outside, spacing=8)
        for part in (self.mirror, self.services, self.ports):
            beside.addWidget(part)
        self.outside = Section("On chain and services", outside)
        self.further = Section("More", self.more)
        parts = column(inner, spacing=12)
        for part in (self.scenario, self.seed, self.fields, self.choices, self._training, self._problem,
                     self.outside, self.further):  # fmt: skip
            parts.addWidget(part)
        parts.addStretch(1)
        area = scrolling(inner)
        area.widget().layout().setContentsMargins(0, 0, 4, 0)
        area.widget().setAutoFillBackground(False)
        self.add(area, 1)
        self.scenario.valueChanged.connect(
            lambda name: self._intent(lambda: self._model.choose(name)) if name else None
        )
        self.seed.valueChanged.connect(lambda _: self._edit({"genesis_seed": self.seed}))
        self.fields.changed.connect(lambda: self._edit({n: self.fields.fields[n] for n in self.fields.values()}))
        self.choices.changed.connect(lambda: self._edit({n: self.choices.fields[n] for n in self.choices.values()}))
        self.more.changed.connect(lambda: self._edit(self.more.fields))
        self.mirror.valueChanged.connect(lambda on: self._intent(lambda: self._model.set_mirror(bool(on))))
        self.services.valueChanged.connect(lambda _: self._open_services())
        self.ports.changed.connect(self._open_services)

    def _choose(self, name: str | None) -> None:
        if name is not None:
            self._intent(lambda: self._model.choose(name))

    def _intent(self, run: Callable[[], None]) -> None:
        if not self._filling:
            run()

    def _edit(self, fields: dict[str, Field]) -> None:
        if self._filling:
            return
        values: dict[str, Any] = {}
        unread = []
        for name, field in fields.items():
            if field.problem():
                unread.append("quorum" if name == "quorum_number" else name)
            elif name not in ("quorum", "quorum_number"):
                values[name] = field.value()
        mode = self.choices.fields["quorum"].value()
        number = self.choices.fields["quorum_number"]
        if "quorum" in fields and "quorum" not in unread:
            values["quorum"] = mode if mode != "number" else str(number.value() or 1)
        self._model.edit(values, unread)

    def _open_services(self) -> None:
        if self._filling:
            return
        ports: dict[str, int | None] = {}
        for name, field in self.ports.fields.items():
            ports[name] = None if field.problem() else field.value() or 0
        self._model.set_services(bool(self.services.value()), ports)

    def _show(self, state: LearningState) -> None:
        self._filling = True
        try:
            choices = tuple((one.name, one.title) for one in state.scenarios) or ((None, ""),)
            if self.scenario._values != tuple(name for name, _ in choices):
                self.scenario.set_choices(choices)
            self.scenario.set_value(state.choice)
            if state.revision != self._revision:
                self._revision = state.revision
                self._fill(dict(state.settings))
            self.mirror.set_value(state.on_chain)
            self.services.set_value(state.services)
        finally:
            self._filling = False
        self._shape(state)
        self._tell(state)

    def _fill(self, values: dict[str, Any]) -> None:
        quorum = str(values.get("quorum", "spec"))
        if quorum.isdigit():
            values |= {"quorum": "number", "quorum_number": int(quorum)}
        self.seed.set_value(str(values.get("genesis_seed", "")))
        self.fields.set_values(values)
        self.choices.set_values(values)
        self.more.set_values(values)

    def _shape(self, state: LearningState) -> None:
        """Show only the fields that mean something."""
        hidden = set()
        if self.choices.fields["quorum"].value() != "number":
            hidden.add("quorum_number")
        if state.settings.get("clock") != "scaled":
            hidden.add("speed")
        self.choices.show_only(name for name in self.choices.fields if name not in hidden)
        self.ports.setVisible(state.services)

    def _tell(self, state: LearningState) -> None:
        scenario = state.scenario
        self.scenario.set_help(scenario.sentence if scenario is not None else "")
        words = training_words(None, dict(state.settings))
        self._training.setText(f"{words}.{f' Here: {state.missing}.' if state.missing else ''}")
        own = {name: text for name, text in state.errors.items() if text != UNREADABLE}
        self._problem.setText(own.get("settings", ""))
        self._problem.setVisible(bool(self._problem.text()))
        self.seed.set_error(own.get("genesis_seed", ""))
        for grid in (self.fields, self.choices, self.more, self.ports):
            grid.set_errors(own)
        validators = self.fields.fields["validators"].value()
        if validators is not None and "quorum" not in own:
            self.choices.fields["quorum"].set_help(quorum_preview(str(state.settings.get("quorum")), validators))


def _fields() -> dict[str, Field]:
    return {
        "validators": _whole("validators", "Validators", 1, 4096, "32 POL each"),
        "trainers": _whole("trainers", "Trainers", 0, 64, "Publish deltas"),
        "slots": _whole("slots", "Slots", 1, 100_000, "To run for"),
        "gate_texts": _whole("gate_texts", "Gate texts", 1, 4096, "Drawn a round"),
        "byzantine": IntField("Bad trainers f", None, maximum=31, optional=True, placeholder="automatic",
                              help="Krum: n ≥ 2f + 3", wrap=True),
        "round_every": _whole("round_every", "Round every", 1, 64, "Slots"),
    }  # fmt: skip


def _choices() -> dict[str, Field]:
    rules = tuple((rule, RULE_WORDS[rule]) for rule in RULES)
    transports = (("sim", "Simulated: Kademlia in process"), ("dht", "Real: hivemind nodes"))
    trainings = (("replayed", "Simulated: replayed"), ("real", "Real: worker processes"))
    return {
        "rule": narrow(ChoiceField("Aggregation rule", rules, help="How deltas are combined")),
        "quorum": narrow(ChoiceField("Quorum", MODES)),
        "quorum_number": _whole("quorum_number", "ACKs needed", 1, 4096, "AI_QUORUM"),
        "clock": narrow(ChoiceField("Clock", CLOCKS, help="Of the slots")),
        "speed": RealField("Clock's speed", 1.0, above=0.0, maximum=10_000, help="Seconds of the chain in one"),
        "transport": narrow(ChoiceField("Transport", transports, help="Of deltas, updates and ACKs")),
        "training": narrow(ChoiceField("Training", trainings, help="Of the LoRA deltas")),
    }  # fmt: skip


def _more() -> dict[str, Field]:
    config = LearnConfig()
    pools = (("drawn", "Drawn after commit"), ("public", "Public texts"))

    def real(name: str, title: str, low: float, high: float, words: str) -> Field:
        return RealField(title, float(getattr(config, name)), minimum=low, maximum=high, help=words).wrap_title()

    return {
        "gate_pool": narrow(ChoiceField("Gate pool", pools, help="Public: the hole")),
        "reveal": narrow(ChoiceField("Commit-reveal", YES, help="Of members' losses")),
        "canary_rate": real("canary_rate", "Canary rate", 0, 1, "Bad on purpose"),
        "training_steps": _whole("training_steps", "Training steps", 1, 100_000, "A round"),
        "clip_norm": RealField("Clip norm", config.clip_norm, above=0.0, maximum=1e6, help="Of a delta"),
        "pow_bits": _whole("pow_bits", "Work bits", 0, 28, "Of a block's hash"),
        "loss_rate": real("loss_rate", "Loss rate", 0, 0.999, "Of messages"),
        "latency": real("latency", "Latency", 0, 10, "Seconds"),
        "jitter": real("jitter", "Jitter", 0, 10, "Seconds"),
        "nodes": _whole("nodes", "Beacon nodes", 0, 64, "0: automatic"),
        "dht_peers": _whole("dht_peers", "DHT peers", 0, 4096, "0: automatic"),
        "seconds_per_slot": RealField("Slot", config.seconds_per_slot, above=0.0, maximum=3600, help="Seconds"),
        "slots_per_epoch": _whole("slots_per_epoch", "Epoch", 2, 64, "Slots"),
        "model": TextField("Model", config.model, help="auto, nano, tiny, a folder"),
        "seed": SeedField("Fault seed", config.seed, help="Latency, loss, faults"),
    }


def _whole(name: str, title: str, low: int, high: int, words: str) -> IntField:
    value = getattr(LearnConfig(), name, low)
    return IntField(title, value, minimum=low, maximum=high, help=words, wrap=True)
