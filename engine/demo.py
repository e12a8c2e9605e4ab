"""The guided demo: from an empty chain to a settled round, every claim of the program checked on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.core.errors import EngineError, VerificationError
from engine.core.paths import assets_dir
from engine.league.anchored import ChainVerdict, ShownStep, verify_on_chain
from engine.league.bundle import Bundle, read_bundle, write_bundle
from engine.league.config import AgentEntry, RoundConfig, format_eth
from engine.league.disputes.published import Dishonesty
from engine.league.proof import StepProof
from engine.league.results import RoundResult
from engine.runtime import Runtime

STEPS: tuple[tuple[str, str, str], ...] = (
    ("devnet", "Start the devnet", "A local Ethereum chain, so that stakes and proofs are real and free."),
    (
        "contracts",
        "Deploy the contracts",
        "The vault holds stakes, the anchor each round's root, the court decides disputes.",
    ),
    ("agents", "Admit the sample agents", "Every module passes the gate: no imports, metered gas, bounded memory."),
    (
        "host",
        "A dishonest host",
        "It anchors a raised score; an auditor replays, verifiers vote, and the host loses stake and round.",
    ),
    ("round", "Play and anchor a round", "All matches are committed by one root on chain."),
    ("verify", "Verify a match", "Playing a bundle again must give the same trace, byte for byte."),
    ("proof", "Prove a step on chain", "The contract checks one step against the root; a tampered one fails."),
    ("claim", "Catch a false claim", "A score that the replay does not give disqualifies, and costs stake in the end."),
    ("settle", "Settle the round", "Rewards by rank, credited once, equal in ledger and contract to the wei."),
    (
        "consensus",
        "Agree on a task",
        "Agents settle on an equilibrium that the contract checks itself; who signed two opinions is slashed.",
    ),
)


@dataclass(frozen=True, slots=True)
class DemoStep:
    """A step of the demo as it goes: ``state`` is running, done or failed; ``result`` says what came out."""

    key: str
    state: str
    result: str = ""


class Demo:
    """Runs the steps in order. ``report`` hears of each."""

    def __init__(self, runtime: Runtime, report: Callable[[DemoStep], None] = lambda step: None) -> None:
        self._runtime = runtime
        self._report = report
        self._facts: dict[str, Any] = {}
        self._round: RoundResult | None = None
        self._bundle: Path | None = None

    async def run(self) -> dict[str, Any]:
        """Run all steps and return the facts as a JSON-ready object. Raises EngineError where one fails."""
        work = (
            self._start_devnet,
            self._deploy,
            self._admit,
            self._cheat,
            self._play,
            self._verify,
            self._prove,
            self._catch,
            self._settle,
            self._agree,
        )
        for (key, _, _), step in zip(STEPS, work, strict=True):
            self._report(DemoStep(key, "running"))
            try:
                result = await step()
            except EngineError as error:
                self._report(DemoStep(key, "failed", str(error)))
                raise
            self._report(DemoStep(key, "done", result))
        return {"ok": True, **self._facts}

    async def _start_devnet(self) -> str:
        status = await self._runtime.devnet.up()
        self._facts["devnet"] = {"url": status.url, "chain_id": status.chain_id, "version": status.version}
        return f"{status.version} at {status.url}"

    async def _deploy(self) -> str:
        chain = await self._runtime.chain()
        contracts = {contract.name: contract.address for contract in chain.deployment.contracts}
        self._facts["contracts"] = contracts
        return ", ".join(f"{name} at {address}" for name, address in contracts.items())

    async def _admit(self) -> str:
        admissions = await self._runtime.league.admit(_samples())
        self._facts["agents"] = [admission.verdict.to_json() for admission in admissions]
        return f"{sum(admission.verdict.accepted for admission in admissions)} of {len(admissions)} admitted"

    async def _cheat(self) -> str:
        """Anchor a small round whose host raises a score, and bring it before the court."""
        league = self._runtime.league
        entries = tuple(AgentEntry(path) for path in _samples())
        config = RoundConfig(name="demo-host", matches=2, seed=2027, agents=entries)
        played = await league.run_round(config, anchor=True, dishonesty=Dishonesty.INFLATE)
        found = await league.disputes.check(played.round_id)
        disputes = await league.disputes.open(played.round_id)
        state = league.round(played.round_id).state
        self._facts["host"] = {
            "round_id": played.round_id,
            "audit": found.to_json(),
            "disputes": [dispute.to_json() for dispute in disputes],
            "slashed_wei": str(sum(dispute.slashed_wei for dispute in disputes)),
            "state": state,
        }
        if found.clean or state != "rejected":
            raise VerificationError("A dishonest host was not caught", f"the round is {state}")
        (dispute,) = disputes
        against = sum(not ballot.confirms for ballot in dispute.ballots)
        return (
            f"match {dispute.match}: {against} of {len(dispute.ballots)} verifiers found another score; "
            f"{format_eth(dispute.slashed_wei)} ETH slashed, the round is rejected"
        )

    async def _play(self) -> str:
        entries = tuple(AgentEntry(path) for path in _samples())
        config = RoundConfig(name="demo", matches=10, seed=2026, agents=entries)
        result = await self._runtime.league.run_round(config, anchor=True)
        if result.anchored is None:
            raise EngineError("The round is not anchored", "its transaction is not mined")
        self._round = result
        self._facts["round"] = result.to_json()
        winner = result.standings[0]
        return f"{result.done} matches; {winner.agent} leads with {winner.score}; root {result.anchored.root[:16]}..."

    async def _verify(self) -> str:
        """Replay a match of the winner from its bundle, and one with a flipped byte, which must be refused."""
        played = self._require_round()
        self._bundle = await self._bundle_of(played.standings[0].seat)
        verification = await self._runtime.league.verify(self._bundle)
        verification.require(self._bundle.name)
        refused = self._refuses_flipped_byte(self._bundle)
        self._facts["verification"] = {"bundle": str(self._bundle), "ok": True, "flipped_byte": refused}
        return f"{self._bundle.name} verifies; with a flipped byte: {refused}"

    def _refuses_flipped_byte(self, path: Path) -> str:
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        try:
            Bundle.decode(bytes(data))
        except VerificationError as error:
            return error.why
        raise VerificationError("A bundle with a flipped byte was accepted")

    async def _prove(self) -> str:
        connect, history = self._runtime.chain, self._runtime.league.history
        proof = StepProof.of(self._require_bundle(), 0)
        good = await verify_on_chain(connect, history, ShownStep.of(proof))
        wrong = replace(proof, action=(proof.action or 0) + 1)
        bad = await verify_on_chain(connect, history, ShownStep.of(wrong))
        self._facts["proof"] = {"contract": good.contract, "block": good.block, "good": good.holds, "bad": bad.holds}
        self._require_verdicts(good, bad)
        return f"step 0 holds at block {good.block}; with another action it does not"

    def _require_verdicts(self, good: ChainVerdict, bad: ChainVerdict) -> None:
        if not good.holds or bad.holds:
            raise VerificationError("The contract's verdict is wrong", f"good: {good.holds}, tampered: {bad.holds}")

    async def _catch(self) -> str:
        """Claim five points more than the replay gives, as the dishonest owner of the last finisher would."""
        played = self._require_round()
        seat = [line.seat for line in played.standings if line.won][-1]
        bundle = read_bundle(await self._bundle_of(seat))
        match = bundle.match.model_copy(update={"scores": [score + 5 for score in bundle.match.scores]})
        path = self._runtime.data.bundles / f"{played.round_id[:12]}-false-claim.nets"
        write_bundle(path, replace(bundle, match=match))
        outcome = await self._runtime.league.submit_claim(played.round_id, path)
        self._facts["claim"] = outcome.to_json()
        if outcome.slashed is None:
            raise VerificationError("A false claim was not slashed", outcome.note)
        return f"{outcome.agent} claimed {outcome.claimed}, replayed {outcome.replayed}: out, and its penalty is held"

    async def _settle(self) -> str:
        league, chain = self._runtime.league, await self._runtime.chain()
        result = await league.settle(self._require_round().round_id)
        rows = await league.stakes(chain)
        self._facts["settled"] = {"standings": result.to_json()["standings"], "stakes": [row.to_json() for row in rows]}
        wrong = [row.name for row in rows if row.differs]
        if wrong:
            raise VerificationError("Ledger and contract differ", ", ".join(wrong))
        return f"{sum(line.reward_wei > 0 for line in result.standings)} agents rewarded; ledger equals contract"

    async def _agree(self) -> str:
        """Let agents agree on a portfolio, one of them telling some peers another position than the others."""
        from engine.consensus.agents.agent_file import default_agents
        from engine.consensus.config import ConsensusConfig
        from engine.consensus.specs import AgentSpec, RunSpec
        from engine.consensus.tasks import read_task

        consensus = self._runtime.consensus
        task = read_task(assets_dir() / "tasks" / "portfolio.json")
        # One who was slashed is banned for good: each demo on the same data directory needs another.
        guilty = AgentSpec(f"two-faced {len(consensus.runs()) + 1}", behaviour="equivocating")
        run = await consensus.start(RunSpec(task, (*default_agents(task), guilty), ConsensusConfig()))
        result = await run.result()
        found = await consensus.verify("0x" + result.task_hash.hex())
        self._facts["consensus"] = {**result.to_json(), "verification": found.to_json()}
        chain = result.on_chain
        if chain is None or not (result.converged and chain.certified and found.ok):
            raise VerificationError("The consensus is not certified", result.message)
        slashed = chain.slashed_wei.get(guilty.name, 0)
        if not slashed or set(chain.slashed_wei) != {guilty.name}:
            raise VerificationError("Not the one who signed twice was slashed", ", ".join(chain.slashed_wei))
        return (
            f"{len(result.agents)} agents agreed in {result.iterations} iterations, certified in block {chain.block}; "
            f"{guilty.name} signed twice: {format_eth(slashed)} ETH slashed"
        )

    async def _bundle_of(self, seat: int) -> Path:
        """Write the bundle of the first match of a seat."""
        league, round_id = self._runtime.league, self._require_round().round_id
        fixture = next(m.fixture for m in league.history.matches(round_id) if m.a == seat)
        return await league.bundle(round_id, fixture)

    def _require_round(self) -> RoundResult:
        assert self._round is not None
        return self._round

    def _require_bundle(self) -> Bundle:
        assert self._bundle is not None
        return read_bundle(self._bundle)


def _samples() -> list[Path]:
    return sorted((assets_dir() / "agents" / "snake").glob("*.wasm"))
