"""Attacks are what their names say, and the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

from engine.learning.adversary.alie import alie, reach
from engine.learning.adversary.deltas import FLAVOURS, KINDS, attacked
from engine.learning.config import DELTA_LIMIT
from engine.learning.errors import DeltaRefusedError, LearnSettingError
from engine.learning.faults import FAULTS
from engine.learning.updates.delta import Delta, DeltaSpec, pack, parse
from engine.learning.updates.krum import ranking, scores
from engine.learning.updates.product import distances, gram, norms, products

SPEC = DeltaSpec(4, 4.0, (("0.q", 24, 24), ("0.up", 40, 24), ("1.q", 24, 24)))


@pytest.fixture(scope="module")
def honest() -> list[bytes]:
    """Thirteen deltas of one round: a shared A that training moved a little, and B around a common B."""
    rng = np.random.default_rng(0)
    a = {key: rng.normal(0, 0.1, (4, inner)) for key, _, inner in SPEC.targets}
    b = {key: rng.normal(0, 0.01, (out, 4)) for key, out, _ in SPEC.targets}
    return [
        pack({k: (a[k] + rng.normal(0, 1e-3, a[k].shape), b[k] + rng.normal(0, 0.01, b[k].shape)) for k in a})
        for _ in range(13)
    ]


def read(data: bytes) -> Delta:
    return parse(data, SPEC)


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_fixes_an_attack(honest: list[bytes], kind: str) -> None:
    made = attacked(kind, honest[0], seen=honest[:4], trainers=13, byzantine=4, seed=b"1")
    assert made == attacked(kind, honest[0], seen=honest[:4], trainers=13, byzantine=4, seed=b"1")
    assert made != honest[0]
    assert f"trainer_{kind}" in FAULTS


def test_attacks_by_training_are_faults_as_well() -> None:
    assert set(FLAVOURS) <= set(FAULTS)
    with pytest.raises(LearnSettingError, match="no attack 'backdoor'"):
        attacked("backdoor", b"")


@pytest.mark.parametrize(("kind", "factor"), [("scale", 100.0), ("sign_flip", -1.0)])
def test_scaling_and_flipping_keep_the_direction(honest: list[bytes], kind: str, factor: float) -> None:
    inner = gram(products([read(honest[0]), read(attacked(kind, honest[0]))], SPEC))
    assert inner[0, 1] / inner[0, 0] == pytest.approx(factor, rel=1e-3)
    assert inner[1, 1] / inner[0, 0] == pytest.approx(factor**2, rel=1e-3)


def test_noise_has_the_norm_and_nothing_else(honest: list[bytes]) -> None:
    noisy = read(attacked("noise", honest[0], seed=b"1"))
    updates = products([read(honest[0]), noisy, read(attacked("noise", honest[0], seed=b"2"))], SPEC)
    size = norms(updates)
    assert size[1] == pytest.approx(size[0], rel=1e-3)
    inner = gram(updates)
    assert abs(inner[0, 1]) < 0.2 * inner[0, 0]
    assert abs(inner[1, 2]) < 0.2 * inner[0, 0]


@pytest.mark.parametrize(
    ("kind", "reason"), [("nan", "not_finite"), ("shape", "wrong_shape"), ("oversize", "oversize")]
)
def test_bytes_that_are_no_delta_are_refused_for_what_they_are(honest: list[bytes], kind: str, reason: str) -> None:
    for seed in range(5):
        made = attacked(kind, honest[0], seed=bytes([seed]))
        with pytest.raises(DeltaRefusedError) as caught:
            read(made)
        assert caught.value.reason == reason
        assert (len(made) > DELTA_LIMIT) == (kind == "oversize")


# for n = 50 and f = 12: s = 26 - 12 = 14 and (38 - 14) / 38 = 0.6316
@pytest.mark.parametrize(
    ("n", "f", "z"), [(50, 12, 0.336), (13, 1, 0.0), (13, 4, 0.4307), (13, 6, 1.0676), (4, 3, 0.0), (2, 2, 0.0)]
)
def test_the_reach_of_colluders(n: int, f: int, z: float) -> None:
    assert reach(n, f) == pytest.approx(z, abs=1e-3)


def test_the_reach_grows_with_the_colluders() -> None:
    reaches = [reach(13, f) for f in range(1, 7)]
    assert reaches == sorted(reaches)


def test_colluders_publish_the_same_within_the_spread(honest: list[bytes]) -> None:
    f = 4
    seen = honest[f:]
    made = {attacked("alie", own, seen=seen, trainers=13, byzantine=f, seed=own[:4]) for own in honest[:f]}
    assert len(made) == 1
    z = reach(13, f)
    b = np.stack([read(data)["0.q"][1] for data in seen]).astype(float)
    got = read(made.pop())["0.q"][1]
    np.testing.assert_allclose(np.abs(got - b.mean(axis=0)), z * b.std(axis=0), rtol=1e-2, atol=1e-5)


@pytest.mark.parametrize("f", range(1, 7))
def test_krum_takes_colluders_that_hide_for_the_most_central(honest: list[bytes], f: int) -> None:
    bad = attacked("alie", honest[0], seen=honest[f:], trainers=13, byzantine=f)
    updates = products([read(data) for data in [bad] * f + honest[f:]], SPEC)
    best = ranking(scores(distances(gram(updates)), f))
    assert set(best[:f].tolist()) == set(range(f))


def test_without_spread_there_is_nothing_to_hide_in(honest: list[bytes]) -> None:
    alone = alie([read(honest[0])], 1.0)
    assert pack(alone) == honest[0]
    assert attacked("alie", honest[0], trainers=13, byzantine=6) == honest[0]
