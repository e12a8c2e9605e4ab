"""Child processes that never outlive the program."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from engine.core.errors import EngineError
from engine.core.paths import is_frozen

NICE = "NASHBOARD_NICE"  # in the environment: by how much child processes give way to the window
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(parent: int, sig: int = signal.SIGKILL) -> None:
    """Ask the kernel to end this process when its parent ends (Linux); call it first thing in a child.

    ``parent`` is the id of the process that started this one: when it is gone already, this one ends at once. Where
    the program has a window, this process then gives way to it.
    """
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, sig, 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), sig)
    level = os.environ.get(NICE, "")
    if level.isdecimal() and hasattr(os, "setpriority"):
        _give_way(min(19, int(level)))


def _give_way(level: int) -> None:
    """Let this process run where the window does not want to.

    A lower priority alone lets it end its time slice before the window wakes, 3 ms and more; what is scheduled as idle
    is interrupted at once. Linux shares the time between sessions first and looks at priorities within one: a program
    in a session of its own has to lower its session's too.
    """
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, level)
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        if os.getsid(0) == os.getpid():
            with contextlib.suppress(OSError):
                Path("/proc/self/autogroup").write_text(str(level), "ascii")


def prefer_this_process(by: int = 10) -> None:
    """Let child processes that are started from now on give way to this one: a window answers while they compute."""
    os.environ.setdefault(NICE, str(by))


def adopt_orphans() -> None:
    """Make this process the parent of what its children leave behind, so that it can wait for it (Linux)."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _prepare_child(parent: int, sig: int) -> Callable[[], None]:
    def prepare() -> None:
        # Away from the terminal's process group: Ctrl+C reaches the program, which then stops its children in order.
        os.setsid()
        die_with_parent(parent, sig)

    return prepare


def child_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for foreign programs: a frozen build's own library path must not reach them."""
    environment = dict(os.environ)
    if is_frozen():
        original = environment.pop("LD_LIBRARY_PATH_ORIG", None)
        environment.pop("LD_LIBRARY_PATH", None)
        if original is not None:
            environment["LD_LIBRARY_PATH"] = original
    environment.update(extra or {})
    return environment


class ChildProcess:
    """A foreign program whose output lines are streamed to ``on_line``; use ``start`` and ``stop``."""

    def __init__(self, process: asyncio.subprocess.Process, name: str, on_line: Callable[[str], None]) -> None:
        self._process = process
        self._name = name
        self._reader = asyncio.get_running_loop().create_task(self._read(on_line), name=f"{name} output")

    @classmethod
    async def start(
        cls,
        argv: Sequence[str | Path],
        *,
        name: str,
        on_line: Callable[[str], None],
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        death_signal: int = signal.SIGKILL,
    ) -> ChildProcess:
        """Start the program. Raises EngineError when it cannot be executed.

        ``death_signal`` is what it gets when this program is killed: SIGTERM lets it save what it holds.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                *(str(item) for item in argv),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env=child_environment(env),
                cwd=cwd,
                preexec_fn=_prepare_child(os.getpid(), death_signal) if os.name == "posix" else None,
            )
        except OSError as error:
            raise EngineError(f"{name} could not be started", f"{argv[0]}: {error.strerror or error!r}") from error
        return cls(process, name, on_line)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Exit status, None while it runs."""
        return self._process.returncode

    async def wait(self) -> int:
        """Wait for its end and return the exit status."""
        return await self._process.wait()

    async def stop(self, deadline: float = 5.0) -> int:
        """End it: SIGTERM, then SIGKILL after ``deadline`` seconds. Returns the exit status."""
        with contextlib.suppress(ProcessLookupError):
            if self._process.returncode is None:
                self._process.terminate()
        try:
            code = await asyncio.wait_for(self._process.wait(), deadline)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            code = await self._process.wait()
        await self._reader
        return code

    async def _read(self, on_line: Callable[[str], None]) -> None:
        stream = self._process.stdout
        assert stream is not None
        while True:
            try:
                line = await stream.readline()
            except ValueError:  # a line longer than the buffer: drop what is there and go on
                continue
            if not line:
                return
            on_line(line.decode("utf-8", "replace").rstrip("\n"))


def use_one_thread() -> None:
    """Let BLAS and torch use one thread: here where they are not imported yet, and in processes started from now on.

    The work is split over processes: two pools of threads on the same cores wait for each other, a hundredfold.
    """
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
