"""Set-up from Python and make alone: its errors, what it repairs, and that a second run does nothing."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
FILES = (
    "pyproject.toml",
    "constraints.txt",
    "packaging/bootstrap.py",
    "packaging/check.py",
    "packaging/analysers.py",
    "packaging/peers.py",
    "Makefile",
)
CONTRACT_FILES = ("package.json", "package-lock.json", ".npmrc")
NOTHING_LISTENS = "http://127.0.0.1:9/"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A fresh checkout, as far as set-up looks at it."""
    for name in (*FILES, *(f"contracts/{name}" for name in CONTRACT_FILES)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def bootstrap(copy: Path) -> ModuleType:
    """The module, at home in the copy."""
    spec = importlib.util.spec_from_file_location("nashboard_bootstrap", copy / "packaging" / "bootstrap.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def offline(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run set-up where no package registry can be reached."""
    environment = {key: value for key, value in os.environ.items() if not key.upper().startswith(("PIP_", "UV_"))}
    environment |= {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": NOTHING_LISTENS, "PIP_RETRIES": "1"}
    command = [sys.executable, str(copy / "packaging" / "bootstrap.py"), *arguments]
    return subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, timeout=240, check=False)


def test_without_a_network_it_says_so_and_a_broken_environment_is_made_anew(copy: Path) -> None:
    done = offline(copy, "run")
    assert done.returncode == 1, done.stderr
    assert "cannot be reached" in done.stderr
    assert "run it again" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    # A set-up that was killed in the middle leaves its mark: nothing of that environment is trusted.
    venv = copy / ".venv"
    assert not (venv / "nashboard-setup.started").exists()
    (venv / "nashboard-setup.started").touch()
    (venv / "half-written").touch()
    again = offline(copy, "setup")
    assert "creating .venv" in again.stderr
    assert not (venv / "half-written").exists()


def test_an_environment_that_is_up_to_date_is_left_alone(bootstrap: ModuleType, copy: Path) -> None:
    bin_folder = copy / ".venv" / "bin"
    bin_folder.mkdir(parents=True)
    (bin_folder / "python").symlink_to(sys.executable)
    assert not bootstrap.python_is_fresh("run")
    bootstrap.write_record({"root": str(copy), "run": bootstrap.python_key()})
    assert bootstrap.python_is_fresh("run")
    assert not bootstrap.python_is_fresh("dev")
    bootstrap.write_record({"root": str(copy), "dev": bootstrap.python_key()})
    assert bootstrap.python_is_fresh("run"), "what developers have is more than what a run needs"
    with (copy / "constraints.txt").open("a") as file:
        file.write("extra==1\n")
    assert not bootstrap.python_is_fresh("run")


def test_an_environment_that_was_moved_is_not_built_upon(bootstrap: ModuleType, copy: Path) -> None:
    (copy / ".venv" / "bin").mkdir(parents=True)
    (copy / ".venv" / "bin" / "python").symlink_to(sys.executable)
    assert bootstrap.works()
    bootstrap.write_record({"root": "/elsewhere", "run": bootstrap.python_key()})
    assert not bootstrap.works()
    bootstrap.RECORD.write_text("{ cut off")
    assert bootstrap.read_record() == {}


def test_npm_packages_are_installed_again_when_the_lock_changes(bootstrap: ModuleType, copy: Path) -> None:
    assert not bootstrap.npm_is_fresh()
    modules = copy / "contracts" / "node_modules"
    modules.mkdir()
    (modules / ".nashboard-setup").write_text(bootstrap.npm_key())
    assert bootstrap.npm_is_fresh()
    lock = copy / "contracts" / "package-lock.json"
    lock.write_text(json.dumps({**json.loads(lock.read_text()), "version": "2"}))
    assert not bootstrap.npm_is_fresh()


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("npm error code ENOTFOUND", "cannot be reached"),
        ("ERROR: No matching distribution found for torch==2.13.0", "does not have a version"),
        ("npm error code EINTEGRITY", "not the one that was pinned"),
        ("error: [Errno 13] Permission denied: 'x'", "cannot be written"),
        ("error: something else", "something else"),
    ],
)
def test_the_cause_is_read_from_the_output(bootstrap: ModuleType, line: str, why: str) -> None:
    assert why in str(bootstrap.diagnose("It failed", ["Collecting a", line]))


