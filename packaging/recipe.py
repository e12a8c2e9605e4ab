"""What the spec files share: one analysis, two programs in one folder. Runs inside PyInstaller."""

from __future__ import annotations

import site
import sys
from importlib.util import find_spec
from pathlib import Path

import bundle
from PyInstaller.building.api import COLLECT, EXE, PYZ
from PyInstaller.building.build_main import Analysis
from PyInstaller.config import CONF
from PyInstaller.depend.bindepend import get_imports
from PyInstaller.utils.hooks import collect_data_files, collect_dynamic_libs, collect_submodules, copy_metadata

# Modules that something names in a string, and extensions that compiled code imports.
HIDDEN = ("qtawesome", "coincurve._libsecp256k1", "coincurve._cffi_backend", "_cffi_backend", "blspy", "ckzg")
WITH_DATA = ("eth_account", "ens", "eth_utils", "qtawesome")
LIBRARIES = {"win32": ["*.dll"], "darwin": ["*.dylib"]}


def analysed() -> Analysis:
    """Return the analysis of the whole program, pruned."""
    work = Path(CONF["workpath"])
    # Libraries of packages keep their places, once each. PyInstaller knows them by where packages are installed, and
    # the project's lie in another environment than its own.
    site.USER_SITE = str(Path(find_spec("numpy").origin).parents[1])
    datas = [*bundle.own_files(), bundle.metadata(work)]
    for name in WITH_DATA:
        datas += collect_data_files(name)
    for name in bundle.WITH_METADATA:
        datas += copy_metadata(name)
    libraries = collect_dynamic_libs("wasmtime", search_patterns=LIBRARIES.get(sys.platform, ["*.so"]))
    libraries += [(path, "engine/games") for path in bundle.AHEAD]
    hidden = [*bundle.own_modules(), *bundle.standard_modules(), *HIDDEN]
    for name in bundle.shared():
        hidden += collect_submodules(name, on_error="ignore")
    found = Analysis(
        [str(bundle.ROOT / "packaging" / "frozen_entry.py")],
        pathex=[str(bundle.ROOT)],
        binaries=libraries,
        datas=datas,
        hiddenimports=hidden,
        excludes=bundle.excluded(),
        module_collection_mode=bundle.AS_FILES,
    )
    found.datas = bundle.kept_files(found.datas)
    found.binaries = bundle.kept_files(found.binaries)
    if sys.platform == "linux":
        found.binaries = bundle.reachable(found.binaries, lambda path: (name for name, _ in get_imports(path)))
    stub = bundle.ROOT / "packaging" / "stubs" / "QtOpenGL.py"
    found.pure = [*bundle.kept_modules(found.pure), ("PySide6.QtOpenGL", str(stub), "PYMODULE")]
    return found


def program(found: Analysis, archive: PYZ, name: str, *, console: bool, icon: str | None = None) -> EXE:
    """Return one of the programs. They differ in whether Windows gives them a console."""
    return EXE(
        archive,
        found.scripts,
        [],
        exclude_binaries=True,
        name=name,
        console=console,
        disable_windowed_traceback=False,
        icon=icon,
        upx=False,
        contents_directory=bundle.CONTENTS,
    )


def folder(icon: str | None = None, *, twin: bool) -> COLLECT:
    """Collect the program, and its console twin where the system tells windows and consoles apart."""
    found = analysed()
    archive = PYZ(found.pure)
    programs = [program(found, archive, bundle.NAME, console=not twin, icon=icon)]
    if twin:
        programs.append(program(found, archive, f"{bundle.NAME}-cli", console=True, icon=icon))
    return COLLECT(*programs, found.binaries, found.datas, name=bundle.NAME, upx=False)
