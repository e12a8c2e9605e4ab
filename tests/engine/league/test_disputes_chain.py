"""Dishonest hosts on a real chain: every way to cheat is caught, slashed to the wei, and the ledger agrees."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from engine.chain.errors import DevnetError
from engine.chain.session import Chain
from engine.core.errors import UsageError
from engine.core.paths import DataDir, assets_dir
from engine.league.bundle import read_bundle, write_bundle
from engine.league.config import WEI, AgentEntry, RoundConfig
from engine.league.disputes.checks import FraudKind
from engine.league.disputes.panel import Conduct
from engine.league.disputes.posted import REJECTED, read_anchored
from engine.league.disputes.published import Dishonesty
from engine.league.errors import LeagueError
from engine.league.events import DisputeMoved, DisputeOpened, DisputeResolved, RoundChanged
from engine.league.results import RoundResult
from engine.runtime import Runtime

pytestmark = pytest.mark.chain
AGENTS = assets_dir() / "agents" / "snake"
NAMES = ("greedy", "cautious", "drunkard")
POT = WEI + 7


def config(**changes) -> RoundConfig:
    agents = tuple(AgentEntry(AGENTS / f"{name}.wasm") for name in NAMES)
    return RoundConfig(**{"name": "court", "matches": 3, "seed": 5, "agents": agents, "reward_wei": POT, **changes})


@asynccontextmanager
async def arena(path: Path) -> AsyncIterator[tuple[Runtime, Chain]]:
    async with await Runtime.open(DataDir.open(path), workers=1) as runtime:
        await runtime.devnet.up()
        yield runtime, await runtime.chain()


async def played(runtime: Runtime, how: Dishonesty = Dishonesty.HONEST, **changes) -> RoundResult:
    result = await runtime.league.run_round(config(**changes), anchor=True, dishonesty=how)
    assert result.state == "anchored"
    return result


async def require_equal(runtime: Runtime, chain: Chain) -> dict[str, object]:
    """Ledger and vault agree in every account, the vault holds what it owes, the ledger adds up."""
    rows = await runtime.league.stakes(chain)
    assert not [row for row in rows if row.differs]
    assert runtime.store.ledger.audit(chain.book) == {}
    totals = await chain.vault.totals()
    balance = await chain.rpc.number("eth_getBalance", chain.vault.address, "latest")
    assert balance == totals.active + totals.pending + totals.credit
    ours = runtime.store.ledger.balances(chain.book)
    assert sum(wei for name, wei in ours.items() if name.startswith("credit:")) == totals.credit
    assert sum(wei for name, wei in ours.items() if name.startswith(("stake:", "held:"))) == totals.active
    assert sum(wei for name, wei in ours.items() if name.startswith("bond:")) == await chain.rpc.number(
        "eth_getBalance", chain.court.address, "latest"
    )
    return {row.name: row for row in rows}


EXPECTED = {
    Dishonesty.INFLATE: FraudKind.REPLAY,
    Dishonesty.ALTER: FraudKind.REPLAY,
    Dishonesty.WITHHOLD: FraudKind.WITHHELD,
    Dishonesty.INFLATE_TOTAL: FraudKind.TERMINAL,
    Dishonesty.EQUIVOCATE: FraudKind.EQUIVOCATION,
}


@pytest.mark.parametrize("how", list(EXPECTED))
async def test_a_dishonest_host_is_caught_and_slashed_to_the_wei(tmp_path, how):
    async with arena(tmp_path) as (runtime, chain):
        league, rules = runtime.league, chain.deployment.rules
        seen = []
        runtime.bus.subscribe(seen.append, DisputeOpened, DisputeMoved, DisputeResolved, RoundChanged)
        result = await played(runtime, how)
        found = await league.disputes.check(result.round_id)
        assert [fraud.kind for fraud in found.frauds] == [EXPECTED[how]]
        assert found.replayed == 9
        host = league.history.publications.get(result.round_id)
        if host.match is not None and how is not Dishonesty.EQUIVOCATE:
            assert found.frauds[0].index == host.match
        assert league.disputes.all() == [], "an audit changes nothing"
        (view,) = await league.disputes.open(result.round_id)
        assert (view.state, view.kind, view.slashed_wei) == ("upheld", EXPECTED[how].value, rules.exposure)
        assert view.bond_wei == (0 if EXPECTED[how].proves_itself else rules.bond)
        assert {item.state for item in view.transactions} == {"mined"}
        posted = await chain.anchor.commitment_of(bytes.fromhex(result.anchored.commitment_id))
        assert posted.status == REJECTED
        assert league.round(result.round_id).state == "rejected"
        assert {line.reward_wei for line in league.round(result.round_id).standings} == {0}
        rows = await require_equal(runtime, chain)
        assert rows["operator"].slashed == rules.exposure
        assert rows["operator"].credit == POT, "the pot goes back to who filled it"
        share = rules.exposure * rules.reporter_bps // 10_000
        assert rows["auditor"].credit == share + view.bond_wei
        assert rows["treasury"].credit == rules.exposure - share
        for name in NAMES:
            assert (rows[name].stake, rows[name].credit, rows[name].slashed) == (WEI, 0, 0)
        with pytest.raises(LeagueError, match="rejected"):
            await league.settle(result.round_id)
        assert await league.disputes.open(result.round_id) == [view]
        kinds = [type(event) for event in seen]
        assert kinds.index(DisputeOpened) < kinds.index(DisputeResolved)
        assert [event.state for event in seen if isinstance(event, RoundChanged)] == ["anchored", "rejected"]
        again = await played(runtime, seed=6)
        assert (await league.settle(again.round_id)).state == "settled"
        await require_equal(runtime, chain)


async def test_the_verifiers_sign_what_their_replay_gives(tmp_path):
    async with arena(tmp_path) as (runtime, chain):
        result = await played(runtime, Dishonesty.INFLATE)
        (view,) = await runtime.league.disputes.open(result.round_id)
        assert len(view.ballots) == 4
        assert {ballot.leaf for ballot in view.ballots} == {view.replayed}
        assert not any(ballot.confirms for ballot in view.ballots)
        assert view.match == runtime.league.history.matches(result.round_id)[view.index].fixture
        rows = await require_equal(runtime, chain)
        bonded = [row for name, row in rows.items() if name.startswith("verifier")]
        assert [row.stake for row in bonded] == [chain.deployment.rules.verifier_stake] * 4
        assert [row.chain_locked for row in bonded] == [chain.deployment.rules.verifier_stake] * 4
        assert runtime.league.disputes.all(result.round_id[:8])[0] == view
        assert view.to_json()["bond_wei"] == str(chain.deployment.rules.bond)


async def test_an_honest_round_survives_an_audit_and_false_accusations(tmp_path):
    async with arena(tmp_path) as (runtime, chain):
        league, rules = runtime.league, chain.deployment.rules
        result = await played(runtime)
        found = await league.disputes.check(result.round_id)
        assert found.clean
        assert found.to_json()["root"] == found.to_json()["replayed_root"] == result.anchored.root
        with pytest.raises(LeagueError, match="Nothing is wrong"):
            await league.disputes.open(result.round_id)
        (replay,) = await league.disputes.open(result.round_id, match=4)
        assert (replay.state, replay.kind, replay.slashed_wei) == ("dismissed", "replay", 0)
        assert all(ballot.confirms for ballot in replay.ballots)
        (demand,) = await league.disputes.open(result.round_id, match=5, withheld=True)
        assert (demand.state, demand.kind) == ("dismissed", "withheld")
        (again,) = await league.disputes.open(result.round_id, match=4)
        assert (again.state, again.bond_wei) == ("refused", 2 * rules.bond)
        assert "AlreadyDisputed" in again.transactions[0].error
        rows = await require_equal(runtime, chain)
        assert rows["operator"].credit == 2 * (rules.bond // 2)
        assert rows["treasury"].credit == 2 * (rules.bond - rules.bond // 2)
        assert (rows["auditor"].credit, rows["operator"].slashed) == (0, 0)
        assert (await league.settle(result.round_id)).state == "settled"
        await require_equal(runtime, chain)
        with pytest.raises(LeagueError, match="settled"):
            await league.disputes.open(result.round_id, match=1)
        with pytest.raises(UsageError, match="no match 99"):
            await league.disputes.open(result.round_id, match=99)


async def test_a_host_that_shows_its_false_trace_is_found_by_the_replay(tmp_path):
    async with arena(tmp_path) as (runtime, chain):
        league = runtime.league
        result = await played(runtime, Dishonesty.ALTER)
        host = league.history.publications.get(result.round_id)
        match = league.history.matches(result.round_id)[host.match].fixture
        (shown,) = await league.disputes.open(result.round_id, match=match, withheld=True)
        assert shown.state == "dismissed", "what it shows is what it posted"
        (judged,) = await league.disputes.open(result.round_id)
        assert (judged.state, judged.match) == ("upheld", match)
        await require_equal(runtime, chain)


async def test_without_enough_verifiers_the_bond_goes_back_and_a_later_vote_decides(tmp_path):
    async with arena(tmp_path) as (runtime, chain):
        league, rules = runtime.league, chain.deployment.rules
        result = await played(runtime, Dishonesty.INFLATE)
        (view,) = await league.disputes.open(result.round_id, conduct=Conduct(offline=2))
        assert (view.state, view.extended, len(view.ballots)) == ("refunded", True, 2)
        rows = await require_equal(runtime, chain)
        assert (rows["auditor"].credit, rows["operator"].slashed) == (rules.bond, 0)
        assert league.round(result.round_id).state == "anchored"
        (again,) = await league.disputes.open(result.round_id, conduct=Conduct(offline=1))
        assert (again.state, len(again.ballots)) == ("upheld", 3)
        assert again.bond_wei == 2 * rules.bond, "the next dispute costs double"
        await require_equal(runtime, chain)


async def test_a_verifier_that_signs_twice_is_slashed_and_replaced(tmp_path):
    async with arena(tmp_path) as (runtime, chain):
        league, rules = runtime.league, chain.deployment.rules
        result = await played(runtime, Dishonesty.ALTER)
        (view,) = await league.disputes.open(result.round_id, conduct=Conduct(two_faced=1))
        assert view.state == "upheld"
        assert sorted(ballot.confirms for ballot in view.ballots) == [False] * 4 + [True]
        rows = await require_equal(runtime, chain)
        (liar,) = [row for name, row in rows.items() if name.startswith("verifier") and row.slashed]
        assert (liar.slashed, liar.stake) == (rules.verifier_stake, 0)
        half = rules.verifier_stake * rules.reporter_bps // 10_000
        share = rules.exposure * rules.reporter_bps // 10_000
        assert rows["auditor"].credit == view.bond_wei + share + half
        await played(runtime, Dishonesty.INFLATE, seed=8)
        (view,) = await league.disputes.open(league.rounds()[0].round_id)
        assert view.state == "upheld"
        assert liar.address not in {ballot.verifier for ballot in view.ballots}
        await require_equal(runtime, chain)


async def test_what_is_not_anchored_or_too_late_is_not_disputed(tmp_path):
    async with arena(tmp_path) as (runtime, chain):
        paper = await runtime.league.run_round(config(name="paper"))
        with pytest.raises(LeagueError, match="not anchored"):
            await runtime.league.disputes.check(paper.round_id)
        with pytest.raises(UsageError, match="on paper"):
            await runtime.league.run_round(config(), dishonesty=Dishonesty.ALTER)
        late = await played(runtime, Dishonesty.INFLATE)
        await chain.pass_window(bytes.fromhex(late.anchored.commitment_id))
        with pytest.raises(LeagueError, match="window"):
            await runtime.league.disputes.open(late.round_id)
        assert runtime.league.disputes.all() == []
        proven = await played(runtime, Dishonesty.INFLATE_TOTAL)
        await chain.pass_window(bytes.fromhex(proven.anchored.commitment_id))
        (view,) = await runtime.league.disputes.open(proven.round_id)
        assert view.state == "upheld", "a fraud that proves itself has no deadline but the settlement"
        settled = await runtime.league.settle(late.round_id)
        assert settled.state == "settled"
        await require_equal(runtime, chain)


# Goes on with the round's disputes and kills itself just before its n-th SQL statement of that.
VICTIM = """
import asyncio, os, signal, sys
from pathlib import Path
from engine.core.paths import DataDir
from engine.runtime import Runtime

