"""What an installed build holds: whose packages, which modules and files, and what is left out of them.

Everything is worked out from pyproject.toml and from what is installed, so that a new dependency comes along by
itself, and nothing of the developers' own tools ever does.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import sysconfig
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NAME = "nashboard"
OWN = ("app", "engine", "widgets")
CONTENTS = "_internal"
# What lies beside the program where it is wanted, in this order: each may use what those before it bring.
ADD_ONS = ("torch", "learn")
# The libraries of solvers compiled ahead of time, as build.py says; with them a build needs no compiler of its own.
AHEAD = tuple(filter(None, os.environ.get("NASHBOARD_AHEAD", "").split(os.pathsep)))
# Only a checkout compiles contracts; the rest builds and installs packages.
NEVER = {"solcx", "setuptools", "pkg_resources", "_distutils_hack", "wheel", "tkinter", "PyQt5", "PyQt6", "PySide2"}
# Numba stamps what it keeps by the source file of each function, so these modules lie beside the archive.
AS_FILES = {"engine.games": "py"}
# Versions of these are shown or compared while the program runs.
WITH_METADATA = (
    *("PySide6-Essentials", "pyqtgraph", "qasync", "wasmtime", "web3", "coincurve", "keyring", "prometheus-client"),
    *("numpy", "highspy", "safetensors", "tqdm", "regex", "packaging", "filelock", *(() if AHEAD else ("numba",))),
)
# Big packages that an add-on finds in the build as far as the program itself needs them.
_BIG = {"numpy", "networkx", "setuptools"}
# What a requirement of the program names and the program does without: elote's other ratings calculate with it.
_UNUSED = {"scipy"}
# Parts of the standard library that no program runs: its tests, windows of another kind, tools.
_NOT_STANDARD = re.compile(
    r"^(test|idlelib|tkinter|_tkinter|turtle|turtledemo|lib2to3|nis|ensurepip|venv|pydoc_data|distutils|antigravity|this"
    r"|__hello__|__phello__|_test\w+|_xx\w+|xx\w+|_ctypes_test|_sysconfigdata\w*|nt|ntpath_|msilib|winreg)(\.|$)|\.tests?(\.|$)"
)


# Packages --------------------------------------------------------------------------------------------------------


def project() -> dict[str, object]:
    """Return the project's table of pyproject.toml."""
    table: dict[str, object] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return table


def version() -> str:
    """Return the version that is built."""
    return str(project()["version"])


def normal(name: str) -> str:
    """Return a distribution's name in its one spelling."""
    return re.sub(r"[-_.]+", "-", name).lower()


def closure(requirements: Iterable[str]) -> set[str]:
    """Return the names of all installed distributions that these requirements lead to."""
    from packaging.requirements import Requirement

    seen: set[tuple[str, tuple[str, ...]]] = set()
    ahead = [Requirement(text) for text in requirements]
    while ahead:
        wanted = ahead.pop()
        key = normal(wanted.name), tuple(sorted(wanted.extras))
        if key in seen:
            continue
        try:
            needs = distribution(wanted.name).requires or []
        except PackageNotFoundError:
            continue
        seen.add(key)
        for need in map(Requirement, needs):
            extras = ("", *wanted.extras)
            if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in extras):
                ahead.append(need)
    return {name for name, _ in seen}


def requirements(add_on: str = "") -> list[str]:
    """Return what the program, or an add-on, names as its requirements."""
    table = project()
    named: list[str] = table["dependencies"]  # type: ignore[assignment]
    apart = {*ADD_ONS, *(("numba",) if AHEAD else ())}
    if not add_on:
        return [text for text in named if named_by(text) not in apart]
    extras: dict[str, list[str]] = table["optional-dependencies"]  # type: ignore[assignment]
    return extras[add_on] if add_on in extras else [text for text in named if named_by(text) == add_on]


def named_by(requirement: str) -> str:
    """Return the distribution that a requirement names."""
    return normal(re.split(r"[\s\[<>=!~;(]", requirement.strip(), maxsplit=1)[0])


def of_program() -> set[str]:
    """Return the distributions that the program needs."""
    return closure(requirements()) - _UNUSED


def of_add_on(name: str) -> set[str]:
    """Return the distributions of an add-on that neither the program nor an add-on before it brings."""
    before = (closure(requirements(other)) for other in ADD_ONS[: ADD_ONS.index(name)])
    return closure(requirements(name)) - of_program().union(*before)


