"""The few calls of wasmtime's C interface that a match needs, without the checks that cost more than the match.

wasmtime-py's ``Func.__call__`` and ``exports`` look up types and build objects at every use: about 13 us a call. Here
the same library is called with addresses that are prepared once. Everything lives in one store, which is deleted with
the match. Source of the signatures: wasmtime's ``wasmtime/{store,instance,func,memory,global,trap}.h``.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from ctypes import POINTER, addressof, byref, c_bool, c_size_t, c_uint64, c_void_p, string_at
from typing import Any, Final

from wasmtime import Engine, Module, WasmtimeError
from wasmtime import _ffi as ffi

from engine.league.gate.limits import PAGE

_I64: Final = int(ffi.WASMTIME_I64.value)
_EXTERN_BYTES: Final = ctypes.sizeof(ffi.wasmtime_extern_t)
_INSTANCE_BYTES: Final = ctypes.sizeof(ffi.wasmtime_instance_t)
_OF: Final = ffi.wasmtime_extern_t.of.offset
# A result that stands for an error which is no trap.
NO_TRAP_CODE: Final = -1


def _native(name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
    """Return a function of the library under a signature of our own: plain addresses instead of typed pointers."""
    function: Any = ffi.dll[name]
    function.restype, function.argtypes = result, arguments
    return function  # type: ignore[no-any-return]


_P: Final = c_void_p
_store_new = _native("wasmtime_store_new", _P, _P, _P, _P)
_store_context = _native("wasmtime_store_context", _P, _P)
_store_delete = _native("wasmtime_store_delete", None, _P)
_set_epoch_deadline = _native("wasmtime_context_set_epoch_deadline", None, _P, c_uint64)
_instance_new = _native("wasmtime_instance_new", _P, _P, _P, _P, c_size_t, _P, _P)
_export_get = _native("wasmtime_instance_export_get", c_bool, _P, _P, _P, c_size_t, _P)
_func_call = _native("wasmtime_func_call_unchecked", _P, _P, _P, _P, c_size_t, _P)
_memory_data = _native("wasmtime_memory_data", _P, _P, _P)
_memory_size = _native("wasmtime_memory_data_size", c_size_t, _P, _P)
_memory_grow = _native("wasmtime_memory_grow", _P, _P, _P, c_uint64, _P)
_global_get = _native("wasmtime_global_get", None, _P, _P, _P)
_error_delete = _native("wasmtime_error_delete", None, _P)


def pointer_of(owner: Engine | Module) -> int:
    """Return the address behind one of wasmtime-py's objects; valid while that object lives."""
    pointer: Any = owner.ptr()
    return ctypes.cast(pointer, c_void_p).value or 0


class Names:
    """Export names in the form that the library takes; kept alive here."""

    def __init__(self) -> None:
        self._kept: dict[str, Any] = {}

    def address(self, text: str) -> tuple[int, int]:
        """Return (address, length) of a name."""
        buffer = self._kept.get(text)
        if buffer is None:
            buffer = self._kept[text] = ctypes.create_string_buffer(text.encode())
        return addressof(buffer), len(buffer) - 1


_NAMES: Final = Names()


class Links:
    """Room for some instances and externs of a store, and where each extern comes from; reused match after match.

    ``sources`` are (instance number, export name); the externs come out in that order, as an import list takes them.
    """

    def __init__(self, instances: int, sources: Sequence[tuple[int, str]]) -> None:
        self._instances = (ffi.wasmtime_instance_t * instances)()
        self._externs = (ffi.wasmtime_extern_t * max(len(sources), 1))()
        self.count = len(sources)
        self.externs = addressof(self._externs)
        self._plan = tuple(
            (self.instance(number), *_NAMES.address(name), self.extern(at)) for at, (number, name) in enumerate(sources)
        )

    def instance(self, number: int) -> int:
        """Return the address of an instance."""
        return addressof(self._instances) + number * _INSTANCE_BYTES

    def extern(self, number: int) -> int:
        """Return the address of an extern."""
        return self.externs + number * _EXTERN_BYTES

    def resolve(self, context: int) -> None:
        """Look all externs up. Raises KeyError with the name that is missing."""
        for instance, name, length, extern in self._plan:
            if not _export_get(context, instance, name, length, extern):
                raise KeyError(string_at(name, length).decode())


