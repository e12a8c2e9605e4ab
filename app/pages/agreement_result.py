"""The result tab of the agents' half: what was computed here beside what the chain holds, and how each agent did."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from app.formats import ether
from app.links import tx_link
from app.pages.base import RUN
from app.viewmodels.agreement import AgreementViewModel
from app.viewmodels.agreement_draft import AgreementState
from app.viewmodels.agreement_runs import EQUAL, AgreementRecord
from app.viewmodels.agreement_stored import chains_of
from widgets.basics import button, column, label, row
from widgets.labels import PillState, SectionHeader, StatusPill
from widgets.panels import EmptyPanelState
from widgets.table import Column, DataTable, TableState

EMPTY = EmptyPanelState("scales", "No result yet", "Run a round: local and chain are compared.", (RUN,))
NAMED = 5  # numbers of a position that fit a cell
LABELS = (
    Column("Label"),
    Column("Agreed here", align="right", kind="number", width=130, format=lambda v: f"{v:.9f}", exact=repr),
    Column("On chain", align="right", kind="number", width=130, format=lambda v: f"{v:.9f}", exact=repr),
    Column("Difference", align="right", kind="number", width=110, format=lambda v: f"{v:.2g}", exact=repr),
    Column(
        "",
        kind="pill",
        width=116,
        tooltip="Chain and program",
        pill=lambda word: {"Equal": "ok", "Differs": "error"}.get(word, "neutral"),
    ),
)
AGENTS = (
    Column("Agent", width=112),
    Column("Position", width=190),
    Column("Confidence", align="right", kind="number", width=106, format=lambda v: f"{v:.3g}", exact=repr),
    Column("Weight", align="right", kind="number", width=72, format=lambda v: f"{v:g}"),
    Column("Verdict"),
    Column("Slashed", align="right", kind="link", width=92, format=lambda v: ether(v[0]),
           link=lambda v: tx_link(v[1]), tooltip="Leads to the transaction with the evidence", key=lambda v: v[0]),
)  # fmt: skip
CHECKS = (
    Column("Check", width=190),
    Column(
        "", kind="pill", width=104, tooltip="Whether it holds", pill=lambda word: "ok" if word == "Holds" else "error"
    ),
    Column("Found"),
)


class AgreementResult(QWidget):
    """Labels, agents, checks."""

    linkActivated = Signal(str)

    def __init__(self, model: AgreementViewModel) -> None:
        super().__init__()
        self._model = model
        self._state: AgreementState | None = None
        self.pill = StatusPill()
        self.words = label("", "", wrap=True, selectable=True)
        self.verify = button("Verify", "shield", tooltip="Compute it again from what the chain recorded")
        self.labels = DataTable(LABELS, name="Result by label")
        self.labels.fit_height(2, 8)
        self.agents = DataTable(AGENTS, name="Agents of the result")
        self.agents.fit_height(2, 8)
        self.checks = DataTable(CHECKS, name="Checks")
        self.checks.fit_height(1, 10)
        self._agents_header = SectionHeader("Agents", "Where each stands, and whether its word counts")
        self._checks_header = SectionHeader("Checks")
        header = SectionHeader("Result against chain", "Computed here in double precision, there in exact integers")
        header.add_action(self.verify)
        body = column(self, spacing=12)
        body.addWidget(header)
        line = row(self.pill, self.words, spacing=10)
        line.setStretch(1, 1)
        body.addLayout(line)
        body.addWidget(self.labels)
        body.addWidget(self._agents_header)
        body.addWidget(self.agents)
        body.addWidget(self._checks_header)
        body.addWidget(self.checks)
        body.addStretch(1)
        self.verify.clicked.connect(lambda: model.verify())
        self.agents.linkActivated.connect(self.linkActivated)

    def show_state(self, state: AgreementState) -> None:
        """Show the result."""
        self._state = state
        if not self.isVisible():
            return
        record = state.run
        done = record is not None and record.result is not None
        self.verify.setEnabled(done and not state.verifying and bool(record.on_chain if record else False))
        self.verify.setText("Verifying…" if state.verifying else "Verify")
        pill, words = comparison(record)
        self.pill.set_state(pill)
        self.pill.setVisible(bool(pill.text))
        found = record.verification if record is not None else None
        if found is not None:
            held = sum(check.ok for check in found.checks)
            words += f" Verified: {held} of {len(found.checks)} checks hold."
        self.words.setText(words)
        self.words.setVisible(bool(words))
        self.labels.set_state(TableState(label_rows(record), (), EMPTY))
        self.agents.set_state(TableState(agent_rows(record), (), None))
        for widget in (self.agents, self._agents_header):
            widget.setVisible(done)
        checks = tuple((c.name, "Holds" if c.ok else "Fails", c.text) for c in found.checks) if found else ()
        self.checks.set_state(TableState(checks))
        for widget in (self.checks, self._checks_header):
            widget.setVisible(found is not None)
        if found is not None:
            self._checks_header.set_text("Checks", "Everything holds." if found.ok else "Something differs.")

    def showEvent(self, event: object) -> None:
        """Catch up with what came while another tab was in front."""
        super().showEvent(event)  # type: ignore[arg-type]
        if self._state is not None:
            self.show_state(self._state)


def comparison(record: AgreementRecord | None) -> tuple[PillState, str]:
    """Return whether local and chain agree, as a word and as a sentence."""
    if record is None or record.result is None:
        return PillState(), ""
    chains = chains_of(record)
    if not chains:
        why = record.result.message or "This round ran off chain"
        return PillState("Off chain", "neutral"), f"{why.rstrip('.')}. There is nothing to compare."
    largest = max(float(np.abs(record.result.equilibrium - chain.equilibrium).max()) for chain in chains)
    certified = all(chain.certified for chain in chains)
    many = "The chain" if len(chains) == 1 else f"Each of the {len(chains)} chains"
    proof = f" {many} checked the certificate." if certified else " The chain has not certified it."
    if largest <= EQUAL:
        text = f"{many} holds what was computed here; the largest difference is {largest:.2g}.{proof}"
        return PillState("Equal", "ok" if certified else "warn"), text
    return PillState("Differs", "error"), f"The largest difference is {largest:.3g}.{proof}"


def label_rows(record: AgreementRecord | None) -> tuple[tuple[Any, ...], ...]:
    """Return a row a label; of several chains the one that differs most is beside it."""
    if record is None or record.result is None or not len(record.result.equilibrium):
        return ()
    local = record.result.equilibrium
    chains = chains_of(record)
    made = []
    for at, name in enumerate(record.task.labels):
        held = max((float(chain.equilibrium[at]) for chain in chains), key=lambda v: abs(v - local[at]), default=None)
        gap = abs(float(local[at]) - held) if held is not None else None
        word = None if gap is None else "Equal" if gap <= EQUAL else "Differs"
        made.append((name, float(local[at]), held, gap, word))
    return tuple(made)


def agent_rows(record: AgreementRecord | None) -> tuple[tuple[Any, ...], ...]:
    """Return a row an agent: those who count, then those who do not, and why."""
    if record is None or record.result is None:
        return ()
    result = record.result
    slashed: dict[str, int] = {}
    for chain in chains_of(record):
        slashed |= chain.slashed_wei
    step = next((s for (_, phase), s in record.steps.items() if phase == "slash" and s.txs), None)
    evidence = step.txs[0] if step is not None else ""
    made = []
    for at, name in enumerate(result.agents):
        words = record.judged[name].sentence if name in record.judged else "Its word counts."
        paid = (slashed[name], evidence) if name in slashed else None
        row_of = (numbers(result.positions[at]), float(result.confidences[at]), float(result.weights[at]))
        made.append((name, *row_of, words, paid))
    for name, judged in record.judged.items():
        if name not in result.agents:
            paid = (slashed[name], evidence) if name in slashed else None
            made.append((name, None, None, None, judged.sentence, paid))
    return tuple(made)


def numbers(vector: Any) -> str:
    """Return a position on a line."""
    more = ", …" if len(vector) > NAMED else ""
    return ", ".join(f"{float(value):.4g}" for value in vector[:NAMED]) + more
