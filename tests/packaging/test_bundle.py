"""What goes into an installed build: nothing of the developers' tools, everything that the program imports."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import struct
import subprocess
import sys
import tarfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

# Imports all of our modules as a build would hold them: without what is excluded, and without what is pruned.
# ``torch`` is there as its add-on brings it, unless an argument says that it is not.
AS_BUILT = """
import importlib, json, os, sys
sys.path[:0] = ["packaging", "."]
import bundle
from importlib.metadata import packages_distributions
brought = set() if "alone" in sys.argv else bundle.of_add_on("torch")
there = {name for name, some in packages_distributions().items() if {bundle.normal(one) for one in some} & brought}
excluded = set(bundle.excluded()) - there
before = set(sys.modules)

class AsBuilt:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in excluded or not bundle.kept_modules([(name,)]):
            raise ModuleNotFoundError(f"{name} is not in the build", name=name)

for name in before:
    if name.partition(".")[0] in excluded:
        del sys.modules[name]
sys.meta_path.insert(0, AsBuilt())
failed = {}
for name in bundle.own_modules():
    try:
        importlib.import_module(name)
    except Exception as error:
        failed[name] = repr(error) if getattr(error, "name", "") != "torch" else "torch"
standard = set(bundle.standard_modules()) | {"os.path", "typing.io", "typing.re", "pyexpat.errors", "pyexpat.model"}
used = {name for name in sys.modules if name.partition(".")[0] in sys.stdlib_module_names} - {"__main__"}
own = {name for name in sys.modules if name.startswith(("_sysconfigdata", "__mp_main__"))}
print(json.dumps({"failed": failed, "lacking": sorted(used - standard - own)}))
"""


@pytest.fixture(scope="module", autouse=True)
def on_path() -> object:
    """Let the scripts of packaging/ be imported as they import each other."""
    sys.path.insert(0, str(ROOT / "packaging"))
    yield
    sys.path.remove(str(ROOT / "packaging"))


@pytest.fixture
def bundle() -> ModuleType:
    return importlib.import_module("bundle")


@pytest.fixture
def build() -> ModuleType:
    return importlib.import_module("build")


def imported(*words: str) -> dict[str, Any]:
    """What of ours cannot be imported in a build, and what it lacks of the standard library."""
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    command = [sys.executable, "-W", "ignore", "-c", AS_BUILT, *words]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_every_module_imports_with_only_what_a_build_and_its_torch_hold() -> None:
    assert imported() == {"failed": {}, "lacking": []}


def test_without_torch_only_agents_and_training_are_lost() -> None:
    found = imported("alone")
    assert found["lacking"] == []
    assert set(found["failed"].values()) == {"torch"}
    lost = ("engine.consensus.agents.", "engine.consensus.library", "engine.league.neural.twin", "engine.learning.ai.")
    assert [name for name in found["failed"] if not name.startswith(lost)] == []


def test_the_tools_of_developers_stay_out(bundle: ModuleType) -> None:
    excluded = set(bundle.excluded())
    assert {"pytest", "mypy", "hypothesis", "pandas", "solcx", "transformers", "hivemind", "torch", "sympy"} <= excluded
    assert "scipy" in excluded  # though elote asks for it
    assert not excluded & {"app", "engine", "widgets", "numpy", "highspy", "elote", "wasmtime", "web3", "PySide6"}
    assert "keyring" not in excluded


def test_each_add_on_brings_what_the_program_lacks(bundle: ModuleType) -> None:
    torch, learn = bundle.of_add_on("torch"), bundle.of_add_on("learn")
    assert {"torch", "sympy"} <= torch and {"transformers", "peft", "hivemind", "scipy"} <= learn
    assert not torch & learn and not (torch | learn) & bundle.of_program()


def test_what_was_too_large_is_named(build: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASHBOARD_AHEAD", "/made/ahead.so")
    report, own = build.Report(), f"nashboard-{build.bundle.version()}-x.tar.xz"
    report.megabytes = {"folder": 289.0, "add-on torch": 511.0, own: 90.0}
    build.check_size(report, fast=False)
    for name, size in (("folder", 291.0), ("add-on torch", 512.0), (own, 91.0)):
        larger = build.Report()
        larger.megabytes = {**report.megabytes, name: size}
        with pytest.raises(build.SetupError, match="too large"):
            build.check_size(larger, fast=False)


def test_all_files_that_the_program_reads_are_collected(bundle: ModuleType) -> None:
    places = {f"{folder}/{Path(path).name}" for path, folder in bundle.own_files()}
    for wanted in (
        *("assets/systems/snake.wasm", "assets/agents/snake/greedy.wasm", "assets/abi/StakeVault.json"),
        *("assets/corpus/phrases.toml", "assets/models/moderation.pt", "assets/tasks/market.json"),
        *("assets/hasher/trace_hasher.wasm", "assets/icons/nashboard.svg", "widgets/sheet.qss"),
        *("engine/games/kernels/rm_plus.cu", "engine/games/kernels/common.cuh"),
    ):
        assert wanted in places
        assert bundle.is_kept(wanted)
    assert not [place for place in places if "screenshots" in place or place.endswith(".py")]
    assert all(bundle.is_kept(place) for place in places)


@pytest.mark.parametrize(
    ("place", "kept"),
    [
        ("PySide6/Qt/lib/libQt6Widgets.so.6", True),
        ("PySide6/Qt/lib/libQt6Quick.so.6", False),
        ("PySide6/QtOpenGL.abi3.so", False),
        ("PySide6/QtOpenGLWidgets.abi3.so", True),
        ("PySide6/Qt/lib/libQt6QuickControls2Basic.so.6", False),
        ("PySide6/Qt/plugins/platforms/libqxcb.so", True),
        ("PySide6/Qt/plugins/platforms/libqoffscreen.so", True),
        ("PySide6/Qt/plugins/platforms/libqvnc.so", False),
        ("PySide6/Qt/plugins/iconengines/libqsvgicon.so", True),
        ("PySide6\\plugins\\platforms\\qwindows.dll", True),
        ("PySide6\\translations\\qt_de.qm", False),
        ("PySide6/Qt/plugins/sqldrivers/libqsqlite.so", False),
        ("torch/lib/libtorch_cpu.so", True),
        ("torch/lib/libtorchbind_test.so", False),
        ("torch/bin/torch_shm_manager", True),
        ("torch/bin/protoc", False),
        ("torch/test/test_torch.py", False),
        ("torch/include/torch/all.h", False),
        ("torch/nn/functional.py", True),
        ("torch/_inductor/graph.py", True),
        ("torch/testing/_internal/logging_tensor.py", True),
        ("torch/testing/_internal/distributed/__pycache__/fake_pg.cpython-311.pyc", True),
        ("torch/testing/_internal/common_utils.py", False),
        ("scipy/optimize/_highspy/_core.so", True),
        ("scipy/stats/_stats.so", False),
        ("scipy/special/_ufuncs.cpython-311-x86_64-linux-gnu.so", True),
        ("scipy/special/_test_internal.cpython-311-x86_64-linux-gnu.so", False),
        ("numpy/_core/tests/data/umath.csv", False),
        ("torch-2.13.0.dist-info/METADATA", True),
        ("nashboard-0.1.0.dist-info/direct_url.json", False),
    ],
)
def test_pruning(bundle: ModuleType, place: str, kept: bool) -> None:
    assert bundle.is_kept(place) is kept
    assert bundle.kept_files([(place, "source", "DATA")]) == ([(place, "source", "DATA")] if kept else [])


@pytest.mark.parametrize(
    ("module", "kept"),
    [
        ("engine.games.jit", True),
        ("jinja2.tests", True),
        ("unittest.mock", True),
        ("torch.testing._internal.common_dtype", True),
        ("torch.testing._internal.common_utils", False),
        ("torch.testing._internal.distributed.fake_pg", True),
        ("torch.testing._internal.distributed.rpc_utils", False),
        ("numba.tests.support", False),
        ("pyqtgraph.examples.Plotting", False),
        ("pygments.lexers.python", True),
        ("pygments.lexers.php", False),
        ("torch._inductor.graph", True),
        ("scipy.optimize._linprog", True),
        ("scipy.stats", False),
    ],
)
def test_pruning_of_modules(bundle: ModuleType, module: str, kept: bool) -> None:
    assert bool(bundle.kept_modules([(module, "source", "PYMODULE")])) is kept


def test_libraries_that_only_a_pruned_one_asked_for_are_left_out(bundle: ModuleType) -> None:
    needs = {"/env/qxcb.so": ["libxcb.so.1", "libc.so.6"], "/usr/libxcb.so.1": ["libXau.so.6"], "/usr/libgtk.so": []}
    table = [
        ("PySide6/Qt/plugins/platforms/libqxcb.so", "/env/qxcb.so", "BINARY"),
        ("libxcb.so.1", "/usr/libxcb.so.1", "BINARY"),
        ("libXau.so.6", "/usr/libXau.so.6", "BINARY"),
        ("libgtk.so", "/usr/libgtk.so", "BINARY"),
        ("libpython3.11.so.1.0", "/usr/libpython3.11.so.1.0", "BINARY"),
        ("libQt6Core.so.6", "PySide6/Qt/lib/libQt6Core.so.6", "SYMLINK"),
        ("_cffi_backend.so", "/env/_cffi_backend.so", "EXTENSION"),
    ]
    kept = bundle.reachable(table, lambda path: needs.get(path, []))
    assert [entry[0] for entry in table if entry not in kept] == ["libgtk.so"]


def test_anvil_comes_from_npm_or_from_the_path(
    bundle: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "ROOT", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert bundle.anvil() is None
    program = tmp_path / "anvil"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert bundle.anvil() == program


def test_our_metadata_names_no_place_on_this_machine(bundle: ModuleType, tmp_path: Path) -> None:
    source, place = bundle.metadata(tmp_path)
    assert place == f"nashboard-{bundle.version()}.dist-info"
    assert [path.name for path in Path(source).iterdir()] == ["METADATA"]
    assert str(ROOT) not in (Path(source) / "METADATA").read_text()


def test_icons_of_windows_and_macos_hold_whole_pictures(tmp_path: Path, qapp: object) -> None:
    pictures = importlib.import_module("pictures")
    ico = Path(pictures.icon_file(tmp_path, ".ico")).read_bytes()
    assert struct.unpack("<HHH", ico[:6]) == (0, 1, 6)
    *_, size, offset = struct.unpack("<BBBBHHII", ico[6 + 5 * 16 : 6 + 6 * 16])
    assert ico[offset : offset + 8] == b"\x89PNG\r\n\x1a\n" and offset + size == len(ico)
    assert struct.unpack(">II", ico[offset + 16 : offset + 24]) == (256, 256)
    icns = Path(pictures.icon_file(tmp_path, ".icns")).read_bytes()
    assert icns[:4] == b"icns" and struct.unpack(">I", icns[4:8])[0] == len(icns)
    assert icns.count(b"\x89PNG\r\n\x1a\n") == 4


def test_a_compiled_library_names_no_place_and_keeps_its_lengths(build: ModuleType, tmp_path: Path) -> None:
    library, place = tmp_path / "ahead.so", str(build.ROOT).encode()
    library.write_bytes(b"\x8c\x20" + place + b"/engine/games/jit.py\0end")
    size = library.stat().st_size
    build.anonymous(library)
    content = library.read_bytes()
    assert place not in content and content.endswith(b"/engine/games/jit.py\0end") and len(content) == size


def test_a_library_that_two_packages_bring_lies_there_once(build: ModuleType, tmp_path: Path) -> None:
    for place, content in (("a.libs/libq.so.5", b"same"), ("b.libs/libq.so.5", b"same"), ("b.libs/libr.so.5", b"own")):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        (tmp_path / place).write_bytes(content)
    build.share(tmp_path)
    build.share(tmp_path)
    assert [path.name for path in tmp_path.rglob("*.so*") if path.is_symlink()] == ["libq.so.5"]
    assert (tmp_path / "b.libs/libq.so.5").resolve() == tmp_path / "a.libs/libq.so.5"
    assert (tmp_path / "b.libs/libr.so.5").read_bytes() == b"own"


@pytest.fixture
def pretended(tmp_path: Path) -> Path:
    """A build as small as can be."""
    folder = tmp_path / "nashboard"
    (folder / "_internal/assets/icons").mkdir(parents=True)
    (folder / "_internal/assets/icons/nashboard.svg").write_text("<svg/>")
    (folder / "_internal/libqt.so").write_bytes(b"\0GLIBC_2.34\0GLIBC_2.9\0")
    (folder / "nashboard").write_text("#!/bin/sh\necho nashboard 9\n")
    (folder / "nashboard").chmod(0o755)
    (folder / "nashboard-cli").symlink_to("nashboard")
    return folder


def test_the_same_files_give_the_same_archive(
    build: ModuleType, pretended: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "DIST", tmp_path)
    one, two = (build.archive(pretended, "nashboard", tmp_path / name, 0) for name in ("1.tar.xz", "2.tar.xz"))
    assert one.read_bytes() == two.read_bytes()
    with tarfile.open(one) as tar:
        entries = {entry.name: entry for entry in tar}
    assert entries["nashboard/nashboard"].mode & 0o111
    assert entries["nashboard/nashboard-cli"].linkname == "nashboard"
    assert {entry.uname for entry in entries.values()} == {"root"}
    build.sums([one, two])
    done = subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=tmp_path, capture_output=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("program", [True, False], ids=["by xz", "by Python"])
@pytest.mark.parametrize("code", [True, False], ids=["machine code", "plain"])
def test_archives_unpack_whatever_packed_them(
    build: ModuleType, pretended: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: bool, code: bool
) -> None:
    if program and shutil.which("xz") is None:
        pytest.skip("needs xz")
    monkeypatch.setattr(build, "MACHINE_CODE", code)
    if not program:
        monkeypatch.setattr(build.shutil, "which", lambda name: None)
    (pretended / "code").write_bytes(library := Path(sys.executable).resolve().read_bytes()[:300_000])
    packed = build.archive(pretended, "nashboard", tmp_path / "x.tar.xz", 1)
    assert packed.stat().st_size < len(library)
    with tarfile.open(packed) as tar:
        stream = tar.extractfile("nashboard/code")
        assert stream is not None and stream.read() == library


def test_the_menu_entry_is_one_that_desktops_take() -> None:
    program = shutil.which("desktop-file-validate")
    if program is None:
        pytest.skip("needs desktop-file-utils")
    entry = ROOT / "packaging/linux/nashboard.desktop"
    done = subprocess.run([program, str(entry)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_nets_files_get_their_type_in_a_database_of_types(tmp_path: Path) -> None:
    program = shutil.which("update-mime-database")
    if program is None:
        pytest.skip("needs shared-mime-info")
    (tmp_path / "packages").mkdir()
    shutil.copy(ROOT / "packaging/linux/nashboard.xml", tmp_path / "packages")
    subprocess.run([program, str(tmp_path)], check=True, capture_output=True)
    assert "60:application/vnd.nashboard.match+zip:*.nets" in (tmp_path / "globs2").read_text()
    assert "application/x-nets application/vnd.nashboard.match+zip" in (tmp_path / "aliases").read_text()


DPKG = pytest.mark.skipif(
    not os.access("/usr/bin/dpkg-deb", os.X_OK) or os.geteuid() != 0, reason="needs dpkg, and root to install"
)


@DPKG
def test_the_debian_package_installs_and_goes_without_a_trace(
    build: ModuleType, pretended: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dist, root = tmp_path / "dist", tmp_path / "root"
    dist.mkdir()
    monkeypatch.setattr(build, "DIST", dist)
    monkeypatch.setattr(build, "WORK", tmp_path / "work")
    torch, add_on = tmp_path / "torch" / "addons" / "torch", tmp_path / "addons" / "learn"
    (torch / "torch").mkdir(parents=True)
    (torch / "torch" / "__init__.py").touch()
    (add_on / "peft").mkdir(parents=True)
    (add_on / "peft" / "__init__.py").touch()
    (pretended / "_internal/old.so").touch()
    with monkeypatch.context() as then:
        then.setattr(build.bundle, "version", lambda: "0.0.9")
        older = build.debian(pretended, [], (0, 0))
    (pretended / "_internal/old.so").unlink()
    shutil.rmtree(tmp_path / "work")
    packages = build.debian(pretended, [torch, add_on], (0, 0))
    fields = subprocess.run(["dpkg-deb", "--info", packages[0]], capture_output=True, text=True, check=True).stdout
    assert "libc6 (>= 2.34)" in fields and "libxcb-cursor0" in fields and "Recommends: nashboard-torch (= " in fields
    (root / "var/lib/dpkg/updates").mkdir(parents=True)
    (root / "var/lib/dpkg/info").mkdir()
    (root / "var/lib/dpkg/status").touch()

    def dpkg(*words: object) -> None:
        command = ["dpkg", f"--root={root}", "--force-depends", "--force-not-root", "--force-script-chrootless"]
        environment = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
        done = subprocess.run([*command, *map(str, words)], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    dpkg("--install", *older)
    assert (root / "opt/nashboard/_internal/old.so").is_file()
    dpkg("--install", *packages)
    assert not (root / "opt/nashboard/_internal/old.so").exists(), "an update leaves files of the version before"
    assert (root / "usr/bin/nashboard").resolve() == root / "opt/nashboard/nashboard"
    assert (root / "opt/nashboard/addons/learn/peft/__init__.py").is_file()
    entry = (root / "usr/share/applications/nashboard.desktop").read_text()
    kinds = (root / "usr/share/mime/packages/nashboard.xml").read_text()
    assert "MimeType=application/vnd.nashboard.match+zip;" in entry and 'pattern="*.nets"' in kinds
    assert (root / "usr/share/icons/hicolor/scalable/apps/nashboard.svg").is_file()
    dpkg("--remove", "nashboard-learn", "nashboard-torch", "nashboard")
    assert [str(path) for path in root.rglob("*nashboard*") if "var/lib/dpkg" not in str(path)] == []
    assert not (root / "opt").exists()
