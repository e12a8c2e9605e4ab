"""The soak's judgement finds what grows and forgives what comes and goes; and a short one leaves nothing behind."""

from __future__ import annotations

import csv
import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import psutil
import pytest

from tests.soak_watch import ADVANCES, BOUNDS, Sample, judge, memory_of

ROOT = Path(__file__).parents[1]


def sample(number: int) -> Sample:
    """One of many in a run where all is well: work makes everything go up and down."""
    wave = 1 + 0.5 * math.sin(number)
    return Sample(
        number * 5.0, 200 + 30 * wave, 500 * wave + 100, 40.0, 9, 50 + int(9 * wave), 6, 20 + int(5 * wave), 3, 7_000,
        900, 200_000, 10 + number / 10, 1.0, *([number] * len(ADVANCES)),
    )  # fmt: skip


def run(change: Callable[[Sample], Sample] = lambda s: s, count: int = 180) -> list[Sample]:
    return [change(sample(number)) for number in range(count)]


def test_what_comes_and_goes_is_no_leak() -> None:
    assert judge(run(), 60) == []


@pytest.mark.parametrize("name", BOUNDS)
def test_what_grows_is_named(name: str) -> None:
    bound = BOUNDS[name]
    start = getattr(sample(0), name)
    step = 4 * max(bound.room, bound.share * start) / 180  # a little at every sample
    fault, *more = judge(run(lambda s: replace(s, **{name: getattr(s, name) + step * s.seconds / 5})), 60)
    assert fault.startswith(f"{name} grew from ")
    assert [text.split()[:2] for text in more] == ([["rss", "gained"]] if name == "rss" else [])


def test_what_grows_while_it_warms_up_only_is_forgiven() -> None:
    assert judge(run(lambda s: replace(s, rss=s.rss + 400 * min(1.0, s.seconds / 60))), 60) == []


@pytest.mark.parametrize("name", ADVANCES)
def test_work_that_stands_still_is_named(name: str) -> None:
    assert judge(run(lambda s: replace(s, **{name: 7})), 60) == [f"{name} stood still at 7"]


def test_a_worker_that_stays_is_told_from_one_that_ends_with_its_run() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as one:
        children = [psutil.Process(one.pid)]
        stays, anvil, passes = memory_of(children, lasting_s=0)
        assert stays > 0 and (anvil, passes) == (0, 0)
        assert memory_of(children, lasting_s=3600)[:2] == (0, 0)
        one.communicate(b"\n")
    assert memory_of(children, lasting_s=0) == (0, 0, 0)  # it has ended meanwhile


def test_too_short_a_run_says_nothing_about_leaks() -> None:
    (fault,) = judge(run(count=5), 0)
    assert "run it for longer" in fault


@pytest.mark.chain
@pytest.mark.slow
def test_a_short_one_works_and_leaves_nothing(tmp_path: Path) -> None:
    out = tmp_path / "soak.csv"
    command = [sys.executable, "tests/soak.py", "0.4", "--every", "2", "--csv", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    # So short it cannot tell growth from warming up, and slow work may not have ended once: all else counts.
    serious = [line for line in done.stdout.splitlines() if " grew from " not in line and " stood still " not in line]
    assert done.returncode in (0, 1) and serious in ([], ["Nothing grew, and nothing was left."]), (
        done.stdout + done.stderr
    )
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [field.name for field in fields(Sample)]
    assert float(rows[-1]["rss"]) > 50 and int(rows[-1]["block"]) > int(rows[0]["block"])
    assert int(rows[-1]["rounds"]) >= 1 and int(rows[-1]["heard"]) > 50 and int(rows[-1]["games"]) >= 1
