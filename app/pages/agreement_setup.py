"""The form of the agents' half: which task, on a chain or not, how long and how exact, and who misbehaves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from app.pages.base import scrolling
from app.pages.league_fields import FieldGrid, Section, narrow
from app.viewmodels.agreement import AgreementViewModel
from app.viewmodels.agreement_draft import OWN, AgreementState
from app.viewmodels.agreement_task import KINDS
from engine.consensus.config import ConsensusConfig
from engine.consensus.negotiation.byzantine import BEHAVIOURS
from engine.consensus.specs import HONEST
from widgets.basics import Card, button, column, label, row
from widgets.forms import ChoiceField, IntField, SeedField
from widgets.labels import HashLabel, HashState, SectionHeader
from widgets.real_field import RealField

SPACES = {"simplex": "shares that add up to 1", "box": "each from 0 to 1", "real": "any numbers"}
YES = ((True, "Yes"), (False, "No"))


class AgreementSetup(Card):
    """The form. What is typed goes to the view-model at once; what is wrong stands beneath the field."""

    openRequested = Signal()

    def __init__(self, model: AgreementViewModel) -> None:
        super().__init__()
        self._model = model
        self._revision = -1
        self._filling = False
        self.task = narrow(ChoiceField("Task", ((None, ""),), help="Drop a .json task on the page"))
        self.hash = HashLabel()
        self._about = label("", "muted", wrap=True)
        modes = ((True, "On chain: certified there"), (False, "Off chain only"))
        self.mode = narrow(ChoiceField("Mode", modes, help="Agents agree off chain in both"))
        self.fields, self.more = _fields(), _more()
        self.agent = narrow(ChoiceField("Agent", ((None, ""),)))
        behaviours = tuple((key, key.replace("_", " ").capitalize()) for key in (*BEHAVIOURS, HONEST))
        self.behaviour = narrow(ChoiceField("Behaviour", behaviours))
        self.inject = button("Inject now", "slash", tooltip="Let that agent misbehave from this iteration on")
        self._build()
        self.unobserve: Callable[[], None] = model.observe(self._show)

    def _build(self) -> None:
        header = SectionHeader("Set up")
        load = button("Open…", "open", tooltip="Open a task: a .json file; or drop one on the page")
        load.clicked.connect(self.openRequested)
        header.add_action(load)
        self.add(header)
        inner = QWidget()
        parts = column(inner, spacing=12)
        self._more = Section("More", self.more)
        parts.addWidget(self.task)
        parts.addLayout(row(label("Task hash", "muted"), None, self.hash))
        for part in (self._about, self.mode, self.fields, self._more):
            parts.addWidget(part)
        faults = QWidget()
        inside = column(faults, spacing=8)
        inside.addWidget(self.agent)
        inside.addWidget(self.behaviour)
        inside.addLayout(row(self.inject, None))
        self.faults = Section("Byzantine agent", faults)
        parts.addWidget(self.faults)
        parts.addStretch(1)
        area = scrolling(inner)  # so that in a low window the form scrolls and the round stays in sight
        area.widget().layout().setContentsMargins(0, 0, 4, 0)
        area.widget().setAutoFillBackground(False)
        self.add(area, 1)
        self.task.valueChanged.connect(self._on_task)
        self.mode.valueChanged.connect(lambda value: self._edit(hybrid_mode=bool(value)))
        self.fields.changed.connect(lambda: self._edit(**self.fields.values()))
        self.more.changed.connect(lambda: self._edit(**self.more.values()))
        self.behaviour.valueChanged.connect(lambda value: self.behaviour.set_help(_sentence(value)))
        self.behaviour.set_help(_sentence(self.behaviour.value()))
        self.inject.clicked.connect(self._inject)

    def _on_task(self, key: Any) -> None:
        if not self._filling and key is not None:
            self._model.choose(key)

    def _edit(self, **values: Any) -> None:
        if not self._filling:
            self._model.edit(values)

    def _inject(self) -> None:
        agent = self.agent.value()
        if agent is not None:
            self._model.inject(agent, self.behaviour.value())

    def _show(self, state: AgreementState) -> None:
        self._filling = True
        try:
            own = tuple((f"{OWN}:{key}", f"New: {title}") for key, title in KINDS.items())
            choices = (*state.choices, *own)
            if tuple(self.task._values) != tuple(key for key, _ in choices):
                self.task.set_choices(choices)
            self.task.set_value(state.choice)
            if state.revision != self._revision:
                self._revision = state.revision
                self.mode.set_value(state.hybrid)
                known = {name: value for name, value in state.config.items() if value is not None}
                self.fields.set_values(known)
                self.more.set_values(known)
            self._show_agents(state)
        finally:
            self._filling = False
        task = state.task
        value = "0x" + task.hash.hex() if task is not None else ""
        if self.hash.value() != value:
            self.hash.set_state(HashState(value, head=6, tail=4))
        if task is not None:
            count = f"{task.dims} label{'s' if task.dims > 1 else ''}, {SPACES[task.space]}"
            chains = f"; on {', '.join(task.chains)}" if task.chains else ""
            self._about.setText(f"{KINDS.get(task.type, task.type)}: {count}{chains}.")
        else:
            self._about.setText("")
        self.task.set_error(state.errors.get("task", ""))
        own_errors = {name: text for name, text in state.errors.items() if text != "Cannot be read."}
        self.fields.set_errors(own_errors)
        self.more.set_errors(own_errors)

    def _show_agents(self, state: AgreementState) -> None:
        record = state.run if state.busy else None
        names = record.agents if record is not None else tuple(a.name for a in state.agents.agents)
        if self.agent._values != names:
            self.agent.set_choices(tuple((name, name) for name in names))
        self.inject.setEnabled(record is not None and not record.phase and self.agent.value() is not None)


def _sentence(behaviour: Any) -> str:
    text = BEHAVIOURS.get(str(behaviour), "keeps to the rules again")
    return text[:1].upper() + text[1:].rstrip(".") + "."


def _real(name: str, title: str, config: ConsensusConfig, help_text: str) -> RealField:
    low, high = config.LIMITS[name]
    value = float(getattr(config, name))
    return RealField(title, value, minimum=low, maximum=high, help=help_text).wrap_title()  # type: ignore[return-value]


def _whole(name: str, title: str, config: ConsensusConfig, help_text: str = "") -> IntField:
    low, high = (int(limit) for limit in config.LIMITS[name])
    return IntField(title, int(getattr(config, name)), minimum=low, maximum=high, help=help_text, wrap=True)


def _fields() -> FieldGrid:
    config = ConsensusConfig()
    return FieldGrid(
        {
            "max_iterations": _whole("max_iterations", "Iterations", config, "At most"),
            "convergence_threshold": _real("convergence_threshold", "Threshold", config, "Gap that counts as agreed"),
            "coupling": _real("coupling", "Coupling", config, "How much agents mind distance"),
            "epsilon": _real("epsilon", "Epsilon", config, "What the chain certifies"),
            "quorum": _whole("quorum", "Quorum", config, "Agents, at least"),
            "seed": SeedField("Seed", config.seed, help="Decides all chance"),
        }
    )


def _more() -> FieldGrid:
    config = ConsensusConfig()
    tiers = (("slots", "Kept in slots"), ("accumulator", "Accumulated hash"))
    return FieldGrid(
        {
            "gas_optimization": narrow(ChoiceField("Save gas", YES, help="A relayer sends batches")),
            "tier": narrow(ChoiceField("Batches", tiers, help="How the contract keeps them")),
            "submission_window": _whole("submission_window", "Window", config, "Seconds to submit"),
            "answer_timeout": _real("answer_timeout", "Time to answer", config, "Seconds an iteration"),
            "gpu_acceleration": narrow(ChoiceField("Use a GPU", YES, help="Where there is one")),
        }
    )
