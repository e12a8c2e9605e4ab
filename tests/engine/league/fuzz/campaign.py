"""Fuzzes the gate: modules by seed go through its child process, and what it accepts is run against the original.

    python tests/engine/league/fuzz/campaign.py --count 1000000 --workers 8

The same seeds give the same modules, whatever the number of workers. The exit status is 1 when anything was found; each
finding names its seed, and ``--seed N --count 1 --save DIR`` writes that module to a file.
"""

from __future__ import annotations

import argparse
import json
import logging
import re
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

if __name__ == "__main__" or __name__ == "__mp_main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[4]))

import psutil
from differential import Differ
from mutations import mutate
from smith import Smith
from source import Source

from engine.core.paths import assets_dir
from engine.league.gate import MAX_FILE_BYTES, SyncGate, Verdict

SLICE = 500
# None of these says anything about the module: the gate or its child failed.
BROKEN = re.compile(r"the check|checking it took|does not compile|longer than")
# How often a sample up to so many bytes is drawn: large ones are slow to compile.
WEIGHTS = ((4000, 60), (8000, 12), (MAX_FILE_BYTES, 1))


@dataclass
class Report:
    """What a campaign did: counts, the slowest check in seconds, the child's largest memory, and what it found."""

    modules: int = 0
    accepted: int = 0
    compared: int = 0
    calls: int = 0
    slowest: float = 0.0
    child_mib: int = 0
    endings: Counter[str] = field(default_factory=Counter)
    origins: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)

    def add(self, other: Report) -> None:
        """Take another slice's counts in."""
        for title in ("modules", "accepted", "compared", "calls"):
            setattr(self, title, getattr(self, title) + getattr(other, title))
        for title in ("endings", "origins", "reasons"):
            getattr(self, title).update(getattr(other, title))
        self.slowest, self.child_mib = max(self.slowest, other.slowest), max(self.child_mib, other.child_mib)
        self.findings += other.findings

    def to_json(self) -> dict[str, Any]:
        """Return it for printing."""
        counters = {title: dict(getattr(self, title).most_common(40)) for title in ("endings", "origins", "reasons")}
        return {**vars(self), **counters, "slowest": round(self.slowest, 3)}


@lru_cache(maxsize=1)
def samples() -> tuple[tuple[str, bytes, str], ...]:
    """Return (name, bytes, kind) of everything shipped, in an order that does not depend on the disk."""
    root = assets_dir()
    found = [(path, "system" if path.parent.name == "systems" else "agent") for path in sorted(root.rglob("*.wasm"))]
    return tuple((path.relative_to(root).as_posix(), path.read_bytes(), kind) for path, kind in found)


def build(seed: int) -> tuple[str, bytes, str]:
    """Return (origin, bytes, kind) of the module that a seed stands for."""
    source = Source.seeded(seed)
    way = source.below(100)
    if way < 18:
        return "generated", Smith(source).module(), "agent"
    if way < 30:
        return "generated and mutated", mutate(Source.seeded(~seed), Smith(source).module()), "agent"
    title, data, kind = source.weighted(
        [(next(weight for size, weight in WEIGHTS if len(item[1]) <= size), item) for item in samples()]
    )
    if source.chance(2):
        kind = "agent" if kind == "system" else "system"
    return f"{title.split('/')[0]} mutated", mutate(source, data), kind


class Fuzzer:
    """One process' equipment. A context manager, for it owns a gate's child."""

    def __init__(self) -> None:
        self._gate, self._differ = SyncGate(), Differ()
        self._gate.check(b"warm")
        self._pid = self._gate.child_pid

    def __enter__(self) -> Fuzzer:
        return self

    def __exit__(self, *exc: object) -> None:
        self._gate.close()
        self._differ.__exit__()

    def run(self, seeds: range) -> Report:
        """Check and compare the modules of these seeds."""
        report = Report()
        for seed in seeds:
            origin, data, kind = build(seed)
            self.one(f"seed {seed} ({origin})", origin, data, kind, report)
        assert self._gate.child_pid is not None
        report.child_mib = psutil.Process(self._gate.child_pid).memory_info().rss >> 20
        return report

    def one(self, title: str, origin: str, data: bytes, kind: str, report: Report) -> Verdict:
        """Check one module; compare it when it is accepted."""
        started = time.perf_counter()
        verdict = self._gate.check(data, kind)
        report.slowest = max(report.slowest, time.perf_counter() - started)
        report.modules += 1
        report.origins[origin] += 1
        if self._gate.child_pid != self._pid:
            report.findings.append(f"{title}: the child was lost: {verdict.reason}")
            self._pid = self._gate.child_pid
        if verdict.accepted:
            report.origins[f"{origin}, accepted"] += 1
            self._compare(title, data, verdict, kind, report)
        elif BROKEN.match(verdict.reason):
            report.findings.append(f"{title}: {verdict.reason}")
        report.reasons[re.sub(r"'[^']*'|0x[0-9a-f]+|\d+", "*", verdict.reason)[:80]] += 1
        return verdict

    def _compare(self, title: str, data: bytes, verdict: Verdict, kind: str, report: Report) -> None:
        assert verdict.module is not None
        report.accepted += 1
        try:
            result = self._differ.compare(data, verdict.module, kind)
        except Exception as error:
            report.findings.append(f"{title}: running it failed: {type(error).__name__}: {error}")
            return
        report.compared += bool(result.calls)
        report.calls += result.calls
        report.endings[result.ending] += 1
        if result.difference:
            report.findings.append(f"{title}: {result.difference}")


_fuzzer: Fuzzer | None = None


def run_slice(bounds: tuple[int, int]) -> Report:
    """Fuzz some seeds in a worker process, which keeps its equipment."""
    global _fuzzer
    if _fuzzer is None:
        _fuzzer = Fuzzer()
    return _fuzzer.run(range(*bounds))


def campaign(first: int, count: int, workers: int, say: Any = None) -> Report:
    """Fuzz ``count`` seeds from ``first`` on, and return what came of it."""
    logging.getLogger("engine").setLevel(logging.CRITICAL)  # the findings say it
    slices = [(at, min(at + SLICE, first + count)) for at in range(first, first + count, SLICE)]
    total, started = Report(), time.monotonic()
    if workers == 1:
        with Fuzzer() as fuzzer:
            for bounds in slices:
                total.add(fuzzer.run(range(*bounds)))
        return total
    with get_context("spawn").Pool(workers) as pool:
        for part in pool.imap(run_slice, slices):
            total.add(part)
            if say:
                say(f"{total.modules} of {count}, {time.monotonic() - started:.0f} s, {len(total.findings)} findings")
        pool.close()
        pool.join()
    return total


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--save", type=Path, help="write the modules here instead of running them")
    chosen = parser.parse_args()
    if chosen.save:
        for seed in range(chosen.seed, chosen.seed + chosen.count):
            (chosen.save / f"{seed}.wasm").write_bytes(build(seed)[1])
        return 0
    report = campaign(chosen.seed, chosen.count, chosen.workers, lambda text: print(text, file=sys.stderr))
    print(json.dumps(report.to_json(), indent=1))
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())
