"""Where kernels run in these tests."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from engine.core.errors import DependencyError
from engine.games.kernels.module import CudaAccelerator, accelerators
from tests.engine.games.kernels.emulator.host import HostAccelerator


@pytest.fixture(scope="session")
def kernel_folder(request: pytest.FixtureRequest) -> Path:
    if not sys.platform.startswith("linux"):
        pytest.skip("the emulation switches stacks as Linux does")
    return Path(request.config.cache.mkdir("kernels"))


@pytest.fixture(scope="session")
def host(kernel_folder: Path) -> HostAccelerator:
    return HostAccelerator(kernel_folder)


@pytest.fixture(scope="session")
def backwards(kernel_folder: Path) -> HostAccelerator:
    return HostAccelerator(kernel_folder, backwards=True)


@pytest.fixture(scope="session")
def cuda() -> CudaAccelerator:
    """The first CUDA device, for tests marked ``cuda``; skips where there is none."""
    try:
        return accelerators()[0]
    except DependencyError as error:
        pytest.skip(str(error))
