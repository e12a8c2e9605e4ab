"""The process that the DHT's nodes are forked from: it imports hivemind once, starts and kills nodes, and reports ends.

It keeps no threads and no event loop, so that a fork is a fork. When the console ends in whatever way, the kernel ends
this process; when this one ends, the nodes; when a node ends, its libp2p daemon.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import select
import shutil
import signal
import socket
import struct
import sys
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from engine.core.process import adopt_orphans, die_with_parent, use_one_thread
from engine.learning.transport.worker import frames
from engine.learning.transport.worker.node import NodeOrder, serve


def main(parent: int, folder: str) -> None:
    """Run until the console says stop or is gone. ``folder``: where its socket is, and where output goes."""
    _settle(parent, Path(folder))
    with socket.socket(socket.AF_UNIX) as channel:
        channel.connect(str(Path(folder) / "control.sock"))
        try:
            import_module("hivemind.dht.node")  # before the first fork: two seconds and a hundred megabytes, once
        except Exception as error:  # a broken installation raises anything
            channel.sendall(frames.encode({"event": "failed", "node": -1, "why": f"{type(error).__name__}: {error}"}))
            return
        gc.freeze()  # the collector of a fork would copy what it shares with this process by looking at it
        channel.sendall(frames.encode({"event": "hosting", "node": -1}))
        Host(channel).run()


def _settle(parent: int, folder: Path) -> None:
    """Become a process that says nothing, ends with its parent, and takes its folder with it."""
    os.setsid()

    def leave(_: int, __: FrameType | None) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(0)

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent(parent, signal.SIGTERM)
    adopt_orphans()
    use_one_thread()
    os.environ.setdefault("HIVEMIND_LOGLEVEL", "ERROR")
    with (folder / "worker.log").open("ab") as log:
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)


class Host:
    """Starts, kills and reaps node processes as the console asks."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._nodes: dict[int, int] = {}  # process id -> number

    def run(self) -> None:
        """Serve until the channel ends; then end the nodes."""
        while True:
            readable, _, _ = select.select([self._channel], [], [], 0.05)
            self._reap()
            if readable:
                header = self._read()
                if header is None or header["op"] == "stop":
                    break
                if header["op"] == "start":
                    self._start(header)
                elif header["op"] == "kill":
                    self._kill(header["node"])
        for process in list(self._nodes):
            os.kill(process, signal.SIGKILL)
        self._reap(wait=True)

    def _read(self) -> frames.Header | None:
        data = b""
        length = 4
        while len(data) < length:
            part = self._channel.recv(length - len(data))
            if not part:
                return None
            data += part
            if len(data) == 4 and length == 4:
                length = 4 + int(struct.unpack(">I", data)[0])
        return frames.decode(data[4:])[0]

    def _start(self, header: frames.Header) -> None:
        order = NodeOrder(
            number=header["node"],
            folder=Path(header["folder"]),
            port=header["port"],
            initial=tuple(header["initial"]),
            origin=header["origin"],
            speed=header["speed"],
            ttl=header["ttl"],
            now=header["now"],
            authors=tuple((bytes.fromhex(author), peer_id, role) for author, peer_id, role in header["authors"]),
        )
        parent = os.getpid()
        process = os.fork()
        if process == 0:
            self._be_node(order, parent)
        self._nodes[process] = order.number

    def _be_node(self, order: NodeOrder, parent: int) -> NoReturn:
        status = 1
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            die_with_parent(parent)
            self._channel.close()
            asyncio.run(serve(order))
            status = 0
        except BaseException as error:  # a forked process never returns into the code of its parent
            print(f"node {order.number}: {error!r}", file=sys.stderr, flush=True)  # noqa: T201  # to the log file
        finally:
            os._exit(status)

    def _kill(self, number: int) -> None:
        for process, node in self._nodes.items():
            if node == number:
                os.kill(process, signal.SIGKILL)

    def _reap(self, *, wait: bool = False) -> None:
        while True:  # the daemons of killed nodes, which were adopted, are reaped here too
            try:
                process, status = os.waitpid(-1, 0 if wait else os.WNOHANG)
            except ChildProcessError:
                return
            if process == 0:
                return
            number = self._nodes.pop(process, None)
            if number is not None and not wait:
                ended: dict[str, Any] = {"event": "ended", "node": number, "status": os.waitstatus_to_exitcode(status)}
                with contextlib.suppress(OSError):
                    self._channel.sendall(frames.encode(ended))