def excluded() -> list[str]:
    """Return all importable names of this environment that belong to no distribution of the program."""
    allowed = of_program() | {NAME}
    foreign = (
        name for name, owners in packages_distributions().items() if not {normal(owner) for owner in owners} & allowed
    )
    return sorted({*NEVER, *(name for name in foreign if name.isidentifier() and name not in OWN)})


def shared() -> list[str]:
    """Return the importable names that program and add-ons both use: whole, since an add-on may use other parts."""
    both = (of_program() & set().union(*(closure(requirements(name)) for name in ADD_ONS))) - _BIG
    found = packages_distributions().items()
    return sorted(name for name, owners in found if {normal(owner) for owner in owners} & both and name.isidentifier())


# Modules ---------------------------------------------------------------------------------------------------------


def modules_below(folder: Path, package: str) -> Iterator[str]:
    """Yield the names of a package's modules, whether or not anything imports them."""
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        if "__pycache__" not in parts:
            yield ".".join((package, *parts)).removesuffix(".__init__")


def own_modules() -> list[str]:
    """Return all of our modules: many are imported only when they are needed."""
    return [name for package in OWN for name in modules_below(ROOT / package, package)]


def standard_modules() -> list[str]:
    """Return the whole standard library but its tests and tools, so that add-ons find what they expect."""
    folder = Path(sysconfig.get_path("stdlib"))
    found: set[str] = set()
    for name in sys.stdlib_module_names:
        found.add(name)
        if (folder / name / "__init__.py").is_file():
            found.update(modules_below(folder / name, name))
    return sorted(name for name in found if not _NOT_STANDARD.search(name))


# Files -----------------------------------------------------------------------------------------------------------


def anvil() -> Path | None:
    """Return the Anvil that npm brought for this system, else the one on the path, None where there is none."""
    system = {"win32": "win32", "darwin": "darwin"}.get(sys.platform, "linux")
    found = sorted((ROOT / "contracts/node_modules/@foundry-rs").glob(f"anvil-{system}-*/bin/anvil*"))
    installed = shutil.which("anvil")
    return found[0] if found else Path(installed).resolve() if installed else None


def own_files() -> list[tuple[str, str]]:
    """Return our data files as pairs of a path and the folder inside the build."""
    pairs = []
    for path in sorted((ROOT / "assets").rglob("*")):
        inside = path.relative_to(ROOT)
        if path.is_file() and path.suffix not in (".py", ".pyc") and inside.parts[1] != "screenshots":
            pairs.append((str(path), inside.parent.as_posix()))
    kernels = "engine/games/kernels"
    pairs += [(str(path), kernels) for path in sorted((ROOT / kernels).glob("*.cu*"))]
    pairs += [(str(path), "widgets") for path in sorted((ROOT / "widgets").glob("*.qss"))]
    pairs.append((str(ROOT / "LICENSE"), "."))
    node = anvil()
    if node is not None:
        pairs.append((str(node), "bin"))
    return pairs


def metadata(folder: Path) -> tuple[str, str]:
    """Write our own metadata without the path that an editable installation notes; return the pair to collect."""
    target = folder / f"{NAME}-{version()}.dist-info"
    target.mkdir(parents=True, exist_ok=True)
    text = f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {version()}\nLicense: MIT\n"
    (target / "METADATA").write_text(text, "utf-8")
    return str(target), target.name


# Pruning ---------------------------------------------------------------------------------------------------------

