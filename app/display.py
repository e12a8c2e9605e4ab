"""Whether a window can be opened here. Needs no Qt, and little else: every start of the console asks it first."""

from __future__ import annotations

import os
import sys

from engine.core.errors import DependencyError

# Libraries that Qt loads for a window under X, with the Debian packages that bring them.
WINDOW = {
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb-shape.so.0": "libxcb-shape0",
}
ADVICE = "Run 'nashboard demo' for the main job without a window, or 'nashboard --help' for the commands."


def require_window() -> None:
    """Raise DependencyError where no window can be opened: Qt itself would abort the program."""
    problem = display_problem()
    if problem:
        raise DependencyError("The console cannot be opened: there is no display", problem, ADVICE)
    try:
        import PySide6.QtWidgets  # noqa: F401
    except ImportError as error:
        raise DependencyError(
            "The console cannot be opened: Qt cannot be loaded", str(error), f"See 'nashboard doctor'. {ADVICE}"
        ) from error
    problem = window_problem()
    if problem:
        raise DependencyError("The console cannot be opened", problem, f"See 'nashboard doctor'. {ADVICE}")


def display_problem() -> str | None:
    """Return why no window can be opened here, None when one can."""
    if sys.platform != "linux" or os.environ.get("QT_QPA_PLATFORM"):
        return None
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return None
    return "neither DISPLAY nor WAYLAND_DISPLAY is set"


def window_problem() -> str:
    """Return what keeps Qt from opening a window under X here, nothing when it can or when it will not use X."""
    platform_wanted = os.environ.get("QT_QPA_PLATFORM", "")
    name = os.environ.get("DISPLAY", "")
    wayland = os.environ.get("WAYLAND_DISPLAY") and not platform_wanted
    if not sys.platform.startswith("linux") or wayland or platform_wanted not in ("", "xcb") or not name:
        return ""
    lacking = {library: package for library, package in WINDOW.items() if not loads(library)}
    if lacking:
        return f"{', '.join(lacking)} missing (Debian: apt-get install {' '.join(lacking.values())})"
    return "" if _x_answers(name) else f"no X server answers at DISPLAY={name}"


def loads(library: str) -> bool:
    """Whether the system's linker finds a library and all that it needs."""
    import ctypes

    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _x_answers(name: str) -> bool:
    """Whether an X server lets us in. Without libX11 Qt has to find out by itself."""
    import ctypes

    try:
        x11 = ctypes.CDLL("libX11.so.6")
    except OSError:
        return True
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XOpenDisplay.argtypes = [ctypes.c_char_p]
    x11.XCloseDisplay.argtypes = [ctypes.c_void_p]
    display = x11.XOpenDisplay(name.encode())
    if display is None:
        return False
    x11.XCloseDisplay(display)
    return True
