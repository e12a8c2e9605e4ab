"""Growing curves: the pyramid tells what all points would, and a redraw hands over no more than the pixels show."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from widgets.curve_buffer import CurveBuffer
from widgets.curve_plot import LEGEND, Curve, CurvePlot, CurvePlotState, Level, decade_texts, rounded_up, thinned
from widgets.plot_base import PlotMark


@pytest.mark.parametrize("seed", range(25))
def test_the_pyramid_agrees_with_all_points(seed):
    rng = np.random.default_rng(seed)
    channels = int(rng.integers(1, 4))
    made, parts = CurveBuffer(channels), []
    for size in rng.integers(0, 400, int(rng.integers(1, 25))):
        parts.append(rng.standard_normal((size, channels)).round(1))
        made.append(np.arange(made.count, made.count + size), parts[-1])
    values = np.concatenate(parts)
    assert np.array_equal(made.y, values)
    if not len(values):
        return
    for channel in range(channels):
        column = values[:, channel]
        assert made.span(channel) == (column.min(), column.max())
        positive = column[column > 0]
        assert made.least_positive(channel) == (positive.min() if len(positive) else np.inf)
        for buckets in (5, 50, 300):
            places = made.places(channel, buckets)
            assert len(places) <= max(2 * buckets, 8)
            assert (places[0], places[-1]) == (0, len(values) - 1)
            assert (np.diff(places) > 0).all()
            assert column[places].min() == column.min()
            assert column[places].max() == column.max()


@pytest.mark.parametrize("seed", range(15))
def test_every_run_of_a_range_keeps_its_extremes(seed):
    rng = np.random.default_rng(seed)
    made = CurveBuffer(1)
    values = rng.standard_normal(5000)
    made.append(np.arange(5000), values)
    start, stop = sorted(rng.integers(0, 5000, 2))
    stop = max(stop, start + 300)
    places = made.places(0, 40, start, stop)
    assert places[0] == start
    assert places[-1] == min(stop, 5000) - 1
    assert len(places) <= 80
    inside = values[start : min(stop, 5000)]
    # Whole runs only: what the ends of the range cut off their run may be missing, the middle may not.
    size = 2 ** int(np.ceil(np.log2(len(inside) / 37)))
    first, last = -(-start // size) * size, min(stop, 5000) // size * size
    for at in range(first, last, size):
        run = values[at : at + size]
        own = values[places[(places >= at) & (places < at + size)]]
        assert (own.min(), own.max()) == (run.min(), run.max())


@settings(max_examples=60, deadline=None)
@given(
    channels=st.integers(1, 4),
    steps=st.lists(st.tuples(st.booleans(), st.integers(0, 3000)), max_size=30),
    most=st.sampled_from([512, 4096, 1 << 17]),
    seed=st.integers(0, 999),
)
def test_a_pyramid_built_in_pieces_is_the_one_built_at_once(channels, steps, most, seed):
    rng = np.random.default_rng(seed)
    made, whole, at = CurveBuffer(channels, most), CurveBuffer(channels, most), 0
    for grows, size in steps:
        if grows:
            before = made.behind
            made.grow(size)
            assert made.behind == max(0, before - max(4, size // channels))
            continue
        values = rng.standard_normal((size, channels)).round(1)
        at += size
        for one in (made, whole):
            one.append(np.arange(at, at + size), values)
    for channel in range(channels):
        assert made.span(channel) == whole.span(channel)
        for buckets in (5, 300):
            assert np.array_equal(made.places(channel, buckets), whole.places(channel, buckets))
    assert made.behind == 0 or not made.count


def test_growing_does_not_touch_what_is_complete():
    made = CurveBuffer(2)
    made.append(np.arange(70_000), np.ones((70_000, 2)))
    assert made._low == []  # nobody has looked yet
    made.span()
    before = [level.copy() for level in made._low]
    looked = []
    whole = made._best
    made._best = lambda under, best, start, stop: (looked.append(stop - start), whole(under, best, start, stop))[1]
    made.append([70_000], [[3.0, -3.0]])
    assert made.span(1) == (-3.0, 1.0)
    assert 0 < sum(looked) <= 2 * 4 * len(made._low) * 2  # at most the last blocks of each level, for both extremes
    assert np.array_equal(before[0][:17_000], made._low[0][:17_000])


@pytest.mark.parametrize("channels", [1, 3])
def test_more_points_than_fit_are_thinned_to_their_extremes(channels):
    rng = np.random.default_rng(channels)
    values = rng.standard_normal((40_000, channels))
    values[12_345, 0], values[23_456, 0] = 50, -50
    made = CurveBuffer(channels, most=4096)
    for at in range(0, 40_000, 1000):
        made.append(np.arange(at, at + 1000), values[at : at + 1000])
        assert made.count <= 4096
        assert made.last() == values[at + 999, 0]
    assert made.span() == (-50, 50)
    assert made.thinned >= 8
    assert made.x[0] == 0
    assert (np.diff(made.x) > 0).all()
    assert np.array_equal(made.y, values[made.x.astype(int)])  # points are dropped, never changed
    places = made.places(0, 100)
    assert made.y[places, 0].max() == 50
    flat = CurveBuffer(1, most=64)
    flat.append(np.arange(1000), np.zeros(1000))
    assert 16 <= flat.count <= 64


@settings(max_examples=80, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 700), min_size=1, max_size=40),
    most=st.integers(8, 1500),
    channels=st.integers(1, 3),
    seed=st.integers(0, 999),
)
def test_there_are_never_more_points_than_fit(sizes, most, channels, seed):
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((sum(sizes), channels))
    made, at = CurveBuffer(channels, most=most), 0
    for size in sizes:
        made.append(np.arange(at, at + size), values[at : at + size])
        at += size
        assert made.count <= most
        assert len(made._x) < 2 * max(most, 1024)
        assert made.count >= min(at, most // 3)
        if not at:
            continue
        assert (made.x[0], made.x[-1]) == (0, at - 1)
        assert (np.diff(made.x) > 0).all()
        assert np.array_equal(made.y, values[made.x.astype(int)])
        assert made.span() == (values[:at, 0].min(), values[:at, 0].max())


def test_a_curve_that_ended_holds_its_points_alone_and_can_go_on():
    data, other = CurveBuffer(3), CurveBuffer(3)
    for start in range(0, 200_000, 5_000):
        xs = np.arange(start, start + 5_000)
        for one in (data, other):
            one.append(xs, np.column_stack([np.sin(xs), np.cos(xs), xs]))
    assert data._y.nbytes > 1.5 * data.y.nbytes
    data.fit()
    data.fit()
    assert (data._x.nbytes, data._y.nbytes) == (other.x.nbytes, other.y.nbytes)
    for one in (data, other):
        one.append([200_000, 200_001], np.ones((2, 3)))
    assert np.array_equal(data.x, other.x) and np.array_equal(data.y, other.y)
    empty = CurveBuffer(2)
    empty.fit()
    empty.append([1], [[2, 3]])
    assert empty.last(1) == 3


def test_no_points_no_picture():
    made = CurveBuffer(1)
    made.append([], [])
    assert made.span() == (0.0, 1.0)
    assert np.isnan(made.last())
    assert np.isnan(made.at(3.0))
    assert len(made.places(0, 10)) == 0
    assert made.range_of(0, 1) == (0, 0)


def test_values_are_found_by_x():
    made = CurveBuffer(1)
    made.append([1, 3, 5], [[10], [30], [50]])
    assert [made.at(x) for x in (0, 3, 3.5, 9)] == [10, 30, 50, 50]
    assert made.last() == 50
    assert made.range_of(3, 4) == (0, 3)


def test_a_path_keeps_its_corners():
    at = np.linspace(0, 8 * np.pi, 20_000)
    made = CurveBuffer(2)
    made.append(np.arange(20_000), np.stack([np.cos(at), np.sin(at)], axis=1))
    points = thinned(made, (0, 1), 100)
    assert len(points) <= 4 * 400  # four parts of two channels
    assert len(thinned(CurveBuffer(2), (0, 1), 100)) == 0
    assert points.max() == pytest.approx(1, abs=1e-6)
    assert tuple(points[-1]) == tuple(made.y[-1])


def twenty(points=100_000):
    buffer = CurveBuffer(20)
    x = np.arange(points)
    buffer.append(x, np.sin(x[:, None] / (500 + 20 * np.arange(20))))
    return buffer


@pytest.fixture
def plot(qtbot, settle):
    made = CurvePlot()
    qtbot.addWidget(made)
    made.resize(900, 320)
    made.show()
    made.ensure_built()
    settle()
    return made


def test_twenty_long_curves_cost_their_pixels(plot, settle):
    buffer = twenty()
    curves = tuple(Curve(f"action {i}", buffer, i) for i in range(20))
    plot.set_state(CurvePlotState("Strategies", "iteration", "", curves, y_range=(-1, 1)))
    settle()
    assert 0 < plot.points_drawn <= 20 * 2 * plot.buckets()
    for line in plot.lines():
        x, y = line.getData()
        assert len(x) <= 2 * plot.buckets()
        assert line.pen.widthF() == 1
        assert not line.antialias
        assert y.max() == pytest.approx(1, abs=1e-4)
    buffer.append([100_000], np.zeros((1, 20)))
    plot.refresh()
    assert plot.lines()[3].getData()[0][-1] == 100_000
    assert f"and {20 - LEGEND} more" in plot._legend.text()
    assert plot.accessibleName().endswith(f"and {20 - LEGEND} more")
    assert "action 0" in plot.accessibleDescription()


def test_furniture_stays_while_points_come(plot, settle):
    buffer = CurveBuffer(1)
    buffer.append([0, 1], [[1.0], [2.0]])
    state = CurvePlotState("Gap", curves=(Curve("a", buffer),), levels=(Level(1.5, "epsilon"),))
    plot.set_state(state)
    level = plot._levels[0]
    buffer.append([2], [[3.0]])
    plot.set_state(CurvePlotState("Gap", curves=(Curve("a", buffer),), levels=(Level(1.5, "epsilon"),)))
    assert plot._levels[0] is level
    plot.set_state(CurvePlotState("Gap", curves=(Curve("a", buffer),), levels=(Level(2.5, "epsilon"),)))
    assert plot._levels[0] is not level


def test_a_logarithmic_axis_shows_zero_on_its_lowest_line(plot, settle):
    buffer = CurveBuffer(1)
    gaps = [1.0, 1e-2, 1e-4, 0.0, 1e-3]
    buffer.append(range(5), [[gap] for gap in gaps])
    levels, marks = (Level(1e-6, "epsilon", "ok"),), (PlotMark(2, "faulty"),)
    plot.set_state(CurvePlotState("Gap", "iteration", "", (Curve("rm+", buffer),), levels, marks, y_log=True))
    settle()
    _, y = plot.lines()[0].getData()
    low, high = plot._plot.getPlotItem().vb.viewRange()[1]
    assert y[0] == 0
    assert y[2] == -4
    assert y[3] == low == plot._floor
    assert low < -6 < 0 < high
    assert plot._levels[0].value() == -6
    assert len(plot._marks) == 1
    assert plot._decades([low, -3, 0, 1, 2], 1, 1) == ["0", "1e-3", "1", "10", "1e2"]
    plot.show_cursor(3.0)
    assert "<b>0</b>" in plot._legend.text()


def test_without_zeros_the_lowest_decade_is_a_number(plot):
    buffer = CurveBuffer(1)
    buffer.append([0, 1], [[1.0], [1e-3]])
    plot.set_state(CurvePlotState("Gap", curves=(Curve("a", buffer),), y_log=True))
    assert plot._decades([-4, -3], 1, 1) == ["1e-4", "1e-3"]
    assert decade_texts([-3.0], 1, 1) == ["1e-3"]


def test_one_point_alone_can_be_seen(plot, settle):
    buffer = CurveBuffer(1)
    buffer.append([0], [[0.5]])
    plot.set_state(CurvePlotState("Gap", curves=(Curve("a", buffer),)))
    settle()
    assert len(plot.lines()[0].getData()[0]) == 2


def test_zooming_in_shows_more_of_less(plot, settle):
    buffer = twenty()
    plot.set_state(CurvePlotState("Strategies", curves=(Curve("a", buffer, 0),)))
    plot._plot.getPlotItem().vb.setXRange(1000, 1200, padding=0)
    settle()
    x, _ = plot.lines()[0].getData()
    assert x[0] >= 998
    assert x[-1] <= 1202
    assert len(x) >= 200


def test_a_hidden_plot_draws_nothing_and_catches_up(plot, settle):
    buffer = CurveBuffer(1)
    buffer.append([0, 1], [[1.0], [2.0]])
    plot.hide()
    plot.set_state(CurvePlotState("Gap", curves=(Curve("a", buffer),)))
    assert plot.points_drawn == 0
    plot.show()
    settle()
    assert plot.points_drawn == 2


def test_it_follows_the_theme(plot, settle, qapp, differing):
    from widgets.theme import apply_theme

    buffer = twenty(500)
    plot.set_state(CurvePlotState("Gap", curves=(Curve("a", buffer),), levels=(Level(0.5, "epsilon"),)))
    settle()
    light = plot.grab().toImage()
    apply_theme(qapp, "dark")
    settle()
    assert differing(light, plot.grab().toImage()) > 0.5


def test_nothing_to_draw_says_so(plot):
    plot.set_state(CurvePlotState("Gap", empty="Run a method"))
    assert plot._stack.currentIndex() == 0
    assert "Run a method" in plot.accessibleName()


def test_axes_end_at_round_numbers():
    assert [rounded_up(v) for v in (1, 7, 11, 99, 1234, 0.3)] == [1, 8, 12.5, 100, 1250, pytest.approx(0.3)]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_points_of_all_channels_at_once_keep_every_run_s_extremes(data):
    count, channels = data.draw(st.integers(1, 3000)), data.draw(st.integers(1, 4))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    values = rng.integers(-50, 50, (count, channels)).astype(float)
    buffer = CurveBuffer(channels)
    cut = data.draw(st.integers(0, count))
    buffer.append(np.arange(cut), values[:cut])
    buffer.append(np.arange(cut, count), values[cut:])
    start = data.draw(st.integers(0, count - 1))
    stop = data.draw(st.integers(start + 1, count))
    buckets = data.draw(st.integers(4, 80))
    chosen = data.draw(st.lists(st.integers(0, channels - 1), min_size=1, max_size=channels, unique=True))
    xs, ys = buffer.envelopes(chosen, buckets, start, stop)
    assert xs.shape == ys.shape
    assert xs.shape[1] <= 2 * buckets
    run = 2 ** int(np.ceil(np.log2(max(1, (stop - start) / (buckets - 3)))))
    for x, y, channel in zip(xs, ys, chosen, strict=True):
        assert (np.diff(x) >= 0).all()
        assert (x[0], x[-1]) == (start, stop - 1)
        assert (values[x.astype(int), channel] == y).all()
        for first in range(-(-start // run) * run, stop - run + 1, run):
            inside = y[(x >= first) & (x < first + run)]
            whole = values[first : first + run, channel]
            assert (inside.min(), inside.max()) == (whole.min(), whole.max())


def test_twenty_curves_are_thinned_out_once_a_frame(plot, settle, monkeypatch):
    buffer, calls = twenty(), []
    curves = tuple(Curve(f"action {i}", buffer, i) for i in range(20))
    plot.set_state(CurvePlotState("Strategies", "iteration", "", curves, y_range=(-1, 1)))
    settle()
    thin = plot._thin
    monkeypatch.setattr(plot, "_thin", lambda: calls.append(1) or thin())
    for step in range(5):
        buffer.append([100_000 + step], np.zeros((1, 20)))
        plot.refresh()
        plot._plot.getPlotItem().vb.setXRange(1000 * step, 50_000, padding=0)
    settle()
    assert len(calls) == 1


def test_a_plot_out_of_sight_is_neither_thinned_out_nor_painted(plot, settle, monkeypatch):
    buffer, calls = twenty(5000), []
    plot.set_state(CurvePlotState("Gap", curves=(Curve("a", buffer),)))
    settle()
    plot.hide()
    monkeypatch.setattr(plot, "_thin", lambda: calls.append(1))
    monkeypatch.setattr(plot._item, "paint", lambda *_: calls.append(2))
    for step in range(3):
        buffer.append([5000 + step], np.zeros((1, 20)))
        plot.refresh()
        settle()
    assert not calls
