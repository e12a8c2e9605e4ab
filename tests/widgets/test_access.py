"""What screen readers hear: roles and values of painted widgets, and news as Qt hands them on; keys of pictures."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from PySide6.QtTest import QTest

from widgets.labels import PillState, StatusPill
from widgets.merkle import VerdictBadge
from widgets.merkle_tree import MerkleTreeState, MerkleTreeView
from widgets.panels import Banner, BannerState
from widgets.plot import BarPlot, BarPlotState, LinePlot, LinePlotState, Series


def test_news_reach_a_screen_reader(qtbot, heard):
    banner, badge = Banner(None), VerdictBadge()
    for widget in (banner, badge):
        qtbot.addWidget(widget)
    banner.set_state(BannerState("error", "The devnet is down", "It was killed.", "Start it again."))
    banner.set_state(BannerState("error", "The devnet is down", "It was killed.", "Start it again."))
    badge.set_verdict("fail")
    badge.set_verdict("fail")
    assert heard == ["error: The devnet is down. It was killed. Start it again.", "Verdict: FAIL"]


def test_painted_widgets_have_roles(qtbot):
    pill, tree = StatusPill(PillState("Running", "ok")), MerkleTreeView(MerkleTreeState(8, selected=3))
    for widget, role, name in (
        (pill, "StaticText", "Running"),
        (tree, "Graphic", "Merkle tree of 8 leaves, leaf 3 chosen"),
    ):
        qtbot.addWidget(widget)
        face = QAccessible.queryAccessibleInterface(widget)
        assert (face.role(), face.text(QAccessible.Text.Name)) == (QAccessible.Role[role], name)
    assert QAccessible.queryAccessibleInterface(tree).text(QAccessible.Text.Value) == "leaf 3"


def test_arrows_read_a_plot(qtbot, heard):
    plot = LinePlot(LinePlotState("T", series=(Series("loss", np.arange(11.0), np.arange(11.0) * 2),)))
    qtbot.addWidget(plot)
    plot.show()
    plot.ensure_built()
    seen = []
    plot.cursorMoved.connect(seen.append)
    for key in (Qt.Key.Key_Home, Qt.Key.Key_Right, Qt.Key.Key_End):
        QTest.keyClick(plot, key)
    assert seen[0] < seen[1] < seen[2]
    assert heard[-1] == plot.spoken_value() and "20" in heard[-1]
    assert "loss from 0 to 20" in plot.accessibleDescription()


def test_a_bar_is_chosen_and_followed_by_keys(qtbot):
    plot = BarPlot(BarPlotState("Gas", ("7", "8", "9"), (10.0, 30.0, 20.0), "Block", "Gas"))
    qtbot.addWidget(plot)
    plot.show()
    plot.ensure_built()
    followed = []
    plot.barClicked.connect(followed.append)
    for key in (Qt.Key.Key_End, Qt.Key.Key_Left, Qt.Key.Key_Return):
        QTest.keyClick(plot, key)
    assert followed == [1]
    assert plot.spoken_value() == "Block 8: 30"
