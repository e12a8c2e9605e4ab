"""Runs kernels without a GPU: their sources compiled for the processor, behind the same interface as a CUDA device."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.games.kernels.module import KERNELS, Grid, source_of

HEADER = Path(__file__).with_name("cuda_on_host.h")
FLAGS = [
    "-std=c++17",
    "-O1",
    "-fPIC",
    "-shared",
    "-ffp-contract=off",
    "-U_FORTIFY_SOURCE",
    "-fno-exceptions",
    "-fno-rtti",
]
WARNINGS = ["-Wall", "-Werror", "-Wno-unknown-pragmas", "-Wno-unused-function"]

GUARD = 4096  # bytes before and after every array
ONE_AT_A_TIME = threading.Lock()  # the emulated block is in global variables


def compilers() -> Iterator[list[str]]:
    """Whatever compiles C++ here: the system's, else the one that comes with the development tools."""
    if shutil.which("g++"):
        yield ["g++"]
    yield [sys.executable, "-m", "ziglang", "cc", "-fno-sanitize=all"]


class Guarded:
    """An argument as the driver takes it: the address of a value; of an array, the value is the address of a copy.

    Around the copy lie bytes that make NaNs: who reads there gets no numbers, who writes there is found out.
    """

    def __init__(self, given: Any) -> None:
        self._given = given if isinstance(given, np.ndarray) else None
        if self._given is None:
            assert isinstance(given, np.generic), "a kernel needs arrays and NumPy scalars"
            self._value = np.asarray(given)
        else:
            assert given.flags.c_contiguous, "a kernel needs contiguous arrays"
            self._copy = np.full(given.nbytes + 2 * GUARD, 0xFF, np.uint8)
            self._inside = self._copy[GUARD : GUARD + given.nbytes]
            self._inside[:] = np.frombuffer(given.tobytes(), np.uint8)
            self._value = np.asarray(self._inside.ctypes.data, np.uintp)
        self.address = self._value.ctypes.data

    def take_back(self) -> bool:
        """Copy what was written into the array; return whether nothing was written beside it."""
        if self._given is None:
            return True
        self._given[...] = self._inside.view(self._given.dtype).reshape(self._given.shape)
        return bool((self._copy[:GUARD] == 0xFF).all() and (self._copy[-GUARD:] == 0xFF).all())


class HostAccelerator:
    """Runs kernels on the processor. ``backwards``: threads in the opposite order, which must not matter."""

    xp = np
    block_shared = 227 << 10
    failures = (MemoryError,)

    def __init__(self, folder: Path, *, backwards: bool = False, room: int = 1 << 30, name: str = "processor") -> None:
        self._folder = folder
        self._libraries: dict[str, ctypes.CDLL] = {}
        self.backwards = backwards
        self.free = room
        self.name = name
        self.launched: list[str] = []

    def kernel(self, file: str, name: str) -> Callable[..., None]:
        assert name in KERNELS[file], f"{name} is not among the kernels that are tested"
        if file not in self._libraries:
            library = ctypes.CDLL(str(compiled_for_host(file, self._folder)))
            library.run_kernel.restype = ctypes.c_char_p
            self._libraries[file] = library
        library = self._libraries[file]

        def launch(grid: Grid, block: Grid, arguments: Sequence[Any], shared: int = 0) -> None:
            self.launched.append(name)
            guarded = [Guarded(given) for given in arguments]
            pointers = (ctypes.c_void_p * len(guarded))(*(one.address for one in guarded))
            sizes = (ctypes.c_int * 3)(*grid), (ctypes.c_int * 3)(*block)
            with ONE_AT_A_TIME:
                problem = library.run_kernel(name.encode(), pointers, *sizes, shared, self.backwards)
            assert not problem, f"{name}: {problem.decode()}"
            for number, one in enumerate(guarded):
                assert one.take_back(), f"{name} wrote beside its argument {number}"

        return launch

    def room(self) -> int:
        return self.free

    def active(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def to_host(self, array: Any) -> Any:
        return np.array(array)

    def wait(self) -> None:
        pass


def compiled_for_host(file: str, folder: Path) -> Path:
    """Compile all kernels of a file for the processor, once for any content of it."""
    entries = "\n".join(
        f'{{"{name}", [](void *values) {{ emulator::call({name}, values); }}}},' for name in KERNELS[file]
    )
    text = (
        f'#include "cuda_on_host.h"\n{source_of(file)}\nstatic const emulator::Entry entries[] = {{\n{entries}\n}};\n'
        'extern "C" const char *run_kernel(const char *name, void **values, const int *grid, const int *block,'
        " int shared, int backwards) {\n    for (const auto &entry : entries)\n        if (!strcmp(entry.name, name))"
        " return emulator::run(entry.run, values, grid, block, shared, backwards);\n"
        '    return "there is no such kernel";\n}\n'
    )
    tag = hashlib.sha256((text + HEADER.read_text("utf-8") + " ".join(FLAGS)).encode()).hexdigest()[:16]
    made = folder / f"{Path(file).stem}-{tag}.so"
    if made.is_file():
        return made
    source, fresh = folder / f"{made.stem}-{os.getpid()}.cpp", folder / f"{made.stem}-{os.getpid()}.so"
    source.write_text(text, "utf-8")
    said = []
    for compiler in compilers():
        argv = [*compiler, "-x", "c++", *FLAGS, *WARNINGS, f"-I{HEADER.parent}", "-o", str(fresh), str(source)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            source.unlink()
            fresh.replace(made)  # at once, for other test processes
            return made
        said.append(done.stderr)
    pytest.fail("\n".join(said), pytrace=False)
