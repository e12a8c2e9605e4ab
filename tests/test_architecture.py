"""The house rules of the code base, where a machine can check them."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CODE = ("app", "widgets", "engine", "packaging", "assets")
MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 40
QT = ("PySide6", "shiboken6", "qasync", "pyqtgraph", "qtawesome")

# Refuses to import Qt, then imports every module of the engine, and says which ones.
IMPORT_ALL = f"""
import importlib, pkgutil, sys

class NoQt:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {QT!r}:
            raise ImportError(f"{{name}} is blocked", name=name)

sys.meta_path.insert(0, NoQt())
import engine
for module in pkgutil.walk_packages(engine.__path__, "engine."):
    importlib.import_module(module.name)
    print(module.name)
for name in sys.modules:
    assert name.partition(".")[0] not in ("app", "widgets"), f"the engine imports {{name}}"
"""


def tracked_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return [path for name in listed.decode().split("\0") if name and (path := ROOT / name).is_file()]


def modules() -> list[Path]:
    return [path for path in tracked_files() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in CODE]


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Yield name and length in lines, docstring left out, of each function."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
            yield node.name, (node.end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_walls_hold() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"[1-9]\d* kept, 0 broken", done.stdout), done.stdout


def test_every_engine_module_imports_without_qt() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORT_ALL], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    imported = set(done.stdout.split())
    on_disk = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in (ROOT / "engine").rglob("*.py")
    }
    assert on_disk - {"engine"} == imported


def test_modules_stay_small() -> None:
    sizes = {path: len(path.read_text("utf-8").splitlines()) for path in modules()}
    assert sizes
    assert not {str(path.relative_to(ROOT)): size for path, size in sizes.items() if size > MAX_MODULE_LINES}


def test_functions_stay_small() -> None:
    long = {
        f"{path.relative_to(ROOT)}:{name}": lines
        for path in modules()
        for name, lines in functions(path)
        if lines > MAX_FUNCTION_LINES
    }
    assert not long


def test_every_tests_folder_mirrors_the_source() -> None:
    allowed = {"engine", "widgets", "app", "contracts", "assets", "packaging", "cli", "e2e", "vectors", "bench"}
    found = {path.relative_to(ROOT / "tests").parts[0] for path in (ROOT / "tests").rglob("test_*.py")}
    assert {name for name in found if not name.endswith(".py")} <= allowed


# Written in halves, so that this file does not find itself.
FOREIGN = [
    "pypi" + ".org",
    "python" + "hosted.org",
    "registry.npm" + "js.org",
    "deb.deb" + "ian.org",
    "/ro" + "ot/",
    "/wo" + "rk/main",
    "/wo" + "rk/shared",
    "/opt/py" + "pi",
    "/opt/wh" + "eels",
]


@pytest.mark.parametrize("text", FOREIGN)
def test_no_file_names_a_registry_host_or_a_place_on_one_machine(text: str) -> None:
    found = [str(path.relative_to(ROOT)) for path in tracked_files() if text.encode() in path.read_bytes()]
    assert not found


def test_every_dependency_is_pinned_exactly() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    pins = {}
    for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines():
        if not line.startswith("#"):
            name, exact, pinned = line.partition("==")
            assert exact, line
            assert re.fullmatch(r"[\w.]+", pinned), f"{line}: a local version or an address is not to be had elsewhere"
            pins[name] = pinned
    wanted = project["dependencies"] + project["optional-dependencies"]["dev"]
    for requirement in wanted:
        name = re.split(r"[<>=!~\[ ]", requirement, maxsplit=1)[0].lower().replace("_", "-")
        assert name in pins, requirement
        if "==" in requirement:
            assert requirement.endswith(f"=={pins[name]}"), requirement
    assert pins["torch"] == "2.13.0"
    assert pins["pyside6-essentials"] == "6.11.3"


def test_the_extras_are_offered() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    assert {"gpu", "gpu13", "learn", "cluster", "dev"} <= set(extras)
    assert extras["gpu"][0].startswith("cupy-cuda12x")
    assert extras["gpu13"][0].startswith("cupy-cuda13x")
    assert project["requires-python"] == ">=3.11,<3.13"


def test_qt_keeps_its_references_to_none() -> None:
    """PySide6 6.12.0 drops one at every void call, and aborts after some thousands of them on Python 3.11."""
    code = (
        "import gc, sys\n"
        "from PySide6.QtCore import QCoreApplication, QObject\n"
        "app, timers = QCoreApplication([]), QObject()\n"
        "timers.killTimer(timers.startTimer(1000))\n"
        "gc.collect(); gc.disable()\n"  # else what a collection frees is counted too, a hundred this way or that
        "before = sys.getrefcount(None)\n"
        "for _ in range(60): timers.killTimer(timers.startTimer(1000))\n"
        "lost = before - sys.getrefcount(None)\n"
        "assert lost < 30, lost\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
