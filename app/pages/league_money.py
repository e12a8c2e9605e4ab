"""The settlement tab of the Leagues page: who gets what, and claims from outside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Signal

from app.formats import ether
from app.links import Place, address_link, match_link, tx_link
from app.viewmodels.rounds import RoundsState, RoundsViewModel
from widgets.basics import Card, button, label
from widgets.cards import KeyValuePanel, KeyValueRow, KeyValueState
from widgets.drop_zone import DropZone, DropZoneState
from widgets.labels import SectionHeader
from widgets.panels import Action, EmptyPanelState
from widgets.table import Column, DataTable, TableState

SET_UP = Action("setup", "Set up a round", "leagues")
NOT_PLAYED = EmptyPanelState(
    "coin", "Nothing to settle", "A round can be settled once all its matches are played.", (SET_UP,)
)

HONEST = EmptyPanelState("shield", "Nobody was disqualified", "Every claim of this round holds.")
NO_CLAIMS = EmptyPanelState("shield", "No claims yet", "They are judged once a round is played.")


def money(title: str) -> Column:
    """Return a column of wei, shown in ETH, sorted by the exact amount."""
    return Column(title, align="right", kind="number", format=lambda wei: ether(wei, places=6), width=116)


class SettlementCard(Card):
    """The anchor, the preview of who gets what, and the button that pays it."""

    settleRequested = Signal()
    linkActivated = Signal(str)

    def __init__(self, model: RoundsViewModel) -> None:
        super().__init__()
        self._settle = button("Settle…", "coin", "primary")
        self._facts = KeyValuePanel()
        self.table = DataTable(
            (
                Column("Agent"),
                Column("Account", kind="hash", link=address_link, width=164),
                money("Credit before"),
                money("Reward"),
                money("Credit after"),
            ),
            name="Settlement preview",
        )
        self._total = label("", "muted")
        header = SectionHeader("Settlement", "What each agent is credited, on chain and in the ledger")
        header.add_action(self._settle)
        self.add(header)
        self.add(self._facts)
        self.table.setMinimumHeight(180)
        self.add(self.table, 1)
        self.add(self._total)
        self._settle.clicked.connect(self.settleRequested)
        self.table.emptyAction.connect(lambda key: self.linkActivated.emit(Place("leagues", "tab/setup").link))
        self._facts.linkActivated.connect(self.linkActivated)
        self.table.linkActivated.connect(self.linkActivated)
        self.unobserve: Callable[[], None] = model.observe(self._show)

    def _show(self, state: RoundsState) -> None:
        result = state.result
        self._facts.setVisible(result is not None)
        payable = result is not None and result.state in ("played", "anchored") and not state.busy
        self._settle.setEnabled(payable and state.run.state == "idle")
        words = {"settled": "Settled", "rejected": "Rejected"}
        self._settle.setText(words.get(result.state, "Settle…") if result is not None else "Settle…")
        settled = result is not None and result.state == "settled"
        # Once it is settled the reward is part of the credit; what stood before it, other rounds have moved since.
        rows = tuple(
            (
                p.agent,
                p.address,
                None if settled else p.before,
                p.reward,
                p.before if settled else p.after,
            )
            for p in (state.payouts if result is not None and result.state != "rejected" else ())
        )
        self.table.set_state(TableState(rows, tuple(row[1] for row in rows), NOT_PLAYED))
        if result is None:
            self._total.setText("")
            return
        if result.state == "rejected":
            self._total.setText(
                "The round was rejected: nobody is paid from it, and the pot went back to the operator."
            )
            self._facts.set_state(KeyValueState(tuple(_anchor_rows(result))))
            return
        paid = sum(p.reward for p in state.payouts)
        pot, dust = ether(result.pot_wei, places=6), result.pot_wei - paid
        rest = f", but for {dust} wei of rounding, which go back to the poster" if dust else ""
        self._total.setText(f"The pot of {pot} is paid out{rest}." if rows else "")
        self._facts.set_state(KeyValueState(tuple(_anchor_rows(result))))


def _anchor_rows(result: Any) -> list[KeyValueRow]:
    anchored = result.anchored
    rows = [KeyValueRow("Round", f"{result.name} #{result.number}")]
    if anchored is None:
        rows.append(KeyValueRow("Root", "Local, not anchored", "pill", status="neutral"))
        return rows
    rows += [
        KeyValueRow("Root", "On chain", "pill", status="ok"),
        KeyValueRow("Root hash", anchored.root, "hash"),
        KeyValueRow("Transaction", anchored.tx or "", "hash", link=tx_link(anchored.tx or "")),
        KeyValueRow("Contract", anchored.contract, "hash", link=address_link(anchored.contract)),
    ]
    return rows


class ClaimsCard(Card):
    """Claims from outside: bundles that say what an agent scored, and who was caught."""

    browseRequested = Signal()
    claimsDropped = Signal(list)
    rejected = Signal(str)
    linkActivated = Signal(str)

    def __init__(self, model: RoundsViewModel) -> None:
        super().__init__()
        self._zone = DropZone(
            DropZoneState(
                "Drop a claim here", "A match bundle (.nets) of this round; a false score is slashed", (".nets",)
            )
        )
        self.table = DataTable(
            (
                Column("Agent"),
                Column("Match", kind="link", format=lambda v: f"#{v[1]}", link=lambda v: match_link(*v), width=64),
                Column("Claimed", align="right", kind="number", width=74),
                Column("Replayed", align="right", kind="number", width=88),
                Column("Verdict", kind="pill", pill=lambda v: "error", width=104),
            ),
            name="Disqualified agents",
        )
        self.add(SectionHeader("Claims", "Judged by playing the match again"))
        self.add(self._zone)
        self.table.setMinimumHeight(150)
        self.add(self.table, 1)
        self._zone.filesDropped.connect(self.claimsDropped)
        self._zone.rejected.connect(self.rejected)
        self._zone.browseRequested.connect(self.browseRequested)
        self.table.linkActivated.connect(self.linkActivated)
        self.unobserve: Callable[[], None] = model.observe(self._show)

    def _show(self, state: RoundsState) -> None:
        result = state.result
        rows: tuple[tuple[object, ...], ...] = ()
        if result is not None:
            names = {s.seat: s.agent for s in result.standings}
            rows = tuple(
                (names.get(d.seat, d.seat), (state.selected, d.fixture), d.claimed, d.replayed, "Slashed")
                for d in result.disqualified
            )
        self.table.set_state(TableState(rows, (), NO_CLAIMS if result is None else HONEST))
        self._zone.setEnabled(result is not None and result.state in ("played", "anchored"))
