"""No key and no password anywhere: real work with keys that are known here, then a look at every byte that it left."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from engine.chain.deploy import TREASURY_ACCOUNT
from engine.chain.wallet import AUDITOR, DEVELOPMENT_PHRASE, OPERATOR, Wallet

pytestmark = [pytest.mark.chain, pytest.mark.slow, pytest.mark.timeout(300)]
ROOT = Path(__file__).parents[2]
SECRET = bytes.fromhex("7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d")
PASSWORD = "correct horse battery"
NUMBERS = (OPERATOR, *range(1, 10), AUDITOR, TREASURY_ACCOUNT, *range(2_000_000, 2_000_010))

# A round on a chain with an unlocked key, all events and all log lines shown, bugs with keys on the stack, and the
# text form of all objects of ours that are alive at the end.
WORK = """
import asyncio, dataclasses, gc, json, logging, sys
from pathlib import Path
import numpy as np
from contextlib import asynccontextmanager
from app.commands.output import Output, report
from app.crash import CrashHandler
from engine.chain.keystore import Keystore, parse_key
from engine.consensus.config import AgentConfig, ConsensusConfig
from engine.consensus.participants import Proposal
from engine.consensus.rounds.service import AgentSpec, ConsensusService, RunSpec
from engine.consensus.tasks import task_of
from engine.core.paths import DataDir
from engine.runtime import Runtime

class Seat:
    strategy = "pure"
    def __init__(self, name, signer):
        self.agent_id, self.signer = name, signer
    async def propose(self, task, state, iteration):
        return Proposal(np.full(task.dims, 1 / task.dims), 0.5)
    async def learn(self, task, outcome):
        pass

@asynccontextmanager
async def seats(spec, signers):
    yield [Seat(agent.name, signers[agent.name]) for agent in spec.agents]

async def main(root, key, password):
    data = DataDir.open(Path(root))
    store = Keystore(data.root / "keys")
    made = await store.add(parse_key(key), password, work=2**12)
    wallet = await store.unlock(made.address, password)
    async with await Runtime.open(data, wallet=wallet) as r:
        r.bus.subscribe(lambda event: print(json.dumps(dataclasses.asdict(event), default=repr)))
        r.consensus = ConsensusService(r.store, r.bus, r.jobs, r.wallet, r.chain, r.data.devnet, seats=seats)
        await r.devnet.up()
        parameters = {"total_amount": 1000, "risk_tolerance": "moderate", "investment_horizon": "5_years"}
        task = task_of({"type": "portfolio_allocation", "parameters": parameters})
        specs = tuple(AgentSpec(name, AgentConfig(strategy_type="pure")) for name in ("ann", "ben", "cleo"))
        result = await (await r.consensus.start(RunSpec(task, specs, ConsensusConfig(), on_chain=True))).result()
        print(result, json.dumps(result.to_json(), default=repr))
        for wrong in ({"type": 2}, {"type": 0}, {"type": 2, "chainId": "x"}):
            try:
                wallet.sign_transaction(0, wrong)
            except Exception as error:
                report(error, Output(json=True, data_root=data.root, verbose=True))
                CrashHandler(data.logs, lambda *shown: print(shown)).report(error, "a test")
        for attempt in (store.unlock(made.address, password + "!"), store.add(parse_key(key), password)):
            try:
                await attempt
            except Exception as error:
                report(error, Output(json=True, data_root=data.root, verbose=True))
        for thing in gc.get_objects():
            if str(type(thing).__module__).split(".")[0] in ("engine", "app"):
                print(repr(thing)[:100_000])
        assert result.on_chain is not None

logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
asyncio.run(main(sys.argv[1], *sys.stdin.read().split("\\n")[:2]))
"""


def forms(secret: bytes) -> Iterable[bytes]:
    """The ways in which a secret may be written."""
    yield from (secret, secret.hex().encode(), secret.hex().upper().encode(), str(int.from_bytes(secret)).encode())
    yield from (base64.b64encode(secret).rstrip(b"="), base64.urlsafe_b64encode(secret).rstrip(b"="))
    yield repr(secret).encode()[2:-1]


def leaks(secrets: dict[str, bytes], texts: dict[str, bytes]) -> list[str]:
    return [
        f"{name} in {place}"
        for name, secret in secrets.items()
        for place, text in texts.items()
        if any(form in text for form in forms(secret))
    ]


def left_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_look_finds_what_is_there() -> None:
    texts = {f"{number}": b"..." + form + b"..." for number, form in enumerate(forms(SECRET))}
    assert len(leaks({"key": SECRET}, texts)) == len(texts) == 7


def test_an_own_key_and_its_password_are_nowhere(tmp_path: Path) -> None:
    own = Wallet.of_key(SECRET)
    secrets = {f"key {number}": bytes(own._account(number).key) for number in NUMBERS} | {"word": PASSWORD.encode()}
    root = tmp_path / "data"
    done = subprocess.run(
        [sys.executable, "-c", WORK, str(root)],
        input=f"{SECRET.hex()}\n{PASSWORD}\n".encode(),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        capture_output=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-3000:].decode()
    texts = {**left_in(root), "stdout": done.stdout, "stderr": done.stderr}
    assert own.address(OPERATOR).encode() in done.stdout  # it worked with that key
    assert any(name.startswith("keys") for name in texts) and any("crash" in name for name in texts)
    assert any(name.endswith(".db") for name in texts)
    assert b"Wallet(<secret>)" in done.stdout
    assert leaks(secrets, texts) == []


def test_the_development_keys_are_not_shown_either(tmp_path: Path) -> None:
    public = Wallet.development()
    secrets = {f"key {number}": bytes(public._account(number).key) for number in NUMBERS}
    secrets["phrase"] = DEVELOPMENT_PHRASE.encode()
    root, agents = tmp_path / "data", sorted((ROOT / "assets" / "agents" / "snake").glob("*.wasm"))[:3]
    program = [sys.executable, "-m", "app", "--data-dir", str(root), "--verbose"]
    texts = {}
    try:
        for arguments in (
            ["devnet", "up"],
            ["league", "run", "--system", "snake", "--agents", *map(str, agents), "--matches", "2", "--anchor"],
            ["wallet", "list"],
        ):
            done = subprocess.run([*program, *arguments], cwd=ROOT, capture_output=True, timeout=120)
            assert done.returncode == 0, done.stderr.decode()
            texts |= {f"{arguments[0]} stdout": done.stdout, f"{arguments[0]} stderr": done.stderr}
    finally:
        subprocess.run([*program, "devnet", "down"], cwd=ROOT, capture_output=True, timeout=60)
    texts |= left_in(root)
    assert b"eth_sendRawTransaction" in texts["devnet/anvil.log"] and b"Listening on" in texts["devnet/anvil.log"]
    assert b"never use on mainnet" in texts["wallet stdout"]
    assert leaks(secrets, texts) == []
