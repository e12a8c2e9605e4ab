"""The console as an operator has it: a real window on a real X server, driven by keys and clicks."""

import json
import signal
from pathlib import Path

import psutil
import pytest
from PIL import Image

pytestmark = [pytest.mark.xvfb, pytest.mark.slow]
BLANK = 4  # colours of an empty window under the manager's frame


def colours(picture: Image.Image) -> int:
    return len(picture.resize((360, 225)).getcolors(360 * 225) or [])


def test_pages_are_painted_and_keys_lead_to_them(tmp_path: Path, console_on, until, differs):
    with console_on(tmp_path / "data") as console:
        console.settle()
        shots = []
        names = ("Overview", "Devnet", "Consensus", "Leagues", "Stakes", "Replay", "Merkle")
        for number, name in enumerate(names, start=1):
            console.press(f"ctrl+{number}")
            until(lambda name=name: name in console.title())
            last = shots[-1] if shots else None
            until(lambda last=last: last is None or differs(last, console.screen.shot()) > 0.01)
            shots.append(console.screen.shot())
        assert all(colours(shot) > BLANK * 10 for shot in shots)
        console.press("ctrl+q")
        assert console.process.wait(10) == 0


def workers(console: int) -> set[int]:
    """The processes that compute for the console, by their numbers."""
    return {child.pid for child in psutil.Process(console).children() if child.status() != psutil.STATUS_ZOMBIE}


def test_a_key_runs_a_method(tmp_path: Path, console_on, until, differs):
    with console_on(tmp_path / "data") as console:
        console.settle()
        console.press("ctrl+3")
        until(lambda: "Consensus" in console.title())
        console.settle()
        before, at_rest = console.screen.shot(), workers(console.process.pid)
        console.press("F5")  # rock, paper, scissors is solved at once
        until(lambda: differs(before, console.screen.shot()) > 0.01)
        # The solver's process has ended; Python's own resource tracker may have come.
        until(lambda: len(workers(console.process.pid) - at_rest) <= 1)


def test_a_killed_console_leaves_no_node(tmp_path: Path, console_on, until):
    with console_on(tmp_path / "data") as console:
        console.settle()
        console.command("start devnet")
        (node,) = until(lambda: console.children("anvil"))
        console.process.send_signal(signal.SIGKILL)
        console.process.wait()
        until(lambda: not psutil.pid_exists(node.pid) or node.status() == psutil.STATUS_ZOMBIE, 5)


def test_sigterm_ends_the_console_and_its_node_in_order(tmp_path: Path, console_on, until):
    with console_on(tmp_path / "data") as console:
        console.settle()
        console.command("start devnet")
        (node,) = until(lambda: console.children("anvil"))
        until((tmp_path / "data" / "devnet" / "node.json").exists)
        console.process.send_signal(signal.SIGTERM)
        assert console.process.wait(10) == 0
        assert not psutil.pid_exists(node.pid)
        assert (tmp_path / "data" / "devnet" / "state.json").stat().st_size > 0


def test_a_second_instance_hands_its_files_over(tmp_path: Path, console_on, until, nets_file):
    with console_on(tmp_path / "data") as console:
        console.settle()
        with console_on(tmp_path / "data", nets_file) as second:
            assert second.process.wait(15) == 0
        until(lambda: "Replay" in console.title())


@pytest.fixture
def nets_file(tmp_path: Path) -> Path:
    import subprocess
    import sys

    root = Path(__file__).parents[2]
    path = tmp_path / "match.nets"
    agent = root / "assets" / "agents" / "snake" / "greedy.wasm"
    command = [sys.executable, "-m", "app", "--data-dir", str(tmp_path / "other"), "match", "run", "--system", "snake"]
    subprocess.run([*command, "--agent", str(agent), "--seed", "3", "--out", str(path)], check=True, cwd=root)
    return path


def test_a_fresh_profile_is_welcomed_and_enter_runs_the_demo_to_its_end(tmp_path: Path, console_on, until, differs):
    home = tmp_path / "home"
    home.mkdir()
    with console_on(None, HOME=str(home), XDG_DATA_HOME="", XDG_CONFIG_HOME="") as console:
        console.settle()
        assert console.title().startswith("Welcome")
        welcome = console.screen.shot()
        assert colours(welcome) > BLANK * 10
        console.press("Return")
        until(lambda: "Overview" in console.title())
        (folder,) = until(lambda: list(home.rglob("nashboard.db")))
        until(lambda: demo_ended(folder.parent), 180)
        until(lambda: differs(welcome, console.screen.shot()) > 0.05)
        console.press("ctrl+q")
        assert console.process.wait(15) == 0
    with console_on(None, HOME=str(home), XDG_DATA_HOME="", XDG_CONFIG_HOME="") as console:
        until(lambda: "·" in console.title())
        assert console.title().startswith("Overview"), "something is kept now: no welcome any more"


def demo_ended(data: Path) -> bool:
    """Whether the demo's last step has its result."""
    results = [json.loads(path.read_text()) for path in (data / "learning").glob("*/run.json")]
    return any(result["state"] == "done" for result in results)
