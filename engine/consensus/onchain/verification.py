"""Verifying a round: everything recomputed from what the chain recorded, compared with the contract and the record."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from engine.chain.neural import FINALIZED, NONE, NeuralTask
from engine.chain.session import Chain
from engine.consensus.chains.fleet import ChainFleet
from engine.consensus.errors import ConsensusError
from engine.consensus.fixed import MILLION, from_fixed, millionths
from engine.consensus.messages import Domain, commitment
from engine.consensus.negotiation.equilibrium import WeightedGame, capped
from engine.consensus.onchain.certificate import Certificate, certify
from engine.consensus.onchain.logs import Taken, TaskLog, accumulator_of
from engine.consensus.rounds.play import FLEET, ServiceParts
from engine.consensus.rounds.records import Records, RoundRecord, attempt_hash
from engine.consensus.tasks import canonical
from engine.core.errors import EngineError, UsageError, VerificationError
from engine.core.hashing import keccak

AGREE = 1e-5  # between floating point and the chain's integers, relative to the positions
EXACT = 1e-9  # between two computations in floating point
ATTEMPTS = 100_000  # of one task on one chain that are looked through
_STATES = ("unknown there", "open", "certified, not final", "final", "void")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: its name, whether it holds, and what was found."""

    name: str
    ok: bool
    text: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What verifying a round found. ``equilibrium_chain`` (d,) is the contract's, None without a chain."""

    task_hash: str
    checks: tuple[Check, ...]
    equilibrium_local: tuple[float, ...]
    equilibrium_chain: tuple[float, ...] | None = None

    @property
    def ok(self) -> bool:
        """Whether everything holds."""
        return all(check.ok for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "task_hash": self.task_hash,
            "ok": self.ok,
            "checks": [asdict(check) for check in self.checks],
            "equilibrium_local": list(self.equilibrium_local),
            "equilibrium_chain": None if self.equilibrium_chain is None else list(self.equilibrium_chain),
        }


async def verify(text: str, records: Records, parts: ServiceParts) -> Verification:
    """Verify the round of a task hash: hex digits, or the first of them.

    Raises UsageError for what is no hash, VerificationError for one that neither record nor chain know.
    """
    digits, record = _find(text, records)
    if record is not None and not record.on_chain:
        return _without_chain(record)
    if record is not None and record.task.chains:
        return await _on_chains(record, records, parts)
    try:
        chain = await parts.connect()
    except EngineError as error:
        raise VerificationError("The round cannot be verified without its chain", str(error)) from error
    return await _OnChain(chain, bytes.fromhex(digits), record, records).verify()


async def _on_chains(record: RoundRecord, records: Records, parts: ServiceParts) -> Verification:
    """Verify a round on each of its chains, and that more than half of them hold the same result."""
    checks: list[Check] = []
    found: list[Verification] = []
    # What was settled on each chain has a record too, of the same hash; the result is with the round as a whole.
    record = next((r for r in records.by_hash(record.task_hash.hex()) if r.result is not None), record)
    names = record.task.chains
    # A chain that was reached more or less often than the others knows the round by another attempt's hash.
    kept_hashes = {item["chain_id"]: item.get("task_hash") for item in (record.result or {}).get("chains", ())}
    async with ChainFleet(parts.folder / FLEET, names, parts.session(records)) as fleet:
        for name in names:
            if name not in fleet.chains:
                checks.append(Check(f"{name}: reached", False, fleet.down.get(name, "it is down")))
                continue
            chain = fleet.chains[name]
            text = kept_hashes.get(int(chain.book.split(":", 1)[0])) or record.task_hash.hex()
            task_hash = bytes.fromhex(text.removeprefix("0x"))
            kept = next((r for r in records.by_hash(task_hash.hex()) if r.place == chain.book), None)
            try:
                one = await _OnChain(chain, task_hash, kept, records).verify()
            except VerificationError as error:
                checks.append(Check(f"{name}: known", False, str(error)))
                continue
            found.append(one)
            checks += [Check(f"{name}: {check.name}", check.ok, check.text) for check in one.checks]
    held = [one.equilibrium_chain for one in found if one.ok and one.equilibrium_chain is not None]
    same = max((held.count(one) for one in held), default=0)
    checks.append(Check("majority", 2 * same > len(names), f"{same} of {len(names)} chains hold the same result"))
    middle = max(held, key=held.count, default=None)
    checks += _result_of_chains(record, middle)
    return Verification("0x" + record.task_hash.hex(), tuple(checks), middle or (), middle)


