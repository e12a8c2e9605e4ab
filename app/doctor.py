"""What the program needs of this machine: found, missing, and how to get it."""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import os
import platform
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from app.display import WINDOW, loads, window_problem
from engine.core.errors import DependencyError, EngineError
from engine.core.paths import DataDir, assets_dir, how_to_get, is_frozen, source_root
from engine.core.process import child_environment

# Libraries that Qt loads to draw at all, with the Debian packages that bring them; those of a window: app.display.
DRAWING = {
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libfreetype.so.6": "libfreetype6",
    "libfontconfig.so.1": "libfontconfig1",
    "libdbus-1.so.3": "libdbus-1-3",
}
PACKAGES = (
    *("pyqtgraph", "qasync", "wasmtime", "web3", "coincurve", "keyring", "prometheus-client"),
    *("numpy", "highspy", "numba"),
)
QT_VERSION = "6.11.3"
FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.fonts", "~/.local/share/fonts")
ROOM_NEEDED = 200_000_000
PROBE_DEADLINE_S = 20.0


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report. ``package`` is the Debian package that brings what is missing."""

    name: str
    ok: bool
    required: bool
    found: str
    hint: str = ""
    package: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the line as a JSON-ready object."""
        return asdict(self)


def examine(data_root: Path | None) -> list[Check]:
    """Look at everything and return the report, in the order in which a person should read it."""
    return [
        *_python(),
        *_qt(),
        *_libraries(),
        _fonts(),
        _display(),
        _anvil(),
        *_contract_tools(),
        _assets(),
        *_cuda(),
        *_data(data_root),
    ]


def _python() -> Iterator[Check]:
    fit = (3, 11) <= sys.version_info[:2] <= (3, 12)
    yield Check("Python", fit, True, platform.python_version(), "" if fit else "Install Python 3.11 or 3.12.")
    fit = sqlite3.sqlite_version_info >= (3, 37)
    yield Check("SQLite", fit, True, sqlite3.sqlite_version, "" if fit else "A Python with SQLite 3.37 is needed.")
    for name in PACKAGES:
        found = _version_of(name)
        if name == "numba" and not found and is_frozen():
            continue  # the solvers were compiled ahead of time
        yield Check(name, bool(found), True, found or "missing", "" if found else _again())
    found = _version_of("torch")
    # A build has it as an add-on: without it the rest works.
    hint = _again() if not is_frozen() else f"Agents, the learning chain, neural agents: {how_to_get('torch')}."
    yield Check("torch", bool(found), not is_frozen(), found or "missing", "" if found else hint)


def _again() -> str:
    return "Install the program again." if is_frozen() else "Run 'make setup' again."


