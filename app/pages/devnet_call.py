"""A form for the deployed contracts: read them, or write to them with the cost told first."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QPlainTextEdit, QWidget

from app.formats import count, ether
from app.links import tx_link
from app.pages.league_fields import narrow
from app.viewmodels.contract_calls import CallsState, ContractCallsViewModel
from engine.chain.calls import MAX_TEXT, Function
from widgets.basics import button, column, label, row
from widgets.cards import KeyValuePanel, KeyValueRow, KeyValueState
from widgets.fonts import mono_font
from widgets.forms import ChoiceField, EthField, TextField
from widgets.panels import Banner, BannerState

NO_CONTRACTS = "Deploy the contracts first: then each of their functions can be called here."


class CallForm(QWidget):
    """Contract, function, arguments; what it costs; the answer."""

    sendRequested = Signal()
    linkActivated = Signal(str)

    def __init__(self, model: ContractCallsViewModel) -> None:
        super().__init__()
        self._model = model
        self._shown: Function | None = None
        self.contract = narrow(ChoiceField("Contract"))
        self.function = narrow(ChoiceField("Function", help="Those that read come first and cost nothing"))
        self.arguments: list[TextField] = []
        self.value = EthField("Value", help="ETH sent along")
        self.go = button("Read", "search", "primary")
        self._none = label(NO_CONTRACTS, "muted", wrap=True)
        self._facts = KeyValuePanel()
        self._banner = Banner(None)
        self.answer = QPlainTextEdit()
        self._build()
        self.unobserve = model.observe(self._show)

    def _build(self) -> None:
        self.answer.setReadOnly(True)
        self.answer.setFont(mono_font())
        self.answer.setAccessibleName("Answer of the contract")
        self.answer.setPlaceholderText("The answer, or the events of the transaction")
        self.answer.setMinimumHeight(72)
        self.answer.setTabChangesFocus(True)
        body = column(self, spacing=12)
        body.setContentsMargins(0, 12, 0, 0)
        body.addWidget(self._none)
        choices = row(self.contract, self.function, spacing=16)
        choices.setStretch(0, 2)
        choices.setStretch(1, 3)
        body.addLayout(choices)
        self._fields = column(spacing=8)
        body.addLayout(self._fields)
        body.addWidget(self.value)
        body.addWidget(self._facts)
        body.addWidget(self._banner)
        body.addLayout(row(None, self.go))
        body.addWidget(self.answer, 1)
        self.contract.valueChanged.connect(lambda name: self._model.choose(name) if name else None)
        self.function.valueChanged.connect(lambda key: self._model.choose_function(key) if key else None)
        self.value.valueChanged.connect(lambda _: self._consider())
        self._facts.linkActivated.connect(self.linkActivated)
        self.go.clicked.connect(self._on_go)

    def _on_go(self) -> None:
        function = self._model.state.function
        if function is not None and function.reads:
            self._model.ask()
        else:
            self.sendRequested.emit()

    def _consider(self) -> None:
        payable = self._shown is not None and self._shown.payable
        self._model.consider([field.text() for field in self.arguments], self.value.value() if payable else 0)
        self._show_errors(self._model.state)  # a field forgets its error at each key, and the next may be the same one
        self._show_go(self._model.state)

    def _show(self, state: CallsState) -> None:
        there = bool(state.contracts)
        self._none.setVisible(not there)
        for part in (self.contract, self.function, self.go, self.answer):
            part.setVisible(there)
        self.contract.set_choices(tuple((c.name, c.name) for c in state.contracts))
        self.contract.set_value(state.contract)
        if state.function is not self._shown:
            self._show_function(state)
        self._show_errors(state)
        self.value.setVisible(there and state.function is not None and state.function.payable)
        self._facts.set_state(KeyValueState(tuple(_facts(state))))
        self._facts.setVisible(there)
        self._banner.set_state(_trouble(state))
        self._show_go(state)
        text = "\n".join(state.answer)
        if self.answer.toPlainText() != text:
            self.answer.setPlainText(text)

    def _show_errors(self, state: CallsState) -> None:
        """Say beneath each field what is wrong with it."""
        if state.function is self._shown and self._shown is not None:
            for argument, field in zip(self._shown.arguments, self.arguments, strict=True):
                field.set_error(state.errors.get(argument.name, "") if field.text() else "")

    def _show_function(self, state: CallsState) -> None:
        """Offer the contract's functions, and make the fields of the one chosen."""
        self._shown = state.function
        self.function.set_choices(tuple((f.key, _title(f)) for f in state.functions))
        if state.function is not None:
            self.function.set_value(state.function.key)
        for field in self.arguments:
            self._fields.removeWidget(field)
            field.hide()
            field.deleteLater()
        self.arguments = []
        for argument in state.function.arguments if state.function else ():
            required = argument.kind != "string"
            field = TextField(argument.name, help=argument.kind, required=required, max_length=MAX_TEXT)
            field.valueChanged.connect(lambda _: self._consider())
            self._fields.addWidget(field)
            self.arguments.append(field)

    def _show_go(self, state: CallsState) -> None:
        reads = state.function is None or state.function.reads
        self.go.setText(f"{state.busy}…" if state.busy else "Read" if reads else "Send…")
        told = state.preview
        sendable = told is not None and not told.refusal
        self.go.setEnabled(state.request is not None and not state.busy and (reads or sendable))


def _title(function: Function) -> str:
    return f"{function.key}  ({'reads' if function.reads else 'payable' if function.payable else 'writes'})"


def _facts(state: CallsState) -> list[KeyValueRow]:
    rows = []
    if state.preview is not None and state.preview.cost is not None:
        gas = f"{count(state.preview.gas or 0)}, about {ether(state.preview.cost, places=9)}"
        rows.append(KeyValueRow("Gas", gas))
    if state.tx:
        rows.append(KeyValueRow("Transaction", state.tx, "hash", link=tx_link(state.tx)))
    return rows


def _trouble(state: CallsState) -> BannerState | None:
    if state.failure:
        return BannerState("error", "It was not done", state.failure, "The form is as you left it.", closable=False)
    if state.preview is not None and state.preview.refusal:
        return BannerState("warn", "The contract would refuse this", f"{state.preview.refusal}.", closable=False)
    return None
