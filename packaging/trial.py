"""What trials of a built program share: the empty world that it runs in, an X server, what it leaves behind."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

TOOLS = ("Xvfb", "xdotool")
TRIES = 5


class SmokeError(Exception):
    """What an operator would have been disappointed by."""


class Bench:
    """A built program, and the empty world that it runs in."""

    def __init__(self, folder: Path, world: Path) -> None:
        self.folder = folder.resolve()
        suffix = ".exe" if os.name == "nt" else ""
        self.window = self.folder / f"nashboard{suffix}"
        self.console = self.folder / f"nashboard-cli{suffix}"
        self.data = world / "data"
        self.temporary = world / "tmp"
        self.home = world / "home"
        self.empty = world / "empty"
        for path in (self.temporary, self.home, self.empty):
            path.mkdir(parents=True)
        self.facts: dict[str, Any] = {}

    def environment(self, **more: str) -> dict[str, str]:
        """Return an environment without Python, without tools, without a session bus."""
        bare = {
            "PATH": str(self.empty),
            "HOME": str(self.home),
            "TMPDIR": str(self.temporary),
            "LANG": "C.UTF-8",
            "DBUS_SESSION_BUS_ADDRESS": "disabled:",
        }
        return {**bare, **more}

    def run(
        self, *arguments: str, limit: float = 120.0, status: int = 0, env: dict[str, str] | None = None
    ) -> tuple[str, float]:
        """Run the console program; return what it printed and its seconds."""
        started = time.monotonic()
        done = subprocess.run(
            [str(self.console), "--data-dir", str(self.data), *arguments],
            env=self.environment(**(env or {})),
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=limit,
            check=False,
        )
        seconds = time.monotonic() - started
        words = " ".join(arguments)
        if done.returncode != status:
            raise SmokeError(f"{words}: exit status {done.returncode}, not {status}\n{done.stdout}{done.stderr}")
        if "Traceback" in done.stderr:
            raise SmokeError(f"{words}: {done.stderr}")
        return done.stdout, seconds

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start the console program and return it."""
        command = [str(self.console), "--data-dir", str(self.data), *arguments]
        quiet = subprocess.DEVNULL
        return subprocess.Popen(command, env=self.environment(), cwd=self.home, stdin=quiet, stdout=quiet, stderr=quiet)

    def refused(self, *arguments: str, user: int | None = None) -> dict[str, str]:
        """Run the console program without a data directory of its own, and return why it refused."""
        done = subprocess.run(
            [str(self.console), *arguments],
            env=self.environment(),
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            user=user,
        )
        need(done.returncode == 1 and "Traceback" not in done.stderr, f"{arguments}: {done.stdout}{done.stderr}")
        why: dict[str, str] = json.loads(done.stdout)
        return why

    def reachable(self, user: int) -> bool:
        """Whether somebody else can start the program."""
        try:
            subprocess.run([str(self.console), "--version"], user=user, capture_output=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            return False
        return True


def need(condition: object, what: str) -> None:
    """Raise SmokeError unless it holds."""
    if not condition:
        raise SmokeError(what)


# An X server ------------------------------------------------------------------------------------------------------


def lacking() -> str:
    """Return what windows cannot be tried for here, nothing when they can."""
    if sys.platform != "linux":
        return "no X here"
    return ", ".join(name for name in TOOLS if shutil.which(name) is None)


@contextlib.contextmanager
def screen() -> Iterator[str]:
    """Give the name of an X server of our own that answers: of a number by lot, since others look for low ones too."""
    for _ in range(TRIES):
        display = f":{random.randint(1_000, 30_000)}"
        arguments = ["Xvfb", display, "-screen", "0", "1440x900x24", "-nolisten", "tcp", "-noreset"]
        server = subprocess.Popen(arguments, stderr=subprocess.DEVNULL)
        try:
            if stands(server, display):
                yield display
                return
        finally:
            server.terminate()
            server.wait()
    raise SmokeError("no X server could be started")


def stands(server: subprocess.Popen[bytes], display: str) -> bool:
    """Whether our X server came up: it ends at once where another has its number."""
    with contextlib.suppress(SmokeError):
        wait_for(lambda: server.poll() is not None or answers(display), 20)
    return server.poll() is None and answers(display)


def answers(display: str) -> bool:
    """Whether an X server lets us in."""
    command = ["xdotool", "getdisplaygeometry"]
    environment = {**os.environ, "DISPLAY": display}
    return subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0


@contextlib.contextmanager
def opened(bench: Bench, display: str, *files: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Open the window, and end it by SIGTERM, in order. Raises SmokeError when it ended before or fails."""
    log = bench.home / "window.log"
    command = [str(bench.window), "--data-dir", str(bench.data), *map(str, files)]
    environment = bench.environment(DISPLAY=display, QT_QPA_PLATFORM="xcb")
    with log.open("wb") as stream:
        process = subprocess.Popen(command, env=environment, cwd=bench.home, stderr=stream)
        try:
            yield process
            need(process.poll() is None, f"the window ended: {log.read_text('utf-8', 'replace')}")
            process.send_signal(signal.SIGTERM)
            need(process.wait(20) == 0, f"the window's exit status is {process.returncode}")
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    text = log.read_text("utf-8", "replace")
    need("Traceback" not in text, text)
    log.unlink()


def titles(display: str) -> list[str]:
    """Return the titles of our visible windows."""
    environment = {**os.environ, "DISPLAY": display}
    command = ["xdotool", "search", "--onlyvisible", "--name", "Nashboard", "getwindowname", "%@"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.stdout.splitlines()


def wait_for(condition: Callable[[], object], seconds: float) -> None:
    """Wait until it holds; raise SmokeError when it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        need(time.monotonic() < end, f"nothing happened within {seconds:g} s")
        time.sleep(0.05)


# What is left ----------------------------------------------------------------------------------------------------


def picture(folder: Path) -> dict[str, tuple[int, int]]:
    """Return what lies in a folder: size and time of each file."""
    files = (path for path in folder.rglob("*") if not path.is_dir())
    return {str(path): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in files}


def running(folder: Path) -> list[str]:
    """Return the processes whose program lies in the folder (Linux)."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            program = (process / "exe").readlink()
            if program.is_relative_to(folder):
                found.append(f"{process.name} {program}")
    return found
