"""A virtual X server with a window manager, and the console as a process on it."""

from __future__ import annotations

import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from PIL import Image, ImageChops

NEEDED = ("Xvfb", "openbox", "xdotool")


def differs(one: Image.Image, other: Image.Image) -> float:
    """Share of pixels that differ."""
    grey = ImageChops.difference(one, other).convert("L").point(lambda value: 255 if value > 8 else 0)
    return grey.histogram()[255] / (grey.width * grey.height)


@dataclass(frozen=True)
class Screen:
    """The X server's display name and the file that its picture lies in."""

    display: str
    picture: Path

    def shot(self) -> Image.Image:
        """What the screen shows (an XWD file in memory, see X11/XWDFile.h)."""
        data = self.picture.read_bytes()
        header = struct.unpack(">25I", data[:100])
        start = header[0] + 12 * header[19]
        return Image.frombuffer("RGB", (header[4], header[5]), data[start:], "raw", "BGRX", header[12], 1)

    def xdotool(self, *words: object) -> str:
        environment = {**os.environ, "DISPLAY": self.display}
        done = subprocess.run(["xdotool", *map(str, words)], env=environment, capture_output=True, text=True)
        return done.stdout.strip()


def wait_until(condition: Callable[[], object], seconds: float = 60) -> object:
    """Wait until ``condition`` gives something; fail after ``seconds``."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            pytest.fail(f"not within {seconds} s: {condition}")
        time.sleep(0.05)
    return value


@pytest.fixture(name="differs")
def _differs() -> Callable[..., float]:
    return differs


@pytest.fixture(name="until")
def _until() -> Callable[..., object]:
    return wait_until


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Screen]:
    folder = tmp_path_factory.mktemp("screen")
    read, write = os.pipe()
    # Without -noreset it begins anew when its last client goes: a question asked while the window manager is on its way
    # would leave the screen without one.
    arguments = ["-noreset", "-screen", "0", "1440x900x24", "-nolisten", "tcp", "-fbdir", str(folder)]
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), *arguments], pass_fds=[write], stderr=subprocess.DEVNULL
    )
    os.close(write)
    with os.fdopen(read) as pipe:
        display = f":{pipe.readline().strip()}"
    manager = subprocess.Popen(["openbox"], env={**os.environ, "DISPLAY": display}, stderr=subprocess.DEVNULL)
    seen = Screen(display, folder / "Xvfb_screen0")
    try:
        wait_until(lambda: int(seen.xdotool("get_num_desktops") or 0))  # which a window manager tells
        yield seen
    finally:
        for process in (manager, server):
            process.terminate()
            process.wait()


@dataclass
class Console:
    """A running console."""

    process: subprocess.Popen[str]
    screen: Screen
    window: str

    def press(self, *keys: str) -> None:
        self.screen.xdotool("windowactivate", "--sync", self.window, "key", *keys)

    def settle(self) -> None:
        """Wait until a page is shown, which is wired after the first paint, and the window has stopped changing."""
        wait_until(lambda: "·" in self.title(), 60)
        shots = [self.screen.shot()]

        def still() -> bool:
            time.sleep(1)
            shots.append(self.screen.shot())
            painted = len(shots[-1].resize((360, 225)).getcolors(360 * 225) or []) > 50
            return painted and differs(shots[-2], shots[-1]) == 0

        wait_until(still)

    def command(self, text: str) -> None:
        """Run a command by the palette, as an operator types it."""
        before = self.screen.shot()
        self.press("ctrl+k")
        wait_until(lambda: differs(before, self.screen.shot()) > 0.01)
        self.screen.xdotool("type", "--delay", "30", text)
        time.sleep(0.5)
        self.screen.xdotool("key", "Return")

    def title(self) -> str:
        return self.screen.xdotool("getwindowname", self.window)

    def children(self, name: str) -> list[psutil.Process]:
        found = psutil.Process(self.process.pid).children(recursive=True)
        return [child for child in found if name in child.name()]


@pytest.fixture
def console_on(screen: Screen) -> Callable[..., object]:
    @contextmanager
    def run(data: Path | None, *files: Path, **more: str) -> Iterator[Console]:
        """Start it; ``data`` None leaves it to its own place. ``more`` are variables, an empty one is taken away."""
        environment = {**os.environ, "DISPLAY": screen.display, "QT_QPA_PLATFORM": "xcb", **more}
        environment = {name: value for name, value in environment.items() if value or name not in more}
        place = [] if data is None else ["--data-dir", str(data)]
        arguments = [sys.executable, "-m", "app", *place, "gui", *map(str, files)]
        process = subprocess.Popen(arguments, env=environment, stderr=subprocess.PIPE, text=True)
        try:
            found = wait_until(lambda: screen.xdotool("search", "--onlyvisible", "--name", "Nashboard").splitlines())
            yield Console(process, screen, found[-1])
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            errors = process.communicate(timeout=90)[1]
        assert "Traceback" not in errors
        assert "QWidget" not in errors

    return run


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = [name for name in NEEDED if shutil.which(name) is None]
    for item in items:
        if missing and item.get_closest_marker("xvfb"):
            item.add_marker(pytest.mark.skip(reason=f"not installed: {', '.join(missing)}"))
