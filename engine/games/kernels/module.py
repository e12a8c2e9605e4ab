"""Compiles and launches the kernels. Whatever has the methods of :class:`Accelerator` can run them.

The tests have another one beside :class:`CudaAccelerator`: it runs the same sources on the processor.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from engine.core.arrays import Device, array_module, cuda_devices
from engine.core.errors import DependencyError

FOLDER = Path(__file__).parent
OPTIONS = ("-std=c++17",)
EXACT = {"lemke_howson.cu"}  # these round as the processor does: without fused multiply-adds
STATIC_SHARED = 48 << 10  # bytes of shared memory that a block has without asking
Grid = tuple[int, int, int]

_SQUARES = tuple(f"rm_plus_thread<{n}, {n}, {p}>" for n in range(1, 9) for p in ("false", "true"))
# Every file with the kernels that a test compiles of it; templates have more (a thread's games: any shape to 8 x 8).
KERNELS: dict[str, tuple[str, ...]] = {
    "rm_plus.cu": (
        *_SQUARES,
        *(f"rm_plus_thread<{n}, {m}, {p}>" for n, m in ((1, 8), (8, 3)) for p in ("false", "true")),
        *(f"rm_plus_lanes<{side}, {p}>" for side in (2, 4) for p in ("false", "true")),
        *(f"rm_plus_block<{side}, {p}>" for side in (8, 16) for p in ("false", "true")),
    ),
    "rm_plus_large.cu": ("rm_plus_half<false>", "rm_plus_half<true>"),
    "pure_check.cu": ("pure_check",),
    "lemke_howson.cu": ("lemke_howson<32>", "lemke_howson<128>"),
    "support_pairs.cu": tuple(f"support_pairs<{size}>" for size in range(1, 9)),
    "consensus.cu": ("nash_equilibrium_kernel",),
}


class Kernel(Protocol):
    """A compiled kernel. Arguments are arrays of its device and NumPy scalars of the exact type; it returns at once."""

    def __call__(self, grid: Grid, block: Grid, arguments: Sequence[Any], shared: int = 0) -> None:
        """Launch with ``shared`` bytes of dynamic shared memory a block."""


class Accelerator(Protocol):
    """What launches kernels, and where their arrays live: ``xp`` is NumPy or CuPy."""

    name: str
    xp: Any
    block_shared: int  # bytes of shared memory a block may have
    failures: tuple[type[Exception], ...]  # what it raises when it fails: out of memory, lost, refused

    def kernel(self, file: str, name: str) -> Kernel:
        """Return a kernel of one of the files, by its name with template arguments."""

    def room(self) -> int:
        """Return how many bytes of its memory may be used now."""

    def active(self) -> AbstractContextManager[Any]:
        """Return a context in which arrays are made here and work is queued on a stream of its own."""

    def to_host(self, array: Any) -> Any:
        """Wait for an array and return it as a NumPy array."""

    def wait(self) -> None:
        """Wait until all that was queued is done."""


def source_of(file: str) -> str:
    """Return a kernel's source with our own headers put in, so that compilers need no folder."""
    seen: set[str] = set()

    def expand(name: str) -> str:
        if name in seen:
            return ""
        seen.add(name)
        text = (FOLDER / name).read_text("utf-8")
        return re.sub(r'^#include "([\w.]+)"$', lambda found: expand(found.group(1)), text, flags=re.MULTILINE)

    return expand(file)


def options_of(file: str) -> tuple[str, ...]:
    """Return the compiler's options for a kernel's file."""
    return (*OPTIONS, "-fmad=false") if file in EXACT else OPTIONS


class CudaAccelerator:
    """One CUDA device. Kernels are compiled by NVRTC when first used; CuPy keeps them on disk."""

    def __init__(self, device: Device) -> None:
        """Raises DependencyError without CuPy or without a device."""
        self.device = device
        self.name = f"{device.name} ({device.index})"
        self.block_shared = device.block_shared
        cupy: Any = array_module("cuda")
        self.xp = cupy
        self.failures: tuple[type[Exception], ...] = (
            cupy.cuda.runtime.CUDARuntimeError,
            cupy.cuda.driver.CUDADriverError,
            cupy.cuda.memory.OutOfMemoryError,
        )
        self._device = self.xp.cuda.Device(device.index)
        with self._device:
            self._stream = self.xp.cuda.Stream(non_blocking=True)
        self._kernels: dict[tuple[str, str], Kernel] = {}

    def kernel(self, file: str, name: str) -> Kernel:
        """Return a kernel, compiled for this device. Raises DependencyError when NVRTC is missing or refuses."""
        if (file, name) not in self._kernels:
            with self._device:
                self._kernels[file, name] = functools.partial(_launch, self._compiled(file, name))
        return self._kernels[file, name]

    def _compiled(self, file: str, name: str) -> Any:
        refusals = (self.xp.cuda.compiler.CompileException, RuntimeError, ImportError, OSError)
        try:
            module = self.xp.RawModule(code=source_of(file), options=options_of(file), name_expressions=(name,))
            return module.get_function(name)
        except self.failures:
            raise
        except refusals as error:
            why = f"{name}: {str(error).strip() or type(error).__name__}"
            raise DependencyError(
                "A GPU kernel cannot be compiled", why, "Update CuPy, or use device 'cpu'."
            ) from error

    def room(self) -> int:
        """Return how many bytes may be used now: three quarters of what is free, the pool's own included."""
        with self._device:
            free, _ = self.xp.cuda.runtime.memGetInfo()
            return int((free + self.xp.get_default_memory_pool().free_bytes()) * 3 // 4)

    def active(self) -> AbstractContextManager[Any]:
        """Return a context with this device and its stream current."""
        return _Both(self._device, self._stream)

    def to_host(self, array: Any) -> Any:
        """Wait for an array and return it as a NumPy array."""
        return self.xp.asnumpy(array)

    def wait(self) -> None:
        """Wait until all that was queued is done."""
        self._stream.synchronize()


@functools.cache
def accelerators() -> tuple[CudaAccelerator, ...]:
    """Return all CUDA devices, with what was compiled for them. Raises DependencyError without CuPy or a device."""
    return tuple(CudaAccelerator(device) for device in cuda_devices())


class _Both(AbstractContextManager[None]):
    """Enters a device, then a stream, and leaves them the other way round."""

    def __init__(self, device: Any, stream: Any) -> None:
        self._device = device
        self._stream = stream

    def __enter__(self) -> None:
        self._device.__enter__()
        self._stream.__enter__()

    def __exit__(self, *error: object) -> None:
        self._stream.__exit__(*error)
        self._device.__exit__(*error)


def _launch(function: Any, grid: Grid, block: Grid, arguments: Sequence[Any], shared: int = 0) -> None:
    if shared > STATIC_SHARED and function.max_dynamic_shared_size_bytes < shared:
        function.max_dynamic_shared_size_bytes = shared
    function(grid, block, tuple(arguments), shared_mem=shared)
