"""Build what operators install: the program's folder, the add-ons' (torch, learning), archives and Debian packages.

    python packaging/build.py [--fast] [--without ADD-ON] [--folder-only]

Run it with the project's own Python (``make package`` does). PyInstaller lies in an environment of its own, which sees
the project's packages; whatever belongs to developers only is kept out by name. Results are in ``dist/``.
"""

from __future__ import annotations

import argparse
import compileall
import contextlib
import hashlib
import importlib.util
import json
import lzma
import os
import platform
import py_compile
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import IO

import bundle
import deb
import icu
from bootstrap import BIN, SetupError, call, digest, one_at_a_time, say

ROOT = bundle.ROOT
DIST = ROOT / "dist"
WORK = ROOT / "build" / "package"
FREEZER = ROOT / "build" / "pyinstaller"
PINS = ROOT / "packaging" / "tools" / "pyinstaller.txt"
STAMP = FREEZER / "nashboard-setup"
SPECS = {"win32": "nashboard-windows.spec", "darwin": "nashboard-macos.spec"}
# Of the program's folder, of what is packed of it, and of the folder with torch beside it.
LIMITS_MB = {"folder": 290, "archive": 90, "with torch": 800}
COMPILER_MB = 170  # more of each where the solvers could not be compiled ahead of time
LEVEL, ADD_ON_LEVEL, FAST_LEVEL = 9, 1, 0  # of xz: 9 takes ten times as long as 1 and makes a fifth less of it
MACHINE_CODE = platform.machine() in ("x86_64", "AMD64")  # xz packs this kind's tighter when told
ROOM_BYTES = 3_000_000_000
# Libraries whose headers were edited after linking: strip would break them.
_FRAGILE = ("numpy.libs", "scipy.libs", "pillow.libs")


class Report:
    """What was built: seconds and sizes, told as they come and written down at the end."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.megabytes: dict[str, float] = {}
        self._last = time.monotonic()

    def step(self, name: str) -> None:
        """Note the end of a step."""
        now = time.monotonic()
        self.seconds[name], self._last = round(now - self._last, 1), now
        say(f"{name}: {self.seconds[name]:.0f} s")

    def size(self, name: str, path: Path) -> None:
        """Note how large a file or folder is."""
        self.megabytes[name] = round(size_of(path) / 1e6, 1)


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files of a folder."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file() and not file.is_symlink()]
    return sum(file.stat().st_size for file in files)


# Freezing --------------------------------------------------------------------------------------------------------


def install_freezer() -> Path:
    """Install PyInstaller in an environment of its own, which sees the project's packages; return its Python."""
    python = FREEZER / BIN.name / ("python.exe" if os.name == "nt" else "python")
    packages = sysconfig.get_path("purelib")
    wanted = digest(PINS.read_bytes(), packages, str(ROOT), sys.version)
    with one_at_a_time():
        if not STAMP.is_file() or STAMP.read_text("utf-8") != wanted:
            shutil.rmtree(FREEZER, ignore_errors=True)
            say("installing PyInstaller")
            call("PyInstaller's environment could not be created", [sys.executable, "-m", "venv", str(FREEZER)])
            pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--no-input", "--no-deps"]
            call("PyInstaller could not be installed", [*pip, "-r", str(PINS)])
            own = next(FREEZER.rglob("site-packages"))
            (own / "nashboard-packages.pth").write_text(f"{packages}\n", "utf-8")
            STAMP.write_text(wanted, "utf-8")
    return python


def freeze(python: Path) -> Path:
    """Run PyInstaller and return the folder that it made."""
    if bundle.anvil() is None:
        raise SetupError("There is no Anvil to bundle", "npm brought none", "Run 'make setup', or install Foundry.", 4)
    shutil.rmtree(WORK, ignore_errors=True)
    shutil.rmtree(DIST / bundle.NAME, ignore_errors=True)
    spec = ROOT / "packaging" / SPECS.get(sys.platform, "nashboard-linux.spec")
    # Nothing outside this folder is written, and the same files give the same archive of modules.
    os.environ |= {"PYINSTALLER_CONFIG_DIR": str(FREEZER / "cache"), "PYTHONHASHSEED": "1"}
    options = ["--noconfirm", "--log-level", "WARN", "--distpath", str(DIST), "--workpath", str(WORK)]
    call("The program could not be frozen", [str(python), "-m", "PyInstaller", *options, str(spec)])
    return DIST / bundle.NAME


def compile_ahead() -> None:
    """Compile the solvers for this machine's kind and tell the freezer; where that fails, their compiler goes along."""
    if importlib.util.find_spec("kernels") is None:
        return
    try:
        made = importlib.import_module("kernels").build(WORK.parent / "kernels")
    except SetupError as error:
        say(f"the solvers are not compiled ahead of time, so that the build gets larger: {error}")
        return
    for library in made:
        anonymous(library)
    os.environ["NASHBOARD_AHEAD"] = os.pathsep.join(map(str, made))


