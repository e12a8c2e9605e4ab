"""The console itself, measured by ``gui_probe.py`` in processes of its own: start, memory, load, the end."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

PROBE = Path(__file__).with_name("gui_probe.py")
PAINT_MS, STALL_MS, LATE_MS, MEMORY_MIB, END_MS = 400.0, 50.0, 5.0, 250.0, 500.0
FRAME_MS = 33.0
BARE = (
    "import sys,time\nfrom PySide6.QtCore import QTimer\nfrom PySide6.QtWidgets import QApplication, QLabel\n"
    "class L(QLabel):\n def paintEvent(self, e):\n  super().paintEvent(e)\n  QTimer.singleShot(0, app.quit)\n"
    "app = QApplication([]); w = L('x'); w.resize(1440, 900); w.show(); app.exec()\n"
    "print(time.monotonic() - float(sys.argv[1]), flush=True)"
)
Told = dict[str, Any]
Row = Callable[..., dict[str, Any]]


def rows(note: Callable[[str], None], seconds: float, row: Row) -> Iterator[dict[str, Any]]:
    """Give the rows."""
    small = seconds <= 1
    for platform in _platforms(small):
        yield from _start(note, row, platform, 1 if small else 7)
    told, _ = probe("pages", seconds)
    pages = _of(told, "pages")[0]
    absent = "torch not imported" if "torch" not in pages["modules"] else "torch was imported"
    yield row(
        "memory when every page and tab was opened", "MiB", [pages["rss"]], goal=("worst", MEMORY_MIB), more=absent
    )
    late, ends = [], []
    for number in range(1 if small else 3):
        note(f"jobs at work, {number + 1}")
        told, ended = probe("jobs", 0.2 if small else 2 * seconds)
        late += _of(told, "late")
        ends.append(ended)
        busy = _of(told, "busy")[0]
    yield from _late(row, late, "loop lateness: league, method, agents, chain of 8", LATE_MS, "p99")
    yield row("shutdown with devnet and jobs at work", "ms", ends, goal=("worst", END_MS),
              more=f"{busy['children']} child processes, {busy['jobs']} jobs")  # fmt: skip
    if small:
        return
    note("a learning chain of a thousand validators")
    told, _ = probe("thousand", 2 * seconds)
    late = _of(told, "late")
    yield from _late(row, [one for one in late if one["page"] == "hidden"],
                     "loop lateness: chain of 1,000 validators, its page hidden", LATE_MS, "p99")  # fmt: skip
    for one in late:
        if one["page"] != "hidden":
            yield row(f"chain of 1,000 validators, tab {one['page']}: lateness and frame", "ms", one["late"],
                      cpu=one["work"], goal=("p95", FRAME_MS))  # fmt: skip


def _start(note: Callable[[str], None], row: Row, platform: str, times: int) -> Iterator[dict[str, Any]]:
    where = "offscreen" if platform == "offscreen" else "on Xvfb"
    note(f"starting the console {times} times, {where}")
    paints, cpus, readies, stalls, works, ends, bare = [], [], [], [], [], [], []
    for _ in range(times):
        told, ended = probe("start", 0, platform)
        paint, ready = _of(told, "paint")[0], _of(told, "ready")[0]
        paints.append(1e3 * paint["seconds"])
        cpus.append(1e3 * paint["cpu"])
        readies.append(1e3 * ready["seconds"])
        stalls.append(max(ready["late"]))
        works.append(max(ready["work"]))
        ends.append(ended)
        bare.append(_bare(platform))
    heavy = ", ".join(paint["modules"]) or "nothing heavy"
    yield row(f"first paint, a new process, {where}", "ms", paints, cpu=cpus, goal=("median", PAINT_MS),
              peer=("a bare QLabel", bare), more=f"imported by then: {heavy}")  # fmt: skip
    yield row(f"worst stall from there until all pages stand, {where}", "ms", stalls, cpu=works,
              goal=("median", STALL_MS))  # fmt: skip
    yield row(f"all pages stand, {where}", "ms", readies)
    yield row(f"shutdown, idle, {where}", "ms", ends, goal=("median", END_MS))


def _late(row: Row, told: list[Told], name: str, bound: float, of: str) -> Iterator[dict[str, Any]]:
    late = [value for one in told for value in one["late"]]
    work = [value for one in told for value in one["work"]]
    if late:
        worst = max(work)
        yield row(name, "ms", late, cpu=work, goal=(of, bound), more=f"own work of a turn at most {worst:.0f} ms")


def _of(told: list[Told], what: str) -> list[Told]:
    found = [one for one in told if one["what"] == what]
    if not found:
        why = next((one["why"] for one in told if one["what"] == "failed"), "")
        raise RuntimeError(f"the console did not get as far as {what} after {[one['what'] for one in told]}: {why}")
    return found


def probe(mode: str, seconds: float, platform: str = "offscreen", limit: float = 400.0) -> tuple[list[Told], float]:
    """Run the probe; return what it told, and the ms from being told to end until the process was gone."""
    environment = {**os.environ, "QT_QPA_PLATFORM": platform, "PYTHONFAULTHANDLER": "1"}
    told: list[Told] = []
    with (
        tempfile.TemporaryDirectory(prefix="nashboard-bench-", ignore_cleanup_errors=True) as folder,
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said,
    ):
        command = [sys.executable, str(PROBE), mode, folder, repr(time.monotonic()), str(seconds)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True, env=environment) as process:
            try:
                signal.signal(signal.SIGALRM, lambda *_: process.kill())
                signal.alarm(int(limit))
                assert process.stdout is not None
                for line in process.stdout:
                    with contextlib.suppress(ValueError):
                        told.append(json.loads(line))
                process.wait()
                ended = time.monotonic()
            finally:
                signal.alarm(0)
                process.kill()
        if not any(one["what"] in ("closing", "failed") for one in told):
            said.seek(0)
            told.append({"what": "failed", "why": f"it ended with {process.returncode}\n{said.read()[-4000:]}"})
    return told, 1e3 * (ended - _of(told, "closing")[0]["at"])


def _bare(platform: str) -> float:
    environment = {**os.environ, "QT_QPA_PLATFORM": platform}
    command = [sys.executable, "-c", BARE, repr(time.monotonic())]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    return 1e3 * float(done.stdout)


def _platforms(small: bool) -> Iterator[str]:
    yield "offscreen"
    if small or shutil.which("Xvfb") is None:
        return
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1440x900x24", "-nolisten", "tcp"],
        pass_fds=[write], stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(write)
    before = os.environ.get("DISPLAY")
    try:
        with os.fdopen(read) as pipe:
            os.environ["DISPLAY"] = f":{pipe.readline().strip()}"
        yield "xcb"
    finally:
        server.terminate()
        server.wait()
        if before is None:
            os.environ.pop("DISPLAY", None)
        else:
            os.environ["DISPLAY"] = before
