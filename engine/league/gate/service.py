"""The gate as its callers see it: files in, verdicts out. The work is done by a warm child process."""

from __future__ import annotations

import asyncio
import json
import logging
import multiprocessing
import os
import signal
import stat
import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from hashlib import sha256
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, Final

from engine.league.errors import SandboxError
from engine.league.gate.child import serve
from engine.league.gate.inspect import too_large
from engine.league.gate.limits import MAX_FILE_BYTES, caps_for
from engine.league.gate.verdict import Verdict
from engine.league.system import SystemSpec

_log = logging.getLogger(__name__)
_REMEMBERED: Final = 256
_CLOSE_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class GateLimits:
    """What one check may take: bytes of memory, seconds of processor, seconds on the clock.

    The limits on modules keep honest checks far below these; the clock is generous, for a busy machine must not
    change a verdict.
    """

    memory_bytes: int = 1024 * 1024 * 1024
    cpu_seconds: int = 60
    wall_seconds: float = 240.0


class SyncGate:
    """The gate for callers without a loop. A context manager: it owns a child process, started at the first check."""

    def __init__(self, limits: GateLimits | None = None) -> None:
        self._limits = limits or GateLimits()
        self._lock = threading.Lock()
        self._process: SpawnProcess | None = None
        self._connection: Connection | None = None
        self._known: OrderedDict[tuple[str, str], Verdict] = OrderedDict()
        self._closed = False
        self._aborted = False

    def __enter__(self) -> SyncGate:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def child_pid(self) -> int | None:
        """Process id of the child, None while there is none."""
        return self._process.pid if self._process is not None else None

    def close(self) -> None:
        """End the child; more than once is harmless."""
        self._closed = True
        with self._lock:
            self._stop()

    def abort(self) -> None:
        """End a check that is running in another thread, now; it gives a rejection that is not remembered."""
        self._aborted = True
        process = self._process
        if process is not None and process.is_alive():
            process.kill()

    def check(self, data: bytes, kind: str = "agent", name: str = "") -> Verdict:
        """Return the verdict on a file's bytes; ``kind`` is "agent" or "system".

        Raises SandboxError when no child can be started, KeyError for another ``kind``.
        """
        caps_for(kind)
        reason = too_large(len(data))
        digest = sha256(data).hexdigest()
        if reason:
            return Verdict(name, digest, False, reason, kind)
        with self._lock:
            known = self._known.get((digest, kind))
            if known is not None:
                return replace(known, name=name)
            self._aborted = False
            verdict, final = self._ask(data, digest, kind, name)
            if verdict is None and not self._aborted:
                # Killed from outside, perhaps while idle: that says nothing about the file. Once more.
                verdict, final = self._ask(data, digest, kind, name)
            if verdict is None:
                return Verdict(name, digest, False, "the check was ended from outside", kind)
            if final:
                self._remember(verdict)
            return verdict

    def check_file(self, path: Path, kind: str = "agent") -> Verdict:
        """Return the verdict on a file. What is too large is not read, its ``sha256`` stays empty."""
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):
                return Verdict(path.name, "", False, "not a regular file", kind)
            reason = too_large(status.st_size)
            if reason:
                return Verdict(path.name, "", False, reason, kind)
            with path.open("rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)
        except OSError as error:
            return Verdict(path.name, "", False, f"cannot be read: {error.strerror or error}", kind)
        return self.check(data, kind, path.name)

    def _ask(self, data: bytes, digest: str, kind: str, name: str) -> tuple[Verdict | None, bool]:
        """Return the verdict, None when the child was killed, and whether it depends on the file alone."""
        connection = self._start()
        try:
            connection.send_bytes(json.dumps({"kind": kind}).encode())
            connection.send_bytes(data)
            if not connection.poll(self._limits.wall_seconds):
                self._stop()
                reason = f"checking it took longer than {self._limits.wall_seconds:g} s"
                return Verdict(name, digest, False, reason, kind), False
            answer: dict[str, Any] = json.loads(connection.recv_bytes())
            module = connection.recv_bytes()
        except (EOFError, OSError):
            reason = self._autopsy()
            return (Verdict(name, digest, False, reason, kind) if reason else None), False
        if "bug" in answer:
            _log.error("the gate failed on %s (%s): %s", name, digest, answer["bug"])
        if not answer["accepted"]:
            return Verdict(name, digest, False, str(answer["reason"]), kind), True
        spec = SystemSpec.model_validate(answer["spec"]) if answer["spec"] else None
        return Verdict(name, digest, True, "", kind, str(answer["abi"]), module, spec), True

    def _autopsy(self) -> str:
        """Return the reason to give when the child died of a file, empty when something else killed it."""
        process = self._process
        code: int | None = None
        if process is not None:
            process.join(_CLOSE_SECONDS)
            code = process.exitcode
        self._stop()
        if code == -signal.SIGXCPU:
            return f"checking it took more than {self._limits.cpu_seconds} s of processor time"
        if code == -signal.SIGABRT:
            return f"checking it took more than {self._limits.memory_bytes >> 20} MiB of memory"
        if code is None or code in (-signal.SIGKILL, -signal.SIGTERM):
            return ""
        return f"the check broke off ({_exit_text(code)})"

    def _remember(self, verdict: Verdict) -> None:
        self._known[verdict.sha256, verdict.kind] = verdict
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def _start(self) -> Connection:
        if self._process is not None and self._process.is_alive() and self._connection is not None:
            return self._connection
        self._stop()
        if self._closed:
            raise SandboxError("The gate is closed")
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(
            target=serve,
            args=(theirs, self._limits.memory_bytes, self._limits.cpu_seconds),
            name="gate",
            daemon=True,
        )
        try:
            process.start()
        except OSError as error:
            ours.close()
            raise SandboxError("The gate's process could not be started", error.strerror or str(error)) from error
        finally:
            theirs.close()
        self._process, self._connection = process, ours
        return ours

    def _stop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        process, self._process = self._process, None
        if process is None:
            return
        process.join(0 if process.is_alive() else _CLOSE_SECONDS)
        if process.is_alive():
            process.kill()
            process.join()
        process.close()


def _exit_text(code: int) -> str:
    if code >= 0:
        return f"exit status {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


class Gate:
    """The gate for the event loop: ``async with Gate() as gate: await gate.check(data)``.

    Checks are answered one after another; a cancelled check ends at once.
    """

    def __init__(self, limits: GateLimits | None = None) -> None:
        self._gate = SyncGate(limits)
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Gate:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End the child; more than once is harmless."""
        self._gate.abort()
        await asyncio.to_thread(self._gate.close)

    @property
    def child_pid(self) -> int | None:
        """Process id of the child, None while there is none."""
        return self._gate.child_pid

    async def check(self, data: bytes, kind: str = "agent", name: str = "") -> Verdict:
        """Return the verdict on a file's bytes; see :meth:`SyncGate.check`."""
        return await self._in_turn(self._gate.check, data, kind, name)

    async def check_file(self, path: str | os.PathLike[str], kind: str = "agent") -> Verdict:
        """Return the verdict on a file; see :meth:`SyncGate.check_file`."""
        return await self._in_turn(self._gate.check_file, Path(path), kind)

    async def _in_turn(self, function: Any, *arguments: Any) -> Verdict:
        async with self._turn:
            work = asyncio.ensure_future(asyncio.to_thread(function, *arguments))
            try:
                return await asyncio.shield(work)
            except asyncio.CancelledError:
                self._gate.abort()
                await asyncio.wait([work])
                raise