async def main(data, round_id, left):
    async with await Runtime.open(DataDir.open(Path(data)), workers=1) as runtime:
        await runtime.devnet.refresh()

        def count(statement):
            nonlocal left
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

        runtime.store.db.set_trace_callback(count)
        await runtime.league.disputes.open(round_id)

if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


async def victim(script: Path, data: Path, round_id: str, statements: int) -> int:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, script, data, round_id, str(statements)), env=environment
    )
    return await child.wait()


@pytest.mark.parametrize(
    "how",
    [
        Dishonesty.INFLATE,
        pytest.param(Dishonesty.WITHHOLD, marks=pytest.mark.slow),
        pytest.param(Dishonesty.INFLATE_TOTAL, marks=pytest.mark.slow),
    ],
)
async def test_a_kill_in_mid_dispute_loses_and_repeats_nothing(tmp_path, how):
    script = tmp_path / "victim.py"
    script.write_text(VICTIM)
    dice = random.Random(how.value)
    async with arena(tmp_path / "data") as (runtime, chain):
        league, killed = runtime.league, 0
        for seed in range(2):
            result = await played(runtime, how, seed=seed)
            for _ in range(2):
                status = await victim(script, tmp_path / "data", result.round_id, dice.randrange(20, 200))
                assert status in (-signal.SIGKILL, 0)
                killed += status != 0
            views = await league.disputes.open(result.round_id)
            assert [view.state for view in views] == ["upheld"]
            assert league.round(result.round_id).state == "rejected"
            rows = await require_equal(runtime, chain)
            assert rows["operator"].slashed == (seed + 1) * chain.deployment.rules.exposure
        assert killed > 1


