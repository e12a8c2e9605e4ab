"""What ``nashboard bench games --device cuda`` prints: rows made with the emulated device, and bounds by hand."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from engine.core.arrays import Device, array_module, cuda_devices, device_from
from engine.core.errors import DependencyError

BENCH = Path(__file__).parents[3] / "bench"
# What CUDA tells of an H200.
H200 = {
    "name": b"NVIDIA H200",
    "totalGlobalMem": 150_754_820_096,
    "multiProcessorCount": 132,
    "clockRate": 1_980_000,
    "memoryClockRate": 3_201_000,
    "memoryBusWidth": 6016,
    "major": 9,
    "minor": 0,
    "sharedMemPerMultiprocessor": 233_472,
    "sharedMemPerBlock": 49_152,
    "sharedMemPerBlockOptin": 232_448,
}


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCH))
    return importlib.import_module("games_cuda")


def test_bounds_are_those_of_the_design(bench: ModuleType) -> None:
    """On an H200 the goals are the shares that the design names, give or take the clock."""
    device = device_from(0, H200)
    assert device.fma_rate == pytest.approx(3.345e13, rel=1e-3)
    assert device.bandwidth == pytest.approx(4.81e12, rel=1e-2)
    shares = {n: goal / bench.bound_of(device, n, what) for n, _, goal, what in bench.RATES}
    assert shares == {
        8: pytest.approx(0.19, abs=0.01),
        32: pytest.approx(0.31, abs=0.01),
        128: pytest.approx(0.51, abs=0.01),
        1024: pytest.approx(0.70, abs=0.01),
    }


@pytest.mark.parametrize(("n", "what"), [(8, "FMA"), (32, "FMA"), (128, "shared memory"), (140, "memory")])
def test_rate_rows(bench: ModuleType, host: Any, n: int, what: str) -> None:
    made = bench.rate_row(host, device_from(0, H200), n, 2, 1e3, what, lambda _: None, 0.001)
    assert made["rate"] > 0
    assert made["share"] == pytest.approx(made["rate"] / made["bound"])
    assert made["ratio"] == pytest.approx(made["share"])  # the bound stands where a peer would
    assert made["peer_name"] == f"the {what} bound"


def test_batch_and_scaling_rows(bench: ModuleType, host: Any) -> None:
    made = bench.batch_row([host], 30, lambda _: None, 0.0)
    assert "0 left to the processor, 100.0% the same" in made["note"]
    assert bench.scaling_row([host, host], 12, lambda _: None, 0.0)["ratio"] > 0


def test_clocks_that_are_not_told_leave_bounds_unknown(bench: ModuleType) -> None:
    device = Device(0, "unknown", 1, 100, 0.0, 0.0, 90, 1, 1)
    assert bench.bound_of(device, 8, "FMA") == 0.0


def test_arrays_on_the_processor_need_nothing() -> None:
    assert array_module("cpu").__name__ == "numpy"


def test_a_machine_without_cupy_or_gpu_says_what_to_do(bench: ModuleType) -> None:
    try:
        cuda_devices()
    except DependencyError as error:
        assert error.why
        assert "cpu" in error.next_step or "nashboard[gpu]" in error.next_step
        with pytest.raises(DependencyError):
            array_module("cuda")
        with pytest.raises(DependencyError):
            bench.rows(lambda _: None, 0.1)
    else:
        pytest.skip("there is a CUDA device")


@pytest.mark.cuda
def test_the_device_tells_what_bounds_need(cuda: Any) -> None:
    assert cuda.device.multiprocessors > 0
    assert cuda.device.clock > 1e8
    assert cuda.device.memory > 1 << 30
