"""Triangle, field of directions, plane, bars: what they show is also said, and both themes draw it."""

import numpy as np
import pytest
from PySide6.QtCore import QPointF, QRectF

from widgets.arrow_field import ArrowField, ArrowFieldState
from widgets.payoff_image import PayoffImage, PayoffImageState, reduced
from widgets.position_plot import PositionPlot, PositionsState
from widgets.profile_bars import MOST, PlayerBars, ProfileBars, ProfileBarsState
from widgets.real_field import RealField, plain
from widgets.simplex_view import SimplexPath, SimplexState, SimplexView, place_of, triangle
from widgets.theme import apply_theme
from widgets.tokens import LIGHT


@pytest.fixture
def show(qtbot, settle):
    def shown(widget, width=360, height=320):
        qtbot.addWidget(widget)
        widget.resize(width, height)
        widget.show()
        settle()
        return widget

    return shown


def near(image, x, y, colour, reach=4):
    """Whether a pixel of a colour lies near a place."""
    from PySide6.QtGui import QColor

    wanted = QColor(colour).rgb()
    return any(
        image.pixel(int(x) + i, int(y) + j) == wanted
        for i in range(-reach, reach + 1)
        for j in range(-reach, reach + 1)
        if 0 <= int(x) + i < image.width() and 0 <= int(y) + j < image.height()
    )


def test_corners_of_the_triangle_are_the_pure_strategies():
    corners = triangle(QRectF(0, 0, 300, 300), 20)
    assert place_of(corners, (1, 0, 0)) == corners[0]
    assert place_of(corners, (0, 0, 1)) == corners[2]
    middle = place_of(corners, (1 / 3, 1 / 3, 1 / 3))
    assert middle.x() == pytest.approx((corners[0].x() + corners[1].x()) / 2)
    side = corners[1].x() - corners[0].x()
    away = corners[2] - corners[0]
    assert (away.x() ** 2 + away.y() ** 2) ** 0.5 == pytest.approx(side)


def test_the_triangle_marks_equilibria_and_where_play_is(show):
    path = SimplexPath("Player 1", np.array([[1, 0, 0], [0.2, 0.2, 0.6]]))
    state = SimplexState("", ("rock", "paper", "scissors"), (path,), ((0.5, 0.5, 0.0),))
    view = show(SimplexView(state))
    image = view.grab().toImage()
    corners = triangle(QRectF(view.rect()), view_text(view))
    at = place_of(corners, (0.5, 0.5, 0.0))
    now = place_of(corners, (0.2, 0.2, 0.6))
    assert near(image, at.x(), at.y(), LIGHT.ok)
    assert near(image, now.x(), now.y(), LIGHT.series[0])
    words = view.accessibleDescription()
    assert "scissors 0.600" in words
    assert "1 equilibria marked" in words


def view_text(view):
    from PySide6.QtGui import QFontMetrics

    from widgets.fonts import scaled

    return QFontMetrics(scaled(view.font(), -1)).height() + 6.0


def test_an_empty_way_is_no_fault(show):
    state = SimplexState("P", paths=(SimplexPath("P", np.empty((0, 3))),))
    assert not show(SimplexView(state)).grab().isNull()


def test_the_field_tells_its_equilibria(show, differing):
    arrows = np.full((5, 5, 2), 0.5)
    arrows[2, 2] = 0
    bare = show(ArrowField(ArrowFieldState("F", "x", "y", arrows)))
    before = bare.grab().toImage()
    bare.set_state(
        ArrowFieldState("F", "x", "y", arrows, (((0, 0), (1, 1)), ()), ((0.6, 0.4),), np.array([[0.1, 0.9]]))
    )
    assert differing(before, bare.grab().toImage()) > 0.001
    assert bare.accessibleDescription() == "now at 0.100, 0.900; equilibrium at 0.600, 0.400"


@pytest.mark.parametrize("size", [(150, 130), (900, 200), (200, 900)])
def test_pictures_take_any_shape(show, size):
    for widget in (ArrowField(ArrowFieldState("F", "x", "y", np.ones((3, 3, 2)) * 0.3)), SimplexView(), PositionPlot()):
        assert not show(widget, *size).grab().isNull()


def test_the_plane_holds_everybody_at_one_scale(show):
    ideals = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 1.0]])
    now = np.array([[1.0, 0.3], [2.0, 0.3], [1e3, 0.2]])
    view = show(PositionPlot(PositionsState("P", ("a", "b", "c"), ideals, now, (), None, (2,))))
    assert "c is faulty" in view.accessibleDescription()
    assert "b at 2, 0.3" in view.accessibleDescription()
    from widgets.position_plot import _at, _bounds

    inner = QRectF(0, 0, 300, 200)
    bounds = _bounds(view._state, inner)
    assert all(bounds.contains(QPointF(*point)) for point in (*ideals, *now))
    assert bounds.width() / bounds.height() == pytest.approx(inner.width() / inner.height())
    assert _at(inner, bounds, (bounds.left(), bounds.top())) == QPointF(0, 200)


