"""The network tab of the Learning chain page: validators with their stake, beacon nodes, DHT peers."""

from __future__ import annotations

from typing import Any

from app.formats import count, short
from app.links import slot_link
from app.pages.base import RUN, Tabs, search_field
from app.pages.learning_part import LearningPart
from app.viewmodels.learning import LearningViewModel
from app.viewmodels.learning_draft import LearningState
from app.viewmodels.learning_faults import title_of
from widgets.basics import column, row
from widgets.panels import EmptyPanelState
from widgets.steady_text import SteadyText
from widgets.table import Column, DataTable, TableState

STATUS = {"Active": "ok", "Pending": "info", "Exiting": "warn", "Exited": "neutral", "Slashed": "error"}
SIDES = "AB"
NOBODY = EmptyPanelState(
    "user", "No validators yet", "Genesis makes them of its seed; others join by a deposit of 32 POL.", (RUN,)
)
NO_PEERS = EmptyPanelState("plug", "No DHT peers yet", "Deltas, updates and ACKs go through them.", (RUN,))
NO_NODES = EmptyPanelState("share-network", "No beacon nodes yet", "Each holds one view of the chain.", (RUN,))
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


class NetworkTab(LearningPart):
    """Three tables under one search field."""

    def __init__(self, model: LearningViewModel) -> None:
        super().__init__()
        self._model = model
        self._shown: dict[str, object] = {}
        self.validators = DataTable(VALIDATORS, name="Validators")
        self.nodes = DataTable(NODES, name="Beacon nodes")
        self.peers = DataTable(PEERS, name="DHT peers")
        self.tabs = Tabs("Parts of the network")
        for table, title in ((self.validators, "Validators"), (self.nodes, "Beacon nodes"), (self.peers, "DHT peers")):
            table.setMinimumHeight(180)
            self.tabs.addTab(table, title)
            table.linkActivated.connect(self.linkActivated)
        self.sum = SteadyText("Who takes part", tone="muted")
        body = column(self, spacing=8)
        top = row(self.sum, search_field("Filter the network", self._filter))
        top.setStretch(0, 1)
        body.addLayout(top)
        body.addWidget(self.tabs, 1)
        self.validators.activated.connect(lambda key: self._find_peer(key))
        self.tabs.currentChanged.connect(lambda _: self.redraw())

    def seen(self, state: LearningState) -> object:
        """Who takes part."""
        record = state.run
        return record, *(record.at(part) if record else 0 for part in ("validators", "peers", "heads"))

    def draw(self, state: LearningState) -> None:
        """Show who takes part."""
        record = state.run
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

    def select(self, number: int) -> None:
        """Show a validator."""
        self.tabs.setCurrentIndex(0)
        self.redraw()
        self.validators.select((number,))

    def _filter(self, text: str) -> None:
        for table in (self.validators, self.nodes, self.peers):
            table.set_filter(text)

    def _find_peer(self, key: Any) -> None:
        """Go to the DHT peer that a validator uses."""
        record = self._state.run if self._state is not None else None
        if record is not None and record.peers is not None and record.peers.rows:
            self.tabs.setCurrentIndex(2)
            self.redraw()
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
