"""The node on the Devnet page: its facts, its port, how it mines; and one transaction in full."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QSizePolicy

from app.formats import count, ether, moment
from app.links import address_link, block_link, tx_link
from app.pages.league_fields import narrow
from app.viewmodels.devnet import DevnetState, DevnetViewModel, NodeStatus
from engine.chain.explorer import TransactionInfo
from widgets.basics import Card, button, row, tool_button
from widgets.cards import KeyValuePanel, KeyValueRow, KeyValueState
from widgets.forms import ChoiceField, IntField, PortField
from widgets.labels import SectionHeader

STATES = {
    "stopped": ("Stopped", "neutral"),
    "starting": ("Starting", "info"),
    "running": ("Running", "ok"),
    "stopping": ("Stopping", "info"),
    "failed": ("Down", "error"),
    "foreign": ("Foreign node", "warn"),
}
MINING = (("automine", "For each transaction"), ("interval", "At an interval"), ("manual", "By hand"))
PORT_HELP = "Empty: any free one; one that is given is never changed"
LONG = 600  # characters of a call that are shown


class NodeCard(Card):
    """State, address, head, port, mining."""

    linkActivated = Signal(str)
    portChosen = Signal(object)

    def __init__(self, model: DevnetViewModel) -> None:
        super().__init__()
        self._model = model
        self.facts = KeyValuePanel()
        self.port = PortField("Port", model.state.port, help=PORT_HELP)
        self.port.set_limits(1024, 65535)
        self.port.set_help(PORT_HELP)
        self.mining = narrow(ChoiceField("Blocks are mined", MINING, help="What the node itself says"))
        self.seconds = IntField("Seconds between blocks", 1, minimum=1, maximum=3600)
        self.mine = button("Mine a block", "block")
        self._build()

    def _build(self) -> None:
        header = SectionHeader("Node")
        header.add_action(self.mine)
        self.add(header)
        self.facts.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        self.add(self.facts)
        # Port and mining stand beside each other: what lies beneath the card, the transactions, matters more.
        fields = row(self.port, self.mining, spacing=16)
        for at in range(2):
            fields.setStretch(at, 1)
        self.add(fields)
        self.add(self.seconds)
        self.facts.linkActivated.connect(self.linkActivated)
        self.port.valueChanged.connect(lambda value: self._on_port(value))
        self.mining.valueChanged.connect(lambda _: self._on_mining())
        self.seconds.valueChanged.connect(lambda _: self._on_mining())
        self.mine.clicked.connect(self._model.mine)

    def _on_port(self, value: int | None) -> None:
        if self.port.problem():
            self._model.refuse_port(self.port.problem())
        else:
            self.portChosen.emit(value)

    def _on_mining(self) -> None:
        status, wanted = self._model.state.status, self.mining.value()
        seconds = self.seconds.value() if wanted == "interval" else 0
        if wanted and seconds is not None and (wanted, seconds) != (status.mining, status.interval):
            self._model.set_mining(wanted, seconds or 1)

    def show_state(self, state: DevnetState) -> None:
        """Show the node."""
        status = state.status
        running = status.state == "running"
        self.port.setEnabled(not running)
        self.port.set_error(state.port_error)
        self.facts.set_state(KeyValueState(tuple(node_facts(status))))
        for part in (self.mining, self.mine):
            part.setVisible(running)
        self.seconds.setVisible(running and self.mining.value() == "interval")
        self._follow_mining(status)

    def _follow_mining(self, status: NodeStatus) -> None:
        """Show what the node says, without telling it so again."""
        if status.mining and status.mining != self.mining.value() and not self.mining.combo.hasFocus():
            blocked = self.mining.blockSignals(True)
            self.mining.set_value(status.mining)
            self.mining.blockSignals(blocked)
        if status.interval and not self.seconds.edit.hasFocus():
            blocked = self.seconds.blockSignals(True)
            self.seconds.set_value(status.interval)
            self.seconds.blockSignals(blocked)


def node_facts(status: NodeStatus) -> list[KeyValueRow]:
    """What is known of the node, or of the state that it left."""
    word, kind = STATES.get(status.state, (status.state, "neutral"))
    rows = [KeyValueRow("State", word, "pill", kind, tooltip=status.cause)]
    if status.state == "running":
        rows += [
            KeyValueRow("Address", status.url, "mono"),
            KeyValueRow("Chain id", str(status.chain_id or ""), "mono"),
            KeyValueRow("Head block", count(status.block or 0), "link", link=block_link(status.block or 0)),
            KeyValueRow("Mining", mining_text(status)),
            KeyValueRow("Program", f"{status.version}, process {status.pid}"),
        ]
    elif status.saved is not None:
        saved = status.saved
        rows += [
            KeyValueRow("Saved chain", f"Block {count(saved.block)}, {moment(saved.saved)}"),
            KeyValueRow("Written by", saved.version, "mono"),
        ]
    return rows


def mining_text(status: NodeStatus) -> str:
    """How the node mines, as it says itself."""
    if status.mining == "interval":
        return f"A block every {status.interval} s" if status.interval != 1 else "A block every second"
    return {"automine": "A block for each transaction", "manual": "Only by hand"}.get(status.mining, "Not known")


class TransactionCard(Card):
    """One transaction: its call, its events, and the inner call that reverted."""

    linkActivated = Signal(str)
    closed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.facts = KeyValuePanel()
        self.facts.linkActivated.connect(self.linkActivated)
        close = tool_button("close", "Close the transaction")
        close.clicked.connect(self.closed)
        header = SectionHeader("Transaction")
        header.add_action(close)
        self.add(header)
        self.add(self.facts)
        self.hide()
        self._shown: object = None

    def show_state(self, state: DevnetState) -> None:
        """Show the transaction that is looked at."""
        wanted = (state.shown, state.detail, state.lost)
        if wanted != self._shown:
            self._shown = wanted
            self.facts.set_state(KeyValueState(tuple(transaction_facts(state))))
            self.setVisible(bool(state.shown) and (state.detail is not None or state.lost))


def transaction_facts(state: DevnetState) -> list[KeyValueRow]:
    """The rows of a transaction."""
    rows = [KeyValueRow("Hash", state.shown, "hash", link=tx_link(state.shown))]
    found = state.detail
    if found is None:
        return [*rows, KeyValueRow("Result", "Not on this chain" if state.lost else "Reading", "pill", "warn")]
    rows += [
        KeyValueRow("Result", "Success" if found.ok else "Reverted", "pill", "ok" if found.ok else "error"),
        KeyValueRow("Call", _shortened(found.call), "mono"),
        *([] if found.ok else [KeyValueRow("Why", _shortened(found.error))]),
        *_events(found),
        KeyValueRow("From", found.sender, "hash", link=address_link(found.sender)),
    ]
    if found.receiver:
        rows.append(KeyValueRow("To", found.receiver, "hash", link=address_link(found.receiver)))
    return [
        *rows,
        KeyValueRow("Value", ether(found.value)),
        KeyValueRow("Gas", count(found.gas_used)),
        KeyValueRow("Block", count(found.block), "link", link=block_link(found.block)),
    ]


def _events(found: TransactionInfo) -> list[KeyValueRow]:
    many = len(found.events) > 1
    return [
        KeyValueRow(f"Event {at}" if many else "Event", _shortened(text), "mono")
        for at, text in enumerate(found.events, 1)
    ]


def _shortened(text: str) -> str:
    return text if len(text) <= LONG else text[:LONG] + "…"
