"""``nashboard devnet``: a chain that outlives the command that started it, and that leaves others alone."""

from __future__ import annotations

import json
import signal
import socket
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.chain


@pytest.fixture(autouse=True)
def _taken_down(nashboard) -> Iterator[None]:
    yield
    nashboard("devnet", "down")


def ask(url: str, method: str) -> str:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": []}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["result"]


def ended(pid: int) -> bool:
    """Whether the process is gone, or waits only for its parent to notice."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_up_returns_when_it_answers_and_down_ends_it(nashboard) -> None:
    up = nashboard("devnet", "up", "--chain-id", 4242, "--json").json
    assert up["state"] == "running"
    assert int(ask(up["url"], "eth_chainId"), 16) == up["chain_id"] == 4242
    again = nashboard("devnet", "up", "--chain-id", 4242, "--json").json
    assert again["pid"] == up["pid"]
    assert nashboard("devnet", "status", "--json").json["pid"] == up["pid"]
    assert nashboard("devnet", "down", "--json").json["state"] == "stopped"
    assert ended(up["pid"])
    assert nashboard("devnet", "status", "--json").json["state"] == "stopped"


def test_its_head_survives_a_restart(nashboard) -> None:
    url = nashboard("devnet", "up", "--json").json["url"]
    ask(url, "evm_mine")
    before = ask(url, "eth_blockNumber")
    nashboard("devnet", "down")
    assert ask(nashboard("devnet", "up", "--json").json["url"], "eth_blockNumber") == before


def test_a_fixed_port_is_kept_and_a_taken_one_refused(nashboard) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        error = nashboard("devnet", "up", "--port", port, "--json", status=1).json
        assert str(port) in error["what"]
        assert error["next"]
    assert nashboard("devnet", "up", "--port", port, "--json").json["port"] == port


def test_without_anvil_the_paths_tried_are_named(nashboard, tmp_path: Path) -> None:
    missing = tmp_path / "no-anvil"
    error = nashboard("devnet", "up", "--json", status=4, env={"NASHBOARD_ANVIL": str(missing)}).json
    assert str(missing) in error["why"]
    assert error["tried"] == [str(missing)]
    assert error["next"]


def test_foreground_holds_it_until_interrupted(started, nashboard, data_root: Path) -> None:
    process = started("devnet", "up", "--foreground", "--json")
    pid = json.loads(_read_object(process))["pid"]
    assert psutil.pid_exists(pid)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    assert ended(pid)
    assert nashboard("devnet", "status", "--json").json["state"] == "stopped"


def test_foreground_ends_when_the_chain_is_killed(started) -> None:
    process = started("devnet", "up", "--foreground", "--json")
    psutil.Process(json.loads(_read_object(process))["pid"]).kill()
    assert process.wait(20) == 1
    assert "Error: The devnet ended" in process.stderr.read()


def _read_object(process) -> str:
    """Read the first JSON object from a process that goes on."""
    deadline, text = time.monotonic() + 30, ""
    while time.monotonic() < deadline:
        text += process.stdout.readline()
        if text.rstrip().endswith("}"):
            return text
    raise AssertionError(f"no object came: {text!r}")