def anonymous(library: Path) -> None:
    """Take this machine's folder out of the places that errors name; all lengths stay, since they are written too."""
    place = str(ROOT).encode()
    library.write_bytes(library.read_bytes().replace(place, b"/" * len(place)))


def finish(folder: Path) -> None:
    """Compile what lies as files, add the twin's link, and take away what no run reads: symbols, languages, twins."""
    inside = folder / bundle.CONTENTS
    for package in bundle.AS_FILES:
        compileall.compile_dir(
            inside / Path(*package.split(".")),
            quiet=1,
            stripdir=str(inside),
            invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
        )
    if sys.platform != "linux":
        return
    twin = folder / f"{bundle.NAME}-cli"
    twin.unlink(missing_ok=True)
    twin.symlink_to(bundle.NAME)
    share(inside)
    for path in inside.rglob("libicudata.so.*"):
        if not path.is_symlink():
            icu.trim(path)
    strip(inside)


def share(folder: Path) -> None:
    """Let packages that bring the same library of the compiler's have it once."""
    first: dict[str, Path] = {}
    for path in sorted(folder.glob("*.libs/*.so*")):
        same = first.setdefault(digest(path.read_bytes()), path)
        if same != path and not path.is_symlink():
            path.unlink()
            path.symlink_to(f"../{same.relative_to(folder).as_posix()}")


def strip(folder: Path) -> None:
    """Remove the symbols that only debuggers read; a library that is refused stays as it is."""
    if shutil.which("strip") is None:
        return
    libraries = [
        path
        for path in (*folder.rglob("*.so*"), *folder.glob("bin/*"))
        if path.is_file() and not path.is_symlink() and not set(path.relative_to(folder).parts) & set(_FRAGILE)
    ]
    for start in range(0, len(libraries), 50):
        some = [str(path) for path in libraries[start : start + 50]]
        subprocess.run(["strip", "--strip-unneeded", *some], stderr=subprocess.DEVNULL, check=False)


# The add-on ------------------------------------------------------------------------------------------------------


def collect_add_on(add_on: str) -> Path:
    """Copy the packages of an add-on, as pip installed them but for what debuggers read, and return their folder."""
    target = DIST / f"{bundle.NAME}-{add_on}" / "addons" / add_on
    shutil.rmtree(target.parents[1], ignore_errors=True)
    for name in sorted(bundle.of_add_on(add_on)):
        try:
            found = distribution(name)
        except PackageNotFoundError as error:
            raise SetupError(
                "The add-on is not complete",
                f"{name} is not installed",
                f"Run 'make setup', or add --without {add_on}.",
                4,
            ) from error
        for file in found.files or []:
            source = Path(str(found.locate_file(file)))
            if ".." in file.parts or not source.is_file() or not bundle.is_kept(file.as_posix()):
                continue
            place = target / file
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, place)
    if sys.platform == "linux":
        strip(target)
    return target


# Packing ---------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def squeezed(target: Path, level: int) -> Iterator[IO[bytes]]:
    """Give what to write into and have it packed by xz: on all processors where its program is there."""
    if shutil.which("xz") is None:
        code = [{"id": lzma.FILTER_X86}] if MACHINE_CODE else []
        with lzma.open(target, "wb", filters=[*code, {"id": lzma.FILTER_LZMA2, "preset": level}]) as stream:
            yield stream
        return
    with target.open("wb") as packed:
        command = ["xz", "--threads=0", "--stdout", *(["--x86"] if MACHINE_CODE else []), f"--lzma2=preset={level}"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=packed)
        assert process.stdin is not None
        try:
            yield process.stdin
        finally:
            process.stdin.close()
            status = process.wait()
    if status:
        raise SetupError(f"{target.name} could not be packed", f"xz ended with {status}", "Run it again.")


def archive(folder: Path, root: str, target: Path, level: int) -> Path:
    """Write a tar.xz of a folder under the name ``root``; the same files give the same bytes."""

    def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = "root"
        return entry

    with squeezed(target, level) as packed:
        with tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar:
            for path in sorted(folder.rglob("*")):
                tar.add(path, f"{root}/{path.relative_to(folder).as_posix()}", recursive=False, filter=plain)
    return target


def sums(files: list[Path]) -> Path:
    """Write the SHA-256 sums of the files in the form that sha256sum checks."""
    lines = []
    for path in sorted(files):
        with path.open("rb") as stream:
            lines.append(f"{hashlib.file_digest(stream, 'sha256').hexdigest()}  {path.name}\n")
    target = DIST / "SHA256SUMS"
    target.write_text("".join(lines), "utf-8")
    return target


