"""The few calls of wasmtime's C interface that a match needs, without the checks that cost more than the match.

wasmtime-py's ``Func.__call__`` and ``exports`` look up types and build objects at every use: about 13 us a call. The
same libraries are called here with prepared arguments. Everything lives in one Store, which is deleted with the match.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any, Final

from wasmtime import Engine, Module, WasmtimeError
from wasmtime import _ffi as ffi

from engine.league.gate.limits import PAGE

_NO_FINALIZER: Final = ctypes.cast(0, ctypes.CFUNCTYPE(None, ctypes.c_void_p))
_I64: Final = int(ffi.WASMTIME_I64.value)
_NAMES: dict[str, tuple[Any, int]] = {}


def _name(text: str) -> tuple[Any, int]:
    found = _NAMES.get(text)
    if found is None:
        raw = text.encode()
        found = _NAMES[text] = (ctypes.create_string_buffer(raw), len(raw))
    return found


class NativeStore:
    """One match's world: create, instantiate, call, read, close. Not shared between threads."""

    def __init__(self, engine: Engine, epochs: int) -> None:
        self._store: Any = ffi.wasmtime_store_new(engine.ptr(), None, _NO_FINALIZER)
        self.context = ffi.wasmtime_store_context(self._store)
        ffi.wasmtime_context_set_epoch_deadline(self.context, epochs)

    def close(self) -> None:
        """Free everything in the store."""
        if self._store is not None:
            ffi.wasmtime_store_delete(self._store)
            self._store = None

    def __enter__(self) -> NativeStore:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def instantiate(self, module: Module, imports: Sequence[Any] = ()) -> Any:
        """Return a new instance; ``imports`` are externs in the module's order. Raises WasmtimeError."""
        instance, trap = ffi.wasmtime_instance_t(), ctypes.POINTER(ffi.wasm_trap_t)()
        array = (ffi.wasmtime_extern_t * len(imports))(*imports)
        error = ffi.wasmtime_instance_new(
            self.context, module.ptr(), array, len(imports), ctypes.byref(instance), ctypes.byref(trap)
        )
        if error:
            raise WasmtimeError._from_ptr(error)
        if trap:
            code = trap_code(trap)
            ffi.wasm_trap_delete(trap)
            raise WasmtimeError(f"instantiation stopped with trap {code}")
        return instance

    def export(self, instance: Any, name: str) -> Any:
        """Return the extern of that name. Raises KeyError."""
        item = ffi.wasmtime_extern_t()
        buffer, size = _name(name)
        if not ffi.wasmtime_instance_export_get(self.context, ctypes.byref(instance), buffer, size, ctypes.byref(item)):
            raise KeyError(name)
        return item

    def call(self, function: Any, *arguments: int) -> tuple[int | None, int]:
        """Call a function of integers; return (trap code or None, its first result as signed 64 bits).

        Trap code -1 stands for an error that is not a trap.
        """
        values = (ffi.wasmtime_val_raw_t * max(len(arguments), 1))()
        for index, argument in enumerate(arguments):
            values[index].i64 = argument
        trap = ctypes.POINTER(ffi.wasm_trap_t)()
        error = ffi.wasmtime_func_call_unchecked(
            self.context, ctypes.byref(function.of.func), values, len(values), ctypes.byref(trap)
        )
        if error:
            ffi.wasmtime_error_delete(error)
            return -1, 0
        if trap:
            code = trap_code(trap)
            ffi.wasm_trap_delete(trap)
            return code, 0
        return None, values[0].i64

    def read(self, memory: Any, start: int, size: int) -> bytes:
        """Return a copy of part of a memory. The caller has checked that it lies inside."""
        return ctypes.string_at(self._address(memory) + start, size)

    def write(self, memory: Any, content: bytes) -> None:
        """Write ``content`` to a memory's beginning, growing it where needed. Raises WasmtimeError."""
        missing = len(content) - self.memory_size(memory)
        if missing > 0:
            before, pages = ctypes.c_uint64(), -(-missing // PAGE)
            error = ffi.wasmtime_memory_grow(self.context, ctypes.byref(memory.of.memory), pages, ctypes.byref(before))
            if error:
                raise WasmtimeError._from_ptr(error)
        ctypes.memmove(self._address(memory), content, len(content))

    def _address(self, memory: Any) -> int:
        data = ffi.wasmtime_memory_data(self.context, ctypes.byref(memory.of.memory))
        return ctypes.cast(data, ctypes.c_void_p).value or 0

    def memory_size(self, memory: Any) -> int:
        """Return a memory's size in bytes."""
        return int(ffi.wasmtime_memory_data_size(self.context, ctypes.byref(memory.of.memory)))

    def global_value(self, item: Any) -> int:
        """Return the value of an i32 or i64 global."""
        value = ffi.wasmtime_val_t()
        ffi.wasmtime_global_get(self.context, ctypes.byref(item.of.global_), ctypes.byref(value))
        return int(value.of.i64 if int(value.kind) == _I64 else value.of.i32)


def trap_code(trap: Any) -> int:
    """Return the trap's code, -1 when it has none."""
    code = ffi.wasmtime_trap_code_t()
    return int(code.value) if ffi.wasmtime_trap_code(trap, ctypes.byref(code)) else -1
