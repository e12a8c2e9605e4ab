"""The disputes tab of the Leagues page: audit the round, bring frauds before the court, see what came of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Signal

from app.formats import ether, moment, plural
from app.links import address_link, block_link, match_link, tx_link
from app.viewmodels.disputes import DisputesState, DisputesViewModel
from widgets.basics import Card, button, label
from widgets.labels import SectionHeader
from widgets.panels import Action, Banner, BannerState, EmptyPanelState
from widgets.table import Column, DataTable, TableState

KINDS = {
    "genesis": "Begins with points",
    "bounds": "Score out of bounds",
    "arithmetic": "Wrong sum",
    "break": "Broken chain",
    "terminal": "Wrong totals",
    "equivocation": "Two roots",
    "withheld": "Withheld match",
    "replay": "Replay differs",
}
OUTCOMES = {
    "open": "Not decided yet",
    "dismissed": "The host was right; the bond is lost",
    "refunded": "Nobody won; the bond is back",
    "refused": "The chain did not take it up",
}
STATES = {"open": "info", "upheld": "ok", "dismissed": "error", "refunded": "neutral", "refused": "warn"}
NO_DISPUTES = EmptyPanelState(
    "shield",
    "No disputes on this round",
    "An audit plays every match again and compares it with what the host posted.",
)
_ABOUT = "What the host posted, against what the matches give"
_MATCH = Column(
    "Match",
    kind="link",
    width=76,
    format=lambda cell: f"#{cell[1]}",
    link=lambda cell: match_link(*cell),
    key=lambda cell: cell[1],
)
DISPUTES = (
    Column("Kind", width=140),
    _MATCH,
    Column("State", kind="pill", pill=lambda text: STATES.get(text.lower(), "neutral"), width=118),
    Column("Challenger", kind="hash", link=address_link, width=152),
    Column("Bond", align="right", kind="number", width=100, format=lambda wei: ether(wei) if wei else "none"),
    Column("Attestations", width=128, tooltip="How many verifiers confirmed the posted match, and how many did not"),
    Column("Deadline", width=176),
    Column("Outcome"),
)
SENT = (
    Column("Step"),
    Column("State", kind="pill", pill=lambda text: "ok" if text == "Mined" else "info", width=110),
    Column("Transaction", kind="hash", link=tx_link, width=190),
    Column("Block", align="right", kind="link", link=block_link, width=84),
)


class DisputesCard(Card):
    """Auditor's desk for the round shown."""

    auditRequested = Signal()
    disputeRequested = Signal()
    linkActivated = Signal(str)

    def __init__(self, model: DisputesViewModel) -> None:
        super().__init__()
        self._model = model
        self._audit = button("Audit this round", "search", "primary")
        self._dispute = button("Dispute…", "shield")
        self._header = SectionHeader("Disputes", _ABOUT)
        self._note = label("", "muted", wrap=True)
        self._found = Banner(None)
        self.frauds = DataTable(
            (Column("Fraud", width=170), _MATCH, Column("Found"), Column("Decided", width=190)), name="Frauds found"
        )
        self._frauds_header = SectionHeader("Found by the audit")
        self.table = DataTable(DISPUTES, name="Disputes")
        self._disputes_header = SectionHeader("Disputes", "Choose one to see its transactions")
        self._sent_header = SectionHeader("Transactions", "Of the dispute chosen above")
        self.sent = DataTable(SENT, name="Transactions of the dispute")
        self._build()
        self.unobserve: Callable[[], None] = model.observe(self._show)

    def _build(self) -> None:
        self._header.add_action(self._audit)
        self._header.add_action(self._dispute)
        for part in (self._header, self._note, self._found, self._frauds_header, self.frauds, self._disputes_header,
                     self.table, self._sent_header, self.sent):  # fmt: skip
            self.add(part)
        self.body.addStretch(1)
        self.frauds.fit_height(1, 6)
        self.table.fit_height(1, 8)
        self.sent.fit_height(1, 10)
        self._audit.clicked.connect(self.auditRequested)
        self._dispute.clicked.connect(self.disputeRequested)
        self._found.actionTriggered.connect(lambda key: self.disputeRequested.emit())
        self.table.selectionChanged.connect(lambda keys: self._model.choose(str(keys[0])) if keys else None)
        for table in (self.frauds, self.table, self.sent):
            table.linkActivated.connect(self.linkActivated)

    def _show(self, state: DisputesState) -> None:
        self._header.set_text(f"Disputes on {state.round_name}" if state.round_name else "Disputes", _ABOUT)
        self._audit.setEnabled(state.anchored and not state.busy)
        self._dispute.setEnabled(state.open_to and not state.busy)
        self._note.setText(_note(state))
        self._show_audit(state)
        rows = tuple(_row(item) for item in state.disputes)
        self.table.set_state(TableState(rows, tuple(item.dispute_id for item in state.disputes), NO_DISPUTES))
        self._disputes_header.setVisible(bool(rows))
        shown = state.shown
        self._sent_header.setVisible(shown is not None)
        self.sent.setVisible(shown is not None)
        if shown is not None:
            self._sent_header.set_text(
                "Transactions", f"{KINDS.get(shown.kind, shown.kind)}: {shown.detail}" if shown.detail else ""
            )
            sent = tuple((t.purpose.capitalize(), t.state.capitalize(), t.hash, t.block) for t in shown.transactions)
            self.sent.set_state(TableState(sent))

    def _show_audit(self, state: DisputesState) -> None:
        audit = state.audit
        for part in (self._frauds_header, self.frauds):
            part.setVisible(audit is not None and not audit.clean)
        if audit is None:
            self._found.set_state(None)
            return
        counted = f"{plural(audit.replayed, 'match was', 'matches were')} played again"
        if audit.clean:
            self._found.set_state(
                BannerState(
                    "ok", "Nothing is wrong", f"{counted}; the posted root is that of the replay.", closable=False
                )
            )
            return
        text = f"{counted}, {plural(audit.compared, 'pair')} of hashes compared to find the first that differs."
        offer = Action("dispute", "Dispute it", "shield", primary=True, enabled=not state.busy)
        actions = (offer,) if state.open_to else ()
        self._found.set_state(BannerState("error", "The round is false", text, actions=actions, closable=False))
        rows = tuple(
            (
                KINDS.get(fraud.kind, fraud.kind),
                (audit.round_id, fraud.match) if fraud.match is not None else None,
                fraud.detail,
                "By the chain, at once" if fraud.proves_itself else "By verifiers that replay",
            )
            for fraud in audit.frauds
        )
        self.frauds.set_state(TableState(rows))


def _note(state: DisputesState) -> str:
    if state.busy:
        return f"{state.busy}… {state.step}"
    if not state.round_id:
        return "There is no round yet."
    if not state.anchored:
        return "This round is not anchored: only what a host posted on a chain can be disputed."
    return "An audit changes nothing. A dispute lays down a bond where verifiers have to judge."


def _row(item: Any) -> tuple[Any, ...]:
    confirm = sum(ballot.confirms for ballot in item.ballots)
    words = f"{confirm} for, {len(item.ballots) - confirm} against" if item.ballots else None
    extended = " (extended)" if item.extended else ""
    return (
        KINDS.get(item.kind, item.kind),
        (item.round_id, item.match) if item.match is not None else None,
        item.state.capitalize(),
        item.challenger,
        item.bond_wei,
        words,
        f"{moment(item.deadline)}{extended}" if item.deadline else None,
        _outcome(item),
    )


def _outcome(item: Any) -> str:
    return OUTCOMES.get(item.state) or f"The host lost {ether(item.slashed_wei)} and the round"