def test_agents_in_one_place_can_be_drawn(show):
    same = np.zeros((3, 2))
    assert not show(PositionPlot(PositionsState("P", ("a", "b", "c"), same, same))).grab().isNull()


def test_many_actions_are_summed_up(show):
    shares = np.zeros(1000)
    shares[[5, 70, 900]] = 0.5, 0.3, 0.2
    bars = show(ProfileBars(ProfileBarsState((PlayerBars("P", shares),))), 300)
    assert [row.name for row in bars._rows[0][:3]] == ["6", "71", "901"]
    assert len(bars._rows[0]) == MOST
    assert bars._rows[0][-1].name == f"{1000 - MOST + 1} others"
    assert bars._rows[0][-1].share == pytest.approx(0)
    assert bars.accessibleDescription() == "P: 6 0.500, 71 0.300, 901 0.200"


def test_bars_stand_beside_each_other_where_there_is_room(show):
    players = tuple(PlayerBars(f"P{i}", np.array([0.5, 0.5])) for i in range(3))
    bars = show(ProfileBars(ProfileBarsState(players)), 900)
    low = bars.height()
    bars.resize(210, bars.height())
    assert bars.height() == 3 * low


def test_large_payoffs_are_means_of_blocks(show):
    values = np.arange(600.0 * 500).reshape(600, 500)
    small = reduced(values, 100)
    assert small.shape == (100, 100)
    assert small[0, 0] == values[:6, :5].mean()
    assert small[-1, -1] == values[-6:, -5:].mean()
    assert reduced(values, 1000) is values
    uneven = reduced(np.ones((257, 3)))
    assert uneven.shape == (256, 3)
    assert np.allclose(uneven, 1)
    image = show(PayoffImage(PayoffImageState("P", small, "a", "b")))
    assert image.accessibleDescription() == f"from {small.min():.4g} to {small.max():.4g}"
    flat = show(PayoffImage(PayoffImageState("P", np.zeros((2, 3)), "a", "b")))
    assert not flat.grab().isNull()


def test_all_of_them_follow_the_theme(show, settle, qapp, differing):
    from widgets.gallery_solver import bars, payoff_picture, pictures, tables

    for make in (pictures, tables, bars, payoff_picture):
        widget = show(make(), 900, 400)
        light = widget.grab().toImage()
        apply_theme(qapp, "dark")
        settle()
        assert differing(light, widget.grab().toImage()) > 0.05
        apply_theme(qapp, "light")
        settle()


@pytest.mark.parametrize(
    ("text", "why"),
    [("", "Required."), ("x", "'x' is not a number."), ("0", "Must be above 0."), ("2", "Must be at most 1."),
     ("nan", "Must be finite."), ("inf", "Must be finite."), ("-1e-9", "Must be above 0.")],
)  # fmt: skip
def test_a_real_number_is_checked(qtbot, text, why):
    field = RealField("Epsilon", 1e-6, above=0.0, maximum=1.0)
    qtbot.addWidget(field)
    field.edit.setText(text)
    assert field.error() == why
    assert field.value() is None


def test_a_real_number_reads_as_it_is_written(qtbot):
    field = RealField("Epsilon", 1e-6, above=0.0, maximum=1.0)
    qtbot.addWidget(field)
    assert field.text() == "1e-6"
    field.edit.setText("1E-3")
    field.set_value(0.001)
    assert (field.text(), field.value()) == ("1E-3", 0.001)
    field.set_value(0.1 + 0.2)
    assert field.value() == 0.1 + 0.2
    assert [plain(v) for v in (3.0, 1e-6, 0.25)] == ["3", "1e-6", "0.25"]
    low = RealField("Share", 0.0, minimum=0.0, maximum=1.0)
    qtbot.addWidget(low)
    assert low.valid
    low.edit.setText("-0.1")
    assert low.error() == "Must be at least 0."


def test_a_real_number_may_be_left_out(qtbot):
    field = RealField("Rate", None, minimum=0.0, maximum=1.0, optional=True)
    qtbot.addWidget(field)
    assert field.valid
    assert field.value() is None
    field.set_value(0.5)
    assert field.value() == 0.5
    field.set_value(None)
    assert (field.text(), field.valid) == ("", True)