def _result_of_chains(record: RoundRecord, middle: tuple[float, ...] | None) -> list[Check]:
    if record.result is None or middle is None:
        return []
    kept = (record.result.get("on_chain") or {}).get("equilibrium")
    return [Check("record", kept == list(middle), "the kept result beside the chains'")]


def _find(text: str, records: Records) -> tuple[str, RoundRecord | None]:
    """Return the whole hash and the newest record of it. Raises UsageError or VerificationError."""
    digits = text.strip().lower().removeprefix("0x")
    if not re.fullmatch("[0-9a-f]{1,64}", digits):
        raise UsageError("This is no task hash", f"{text!r:.80} is not 0x and up to 64 hex digits")
    found = records.by_hash(digits)
    hashes = {record.task_hash.hex() for record in found}
    if len(hashes) > 1:
        raise UsageError(f"{len(hashes)} rounds begin with {digits}", "", "Give more digits.")
    if found:
        return found[0].task_hash.hex(), found[0]
    if len(digits) < 64:
        raise VerificationError("There is no such round", f"no task hash of this data directory begins with {digits}")
    return digits, None


class _OnChain:
    """The checks of one task on one chain."""

    def __init__(self, chain: Chain, task_hash: bytes, record: RoundRecord | None, records: Records) -> None:
        self._chain = chain
        self._hash = task_hash
        self._record = record
        self._records = records
        self._checks: list[Check] = []

    async def verify(self) -> Verification:
        """Do all checks."""
        task = await self._chain.consensus.task_of(self._hash)
        if task.status == NONE:
            raise VerificationError(
                "The chain does not know this task",
                "no such round was started here" if self._record is None else "it runs on another chain, or anew",
                "Look at the hash, and whether this is the chain that it ran on.",
                task_hash="0x" + self._hash.hex(),
            )
        log = await TaskLog.read(self._chain, self._hash)
        result, final = await self._chain.consensus.result_of(self._hash)
        self._check("final", final, f"the task is {_STATES[task.status]}")
        await self._positions(task, log)
        certificate = await self._certificate(task, log)
        if certificate is not None:
            self._result(task, certificate, log, result)
        if self._record is not None:
            self._document(self._record)
            self._settings(self._record, task)
            self._signatures(self._record, log)
            self._kept(self._record, result)
        local = () if certificate is None else tuple(from_fixed(certificate.consensus).tolist())
        held = tuple(from_fixed(result).tolist()) if final else None
        return Verification("0x" + self._hash.hex(), tuple(self._checks), local, held)

    def _check(self, name: str, ok: bool, text: str) -> None:
        self._checks.append(Check(name, ok, text))

    async def _positions(self, task: NeuralTask, log: TaskLog) -> None:
        """What was announced is what the contract committed to."""
        if task.tier == 0:
            contract = self._chain.consensus
            kept = await asyncio.gather(*(contract.commitment_of(self._hash, item.agent) for item in log.taken))
            wrong = [
                item.agent
                for item, hashed in zip(log.taken, kept, strict=True)
                if commitment(item.packed, item.confidence, item.weight) != hashed
            ]
        else:
            wrong = [] if accumulator_of(log.taken) == task.accumulator else ["the accumulator"]
        whole = len(log.taken) == task.count
        found = f"{len(log.taken)} of {task.count} positions announced"
        self._check("positions", not wrong and whole, found + (f"; {', '.join(wrong)} differ" if wrong else ""))

    async def _certificate(self, task: NeuralTask, log: TaskLog) -> Certificate | None:
        """The equilibrium follows from the positions that were announced, and from nothing else."""
        contract = self._chain.consensus
        out = await asyncio.gather(*(contract.excluded(self._hash, item.agent) for item in log.taken))
        weights = [0 if gone else item.weight for item, gone in zip(log.taken, out, strict=True)]
        try:
            made = _certified(log.taken, weights, task)
        except (ConsensusError, ValueError) as error:
            self._check("certificate", False, f"the positions have none: {error}")
            return None
        if log.certified is None:
            self._check("certificate", False, "the contract has verified none")
            return made
        regret, total = log.certified
        holds = total == made.total_weight and regret <= task.eps
        self._check("certificate", holds, f"regret {regret} of {task.eps} (1e-18) at a total weight of {total}")
        return made

    def _result(self, task: NeuralTask, made: Certificate, log: TaskLog, result: Sequence[int]) -> None:
        """The contract holds what was recomputed, and announced it."""
        if task.status != FINALIZED:
            return
        apart = max((abs(a - b) for a, b in zip(made.consensus, result, strict=False)), default=0)
        same = len(made.consensus) == len(result) and apart == 0
        self._check("result", same, "equal to the last digit" if same else f"off by up to {apart / 2**32:.3g}")
        self._check("announcement", log.final == tuple(result), "the final event holds the same")

    def _document(self, record: RoundRecord) -> None:
        ok = _names(record.document, record.base_hash, self._hash)
        self._check("task", ok, "the kept document has this hash" if ok else "the kept document has another hash")

    def _settings(self, record: RoundRecord, task: NeuralTask) -> None:
        ours = (millionths(record.config.coupling), max(1, round(record.config.epsilon * 10**18)))
        same = ours == (task.kappa, task.eps)
        self._check("settings", same, f"coupling {task.kappa / MILLION:g}, epsilon {task.eps / 10**18:g}")

    def _signatures(self, record: RoundRecord, log: TaskLog) -> None:
        """What is kept was signed by the agents, and is what the chain took."""
        domain = Domain(int(self._chain.book.split(":", 1)[0]), self._chain.consensus.address)
        taken = {item.agent: (item.packed, item.confidence) for item in log.taken}
        wrong = []
        kept = self._records.signed(record.run_id)
        for name, _, signed in kept:
            message = signed.message
            here = (signed.packed, message.confidence)
            if signed.problem(domain) or taken.get(message.agent, here) != here:
                wrong.append(name)
        missing = len(set(taken) - {signed.message.agent for _, _, signed in kept})
        text = f"{len(kept)} signed positions kept" + (f"; {', '.join(wrong)} differ" if wrong else "")
        text += f"; {missing} agents joined by themselves" if missing else ""
        self._check("signatures", not wrong and bool(kept), text)

    def _kept(self, record: RoundRecord, result: Sequence[int]) -> None:
        """The result that is kept is the contract's."""
        kept = record.result
        if kept is None:
            return
        held = from_fixed(result)
        try:
            chain = np.array((kept["on_chain"] or {})["equilibrium"], dtype=np.float64)
            local = np.array(kept["equilibrium"], dtype=np.float64)
            scale = max(1.0, float(np.abs(held).max(initial=0.0)))
            ok = bool(np.array_equal(chain, held)) and float(np.abs(local - held).max(initial=0.0)) <= AGREE * scale
        except (KeyError, TypeError, ValueError):
            ok = False
        self._check("record", ok, "the kept result is the contract's" if ok else "the kept result is another")


