"""Debian packages of a folder build: files and two links, no scripts, so that removal leaves nothing.

The menus and the list of file types are brought up to date by the triggers of the packages that keep them.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from bootstrap import call

LINUX = Path(__file__).resolve().parent / "linux"
HOME = "opt/nashboard"
MAINTAINER = "Nashboard developers <nashboard@localhost>"
# What Qt loads from the system, to draw and for a window under X, and a font.
NEEDS = (
    *("libgl1", "libegl1", "libxkbcommon0", "libglib2.0-0 | libglib2.0-0t64", "libfreetype6", "libfontconfig1"),
    *("libdbus-1-3", "libxcb-cursor0", "libxcb-icccm4", "libxcb-keysyms1", "libxkbcommon-x11-0", "libxcb-shape0"),
    *("fontconfig-config", "fonts-dejavu-core | fonts-freefont-ttf | fonts-liberation"),
)
_GLIBC = re.compile(rb"GLIBC_2\.(\d{1,2})\0")
ABOUT = {
    "nashboard": (
        "console for verifiable consensus and competition of AI agents",
        "Solves games, plays leagues of WebAssembly agents, proves every step by Merkle\n"
        " trees, settles on a local Ethereum node and simulates proof-of-learning chains.\n"
        " Brings its own Python, Qt and Anvil.",
    ),
    "nashboard-torch": (
        "torch for Nashboard: agents that agree, the learning chain, neural agents",
        "Without it the console plays, proves and settles leagues and solves games, and\n"
        " says of everything else that this is missing.",
    ),
    "nashboard-learn": (
        "real training and a real DHT for Nashboard",
        "Transformers, PEFT and hivemind for the learning chain. Without them it replays\n"
        " recorded training over a simulated network.",
    ),
}


def glibc_needed(files: Iterable[Path]) -> str:
    """Return the newest version of the C library that a symbol of these files asks for."""
    newest = 17
    for path in files:
        if path.is_symlink() or not path.is_file() or (".so" not in path.name and not os.access(path, os.X_OK)):
            continue
        newest = max([newest, *(int(found) for found in _GLIBC.findall(path.read_bytes()))])
    return f"2.{newest}"


def threads() -> list[str]:
    """Return what lets dpkg-deb pack on all processors, nothing where it is too old to be told so."""
    done = subprocess.run(["dpkg-deb", "--help"], capture_output=True, text=True, check=False)
    return [f"--threads-max={os.cpu_count()}"] if "--threads-max" in done.stdout else []


def architecture() -> str:
    """Return dpkg's name of this machine's architecture."""
    done = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def control(name: str, version: str, depends: str, kilobytes: int, machine: str) -> str:
    """Return the control file of a package."""
    short, long = ABOUT[name]
    # A package manager fetches it too where it is told both; without it most of the program works.
    recommends = f"Recommends: nashboard-torch (= {version})\n" if name == "nashboard" else ""
    return (
        f"Package: {name}\nVersion: {version}\nArchitecture: {machine}\nMaintainer: {MAINTAINER}\n"
        f"Installed-Size: {kilobytes}\nDepends: {depends}\n{recommends}Section: science\nPriority: optional\n"
        f"Description: {short}\n {long}\n"
    )


def lay_out(tree: Path, build: Path, licence: Path) -> None:
    """Put the program's files where a package of it has them; big ones as hard links."""
    shutil.copytree(build, tree / HOME, symlinks=True, copy_function=linked)
    places = {
        "usr/share/applications/nashboard.desktop": LINUX / "nashboard.desktop",
        "usr/share/mime/packages/nashboard.xml": LINUX / "nashboard.xml",
        "usr/share/icons/hicolor/scalable/apps/nashboard.svg": build / "_internal/assets/icons/nashboard.svg",
        "usr/share/doc/nashboard/copyright": licence,
    }
    for place, source in places.items():
        (tree / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, tree / place)
    (tree / "usr/bin").mkdir(parents=True)
    for name in ("nashboard", "nashboard-cli"):
        (tree / "usr/bin" / name).symlink_to(f"../../{HOME}/{name}")


def lay_out_add_on(tree: Path, name: str, add_on: Path, licence: Path) -> None:
    """Put an add-on's files where a package of it has them."""
    shutil.copytree(add_on, tree / HOME / "addons" / add_on.name, symlinks=True, copy_function=linked)
    (tree / f"usr/share/doc/{name}").mkdir(parents=True)
    shutil.copyfile(licence, tree / f"usr/share/doc/{name}/copyright")


def linked(source: str, target: str) -> str:
    """Copy a file as a hard link where the disk allows it."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)
    return target


def pack(tree: Path, target: Path, name: str, version: str, depends: str, level: int) -> Path:
    """Write the package of a tree and return its path; everything in it belongs to root and can be read by all."""
    for path in (tree, *tree.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    size = sum(path.lstat().st_size for path in tree.rglob("*") if not path.is_dir()) // 1024
    machine = architecture()
    (tree / "DEBIAN").mkdir()
    (tree / "DEBIAN" / "control").write_text(control(name, version, depends, size, machine), "utf-8")
    package = target / f"{name}_{version}_{machine}.deb"
    squeeze = ["-Zxz", f"-z{level}", *threads()]
    call(
        f"{package.name} could not be packed",
        ["dpkg-deb", *squeeze, "--root-owner-group", "--build", str(tree), str(package)],
    )
    return package
