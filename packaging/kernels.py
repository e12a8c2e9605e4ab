"""Compile the solvers' kernels ahead of time, into one library that needs neither Numba nor LLVM.

    python packaging/kernels.py FOLDER

Run it with the project's own Python. What is compiled, and for which arguments, is in :mod:`engine.games.ahead`. Numba
makes the machine code, for any processor of this kind; its own C sources, with which arrays come and go, are compiled
by the system's compiler, or by the one that the developers' tools bring.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bootstrap import ROOT, SetupError, call, say

# What every processor of the last ten years has would need a look at it first: this runs on all.
PROCESSOR = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
_FLAGS = ("-O2", "-g0", "-fPIC", "-fwrapv", "-fvisibility=hidden", "-w")


def build(folder: Path) -> list[Path]:
    """Write the library into a folder and return what an installed build holds in ``engine/games``.

    Raises SetupError where it cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # A process of its own: Numba asks for the processor when it is imported.
    os.environ |= PROCESSOR
    try:
        call("The kernels could not be compiled", [sys.executable, str(Path(__file__).resolve()), str(folder)])
    finally:
        for name in PROCESSOR:
            del os.environ[name]
    from engine.games import ahead

    return [folder / ahead.file_name()]


# Machine code ----------------------------------------------------------------------------------------------------


def entries() -> Iterator[tuple[str, Callable[..., Any], tuple[Any, ...]]]:
    """Yield for each kernel that Python calls its name in the library, itself, and the types of its arguments."""
    from engine.games import ahead

    modules = {name.rpartition(".")[2]: importlib.import_module(name) for name in ahead.modules()}
    for key, form in ahead.FORMS.items():
        short, _, name = key.partition(".")
        module = modules[short]
        yield ahead.symbol_of(key), getattr(module, name), tuple(_type_of(token, module) for token in form.split())


def _type_of(token: str, module: Any) -> Any:
    from numba import types

    from engine.games import ahead

    if token in ahead.TUPLES:
        fields = [_type_of(part, module) for part in ahead.TUPLES[token].split()]
        return types.BaseTuple.from_types(fields, getattr(module, token.rpartition(".")[2]))
    if token == "caps":
        return types.UniTuple(types.int64, 2)
    return eval(token, vars(types))  # as Numba itself reads what it calls a signature


def write_object(target: Path) -> None:
    """Write the machine code of all kernels, and of what makes them functions of a Python module."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Numba will move this module some day
        from numba.pycc import compiler
    from numba.core import typing
    from numba.core.compiler import Flags

    from engine.games import ahead

    def unlocked() -> Flags:
        flags = Flags()
        flags.release_gil = True
        return flags

    compiler.Flags = unlocked  # it has no option for that, and threads beside the window's are to run
    made = []
    for symbol, kernel, arguments in entries():
        kernel.compile(arguments)
        result = kernel.overloads[arguments].signature.return_type
        made.append(compiler.ExportEntry(symbol, typing.signature(result, *arguments), _calling(kernel, symbol)))
    module = compiler.ModuleCompiler(sorted(made, key=lambda entry: entry.symbol), ahead.NAME, use_nrt=True)
    module.external_init_function = f"pycc_init_{ahead.NAME}"
    module.write_native_object(str(target), wrap=True)


def _calling(kernel: Callable[..., Any], symbol: str) -> Callable[..., Any]:
    """Return a function that only calls a kernel, which so keeps the options that it was compiled with."""
    names = ", ".join(f"a{number}" for number in range(kernel.py_func.__code__.co_argcount))
    space: dict[str, Any] = {"kernel": kernel}
    exec(f"def {symbol}({names}):\n    return kernel({names})", space)
    made: Callable[..., Any] = space[symbol]
    return made


# The library -----------------------------------------------------------------------------------------------------


def compiler_command() -> list[str]:
    """Return what compiles C and C++ here. Raises SetupError where nothing does."""
    if os.environ.get("CC"):
        return shlex.split(os.environ["CC"])
    for name, other in (("gcc", "g++"), ("clang", "clang++")):
        if shutil.which(name) is not None and shutil.which(other) is not None:
            return [name]
    if importlib.util.find_spec("ziglang") is not None:
        return [sys.executable, "-m", "ziglang", "cc"]
    raise SetupError("The kernels cannot be linked", "there is no C compiler", "Run 'make setup', or install gcc.", 4)


def link(code: Path, target: Path, work: Path) -> None:
    """Compile Numba's own C sources and link them with the kernels."""
    import numba
    import numpy as np
    from numba import _helperlib
    from numba.cext import get_extension_libs

    from engine.games import ahead

    home = Path(numba.__file__).parent
    wide = int(getattr(_helperlib, "LAPACK_BUILD_ILP64", 0))
    defines = [f"-DPYCC_MODULE_NAME={ahead.NAME}", "-DPYCC_USE_NRT=1", f"-DNUMBA_LAPACK_BUILD_ILP64={wide}"]
    places = [f"-I{place}" for place in (sysconfig.get_path("include"), np.get_include(), home)]
    objects = [str(code)]
    command = compiler_command()
    # __FILE__ would tell where this machine keeps its packages
    plain = f"-ffile-prefix-map={home}=numba"
    for source in (home / "pycc/modulemixin.c", *map(Path, get_extension_libs()), home / "core/runtime/nrt.cpp"):
        objects.append(str(work / f"{source.stem}.o"))
        # Zig takes the language by its own name, the others by the file's.
        once = [*command[:-1], "c++"] if command[-1] == "cc" and source.suffix == ".cpp" else command
        _call([*once, *_FLAGS, plain, *defines, *places, "-c", str(source), "-o", objects[-1]])
    extra = ["-undefined", "dynamic_lookup"] if sys.platform == "darwin" else ["-lm", "-pthread", "-Wl,-s"]
    _call([*command, "-shared", "-o", str(target), *objects, *extra])


def forget(library: Path, *places: Path) -> None:
    """Write dots over where this machine keeps sources: what may be raised notes where it was written.

    As many of them: lengths are noted, too.
    """
    data = library.read_bytes()
    for place in sorted({str(place).encode() for place in places}, key=len, reverse=True):
        data = data.replace(place, b"." * len(place))
    library.write_bytes(data)


def _call(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise SetupError("The kernels could not be linked", f"{' '.join(command[:3])} ... says: {last}", "Mend that.")


def main(folder: Path) -> int:
    """Build the library in this process, and say how large it is."""
    sys.path.insert(0, str(ROOT))
    from engine.games import ahead

    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        write_object(work / "kernels.o")
        link(work / "kernels.o", folder / ahead.file_name(), work)
    forget(folder / ahead.file_name(), ROOT, Path(sysconfig.get_path("purelib")), Path(sys.prefix))
    size = (folder / ahead.file_name()).stat().st_size
    say(f"{len(ahead.FORMS)} kernels compiled ahead: {size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        sys.exit(main(Path(sys.argv[1])))
    except SetupError as error:
        say(str(error))
        sys.exit(error.code)