@pytest.mark.parametrize(
    ("how", "conduct", "outcome"),
    [
        (Dishonesty.INFLATE, Conduct(), "upheld"),
        (Dishonesty.INFLATE, Conduct(offline=2), "refunded"),
        (Dishonesty.WITHHOLD, Conduct(), "upheld"),
        (Dishonesty.EQUIVOCATE, Conduct(), "upheld"),
    ],
)
async def test_a_dispute_that_the_chain_forgot_comes_to_the_same_end(tmp_path, how, conduct, outcome):
    async with arena(tmp_path) as (runtime, chain):
        league = runtime.league
        result = await played(runtime, how)
        before = await chain.control.snapshot()
        (view,) = await league.disputes.open(result.round_id, conduct=conduct)
        assert view.state == outcome
        held = await require_equal(runtime, chain)
        await chain.control.revert(before)
        assert (await league.resume(result.round_id)).state == ("rejected" if outcome == "upheld" else "anchored")
        after = await require_equal(runtime, chain)
        assert {name: (row.stake, row.credit, row.slashed) for name, row in held.items()} == {
            name: (row.stake, row.credit, row.slashed) for name, row in after.items()
        }


def paired(**changes) -> RoundConfig:
    folder = assets_dir() / "agents" / "rps"
    agents = tuple(AgentEntry(path) for path in sorted(folder.glob("*.wasm"))[:3])
    return RoundConfig(**{"name": "pairs", "system": "rps", "matches": 2, "seed": 3, "agents": agents, **changes})


