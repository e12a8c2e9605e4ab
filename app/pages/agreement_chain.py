"""The chain tab of the agents' half: every phase with its transactions, blocks and gas."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QStackedWidget, QWidget

from app.formats import count, plural
from app.links import address_link, block_link, tx_link
from app.pages.base import side_by_side
from app.viewmodels.agreement import AgreementViewModel
from app.viewmodels.agreement_draft import AgreementState
from app.viewmodels.agreement_runs import PHASE_TITLES, AgreementRecord, steps_of
from app.viewmodels.agreement_stored import chains_of
from widgets.basics import column, label, row
from widgets.cards import KeyValuePanel, KeyValueRow, KeyValueState
from widgets.choice import Choice
from widgets.labels import SectionHeader
from widgets.panels import Action, EmptyPanel, EmptyPanelState
from widgets.steps import StepList, StepRow, StepsState
from widgets.table import Column, DataTable, TableState

WORDS = {
    "stake": "Agents without a stake get one: it is what equivocation costs.",
    "register": "Agents enter the contract's list.",
    "create": "The task's hash, its window and its quorum go on chain.",
    "submit": "Signed positions, in batches by a relayer or each by its agent.",
    "prove": "The contract checks an epsilon-Nash certificate itself.",
    "finalize": "The result stands, for everybody to read.",
    "reputation": "Who counted gains, who was left out loses.",
    "slash": "Two signatures of one agent for one round convict it.",
}
NO_TX = EmptyPanelState("block", "No transactions yet", "They are listed as they are mined.")
COLUMNS = (
    Column("Phase", width=104),
    Column("Transaction", kind="hash", link=tx_link),
    Column("Block", align="right", kind="link", link=block_link, format=count, width=80),
)


class ChainTab(QWidget):
    """Steps at the left, facts and transactions at the right."""

    linkActivated = Signal(str)

    def __init__(self, model: AgreementViewModel) -> None:
        super().__init__()
        self._model = model
        self._state: AgreementState | None = None
        self._chosen: int | None = None
        self.chain = Choice()
        self.chain.setAccessibleName("Chain")
        self.chain.setMinimumWidth(180)
        self._which = QWidget()
        self._which.setLayout(row(label("Chain", "muted"), self.chain, None))
        self.steps = StepList()
        self.facts = KeyValuePanel()
        self.table = DataTable(COLUMNS, name="Transactions of the round")
        self.plain = DataTable([replace(c, link=None) for c in COLUMNS], name="Transactions of the chain")
        self._table = QStackedWidget()
        for table in (self.table, self.plain):
            self._table.addWidget(table)
        self._table.setMinimumHeight(180)
        self.empty = EmptyPanel()
        self._stack = QStackedWidget()
        left, right, full = QWidget(), QWidget(), QWidget()
        first = column(left, spacing=8)
        first.addWidget(self.steps)
        first.addStretch(1)
        second = column(right, spacing=12)
        second.addWidget(self.facts)
        second.addWidget(SectionHeader("Transactions"))
        second.addWidget(self._table, 1)
        left.setMinimumWidth(220)
        right.setMinimumWidth(240)
        whole = column(full, spacing=8)
        whole.addWidget(self._which)
        whole.addWidget(side_by_side(left, right, stretches=(1, 1), narrow=520), 1)
        for widget in (full, self.empty):
            self._stack.addWidget(widget)
        body = column(self, spacing=12)
        body.addWidget(self._stack)
        self.chain.activated.connect(self._choose)
        self.empty.actionTriggered.connect(self._on_empty)
        for widget in (self.steps, self.facts, self.table):
            widget.linkActivated.connect(self.linkActivated)

    def _choose(self, index: int) -> None:
        self._chosen = self.chain.itemData(index)
        if self._state is not None:
            self.show_state(self._state)

    def _on_empty(self, key: str) -> None:
        if key == "node":
            self._model.start_node()
        elif key == "hybrid":
            self._model.fill(hybrid_mode=True)
        else:
            self._model.run()

    def show_state(self, state: AgreementState) -> None:
        """Show the phases."""
        self._state = state
        if not self.isVisible():
            return
        record = state.run
        nothing = empty_of(state)
        self._stack.setCurrentIndex(0 if nothing is None else 1)
        if nothing is not None or record is None:
            self.empty.set_state(nothing or NO_TX)
            return
        chains = record.chains
        self._which.setVisible(len(chains) > 1)
        if [self.chain.itemData(at) for at in range(self.chain.count())] != list(chains):
            self.chain.clear()
            for at, number in enumerate(chains):
                name = record.task.chains[at] if at < len(record.task.chains) else ""
                self.chain.addItem(f"{name} ({number})" if name else str(number), number)
        chain = self._chosen if self._chosen in chains else (chains[0] if chains else None)
        if chain is not None:
            self.chain.setCurrentIndex(chains.index(chain))
        linked = not record.task.chains  # the Devnet page shows one chain; those of a cross-chain task are others
        self.steps.set_state(StepsState(tuple(_steps(record, chain, linked))))
        self.facts.set_state(KeyValueState(tuple(_facts(record, chain, linked))))
        rows = tuple(_transactions(record, chain))
        self._table.setCurrentIndex(0 if linked else 1)
        for table in (self.table, self.plain):
            table.set_state(TableState(rows, tuple((r[0], r[1]) for r in rows), NO_TX))

    def showEvent(self, event: object) -> None:
        """Catch up with what came while another tab was in front."""
        super().showEvent(event)  # type: ignore[arg-type]
        if self._state is not None:
            self.show_state(self._state)


def empty_of(state: AgreementState) -> EmptyPanelState | None:
    """Return what to say where there is no chain's part, None where there is one."""
    record = state.run
    if record is not None and record.on_chain:
        return None
    if record is not None or not state.hybrid:
        actions = (Action("hybrid", "Use the chain", "anchor", primary=True),) if not state.hybrid else ()
        text = "This round runs off chain: nothing is staked, submitted or certified."
        return EmptyPanelState("plug", "Off chain", text, actions)
    if state.needs_node:
        text = "The chain's part needs a node. Run starts one too."
        return EmptyPanelState("devnet", "No devnet runs", text, (Action("node", "Start devnet", "play", True),))
    text = "Its phases, transactions and gas stand here, from the stake to the slash."
    run = Action("run", "Run", "play", primary=True, enabled=state.ready)
    return EmptyPanelState("anchor", "No round yet", text, (run,))