def _certified(taken: Sequence[Taken], weights: Sequence[int], task: NeuralTask) -> Certificate:
    positions = [item.position for item in taken]
    if any(len(position) != task.dims for position in positions):
        raise ConsensusError("A position has another length", f"{task.dims} coordinates are needed")
    return certify(positions, [item.confidence for item in taken], weights, task.kappa, task.eps)


def _names(document: Mapping[str, Any], base: bytes, task_hash: bytes) -> bool:
    """Return whether a task hash is one of a document's."""
    if keccak(canonical(document)) != base:
        return False
    return any(attempt_hash(base, attempt) == task_hash for attempt in range(ATTEMPTS))


def _without_chain(record: RoundRecord) -> Verification:
    """Check what is kept of a round off chain: the equilibrium follows from the proposals."""
    task_hash = "0x" + record.task_hash.hex()
    known = _names(record.document, record.base_hash, record.task_hash)
    checks = [Check("task", known, "the kept document has this hash" if known else "it has another hash")]
    kept = record.result
    if kept is None or not kept.get("agents"):
        why = record.message or f"the round is {record.state}"
        return Verification(task_hash, (*checks, Check("result", False, f"there is none: {why}")), ())
    try:
        agents = kept["agents"]
        weights = np.array(capped([round(item["weight"]) for item in agents]), dtype=np.float64)
        ideals = np.array([item["ideal"] for item in agents], dtype=np.float64)
        confidences = np.array([item["confidence"] for item in agents], dtype=np.float64)
        game = WeightedGame(ideals, confidences, weights, record.config.coupling)
        local, stated = game.consensus(), np.array(kept["equilibrium"], dtype=np.float64)
        stood = np.array([item["position"] for item in agents], dtype=np.float64)
        apart = float(max(np.abs(local - stated).max(), np.abs(game.equilibrium() - stood).max()))
        gap = game.verified_gap(stood)
    except (EngineError, KeyError, TypeError, ValueError) as error:
        return Verification(task_hash, (*checks, Check("result", False, f"it cannot be read: {error!r}"[:200])), ())
    scale = max(1.0, float(np.abs(ideals).max()))
    checks.append(Check("result", apart <= EXACT * scale, f"recomputed, it is {apart:.3g} away"))
    checks.append(Check("equilibrium", gap <= EXACT, f"nobody gains more than {gap:.3g} by another position"))
    return Verification(task_hash, tuple(checks), tuple(local.tolist()))
