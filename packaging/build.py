"""Build what operators install: a folder with everything inside, an archive of it, Debian packages, the add-on.

    python packaging/build.py [--fast] [--no-add-on] [--folder-only]

Run it with the project's own Python (``make package`` does). PyInstaller lies in an environment of its own, which sees
the project's packages; whatever belongs to developers only is kept out by name. Results are in ``dist/``.
"""

from __future__ import annotations

import argparse
import compileall
import gzip
import hashlib
import json
import os
import platform
import py_compile
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import time
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import bundle
import deb
from bootstrap import BIN, SetupError, call, digest, one_at_a_time, say

ROOT = bundle.ROOT
DIST = ROOT / "dist"
WORK = ROOT / "build" / "package"
FREEZER = ROOT / "build" / "pyinstaller"
PINS = ROOT / "packaging" / "tools" / "pyinstaller.txt"
STAMP = FREEZER / "nashboard-setup"
SPECS = {"win32": "nashboard-windows.spec", "darwin": "nashboard-macos.spec"}
LIMIT_MB = 1000  # torch 400, LLVM 160, Qt 100, Anvil 44
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


def finish(folder: Path) -> None:
    """Compile what lies as files, add the twin's link, and strip what has symbols."""
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
    if shutil.which("strip") is not None:
        strip(inside)


def strip(folder: Path) -> None:
    """Remove the symbols that only debuggers read; a library that is refused stays as it is."""
    libraries = [
        path
        for path in folder.rglob("*.so*")
        if path.is_file() and not path.is_symlink() and not set(path.relative_to(folder).parts) & set(_FRAGILE)
    ]
    for start in range(0, len(libraries), 50):
        some = [str(path) for path in libraries[start : start + 50]]
        subprocess.run(["strip", "--strip-unneeded", *some], stderr=subprocess.DEVNULL, check=False)


# The add-on ------------------------------------------------------------------------------------------------------


def collect_add_on() -> Path:
    """Copy the packages of the learning extra, as pip installed them, and return their folder."""
    target = DIST / f"{bundle.NAME}-{bundle.ADD_ON}" / "addons" / bundle.ADD_ON
    shutil.rmtree(target.parents[1], ignore_errors=True)
    for name in sorted(bundle.of_add_on()):
        try:
            found = distribution(name)
        except PackageNotFoundError as error:
            raise SetupError(
                "The add-on is not complete", f"{name} is not installed", "Run 'make setup', or add --no-add-on.", 4
            ) from error
        for file in found.files or []:
            source = Path(str(found.locate_file(file)))
            if ".." in file.parts or not source.is_file() or not bundle.is_kept(file.as_posix()):
                continue
            place = target / file
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, place)
    return target


# Packing ---------------------------------------------------------------------------------------------------------


def archive(folder: Path, root: str, target: Path, *, fast: bool) -> Path:
    """Write a tar.gz of a folder under the name ``root``; the same files give the same bytes."""
    moment = int(os.environ.get("SOURCE_DATE_EPOCH", "0")) or committed()

    def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = "root"
        return entry

    with target.open("wb") as raw:
        with gzip.GzipFile("", "wb", 1 if fast else 6, raw, mtime=moment) as packed:
            with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
                for path in sorted(folder.rglob("*")):
                    tar.add(path, f"{root}/{path.relative_to(folder).as_posix()}", recursive=False, filter=plain)
    return target


def committed() -> int:
    """Return the moment of the last commit, now where there is none."""
    command = ["git", "log", "-1", "--format=%ct"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        return int(done.stdout)
    except (OSError, ValueError, subprocess.CalledProcessError):
        return int(time.time())


def sums(files: list[Path]) -> Path:
    """Write the SHA-256 sums of the files in the form that sha256sum checks."""
    lines = []
    for path in sorted(files):
        with path.open("rb") as stream:
            lines.append(f"{hashlib.file_digest(stream, 'sha256').hexdigest()}  {path.name}\n")
    target = DIST / "SHA256SUMS"
    target.write_text("".join(lines), "utf-8")
    return target


def debian(folder: Path, add_on: Path | None, *, fast: bool) -> list[Path]:
    """Write the Debian packages of the program and of the add-on."""
    version, tree = bundle.version(), WORK / "deb"
    licence = ROOT / "LICENSE"
    deb.lay_out(tree, folder, licence)
    needs = ", ".join((f"libc6 (>= {deb.glibc_needed(folder.rglob('*'))})", *deb.NEEDS))
    made = [deb.pack(tree, DIST, bundle.NAME, version, needs, fast=fast)]
    if add_on is not None:
        name, tree = f"{bundle.NAME}-{bundle.ADD_ON}", WORK / "deb-add-on"
        deb.lay_out_add_on(tree, name, add_on, licence)
        made.append(deb.pack(tree, DIST, name, version, f"{bundle.NAME} (= {version})", fast=fast))
    return made


def pack(folder: Path, add_on: Path | None, report: Report, *, fast: bool) -> list[Path]:
    """Write archives, packages and sums; return the files."""
    label = f"{bundle.version()}-{platform.system().lower()}-{platform.machine().lower()}"
    made = [archive(folder, bundle.NAME, DIST / f"{bundle.NAME}-{label}.tar.gz", fast=fast)]
    if add_on is not None:
        name = f"{bundle.NAME}-{bundle.ADD_ON}"
        # Unpacked where the program was, it lies beside it.
        made.append(archive(add_on.parents[1], bundle.NAME, DIST / f"{name}-{label}.tar.gz", fast=fast))
    report.step("archive")
    if shutil.which("dpkg-deb") is not None:
        made += debian(folder, add_on, fast=fast)
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
    folder = freeze(python)
    report.step("freeze")
    finish(folder)
    report.step("finish")
    report.size("folder", folder)
    for part in sorted((folder / bundle.CONTENTS).iterdir(), key=size_of, reverse=True)[:12]:
        report.size(f"  {part.name}", part)
    add_on = None if options.no_add_on or options.folder_only else collect_add_on()
    if add_on is not None:
        report.size("add-on", add_on)
        report.step("add-on")
    if not options.folder_only:
        for path in pack(folder, add_on, report, fast=options.fast):
            report.size(path.name, path)
    return report


def main(arguments: list[str]) -> int:
    """Build, tell and check the size."""
    parser = argparse.ArgumentParser(description="Build the program that operators install, into dist/.")
    parser.add_argument("--fast", action="store_true", help="compress little: for tests")
    parser.add_argument("--no-add-on", action="store_true", help="leave the learning add-on out")
    parser.add_argument("--folder-only", action="store_true", help="neither archives nor packages")
    options = parser.parse_args(arguments)
    DIST.mkdir(exist_ok=True)
    report = build(options)
    (DIST / "build.json").write_text(json.dumps(vars(report), default=str, indent=1), "utf-8")
    for name, megabytes in report.megabytes.items():
        sys.stdout.write(f"{megabytes:8.1f} MB  {name}\n")
    if report.megabytes["folder"] > LIMIT_MB:
        raise SetupError("The build is too large", f"{report.megabytes['folder']:.0f} of {LIMIT_MB} MB", "Prune it.")
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
