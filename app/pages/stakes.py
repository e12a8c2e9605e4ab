"""The Stakes page: who holds what in ledger and contract, moving it by hand, and who was slashed for what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from app.formats import plural
from app.links import Place, address_link, match_link, round_link, tx_link
from app.pages.base import ConsolePage, search_field, side_by_side
from app.pages.stakes_order import OrderCard
from app.viewmodels.stakes import StakesState, StakesViewModel
from widgets.basics import Card, button, label
from widgets.forms import format_eth
from widgets.labels import SectionHeader
from widgets.panels import Action, Banner, BannerState, EmptyPanelState
from widgets.table import Column, DataTable, TableState

WIDE = 1_000_000
SET_UP = Action("setup", "Set up a round", "leagues")
NO_STAKES = EmptyPanelState("coin", "No stakes yet", "Agents stake when they enter their first round.", (SET_UP,))
NO_SLASHES = EmptyPanelState("shield", "Nobody was slashed", "False claims and dishonest hosts cost stake.")


class Amount(int):
    """An amount in wei as the contract has it, and whether the ledger's differs."""

    differs: bool = False

    @classmethod
    def of(cls, wei: int | None, ledger: int) -> Amount | None:
        """Return the contract's amount beside the ledger's; None where no contract was asked."""
        if wei is None:
            return None
        made = cls(wei)
        made.differs = wei != ledger
        return made


def amount_text(wei: int) -> str:
    """Return wei in ETH, with up to four decimals; a difference is marked."""
    exact = format_eth(int(wei))
    whole, _, rest = exact.partition(".")
    shown = f"{int(whole):,}" + (f".{rest[:4]}{'…' if len(rest) > 4 else ''}" if rest else "")
    return f"≠ {shown}" if getattr(wei, "differs", False) else shown


def _money(title: str, tooltip: str = "", width: int = 78) -> Column:
    return Column(
        title,
        align="right",
        kind="number",
        width=width,
        format=amount_text,
        tooltip=tooltip,
        tone=lambda wei: "error" if getattr(wei, "differs", False) else "",
        exact=lambda wei: f"{format_eth(int(wei))} ETH",
    )


ACCOUNTS = (
    Column(
        "Account",
        kind="link",
        format=lambda cell: cell[0],
        link=lambda cell: address_link(cell[1]),
        key=lambda cell: cell[0],
    ),
    _money("Stake", "Ledger: what counts as capital", 68),
    _money("Held", "Ledger: penalties that are taken when their round is settled", 64),
    _money("Pending", "Ledger: being unbonded"),
    _money("Credit", "Ledger: rewards and shares that can be claimed", 84),
    _money("Slashed", "Ledger: taken so far"),
    _money("Vault free", "Contract: stake that can be unbonded and withdrawn", 88),
    _money("Vault locked", "Contract: stake behind open rounds and disputes", 102),
    _money("Vault pending", "Contract: being unbonded", 110),
    _money("Vault credit", "Contract: can be claimed", 98),
    _money("Vault slashed", "Contract: taken so far", 110),
    Column("Agree", kind="pill", pill=lambda text: _AGREE.get(text, "neutral"), width=116),
)
_AGREE = {"Agrees": "ok", "Differs": "error", "On the way": "info"}
SLASHES = (
    Column("Account", width=130),
    Column(
        "Round", kind="link", width=130, format=lambda cell: cell[1], link=lambda cell: round_link(cell[0]),
        key=lambda cell: cell[1],
    ),
    Column(
        "Match", kind="link", width=74, format=lambda cell: f"#{cell[1]}", link=lambda cell: match_link(*cell),
        key=lambda cell: cell[1],
    ),
    Column("Why"),
    _money("Slashed"),
    _money("Before", "Its stake before, with what is held or being unbonded"),
    _money("After", "Its stake after"),
    Column("State", kind="pill", pill=lambda text: {"Taken": "error", "Held": "warn"}.get(text, "neutral"), width=106),
    Column("Transaction", kind="hash", link=tx_link, width=160),
)  # fmt: skip


