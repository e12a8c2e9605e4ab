"""The network tab of the Learning chain page: validators with their stake, beacon nodes, DHT peers."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from app.formats import count, short
from app.links import slot_link
from app.pages.base import Tabs, search_field
from app.viewmodels.learning import LearningViewModel
from app.viewmodels.learning_draft import LearningState
from app.viewmodels.learning_faults import title_of
from widgets.basics import column, label, row
from widgets.panels import EmptyPanelState
from widgets.table import Column, DataTable, TableState

STATUS = {"Active": "ok", "Pending": "info", "Exiting": "warn", "Exited": "neutral", "Slashed": "error"}
SIDES = "AB"
NOBODY = EmptyPanelState("user", "No validators yet", "They come of the genesis seed, and by deposits of 32 POL.")
NO_PEERS = EmptyPanelState("plug", "No DHT peers yet", "Deltas, updates and ACKs go through them.")
NO_NODES = EmptyPanelState("share-network", "No beacon nodes yet", "Each holds one view of the chain.")
VALIDATORS = (
    Column("No.", align="right", kind="number", width=60),
    Column("Peer id", width=156),
    Column("Stake", align="right", kind="number", width=92, format=lambda v: f"{v:,.4g} POL", exact=repr),
    Column("Status", kind="pill", width=110, pill=lambda word: STATUS.get(word, "neutral")),
    Column("Node", align="right", kind="number", width=64),
    Column("Fault it lives with"),
)
PEERS = (
    Column("No.", align="right", kind="number", width=60),
    Column("Peer id", width=156, format=lambda v: short(v, 8, 6), exact=str),
    Column("Address"),
    Column("State", kind="pill", width=92, pill=lambda word: "ok" if word == "Up" else "error"),
    Column("Records", align="right", kind="number", width=84, format=count),
    Column("Side", align="center", width=64),
)
NODES = (
    Column("Node", align="right", kind="number", width=64),
    Column("Head", width=160, format=lambda v: short(v, 8, 6), exact=str),
    Column("Slot of its head", align="right", kind="link", width=120, link=slot_link),
    Column("Finalised epoch", align="right", kind="number", width=120),
    Column("Side of the partition"),
)


class NetworkTab(QWidget):
    """Three tables under one search field."""

    linkActivated = Signal(str)

    def __init__(self, model: LearningViewModel) -> None:
        super().__init__()
        self._model = model
        self._state: LearningState | None = None
        self._seen: object = None
        self._shown: dict[str, object] = {}
        self.validators = DataTable(VALIDATORS, name="Validators")
        self.nodes = DataTable(NODES, name="Beacon nodes")
        self.peers = DataTable(PEERS, name="DHT peers")
        self.tabs = Tabs("Parts of the network")
        for table, title in ((self.validators, "Validators"), (self.nodes, "Beacon nodes"), (self.peers, "DHT peers")):
            table.setMinimumHeight(180)
            self.tabs.addTab(table, title)
            table.linkActivated.connect(self.linkActivated)
        self.sum = label("", "muted", wrap=True)
        body = column(self, spacing=8)
        top = row(self.sum, search_field("Filter the network", self._filter))
        top.setStretch(0, 1)
        body.addLayout(top)
        body.addWidget(self.tabs, 1)
        self.validators.activated.connect(lambda key: self._find_peer(key))
        self.tabs.currentChanged.connect(lambda _: self._again())

    def show_state(self, state: LearningState) -> None:
        """Show who takes part."""
        self._state = state
        record = state.run
        seen = (record, *(record.at(part) for part in ("validators", "peers", "heads"))) if record else None
        if not self.isVisible() or (seen == self._seen and seen is not None):
            return
        self._seen = seen
        sources = {
            "validators": (self.validators, record.validators if record else None, validator_row, NOBODY),
            "nodes": (self.nodes, record.heads if record else None, node_row, NO_NODES),
            "peers": (self.peers, record.peers if record else None, peer_row, NO_PEERS),
        }
        for name, (table, event, make, empty) in sources.items():
            if table.isVisible() and self._shown.get(name, self) is not event:  # a thousand rows: only what is new
                self._shown[name] = event
                rows = tuple(make(item) for item in event.rows) if event is not None else ()
                table.set_state(TableState(rows, tuple(one[0] for one in rows), empty))
        self.sum.setText(sum_words(record))

    def showEvent(self, event: object) -> None:
        """Catch up with what came while another tab was in front."""
        super().showEvent(event)  # type: ignore[arg-type]
        self._again()

    def select(self, number: int) -> None:
        """Show a validator."""
        self.tabs.setCurrentIndex(0)
        self._again()
        self.validators.select((number,))

    def _again(self) -> None:
        if self._state is not None:
            self._seen = None
            self.show_state(self._state)

    def _filter(self, text: str) -> None:
        for table in (self.validators, self.nodes, self.peers):
            table.set_filter(text)

    def _find_peer(self, key: Any) -> None:
        """Go to the DHT peer that a validator uses."""
        record = self._state.run if self._state is not None else None
        if record is not None and record.peers is not None and record.peers.rows:
            self.tabs.setCurrentIndex(2)
            self._again()
            self.peers.select((int(key) % len(record.peers.rows),))


def validator_row(item: Any) -> tuple[Any, ...]:
    """Return a row of the validators."""
    index, peer, stake, status, node, mark = item
    return index, peer, stake, status.capitalize(), node, title_of(mark) if mark else None


def peer_row(item: Any) -> tuple[Any, ...]:
    """Return a row of the DHT peers."""
    number, peer, address, up, records, group = item
    return number, peer, address, "Up" if up else "Down", records, _side(group)


def node_row(item: Any) -> tuple[Any, ...]:
    """Return a row of the beacon nodes."""
    node, root, slot, epoch, group = item
    return node, root, slot, epoch, _side(group)


def sum_words(record: Any) -> str:
    """Return how many there are of each, and how many are well."""
    if record is None:
        return ""
    parts = []
    if record.validators is not None:
        active = sum(item[3] == "active" for item in record.validators.rows)
        parts.append(f"{active:,} of {len(record.validators.rows):,} validators active")
    if record.heads is not None:
        heads = len({item[1] for item in record.heads.rows})
        parts.append(f"{len(record.heads.rows)} beacon nodes with {heads} head{'s' if heads != 1 else ''}")
    if record.peers is not None:
        up = sum(bool(item[3]) for item in record.peers.rows)
        parts.append(f"{up:,} of {len(record.peers.rows):,} DHT peers up")
    return ", ".join(parts)


def _side(group: int) -> str:
    return SIDES[group] if 0 <= group < len(SIDES) else str(group)
