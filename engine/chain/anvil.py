"""The devnet: one Anvil a data directory, its state saved on stop and loaded on start."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from engine.chain import busy
from engine.chain.beat import Beat
from engine.chain.control import NodeControl
from engine.chain.errors import DevnetError, PortBusyError
from engine.chain.events import DevnetChanged
from engine.chain.locate import find_anvil
from engine.chain.output import NodeOutput, blank_keys
from engine.chain.record import NodeRecord, read_record, write_record
from engine.chain.rpc import Rpc
from engine.chain.state import StateNote, check_state, keep_good, put_aside, read_note, write_note
from engine.core.bus import EventBus
from engine.core.errors import EngineError
from engine.core.process import ChildProcess, child_environment

CHAIN_ID = 31337
DEADLINE = 30.0
STOP_DEADLINE = 10.0
OLDER = 1_000  # states of older blocks on disk, a megabyte each and more; Anvil's own limit is 3,600
# Seconds for a node to save its chain and end with its program; elsewhere than on Linux it is not told of that.
ORPHAN_DEADLINE = STOP_DEADLINE if sys.platform == "linux" else 0.0


@dataclass(frozen=True, slots=True)
class DevnetStatus:
    """What the node is doing. ``state``: stopped, starting, running, stopping or failed (then with a ``cause``).

    ``mining`` is automine, interval (of ``interval`` seconds) or manual; ``started`` is in seconds since the epoch.
    """

    state: str = "stopped"
    url: str | None = None
    port: int | None = None
    chain_id: int | None = None
    pid: int | None = None
    version: str | None = None
    block: int | None = None
    detached: bool = False
    mining: str = ""
    interval: int = 0
    started: float | None = None
    cause: str = ""


class Devnet:
    """Starts, finds and stops the node of a data directory. Calls are answered one after another."""

    def __init__(self, folder: Path, bus: EventBus, *, binary: Path | None = None) -> None:
        self.folder = folder
        self.binary = binary
        self._bus = bus
        self._record = folder / "node.json"
        self._state = self._state_of(CHAIN_ID)
        self._older = folder / "states"  # of older blocks, which Anvil moves out of memory; of use to one process alone
        self._status = DevnetStatus()
        self._child: ChildProcess | None = None
        self._watch: asyncio.Task[None] | None = None
        self._beat: Beat | None = None
        self._turn = asyncio.Lock()

    @property
    def status(self) -> DevnetStatus:
        """What was last seen."""
        return self._status

    @property
    def saved(self) -> StateNote | None:
        """What the saved state is: which Anvil wrote it, and its head. None where there is none yet."""
        return read_note(self._state)

    async def up(self, *, port: int | None = None, chain_id: int = CHAIN_ID, detached: bool = False) -> DevnetStatus:
        """Start the node, or adopt the one that runs. ``port`` None takes a free one; a fixed one never changes.

        A ``detached`` node outlives this program. Raises AnvilMissingError, PortBusyError or DevnetError.
        """
        async with self._turn:
            async with self._alone():
                await self._outlast_orphan()
                if (await self._look()).state == "running":
                    return self._require_same(port, chain_id)
                self._require_none_hangs()
                binary = find_anvil(self.binary)
                self._set(DevnetStatus("starting", chain_id=chain_id))
                try:
                    await self._require_free(port)
                    self._state = self._state_of(chain_id)
                    await asyncio.to_thread(check_state, self._state)
                    await self._start_on_good_state(binary, port or 0, chain_id, detached)
                    keep_good(self._state)
                except asyncio.CancelledError:  # whoever asked for it wants it no more
                    self._set(DevnetStatus())
                    raise
                except BaseException as error:
                    self._set(DevnetStatus("failed", cause=str(error) or repr(error)))
                    raise
                return self._status

    async def down(self) -> DevnetStatus:
        """Stop the node after it saved its state, whoever started it here."""
        async with self._turn, self._alone():
            record = read_record(self._record)
            if record is not None:
                self._set(replace(self._status, state="stopping"))
                note = await self._describe(record)
                await self._stop(record)
                await self._forget_older()
                if note is not None:
                    write_note(self._state, note)
            self._record.unlink(missing_ok=True)
            self._set(DevnetStatus())
            return self._status

    async def refresh(self) -> DevnetStatus:
        """Look at the node, also one that another program started on this data directory."""
        async with self._turn:
            return await self._look()

    async def close(self) -> None:
        """Stop the node unless it is detached."""
        if self._child is not None:
            await self.down()
        await self._end_watch()

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """Keep other programs on this data directory from starting or stopping the node meanwhile."""
        lock = FileLock(self.folder / "node.lock", timeout=0)
        try:
            async with asyncio.timeout(DEADLINE + STOP_DEADLINE):
                while True:
                    try:
                        lock.acquire()
                        break
                    except Timeout:
                        await asyncio.sleep(0.05)
        except TimeoutError as error:
            raise DevnetError("Another Nashboard is starting or stopping this devnet", str(self.folder)) from error
        try:
            yield
        finally:
            lock.release()

    async def _look(self) -> DevnetStatus:
        record = read_record(self._record)
        if record is None or (record.orphaned and self._watch is None):  # one that was seen running is watched
            if self._status.state in ("running", "stopping"):
                self._set(DevnetStatus("failed", cause="the node's process is gone"))
            return self._status
        rpc = Rpc(record.url, deadline=5.0)
        try:
            if record.detached:
                await NodeControl(rpc).hand_over()
            block, mining = await rpc.block_number(), await NodeControl(rpc).mining()
        except EngineError as error:
            self._set(DevnetStatus("failed", pid=record.pid, cause=f"it runs but does not answer ({error.why})"))
            return self._status
        finally:
            await rpc.close()
        self._set(self._running(record, block, mining))
        self._ensure_watch(record)
        return self._status

    def _running(self, record: NodeRecord, block: int, mining: tuple[str, int]) -> DevnetStatus:
        return DevnetStatus(
            "running",
            url=record.url,
            port=record.port,
            chain_id=record.chain_id,
            pid=record.pid,
            version=record.version,
            block=block,
            detached=record.detached,
            mining=mining[0],
            interval=mining[1],
            started=record.started,
        )

    def _require_same(self, port: int | None, chain_id: int) -> DevnetStatus:
        status = self._status
        if (port not in (None, status.port)) or chain_id != status.chain_id:
            raise DevnetError(
                "A devnet runs already on this data directory",
                f"it is at {status.url} with chain id {status.chain_id}",
                "Stop it first, or use it as it is.",
            )
        return status

    async def _outlast_orphan(self) -> None:
        """Let a node end whose program has: it still answers, and saves its chain last. Where it stays, stop it."""
        record = read_record(self._record)
        if record is not None and record.orphaned:
            if not await record.gone_within(ORPHAN_DEADLINE):
                await self._stop(record)
            self._record.unlink(missing_ok=True)

    def _require_none_hangs(self) -> None:
        """Refuse a second node on the state of one that lives but does not answer."""
        record = read_record(self._record)
        if record is not None:
            raise DevnetError(
                "The devnet does not answer", f"its process {record.pid} still runs", "Stop it, then start again."
            )

    async def _require_free(self, port: int | None) -> None:
        if port is None or not busy.taken(port):
            return
        occupant = await busy.occupant(port)
        alternatives = busy.alternatives(port)
        raise PortBusyError(
            f"The port {port} is taken",
            f"{occupant} listens there and is left alone",
            f"Use {alternatives[0] if alternatives else 'another one'}, or let a free one be chosen.",
            port=port,
            occupant=occupant,
            alternatives=alternatives,
        )

    def _state_of(self, chain_id: int) -> Path:
        """Each chain id has a state of its own: blocks of one are none of another."""
        return self.folder / ("state.json" if chain_id == CHAIN_ID else f"state-{chain_id}.json")

    async def _start_on_good_state(self, binary: Path, port: int, chain_id: int, detached: bool) -> None:
        try:
            await self._start(binary, port, chain_id, detached)
        except DevnetError as error:
            if "parse json" not in error.why:
                raise
            put_aside(self._state)
            await self._start(binary, port, chain_id, detached)

    async def _start(self, binary: Path, port: int, chain_id: int, detached: bool) -> None:
        await self._end_watch()  # that of a node that ended before
        self._child = None
        arguments = [
            str(binary),
            *("--host", "127.0.0.1", "--port", str(port), "--chain-id", str(chain_id)),
            *("--state", str(self._state), "--state-interval", "1", "--no-request-size-limit", "--order", "fifo"),
            *("--cache-path", str(self._older), "--max-persisted-states", str(OLDER)),
        ]
        await self._forget_older()
        output = NodeOutput(self._bus)
        if detached:
            pid = self._spawn(arguments, output)
        else:
            self._child = await ChildProcess.start(
                arguments, name="Anvil", on_line=output.take, death_signal=signal.SIGTERM
            )
            pid = self._child.pid
        try:
            async with asyncio.timeout(DEADLINE):
                found = await output.port(lambda: self._gone(pid), self.folder / "anvil.log" if detached else None)
                if detached:
                    blank_keys(self.folder / "anvil.log")
                await self._greet(pid, found, chain_id, detached)
        except BaseException as error:
            await self._kill(pid)
            if isinstance(error, TimeoutError):
                raise DevnetError("Anvil did not start", f"no answer within {DEADLINE:g} s", output.tail()) from error
            raise

    def _spawn(self, arguments: list[str], output: NodeOutput) -> int:
        """Start a node that outlives this program; its output goes to a file."""
        path = self.folder / "anvil.log"
        with path.open("wb") as log:
            process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=child_environment(),
            )
        process.returncode = 0  # it is not ours to wait for: no warning when this handle goes
        return process.pid

    async def _greet(self, pid: int, port: int, chain_id: int, detached: bool) -> None:
        rpc = Rpc(f"http://127.0.0.1:{port}", deadline=DEADLINE)
        try:
            version = str(await rpc.request("web3_clientVersion"))
            await _keep_time(rpc)
            block, mining = await rpc.block_number(), await NodeControl(rpc).mining()
        finally:
            await rpc.close()
        record = NodeRecord.of(pid, port, chain_id, version, detached=detached)
        write_record(self._record, record)
        if (note := await self._describe(record)) is not None:
            write_note(self._state, note)  # a node that is killed later saved every second, and notes nothing any more
        self._set(self._running(record, block, mining))
        self._ensure_watch(record)

    async def _describe(self, record: NodeRecord) -> StateNote | None:
        """Return what the state is that a node is about to save; None of one that does not answer."""
        self._state = self._state_of(record.chain_id)
        rpc = Rpc(record.url, deadline=5.0)
        try:
            head = await rpc.head()
        except EngineError:
            return None
        finally:
            await rpc.close()
        return StateNote(record.version, int(head["number"], 16), str(head.get("hash", "")), time.time())

    def _gone(self, pid: int) -> bool:
        if self._child is not None:
            return self._child.returncode is not None
        return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE

    def _ensure_watch(self, record: NodeRecord) -> None:
        if self._watch is None or self._watch.done():
            self._watch = asyncio.get_running_loop().create_task(self._watch_process(record), name="devnet watch")
            if self._child is not None:
                self._beat = Beat(record.url)

    async def _watch_process(self, record: NodeRecord) -> None:
        """Tell within half a second when the node ends by itself."""
        if self._child is not None:
            code = await self._child.wait()
            cause = f"Anvil ended unexpectedly with status {code}"
        else:
            while record.alive:  # noqa: ASYNC110  (a foreign process sends no event)
                await asyncio.sleep(0.5)
            cause = "Anvil ended; another program or the system stopped it"
        await self._end_beat()
        if self._status.state == "running":
            self._child = None
            self._record.unlink(missing_ok=True)
            self._set(DevnetStatus("failed", cause=cause))

    async def _stop(self, record: NodeRecord) -> None:
        await self._end_watch()
        if self._child is not None:
            await self._child.stop(STOP_DEADLINE)
            self._child = None
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(record.pid, signal.SIGTERM)
        if not await record.gone_within(STOP_DEADLINE):
            with contextlib.suppress(ProcessLookupError):
                os.kill(record.pid, signal.SIGKILL)

    async def _forget_older(self) -> None:
        """Remove what a node kept of older blocks: one that is ended leaves it."""
        await asyncio.to_thread(shutil.rmtree, self._older, ignore_errors=True)

    async def _kill(self, pid: int) -> None:
        if self._child is not None:
            await self._child.stop(1.0)
            self._child = None
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    async def _end_beat(self) -> None:
        beat, self._beat = self._beat, None
        if beat is not None:
            await beat.close()

    async def _end_watch(self) -> None:
        await self._end_beat()
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch

    def _set(self, status: DevnetStatus) -> None:
        changed = replace(status, block=None) != replace(self._status, block=None)
        self._status = status
        if changed:
            s = status
            self._bus.publish(DevnetChanged(s.state, s.url, s.chain_id, s.pid, s.version, s.cause))


async def _keep_time(rpc: Rpc) -> None:
    """Let the chain's time go on where it was: after a warp and a restart Anvil would fall back to the wall clock."""
    head = await rpc.request("eth_getBlockByNumber", "latest", False)
    ahead = int(head["timestamp"], 16) - int(time.time())
    if ahead > 0:
        await rpc.request("evm_increaseTime", ahead + 1)