def debian(folder: Path, add_ons: list[Path], levels: tuple[int, int]) -> list[Path]:
    """Write the Debian packages of the program and of the add-ons; ``levels`` are those of xz for both kinds."""
    version, tree = bundle.version(), WORK / "deb"
    licence = ROOT / "LICENSE"
    deb.lay_out(tree, folder, licence)
    needs = ", ".join((f"libc6 (>= {deb.glibc_needed(folder.rglob('*'))})", *deb.NEEDS))
    made = [deb.pack(tree, DIST, bundle.NAME, version, needs, levels[0])]
    before = [bundle.NAME]
    for add_on in add_ons:
        name, tree = f"{bundle.NAME}-{add_on.name}", WORK / f"deb-{add_on.name}"
        deb.lay_out_add_on(tree, name, add_on, licence)
        needs = ", ".join(f"{other} (= {version})" for other in before)
        made.append(deb.pack(tree, DIST, name, version, needs, levels[1]))
        before.append(name)
    return made


def pack(folder: Path, add_ons: list[Path], report: Report, *, fast: bool) -> list[Path]:
    """Write archives, packages and sums; return the files."""
    label = f"{bundle.version()}-{platform.system().lower()}-{platform.machine().lower()}"
    levels = (FAST_LEVEL, FAST_LEVEL) if fast else (LEVEL, ADD_ON_LEVEL)
    made = [archive(folder, bundle.NAME, DIST / f"{bundle.NAME}-{label}.tar.xz", levels[0])]
    for add_on in add_ons:
        # Unpacked where the program was, it lies beside it.
        name = f"{bundle.NAME}-{add_on.name}-{label}.tar.xz"
        made.append(archive(add_on.parents[1], bundle.NAME, DIST / name, levels[1]))
    report.step("archive")
    if shutil.which("dpkg-deb") is not None:
        made += debian(folder, add_ons, levels)
        report.step("deb")
    sums(made)
    return made


def check_room(needed: int) -> None:
    """Refuse to begin what cannot end."""
    free = shutil.disk_usage(ROOT).free
    if free < needed:
        why = f"{free / 1e9:.1f} GB are free in {ROOT}, {needed / 1e9:.0f} GB are needed"
        raise SetupError("There is too little room on the disk", why, "Free some and run it again.")


def build(options: argparse.Namespace) -> Report:
    """Build everything and return what it took. Raises SetupError."""
    report = Report()
    check_room(ROOM_BYTES if options.folder_only else 2 * ROOM_BYTES)
    python = install_freezer()
    report.step("set-up")
    compile_ahead()
    report.step("kernels")
    folder = freeze(python)
    report.step("freeze")
    finish(folder)
    report.step("finish")
    report.size("folder", folder)
    parts = [part for part in (folder / bundle.CONTENTS).iterdir() if not part.is_symlink()]
    for part in sorted(parts, key=size_of, reverse=True)[:12]:
        report.size(f"  {part.name}", part)
    add_ons = [collect_add_on(name) for name in bundle.ADD_ONS if name not in options.without]
    for add_on in add_ons:
        report.size(f"add-on {add_on.name}", add_on)
    report.step("add-ons")
    if not options.folder_only:
        for path in pack(folder, add_ons, report, fast=options.fast):
            report.size(path.name, path)
    return report


def check_size(report: Report, *, fast: bool) -> None:
    """Raise SetupError for what is larger than it may be."""
    sizes = report.megabytes
    found = {"folder": sizes["folder"], "with torch": sizes["folder"] + sizes.get("add-on torch", 0.0)}
    if not fast:
        own = [size for name, size in sizes.items() if name.startswith(f"{bundle.NAME}-{bundle.version()}")]
        found["archive"] = max(own, default=0.0)
    for name, megabytes in found.items():
        limit = LIMITS_MB[name] + (0 if os.environ.get("NASHBOARD_AHEAD") else COMPILER_MB)
        if megabytes > limit:
            raise SetupError("The build is too large", f"{name}: {megabytes:.0f} of {limit} MB", "Prune it.")


def main(arguments: list[str]) -> int:
    """Build, tell and check the size."""
    parser = argparse.ArgumentParser(description="Build the program that operators install, into dist/.")
    parser.add_argument("--fast", action="store_true", help="compress little: for tests")
    parser.add_argument("--without", action="append", default=[], choices=bundle.ADD_ONS, help="leave an add-on out")
    parser.add_argument("--folder-only", action="store_true", help="neither archives nor packages")
    options = parser.parse_args(arguments)
    DIST.mkdir(exist_ok=True)
    report = build(options)
    (DIST / "build.json").write_text(json.dumps(vars(report), default=str, indent=1), "utf-8")
    for name, megabytes in report.megabytes.items():
        sys.stdout.write(f"{megabytes:8.1f} MB  {name}\n")
    check_size(report, fast=options.fast)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except SetupError as error:
        say(str(error))
        sys.exit(error.code)
    except OSError as error:
        say(f"The build stopped: {error}\n  Mend that and run it again: what was begun is begun anew.")
        sys.exit(1)
    except KeyboardInterrupt:
        say("interrupted; the next run begins anew")
        sys.exit(130)