async def test_where_the_clock_cannot_be_moved_a_dispute_waits_and_goes_on(tmp_path):
    async with arena(tmp_path) as (runtime, chain):
        league, control = runtime.league, chain.control
        result = await played(runtime, Dishonesty.WITHHOLD)
        chain.control = None
        with pytest.raises(DevnetError, match="deadline"):
            await league.disputes.open(result.round_id)
        chain.control = control
        (waiting,) = league.disputes.all()
        assert (waiting.state, waiting.number) == ("open", 1)
        with pytest.raises(LeagueError, match="disputed"):
            await league.settle(result.round_id)
        await require_equal(runtime, chain)
        await control.warp_to(waiting.deadline)
        assert (await league.resume(result.round_id)).state == "rejected"
        assert league.disputes.all()[0].state == "upheld"
        await require_equal(runtime, chain)


async def test_a_dispute_on_a_round_that_falls_for_another_reason_is_refunded(tmp_path):
    async with arena(tmp_path) as (runtime, chain):
        league, control, rules = runtime.league, chain.control, chain.deployment.rules
        result = await played(runtime, Dishonesty.EQUIVOCATE)
        chain.control = None
        with pytest.raises(DevnetError):
            await league.disputes.open(result.round_id, match=1, withheld=False, conduct=Conduct(offline=4))
        chain.control = control
        stored, _ = await league.disputes._anchored(result.round_id)
        court = league.disputes._proceedings(stored, chain)
        anchored = await read_anchored(chain, stored.commitment_id(chain.operator))
        ((fraud, replayed),) = await league.disputes._audited(stored, chain)
        proof = await court.drive(await court.file(anchored, stored.published(), fraud, replayed), Conduct())
        assert proof.state == "upheld"
        await league.resume(result.round_id)
        assert [view.state for view in league.disputes.all()] == ["upheld", "refunded"]
        rows = await require_equal(runtime, chain)
        assert rows["auditor"].credit == rules.bond + rules.exposure * rules.reporter_bps // 10_000


