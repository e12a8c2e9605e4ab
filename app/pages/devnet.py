"""The Devnet page."""

from __future__ import annotations

import time

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLineEdit, QSizePolicy, QWidget

from app.formats import count, short
from app.links import Place, block_link, tx_link
from app.pages.base import ConsolePage, Tabs, search_field, side_by_side
from app.pages.devnet_tables import accounts_table, blocks_table, contracts_table, transactions_table
from app.viewmodels.devnet import DevnetState, DevnetViewModel
from app.viewmodels.logs import line_level
from engine.chain.wallet import DEVELOPMENT_WARNING
from widgets.basics import Card, button, column, label, row
from widgets.cards import KeyValuePanel, KeyValueRow, KeyValueState
from widgets.forms import PortField
from widgets.labels import SectionHeader
from widgets.log_view import LogLine, LogView
from widgets.panels import Action, Banner, BannerState, EmptyPanelState
from widgets.plot import BarPlot, BarPlotState
from widgets.table import TableState

STATES = {
    "stopped": ("Stopped", "neutral"),
    "starting": ("Starting", "info"),
    "running": ("Running", "ok"),
    "stopping": ("Stopping", "info"),
    "failed": ("Down", "error"),
    "foreign": ("Foreign node", "warn"),
}
NOT_RUNNING = EmptyPanelState(
    "devnet", "No chain yet", "Start the devnet to see its blocks.", (Action("up", "Start devnet", "play"),)
)
GAS_BLOCKS = 40