def _version_of(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _qt() -> Iterator[Check]:
    try:
        importlib.import_module("PySide6.QtWidgets")
    except ImportError as error:
        yield Check("Qt", False, True, f"cannot be loaded: {error}", f"Install what is missing below. {_again()}")
        return
    found = _version_of("PySide6-Essentials") or "?"
    hint = "" if found == QT_VERSION else f"{QT_VERSION} is the version this program was tested with; 6.12.0 aborts."
    yield Check("Qt", True, True, found, hint)


def _libraries() -> Iterator[Check]:
    if not sys.platform.startswith("linux"):
        return
    under_x = bool(os.environ.get("DISPLAY"))
    for table, required in ((DRAWING, True), (WINDOW, under_x)):
        for library, package in table.items():
            if loads(library):
                yield Check(library, True, required, "found")
            else:
                why = "Qt cannot draw without it." if table is DRAWING else "Windows under X need it."
                yield Check(library, False, required, "missing", why, package)


def _fonts() -> Check:
    if not sys.platform.startswith("linux"):
        return Check("Fonts", True, True, "the system's own")
    for folder in map(Path, FONT_FOLDERS):
        for suffix in ("ttf", "otf", "pfb", "ttc"):
            font = next(folder.expanduser().rglob(f"*.{suffix}"), None)
            if font is not None:
                return Check("Fonts", True, True, str(font.parent))
    return Check("Fonts", False, True, "none", "Without a font all text is boxes.", "fonts-dejavu-core")


def _display() -> Check:
    name = os.environ.get("WAYLAND_DISPLAY") or os.environ.get("DISPLAY")
    if name or not sys.platform.startswith("linux"):
        problem = window_problem()
        return Check(
            "Display", not problem, False, problem or name or "the system's own", "Start one." if problem else ""
        )
    return Check("Display", False, False, "none", "The console needs one; 'nashboard demo' and all commands do not.")


def _anvil() -> Check:
    from engine.chain.anvil import find_anvil

    try:
        path = find_anvil()
    except DependencyError as error:
        return Check("Anvil", False, True, f"missing: {error.why}", error.next_step)
    except EngineError as error:
        return Check("Anvil", False, True, str(error), error.next_step)
    found = _probe([str(path), "--version"])
    return Check("Anvil", bool(found), True, f"{path} ({found or 'does not run'})", "" if found else _again())


def _contract_tools() -> Iterator[Check]:
    """Only who changes the contracts needs these: their artifacts come with the program."""
    if is_frozen():
        return
    contracts = source_root() / "contracts"
    forge = next(iter(sorted((contracts / "node_modules/@foundry-rs").glob("forge-*/bin/forge*"))), None)
    for name, path in (("forge", forge), ("node", None), ("npm", None)):
        place = str(path) if path else _on_path(name)
        found = _probe([place, "--version"]) if place else ""
        hint = "" if found else "Only needed to change the contracts: 'make setup' brings it."
        yield Check(name, bool(found), False, f"{place} ({found})" if found else "missing", hint)
    solc = contracts / "node_modules/solc/package.json"
    hint = "" if solc.is_file() else "Only needed to change the contracts: 'make setup' brings it."
    yield Check("solc", solc.is_file(), False, str(solc.parent) if solc.is_file() else "missing", hint)


def _on_path(name: str) -> str | None:
    """Return where a program lies; beside this Python first, where set-up puts what the machine lacks."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.is_file() else shutil.which(name)


def _probe(argv: list[str]) -> str:
    """Return the first line that a program prints, nothing when it does not run."""
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=PROBE_DEADLINE_S, check=False, env=child_environment()
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = (done.stdout or done.stderr).splitlines()
    return lines[0].strip() if done.returncode == 0 and lines else ""


def _assets() -> Check:
    wanted = (
        "systems/snake.wasm",
        "agents/snake/greedy.wasm",
        "abi/StakeVault.json",
        "abi/LeagueAnchor.json",
        "abi/LeagueCourt.json",
        "abi/ProofOfLearning.json",
    )
    lacking = [name for name in wanted if not (assets_dir() / name).is_file()]
    if lacking:
        return Check("Assets", False, True, f"missing: {', '.join(lacking)}", "Get the program again: files were lost.")
    return Check("Assets", True, True, str(assets_dir()))


def _cuda() -> Iterator[Check]:
    try:
        ctypes.CDLL("nvcuda.dll" if os.name == "nt" else "libcuda.so.1")
    except OSError:
        yield Check("CUDA", False, False, "no driver", "Optional: a processor is enough for everything.")
        return
    yield Check("CUDA", True, False, "driver found")
    cupy = importlib.util.find_spec("cupy") is not None
    hint = "" if cupy else "Optional: pip install 'nashboard[gpu]' (CUDA 12) or 'nashboard[gpu13]' (CUDA 13)."
    yield Check("cupy", cupy, False, "found" if cupy else "missing", hint)
    if cupy:
        yield from _cuda_devices()


def _cuda_devices() -> Iterator[Check]:
    from engine.core.arrays import cuda_devices

    try:
        devices = cuda_devices()
    except DependencyError as error:
        yield Check("CUDA device", False, False, error.why, error.next_step)
        return
    for device in devices:
        facts = f"{device.name}, {device.memory / 1e9:.0f} GB, {device.multiprocessors} multiprocessors"
        yield Check(f"CUDA device {device.index}", True, False, facts)


def _data(data_root: Path | None) -> Iterator[Check]:
    try:
        data = DataDir.open(data_root)
        with tempfile.TemporaryFile(dir=data.root) as probe:
            probe.write(bytes(4096))
            probe.flush()
    except (EngineError, OSError) as error:
        why = error.why if isinstance(error, EngineError) else os.strerror(error.errno or 0)
        place = data_root or "the default place"
        yield Check("Data directory", False, True, f"{place}: {why}", "Choose another one with --data-dir.")
        return
    yield Check("Data directory", True, True, str(data.root))
    free = shutil.disk_usage(data.root).free
    hint = "" if free >= ROOM_NEEDED else f"At least {ROOM_NEEDED // 1_000_000} MB should be free."
    yield Check("Disk space", free >= ROOM_NEEDED, True, f"{free / 1e9:.1f} GB free", hint)
