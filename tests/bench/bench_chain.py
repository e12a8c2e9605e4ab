"""How fast signed transactions reach the chain, and what positions cost there, beside the plain way, in the same run.

``nashboard bench chain`` loads this file from the source tree and calls :func:`measure` and :func:`describe`. Rates are
end to end: written into the outbox, estimated, signed, stored, broadcast to an Anvil, mined, and settled by their
receipts. The peer is a loop around web3.py's ``send_raw_transaction`` without any of the guarantees.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from eth_account import Account
from eth_utils.address import to_checksum_address
from web3 import HTTPProvider, Web3

from app.commands.output import table
from engine.chain.abi import ContractAbi
from engine.chain.bindings import Call
from engine.chain.compiler import compile_contracts, contracts_dir
from engine.chain.neural import NeuralConsensus
from engine.chain.sender import Sender
from engine.chain.session import Chain
from engine.consensus.config import AgentConfig, ConsensusConfig
from engine.consensus.fixed import pack, to_fixed, unpack
from engine.consensus.messages import Domain, Key, PositionMessage, SignedPosition, entry, position_hash
from engine.consensus.participants import Proposal, Signer
from engine.consensus.rounds.service import AgentSpec, ConsensusService, RunSpec
from engine.consensus.tasks import task_of
from engine.core.hashing import keccak
from engine.core.paths import DataDir
from engine.runtime import Runtime
from engine.store.outbox import OutboxTx

ETHER = 10**18
BATCH = 64
FIRST = 3_000_000  # account numbers of the benchmark's agents, used for nothing else
NAIVE = "../test/helpers/NaivePositions"  # from contracts/src
PLAIN = "a loop of web3.py, one request each"
GOALS = {"slots": {8: 11, 32: 23, 128: 55}, "accumulator": {8: 28, 32: 52, 128: 95}}


class Size(NamedTuple):
    """How much is measured."""

    rows: int = 2_000
    repeats: int = 3
    peer: int = 150
    agents: int = 2 * BATCH
    tasks: int = 12
    dims: tuple[int, ...] = (8, 32, 128)
    round: int = 32


FULL = Size()
SMALL = Size(rows=40, repeats=1, peer=4, agents=BATCH, tasks=1, dims=(8,), round=3)


class Agents:
    """Accounts with stake at risk, a sender for them, and their signatures."""

    def __init__(self, runtime: Runtime, chain: Chain, count: int) -> None:
        wallet = runtime.wallet
        self.chain, self.outbox, self.store = chain, runtime.store.outbox, runtime.store
        self.consensus: NeuralConsensus = chain.consensus
        self.numbers = {wallet.address(0): 0} | {wallet.address(FIRST + n): FIRST + n for n in range(count)}
        self.addresses = list(self.numbers)[1:]
        self.secrets = {address: bytes(wallet._account(number).key) for address, number in self.numbers.items()}
        self.keys = {address: Key(secret) for address, secret in self.secrets.items()}
        self.domain = Domain(int(chain.book.split(":")[0]), chain.consensus.address)
        arguments = (chain.rpc, runtime.store, runtime.bus, wallet, chain.book, self.numbers.__getitem__)
        self.sender = Sender(*arguments, chain.control)
        self.made = 0

    async def send(self, calls: Sequence[tuple[str, Call, int]]) -> tuple[list[int], float]:
        """Send ``(account, call, wei)`` and return the gas of each and how long all took."""
        start, keys = time.perf_counter(), []
        with self.store.transaction():
            for account, call, wei in calls:
                self.made += 1
                keys.append(f"bench:{self.made}")
                self.outbox.enqueue(OutboxTx(keys[-1], self.chain.book, account, call.to, call.data, wei, "measure"))
        await self.sender.drain()
        seconds = time.perf_counter() - start
        rows = [self.outbox.get(key) for key in keys]
        assert all(row is not None and row.state == "mined" for row in rows), {row.error for row in rows if row}
        return [row.gas_used or 0 for row in rows if row is not None], seconds

    async def ready(self) -> None:
        """Put stake at risk."""
        stake = self.chain.vault.stake()
        await self.send([(address, stake, ETHER) for address in self.addresses])
        await self.send([(address, self.consensus.register(keccak(b"model")), 0) for address in self.addresses])

    async def task(self, dims: int, tier: str = "slots") -> bytes:
        """Open a task and return its hash."""
        self.made += 1
        head = await self.chain.rpc.head()
        digest, deadline = keccak(f"task {self.made}".encode()), int(head["timestamp"], 16) + 86_400
        await self.send(
            [(self.chain.operator, self.consensus.create_task(digest, dims, deadline, 10_000, ETHER, 2, tier), 0)]
        )
        return digest

    def signed(self, address: str, task: bytes, dims: int) -> SignedPosition:
        """Return a position of the agent, signed; agents and tasks differ in it."""
        rng = np.random.default_rng(list(keccak(task + address.encode())))
        packed = pack(to_fixed(rng.uniform(0.0, 1.0, dims)))
        message = PositionMessage(task, address, position_hash(packed), 500_000, 0, 0, (1 << 40) - 1)
        return SignedPosition(message, packed, self.keys[address].sign(message, self.domain))

    def single(self, item: SignedPosition) -> Call:
        """Return the transaction of one signed position."""
        return self.consensus.submit_signed(unpack(item.packed).tolist(), item.message.values(), item.signature)

    def batch(self, items: Sequence[SignedPosition]) -> Call:
        """Return a relayer's transaction."""
        first = items[0].message
        return self.consensus.submit_positions(first.task_hash, first.deadline, b"".join(map(entry, items)))


