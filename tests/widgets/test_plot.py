import subprocess
import sys

import numpy as np
import pytest
from PySide6.QtCore import QPointF

from widgets.plot import BarPlot, BarPlotState, CrosshairLink, LinePlot, LinePlotState, PlotMark, Series, tick_texts


def state(n=100_000, count=2):
    x = np.arange(n)
    return LinePlotState(
        "T", "x", "y", tuple(Series(f"s{i}", x, np.sin(x / 900) + i) for i in range(count)), (PlotMark(5, "fault"),)
    )


@pytest.fixture
def plot(qtbot, settle):
    made = LinePlot(state())
    qtbot.addWidget(made)
    made.resize(600, 300)
    made.show()
    made.ensure_built()
    settle()
    return made


def test_widgets_leave_the_slow_imports_for_later():
    code = (
        "import sys, widgets.plot, widgets.merkle_tree, widgets.merkle, widgets.table, widgets.nav;"
        "from PySide6.QtWidgets import QApplication; app = QApplication([]); widgets.plot.LinePlot();"
        "sys.exit(any(name in sys.modules for name in ('pyqtgraph', 'qtawesome', 'numpy')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_builds_itself_after_it_is_shown(qtbot):
    made = LinePlot(state(100))
    qtbot.addWidget(made)
    assert made._plot is None
    made.show()
    qtbot.waitUntil(lambda: made._plot is not None)


def test_draws_decimated_curves_with_the_full_range(plot):
    _, y = plot._curves[0].getData()
    assert len(y) <= 2 * plot.width()
    assert y.max() == pytest.approx(1, abs=1e-6)
    assert y.min() == pytest.approx(-1, abs=1e-6)
    low, high = plot._plot.getPlotItem().vb.viewRange()[1]
    assert low < -1 < 2 < high


def test_curves_come_and_go(plot, settle):
    plot.set_state(state(50, 5))
    assert len(plot._curves) == 5
    plot.set_state(state(50, 1))
    assert len(plot._curves) == 1
    assert len(plot._marks) == 1
    plot.set_state(LinePlotState("T", empty="Nothing played"))
    assert plot._stack.currentIndex() == 0
    assert "Nothing played" in plot.accessibleName()


def test_curves_stay_thin_and_plain(plot):
    for curve in plot._curves:
        assert curve.opts["pen"].widthF() == 1
        assert not curve.opts["antialias"]


def test_all_nan_does_not_break_it(plot):
    x = np.arange(10.0)
    plot.set_state(LinePlotState("T", series=(Series("s", x, np.full(10, np.nan)),)))
    assert not plot.grab().isNull()


def test_names_are_text_not_markup(plot):
    plot.set_state(LinePlotState("T", series=(Series("<b>a&b", np.arange(3), np.arange(3)),)))
    assert "&lt;b&gt;a&amp;b" in plot._legend.text()


def test_the_crosshair_moves_in_all_linked_plots(qtbot, plot, settle):
    other = LinePlot(state(100_000, 1))
    qtbot.addWidget(other)
    other.show()
    other.ensure_built()
    link = CrosshairLink([plot, other])
    settle()
    box = plot._plot.getPlotItem().vb
    at = box.mapViewToScene(QPointF(50_000, 0.5))
    with qtbot.waitSignal(plot.cursorMoved) as caught:
        plot._plot.scene().sigMouseMoved.emit(at)
    assert caught.args[0] == pytest.approx(50_000)
    assert other._cross.isVisible()
    assert other._cross.value() == pytest.approx(50_000)
    assert "<b>" in other._legend.text()
    plot._plot.scene().sigMouseMoved.emit(QPointF(-5, -5))
    assert not plot._cross.isVisible()
    assert len(link._plots) == 2


def test_exports_a_picture(plot, tmp_path):
    assert plot.export_png(str(tmp_path / "plot.png"))
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_bars(qtbot, settle):
    made = BarPlot(BarPlotState("Scores", ("a", "b", "c"), (3, 1, 2), kinds=("ok", "error", "ok")))
    qtbot.addWidget(made)
    made.resize(500, 300)
    made.show()
    made.ensure_built()
    settle()

    class Click:
        def scenePos(self):
            return made._plot.getPlotItem().vb.mapViewToScene(QPointF(1.1, 0.5))

    with qtbot.waitSignal(made.barClicked) as caught:
        made._plot.scene().sigMouseClicked.emit(Click())
    assert caught.args == [1]
    assert made.accessibleName() == "Bar plot Scores: a 3, b 1, c 2"
    with pytest.raises(ValueError, match="1 labels for 2 bars"):
        made.set_state(BarPlotState("x", ("a",), (1, 2)))
    made.set_state(BarPlotState("x"))
    assert made._stack.currentIndex() == 0


@pytest.mark.parametrize(
    ("values", "spacing", "texts"),
    [([0, 3e6], 1e6, ["0", "3,000,000"]), ([0.2, 0.4], 0.2, ["0.2", "0.4"]), ([0.001], 0.0005, ["0.0010"])],
)
def test_axes_read_as_numbers(values, spacing, texts):
    assert tick_texts(values, 1.0, spacing) == texts


def test_axes_are_made_anew_for_other_labels_alone(plot, monkeypatch):
    item = plot._plot.getPlotItem()
    told = []
    monkeypatch.setattr(item, "setLabel", lambda side, text, **style: told.append((side, text)))
    plot.set_state(state(50))
    assert told == []
    plot.set_state(LinePlotState("T", "matches", "y", state(50).series))
    assert told == [("bottom", "matches"), ("left", "y")]
    pens = [curve.opts["pen"].style() for curve in plot._curves]
    dashed = tuple(Series(one.name, one.x, one.y, dashed=True) for one in state(50).series)
    plot.set_state(LinePlotState("T", "matches", "y", dashed))
    assert [curve.opts["pen"].style() for curve in plot._curves] != pens
