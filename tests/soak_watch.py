"""What the soak counts, when that is too much, and what must not be there after the end."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import gc
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import psutil

WARM = 1 / 3  # share of the time that is not judged: pages are first shown, lists of kept runs fill
WARM_MOST_S = 600.0
LASTING = 0.6  # share of the warming up after which a child counts as one that stays: those there are start with it
LASTING_MOST_S = 300.0  # a younger one mostly ends with its run, and takes along what it held
STEEP_AFTER_S = 600.0  # of steady work, from which the slope of the memory says something


@dataclass(frozen=True, slots=True)
class Sample:
    """One look: memory in MiB, what is open, and how much was done until then."""

    seconds: float
    rss: float  # of this process
    workers_rss: float  # of its children but Anvil that stay, see LASTING
    anvil_rss: float
    threads: int  # of the system, not only Python's
    fds: int
    children: int
    tasks: int
    timers: int  # that the loop waits for
    qobjects: int
    widgets: int
    objects: int  # that Python's collector follows
    disk: float  # of the data directory
    log: float
    block: int
    rounds: int
    agreements: int
    games: int
    learned: int
    heard: int
    replays: int = 1
    refused: int = 0  # turns that ended with a reason, as on a machine too busy for a deadline
    passing_rss: float = 0.0  # of the children that were started not long ago, most of them for one run: not judged


@dataclass(frozen=True, slots=True)
class Bound:
    """What may be added between the first and the last third: ``room``, or ``share`` of what there was."""

    room: float
    share: float = 0.0


BOUNDS = {
    "rss": Bound(48, 0.10),
    "workers_rss": Bound(64, 0.15),
    "anvil_rss": Bound(256, 1.0),  # it keeps every block and the states around the last ones
    "threads": Bound(4),
    "fds": Bound(8),
    "children": Bound(2),
    "tasks": Bound(6),
    "timers": Bound(6),
    "qobjects": Bound(400, 0.05),
    "widgets": Bound(60, 0.05),
    "objects": Bound(50_000, 0.10),
    "log": Bound(25),
}
STEEPEST = 2.0  # MiB a minute that this process may gain on average
ADVANCES = ("block", "rounds", "agreements", "games", "learned", "heard")


def judge(samples: list[Sample], warm_s: float) -> list[str]:
    """Return what grew beyond its bound, and what stood still; nothing when all is well.

    The least of a third is what stays when work comes and goes: a peak is no leak.
    """
    steady = [sample for sample in samples if sample.seconds >= warm_s]
    third = len(steady) // 3
    if third < 2:
        return [f"only {len(steady)} samples after {warm_s:.0f} s of warming up: run it for longer"]
    faults = []
    for name, bound in BOUNDS.items():
        before, after = (min(getattr(s, name) for s in part) for part in (steady[:third], steady[-third:]))
        most = before + max(bound.room, bound.share * before)
        if after > most:
            faults.append(f"{name} grew from {before:g} to {after:g}; at most {most:g} is allowed")
    climb = slope(steady)
    if steady[-1].seconds - steady[0].seconds >= STEEP_AFTER_S and climb > STEEPEST:
        faults.append(f"rss gained {climb:.2f} MiB a minute on average; at most {STEEPEST:g} are allowed")
    still = [name for name in ADVANCES if getattr(samples[-1], name) <= getattr(samples[0], name)]
    return faults + [f"{name} stood still at {getattr(samples[-1], name)}" for name in still]


def slope(samples: Sequence[Sample], name: str = "rss") -> float:
    """Return what ``name`` gains a minute: the slope of the line of least squares."""
    if len(samples) < 2:
        return 0.0
    times = [sample.seconds / 60 for sample in samples]
    values = [float(getattr(sample, name)) for sample in samples]
    middle, mean = sum(times) / len(times), sum(values) / len(values)
    spread = sum((t - middle) ** 2 for t in times)
    return sum((t - middle) * (v - mean) for t, v in zip(times, values, strict=True)) / spread if spread else 0.0


def census() -> Counter[str]:
    """Count the objects that Python's collector follows, by their type; those that the console's leaves out as well."""
    if gc.get_freeze_count():
        gc.unfreeze()
        found = census()
        gc.freeze()
        return found
    return Counter(f"{type(one).__module__}.{type(one).__qualname__}" for one in gc.get_objects())


def grown(before: Counter[str], after: Counter[str], most: int = 12) -> list[tuple[str, int, int]]:
    """Return the types that became most more: name, before, after."""
    more = sorted(((after[name] - before[name], name) for name in after), reverse=True)
    return [(name, before[name], after[name]) for number, name in more[:most] if number > 50]


def memory_of(children: Sequence[psutil.Process], lasting_s: float) -> tuple[int, int, int]:
    """Return the bytes that children hold: workers that stay, Anvil, and those that are younger than ``lasting_s``."""
    workers = anvil = passing = 0
    for child in children:
        with contextlib.suppress(psutil.Error):
            size = child.memory_info().rss
            if "anvil" in child.name():
                anvil += size
            elif time.time() - child.create_time() >= lasting_s:
                workers += size
            else:
                passing += size
    return workers, anvil, passing


def timers() -> int:
    """Count what the loop waits for."""
    loop: Any = asyncio.get_running_loop()
    return len(getattr(loop, "_timer", None) or getattr(loop, "_scheduled", ()))


def drawn() -> tuple[int, int]:
    """Count objects of Qt, and widgets among them.

    Qt tells of its objects in a line each: of those that are handed to Python it keeps shells, also when they are gone.
    """
    if "PySide6.QtWidgets" not in sys.modules:
        return 0, 0
    from PySide6.QtCore import qInstallMessageHandler
    from PySide6.QtWidgets import QApplication

    tops = [QApplication.instance(), *(top for top in QApplication.topLevelWidgets() if top.parentWidget() is None)]
    told: list[None] = []
    before = qInstallMessageHandler(lambda *_: told.append(None))
    try:
        for top in tops:
            if top is not None:
                top.dumpObjectTree()
    finally:
        qInstallMessageHandler(before)
    return len(told), len(QApplication.allWidgets())


async def left_over(files: int, *, within: float = 5.0) -> list[str]:
    """Return what is still there ``within`` seconds after everything was closed; ``files`` were open before."""
    deadline = time.monotonic() + within
    loop: Any = asyncio.get_running_loop()
    own = psutil.Process()
    while True:
        left = [child for child in own.children(recursive=True) if not _is_pythons(child)]
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        threads = [t.name for t in threading.enumerate() if not t.daemon and t is not threading.main_thread()]
        threads = [name for name in threads if not name.startswith("asyncio_")]  # the loop's own pool stays
        more = max(0, len(open_files()) - files)
        timers = max(0, len(getattr(loop, "_timer", ())) - 1)  # one is the sleep below
        if not (left or tasks or threads or more > 6 or timers) or time.monotonic() > deadline:
            break
        await asyncio.sleep(0.1)
    faults = [f"a child process was left: {child}" for child in left]
    faults += [f"a task was left: {task!r}" for task in tasks]
    faults += [f"a thread was left: {name}" for name in threads]
    if more > 6:  # Python's own for child processes, and the loop's
        faults.append(f"{more} files were left open: {open_files()}")
    if timers:
        faults.append(f"{timers} timers of the loop were left")
    return faults


def open_files() -> list[str]:
    found = []
    for one in Path("/proc/self/fd").glob("*"):
        with contextlib.suppress(OSError):
            found.append(str(one.readlink()))
    return sorted(name for name in found if "eventfd" not in name)  # each thread of the loop's pool has one


def _is_pythons(child: psutil.Process) -> bool:
    """Return whether a process has ended, or is one that Python itself keeps."""
    try:
        command = " ".join(child.cmdline())
        return child.status() == psutil.STATUS_ZOMBIE or "resource_tracker" in command or "forkserver" in command
    except psutil.Error:
        return True


def figures(samples: list[Sample], warm_s: float) -> dict[str, Any]:
    """Return what a run came to: at the start, every ten minutes, at the end, the peak and the slope."""
    told: dict[str, Any] = {"seconds": samples[-1].seconds, "samples": len(samples)}
    marks = {f"{m} min": m * 60.0 for m in range(10, int(samples[-1].seconds // 60) + 1, 10)}
    at = {name: min(samples, key=lambda sample: abs(sample.seconds - second)) for name, second in marks.items()}
    for name in [field.name for field in fields(Sample)][1:]:
        series = [getattr(sample, name) for sample in samples]
        moments = {moment: getattr(sample, name) for moment, sample in at.items()}
        told[name] = {"start": series[0], **moments, "end": series[-1], "peak": max(series)}
    steady = [sample for sample in samples if sample.seconds >= warm_s]
    told["a minute"] = {name: round(slope(steady, name), 3) for name in ("rss", "workers_rss", "anvil_rss", "objects")}
    return told


def tell(s: Sample) -> None:
    """Say a sample in a line, on stderr."""
    print(
        f"{s.seconds:7.0f} s  {s.rss:6.1f} MiB +{s.workers_rss:5.0f} +{s.passing_rss:5.0f} +{s.anvil_rss:5.0f} Anvil  "
        f"{s.threads:3} threads {s.fds:4} fds {s.children:2} children {s.tasks:3} tasks {s.timers:3} timers "
        f"{s.qobjects} qobjects {s.objects} objects  block {s.block}  {s.rounds} rounds {s.games} games "
        f"{s.agreements} agreements {s.learned} chains {s.replays} replays {s.refused} refused",
        file=sys.stderr,
        flush=True,
    )


def write(out: Path, samples: list[Sample], told: dict[str, Any]) -> None:
    """Write all samples as CSV, and the figures as JSON beside it."""
    with out.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, [field.name for field in fields(Sample)])
        table.writeheader()
        table.writerows(asdict(sample) for sample in samples)
    out.with_suffix(".json").write_text(json.dumps(told, indent=1), "utf-8")
