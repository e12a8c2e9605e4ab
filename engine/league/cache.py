"""Compiled modules on disk, so that a second start does not compile again.

A compiled module is native code: loading one that somebody else wrote runs their code. Each entry therefore carries
an HMAC under a key that only this installation has, and its name depends on everything that shapes the code.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import platform
import secrets
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import wasmtime

from engine.core.files import write_atomically
from engine.league.gate.limits import GATE_VERSION

_log = logging.getLogger(__name__)
_KEY_BYTES: Final = 32
_TAG_BYTES: Final = 32
_MAX_ENTRIES: Final = 512


def processor() -> str:
    """Return what identifies this processor's instruction set."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    features = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return f"{platform.machine()} {hashlib.sha256(features.encode()).hexdigest()[:16]}"


def _wasmtime_build() -> str:
    try:
        return version("wasmtime")
    except PackageNotFoundError:  # a frozen build may carry the library without its metadata
        return f"of {Path(str(wasmtime.__file__)).stat().st_size} bytes"


class CodeCache:
    """A private folder of serialized modules. Any trouble with it means compiling again, never a failure."""

    def __init__(self, folder: Path, configuration: str) -> None:
        self._folder = folder / "code"
        self._suffix = "|".join((GATE_VERSION, _wasmtime_build(), configuration, processor())).encode()
        self._key = self._load_key()

    def load(self, module_hash: str) -> bytes | None:
        """Return the serialized module, None when absent or not written by this installation."""
        if self._key is None:
            return None
        path = self._path(module_hash)
        try:
            raw = path.read_bytes()
        except OSError:
            return None
        tag, payload = raw[:_TAG_BYTES], raw[_TAG_BYTES:]
        if hmac.compare_digest(tag, self._tag(self._key, path.name, payload)):
            return payload
        _log.warning("the compiled module %s was not written by this installation and is ignored", path.name)
        path.unlink(missing_ok=True)
        return None

    def save(self, module_hash: str, payload: bytes) -> None:
        """Store a serialized module; a full disk or the like is logged and harmless."""
        if self._key is None:
            return
        path = self._path(module_hash)
        try:
            write_atomically(path, self._tag(self._key, path.name, payload) + payload)
            self._prune()
        except OSError as error:
            _log.warning("compiled modules cannot be kept in %s: %s", self._folder, error.strerror or error)

    def _path(self, module_hash: str) -> Path:
        return self._folder / hashlib.sha256(module_hash.encode() + b"|" + self._suffix).hexdigest()

    @staticmethod
    def _tag(key: bytes, name: str, payload: bytes) -> bytes:
        return hmac.new(key, name.encode() + b"\0" + payload, hashlib.sha256).digest()

    def _load_key(self) -> bytes | None:
        """Return this installation's key, made on first use. None: the folder is not private or cannot be used."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            status = self._folder.stat()
            if os.name == "posix" and (status.st_uid != os.getuid() or status.st_mode & 0o077):
                _log.warning("%s is not private, compiled modules are not kept", self._folder)
                return None
            path = self._folder / "key"
            if not path.exists():
                write_atomically(path, secrets.token_bytes(_KEY_BYTES), replace=False)
            key = path.read_bytes()
        except OSError as error:
            _log.warning("compiled modules cannot be kept in %s: %s", self._folder, error.strerror or error)
            return None
        return key if len(key) == _KEY_BYTES else None

    def _prune(self) -> None:
        entries = [path for path in self._folder.iterdir() if path.name != "key"]
        if len(entries) <= _MAX_ENTRIES:
            return
        for path in sorted(entries, key=lambda item: item.stat().st_mtime)[: len(entries) - _MAX_ENTRIES]:
            path.unlink(missing_ok=True)
