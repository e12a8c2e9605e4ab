"""Wires view-models, pages and commands to the window."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget

from app.actions import Commands, Palette
from app.agreement_actions import AgreementActions
from app.consensus_actions import ConsensusActions
from app.devnet_actions import DevnetActions
from app.dialogs import confirm
from app.errors import Action, Notice
from app.league_actions import LeagueActions
from app.learning_actions import LearningActions
from app.links import Navigator, Place
from app.menu import add_commands
from app.opening import DROPPED, open_dialog, open_files
from app.pages.base import ConsolePage
from app.pages.consensus import ConsensusPage
from app.pages.devnet import DevnetPage
from app.pages.leagues import LeaguesPage
from app.pages.learning import LearningPage
from app.pages.logs import LogsPage
from app.pages.merkle import MerklePage
from app.pages.overview import OverviewPage
from app.pages.replay import ReplayPage
from app.pages.settings import SettingsDialog
from app.pages.stakes import StakesPage
from app.saving import save_bundle, save_leaf_proof, save_log, save_proof, save_support, save_table
from app.viewmodels.agreement import AgreementViewModel
from app.viewmodels.agreement_draft import AgreementState
from app.viewmodels.consensus import ConsensusState, ConsensusViewModel
from app.viewmodels.contract_calls import ContractCallsViewModel
from app.viewmodels.devnet import DevnetState, DevnetViewModel
from app.viewmodels.disputes import DisputesViewModel
from app.viewmodels.jobs import JobsState, JobsViewModel
from app.viewmodels.learning import LearningViewModel
from app.viewmodels.learning_draft import LearningState
from app.viewmodels.learning_sweep import SweepState, SweepViewModel
from app.viewmodels.logs import LogState, LogViewModel, line_level
from app.viewmodels.merkle import MerkleViewModel
from app.viewmodels.overview import OverviewState, OverviewViewModel
from app.viewmodels.replay import ReplayViewModel
from app.viewmodels.roster import RosterViewModel
from app.viewmodels.rounds import RoundsState, RoundsViewModel
from app.viewmodels.seasons import SeasonsViewModel
from app.viewmodels.setup import SetupViewModel
from app.viewmodels.stakes import StakesViewModel
from app.viewmodels.tree_loader import TreeLoader
from app.workspaces import Workspaces
from engine.chain.events import DevnetLine
from widgets.drop_zone import accept_drops
from widgets.jobs import JobRow
from widgets.jobs import JobsState as TrayState
from widgets.nav import StatusStripState, StripItem
from widgets.table import DataTable

if TYPE_CHECKING:
    from app.bridge import Bridge
    from app.console import Console
    from engine.runtime import Runtime


class Wiring:
    """Everything between a runtime and a window."""

    def __init__(self, console: Console, runtime: Runtime, bridge: Bridge) -> None:
        self.console = console
        self.window = console.window
        self.runtime = runtime
        self.bridge = bridge
        settings = console.settings
        self.logs = LogViewModel(bridge)
        self.jobs = JobsViewModel(bridge, runtime.jobs)
        self.devnet = DevnetViewModel(bridge, runtime, port=settings.devnet_port, chain_id=settings.chain_id)
        self.calls = ContractCallsViewModel(bridge, runtime, self.devnet)
        self.consensus = ConsensusViewModel(bridge, runtime)
        self.agreement = AgreementViewModel(bridge, runtime, self.devnet)
        self.roster = RosterViewModel(bridge, runtime)
        self.setup = SetupViewModel(bridge, runtime)
        self.rounds = RoundsViewModel(bridge, runtime)
        self.seasons = SeasonsViewModel(bridge, runtime)
        self.disputes = DisputesViewModel(bridge, runtime, self.rounds)
        self.stakes = StakesViewModel(bridge, runtime, lambda: bool(self.devnet.state.contracts))
        self.trees = TreeLoader(runtime)
        self.replay = ReplayViewModel(bridge, runtime, self.trees)
        self.merkle = MerkleViewModel(bridge, runtime, self.trees)
        self.learning = LearningViewModel(bridge, runtime, self.devnet)
        self.sweep = SweepViewModel(bridge, runtime)
        self.overview = OverviewViewModel(bridge, runtime, self.devnet, self.roster, self.rounds, self.learning)
        self.navigator = Navigator(Place("overview"))
        self.commands = Commands(self.window)
        self.league = LeagueActions(self)
        self.games = ConsensusActions(self)
        self.agreements = AgreementActions(self)
        self.learnings = LearningActions(self)
        self.chain = DevnetActions(self)
        self.workspaces = Workspaces(self)
        self.pages: dict[str, ConsolePage] = {}
        self._ends: list[Any] = []

    @property
    def workers(self) -> int:
        """How many worker processes a round gets."""
        return self.console.settings.workers or self.runtime.workers

    async def build(self) -> None:
        """Make the pages, letting the loop breathe between them, and connect everything."""
        makers: dict[str, Callable[[], ConsolePage]] = {
            "overview": lambda: OverviewPage(self.overview),
            "devnet": lambda: DevnetPage(self.devnet, self.calls),
            "consensus": lambda: ConsensusPage(self.consensus, self.agreement),
            "leagues": lambda: LeaguesPage(self.roster, self.setup, self.rounds, self.seasons, self.disputes),
            "stakes": lambda: StakesPage(self.stakes),
            "replay": lambda: ReplayPage(self.replay),
            "merkle": lambda: MerklePage(self.merkle),
            "learning": lambda: LearningPage(self.learning, self.sweep),
            "logs": lambda: LogsPage(self.logs),
        }
        for key, make in makers.items():
            page = self.pages[key] = make()
            page.linkActivated.connect(self.follow)
            await asyncio.sleep(0.001)
            self.window.add_page(key, page)  # what is put into it from now on is styled there and then
            await asyncio.sleep(0.001)
            for _ in page.steps():
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.001)
        for step in (
            self._connect_pages,
            self._connect_window,
            lambda: add_commands(self),
            self._restore_tables,
            self._observe,
            self.workspaces.begin,
            self.devnet.follow,
            self.consensus.begin,
            self.agreement.begin,
            self.learning.begin,
            self.sweep.begin,
        ):
            step()
            await asyncio.sleep(0.001)

    async def close(self) -> None:
        """Detach the pages and let what they hold go."""
        self._keep_tables()
        for end in self._ends:
            end()
        for page in self.pages.values():
            page.detach()
        self.replay.close()
        await self.trees.close()
        await self.devnet.close()

    def follow(self, link: str) -> None:
        """Go where a link leads."""
        self.navigator.follow(link)

    def notify(self, notice: Notice) -> None:
        """Show a notice."""
        self.window.notices.show_notice(notice)

    def open_files(self, files: list[Path]) -> None:
        """Open what was dropped, chosen or named."""
        open_files(self, files)

    def confirmed(self, title: str, consequence: str, yes: str, run: Any, *, danger: bool = False) -> None:
        """Ask first, unless the operator turned that off."""
        if self.console.settings.confirm_chain_actions:
            confirm(self.window, title, consequence, yes, run, danger=danger)
        else:
            run()

    # Inside

    def _connect_pages(self) -> None:
        overview, devnet, replay, logs = (self.pages[key] for key in ("overview", "devnet", "replay", "logs"))
        overview.resumeRequested.connect(lambda: self.overview.resume(self.workers))
        overview.agentsRequested.connect(lambda: self.navigator.go(Place("leagues", "tab/setup")))
        self.chain.connect(devnet)
        self.games.connect(self.pages["consensus"])
        self.agreements.connect(self.pages["consensus"])
        self.learnings.connect(self.pages["learning"])
        self.league.connect(self.pages["leagues"], self.pages["stakes"])
        replay.openRequested.connect(self.open_dialog)
        replay.saveRequested.connect(lambda: save_bundle(self))
        replay.exportProofRequested.connect(lambda: save_proof(self))
        replay.roundsRequested.connect(lambda: self.navigator.go(Place("leagues", "tab/round")))
        self.pages["merkle"].roundsRequested.connect(lambda: self.navigator.go(Place("leagues", "tab/round")))
        self.pages["merkle"].exportRequested.connect(lambda: save_leaf_proof(self))
        logs.folderRequested.connect(self.console.open_logs)
        logs.exportRequested.connect(lambda: save_log(self))
        logs.bundleRequested.connect(lambda: save_support(self))

    def _connect_window(self) -> None:
        window = self.window
        window.navigated.connect(self._on_navigated)
        window.linkActivated.connect(self.follow)
        window.backRequested.connect(self.navigator.back)
        window.paletteRequested.connect(self.show_palette)
        window.tray.cancelRequested.connect(lambda job: self.jobs.cancel(int(job)))
        window.guard_close(self._may_close)
        accept_drops(
            window,
            DROPPED,
            lambda names: self.open_files([Path(name) for name in names]),
            lambda why: self.notify(Notice("warn", "Some files cannot be opened", f"{why}.", key="files")),
        )
        self.navigator.observe(self._on_place)
        self.bridge.subscribe(self._on_node_line, DevnetLine)

    def _on_node_line(self, event: DevnetLine) -> None:
        level = line_level(event.text)
        if level != "debug":  # the requests that it answers, hundreds a second, stand in its own log alone
            self.logs.add(level, "anvil", event.text)

    def _observe(self) -> None:
        self._ends += [
            self.jobs.observe(self._on_jobs),
            self.overview.observe(self._on_overview),
            self.devnet.observe(self._on_devnet),
            self.logs.observe(self._on_logs),
            self.rounds.observe(self._on_rounds),
            self.consensus.observe(self._on_consensus),
            self.agreement.observe(self._on_consensus),
            self.learning.observe(self._on_learning),
            self.sweep.observe(self._on_learning),
        ]

    def _on_navigated(self, key: str) -> None:
        if key == "settings":
            self.show_settings()
        else:
            self.navigator.go(Place(key))

    def _on_place(self, place: Place) -> None:
        self.window.show_page(place.page)
        self.window.back.setEnabled(self.navigator.can_go_back)
        if place.item:
            self.pages[place.page].show_item(place)
        if place.page == "logs":
            self.logs.seen()
        if place.page in ("consensus", "learning"):
            self.games.enable()  # the keys of a run are for the page shown

    def _on_jobs(self, state: JobsState) -> None:
        rows = tuple(
            JobRow(
                job.job_id,
                job.title,
                job.done / job.total if job.total else None,
                job.elapsed,
                "running",
                "Stopping…" if job.cancelling else job.note,
                job.cancellable and not job.cancelling,
            )
            for job in state.jobs
        )
        self.window.set_jobs(TrayState(rows), *state.ended)

    def _on_overview(self, state: OverviewState) -> None:
        tiles = (
            ("devnet", state.devnet),
            ("contracts", state.contracts),
            ("agents", state.agents),
            ("round", state.last_round),
            *((("learning", state.chain),) if self.learning.state.busy else ()),
        )
        pills = tuple(StripItem(key, tile.title, tile.value, tile.kind, tile.note, tile.link) for key, tile in tiles)
        self.window.strip.set_state(StatusStripState(pills))
        self.commands.enable("demo.next", state.demo_state == "waiting")

    def _on_devnet(self, state: DevnetState) -> None:
        failed = state.status.state == "failed"
        self.window.set_badge("devnet", "!" if failed else "", "error" if failed else "neutral")
        running = state.status.state == "running"
        self.commands.enable("devnet.up", not running and not state.busy)
        self.commands.enable("devnet.down", running and not state.busy)
        self.commands.enable("devnet.deploy", running and not state.contracts and not state.busy)
        if bool(state.contracts) != self.stakes.state.on_chain:
            self.stakes.refresh()

    def _on_logs(self, state: LogState) -> None:
        looking = self.navigator.here.page == "logs"
        count = 0 if looking else state.errors
        self.window.set_badge("logs", str(min(count, 99)) if count else "", "error")

    def _on_rounds(self, state: RoundsState) -> None:
        running = state.run.state != "idle"
        self.window.set_badge("leagues", "●" if running else "", "info")
        for key in ("league.after", "league.now"):
            self.commands.enable(key, running)

    def _on_consensus(self, _state: ConsensusState | AgreementState) -> None:
        busy = self.consensus.state.busy or self.agreement.state.busy
        self.window.set_badge("consensus", "●" if busy else "", "info")
        self.games.enable()

    def _on_learning(self, _state: LearningState | SweepState) -> None:
        busy = self.learning.state.busy or self.sweep.state.busy
        self.window.set_badge("learning", "●" if busy else "", "info")
        self.learnings.enable()
        if self.learnings.shown:
            self.games.enable()

    def current_page(self) -> ConsolePage:
        """Return the page that is shown."""
        return self.pages[self.navigator.here.page]

    def show_palette(self) -> None:
        """Open the command palette."""
        Palette(self.window, self.commands).show()

    def full_screen(self) -> None:
        """Switch between full screen and window."""
        self.window.setWindowState(self.window.windowState() ^ Qt.WindowState.WindowFullScreen)

    def start_demo(self) -> None:
        """Run the guided demo where it can be watched."""
        self.navigator.go(Place("overview"))
        self.overview.run_demo()

    def show_settings(self) -> None:
        """Open the settings."""
        SettingsDialog(
            self.window,
            self.console.settings,
            self.runtime.data.root,
            self.use_settings,
            on_reset_layout=self.reset_layout,
        ).open()

    def use_settings(self, settings: Any) -> None:
        """Keep changed settings and use them."""
        self.console.save_settings(settings)
        self.runtime.devnet.binary = settings.anvil

    def open_dialog(self) -> None:
        """Ask for files to open."""
        open_dialog(self)

    def _may_close(self) -> bool:
        if self.rounds.state.run.state == "idle":
            return True
        notice = Notice(
            "warn",
            "A round is being played",
            "Leaving now stops it; the next start offers to resume it, and no match is lost.",
            actions=(Action("Leave", self.console.close), Action("Stay", lambda: None)),
            key="quit",
        )
        self.notify(notice)
        return False

    def reset_layout(self) -> None:
        """Put window, sidebar and columns back as they were at first; settings and data stay."""
        self.window.reset_layout()
        for table in self.window.findChildren(DataTable):
            table.reset_layout()

    def _restore_tables(self) -> None:
        for table in self.window.findChildren(DataTable):
            table.csvRequested.connect(lambda table=table: save_table(self, table))
        for name, table in self._tables():
            kept = self.window.recall(name)
            if kept:
                table.restore_layout(kept)  # type: ignore[attr-defined]

    def _keep_tables(self) -> None:
        for name, table in self._tables():
            self.window.remember(name, table.layout_state())  # type: ignore[attr-defined]

    def _tables(self) -> list[tuple[str, QWidget]]:
        return [item for page in self.pages.values() for item in page.tables().items()]
