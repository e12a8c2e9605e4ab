"""The command line as a person or a script calls it: a process of its own, with its output and exit status."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
AGENTS = ROOT / "assets" / "agents" / "snake"
DEADLINE_S = 120


@dataclass(frozen=True)
class Ran:
    """What a call of the program left."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON value on stdout; anything beside it fails the test."""
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture(scope="session")
def program() -> list[str]:
    """How the program is called."""
    return [sys.executable, "-m", "app"]


@pytest.fixture
def data_root(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def nashboard(program: list[str], data_root: Path) -> Run:
    """Run a command on a data directory of its own; ``status`` is what it must exit with."""

    def run(*arguments: object, status: int | None = 0, env: dict[str, str] | None = None) -> Ran:
        done = subprocess.run(
            [*program, "--data-dir", str(data_root), *map(str, arguments)],
            cwd=ROOT,
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        ran = Ran(done.returncode, done.stdout, done.stderr)
        assert status is None or ran.status == status, f"exit status {ran.status}\n{ran.out}\n{ran.err}"
        assert "Traceback" not in ran.err, ran.err
        return ran

    return run


@pytest.fixture
def started(program: list[str], data_root: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a command and leave it running; the test ends it, or this does."""
    processes: list[subprocess.Popen[str]] = []

    def start(*arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*program, "--data-dir", str(data_root), *map(str, arguments)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.communicate()


@pytest.fixture
def until() -> Callable[..., None]:
    """Wait until a condition holds: ``until(condition, seconds)``."""

    def wait(condition: Callable[[], object], seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"not within {seconds} s"
            time.sleep(0.05)

    return wait
