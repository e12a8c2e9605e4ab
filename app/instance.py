"""One console a data directory: a second one passes its files to the first, which comes to the front."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from itertools import count
from pathlib import Path

from PySide6.QtCore import QLockFile, QObject, QTimer
from PySide6.QtNetwork import QLocalServer, QLocalSocket

DEADLINE_MS = 5000  # for an answer: a console that is busy, or still builds its window, gives one within it
LONGEST = 1 << 20  # bytes of what a later start may say
TAKEN = b"taken\n"


class SingleInstance(QObject):
    """Holds the lock of a data directory and listens for later starts on a local socket."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        user = os.getuid() if hasattr(os, "getuid") else 0
        self._name = f"nashboard-{user}-{hashlib.sha256(str(folder).encode()).hexdigest()[:16]}"
        self._lock = QLockFile(str(folder / "console.lock"))
        # Zero: never stale by age (a console may run for weeks); a lock whose process died is still taken over.
        self._lock.setStaleLockTime(0)
        self._server: QLocalServer | None = None
        self._on_files: Callable[[list[Path]], None] | None = None
        self._early: list[list[Path]] = []
        self._talks: dict[int, QLocalSocket] = {}
        self._numbers = count(1)

    def acquire(self) -> bool:
        """Become the one console of this directory; False when there is one already."""
        if not self._lock.tryLock(0):
            return False
        QLocalServer.removeServer(self._name)
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._accept)
        self._server.listen(self._name)
        return True

    def listen(self, on_files: Callable[[list[Path]], None]) -> None:
        """Give the files of later starts to ``on_files`` (an empty list: just come to the front).

        What came while the window was still being built is given now.
        """
        self._on_files = on_files
        early, self._early = self._early, []
        for files in early:
            on_files(files)

    def hand_over(self, files: list[Path]) -> bool:
        """Pass ``files`` to the console that runs; False when it does not say that it took them.

        What the system took for a console that hangs is not taken yet.
        """
        socket = QLocalSocket()
        socket.connectToServer(self._name)
        if not socket.waitForConnected(DEADLINE_MS):
            return False
        socket.write(json.dumps([str(path.resolve()) for path in files]).encode() + b"\n")
        while socket.bytesAvailable() < len(TAKEN) and socket.waitForReadyRead(DEADLINE_MS):
            pass
        taken = bytes(socket.readAll().data()) == TAKEN
        socket.disconnectFromServer()
        return taken

    def holder(self) -> int:
        """Return the id of the process that has the directory, 0 where none is known."""
        pid, *_ = self._lock.getLockInfo()
        return int(pid)

    def release(self) -> None:
        """Stop listening and give the lock back."""
        for socket in self._talks.values():
            socket.blockSignals(True)  # one that is taken apart tells of it
        self._talks.clear()
        if self._server is not None:
            self._server.close()
            self._server = None
        self._lock.unlock()

    def _accept(self) -> None:
        assert self._server is not None
        socket = self._server.nextPendingConnection()
        if socket is not None:
            # Ours alone, and its slots hold a number: with a parent, or held by a slot, it is taken apart twice.
            socket.setParent(None)
            number = next(self._numbers)
            self._talks[number] = socket
            socket.disconnected.connect(lambda: QTimer.singleShot(0, lambda: self._drop(number)))
            socket.readyRead.connect(lambda: self._read(number))
            self._read(number)

    def _read(self, number: int) -> None:
        socket = self._talks.get(number)
        if socket is None:
            return
        if not socket.canReadLine():
            if socket.bytesAvailable() > LONGEST:
                socket.readAll()
            return
        from engine.core.hashing import parse_json  # not before the first paint

        try:
            names = parse_json(bytes(socket.readLine().data()))
            files = [Path(name) for name in names if isinstance(name, str)]
        except (ValueError, TypeError):
            return
        socket.write(TAKEN)
        socket.flush()
        if self._on_files is None:
            self._early.append(files)
        else:
            self._on_files(files)

    def _drop(self, number: int) -> None:
        self._talks.pop(number, None)
