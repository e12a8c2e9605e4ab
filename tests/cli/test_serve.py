"""``nashboard serve`` as its clients find it: a process of its own, a scrape, a WebSocket, a run that is asked for."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.cli.conftest import ROOT, Run

Start = Callable[..., subprocess.Popen[str]]
PORTFOLIO = ROOT / "assets" / "tasks" / "portfolio.json"


def url_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    lines = []
    while not lines or lines[-1].rstrip() != "}":
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        lines.append(line)
    return str(json.loads("".join(lines))["url"])


async def test_a_run_is_started_heard_and_counted(started: Start) -> None:
    process = started("serve", "--port", 0, "--json")
    url = url_of(process)
    body = {"task": json.loads(PORTFOLIO.read_text()), "on_chain": False, "config": {"seed": 5}}
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(f"{url}/ws?events=consensus") as socket:
            async with session.post(f"{url}/api/consensus/runs", json=body) as answer:
                assert answer.status == 200, await answer.text()
                task_hash = (await answer.json())["task_hash"]
            heard = []
            while not heard or heard[-1]["type"] != "consensus.ended":
                heard.append(await socket.receive_json(timeout=60))
        updates = [message for message in heard if message["type"] == "consensus_update"]
        assert updates and all(
            set(update) == {"type", "task_hash", "iteration", "positions", "converged"} for update in updates
        )
        assert updates[0]["task_hash"] == task_hash and len(updates[0]["positions"]) == 5
        assert [update["iteration"] for update in updates] == list(range(1, len(updates) + 1))
        async with session.get(f"{url}/metrics") as answer:
            families = {family.name: family for family in text_string_to_metric_families(await answer.text())}
        assert {"consensus_iterations_total", "consensus_gas_used", "consensus_convergence_seconds"} <= set(families)
        counts = {sample.name: sample.value for sample in families["consensus_iterations_total"].samples}
        assert counts["consensus_iterations_total_count"] == 1
        async with session.get(f"{url}/api/consensus/runs") as answer:
            assert [run["state"] for run in await answer.json()] == ["done"]
        for wrong in (
            {},
            {"task": 1},
            {"task": {}},
            {**body, "agent": []},
            {**body, "config": {"seeds": 1}},
            [1],
            None,
        ):
            async with session.post(f"{url}/api/consensus/runs", json=wrong) as answer:
                assert answer.status in (400, 422) and (await answer.json())["what"]
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=90) == 130


async def test_elsewhere_a_token_is_needed(nashboard: Run, started: Start, tmp_path: Path) -> None:
    refused = nashboard("serve", "--host", "0.0.0.0", "--port", 0, "--json", status=2)
    assert "needs a token" in refused.json["what"]
    path = tmp_path / "token"
    process = started("serve", "--host", "0.0.0.0", "--port", 0, "--token-file", path, "--json")
    url = url_of(process).replace("0.0.0.0", "127.0.0.1")
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{url}/metrics") as answer:
            assert answer.status == 401
        async with session.get(
            f"{url}/metrics", headers={"Authorization": f"Bearer {path.read_text().strip()}"}
        ) as answer:
            assert answer.status == 200
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=90) == 130


async def test_a_learning_chain_is_started_and_heard(started: Start) -> None:
    process = started("serve", "--port", 0, "--json")
    url = url_of(process)
    body = {"scenario": "solo", "settings": {"slots": 4, "gate_texts": 4, "genesis_seed": "5e" * 32}}
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(f"{url}/ws?events=learn.") as socket:
            async with session.post(f"{url}/api/learning/runs", json=body) as answer:
                assert answer.status == 200, await answer.text()
                run_id = (await answer.json())["run_id"]
            texts = []
            while not texts or json.loads(texts[-1])["type"] != "learn.ended":
                texts.append(await socket.receive_str(timeout=60))
        heard = [json.loads(text) for text in texts]
        assert {message["run_id"] for message in heard} == {run_id}
        assert {"learn.started", "learn.phase", "learn.slot", "learn.validators"} <= {m["type"] for m in heard}
        assert heard[-1]["outcome"] == "done" and not any("5e" * 32 in text for text in texts)
        async with session.get(f"{url}/metrics") as answer:
            assert 'learning_runs_total{outcome="done"} 1.0' in await answer.text()
        async with session.get(f"{url}/api/learning/runs") as answer:
            assert "5e" * 32 not in await answer.text()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=90) == 130


async def test_a_rate_can_be_chosen(started: Start) -> None:
    url = url_of(started("serve", "--port", 0, "--rate", 0.5, "--json"))
    async with aiohttp.ClientSession() as session:
        statuses = []
        for _ in range(3):
            async with session.get(f"{url}/metrics") as answer:
                statuses.append(answer.status)
    assert statuses == [200, 200, 429]


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_wrong_ports_are_refused(nashboard: Run, port: str) -> None:
    nashboard("serve", "--port", port, status=2)
