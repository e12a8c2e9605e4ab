"""Rules against attacks, on deltas that were really trained and with losses that are really evaluated."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Any

import pytest

from engine.learning.ai.brain import open_brain
from engine.learning.brain import TrainOrder
from engine.learning.config import LearnConfig
from engine.learning.errors import TrainingError
from engine.learning.sweep import Sweep, SweepCell, SweepSpec, run_sweep, to_csv
from engine.learning.updates.draw import gate_texts, verdict

FEW = (0.08, 0.39, 0.5)  # 1, 5 and 6 of 13
CROSSOVER = 6  # the first f with 13 < 2f + 3


TABLE = SweepSpec(
    fractions=FEW,
    attacks=("scale", "label_flip", "alie", "backdoor"),
    rules=("fedavg", "krum", "multi_krum", "median"),
    gate_texts=64,
)
COLLUDING = SweepSpec(fractions=FEW, attacks=("noise",), rules=("krum",), collude=True, gate_texts=8)
SMALL = SweepSpec(trainers=5, fractions=(0.0, 0.2), attacks=("noise",), rules=("fedavg", "krum"), gate_texts=8, seed=3)


def of(trainers: int) -> SweepSpec:
    """The most bad ones that a number of trainers bears, and one more."""
    most = (trainers - 3) // 2
    shares = tuple((f + 0.01) / trainers for f in (most, most + 1))
    return SweepSpec(trainers=trainers, fractions=shares, attacks=("label_flip",), rules=("krum",), gate_texts=8)


def played(work: Callable[[Any], Awaitable[Any]]) -> Any:
    async def with_brain() -> Any:
        brain = open_brain(LearnConfig(), None, 2)
        try:
            return await work(brain)
        finally:
            await brain.close()

    return asyncio.run(with_brain())


@pytest.fixture(scope="module")
def sweeps() -> dict[SweepSpec, Sweep]:
    """All sweeps that are looked at, by one brain: it takes seconds to start."""

    async def every(brain: Any) -> dict[SweepSpec, Sweep]:
        return {spec: await run_sweep(spec, brain) for spec in (TABLE, COLLUDING, SMALL, of(5), of(8))}

    made: dict[SweepSpec, Sweep] = played(every)
    return made


@pytest.fixture(scope="module")
def sweep(sweeps: dict[SweepSpec, Sweep]) -> Sweep:
    """The design's table, as far as a few seconds go."""
    return sweeps[TABLE]


def cells(sweep: Sweep, **wanted: object) -> list[SweepCell]:
    found = [cell for cell in sweep.cells if all(getattr(cell, name) == value for name, value in wanted.items())]
    assert found
    return found


@pytest.mark.parametrize("rule", ["krum", "multi_krum"])
def test_krum_is_safe_exactly_where_n_is_at_least_2f_plus_3(sweep: Sweep, rule: str) -> None:
    for cell in cells(sweep, rule=rule):
        assert cell.verdict == ("safe" if cell.byzantine < CROSSOVER else "refused"), cell.text
        assert cell.refused == ("" if cell.byzantine < CROSSOVER else "too_few")
        if cell.attack != "alie" and cell.byzantine < CROSSOVER:
            assert cell.chosen_bad == 0, cell.text
            assert cell.gain > 0.3, cell.text
            assert cell.accepted
    # the formula is no mere caution: with one more, those that lie close together are the bad ones
    (beyond,) = cells(sweep, rule=rule, attack="label_flip", byzantine=CROSSOVER)
    assert beyond.broken
    assert beyond.chosen_bad > 0
    assert "13 < 2 x 6 + 3 = 15" in beyond.text


def test_multi_krum_takes_all_the_honest_and_nobody_else(sweep: Sweep) -> None:
    for attack in ("scale", "label_flip", "backdoor"):
        for cell in cells(sweep, rule="multi_krum", attack=attack):
            if cell.byzantine < CROSSOVER:
                assert (cell.chosen, cell.chosen_bad) == (13 - cell.byzantine, 0)
                assert cell.gain == pytest.approx(1, abs=1e-3)


def test_fedavg_breaks_on_one_scaled_delta(sweep: Sweep) -> None:
    for cell in cells(sweep, rule="fedavg", attack="scale"):
        assert cell.verdict == "broken"
        assert cell.gain < -1
        assert not cell.accepted
        assert "rises" in cell.text


def test_colluders_that_hide_are_selected_by_multi_krum(sweep: Sweep) -> None:
    for cell in cells(sweep, rule="multi_krum", attack="alie"):
        assert cell.chosen_bad == cell.byzantine
        assert cell.accepted  # and no gate sees it: they cost progress, the more of them the more
    gains = [cell.gain for cell in cells(sweep, rule="multi_krum", attack="alie")]
    assert gains == sorted(gains, reverse=True)
    assert gains[-1] < 0.8 < gains[0]