@asynccontextmanager
async def agents_at(folder: Path, count: int) -> AsyncIterator[tuple[Runtime, Agents]]:
    """A runtime with a devnet, the contracts, and registered agents."""
    async with await Runtime.open(DataDir.open(folder)) as runtime:
        await runtime.devnet.up()
        agents = Agents(runtime, await runtime.chain(), count)
        await agents.ready()
        yield runtime, agents


# What is measured ----------------------------------------------------------------------------------------------


def plainly(url: str, work: Sequence[tuple[bytes, str, bytes, int]]) -> float:
    """Sign and send ``(key, to, data, wei)`` one after the other, then wait for the receipts; transactions a second."""
    web3 = Web3(HTTPProvider(url))
    nonces: dict[bytes, int] = {}
    chain, price = web3.eth.chain_id, web3.eth.gas_price
    start, hashes = time.perf_counter(), []
    for key, to, data, wei in work:
        account = Account.from_key(key)
        nonce = nonces[key] if key in nonces else web3.eth.get_transaction_count(account.address)
        nonces[key] = nonce + 1
        fields = {"to": to, "data": data, "value": wei, "nonce": nonce, "gas": 400_000, "chainId": chain, "type": 2}
        fees = {"maxFeePerGas": 20 * price, "maxPriorityFeePerGas": 1}
        hashes.append(web3.eth.send_raw_transaction(account.sign_transaction({**fields, **fees}).raw_transaction))
    receipts = [web3.eth.wait_for_transaction_receipt(digest, poll_latency=0.005) for digest in hashes]
    assert all(receipt["status"] == 1 for receipt in receipts)
    return len(work) / (time.perf_counter() - start)


async def transfers(agents: Agents, size: Size) -> tuple[float, float]:
    """Return the rate of plain transfers, ours and the peer's."""
    to, rates = Call(to_checksum_address(keccak(b"somebody")[:20]), b""), []
    payers = agents.addresses[:8]
    for _ in range(size.repeats):
        _, seconds = await agents.send([(payers[n % 8], to, 1) for n in range(size.rows)])
        rates.append(size.rows / seconds)
    work = [(agents.secrets[payers[n % 8]], to.to, b"", 1) for n in range(size.peer)]
    return median(rates), await asyncio.to_thread(plainly, agents.chain.rpc.url, work)


async def positions(agents: Agents, size: Size) -> tuple[float, float]:
    """Return the rate of signed positions, each a transaction; ours signs them meanwhile, the peer did before."""
    rates = []
    for _ in range(size.repeats):
        tasks = [await agents.task(8) for _ in range(size.tasks)]
        start = time.perf_counter()
        calls = [(who, agents.single(agents.signed(who, task, 8)), 0) for task in tasks for who in agents.addresses]
        await agents.send(calls)
        rates.append(len(calls) / (time.perf_counter() - start))
    task = await agents.task(8)
    work = []
    for who in agents.addresses[: size.peer]:
        call = agents.single(agents.signed(who, task, 8))
        work.append((agents.secrets[who], call.to, call.data, 0))
    return median(rates), await asyncio.to_thread(plainly, agents.chain.rpc.url, work)


async def relayed(agents: Agents, size: Size) -> float:
    """Return the rate of signed positions in a relayer's batches, the signing included."""
    rates = []
    for _ in range(size.repeats):
        tasks = [await agents.task(8) for _ in range(size.tasks)]
        start, calls = time.perf_counter(), []
        for task in tasks:
            items = [agents.signed(who, task, 8) for who in agents.addresses]
            calls += [agents.batch(items[at : at + BATCH]) for at in range(0, len(items), BATCH)]
        await agents.send([(agents.chain.operator, call, 0) for call in calls])
        rates.append(size.tasks * len(agents.addresses) / (time.perf_counter() - start))
    return median(rates)


