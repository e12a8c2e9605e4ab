"""Design tokens: every colour and measure of the interface, as plain values for both themes.

Status colours come from the Okabe-Ito family (bluish green, amber, vermillion, blue), which stay apart under the
common forms of colour blindness; the interface still never shows them without an icon or a word.
"""

from __future__ import annotations

from dataclasses import dataclass

KINDS = ("neutral", "ok", "warn", "error", "info", "accent")


@dataclass(frozen=True)
class Tokens:
    """The colours of one theme, as ``#rrggbb``; the measures are shared by both."""

    name: str
    window: str
    surface: str
    raised: str
    sunken: str
    hover: str
    border: str
    border_strong: str
    text: str
    muted: str
    faint: str
    accent: str
    accent_hover: str
    accent_pressed: str
    accent_soft: str
    on_accent: str
    ok: str
    ok_soft: str
    warn: str
    warn_soft: str
    error: str
    error_soft: str
    info: str
    info_soft: str
    neutral: str
    neutral_soft: str
    sidebar: str
    selection: str
    grid: str
    series: tuple[str, ...]
    radius: int = 8
    control_radius: int = 6
    control_height: int = 32
    unit: int = 8

    @property
    def is_dark(self) -> bool:
        """True for the dark theme."""
        return self.name == "dark"

    def colour(self, role: str) -> str:
        """The colour of a role (a field's name); a literal ``#rrggbb`` passes through."""
        return role if role.startswith("#") else getattr(self, role)

    def kind(self, kind: str) -> tuple[str, str]:
        """Foreground and soft background of a status kind."""
        return getattr(self, kind), getattr(self, f"{kind}_soft")


def mix(first: str, second: str, share: float) -> str:
    """A colour between two: ``share`` 0 is the first, 1 the second."""
    pairs = zip(bytes.fromhex(first[1:]), bytes.fromhex(second[1:]), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


LIGHT = Tokens(
    name="light",
    window="#f5f6f8",
    surface="#ffffff",
    raised="#ffffff",
    sunken="#eef0f4",
    hover="#eef1f6",
    border="#e0e4ea",
    border_strong="#c3cad5",
    text="#171c26",
    muted="#566072",
    faint="#6b7485",
    accent="#3b5bdb",
    accent_hover="#3350c4",
    accent_pressed="#2a43a8",
    accent_soft="#e8edfc",
    on_accent="#ffffff",
    ok="#08705a",
    ok_soft="#dff3ed",
    warn="#8a5200",
    warn_soft="#fcefd6",
    error="#b8330f",
    error_soft="#fce7e1",
    info="#0b62a0",
    info_soft="#e1f0fa",
    neutral="#566072",
    neutral_soft="#e9ecf1",
    sidebar="#eceff3",
    selection="#dfe6fb",
    grid="#e6e9ee",
    series=("#3b5bdb", "#d7622d", "#08806a", "#9c3989", "#9a6a00", "#2b8cbe", "#606b7b", "#7a4fc6"),
)

DARK = Tokens(
    name="dark",
    window="#101318",
    surface="#171b22",
    raised="#1e232c",
    sunken="#0c0f13",
    hover="#222833",
    border="#282e39",
    border_strong="#414a5a",
    text="#e7eaf0",
    muted="#a0a9b8",
    faint="#858f9f",
    accent="#86a2ff",
    accent_hover="#9bb2ff",
    accent_pressed="#728fee",
    accent_soft="#202b4a",
    on_accent="#0c1226",
    ok="#4cc9a4",
    ok_soft="#12332b",
    warn="#efb047",
    warn_soft="#3a2b10",
    error="#ff8463",
    error_soft="#431f16",
    info="#6cbcf0",
    info_soft="#132f43",
    neutral="#a0a9b8",
    neutral_soft="#252b35",
    sidebar="#0c0f13",
    selection="#263357",
    grid="#242a34",
    series=("#86a2ff", "#f0914d", "#4cc9a4", "#e090cc", "#e6c14f", "#74bde8", "#969fad", "#b3aeff"),
)
