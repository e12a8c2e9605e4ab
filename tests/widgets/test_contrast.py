"""Colours that can be read and told apart: WCAG contrast of every pair used for text, curves under colour blindness."""

from __future__ import annotations

from itertools import combinations

import pytest

from widgets.tokens import DARK, KINDS, LIGHT, Tokens

TEXT = 4.5  # WCAG 2.2, success criterion 1.4.3, for text of normal size
GRAPHIC = 3.0  # 1.4.11, for what is needed to understand a picture
APART = 8.0  # distance in CIELAB at which two lines on one plot are told apart; marks, dashes and words come on top
# Machado, Oliveira and Fernandes (2009), severity 1: what is left of linear RGB without one kind of cones.
BLIND = {
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
}
Linear = tuple[float, float, float]


def linear(colour: str) -> Linear:
    """``#rrggbb`` in linear light, from 0 to 1 (IEC 61966-2-1)."""
    parts = (byte / 255 for byte in bytes.fromhex(colour[1:]))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return red, green, blue


def contrast(one: str, other: str) -> float:
    """The ratio of two colours' luminances as WCAG defines it."""
    low, high = sorted(
        sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear(x), strict=True)) for x in (one, other)
    )
    return (high + 0.05) / (low + 0.05)


def lab(colour: Linear) -> Linear:
    """CIELAB under D65."""
    red, green, blue = colour
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.95047
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.08883
    fx, fy, fz = (
        c ** (1 / 3) if c > 0.008856 else 7.787 * c + 16 / 116 for c in (max(0.0, x), max(0.0, y), max(0.0, z))
    )
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def seen(colour: str, kind: str) -> Linear:
    """A colour as somebody without one kind of cones sees it, in CIELAB."""
    light = linear(colour)
    if kind == "none":
        return lab(light)
    red, green, blue = (min(1.0, max(0.0, sum(w * c for w, c in zip(row, light, strict=True)))) for row in BLIND[kind])
    return lab((red, green, blue))


def pairs(t: Tokens) -> list[tuple[str, str, str]]:
    """What is written on what: its name, its colour, and what lies beneath."""
    grounds = {"window": t.window, "surface": t.surface, "raised": t.raised, "sidebar": t.sidebar}
    found = [(f"{ink} on {name}", getattr(t, ink), ground) for name, ground in grounds.items()
             for ink in ("text", "muted")]  # fmt: skip
    found += [(f"text on {name}", t.text, getattr(t, name)) for name in ("hover", "selection", "sunken", "accent_soft")]
    found += [("faint on surface", t.faint, t.surface), ("accent on surface", t.accent, t.surface)]
    found += [(f"on_accent on {name}", t.on_accent, getattr(t, name))
              for name in ("accent", "accent_hover", "accent_pressed")]  # fmt: skip
    for kind in KINDS:
        ink, soft = t.kind(kind)
        found += [(f"{kind} on its soft", ink, soft), (f"{kind} on surface", ink, t.surface)]
    return found


@pytest.mark.parametrize("tokens", [LIGHT, DARK], ids=lambda t: t.name)
def test_every_text_can_be_read(tokens: Tokens) -> None:
    poor = {
        name: round(contrast(ink, ground), 2) for name, ink, ground in pairs(tokens) if contrast(ink, ground) < TEXT
    }
    assert poor == {}


@pytest.mark.parametrize("tokens", [LIGHT, DARK], ids=lambda t: t.name)
def test_every_curve_stands_out_from_its_ground(tokens: Tokens) -> None:
    poor = {c: round(contrast(c, tokens.surface), 2) for c in tokens.series if contrast(c, tokens.surface) < GRAPHIC}
    assert poor == {}


@pytest.mark.parametrize("kind", ["none", *BLIND])
@pytest.mark.parametrize("tokens", [LIGHT, DARK], ids=lambda t: t.name)
def test_curves_are_told_apart_without_some_cones(tokens: Tokens, kind: str) -> None:
    near = {}
    for one, other in combinations(tokens.series, 2):
        a, b = seen(one, kind), seen(other, kind)
        distance = sum((x - y) ** 2 for x, y in zip(a, b, strict=True)) ** 0.5
        if distance < APART:
            near[one, other] = round(distance, 1)
    assert near == {}