class BalancesCard(Card):
    """The ledger's balances beside the contract's."""

    linkActivated = Signal(str)
    chosen = Signal(str)

    def __init__(self, model: StakesViewModel) -> None:
        super().__init__()
        refresh = button("Refresh", "refresh")
        self._note = label("", "muted", wrap=True)
        self._banner = Banner(None)
        self.table = DataTable(ACCOUNTS, name="Stakes")
        header = SectionHeader("Accounts", "In ETH: the ledger at the left, StakeVault at the right")
        header.add_action(search_field("Filter accounts", self.table.set_filter))
        header.add_action(refresh)
        for part in (header, self._banner, self._note):
            self.add(part)
        self.table.fit_height(1, 8)
        self.add(self.table)
        refresh.clicked.connect(model.refresh)
        self.table.linkActivated.connect(self.linkActivated)
        self.table.emptyAction.connect(lambda key: self.linkActivated.emit(Place("leagues", "tab/setup").link))
        self.table.selectionChanged.connect(lambda keys: self.chosen.emit(str(keys[0])) if keys else None)
        self.unobserve: Callable[[], None] = model.observe(self._show)

    def _show(self, state: StakesState) -> None:
        rows = tuple(_row(row, state) for row in state.rows)
        self.table.set_state(TableState(rows, tuple(row.address for row in state.rows), NO_STAKES))
        wrong = state.differences and not state.pending
        self._banner.set_state(
            BannerState(
                "error",
                f"{plural(state.differences, 'account differs', 'accounts differ')} between ledger and contract",
                f"At block {state.block}; the amounts are marked with ≠.",
                "Stop settling until it is clear why: the ledger follows the chain transaction by transaction.",
                closable=False,
            )
            if wrong
            else None
        )
        self._note.setVisible(not wrong)
        self._note.setText(_note(state))


class SlashesCard(Card):
    """Who was slashed, with the evidence, the transaction, and what was there before and after."""

    linkActivated = Signal(str)

    def __init__(self, model: StakesViewModel) -> None:
        super().__init__()
        self.table = DataTable(SLASHES, name="Slashings")
        self.add(SectionHeader("Slashed", "Each with its evidence, its transaction, and the stake before and after"))
        self.table.setMinimumHeight(180)
        self.add(self.table, 1)
        self.table.linkActivated.connect(self.linkActivated)
        self.unobserve: Callable[[], None] = model.observe(self._show)

    def _show(self, state: StakesState) -> None:
        rows = tuple(
            (
                state.name_of(item.address),
                (item.round_id, state.round_names.get(item.round_id, item.round_id[:8])),
                (item.round_id, item.match) if item.match is not None else None,
                item.why,
                item.wei,
                item.before,
                item.after,
                item.state.capitalize(),
                item.tx,
            )
            for item in state.slashes
        )
        self.table.set_state(TableState(rows, tuple(item.key for item in state.slashes), NO_SLASHES))


class StakesPage(ConsolePage):
    """Balances, an order, slashings."""

    orderRequested = Signal()

    def __init__(self, model: StakesViewModel) -> None:
        super().__init__("Stakes", "What everybody holds, in the ledger and in the contract, to the wei")
        self._model = model
        self.balances = BalancesCard(model)
        self.order = OrderCard(model)
        self.slashes = SlashesCard(model)
        # Always below each other, but measured as cards are: a plain layout squeezes those with wrapped texts.
        self.add(side_by_side(self.balances, self.order, self.slashes, stretches=(0, 0, 1), narrow=WIDE), 1)
        self.balances.chosen.connect(self.order.choose)
        self.order.orderRequested.connect(self.orderRequested)
        for card in (self.balances, self.slashes):
            card.linkActivated.connect(self.linkActivated)
        self.keep(*(card.unobserve for card in (self.balances, self.order, self.slashes)))

    def show_item(self, place: Place) -> None:
        """Show an account."""
        if place.kind == "account":
            self.balances.table.select((place.name,))
            self.order.choose(place.name)

    def find(self) -> None:
        """Put the keyboard on the accounts."""
        self.balances.table.view().setFocus()

    def save(self) -> None:
        """Save the accounts."""
        self.balances.table.csvRequested.emit()

    def tables(self) -> dict[str, QWidget]:
        """The tables whose columns persist."""
        return {"stakes.accounts": self.balances.table, "stakes.slashes": self.slashes.table}


def _row(row: Any, state: StakesState) -> tuple[Any, ...]:
    locked = row.chain_locked if row.chain_locked is not None else 0
    return (
        (row.name, row.address),
        row.stake,
        row.held,
        row.pending,
        row.credit,
        row.slashed,
        Amount.of(row.chain_free, row.stake + row.held - locked),
        Amount.of(row.chain_locked, locked),
        Amount.of(row.chain_pending, row.pending),
        Amount.of(row.chain_credit, row.credit),
        Amount.of(row.chain_slashed, row.slashed),
        _agreement(row, state),
    )


def _agreement(row: Any, state: StakesState) -> str:
    if not state.on_chain:
        return "No chain"
    if row.differs:
        return "On the way" if state.pending else "Differs"
    return "Agrees"


def _note(state: StakesState) -> str:
    if not state.on_chain:
        return "The contracts are not deployed or the devnet does not run: these are the ledger's balances alone."
    if state.pending:
        return f"{plural(state.pending, 'transaction is', 'transactions are')} on the way to the chain."
    return f"Ledger and contract agree at block {state.block}." if state.rows else ""
