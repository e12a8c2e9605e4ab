"""Every named scenario comes out as it says."""

from __future__ import annotations

import pytest

from engine.learning.ai.brain import ReplayBrain
from engine.learning.results import LearnResult
from engine.learning.run.scheduler import open_scheduler
from engine.learning.run.world import World
from engine.learning.scenario import SCENARIOS, Scenario
from engine.learning.transport import open_dht

QUICK = [scenario for scenario in SCENARIOS.values() if not scenario.slow]
ROWS = {  # of the table of what a chain must withstand: what stands for each
    "solo genesis": {"solo"},
    "byzantine trainers": {"byzantine", "byzantine_fedavg", "byzantine_alie", "byzantine_backdoor"},
    "overfit": {"overfit", "overfit_public"},
    "ACK spam": {"sybil", "forgery", "squatting", "replay"},
    "free riders": {"free_riders"},
    "conflicting updates": {"conflict_spec", "conflict_bft"},
    "equivocation": {"equivocation_proposer", "equivocation_attester", "surround"},
    "uncertified update": {"uncertified"},
    "partition": {"partition_50", "partition_70", "partition"},
    "over a third offline": {"offline_third"},
    "silence and lateness": {"silent_trainers", "late_acks"},
    "bad deltas": {"bad_deltas"},
    "deposits": {"deposits"},
    "DHT loss": {"dht_loss"},
    "scale": {"thousand"},
    "real": {"real"},
    "ordinary": {"committee", "first_update"},
}


async def outcome(scenario: Scenario, brain: ReplayBrain) -> LearnResult:
    config = scenario.config()
    scheduler = open_scheduler(config)
    dht = await open_dht(config)
    try:
        world = await World.open(config, brain, dht, scheduler, scenario=scenario)
        await world.run()
        return await world.result()
    finally:
        await scheduler.close()
        await dht.close()


def test_every_row_has_its_scenario() -> None:
    assert set().union(*ROWS.values()) == set(SCENARIOS)
    for name, scenario in SCENARIOS.items():
        assert scenario.name == name
        assert scenario.expects
        assert scenario.sentence.endswith(".")


@pytest.mark.parametrize("scenario", QUICK, ids=lambda scenario: scenario.name)
async def test_it_comes_out_as_it_says(scenario: Scenario, brain: ReplayBrain) -> None:
    result = await outcome(scenario, brain)
    assert result.ok, "\n".join(f"{check.name}: {check.text}" for check in result.checks if not check.ok)
    assert [check.name for check in result.checks] == list(scenario.expects)
    assert all(check.text.endswith(".") for check in result.checks)


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_a_thousand_validators(brain: ReplayBrain) -> None:
    result = await outcome(SCENARIOS["thousand"], brain)
    assert result.ok, "\n".join(f"{check.name}: {check.text}" for check in result.checks if not check.ok)