_QT = "Core|Gui|Widgets|DBus|Network|OpenGL|OpenGLWidgets|Svg|SvgWidgets|Test|XcbQpa|WaylandClient|WlShellIntegration"
_PLUGINS = (
    "platforms|iconengines|imageformats|platformthemes|platforminputcontexts|xcbglintegrations|styles|tls"
    "|wayland-decoration-client|wayland-graphics-integration-client|wayland-shell-integration"
)
_SCIPY_UNUSED = "io|stats|signal|ndimage|interpolate|cluster|integrate|fftpack|odr|datasets|misc|differentiate"
_PRUNED = tuple(
    re.compile(pattern)
    for pattern in (
        # Qt: its own translations and QML, plugins and libraries of modules that no window here uses
        rf"^PySide6/(Qt/)?(translations|qml|metatypes)/|^PySide6/Qt/lib/libQt6(?!({_QT})\.)",
        rf"^PySide6/(Qt/)?plugins/(?!({_PLUGINS})/)|^PySide6/QtOpenGL\.",
        r"^PySide6/(Qt/)?plugins/platforms/\w*(eglfs|linuxfb|minimalegl|vkkhrdisplay|vnc|webgl|directfb)",
        r"^PySide6/(Qt/)?plugins/\w+/\w*(virtualkeyboard|qpdf|qtiff|qtga|qwbmp|qicns|qgtk3)",
        rf"^libQt6(?!({_QT})\.)",
        # torch: test programs and data, headers, compilers, what measures and exports
        r"^torch/(test|include|share|utils/(benchmark|tensorboard|bottleneck))/",
        # torch itself needs two modules of its tests, torch.distributed.fsdp two more
        r"^torch/testing/_internal/(?!(distributed/)?(__pycache__/)?(__init__|logging_tensor|common_dtype|fake_pg)\.)",
        r"^torch/bin/(?!torch_shm_manager)",
        r"^(torch/lib/)?lib(jitbackend_test|backend_with_compiler|aoti_custom_ops|torchbind_test)\.",
        r"^torch/.*\.(h|hpp|cpp|cu|cuh|cmake|pyi|a|lib)$",
        # algebra of fields that torch's compiler has no use for
        r"^sympy/(physics|stats|crypto|vector|holonomic|liealgebras|diffgeom|categories|sandbox|(\w+/)*benchmarks)/",
        rf"^scipy/({_SCIPY_UNUSED})/|^scipy/special/cython_special\.|^scipy/.*/_test_\w+\.[\w-]+\.so$",
        # everywhere: tests, headers and stubs of other packages
        r"(^|/)tests?/(?!.*\.so)",
        r"^(numpy|scipy|numba|llvmlite|pyqtgraph|Crypto)/.*\.(h|hpp|c|cpp|pyi|pyx|pxd|a|f|f90)$",
        r"^pyqtgraph/examples/|^qtawesome/fonts/(?!phosphor)",
        r"^[\w.+-]+\.dist-info/((RECORD|direct_url\.json|INSTALLER|REQUESTED)$|sboms/)",
    )
)
_PRUNED_MODULES = re.compile(
    # templates ask for jinja2.tests; of torch the same as above
    r"(^|(?<!jinja2)\.)tests?(\.|$)|\.testing\._internal\.(?!(logging_tensor|common_dtype|distributed(\.fake_pg)?)$)"
    r"|^torch\.utils\.(benchmark|tensorboard|bottleneck)(\.|$)|^pyqtgraph\.examples|^numpy\.distutils(\.|$)"
    rf"|^scipy\.({_SCIPY_UNUSED})(\.|$)"
    # of what colours code, only what shows our own errors
    r"|^pygments\.lexers\.(?!(_mapping|python|special|data)$)"
)


def is_kept(destination: str) -> bool:
    """Whether a file goes into the build, by its place in it."""
    place = destination.replace("\\", "/")
    return place.startswith(("assets/", "engine/")) or not any(pattern.search(place) for pattern in _PRUNED)


def kept_files(table: Iterable[Sequence[str]]) -> list[Sequence[str]]:
    """Return the entries of a table of PyInstaller's that are kept; each begins with its place."""
    return [entry for entry in table if is_kept(entry[0])]


def kept_modules(table: Iterable[Sequence[str]]) -> list[Sequence[str]]:
    """Return the modules of a table of PyInstaller's that are kept."""
    return [entry for entry in table if entry[0].startswith(OWN) or not _PRUNED_MODULES.search(entry[0])]


def reachable(table: Sequence[Sequence[str]], needs: Callable[[str], Iterable[str]]) -> list[Sequence[str]]:
    """Return a table of libraries without those that only a pruned one asked for.

    What the system lent lies at the top under its plain name; all else has its place in a package. ``needs`` gives the
    names of the libraries that a file asks for.
    """
    lent = {entry[0]: entry for entry in table if "/" not in entry[0] and entry[2] == "BINARY"}
    kept = {entry[0] for entry in table if entry[0] not in lent or entry[0].startswith("libpython")}
    ahead = [entry[1] for entry in table if entry[0] in kept and entry[2] != "SYMLINK"]
    while ahead:
        found = {name for name in needs(ahead.pop()) if name in lent} - kept
        kept |= found
        ahead += [lent[name][1] for name in found]
    return [entry for entry in table if entry[0] in kept]
