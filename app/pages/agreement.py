"""The agents' half of the Consensus page: agents agree on a task, the chain checks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.pages.agreement_agents import AgentsTab
from app.pages.agreement_bar import AgreementBar
from app.pages.agreement_chain import ChainTab
from app.pages.agreement_live import AgreementLive
from app.pages.agreement_result import AgreementResult
from app.pages.agreement_rounds import RoundsTab
from app.pages.agreement_setup import AgreementSetup
from app.pages.agreement_task import TaskTab
from app.pages.base import RUN, Tabs, runs_when_empty, side_by_side
from app.pages.spoken import SpokenVerdict
from app.viewmodels.agreement import AgreementViewModel
from app.viewmodels.agreement_draft import AgreementState
from app.viewmodels.agreement_runs import verdict_of
from widgets.basics import Card, column
from widgets.drop_zone import accept_drops

TABS = ("agents", "task", "live", "chain", "result", "rounds")
TITLES = ("Agents", "Task", "Live", "Chain", "Result", "Rounds")
DROPS = (".json", ".toml", ".pt", ".pth", ".ts")


class AgreementHalf(QWidget):
    """Setup at the left, agents, task and the round at the right."""

    linkActivated = Signal(str)
    openRequested = Signal(str)  # task, agents or model
    saveRequested = Signal()
    filesDropped = Signal(list)
    rejected = Signal(str)

    def __init__(self, model: AgreementViewModel) -> None:
        super().__init__()
        self.model = model
        self.tabs = Tabs("Parts of the round")
        self._body: QVBoxLayout = column(self)
        self._number = 0
        model.in_sight = self.isVisible
        self._unobserve: list[Callable[[], None]] = []
        accept_drops(self, DROPS, self._on_files, self.rejected.emit)

    def steps(self) -> Iterator[None]:
        """Build card by card, so that the window breathes."""
        model = self.model
        self.setup = AgreementSetup(model)
        yield
        self.bar = AgreementBar(model)
        card = Card()
        card.add(self.bar)
        card.add(self.tabs, 1)
        self.setup.setMinimumWidth(236)
        self._body.addWidget(side_by_side(self.setup, card, stretches=(2, 6), narrow=760), 1)
        yield
        self.agents = AgentsTab(model)
        yield
        self.task, self.live = TaskTab(model), AgreementLive()
        yield
        self.chain, self.result, self.rounds = ChainTab(model), AgreementResult(model), RoundsTab(model)
        self.parts = (self.agents, self.task, self.live, self.chain, self.result, self.rounds)
        yield
        for title, part in zip(TITLES, self.parts, strict=True):
            part.layout().setContentsMargins(0, 12, 0, 0)
            self.tabs.addTab(part, title)
            yield
        self._connect()
        spoken = SpokenVerdict(self.bar, verdict_of)
        self._unobserve = [self.setup.unobserve, model.observe(self._show), model.observe(spoken.take)]

    def detach(self) -> None:
        """Stop observing."""
        for end in self._unobserve:
            end()

    def _connect(self) -> None:
        self.live.gap.offer(RUN)
        runs_when_empty(self, self.model.run)
        self.setup.openRequested.connect(lambda: self.openRequested.emit("task"))
        self.agents.openRequested.connect(lambda: self.openRequested.emit("agents"))
        self.agents.modelRequested.connect(lambda: self.openRequested.emit("model"))
        self.agents.saveRequested.connect(self.saveRequested)
        self.live.chainRequested.connect(lambda: self.show_tab("chain"))
        self.bar.pageRequested.connect(self.show_tab)
        for part in (self.agents, self.chain, self.result):
            part.linkActivated.connect(self.linkActivated)

    def _on_files(self, names: list[str]) -> None:
        self.filesDropped.emit([Path(name) for name in names])

    def _show(self, state: AgreementState) -> None:
        self.bar.show_state(state)
        for part in self.parts:
            part.show_state(state)
        number = state.run.number if state.run is not None else 0
        if number > self._number and state.run is not None and not state.run.ended:
            self.show_tab("live")
        self._number = max(number, self._number)

    def show_tab(self, name: str) -> None:
        """Bring a tab to the front."""
        if name in TABS:
            self.tabs.setCurrentIndex(TABS.index(name))

    def open_round(self, run_id: int) -> None:
        """Show a kept round's result."""
        self.model.open_round(run_id)
        self.show_tab("result")

    def plots(self) -> list[QWidget]:
        """Return what an exported picture shows."""
        return self.live.grab_plots()

    def tables(self) -> dict[str, QWidget]:
        """All tables of the half."""
        return {
            "agreement.agents": self.agents.table,
            "agreement.transactions": self.chain.table,
            "agreement.labels": self.result.labels,
            "agreement.positions": self.result.agents,
            "agreement.rounds": self.rounds.table,
        }