async def naive_gas(agents: Agents, abi: ContractAbi, address: str, dims: int) -> float:
    """Return the gas of a position in the plain contract: the second of a task, as the first also makes the list."""
    task, gas = keccak(f"naive {dims}".encode()), []
    for who in agents.addresses[:3]:
        values = [int(value) for value in unpack(agents.signed(who, task, dims).packed)]
        (nonce,) = abi.decode_result("nonces", await agents.chain.rpc.call(address, abi.encode_call("nonces", who)))
        query = abi.encode_call("digestOf", who, values, 500_000, task, nonce)
        (digest,) = abi.decode_result("digestOf", await agents.chain.rpc.call(address, query))
        made = Account.unsafe_sign_hash(digest, agents.secrets[who])
        data = abi.encode_call("submitPosition", who, values, 500_000, task, bytes(made.signature))
        used, _ = await agents.send([(who, Call(address, data), 0)])
        gas += used
    return float(median(gas[1:]))


async def gas_of(agents: Agents, dims: int) -> dict[str, float]:
    """Return the gas of a position: by itself, and in a full batch of either tier."""
    task = await agents.task(dims)
    alone, _ = await agents.send([(who, agents.single(agents.signed(who, task, dims)), 0) for who in agents.addresses])
    found = {"single": float(median(alone))}
    for tier in GOALS:
        task = await agents.task(dims, tier)
        call = agents.batch([agents.signed(who, task, dims) for who in agents.addresses[:BATCH]])
        (used,), _ = await agents.send([(agents.chain.operator, call, 0)])
        found[tier] = used / BATCH
    return found


class Seat:
    """An agent of a whole round, without a model."""

    strategy = "pure"

    def __init__(self, name: str, signer: Signer) -> None:
        self.agent_id, self.signer = name, signer

    async def propose(self, task: Any, state: Any, iteration: int) -> Proposal:
        """Propose what follows from its name."""
        return Proposal(np.random.default_rng(list(self.agent_id.encode())).dirichlet(np.full(task.dims, 9.0)), 0.5)

    async def learn(self, task: Any, outcome: Any) -> None:
        """Learn nothing."""


async def round_gas(runtime: Runtime, agents: int, *, optimized: bool) -> tuple[int, dict[str, int]]:
    """Return the gas of a whole round, from the task to the reputations, and by phase. The agents took part before."""
    r, names = runtime, [f"seat {n}" for n in range(agents)]

    @asynccontextmanager
    async def seats(spec: RunSpec, signers: Mapping[str, Signer]) -> AsyncIterator[Sequence[Any]]:
        yield [Seat(agent.name, signers[agent.name]) for agent in spec.agents]

    service = ConsensusService(r.store, r.bus, r.jobs, r.wallet, r.chain, r.data.devnet, seats=seats)
    parameters = {"total_amount": 1000, "risk_tolerance": "moderate", "investment_horizon": "5_years"}
    task = task_of({"type": "portfolio_allocation", "title": f"{agents} seats", "parameters": parameters})
    specs = tuple(AgentSpec(name, AgentConfig(strategy_type="pure")) for name in names)
    for _ in range(2):  # the first pays for stake and registration
        spec = RunSpec(task, specs, ConsensusConfig(gas_optimization=optimized), on_chain=True)
        result = await (await service.start(spec)).result()
    assert result.on_chain is not None
    return result.on_chain.gas_used, {step.phase: step.gas for step in result.on_chain.steps}


# The table -----------------------------------------------------------------------------------------------------


def row(name: str, unit: str, ours: float, peer_name: str, peer: float, **goal: float) -> dict[str, Any]:
    """One line. Rates: ``goal_rate`` is held against ours. Gas: the ratio is what ours saves, ``goal_most`` a limit."""
    ratio = peer / ours if unit == "gas" else ours / peer
    met = ours >= goal.get("goal_rate", 0) and ratio >= goal.get("goal_ratio", 0)
    met = met and ours <= goal.get("goal_most", float("inf"))
    line = {"name": name, "unit": unit, "ours": ours, "peer_name": peer_name, "peer": peer, "ratio": ratio}
    return {**line, **goal, "met": met}