def test_another_python_is_refused(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    version = namedtuple("version", "major minor micro releaselevel serial")
    monkeypatch.setattr(sys, "version_info", version(3, 10, 4, "final", 0))
    with pytest.raises(bootstrap.SetupError, match=r"3\.11 and 3\.12") as caught:
        bootstrap.check_interpreter()
    assert caught.value.code == 4


def test_a_disk_without_room_is_refused(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10, 9, 1_000_000))
    with pytest.raises(bootstrap.SetupError, match="too little room"):
        bootstrap.check_disk()


def test_make_without_a_fit_python_says_so(copy: Path) -> None:
    done = subprocess.run(["make", "PYTHON=", "run"], cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "needs Python 3.11 or 3.12" in done.stderr


def test_the_checks_all_run_and_are_summed_up(copy: Path) -> None:
    """In a copy without sources every step fails, and each is named."""
    command = [sys.executable, str(copy / "packaging" / "check.py"), "test", "--co", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    summary = done.stdout.partition("=== summary")[2]
    for step in ("ruff check", "ruff format", "mypy", "import-linter", "forge test", "pytest"):
        assert step in summary
    assert "FAILED: " in summary


@pytest.fixture
def analysers(bootstrap: ModuleType, copy: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """What installs the analysers, at home in the copy."""
    return installer("analysers", bootstrap, copy, monkeypatch)


@pytest.fixture
def peers(bootstrap: ModuleType, copy: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """What installs the packages to compare with, at home in the copy."""
    return installer("peers", bootstrap, copy, monkeypatch)


def installer(name: str, bootstrap: ModuleType, copy: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    shutil.copytree(ROOT / "packaging" / "tools", copy / "packaging" / "tools")
    monkeypatch.setitem(sys.modules, "bootstrap", bootstrap)
    spec = importlib.util.spec_from_file_location(f"nashboard_{name}", copy / "packaging" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_analysers_that_cannot_be_installed_are_done_without(
    analysers: ModuleType, copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(analysers, "python", lambda: copy / "nowhere" / "python")
    analysers.install()
    assert "going on without" in capsys.readouterr().err
    code = "import check; print(check.run('slither', [str(check.TOOLS / 'bin' / 'x')], check.ROOT))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=copy / "packaging", capture_output=True, text=True, check=True
    )
    assert "skipped: " in done.stdout
    assert "(None, 0.0)" in done.stdout


def test_installed_analysers_are_kept_until_their_pins_change(analysers: ModuleType, copy: Path) -> None:
    marker = copy / "build" / "tools" / "bin" / "slither"
    marker.parent.mkdir(parents=True)
    marker.touch()
    analysers.STAMP.write_text(analysers.key())
    analysers.install()
    assert marker.exists()
    (copy / "packaging" / "tools" / "requirements.txt").write_text("slither-analyzer==0.11.5\n")
    assert not analysers.is_fresh()


def test_peers_that_cannot_be_installed_are_done_without(
    peers: ModuleType, copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(peers, "python", lambda: copy / "nowhere" / "python")
    peers.install()
    assert "going on without them" in capsys.readouterr().err
    assert not peers.is_fresh()
    assert not peers.PEERS.exists()


def test_installed_peers_are_kept_until_their_pins_change(peers: ModuleType, copy: Path) -> None:
    marker = copy / "build" / "peers" / "bin" / "python"
    marker.parent.mkdir(parents=True)
    marker.touch()
    peers.STAMP.write_text(peers.key())
    peers.install()
    assert marker.exists()
    peers.PINS.write_text("flwr==1.41.0\n")
    assert not peers.is_fresh()


def test_every_package_that_a_tool_needs_is_pinned_to_one_version() -> None:
    for file in sorted((ROOT / "packaging" / "tools").glob("*.txt")):
        lines = [line for line in file.read_text().splitlines() if line and not line.startswith("#")]
        assert all(line.count("==") == 1 for line in lines), file.name
        assert len({line.partition("==")[0].lower() for line in lines}) == len(lines), file.name
