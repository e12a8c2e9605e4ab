import numpy as np
import pytest
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QGuiApplication
from PySide6.QtWidgets import QLabel

from widgets.basics import IconLabel
from widgets.gallery import frame
from widgets.gallery_samples import SAMPLES
from widgets.icons import NAMES, app_icon, glyph_path, icon
from widgets.plot import LinePlot, LinePlotState, Series
from widgets.theme import apply_theme, current_tokens, follow
from widgets.tokens import DARK, KINDS, LIGHT, mix


def luminance(colour: str) -> float:
    def linear(value: float) -> float:
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    red, green, blue, _ = QColor(colour).getRgbF()
    return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)


def contrast(first: str, second: str) -> float:
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("tokens", [LIGHT, DARK], ids=lambda t: t.name)
def test_text_is_readable_on_every_ground(tokens):
    grounds = (tokens.window, tokens.surface, tokens.raised, tokens.sidebar, tokens.hover, tokens.selection)
    for ground in grounds:
        assert contrast(tokens.text, ground) >= 7, ground
        assert contrast(tokens.muted, ground) >= 4.5, ground
    assert contrast(tokens.faint, tokens.surface) >= 4.5
    assert contrast(tokens.accent, tokens.surface) >= 4.5
    assert contrast(tokens.on_accent, tokens.accent) >= 4.5
    assert contrast(tokens.on_accent, tokens.accent_hover) >= 4.5


@pytest.mark.parametrize("tokens", [LIGHT, DARK], ids=lambda t: t.name)
@pytest.mark.parametrize("kind", KINDS)
def test_status_colours_are_readable(tokens, kind):
    colour, soft = tokens.kind(kind)
    assert contrast(colour, soft) >= 4.5
    assert contrast(colour, tokens.surface) >= 4.5
    assert contrast(tokens.text, soft) >= 4.5


@pytest.mark.parametrize("tokens", [LIGHT, DARK], ids=lambda t: t.name)
def test_curves_stand_out(tokens):
    for colour in tokens.series:
        assert contrast(colour, tokens.surface) >= 3


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_a_live_switch_repaints_every_widget(qtbot, qapp, settle, differing, name):
    window = frame(SAMPLES[name])
    qtbot.addWidget(window)
    window.show()
    settle()
    light = window.grab().toImage()
    apply_theme(qapp, "dark")
    settle()
    dark = window.grab().toImage()
    assert differing(light, dark) > 0.9
    apply_theme(qapp, "light")
    settle()
    again = window.grab().toImage()
    assert differing(light, again) < 0.02  # a blinking cursor, a progress bar in motion


def test_the_signal_carries_the_tokens(qtbot, qapp):
    theme = apply_theme(qapp, "light")
    with qtbot.waitSignal(theme.changed) as caught:
        apply_theme(qapp, "dark")
    assert caught.args == [DARK]
    assert current_tokens() is DARK
    assert theme.name == "dark"


def test_unknown_theme_is_refused(qapp):
    with pytest.raises(ValueError, match="unknown theme 'pink'"):
        apply_theme(qapp, "pink")


def test_system_resolves_to_one_of_the_two(qapp):
    assert apply_theme(qapp, "system").tokens in (LIGHT, DARK)


def test_system_follows_the_desktop_while_it_runs(qapp, qtbot):
    plot = LinePlot(LinePlotState("T", series=(Series("a", np.arange(9.0), np.arange(9.0)),)))
    qtbot.addWidget(plot)
    plot.show()
    view = plot.ensure_built()
    hints = QGuiApplication.styleHints()

    def shown():
        axis = view.getPlotItem().getAxis("left").textPen().color().name()
        curve = plot._curves[0].opts["pen"].color().name()
        return current_tokens().name, qapp.palette().window().color().name(), axis, curve

    def wanted(t):
        return t.name, t.window, t.muted, t.series[0]

    theme = apply_theme(qapp, "system")
    for scheme, tokens in ((Qt.ColorScheme.Dark, DARK), (Qt.ColorScheme.Light, LIGHT), (Qt.ColorScheme.Dark, DARK)):
        hints.colorSchemeChanged.emit(scheme)  # what Qt says when the desktop changes
        assert shown() == wanted(tokens)
    theme.apply("light")
    hints.colorSchemeChanged.emit(Qt.ColorScheme.Dark)  # a theme that was chosen stays
    assert shown() == wanted(LIGHT)


def test_a_dead_follower_is_forgotten(qapp, settle):
    heard = []

    class Follower(QLabel):
        def on_theme(self, tokens):
            heard.append(tokens.name)

    label = Follower()
    follow(label)
    label.deleteLater()
    settle()
    heard.clear()
    apply_theme(qapp, "dark")
    assert heard == []


def test_every_icon_has_a_glyph(qapp):
    fallback = glyph_path("no such glyph")
    missing = [name for name in NAMES if glyph_path(name) == fallback]
    assert missing == []


def test_icons_take_the_theme_and_the_scale(qapp):
    one = icon("play", "accent").pixmap(QSize(16, 16), 2.0)
    assert (one.width(), one.devicePixelRatio()) == (32, 2.0)
    apply_theme(qapp, "dark")
    other = icon("play", "accent").pixmap(QSize(16, 16), 2.0)
    assert one.toImage() != other.toImage()
    disabled = icon("play").pixmap(QSize(16, 16), 1.0, icon("play").Mode.Disabled)
    assert disabled.toImage() != icon("play").pixmap(QSize(16, 16)).toImage()


def test_icon_label_changes(qtbot):
    label = IconLabel("play")
    qtbot.addWidget(label)
    before = label.pixmap().toImage()
    label.set_icon("pause")
    assert label.pixmap().toImage() != before


def test_the_program_has_an_icon(qapp):
    assert not app_icon().pixmap(QSize(64, 64)).isNull()


def test_mix_meets_in_the_middle():
    assert mix("#000000", "#ffffff", 0.5) == "#808080"
    assert mix("#102030", "#ffffff", 0) == "#102030"