async def _rates(agents: Agents, size: Size, note: Callable[[str], None]) -> list[dict[str, Any]]:
    note("measuring: plain transfers")
    ours, peer = await transfers(agents, size)
    note("measuring: signed positions, a transaction each")
    own, peer_own = await positions(agents, size)
    note("measuring: signed positions, relayed")
    together = await relayed(agents, size)
    single = "position in a transaction each"
    return [
        row("plain transfers", "tx/s", ours, PLAIN, peer, goal_rate=1_500),
        row("signed positions, a transaction each", "tx/s", own, PLAIN, peer_own, goal_rate=1_500),
        row(
            "signed positions, batches of 64", "positions/s", together, f"{PLAIN}, {single}", peer_own, goal_rate=1_500
        ),
    ]


async def _gas(agents: Agents, size: Size, note: Callable[[str], None]) -> list[dict[str, Any]]:
    note("compiling: the plain contract")
    artifact = (await asyncio.to_thread(compile_contracts, contracts_dir(), [NAIVE]))["NaivePositions"]
    abi, rows = ContractAbi(artifact), []
    address = await _create(agents, artifact.bytecode)
    for dims in size.dims:
        note(f"measuring: gas of positions of {dims} coordinates")
        naive, found = await naive_gas(agents, abi, address, dims), await gas_of(agents, dims)
        plain = "kept in storage with the signature"
        rows.append(row(f"position alone, d = {dims}", "gas", found["single"], plain, naive))
        for tier, goals in GOALS.items():
            name = f"position in a batch of 64, {tier}, d = {dims}"
            rows.append(row(name, "gas", found[tier], plain, naive, goal_ratio=goals[dims]))
    return rows


async def _create(agents: Agents, code: bytes) -> str:
    """Deploy and return the address; the outbox only calls contracts that are there."""
    rpc, sender = agents.chain.rpc, agents.addresses[0]
    await rpc.request("anvil_impersonateAccount", sender)
    digest = await rpc.request(
        "eth_sendTransaction", {"from": sender, "data": "0x" + code.hex(), "gas": hex(8_000_000)}
    )
    await rpc.request("anvil_stopImpersonatingAccount", sender)
    while (receipt := await rpc.request("eth_getTransactionReceipt", digest)) is None:
        await asyncio.sleep(0.01)
    return str(to_checksum_address(receipt["contractAddress"]))


async def _rounds(runtime: Runtime, size: Size, note: Callable[[str], None]) -> list[dict[str, Any]]:
    note("measuring: whole rounds")
    on, _ = await round_gas(runtime, size.round, optimized=True)
    off, _ = await round_gas(runtime, size.round, optimized=False)
    _, steps = await round_gas(runtime, 8, optimized=True)
    name = f"whole round of {size.round} agents"
    return [
        row(f"{name}, gas optimization on", "gas", on, "the same without", off),
        row(
            "certificate, 8 agents", "gas", steps["prove"], "30 iterations on chain (2.6 M)", 2_600_000, goal_most=160e3
        ),
    ]


def measure(note: Callable[[str], None] = lambda _: None, size: Size = FULL) -> dict[str, Any]:
    """Return all rows, ready for JSON. Raises DependencyError without the Solidity compiler or Anvil."""

    async def work(folder: Path) -> list[dict[str, Any]]:
        async with agents_at(folder, size.agents) as (runtime, agents):
            rows = await _rates(agents, size, note)
            rows += await _gas(agents, size, note)
            return rows + await _rounds(runtime, size, note)

    with tempfile.TemporaryDirectory() as folder:
        rows = asyncio.run(work(Path(folder)))
    return {"batch": BATCH, "processors": os.cpu_count(), "rows": rows}


def describe(value: dict[str, Any]) -> str:
    """Return the rows as a text table."""
    rows = table(("", "ours", "peer", "ratio", "goal", ""), [_cells(line) for line in value["rows"]])
    peers = "\n".join(f"peer of “{line['name']}”: {line['peer_name']}" for line in value["rows"])
    about = f"an Anvil on this machine, {value['processors']} processors, medians; gas is of receipts"
    return f"{about}\n\n{rows}\n\n{peers}"


def _cells(line: dict[str, Any]) -> tuple[str, ...]:
    goal = f"{line['goal_ratio']:g}x" if "goal_ratio" in line else ""
    goal = f"{line['goal_rate']:,.0f}" if "goal_rate" in line else goal
    goal = f"<= {line['goal_most']:,.0f}" if "goal_most" in line else goal
    mark = ("met" if line["met"] else "missed") if goal else ""
    name, ours, peer = f"{line['name']} ({line['unit']})", f"{line['ours']:,.0f}", f"{line['peer']:,.0f}"
    return (name, ours, peer, f"{line['ratio']:,.1f}x", goal, mark)
