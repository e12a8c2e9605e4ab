"""``nashboard learn`` as a process of its own: scenarios, settings that are wrong, kills, services, no learn extra."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SMALL = ("--slots", "18", "--set", "gate_texts=16", "--set", "round_every=3")
FIELDS = {"genesis_root", "trace_hash", "slots", "finalized_epoch", "updates", "slashings"}
UPDATE = {"id", "slot", "acks", "quorum", "loss_before", "loss_after", "accepted"}


def test_two_processes_with_one_seed_give_the_same_chain(nashboard: Callable[..., Any]) -> None:
    first = nashboard("learn", "run", "committee", *SMALL, "--json", status=None).json
    second = nashboard("learn", "run", "committee", *SMALL, "--json", status=None).json
    assert first.keys() >= FIELDS
    assert first["updates"] and first["updates"][0].keys() >= UPDATE
    same = ("genesis_root", "trace_hash", "head_root", "model_root")
    assert [first[name] for name in same] == [second[name] for name in same]
    other = nashboard("learn", "run", "committee", *SMALL, "--genesis-seed", "ab" * 32, "--json", status=None).json
    assert other["genesis_root"] != first["genesis_root"]
    assert other["trace_hash"] != first["trace_hash"]


def test_solo_finalises_and_its_checks_hold(nashboard: Callable[..., Any]) -> None:
    ran = nashboard("learn", "run", "solo", "--json")
    assert ran.json["ok"] and ran.json["finalized_epoch"] >= 1
    assert {update["quorum"] for update in ran.json["updates"] if update["acks"]} == {1}
    listed = nashboard("learn", "list", "--json").json
    assert [(run["scenario"], run["state"], run["trace_hash"]) for run in listed] == [
        ("solo", "done", ran.json["trace_hash"])
    ]


def test_a_fault_from_the_command_line_is_punished(nashboard: Callable[..., Any]) -> None:
    ran = nashboard(
        "learn", "run", "committee", "--slots", "16", "--set", "gate_texts=16", "--set", "round_every=4",
        "--fault", "equivocate_votes@2:3", "--json", status=None,
    )  # fmt: skip
    assert [(s["validator"], s["reason"]) for s in ran.json["slashings"]] == [(3, "double_vote")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("comittee",), "There is no scenario 'comittee'"),
        (("solo", "--genesis-seed", "ab"), "GENESIS_SEED is 64 hexadecimal characters, got 2"),
        (("solo", "--genesis-seed", "zz" * 32), "GENESIS_SEED"),
        (("solo", "--validators", "0"), "validators"),
        (("solo", "--set", "gate_text=3"), "gate_text"),
        (("solo", "--set", "gate_texts"), "NAME=VALUE"),
        (("solo", "--fault", "offline@x"), "offline@8:1,2"),
        (("solo", "--fault", "ofline@3"), "There is no fault 'ofline'"),
        (("solo", "--set", "transport=dht", "--set", "clock=simulated"), "a real DHT needs a clock"),
        (("missing.toml",), "missing.toml"),
        (("sweep", "--set", "trainer=3"), "trainer"),
    ],
)
def test_what_is_wrong_is_said_before_anything_starts(
    nashboard: Callable[..., Any], arguments: tuple[str, ...], said: str
) -> None:
    ran = nashboard("learn", "run", *arguments, status=2)
    assert said in ran.err
    assert "Traceback" not in ran.err


def test_a_kill_in_the_middle_loses_nothing(program: list[str], data_root: Path, nashboard: Callable[..., Any]) -> None:
    whole = nashboard("learn", "run", "committee", *SMALL, "--json", status=None).json
    command = [*program, "--data-dir", str(data_root), "learn", "run", "committee", *SMALL]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as victim:
        assert victim.stderr is not None
        for line in victim.stderr:
            if "included" in line:
                break
        victim.send_signal(signal.SIGKILL)
        victim.communicate()
    listed = nashboard("learn", "list", "--json").json
    assert (listed[0]["run_id"], listed[0]["state"]) == (2, "interrupted")
    resumed = nashboard("learn", "resume", 2, "--json", status=None).json
    assert resumed["trace_hash"] == whole["trace_hash"]
    assert resumed["model_root"] == whole["model_root"]
    again = nashboard("learn", "resume", 2, status=1)
    assert "is over" in again.err


def test_without_the_learn_extra_the_simulated_chain_runs_and_real_training_says_what_is_missing(
    nashboard: Callable[..., Any], tmp_path: Path
) -> None:
    absent = "import sys\nsys.modules.update(hivemind=None, transformers=None, peft=None)\n"
    (tmp_path / "sitecustomize.py").write_text(absent)
    bare = {"PYTHONPATH": str(tmp_path)}
    ran = nashboard("learn", "run", "committee", *SMALL, "--json", status=None, env=bare)
    assert ran.json["training"] == "replayed" and any(update["accepted"] for update in ran.json["updates"])
    for arguments in (("--training", "real"), ("--transport", "dht")):
        refused = nashboard("learn", "run", "committee", *arguments, status=4, env=bare)
        assert "hivemind, transformers, peft" in refused.err and "nashboard[learn]" in refused.err


@pytest.mark.learn
@pytest.mark.slow
def test_real_trainers_and_a_real_dht_bring_an_update_into_a_block(nashboard: Callable[..., Any]) -> None:
    """The scenario ``real`` in small: a model that trains in a second, three libp2p nodes, two rounds by the clock."""
    pytest.importorskip("peft", reason="the learn extra is not installed")
    small = ("model=nano", "speed=1", "dht_peers=3", "trainers=4", "gate_texts=64", "training_steps=20")
    settings = [text for setting in small for text in ("--set", setting)]
    ran = nashboard("learn", "run", "real", "--validators", "4", "--slots", "6", *settings, "--json", status=None)
    assert (ran.json["training"], ran.json["transport"]) == ("real", "dht")
    included = [update for update in ran.json["updates"] if update["stage"] == "included"]
    assert included, ran.json["updates"]  # one of two: on a busy machine a trainer may come too late for the other
    update = included[0]
    assert update["acks"] >= update["quorum"] == 2
    assert update["loss_after"] < 0.999 * update["loss_before"]
    assert ran.json["slashings"] == []


def test_the_lines_of_manual_testing_work_while_the_chain_is_up(program: list[str], data_root: Path) -> None:
    command = [*program, "--data-dir", str(data_root), "learn", "up", "--free-ports", "--scenario", "committee"]
    command += ["--set", "gate_texts=16"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as chain:
        try:
            assert chain.stderr is not None
            found: dict[str, str] = {}
            for line in chain.stderr:
                if match := re.match(r"(\w+): (http://127\.0\.0\.1:\d+)", line):
                    found[match[1]] = match[2]
                if len(found) == 4:
                    break
            assert len(get(f"{found['dht']}/dht/peers")["peers"]) == 8
            call = {"jsonrpc": "2.0", "method": "eth_blockNumber", "params": [], "id": 1}
            deadline = time.monotonic() + 60
            while int(post(found["eth"], call)["result"], 16) < 2:
                assert time.monotonic() < deadline
                time.sleep(0.2)
            head = get(f"{found['beacon']}/eth/v1/beacon/headers/head")["data"]
            assert head["canonical"] and int(head["header"]["message"]["slot"]) >= 2
        finally:
            chain.send_signal(signal.SIGINT)
            _, rest = chain.communicate(timeout=60)
    assert chain.returncode == 130, rest
    assert "learn resume 1" in rest


def test_a_taken_port_names_itself_and_the_setting(program: list[str], data_root: Path, tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (tmp_path / ".env").write_text(
            f"PRYSM_REST_PORT={port}\nGETH_HTTP_PORT=auto\nAI_ENGINE_PORT=auto\nDHT_PORT=auto\n"
        )
        command = [*program, "--data-dir", str(data_root), "learn", "up", "--env", str(tmp_path / ".env")]
        command += ["--scenario", "committee", "--set", "gate_texts=16"]
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert ran.returncode == 1
    assert str(port) in ran.stderr and "PRYSM_REST_PORT" in ran.stderr


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return json.load(answer)


def post(url: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)
