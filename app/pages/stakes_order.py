"""Moving a stake by hand: the form, what it would do and cost, and the button that does it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Signal

from app.formats import count, duration, ether
from app.pages.league_fields import FieldGrid, narrow
from app.viewmodels.stakes import StakesState, StakesViewModel
from engine.league.withdrawals import Move, Preview
from widgets.basics import Card, button, label, row
from widgets.cards import KeyValuePanel, KeyValueRow, KeyValueState
from widgets.forms import ChoiceField, EthField
from widgets.labels import SectionHeader
from widgets.panels import Banner, BannerState

WEI = 10**18
MOVES = {
    Move.DEPOSIT: "Deposit a stake",
    Move.UNBOND: "Unbond a stake",
    Move.WITHDRAW: "Withdraw what is unbonded",
    Move.CLAIM: "Claim the credit",
}
BUTTONS = {Move.DEPOSIT: "Deposit…", Move.UNBOND: "Unbond…", Move.WITHDRAW: "Withdraw…", Move.CLAIM: "Claim…"}


class OrderCard(Card):
    """Who, what, how much; the preview beneath follows what is typed."""

    orderRequested = Signal()

    def __init__(self, model: StakesViewModel) -> None:
        super().__init__()
        self._model = model
        self._done = model.state.done
        self.account = narrow(ChoiceField("Account", help="Its key is in the development wallet"))
        self.move = narrow(ChoiceField("What", tuple(MOVES.items()), value=Move.DEPOSIT, help="In ledger and vault"))
        self.amount = EthField("Amount", WEI, help="At least 0.1 ETH has to stay staked, or nothing")
        self._fields = FieldGrid({"account": self.account, "move": self.move, "amount": self.amount}, columns=3)
        self._preview = KeyValuePanel()
        self._banner = Banner(None)
        self._state = label("", "muted", wrap=True)
        self._go = button("Deposit…", "coin", "primary")
        self._build()
        self.unobserve: Callable[[], None] = model.observe(self._show)

    def _build(self) -> None:
        self.add(SectionHeader("Move a stake", "Ledger and contract together; the cost is worked out first"))
        self._fields.changed.connect(self._consider)
        for part in (self._fields, self._preview, self._banner):
            self.add(part)
        last = row(self._state, self._go, spacing=16)
        last.setStretch(0, 1)
        self.add(last)
        self._go.clicked.connect(self.orderRequested)

    def choose(self, address: str) -> None:
        """Fill an account in."""
        self.account.set_value(address)

    def _consider(self) -> None:
        move = self.move.value()
        self._fields.show_only(("account", "move") if move.whole else ("account", "move", "amount"))
        self._go.setText(BUTTONS[move])
        self._go.setAccessibleName(MOVES[move])
        self._model.consider(move, self.account.value() or "", self.amount.value())

    def _show(self, state: StakesState) -> None:
        choices = tuple((line.address, line.name) for line in state.rows)
        before = self.account.value()
        self.account.set_choices(choices)
        if self.account.value() != before or state.done != self._done:
            self._done = state.done
            self._consider()
        preview = state.preview
        self._preview.setVisible(preview is not None)
        if preview is not None:
            self._preview.set_state(KeyValueState(tuple(_rows(preview))))
        self._banner.set_state(_banner(state))
        self._state.setText(f"{MOVES[Move(state.busy)]}: on its way…" if state.busy else "")
        self._go.setEnabled(preview is not None and not preview.refusal and not state.busy)


def _banner(state: StakesState) -> BannerState | None:
    if state.failure:
        text = f"{state.failure[:1].upper()}{state.failure[1:]}."
        return BannerState("error", "It was not done", text, "The form is as you left it.", closable=False)
    preview = state.preview
    if preview is not None and preview.refusal:
        return BannerState("warn", "This would be refused", f"{preview.refusal}.", closable=False)
    return None


def _rows(preview: Preview) -> list[KeyValueRow]:
    rows = [KeyValueRow("Amount", ether(preview.wei, places=6))]
    for title, name in (("Stake", "stake"), ("Being unbonded", "pending"), ("Credit", "credit")):
        before, after = getattr(preview.before, name), getattr(preview.after, name)
        if before != after:
            rows.append(KeyValueRow(title, f"{ether(before, places=6)} → {ether(after, places=6)}"))
    if preview.wait:
        wait = f"{duration(preview.wait)} left; the devnet's clock is moved there, past open windows and deadlines"
        rows.append(KeyValueRow("Unbonding time", wait))
    if preview.cost is not None:
        rows.append(KeyValueRow("Gas", f"{count(preview.gas or 0)}, about {ether(preview.cost, places=9)}"))
    elif preview.order.move is Move.WITHDRAW and preview.wait:
        rows.append(KeyValueRow("Gas", "Known once the time has passed"))
    return rows
