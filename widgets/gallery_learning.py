"""Sample states of the widgets that show a learning chain: a believable run with faults, made by a formula."""

from __future__ import annotations

import hashlib

import numpy as np
from PySide6.QtWidgets import QWidget

from widgets.basics import column, row
from widgets.fork_graph import ForkGraph, ForkGraphState, ForkHead
from widgets.fork_layout import ForkLayout
from widgets.heat_map import HeatCell, HeatMap, HeatMapState
from widgets.hex_field import HexField
from widgets.score_bars import ScoreBar, ScoreBars, ScoreBarsState
from widgets.sign_legend import SignLegend
from widgets.slot_timeline import (
    FAULT,
    FINALISED,
    MISSED,
    ORPHANED,
    PROPOSED,
    STATES,
    UPDATE,
    SlotTimeline,
    SlotTimelineState,
    paint_slot,
)
from widgets.vote_matrix import VOTES, VoteMatrix, VoteMatrixState, VoteRow, paint_vote

ATTACKS = ("Scale", "Sign flip", "Label flip")
RULES = ("FedAvg", "Krum", "Multi-Krum", "Median")
SLOTS = 43
MISSES, ORPHANS = (9, 17, 31), (12, 26, 27)


def timeline(slots: int = SLOTS) -> SlotTimelineState:
    """Five epochs and a bit."""
    states = bytearray(FINALISED if at < slots * 3 // 5 else PROPOSED for at in range(slots))
    flags = bytearray(UPDATE if at % 3 == 2 else 0 for at in range(slots))
    for at in MISSES:
        states[at], flags[at] = MISSED, 0
    for at in ORPHANS:
        states[at], flags[at] = ORPHANED, FAULT
    return SlotTimelineState(bytes(states), bytes(flags), 8, 64, 26)


def forks() -> ForkGraphState:
    """A branch that was left, and a partition."""
    layout, parent = ForkLayout(), ""
    for slot in range(24):
        if slot in MISSES:
            continue
        state = "finalised" if slot < 9 else "proposed"
        layout.add(f"m{slot}", parent, slot, state)
        parent = f"m{slot}"
        if slot == 12:
            layout.add("o13", "m12", 13, "orphaned")
            layout.add("o14", "o13", 14, "orphaned")
    layout.add("p19", "m18", 19, "proposed")
    layout.add("p21", "p19", 21, "proposed")
    heads = (ForkHead("nodes 0-4", "m23"), ForkHead("nodes 5-7", "p21", 1))
    return ForkGraphState(layout, heads, "m23", "m16", "m8", 14)


def votes(validators: int, rounds: int) -> VoteMatrixState:
    """Mostly honest."""
    rng = np.random.default_rng(5)
    made = []
    for number in range(rounds, 0, -1):
        letters = rng.choice(list("a-rfs"), validators, p=(0.86, 0.06, 0.04, 0.02, 0.02))
        accepts, quorum = int((letters == "a").sum()), (validators + 1) // 2
        made.append(VoteRow(number, f"round {number}", "".join(letters), f"{accepts}/{quorum}", accepts >= quorum))
    return VoteMatrixState(tuple(made), validators, (rounds - 2, 3))


def chain() -> QWidget:
    """Timeline and fork graph."""
    holder = QWidget()
    body = column(holder, spacing=12)
    body.addWidget(SlotTimeline(timeline()))
    names = (PROPOSED, FINALISED, MISSED, ORPHANED)
    signs = [(STATES[code], lambda p, at, t, c=code: paint_slot(p, at, c, 18.0, t)) for code in names]
    body.addWidget(SignLegend(signs))
    body.addWidget(ForkGraph(forks()), 1)
    return holder


def matrices() -> QWidget:
    """A small committee and a large one."""
    holder = QWidget()
    body = column(holder, spacing=12)
    across = row(VoteMatrix(votes(16, 12)), VoteMatrix(votes(1000, 40)), spacing=16)
    across.setStretch(0, 1)
    across.setStretch(1, 1)
    body.addLayout(across, 1)
    signs = [(word, lambda p, at, t, v=vote: paint_vote(p, at, v, t)) for vote, word in VOTES.items()]
    body.addWidget(SignLegend(signs))
    return holder


def heat() -> HeatMapState:
    """FedAvg breaks at once, Krum at its bound."""
    cells, rows = {}, tuple((attack, rule) for attack in ATTACKS for rule in RULES)
    for at, (attack, rule) in enumerate(rows):
        for bad in range(8):
            bound = {"FedAvg": 1, "Krum": 6, "Multi-Krum": 5, "Median": 4}[rule]
            if rule == "Krum" and bad == 7:
                cells[at, bad] = HeatCell(None, "", "refused", f"{rule} refuses: 13 < 2 x 7 + 3")
                continue
            noise = int(hashlib.sha256(f"{attack}{rule}{bad}".encode()).hexdigest()[:4], 16) / 65536
            share = min(1.0, 0.1 + 0.12 * noise) if bad < bound else 0.7 + 0.3 * noise
            mark = "broken" if bad >= bound else ""
            cells[at, bad] = HeatCell(share, f"{4 * share - 1:+.2f}", mark)
    columns = tuple(f"{bad / 13:.0%}" for bad in range(8))
    return HeatMapState("Loss after an attack", rows, columns, cells, "byzantine", "learns", "harmed", (4, 6))


def scores() -> QWidget:
    """A round in which two of seven are outliers, and one that the rule refused."""
    bars = tuple(
        ScoreBar(f"trainer {at}", 0.4 + at / 9 if at < 5 else 2.1 + at / 7, at < 5, "" if at < 5 else "outlier")
        for at in range(7)
    )
    refused = "n = 4 < 2f + 3 = 5: Multi-Krum cannot bear f = 1 bad delta among 4."
    few = tuple(ScoreBar(f"trainer {at}", None, False, "too few") for at in range(4))
    made = row(ScoreBars(ScoreBarsState("Round 12: Multi-Krum, f = 2", bars)),
               ScoreBars(ScoreBarsState("Round 13: Multi-Krum, f = 1", few, refused)), spacing=16)  # fmt: skip
    holder, fields = QWidget(), QWidget()
    body = column(holder, spacing=12)
    body.addLayout(made, 1)
    inside = row(HexField("Genesis seed", "0123456789abcdef" * 4), HexField("Genesis seed", "0x12"), spacing=16)
    fields.setLayout(inside)
    body.addWidget(fields)
    return holder


def heat_map() -> QWidget:
    """The map of a byzantine sweep."""
    return HeatMap(heat())