async def test_who_claims_what_the_host_raised_is_told_to_dispute(tmp_path):
    async with arena(tmp_path) as (runtime, chain):
        league = runtime.league
        result = await played(runtime, Dishonesty.INFLATE)
        host = league.history.publications.get(result.round_id)
        match = league.history.matches(result.round_id)[host.match]
        raised = host.commitment.leaves[host.match].d_a
        claim = false_claim(await league.bundle(result.round_id, match.fixture), raised - match.score_a)
        with pytest.raises(LeagueError, match="host posted"):
            await league.submit_claim(result.round_id, claim)
        assert (await league.disputes.open(result.round_id))[0].state == "upheld"
        await require_equal(runtime, chain)


def false_claim(bundle: Path, points: int) -> Path:
    content = read_bundle(bundle)
    scores = [content.match.scores[0] + points]
    write_bundle(bundle, replace(content, match=content.match.model_copy(update={"scores": scores})))
    return bundle


async def test_rounds_of_two_seats_are_audited_and_disputed_alike(tmp_path):
    async with arena(tmp_path) as (runtime, chain):
        league = runtime.league
        for how in (Dishonesty.INFLATE, Dishonesty.ALTER):
            result = await league.run_round(paired(seed=len(how)), anchor=True, dishonesty=how)
            (fraud,) = (await league.disputes.check(result.round_id)).frauds
            (view,) = await league.disputes.open(result.round_id)
            assert (view.state, view.index) == ("upheld", fraud.index)
            await require_equal(runtime, chain)


async def test_a_match_without_opponent_is_shown_and_confirmed_too(tmp_path):
    async with arena(tmp_path) as (runtime, chain):
        league = runtime.league
        result = await league.run_round(paired(format="swiss"), anchor=True)
        assert (await league.disputes.check(result.round_id)).clean
        bye = next(m.fixture for m in league.history.matches(result.round_id) if m.outcome == "BYE")
        (shown,) = await league.disputes.open(result.round_id, match=bye, withheld=True)
        (judged,) = await league.disputes.open(result.round_id, match=bye)
        assert (shown.state, judged.state) == ("dismissed", "dismissed")
        assert (await league.settle(result.round_id)).state == "settled"
        await require_equal(runtime, chain)


async def test_a_penalty_is_held_until_its_round_is_settled_and_void_when_it_is_rejected(tmp_path):
    async with arena(tmp_path) as (runtime, chain):
        league, penalty = runtime.league, chain.deployment.rules.claim_penalty
        for how, seed in ((Dishonesty.HONEST, 21), (Dishonesty.WITHHOLD, 22)):
            result = await played(runtime, how, seed=seed, name=f"claims-{seed}")
            host = league.history.publications.get(result.round_id)
            match = next(
                m
                for index, m in enumerate(league.history.matches(result.round_id))
                if m.outcome == "FINISHED" and (host is None or index != host.match)
            )
            false = false_claim(await league.bundle(result.round_id, match.fixture), 1)
            outcome = await league.submit_claim(result.round_id, false)
            assert outcome.slashed is not None
            rows = await require_equal(runtime, chain)
            assert rows[outcome.agent].held == penalty
            before = rows[outcome.agent].slashed
            if how is Dishonesty.HONEST:
                await league.settle(result.round_id)
            else:
                assert (await league.disputes.open(result.round_id))[0].state == "upheld"
            rows = await require_equal(runtime, chain)
            assert rows[outcome.agent].held == 0
            assert rows[outcome.agent].slashed - before == (penalty if how is Dishonesty.HONEST else 0)
