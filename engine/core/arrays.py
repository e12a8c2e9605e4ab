"""Where arrays live: NumPy on the processor, CuPy on CUDA devices. CuPy is imported only when a device is asked for."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from engine.core.errors import DependencyError

_INSTALL = "pip install 'nashboard[gpu]' (CUDA 12) or 'nashboard[gpu13]' (CUDA 13)."
# fp32 units of a multiprocessor, by compute capability; newer ones than these are taken to have 128.
_FP32_UNITS = {60: 64, 70: 64, 72: 64, 75: 64, 80: 64}


@dataclass(frozen=True, slots=True)
class Device:
    """A CUDA device: ``memory`` in bytes, ``clock`` in Hz, ``bandwidth`` of its memory in bytes/s (0: not told).

    ``capability`` is the compute capability times ten (90: Hopper), ``shared`` the shared memory of a multiprocessor
    in bytes, ``block_shared`` what one block may have of it.
    """

    index: int
    name: str
    memory: int
    multiprocessors: int
    clock: float
    bandwidth: float
    capability: int
    shared: int
    block_shared: int

    @property
    def fma_rate(self) -> float:
        """fp32 multiply-adds a second, at the highest clock."""
        return self.multiprocessors * _FP32_UNITS.get(self.capability, 128) * self.clock

    @property
    def shared_rate(self) -> float:
        """Bytes a second out of shared memory: 32 banks of 4 bytes a clock in every multiprocessor."""
        return self.multiprocessors * 128 * self.clock


def array_module(device: str) -> ModuleType:
    """Return NumPy for ``"cpu"``, CuPy for ``"cuda"``. Raises DependencyError without CuPy or without a device."""
    if device == "cpu":
        return np
    cupy = _cupy()
    _count(cupy)
    return cupy


def cuda_devices() -> tuple[Device, ...]:
    """Return the CUDA devices, at least one. Raises DependencyError without CuPy or without a device."""
    cupy = _cupy()
    runtime = cupy.cuda.runtime
    return tuple(device_from(index, runtime.getDeviceProperties(index)) for index in range(_count(cupy)))


def device_from(index: int, properties: dict[str, Any]) -> Device:
    """Make a device of what the CUDA runtime tells of it (clocks in kHz, the bus in bits).

    CUDA 13 does not tell clocks here any more; then they are asked for one by one.
    """
    name = properties["name"]
    clock = properties.get("clockRate") or _attribute("ClockRate", index)
    memory_clock = properties.get("memoryClockRate") or _attribute("MemoryClockRate", index)
    return Device(
        index,
        name.decode(errors="replace") if isinstance(name, bytes) else str(name),
        int(properties["totalGlobalMem"]),
        int(properties["multiProcessorCount"]),
        clock * 1e3,
        2 * memory_clock * 1e3 * properties.get("memoryBusWidth", 0) / 8,
        10 * int(properties["major"]) + int(properties["minor"]),
        int(properties["sharedMemPerMultiprocessor"]),
        int(properties.get("sharedMemPerBlockOptin", properties["sharedMemPerBlock"])),
    )


def _attribute(name: str, index: int) -> float:
    return float(_cupy().cuda.Device(index).attributes.get(name, 0))


def _cupy() -> ModuleType:
    try:
        return importlib.import_module("cupy")
    except ImportError as error:
        raise DependencyError("No CUDA device can be used", f"CuPy cannot be imported: {error}", _INSTALL) from error


def _count(cupy: ModuleType) -> int:
    try:
        count = int(cupy.cuda.runtime.getDeviceCount())
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise DependencyError(
            "No CUDA device can be used", f"the driver says: {error}", "Install NVIDIA's driver, or use device 'cpu'."
        ) from error
    if count == 0:
        raise DependencyError("No CUDA device can be used", "there is none on this machine", "Use device 'cpu'.")
    return count
