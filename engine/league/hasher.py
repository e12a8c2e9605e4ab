"""Trace hashes at speed: the SIMD module ``assets/hasher/trace_hasher.wasm``, loaded once a process.

It computes what :mod:`engine.core.merkle` and :mod:`engine.core.hashing` define, four steps at a time, and refuses
bytes that are not a trace. Only agents are untrusted; this module is ours, so it is pinned by its hash and runs on an
engine of its own without metering.
"""

from __future__ import annotations

import ctypes
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from wasmtime import Config, Engine, Func, Instance, Memory, Module, Store
from wasmtime import _ffi as ffi

from engine.core.errors import DependencyError
from engine.core.merkle import EMPTY_TRACE_ROOT
from engine.core.paths import assets_dir
from engine.league.errors import SandboxError, TraceError

MODULE_SHA256: Final = "abbd31d2c06d28822740c9468420cc7ba21bc5a5a056d6105e5983b8dba2d476"
HASH_BYTES: Final = 32

_REASONS: Final = {
    -1: "a record's header is cut off",
    -2: "an observation is longer than 16384 bytes",
    -3: "a record's observation is cut off",
    -4: "the padding behind an observation is not zero",
    -5: "a record has unknown flags",
    -6: "a fault has an unknown code",
    -7: "a record without a mailbox does not hold its packed observation",
    -8: "the steps are not numbered 0, 1, 2, ...",
    -9: "a fault is not the last step",
}


class Hasher:
    """Leaf hashes and roots of traces. Not safe to share between threads; make one in each process and keep it."""

    def __init__(self, path: Path | None = None) -> None:
        """Load and compile the module. Raises DependencyError when it is missing or not the one this version ships."""
        code = _load(path or assets_dir() / "hasher" / "trace_hasher.wasm")
        config = Config()
        config.cranelift_opt_level = "speed"
        self._store = Store(Engine(config))
        exports: Any = Instance(self._store, Module(self._store.engine, code), []).exports(self._store)
        self._memory: Memory = exports["memory"]
        self._reserve: Func = exports["reserve"]
        self._hash = _ShortCall(self._store, exports["hash"])
        self._capacity = -1
        self._grow(1 << 16)
        self._root_at: int = exports["root"](self._store)

    def root(self, trace: bytes) -> bytes:
        """Return the trace's root, 32 bytes. Raises TraceError for bytes that are not a trace."""
        return self._run(trace, 0)[1]

    def leaves(self, trace: bytes) -> bytes:
        """Return the leaf hashes one after the other, 32 bytes a step. Raises TraceError."""
        return self.hash(trace)[1]

    def hash(self, trace: bytes) -> tuple[bytes, bytes]:
        """Return root and leaf hashes at once. Raises TraceError."""
        count, root = self._run(trace, 1)
        return root, ctypes.string_at(self._base + self._trace_at, count * HASH_BYTES)

    def _run(self, trace: bytes, want_leaves: int) -> tuple[int, bytes]:
        size = len(trace)
        if size > self._capacity:
            self._grow(size)
        ctypes.memmove(self._base + self._trace_at, trace, size)
        count = self._hash(size, want_leaves)
        if count > 0:
            return count, ctypes.string_at(self._base + self._root_at, HASH_BYTES)
        if count == 0:
            return 0, EMPTY_TRACE_ROOT
        raise TraceError("These bytes are not a match trace", _REASONS.get(count, f"code {count}"))

    def _grow(self, size: int) -> None:
        """Make room for ``size`` bytes; the memory may move, so its address is read again."""
        offset = self._reserve(self._store, size)
        if offset == 0:
            raise SandboxError(f"The trace hasher has no room for {size} bytes", "", "Close other programs.")
        self._base = ctypes.addressof(self._memory.data_ptr(self._store).contents)
        self._trace_at = offset
        self._capacity = size


class _ShortCall:
    """Calls a function of two i32 that answers with an i32, without the checks that cost a fifth of a root."""

    def __init__(self, store: Store, function: Func) -> None:
        self._owner = store  # the context below dies with it
        self._context = store._context()
        self._function = ctypes.byref(function._func)
        self._values = (ffi.wasmtime_val_raw_t * 2)()
        self._trap = ctypes.POINTER(ffi.wasm_trap_t)()

    def __call__(self, first: int, second: int) -> int:
        values = self._values
        values[0].i32, values[1].i32 = first, second
        error = ffi.wasmtime_func_call_unchecked(self._context, self._function, values, 2, ctypes.byref(self._trap))
        if error or self._trap:
            raise SandboxError("The trace hasher stopped", "its code trapped", "Report this as a bug.")
        return int(values[0].i32)


def _load(path: Path) -> bytes:
    try:
        code = path.read_bytes()
    except OSError as error:
        raise DependencyError(
            "The trace hasher is missing", f"{path}: {error.strerror}", "Install Nashboard again."
        ) from error
    if (found := sha256(code).hexdigest()) != MODULE_SHA256:
        raise DependencyError(
            "The trace hasher is not the one of this version", f"{path} has SHA-256 {found}", "Install Nashboard again."
        )
    return code
