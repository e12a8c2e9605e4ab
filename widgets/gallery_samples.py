"""Sample states for the gallery: every widget with believable content."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PySide6.QtWidgets import QWidget

from widgets.basics import Card, button, column, label, line, row, tool_button
from widgets.board import BoardState, BoardView
from widgets.board_state import LegendEntry
from widgets.cards import KeyValuePanel, KeyValueRow, KeyValueState, StatCard, StatCardState
from widgets.drop_zone import DropZone, DropZoneState
from widgets.forms import ChoiceField, EthField, Form, IntField, PortField, SeedField, TextField
from widgets.gallery_agents import areas, by_label, phases
from widgets.gallery_games import games, seats, tables
from widgets.gallery_learning import chain, heat_map, matrices, scores
from widgets.gallery_solver import bars, gaps, payoff_picture, pictures
from widgets.gallery_solver import tables as payoff_tables
from widgets.jobs import JobRow, JobsState, JobsTray
from widgets.labels import HashLabel, HashState, PillState, SectionHeader, StatusPill
from widgets.log_view import LogLine, LogView
from widgets.merkle import ProofRow, ProofState, ProofView
from widgets.merkle_tree import MerkleTreeState, MerkleTreeView
from widgets.nav import NavBar, NavItem, NavState, StatusStrip, StatusStripState, StripItem
from widgets.panels import Action, Banner, BannerState, EmptyPanel, EmptyPanelState
from widgets.plot import BarPlot, BarPlotState, LinePlot, LinePlotState, PlotMark, Series
from widgets.steps import StepList, StepRow, StepsState
from widgets.table import Column, DataTable, TableState
from widgets.transport import Mark, Transport, TransportState


@dataclass(frozen=True)
class Sample:
    """One picture: how to make the widget and how large to show it."""

    make: Callable[[], QWidget]
    width: int
    height: int


def digest(*parts: object) -> str:
    """A believable hash."""
    return "0x" + hashlib.sha256(repr(parts).encode()).hexdigest()


def _hold(*widgets: QWidget, spacing: int = 12) -> QWidget:
    holder = QWidget()
    body = column(holder, spacing=spacing)
    for widget in widgets:
        body.addWidget(widget)
    body.addStretch(1)
    return holder


def _across(*widgets: QWidget) -> QWidget:
    holder = QWidget()
    holder.setLayout(row(*widgets, spacing=12))
    return holder


def basics() -> QWidget:
    """Labels and buttons."""
    holder = QWidget()
    body = column(holder, spacing=12)
    for role in ("display", "title", "heading", "strong", "", "muted", "small", "caption", "mono", "error"):
        body.addWidget(label(f"{role or 'body'}: 1,204 matches settled at block 87", role))
    kinds = ("primary", "secondary", "ghost", "danger", "link")
    body.addLayout(row(*[button(k.capitalize(), "play" if k != "link" else "", k) for k in kinds], None))
    off = [button(k.capitalize(), "play", k) for k in kinds[:4]]
    for made in off:
        made.setEnabled(False)
    body.addLayout(row(*off, None))
    tools = ("first", "back_ten", "back", "play", "forward", "forward_ten", "last", "search", "export", "trash")
    body.addLayout(row(*[tool_button(t, t) for t in tools], None, spacing=4))
    kinds2 = ("neutral", "ok", "warn", "error", "info", "accent")
    body.addLayout(row(*[StatusPill(PillState(k, k)) for k in kinds2], None))
    body.addWidget(line())
    body.addWidget(HashLabel(HashState(digest(1), "tx:1")))
    body.addWidget(HashLabel(HashState(digest(2), head=16, tail=12)))
    return holder


def nav(collapsed: bool = False) -> QWidget:
    """The sidebar."""
    items = (
        NavItem("overview", "Overview", "overview", shortcut="Ctrl+1"),
        NavItem("devnet", "Devnet", "devnet", shortcut="Ctrl+2"),
        NavItem("leagues", "Leagues", "leagues", "3", "accent", "Ctrl+3"),
        NavItem("replay", "Replay", "replay", shortcut="Ctrl+4"),
        NavItem("logs", "Logs", "logs", "2", "error", "Ctrl+5"),
        NavItem("settings", "Settings", "settings", shortcut="Ctrl+6", section="bottom"),
    )
    return NavBar(NavState(items, "leagues", collapsed))


def strip() -> QWidget:
    """The status strip, in peace and in trouble."""
    calm = StatusStrip(StatusStripState((
        StripItem("devnet", "Devnet", "block 128", "ok", link="page:devnet"),
        StripItem("round", "Round", "autumn 3 settled", "ok", link="page:leagues"),
        StripItem("outbox", "Outbox", "empty", "neutral"),
        StripItem("jobs", "Jobs", "1 running", "accent", link="jobs"),
    )))  # fmt: skip
    bad = StatusStrip(StatusStripState((
        StripItem("devnet", "Devnet", "stopped: exit code -9", "error", link="page:devnet"),
        StripItem("round", "Round", "waits for the chain", "warn", link="page:leagues"),
        StripItem("outbox", "Outbox", "4 queued", "warn"),
    )))  # fmt: skip
    return _hold(calm, bad)


def cards() -> QWidget:
    """Stat cards and a key/value panel."""
    stats = _across(
        StatCard(StatCardState("Head block", "128", note="12 s ago, chain 31337", icon="block", link="page:devnet")),
        StatCard(StatCardState("Matches played", "1,204", note="6 agents, 3 rounds", icon="leagues")),
        StatCard(StatCardState("Staked", "12.5", "ETH", "0.05 slashed", "stakes", "warn")),
        StatCard(StatCardState("Ledger", "equal", note="to the wei, at block 128", icon="scales", kind="ok")),
    )
    card = Card()
    card.add(SectionHeader("Deployment", "Contracts of this chain"))
    card.add(KeyValuePanel(KeyValueState((
        KeyValueRow("State", "running", "pill", "ok"),
        KeyValueRow("StakeVault", digest("vault")[:42], "hash", link="address:1"),
        KeyValueRow("LeagueAnchor", digest("anchor")[:42], "hash", link="address:2"),
        KeyValueRow("Chain id", "31337", "mono"),
        KeyValueRow("Mining", "a block for every transaction"),
        KeyValueRow("Round", "autumn 3", "link", link="round:3"),
    ))))  # fmt: skip
    return _hold(SectionHeader("Overview", "One local chain, three rounds", page=True), stats, card, spacing=16)


def banners() -> QWidget:
    """All kinds of banners, and an empty panel."""
    made = (
        BannerState("error", "The devnet stopped", "Anvil ended with signal 9 at block 128.",
                    "Start it again: the last state was saved.", (Action("start", "Start again", "play", True),)),
        BannerState("warn", "A round was interrupted", "Round autumn 3 stopped after 812 of 1,000 matches.", "",
                    (Action("resume", "Resume", "play", True), Action("decline", "Not now"))),
        BannerState("info", "Development keys", "These accounts are public. Never use them on mainnet."),
        BannerState("ok", "Settled", "6 payouts, 2.5 ETH; chain and ledger agree to the wei."),
    )  # fmt: skip
    empty = EmptyPanel(EmptyPanelState(
        "agent", "No agents yet", "Drop .wasm files anywhere on this window, or start with the samples.",
        (Action("samples", "Add the samples", "plus", True), Action("browse", "Choose files…", "open")),
    ))  # fmt: skip
    return _hold(*[Banner(state) for state in made], empty)


def table() -> QWidget:
    """A standings table with every kind of cell."""
    columns = (
        Column("#", "right", "number", width=56),
        Column("Agent", width=150, kind="link", link=lambda name: f"agent:{name}"),
        Column("Module", kind="hash", width=180, link=lambda value: f"agent:{value}"),
        Column("Score", "right", "number", format=lambda v: f"{v:,}", width=100),
        Column("Share of the pot", kind="bar", maximum=1.0, format=lambda v: f"{v:.1%}"),
        Column("Status", kind="pill", pill=lambda s: {"slashed": "error", "eligible": "ok"}.get(s, "warn"), width=150),
    )
    names = ("greedy", "cautious", "wall follower", "random", "trapper", "endless loop", "liar")
    rows = tuple(
        (i + 1, name, digest(name), None if name == "trapper" else (7 - i) * 1113, max(0.0, (6 - i) / 21),
         {"liar": "slashed", "trapper": "forfeits"}.get(name, "eligible"))
        for i, name in enumerate(names)
    )  # fmt: skip
    made = DataTable(columns, name="Standings")
    made.set_state(TableState(rows, names))
    made.select(("cautious",))
    return made


def log() -> QWidget:
    """A log."""
    now = time.mktime((2026, 3, 14, 15, 9, 26, 0, 0, 0))
    texts = (
        ("INFO", "chain.anvil", "Listening on 127.0.0.1:8545"), ("DEBUG", "chain.rpc", "eth_chainId -> 31337"),
        ("INFO", "chain.deploy", "StakeVault deployed at 0x5FbDB2315678afecb367f032d93F642f64180aa3, gas 1,204,331"),
        ("WARNING", "league.gate", "endless.wasm: loops without a bound; metered"),
        ("ERROR", "league.referee", "match 17 of trapper: TRAP UNREACHABLE in step 3"),
        ("INFO", "league.settlement", "6 payouts of 2.500000000000000000 ETH"),
    )  # fmt: skip
    made = LogView()
    made.append(LogLine(now + i * 0.213, *texts[i % len(texts)]) for i in range(400))
    made.flush()
    return made


def line_plot() -> QWidget:
    """Curves with a mark."""
    x = np.arange(20_000)
    rng = np.random.default_rng(7)
    series = tuple(
        Series(name, x, np.exp(-x / (3000 + 1500 * i)) + 0.004 * rng.standard_normal(len(x)), dashed=i == 2)
        for i, name in enumerate(("fictitious play", "regret matching", "baseline"))
    )
    marks = (PlotMark(7000, "fault", "error"),)
    made = LinePlot(LinePlotState("Exploitability", "iteration", "NashConv", series, marks))
    made.ensure_built()
    return made


def bar_plot() -> QWidget:
    """Bars."""
    names = ("greedy", "cautious", "wall", "random", "trapper", "endless")
    kinds = ("accent",) * 4 + ("error", "warn")
    made = BarPlot(BarPlotState("Score by agent", names, (812, 733, 402, 96, 12, 30), y_label="apples", kinds=kinds))
    made.ensure_built()
    return made


def drops() -> QWidget:
    """The drop zone: idle, hovered, refused, busy."""
    hint = "Agents as .wasm, matches as .nets; several at once."
    idle = DropZone(DropZoneState("Drop agents here", hint))
    over = DropZone(DropZoneState("Drop agents here", hint))
    over._set_hover("accept")
    refused = DropZone(DropZoneState("Drop agents here", hint, message="Not taken: notes.txt is not a .wasm file."))
    busy = DropZone(DropZoneState("Checking 3 files", hint, busy=True))
    return _hold(_across(idle, over), _across(refused, busy))


def snake_board(dead: bool = False) -> BoardState:
    """A snake of eleven on a ten by ten board."""
    path = [(1, 7), (1, 6), (1, 5), (2, 5), (3, 5), (3, 4), (3, 3), (4, 3), (5, 3), (6, 3), (6, 4)]
    cells = [0] * 100
    codes = {(0, -1): 1, (1, 0): 2, (0, 1): 3, (-1, 0): 4}
    for (x, y), (nx, ny) in pairwise(path):
        cells[y * 10 + x] = codes[(nx - x, ny - y)]
    cells[path[-1][1] * 10 + path[-1][0]] = 5
    cells[7 * 10 + 7] = 6
    words = ("up", "right", "down", "left")
    legend = (LegendEntry(0, "empty", "empty", "."),
              *(LegendEntry(i + 1, f"body, next {w}", "body", "o", w) for i, w in enumerate(words)),
              LegendEntry(5, "head", "head", "@"), LegendEntry(6, "apple", "apple", "*"))  # fmt: skip
    fields = (("direction", "down"), ("length", "11"), ("status", "hit a wall" if dead else "running"))
    return BoardState("grid", 10, 10, tuple(cells), legend, fields, bytes(cells), "Snake", "Step 41 of 300", dead)


def boards() -> QWidget:
    """A living snake, a dead one, and bytes."""
    raw = BoardState("bytes", fields=(("pot", "12"), ("to move", "seat 1")), raw=bytes(range(97)), title="Unknown")
    holder = QWidget()
    made = row(BoardView(snake_board()), BoardView(snake_board(dead=True)), BoardView(raw), spacing=16)
    holder.setLayout(made)
    for at in range(3):
        made.setStretch(at, 1)
    return holder


def transport() -> QWidget:
    """The transport bar."""
    marks = (*(Mark(step, "info", "apple eaten") for step in range(9, 300, 13)), Mark(212, "error", "TRAP"))
    return Transport(TransportState(41, 300, True, 2.0, marks))


def proof(failing: bool = False) -> QWidget:
    """A proof that holds, or one with an edited byte."""
    parts = (("prefix", 0, 1), ("step", 1, 8), ("observation hash", 9, 32), ("action hash", 41, 32))
    leaf = bytearray(b"\0" + (41).to_bytes(8, "big") + bytes.fromhex(digest("o")[2:]) + bytes.fromhex(digest("a")[2:]))
    if failing:
        leaf[20] ^= 1
    rows = tuple(
        ProofRow(i, "left" if 41 >> i & 1 else "right", digest("s", i), digest("r", i, failing), failing)
        for i in range(7)
    )
    chain = (
        KeyValueRow("Contract", digest("anchor")[:42], "hash", link="address:2"),
        KeyValueRow("Block", "128"),
        KeyValueRow("verifyStep", "false" if failing else "true", "pill", "error" if failing else "ok"),
    )
    return ProofView(ProofState(
        41, 92, bytes(leaf), parts, digest("leaf", failing), rows, digest("r", 6, failing), digest("r", 6, False),
        "local" if failing else "chain", "fail" if failing else "pass", (20,) if failing else (), "", chain,
    ))  # fmt: skip


def tree(n: int = 1 << 16, zoomed: bool = False) -> QWidget:
    """A Merkle tree."""
    made = MerkleTreeView(MerkleTreeState(n, 20_011 % n, lambda level, i: digest(level, i), ((9, "error"),)))
    made.resize(900, 420)
    if zoomed:
        made.zoom_to(20_011 % n)
    return made


def jobs() -> QWidget:
    """The jobs tray."""
    return JobsTray(JobsState((
        JobRow(3, "Playing round autumn 3", 0.62, 14.2, note="620 of 1,000 matches"),
        JobRow(2, "Deploying contracts", None, 1.4, note="waiting for the receipt", cancellable=False),
        JobRow(1, "Checking 3 agents", 1.0, 0.8, "done", "2 admitted, 1 refused"),
        JobRow(0, "Anchoring autumn 2", 0.4, 3.1, "failed", "The devnet stopped"),
    )))  # fmt: skip


def steps() -> QWidget:
    """The guided demo in the middle."""
    return StepList(StepsState((
        StepRow("start", "Start a chain", "done", "Anvil answers on port 8545, chain 31337.", link="page:devnet"),
        StepRow("deploy", "Deploy the contracts", "done", "StakeVault and LeagueAnchor are on chain.",
                "0x5FbDB2315678afecb367f032d93F642f64180aa3", "tx:1"),
        StepRow("league", "Play a league round", "running", "412 of 1,000 matches played."),
        StepRow("settle", "Anchor and settle", "pending", "One root on chain, rewards by rank."),
        StepRow("verify", "Verify a step on chain", "pending"),
    )))  # fmt: skip


def form() -> QWidget:
    """Fields, some of them wrong."""
    fields = {
        "name": TextField("Name", "autumn"), "system": ChoiceField("System", (("snake", "Snake"), ("grid", "Grid"))),
        "matches": IntField("Matches an agent", 0, minimum=1, maximum=100_000), "seed": SeedField("Seed", 20_260_314),
        "stake": EthField("Stake", 5 * 10**16, minimum=10**17), "port": PortField(),
    }  # fmt: skip
    made = Form(fields)
    card = Card()
    card.add(made)
    return _hold(card)


SAMPLES: dict[str, Sample] = {
    "basics": Sample(basics, 720, 620), "nav": Sample(nav, 208, 460),
    "nav-collapsed": Sample(lambda: nav(collapsed=True), 60, 460), "strip": Sample(strip, 760, 88),
    "cards": Sample(cards, 920, 470), "banners": Sample(banners, 860, 640), "table": Sample(table, 980, 300),
    "log": Sample(log, 900, 340), "line-plot": Sample(line_plot, 760, 320), "bar-plot": Sample(bar_plot, 640, 300),
    "games": Sample(games, 1280, 420), "card-tables": Sample(tables, 1000, 460),
    "seats": Sample(seats, 520, 60),
    "drops": Sample(drops, 900, 460), "boards": Sample(boards, 1180, 400), "transport": Sample(transport, 860, 84),
    "proof": Sample(proof, 860, 820), "proof-failing": Sample(lambda: proof(failing=True), 860, 820),
    "tree": Sample(tree, 900, 420), "tree-zoomed": Sample(lambda: tree(zoomed=True), 900, 420),
    "tree-small": Sample(lambda: tree(11), 900, 320), "jobs": Sample(jobs, 620, 360), "steps": Sample(steps, 620, 420),
    "form": Sample(form, 720, 380), "curves": Sample(gaps, 760, 320), "solver-pictures": Sample(pictures, 1120, 360),
    "payoffs": Sample(payoff_tables, 760, 480), "profile": Sample(bars, 720, 360),
    "payoff-image": Sample(payoff_picture, 420, 360), "labels": Sample(by_label, 1080, 380),
    "phases": Sample(phases, 820, 160), "areas": Sample(areas, 760, 280),
    "chain": Sample(chain, 860, 380), "votes": Sample(matrices, 1080, 340), "heat-map": Sample(heat_map, 760, 520),
    "scores": Sample(scores, 860, 300),
}  # fmt: skip