def test_a_backdoor_passes_the_gate_and_krum_blocks_it(sweep: Sweep) -> None:
    (taken,) = cells(sweep, rule="fedavg", attack="backdoor", byzantine=5)
    assert taken.accepted
    assert taken.broken
    assert taken.took > 0.25
    assert taken.loss_after < taken.loss_before
    for cell in cells(sweep, rule="krum", attack="backdoor"):
        if cell.byzantine < CROSSOVER:
            assert cell.took < 0.1
            assert cell.trigger_after > taken.trigger_after


def test_what_was_learnt_by_heart_passes_public_texts_and_fails_drawn_ones() -> None:
    async def gates(brain: Any) -> list[tuple[bool, bool, bool]]:
        base, found = await brain.genesis(), []
        for trainer in range(6):
            delta = (await brain.train(TrainOrder(base, 0, bytes(32), trainer, 20, "overfit"))).delta
            drawn = gate_texts(sha256(delta).digest(), bytes(32), 128, brain.pool)
            passed = []
            for texts in (range(128), drawn):
                before, after = await brain.evaluate(base, None, texts), await brain.evaluate(base, delta, texts)
                passed.append(verdict(before, after).accept)
            worse = await brain.held_out(brain.merge(base, delta)) > await brain.held_out(base)
            found.append((*passed, worse))
        return found

    assert played(gates) == [(True, False, True)] * 6


def test_the_median_bears_scaling_but_not_many_colluders_of_one_direction(sweep: Sweep) -> None:
    assert all(cell.verdict == "safe" for cell in cells(sweep, rule="median", attack="scale"))
    assert cells(sweep, rule="median", attack="label_flip", byzantine=5)[0].verdict == "broken"


@pytest.mark.parametrize("trainers", [5, 8])
def test_the_formula_moves_with_the_number_of_trainers(sweeps: dict[SweepSpec, Sweep], trainers: int) -> None:
    inside, outside = sweeps[of(trainers)].cells
    assert (inside.byzantine, inside.verdict, inside.chosen_bad) == ((trainers - 3) // 2, "safe", 0)
    assert (outside.byzantine, outside.verdict) == ((trainers - 3) // 2 + 1, "refused")


def test_identical_colluders_fool_krum_one_earlier(sweeps: dict[SweepSpec, Sweep]) -> None:
    """n >= 2f + 3 is not all: the honest must lie close together too (Blanchard et al., condition on the variance)."""
    low, limit, beyond = sweeps[COLLUDING].cells
    assert (low.verdict, low.chosen_bad) == ("safe", 0)
    assert (limit.verdict, limit.chosen_bad) == ("broken", 1)
    assert (beyond.verdict, beyond.chosen_bad) == ("refused", 1)


def test_the_same_seed_gives_the_same_cells_and_tells_of_each(sweeps: dict[SweepSpec, Sweep]) -> None:
    async def both(brain: Any) -> tuple[Sweep, Sweep, list[tuple[SweepCell, int, int]]]:
        heard: list[tuple[SweepCell, int, int]] = []
        first = await run_sweep(SMALL, brain, lambda *told: heard.append(told))
        return first, await run_sweep(SMALL.model_copy(update={"seed": 4}), brain), heard

    first, other, heard = played(both)
    assert first == sweeps[SMALL]
    assert to_csv(first) == to_csv(sweeps[SMALL])
    assert to_csv(first) != to_csv(other)
    assert heard == [(cell, number, 4) for number, cell in enumerate(first.cells, 1)]
    assert first.to_json()["cells"][0]["rule"] == "fedavg"
    assert (first.training, len(first.base)) == ("replayed", 64)
    assert [cell.byzantine for cell in first.cells] == [0, 1, 0, 1]
    assert first.cells[0].gain == 1


def test_a_sweep_ends_when_it_is_cancelled() -> None:
    async def cancelled(brain: Any) -> int:
        heard: list[int] = []
        first = asyncio.Event()

        def on_cell(cell: SweepCell, done: int, total: int) -> None:
            heard.append(done)
            first.set()

        task = asyncio.create_task(run_sweep(SweepSpec(gate_texts=8), brain, on_cell))
        await first.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 60)
        return len(heard)

    assert played(cancelled) == 1


def test_more_trainers_than_were_recorded_are_an_error_in_words() -> None:
    with pytest.raises(TrainingError):
        played(lambda brain: run_sweep(SMALL.model_copy(update={"trainers": 60}), brain))