class NativeStore:
    """One match's world: create, instantiate, call, read, close. Addresses are integers. Not shared between threads."""

    def __init__(self, engine: int, epochs: int) -> None:
        self._store: int | None = _store_new(engine, None, None)
        self.context: int = _store_context(self._store)
        _set_epoch_deadline(self.context, epochs)

    def close(self) -> None:
        """Free everything in the store."""
        if self._store is not None:
            _store_delete(self._store)
            self._store = None

    def __enter__(self) -> NativeStore:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def instantiate(self, module: int, instance: int, imports: int = 0, count: int = 0) -> None:
        """Make a new instance at ``instance``.

        ``imports`` is where ``count`` externs lie, in the module's order. Raises WasmtimeError.
        """
        trap = POINTER(ffi.wasm_trap_t)()
        error = _instance_new(self.context, module, imports, count, instance, byref(trap))
        if error:
            raise _as_exception(error)
        if trap:
            raise WasmtimeError(f"instantiation stopped with trap {_take_code(trap)}")

    def export(self, instance: int, name: str) -> Any:
        """Return the extern of that name. Raises KeyError."""
        item = ffi.wasmtime_extern_t()
        address, length = _NAMES.address(name)
        if not _export_get(self.context, instance, address, length, addressof(item)):
            raise KeyError(name)
        return item

    def call(self, function: Any, *arguments: int) -> tuple[int | None, int]:
        """Call a function of integers; return (trap code or None, its first result as signed 64 bits)."""
        values = (ffi.wasmtime_val_raw_t * (len(arguments) or 1))()
        for index, argument in enumerate(arguments):
            values[index].i64 = argument
        trap = POINTER(ffi.wasm_trap_t)()
        error = _func_call(self.context, addressof(function) + _OF, values, len(values), byref(trap))
        if error:
            _error_delete(error)
            return NO_TRAP_CODE, 0
        if trap:
            return _take_code(trap), 0
        return None, values[0].i64

    def read(self, memory: Any, start: int, size: int) -> bytes:
        """Return a copy of part of a memory. The caller has checked that it lies inside."""
        return string_at(self.memory_address(memory) + start, size)

    def write(self, memory: Any, content: bytes) -> None:
        """Write ``content`` to a memory's beginning, growing it where needed. Raises WasmtimeError."""
        missing = len(content) - self.memory_size(memory)
        if missing > 0:
            before = c_uint64()
            error = _memory_grow(self.context, addressof(memory) + _OF, -(-missing // PAGE), byref(before))
            if error:
                raise _as_exception(error)
        ctypes.memmove(self.memory_address(memory), content, len(content))

    def memory_address(self, memory: Any) -> int:
        """Return where a memory begins in this process; valid until it grows or the store closes."""
        return int(_memory_data(self.context, addressof(memory) + _OF) or 0)

    def memory_size(self, memory: Any) -> int:
        """Return a memory's size in bytes."""
        return int(_memory_size(self.context, addressof(memory) + _OF))

    def global_value(self, item: Any) -> int:
        """Return the value of an i32 or i64 global."""
        value = ffi.wasmtime_val_t()
        _global_get(self.context, addressof(item) + _OF, addressof(value))
        return int(value.of.i64 if int(value.kind) == _I64 else value.of.i32)


def _as_exception(error: int) -> WasmtimeError:
    return WasmtimeError._from_ptr(ctypes.cast(error, POINTER(ffi.wasmtime_error_t)))


def _take_code(trap: Any) -> int:
    """Return the trap's code and free it."""
    code = ffi.wasmtime_trap_code_t()
    known = ffi.wasmtime_trap_code(trap, byref(code))
    ffi.wasm_trap_delete(trap)
    return int(code.value) if known else NO_TRAP_CODE
