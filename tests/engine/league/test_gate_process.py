"""The gate's child process: hostile modules hurt only it, it comes back, and it never outlives its parent."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from engine.league.errors import RejectedModuleError, SandboxError
from engine.league.gate import Gate, GateLimits, SyncGate
from engine.league.wasm.leb import unsigned


def wait_until(condition, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def slow_module() -> bytes:
    """Return a module within all limits that takes seconds to compile."""
    add = b"\x42\x35\x7c"
    body = b"\0\x20\x00" + add * 21_000 + b"\x0b"

    def section(number: int, content: bytes) -> bytes:
        return bytes((number,)) + unsigned(len(content)) + content

    return b"".join(
        (
            b"\0asm\x01\0\0\0",
            section(1, b"\x01\x60\x01\x7e\x01\x7e"),
            section(3, unsigned(16) + b"\0" * 16),
            section(7, b"\x01\x06decide\0\0"),
            section(10, unsigned(16) + (unsigned(len(body)) + body) * 16),
        )
    )


def test_too_much_processor_time_is_a_rejection_and_the_gate_goes_on(arena) -> None:
    with SyncGate(GateLimits(cpu_seconds=1)) as gate:
        verdict = gate.check(slow_module())
        assert not verdict.accepted
        assert "processor time" in verdict.reason
        assert gate.check(arena.wasm(arena.one)).accepted


def test_too_much_memory_is_a_rejection_and_the_gate_goes_on(arena) -> None:
    with SyncGate(GateLimits(memory_bytes=60 * 1024 * 1024)) as gate:
        verdict = gate.check(slow_module())
        assert not verdict.accepted
        assert "memory" in verdict.reason
        assert gate.check(arena.wasm(arena.one)).accepted


def test_too_long_on_the_clock_is_a_rejection_and_the_gate_goes_on(arena) -> None:
    with SyncGate(GateLimits(wall_seconds=0.5)) as gate:
        gate.check(b"warm")
        verdict = gate.check(slow_module())
        assert not verdict.accepted
        assert "longer than 0.5 s" in verdict.reason
    with SyncGate() as gate:
        assert gate.check(arena.wasm(arena.one)).accepted


def test_a_killed_child_is_replaced(arena) -> None:
    with SyncGate() as gate:
        gate.check(b"warm")
        first = gate.child_pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: psutil.Process(first).status() == psutil.STATUS_ZOMBIE)
        assert gate.check(arena.wasm(arena.one)).accepted
        assert gate.child_pid not in (None, first)


def test_a_repeated_file_is_answered_from_memory_under_its_new_name(gate, sample_files) -> None:
    first = gate.check(sample_files["greedy"], name="a.wasm")
    second = gate.check(sample_files["greedy"], name="b.wasm")
    assert (first.name, second.name) == ("a.wasm", "b.wasm")
    assert first.module is second.module
    assert second.to_json()["file"] == "b.wasm"


def test_closing_ends_the_child_and_further_checks_are_refused() -> None:
    gate = SyncGate()
    gate.check(b"warm")
    pid = gate.child_pid
    gate.close()
    gate.close()
    assert not psutil.pid_exists(pid)
    with pytest.raises(SandboxError, match="closed"):
        gate.check(b"other")


def test_a_rejected_module_cannot_be_played(gate) -> None:
    verdict = gate.check(b"nonsense", name="bad.wasm")
    with pytest.raises(RejectedModuleError, match=r"bad\.wasm is no admitted agent: not a WebAssembly file"):
        verdict.agent()
    with pytest.raises(RejectedModuleError):
        verdict.system()


def test_a_system_is_no_agent(gate, snake_file) -> None:
    with pytest.raises(RejectedModuleError, match="checked as system"):
        gate.check(snake_file, "system").agent()


def test_an_unknown_kind_is_a_mistake_of_the_caller(gate) -> None:
    with pytest.raises(KeyError):
        gate.check(b"", "referee")


PARENT = """
import sys, time
from engine.league.gate import SyncGate
if __name__ == "__main__":
    gate = SyncGate()
    gate.check(b"warm")
    print(gate.child_pid, flush=True)
    if sys.argv[1] == "busy":
        gate.check(open(sys.argv[2], "rb").read())
    time.sleep(600)
"""


@pytest.mark.parametrize("state", ["idle", "busy"])
def test_the_child_ends_when_its_parent_is_killed(tmp_path, state) -> None:
    script, module = tmp_path / "parent.py", tmp_path / "slow.wasm"
    script.write_text(PARENT)
    module.write_bytes(slow_module())
    parent = subprocess.Popen(
        [sys.executable, str(script), state, str(module)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.getcwd()},  # noqa: PTH109
    )
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    if state == "busy":
        wait_until(lambda: child.cpu_percent(0.05) > 20)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, 2.0)


async def test_checks_on_the_loop(sample_files, tmp_path) -> None:
    path = tmp_path / "greedy.wasm"
    path.write_bytes(sample_files["greedy"])
    async with Gate() as gate:
        verdicts = await asyncio.gather(*(gate.check(file, name=name) for name, file in sample_files.items()))
        assert [verdict.name for verdict in verdicts] == list(sample_files)
        assert all(verdict.accepted for verdict in verdicts)
        assert (await gate.check_file(path)).sha256 == verdicts[list(sample_files).index("greedy")].sha256
        pid = gate.child_pid
    assert pid is not None
    assert not psutil.pid_exists(pid)


async def test_the_loop_stays_free_while_a_check_runs() -> None:
    async with Gate() as gate:
        await gate.check(b"warm")
        check = asyncio.ensure_future(gate.check(slow_module()))
        ticks = 0
        while ticks < 20:
            await asyncio.sleep(0.005)
            ticks += 1
        assert not check.done()
        check.cancel()
        with pytest.raises(asyncio.CancelledError):
            await check


async def test_a_cancelled_check_ends_at_once_and_the_gate_goes_on(arena) -> None:
    async with Gate() as gate:
        await gate.check(b"warm")
        check = asyncio.ensure_future(gate.check(slow_module()))
        await asyncio.sleep(0.3)
        started = time.monotonic()
        check.cancel()
        with pytest.raises(asyncio.CancelledError):
            await check
        assert time.monotonic() - started < 2.0
        assert (await gate.check(arena.wasm(arena.one))).accepted