def _steps(record: AgreementRecord, chain: int | None, linked: bool) -> Any:
    for name, step in steps_of(record, chain):
        title = PHASE_TITLES[name]
        if step is None:
            yield StepRow(name, title, "skipped" if record.ended else "pending", WORDS[name])
            continue
        parts = [f"{count(step.gas)} gas"] if step.gas else []
        parts += [f"block {count(step.block)}"] if step.block is not None else []
        link = tx_link(step.txs[-1]) if step.txs and linked else ""
        text = " · ".join([step.text.rstrip("."), *parts] if step.text else parts) or WORDS[name]
        yield StepRow(name, title, step.state, text, "", link, plural(len(step.txs), "transaction"))


def _transactions(record: AgreementRecord, chain: int | None) -> Any:
    for name, step in steps_of(record, chain):
        for transaction in step.txs if step is not None else ():
            yield PHASE_TITLES[name], transaction, step.block


def _facts(record: AgreementRecord, chain: int | None, linked: bool) -> Any:
    yield KeyValueRow("Chain", str(chain) if chain is not None else "not reached yet", "mono")
    held = next((item for item in chains_of(record) if item.chain_id == chain), None)
    if held is not None:
        yield KeyValueRow("Contract", held.contract, "hash", link=address_link(held.contract) if linked else "")
        yield KeyValueRow("Finalised by", held.tx, "hash", link=tx_link(held.tx) if linked else "")
        yield KeyValueRow("In block", count(held.block), "link" if linked else "text", link=block_link(held.block))
        word, kind = ("Certified", "ok") if held.certified else ("Not certified", "error")
        yield KeyValueRow("Certificate", word, "pill", kind, tooltip="The contract checked it when it was proven")
    yield KeyValueRow("Task hash", record.task_hash, "hash")
    gas = held.gas_used if held is not None else sum(s.gas for (at, _), s in record.steps.items() if at == chain)
    yield KeyValueRow("Gas", count(gas), "mono")
