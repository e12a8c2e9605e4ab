"""The Devnet page."""

from __future__ import annotations

import time
from collections.abc import Iterator

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLineEdit, QWidget

from app.formats import count
from app.links import Place, block_link, tx_link
from app.pages.base import ConsolePage, Tabs, scrolling, search_field, side_by_side
from app.pages.devnet_call import CallForm
from app.pages.devnet_node import NodeCard, TransactionCard
from app.pages.devnet_tables import accounts_table, blocks_table, contracts_table, transactions_table
from app.viewmodels.contract_calls import ContractCallsViewModel
from app.viewmodels.devnet import DevnetState, DevnetViewModel
from app.viewmodels.logs import line_level
from engine.chain.wallet import DEVELOPMENT_WARNING
from widgets.basics import Card, button, column, label, row
from widgets.labels import SectionHeader
from widgets.log_view import LogLine, LogView, line_of
from widgets.panels import Action, Banner, BannerState, EmptyPanelState
from widgets.plot import BarPlot, BarPlotState
from widgets.table import DataTable, TableState

NOT_RUNNING = EmptyPanelState(
    "devnet", "No chain yet", "Start the devnet to see its blocks.", (Action("up", "Start devnet", "play"),)
)
GAS_BLOCKS = 40


class DevnetPage(ConsolePage):
    """Node, accounts, contracts, blocks, transactions, gas, log."""

    stopRequested = Signal()
    deployRequested = Signal()
    locateRequested = Signal()
    sendRequested = Signal()
    portChosen = Signal(object)

    def __init__(self, model: DevnetViewModel, calls: ContractCallsViewModel) -> None:
        super().__init__("Devnet", "A local Ethereum chain on this machine, for development only")
        self._model = model
        self._revision = -1
        self._sought = ""
        self._contracts: object = None
        self._up = button("Start devnet", "play", "primary")
        self._down = button("Stop devnet", "stop")
        self._deploy = button("Deploy contracts", "anchor")
        self._banner = Banner(None)
        self.tabs = Tabs("Parts of the chain")
        self._calls = calls

    def steps(self) -> Iterator[None]:
        """Build card by card and tab by tab, so that the window breathes."""
        self.header.add_action(self._deploy)
        self.header.add_action(self._down)
        self.header.add_action(self._up)
        self.add(self._banner)
        self.node, self._contract_table = NodeCard(self._model), contracts_table()
        contracts = Card()
        contracts.add(SectionHeader("Contracts", "Stakes and results on chain"))
        self._contract_table.fit_height(2, 8)
        contracts.add(self._contract_table)
        contracts.body.addStretch(1)
        self.add(side_by_side(self.node, contracts, stretches=(2, 3), narrow=980))
        yield
        self.detail = TransactionCard()
        self.add(self.detail)
        self.tabs.setMinimumHeight(300)
        self.add(self.tabs, 1)
        yield
        for title, tab in self._make_tabs():
            self.tabs.addTab(tab, title)
            yield
        self._connect()
        yield
        self.keep(self._model.observe(self._show), self.call.unobserve)

    def _make_tabs(self) -> Iterator[tuple[str, QWidget]]:
        self._transactions = transactions_table()
        yield (
            "Transactions",
            _tab(search_field("Filter transactions", self._transactions.set_filter), self._transactions),
        )
        self._blocks = blocks_table()
        yield "Blocks", _tab(search_field("Filter blocks", self._blocks.set_filter), self._blocks)
        self._accounts = accounts_table()
        yield "Accounts", _tab(label(DEVELOPMENT_WARNING, "error"), self._accounts)
        self.call = CallForm(self._calls)
        yield "Call a contract", scrolling(self.call)
        self._gas = BarPlot()
        self._gas.offer(*NOT_RUNNING.actions)
        self._gas.set_state(BarPlotState("Gas used by block", empty="Start the devnet to see its gas"))
        self._gas.emptyAction.connect(lambda key: self._model.up())
        self._gas.barClicked.connect(self._on_bar)
        yield "Gas", _tab(None, self._gas)
        self._log = LogView(capacity=100_000)
        self._log.set_level("INFO")
        yield "Node log", _tab(None, self._log)

    def _connect(self) -> None:
        self._up.clicked.connect(self._start)
        self._down.clicked.connect(self.stopRequested)
        self._deploy.clicked.connect(self.deployRequested)
        self._banner.actionTriggered.connect(self._on_banner)
        self.node.portChosen.connect(self.portChosen)
        self.call.sendRequested.connect(self.sendRequested)
        self.detail.closed.connect(self._model.forget)
        for part in (self.node, self.detail, self.call):
            part.linkActivated.connect(self.linkActivated)
        for table in (self._contract_table, self._accounts, self._blocks, self._transactions):
            table.linkActivated.connect(self.linkActivated)
            table.emptyAction.connect(self._on_empty)
        self._transactions.activated.connect(lambda key: self.linkActivated.emit(tx_link(key)))
        self._transactions.selectionChanged.connect(self._on_selected)

    def _on_selected(self, keys: tuple[str, ...]) -> None:
        if keys:
            self._sought = ""
            self._model.inspect(keys[0])

    def _start(self) -> None:
        """Start, unless what stands in the port's field is no port: then the keyboard goes there."""
        if self.node.port.problem():
            self.node.port.edit.setFocus()
        self._model.up()

    def _on_empty(self, key: str) -> None:
        if key == "deploy":
            self.deployRequested.emit()  # which asks first, as the button at the top does
        else:
            self._model.up()

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
            self.portChosen.emit(int(key))
            self.node.port.set_value(int(key))
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
        self._banner.set_state(_trouble(state))
        self.node.show_state(state)
        self.detail.show_state(state)
        self._show_contracts(state)
        self._show_feed(state)
        for line in self._model.take_lines():
            self._log.append([_line(line)])

    def _show_contracts(self, state: DevnetState) -> None:
        rows = tuple((c.name, c.address, c.tx or None, c.gas) for c in state.contracts)
        running = state.status.state == "running"
        deploy, start = Action("deploy", "Deploy contracts", "anchor"), Action("up", "Start devnet", "play")
        action = (deploy if running else start,)
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
        blocks = tuple(feed.blocks)
        self._blocks.set_state(TableState(blocks, tuple(b[0] for b in blocks), NOT_RUNNING))
        txs = tuple(feed.transactions)
        self._transactions.set_state(TableState(txs, tuple(t[0] for t in txs), NO_TRANSACTIONS))
        if self._sought:  # a link may lead to a transaction that is shown only now
            self._transactions.select((self._sought,))
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
        field = self.tabs.currentWidget().findChild(QLineEdit)
        assert field is not None
        if place.kind == "tx":
            field.clear()
            self._sought = place.name
            self._transactions.select((place.name,))
            self._model.inspect(place.name)
        elif place.kind == "block":
            field.clear()
            self._blocks.select((self._block_number(place.name),))
        else:
            field.setText(place.name)

    def _block_number(self, name: str) -> int:
        """The block of a number or a hash; -1 where this chain has none."""
        feed = self._model.feed
        if not name.isdecimal():
            return next((b.number for b in feed.blocks if b.hash == name), -1) if feed else -1
        return int(name) if len(name) < 20 else -1

    def find(self) -> None:
        """Filter the tab shown."""
        field = self.tabs.currentWidget().findChild(QLineEdit)
        if field is not None:
            field.setFocus()
            field.selectAll()

    def save(self) -> None:
        """Save the table of the tab shown."""
        table = self.tabs.currentWidget().findChild(DataTable)
        (table or self._transactions).csvRequested.emit()

    def tables(self) -> dict[str, QWidget]:
        """All tables of the page."""
        return {
            "devnet.contracts": self._contract_table,
            "devnet.accounts": self._accounts,
            "devnet.blocks": self._blocks,
            "devnet.transactions": self._transactions,
        }


NO_TRANSACTIONS = EmptyPanelState(
    "block",
    "No transactions yet",
    "Deploying the contracts makes the first.",
    (Action("deploy", "Deploy contracts", "anchor"),),
)


def _tab(top: QWidget | None, body: QWidget) -> QWidget:
    holder = QWidget()
    layout = column(holder, spacing=8)
    layout.setContentsMargins(0, 12, 0, 0)
    if top is not None:
        layout.addLayout(row(top, None))
    layout.addWidget(body, 1)
    return holder


def _line(text: str) -> LogLine:
    return line_of(time.time(), line_level(text), "anvil", text)


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
            "error",
            "The devnet is down",
            state.status.cause[:1].upper() + state.status.cause[1:],
            "Its saved state is loaded on start.",
            again,
        )
    return None