class DevnetPage(ConsolePage):
    """Node, accounts, contracts, blocks, transactions, gas, log."""

    stopRequested = Signal()
    deployRequested = Signal()
    locateRequested = Signal()

    def __init__(self, model: DevnetViewModel) -> None:
        super().__init__("Devnet", "A local Ethereum chain on this machine, for development only")
        self._model = model
        self._revision = -1
        self._contracts: object = None
        self._up = button("Start devnet", "play", "primary")
        self._down = button("Stop devnet", "stop")
        self._deploy = button("Deploy contracts", "anchor")
        self._banner = Banner(None)
        self._port = PortField(
            "Port", model.state.port, help="Empty takes any free port; a port given is never changed silently"
        )
        self._facts = KeyValuePanel()
        self._detail = Banner(None)
        self._contract_table = contracts_table()
        self._accounts = accounts_table()
        self._blocks = blocks_table()
        self._transactions = transactions_table()
        self._gas = BarPlot()
        self._log = LogView(capacity=100_000)
        self._log.set_level("INFO")
        self.tabs = Tabs("Parts of the chain")
        self._build()
        self.keep(model.observe(self._show))

    def _build(self) -> None:
        self.header.add_action(self._deploy)
        self.header.add_action(self._down)
        self.header.add_action(self._up)
        self.add(self._banner)
        node = Card()
        node.add(SectionHeader("Node"))
        node.add(self._facts)
        node.add(self._port)
        contracts = Card()
        contracts.add(SectionHeader("Contracts", "Stakes and results on chain"))
        self._contract_table.setMinimumHeight(120)
        self._port.setMaximumWidth(360)
        self._facts.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        contracts.add(self._contract_table, 1)
        self.add(side_by_side(node, contracts, stretches=(2, 3), narrow=980))
        self.add(self._detail)
        for title, tab in (
            (
                "Transactions",
                _tab(search_field("Filter transactions", self._transactions.set_filter), self._transactions),
            ),
            ("Blocks", _tab(search_field("Filter blocks", self._blocks.set_filter), self._blocks)),
            ("Accounts", _tab(label(DEVELOPMENT_WARNING, "error"), self._accounts)),
            ("Gas", self._gas),
            ("Node log", self._log),
        ):
            self.tabs.addTab(tab, title)
        self._gas.barClicked.connect(self._on_bar)
        self.tabs.setMinimumHeight(300)
        self.add(self.tabs, 1)
        self._connect()

    def _connect(self) -> None:
        self._up.clicked.connect(self._model.up)
        self._down.clicked.connect(self.stopRequested)
        self._deploy.clicked.connect(self.deployRequested)
        self._banner.actionTriggered.connect(self._on_banner)
        self._port.valueChanged.connect(lambda value: self._model.set_port(value) if self._port.valid else None)
        self._facts.linkActivated.connect(self.linkActivated)
        for table in (self._contract_table, self._accounts, self._blocks, self._transactions):
            table.linkActivated.connect(self.linkActivated)
            table.emptyAction.connect(lambda key: self._model.deploy() if key == "deploy" else self._model.up())
        self._transactions.activated.connect(lambda key: self.linkActivated.emit(tx_link(key)))

    def _on_bar(self, index: int) -> None:
        feed = self._model.feed
        if feed is not None:
            recent = list(feed.blocks)[:GAS_BLOCKS][::-1]
            self.linkActivated.emit(block_link(recent[index].number))

    def _on_banner(self, key: str) -> None:
        if key == "locate":
            self.locateRequested.emit()
        elif key == "up":
            self._model.up()
        else:
            self._model.set_port(int(key))
            self._port.set_value(int(key))
            self._model.up()

    def _show(self, state: DevnetState) -> None:
        status = state.status
        running = status.state == "running"
        self._up.setVisible(not running)
        self._up.setText("Starting…" if state.busy == "Starting" else "Start devnet")
        self._up.setEnabled(not state.busy)
        self._down.setVisible(running)
        self._down.setEnabled(not state.busy)
        self._deploy.setVisible(running and not state.contracts)
        self._deploy.setText("Deploying…" if state.busy == "Deploying" else "Deploy contracts")
        self._deploy.setEnabled(not state.busy)
        self._port.setEnabled(not running)
        self._port.set_error(state.port_error)
        self._banner.set_state(_trouble(state))
        word, kind = STATES.get(status.state, (status.state, "neutral"))
        rows = [KeyValueRow("State", word, "pill", kind, tooltip=status.cause)]
        if running:
            rows += [
                KeyValueRow("Address", status.url, "mono"),
                KeyValueRow("Chain id", str(status.chain_id or ""), "mono"),
                KeyValueRow("Head block", count(status.block or 0), "link", link=block_link(status.block or 0)),
                KeyValueRow("Mining", "A block for each transaction"),
                KeyValueRow("Program", f"{status.version}, process {status.pid}"),
            ]
        self._facts.set_state(KeyValueState(tuple(rows)))
        self._show_contracts(state)
        self._show_feed(state)
        for line in self._model.take_lines():
            self._log.append([_line(line)])

    def _show_contracts(self, state: DevnetState) -> None:
        rows = tuple((c.name, c.address, c.tx or None, c.gas) for c in state.contracts)
        running = state.status.state == "running"
        action = (Action("deploy", "Deploy contracts", "anchor"),) if running else ()
        names = "StakeVault, LeagueAnchor, LeagueCourt, NeuralConsensus, POL and ProofOfLearning"
        text = f"Deploying puts {names} on this chain." if running else "Start the devnet first."
        self._contract_table.set_state(TableState(rows, (), EmptyPanelState("anchor", "Not deployed", text, action)))

    def _show_feed(self, state: DevnetState) -> None:
        self._accounts.set_state(
            TableState(tuple((a.number, a.role, a.address, a.balance) for a in state.accounts), (), NOT_RUNNING)
        )
        feed = self._model.feed
        if feed is None:
            self._blocks.set_state(TableState((), (), NOT_RUNNING))
            self._transactions.set_state(TableState((), (), NOT_RUNNING))
            return
        if state.revision == self._revision:
            return
        self._revision = state.revision
        blocks = tuple((b.number, b.hash, b.time, b.transactions, b.gas_used) for b in feed.blocks)
        self._blocks.set_state(TableState(blocks, tuple(b[0] for b in blocks), NOT_RUNNING))
        txs = tuple(
            (t.hash, t.block, t.call, t.sender, t.to or None, t.value, t.gas, "Success" if t.ok else "Reverted")
            for t in feed.transactions
        )
        self._transactions.set_state(TableState(txs, tuple(t[0] for t in txs), NO_TRANSACTIONS))
        recent = list(feed.blocks)[:GAS_BLOCKS][::-1]
        total = f"{count(sum(b.gas_used for b in feed.blocks))} gas in {count(len(feed.blocks))} blocks"
        self._gas.set_state(
            BarPlotState(
                f"Gas used by block · {total}",
                tuple(str(b.number) for b in recent),
                tuple(float(b.gas_used) for b in recent),
                "Block",
                "Gas",
            )
        )

    def show_item(self, place: Place) -> None:
        """Show a transaction, a block or an address."""
        names = {"tx": 0, "block": 1, "address": 0}
        if place.kind not in names:
            return
        self.tabs.setCurrentIndex(names[place.kind])
        feed = self._model.feed
        if place.kind == "tx":
            self._transactions.set_filter("")
            self._transactions.select((place.name,))
            found = next((t for t in feed.transactions if t.hash == place.name), None) if feed else None
            if found is not None:
                kind = "info" if found.ok else "error"
                text = found.detail if len(found.detail) < 600 else found.detail[:600] + "…"
                self._detail.set_state(BannerState(kind, f"{found.call} · {short(found.hash)}", text, found.error))
        elif place.kind == "block":
            self._blocks.select((int(place.name),))
        else:
            fields = self.tabs.widget(0).findChildren(QLineEdit)
            if fields:
                fields[0].setText(place.name)

    def find(self) -> None:
        """Filter the tab shown."""
        field = self.tabs.currentWidget().findChild(QLineEdit)
        if field is not None:
            field.setFocus()
            field.selectAll()

    def tables(self) -> dict[str, QWidget]:
        """All tables of the page."""
        return {
            "devnet.contracts": self._contract_table,
            "devnet.accounts": self._accounts,
            "devnet.blocks": self._blocks,
            "devnet.transactions": self._transactions,
        }


NO_TRANSACTIONS = EmptyPanelState("block", "No transactions yet", "Deploy the contracts or run a round.")


def _tab(top: QWidget, body: QWidget) -> QWidget:
    holder = QWidget()
    layout = column(holder, spacing=8)
    layout.setContentsMargins(0, 12, 0, 0)
    layout.addLayout(row(top, None))
    layout.addWidget(body, 1)
    return holder


def _line(text: str) -> LogLine:
    return LogLine(time.time(), line_level(text).upper(), "anvil", text)


def _trouble(state: DevnetState) -> BannerState | None:
    if state.tried:
        paths = "Looked at: " + ", ".join(state.tried)
        locate = (Action("locate", "Locate Anvil…", "open", primary=True),)
        return BannerState("warn", "Anvil was not found", paths, "Run make to install it, or show where it is.", locate)
    if state.port_error:
        actions = tuple(
            Action(str(port), f"Use {port}", primary=i == 0) for i, port in enumerate(state.alternatives[:3])
        )
        return BannerState("error", f"Port {state.port} cannot be used", state.port_error, "", actions)
    if state.status.state == "failed":
        again = (Action("up", "Start again", "play", primary=True),)
        return BannerState(
            "error", "The devnet is down", state.status.cause, "Its saved state is loaded on start.", again
        )
    return None
