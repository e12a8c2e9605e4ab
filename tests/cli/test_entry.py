"""The entry: help, version, files, mistakes; and what is not imported for them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli import COMMANDS, cli, complete
from app.entry import OPENED, Wanted, window_wanted
from engine.core.errors import UsageError

ROOT = Path(__file__).parents[2]
# pydantic is not among them: the parser of options itself needs it.
HEAVY = {"PySide6", "numpy", "torch", "web3", "wasmtime", "rich", "asyncio", "psutil", "eth_account", "sqlite3"}

# Runs the program with Qt blocked, and prints on stderr what it imported.
WITHOUT_QT = """
import sys

class NoQt:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("PySide6", "shiboken6", "qasync", "pyqtgraph", "qtawesome"):
            raise ImportError(f"{name} is blocked", name=name)

sys.meta_path.insert(0, NoQt())
from app.entry import run
status = run(sys.argv[1:])
print("imported", *sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
sys.exit(status)
"""


def without_qt(*arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITHOUT_QT, *arguments]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **extra}, capture_output=True, text=True, timeout=60, check=False
    )


def test_commands_are_those_that_are_registered() -> None:
    named = {command.name for command in cli.registered_commands} | {group.name for group in cli.registered_groups}
    assert named == set(COMMANDS)


@pytest.mark.parametrize("arguments", [[], *([name] for name in COMMANDS), ["league", "run"], ["match", "run"]])
def test_help_works_without_qt_and_imports_nothing_heavy(arguments: list[str]) -> None:
    done = without_qt(*arguments, "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: nashboard")
    imported = set(done.stderr.split("imported")[-1].split())
    assert imported & HEAVY == set()


def test_version_is_that_of_the_project() -> None:
    import tomllib

    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert without_qt("--version").stdout == f"nashboard {wanted}\n"


def test_the_installed_program_runs_from_anywhere(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("nashboard")
    done = subprocess.run([program, "--version"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == without_qt("--version").stdout


def test_console_without_qt_names_doctor_and_demo() -> None:
    done = without_qt()
    assert done.returncode == 4
    assert "nashboard doctor" in done.stderr
    assert "nashboard demo" in done.stderr


def test_console_without_an_x_server_says_so_before_qt_aborts(nashboard) -> None:
    ran = nashboard(status=4, env={"DISPLAY": ":4711", "WAYLAND_DISPLAY": "", "QT_QPA_PLATFORM": ""})
    assert ":4711" in ran.err or "apt-get install" in ran.err
    assert "nashboard demo" in ran.err


def test_commands_work_without_qt(tmp_path: Path) -> None:
    out = tmp_path / "m.nets"
    agent = ROOT / "assets/agents/snake/greedy.wasm"
    place = ("--data-dir", str(tmp_path / "data"))
    done = without_qt(
        *place, "match", "run", "--system", "snake", "--agent", str(agent), "--seed", "1", "--out", str(out)
    )
    assert done.returncode == 0, done.stderr
    assert out.is_file()


def test_console_without_a_display_names_the_demo(nashboard) -> None:
    ran = nashboard(status=4, env={"DISPLAY": "", "WAYLAND_DISPLAY": "", "QT_QPA_PLATFORM": ""})
    assert "display" in ran.err
    assert "nashboard demo" in ran.err


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ([], ["gui"]),
        (["--data-dir", "x"], ["--data-dir", "x", "gui"]),
        (["-v", "a.nets", "b.wasm"], ["-v", "gui", "a.nets", "b.wasm"]),
        (["--data-dir=x", "a.nets"], ["--data-dir=x", "gui", "a.nets"]),
        (["league", "run"], ["league", "run"]),
        (["--help"], ["--help"]),
        (["--version"], ["--version"]),
    ],
)
def test_files_and_nothing_mean_the_console(given: list[str], wanted: list[str]) -> None:
    assert complete(given) == wanted


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ([], Wanted(None, False, [])),
        (["gui"], Wanted(None, False, [])),
        (["--data-dir", "x", "-v"], Wanted(Path("x"), True, [])),
        (["--verbose", "--data-dir=x", "gui"], Wanted(Path("x"), True, [])),
        (["a.nets", "b.WASM"], Wanted(None, False, [Path("a.nets"), Path("b.WASM")])),
        (["-v", "gui", "a.nets"], Wanted(None, True, [Path("a.nets")])),
    ],
)
def test_a_window_is_wanted_where_it_is_plainly_asked_for(
    given: list[str], wanted: Wanted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.nets", "b.WASM"):
        (tmp_path / name).touch()
    found = window_wanted(given)
    assert found is not None
    assert found == Wanted(wanted.data_root, wanted.verbose, [tmp_path / path for path in wanted.files])
    assert "gui" in complete(given)


@pytest.mark.parametrize("suffix", ["", *OPENED])
def test_a_file_with_a_command_for_a_name_is_opened_by_its_suffix(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in set(COMMANDS) - {"gui"}:
        (tmp_path / f"{name}{suffix}").touch()
        assert (window_wanted([f"{name}{suffix}"]) is not None) == (suffix in OPENED)


@pytest.mark.parametrize(
    "given",
    [
        *([name] for name in COMMANDS if name != "gui"),
        *(["--help"], ["-h"], ["--version"], ["gui", "--help"], ["--json"], ["-vv"], ["--verbose=x"], ["--"], ["-"]),
        *(["--data-dir"], ["--data-dir="], ["--data-dir", "-v"], ["--data", "x"], ["gui", "--data-dir", "x"]),
        *(["devnt"], ["nowhere.nets"], ["a.txt"], ["folder.nets"], ["~/a.nets"], ["a.nets", "gui"], ["gui", "gui"]),
    ],
)
def test_all_else_is_for_the_parser_of_commands(
    given: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.nets").mkdir()
    for name in ("a.nets", "a.txt"):
        (tmp_path / name).touch()
    assert window_wanted(given) is None


def test_a_misspelt_command_is_told_apart_from_a_file() -> None:
    with pytest.raises(UsageError, match="nashboard league"):
        complete(["leauge"])


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["devnt"], "nashboard devnet"),
        (["league", "rnu"], "rnu"),
        (["match", "run"], "--system"),
        (["match", "show", "m.nets", "--step", "x"], "--step"),
        (["nowhere.nets"], "no file"),
        (["README.md"], ".nets and .wasm"),
    ],
)
def test_usage_errors_exit_with_2_and_say_what_to_do(nashboard, arguments: list[str], text: str) -> None:
    ran = nashboard(*arguments, status=2)
    assert text in ran.err
    assert ran.out == ""


def test_usage_errors_are_objects_with_json(nashboard) -> None:
    error = nashboard("match", "run", "--json", status=2).json
    assert error["error"] == "UsageError"
    assert "--system" in error["what"]
    assert "--help" in error["next"]


def test_a_data_directory_that_cannot_be_used_is_told(program: list[str], tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    done = subprocess.run(
        [*program, "--data-dir", str(blocked / "data"), "league", "standings"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "--data-dir" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_goes_away_is_no_failure_to_shout_about(program: list[str]) -> None:
    reader = subprocess.run(
        f"{' '.join(program)} agent check {'assets/agents/snake/greedy.wasm ' * 3} --json | true",
        shell=True,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in reader.stderr
    assert "BrokenPipe" not in reader.stderr


@pytest.mark.parametrize(("where", "status"), [("> /dev/full", 1), (">&-", 0)], ids=["full", "closed"])
@pytest.mark.parametrize(("game", "form"), [("stengel", "--json"), ("chicken", "")])
def test_a_full_or_closed_stdout_is_no_bug(program: list[str], where: str, status: int, game: str, form: str) -> None:
    done = subprocess.run(
        f"{' '.join(program)} solve --game {game} --all {form} {where}",
        shell=True,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stderr
    assert ("The disk is full" in done.stderr) == (status == 1)
    assert "Traceback" not in done.stderr
    assert "bug" not in done.stderr
    assert "Exception" not in done.stderr
