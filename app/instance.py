"""One console a data directory: a second one passes its files to the first, which comes to the front."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QLockFile, QObject
from PySide6.QtNetwork import QLocalServer, QLocalSocket

_DEADLINE_MS = 2000


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
        """Pass ``files`` to the console that runs; False when it does not answer."""
        socket = QLocalSocket()
        socket.connectToServer(self._name)
        if not socket.waitForConnected(_DEADLINE_MS):
            return False
        socket.write(json.dumps([str(path.resolve()) for path in files]).encode())
        while socket.bytesToWrite() and socket.waitForBytesWritten(_DEADLINE_MS):
            pass
        done = not socket.bytesToWrite()
        socket.disconnectFromServer()
        return done

    def release(self) -> None:
        """Stop listening and give the lock back."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self._lock.unlock()

    def _accept(self) -> None:
        assert self._server is not None
        socket = self._server.nextPendingConnection()
        if socket is not None:
            socket.disconnected.connect(lambda: self._read(socket))
            if socket.state() == QLocalSocket.LocalSocketState.UnconnectedState:
                self._read(socket)

    def _read(self, socket: QLocalSocket) -> None:
        data = bytes(socket.readAll().data())
        socket.deleteLater()
        try:
            names = json.loads(data)
            files = [Path(name) for name in names if isinstance(name, str)]
        except (ValueError, TypeError):
            return
        if self._on_files is None:
            self._early.append(files)
        else:
            self._on_files(files)
