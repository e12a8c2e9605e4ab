"""Every kernel is compiled by NVIDIA's compilers, where one is there: no warning, no register that does not fit."""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from engine.games.kernels.module import FOLDER, KERNELS, options_of, source_of

# Registers a thread may take. RM+ in tiles: three blocks of 128 threads a multiprocessor. Pairs: whatever there is.
REGISTERS = {"rm_plus.cu": 168, "support_pairs.cu": 255}
OLD = (70, 75, 80, 90)  # compilers drop the oldest ones in time


def test_every_file_is_listed_with_every_kernel() -> None:
    assert {path.name for path in FOLDER.glob("*.cu")} == set(KERNELS)
    for file, names in KERNELS.items():
        there = set(
            re.findall(r"^__global__ void (?:__launch_bounds__\([^\n]*\)\s+)?(\w+)\(", source_of(file), re.MULTILINE)
        )
        assert there == {name.partition("<")[0] for name in names}, file


def nvcc() -> str:
    return shutil.which("nvcc") or pytest.skip("nvcc is not here")


def with_all_kernels(file: str) -> str:
    """The source, with every kernel asked for, so that templates are made."""
    listed = ", ".join(f"reinterpret_cast<const void *>(&{name})" for name in KERNELS[file])
    return f"{source_of(file)}\nextern const void *const kernels[];\nconst void *const kernels[] = {{{listed}}};\n"


@pytest.mark.parametrize("file", KERNELS)
def test_nvcc_makes_hopper_code_without_spills(file: str, tmp_path: Path) -> None:
    source, made = tmp_path / file, tmp_path / "kernels.cubin"
    source.write_text(with_all_kernels(file), "utf-8")
    argv = [nvcc(), *options_of(file), "-arch=sm_90", "-cubin", "-Werror", "all-warnings"]
    argv += ["-Xptxas", "-v,-warn-spills,-warn-lmem-usage", "-o", str(made), str(source)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    said = done.stdout + done.stderr
    assert len(re.findall(r"Compiling entry function", said)) == len(KERNELS[file])
    assert set(re.findall(r"(\d+) bytes stack frame", said)) == {"0"}
    assert max(map(int, re.findall(r"Used (\d+) registers", said))) <= REGISTERS.get(file, 128)


@pytest.mark.parametrize("file", KERNELS)
def test_nvcc_makes_code_for_older_devices(file: str, tmp_path: Path) -> None:
    known = subprocess.run([nvcc(), "--list-gpu-arch"], capture_output=True, text=True, check=True).stdout.split()
    oldest = next(number for number in OLD if f"compute_{number}" in known)
    source, made = tmp_path / file, tmp_path / "kernels.ptx"
    source.write_text(with_all_kernels(file), "utf-8")
    argv = [nvcc(), *options_of(file), f"-arch=compute_{oldest}", "-ptx", "-Werror", "all-warnings"]
    done = subprocess.run([*argv, "-o", str(made), str(source)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall(r"^\.visible \.entry|^\.entry", made.read_text(), re.MULTILINE)) == len(KERNELS[file])


class Nvrtc:
    """NVIDIA's run-time compiler, which needs no GPU: the one that CuPy uses."""

    def __init__(self) -> None:
        places = [ctypes.util.find_library("nvrtc")]
        for package in ("nvidia.cuda_nvrtc", "nvidia.cu13"):
            try:
                found = importlib.util.find_spec(package)
            except ModuleNotFoundError:
                continue
            for folder in (found.submodule_search_locations or []) if found else []:
                places += sorted(str(path) for path in Path(folder).glob("lib/libnvrtc.so.*"))
        place = next((place for place in places if place), None)
        if place is None:
            pytest.skip("NVRTC is not here")
        self.library = ctypes.CDLL(place)

    def compile(self, source: str, names: tuple[str, ...], options: tuple[str, ...]) -> tuple[int, str, bytes]:
        """Return the result code, the log and the PTX."""
        library, program = self.library, ctypes.c_void_p()
        assert library.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernels.cu", 0, None, None) == 0
        for name in names:
            assert library.nvrtcAddNameExpression(program, name.encode()) == 0
        given = (ctypes.c_char_p * len(options))(*(option.encode() for option in options))
        code = library.nvrtcCompileProgram(program, len(options), given)
        log = self._text(library.nvrtcGetProgramLogSize, library.nvrtcGetProgramLog, program)
        ptx = b"" if code else self._text(library.nvrtcGetPTXSize, library.nvrtcGetPTX, program)
        library.nvrtcDestroyProgram(ctypes.byref(program))
        return code, log.decode(), ptx

    def _text(self, size_of: ctypes._FuncPointer, read: ctypes._FuncPointer, program: ctypes.c_void_p) -> bytes:
        size = ctypes.c_size_t()
        assert size_of(program, ctypes.byref(size)) == 0
        text = ctypes.create_string_buffer(size.value)
        assert read(program, text) == 0
        return text.value


@pytest.mark.parametrize("file", KERNELS)
def test_nvrtc_compiles_what_is_asked_for_by_name(file: str) -> None:
    options = (*options_of(file), "--gpu-architecture=compute_80")
    code, log, ptx = Nvrtc().compile(source_of(file), KERNELS[file], options)
    assert code == 0, log
    assert ptx.count(b".entry") == len(KERNELS[file])
