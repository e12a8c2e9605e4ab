import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.errors import UsageError
from engine.league.config import WEI, AgentEntry, RoundConfig, Tier, format_eth, parse_eth
from engine.league.rewards import payouts
from engine.league.schedule import Schedule, match_seed
from engine.league.standings import NO_OPPONENT, Played, commit_round, standings_hash

SCORES = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=20)


@given(SCORES, st.integers(0, 10**24), st.data())
def test_nothing_of_the_pot_is_lost_or_invented(scores, pot, data):
    out = data.draw(st.sets(st.integers(0, len(scores) - 1)))
    result = payouts(scores, out, pot)
    assert sum(result.wei) + result.dust == pot
    assert result.dust >= 0
    assert all(result.wei[seat] == 0 for seat in out)
    active = [seat for seat in range(len(scores)) if seat not in out]
    if active:
        assert result.dust < max(len(active), 1)
    for a in active:
        for b in active:
            assert (scores[a] < scores[b]) <= (result.wei[a] <= result.wei[b])
            assert (scores[a] == scores[b]) <= (result.wei[a] == result.wei[b])


def test_ties_share_and_the_disqualified_get_nothing():
    assert payouts([5, 9, 5, 99], {3}, 600) == payouts([5, 9, 5], set(), 600).__class__((150, 300, 150, 0), 0)
    assert payouts([1, 2], {0, 1}, 7).dust == 7


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-1000, 1000)), max_size=30))
def test_leaves_chain_from_zero_to_the_final_scores(moves):
    matches = [Played(a, None, score, None, bytes([i]) * 32) for i, (a, score) in enumerate(moves)]
    result = commit_round(4, matches)
    expected = [sum(score for seat, score in moves if seat == a) for a in range(4)]
    assert list(result.scores) == expected
    standings = standings_hash([0] * 4)
    for leaf in result.leaves:
        assert leaf.pre == standings
        assert leaf.b == NO_OPPONENT
        standings = leaf.post
    assert standings == standings_hash(expected)


def test_seeds_differ_by_match_and_are_shared_by_all():
    fixtures = Schedule.of({"format": "solo", "matches": 4, "seed": 7}, "abc").known()
    assert [fixture.index for fixture in fixtures] == list(range(12))
    for repetition in range(4):
        assert {f.seed for f in fixtures[repetition * 3 : repetition * 3 + 3]} == {match_seed(7, repetition)}
    assert len({fixture.seed for fixture in fixtures}) == 4


def test_league_file_round_trip(tmp_path):
    config = RoundConfig(
        name="cup",
        tier=Tier.SILVER,
        seed=2**64 - 1,
        stake_wei=WEI // 3,
        agents=(AgentEntry(tmp_path / "a.wasm", "a", "ann"), AgentEntry(Path("/elsewhere/b.wasm"))),
        claims=(tmp_path / "c.nets",),
    )
    path = tmp_path / "LEAGUE.toml"
    path.write_text(config.to_toml(tmp_path))
    assert RoundConfig.from_toml(path) == config


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", None),
        ("x = ", "TOML"),
        ("matches = 0", "matches"),
        ("matches = '3x'", "matches"),
        ("seed = -1", "seed"),
        ("seed = 18446744073709551616", "seed"),
        ("tier = 'iron'", "bronze"),
        ("surprise = 1", "surprise"),
        ("stake_eth = 'much'", "stake_eth"),
        ("stake_eth = 'nan'", "stake_eth"),
        ("stake_eth = '0.0000000000000000001'", "stake_eth"),
        ("reward_eth = -1", "reward_eth"),
        ("agents = 3", "agents"),
        ("[[agents]]\nname = 'x'", "path"),
        ("name = ''", "name"),
        ('name = "a\\u0007"', "name"),
    ],
)
def test_a_wrong_league_file_is_refused_by_field(tmp_path, text, names):
    path = tmp_path / "LEAGUE.toml"
    path.write_text(text)
    if names is None:
        assert RoundConfig.from_toml(path) == RoundConfig()
        return
    with pytest.raises(UsageError, match=names):
        RoundConfig.from_toml(path)


def test_a_binary_or_missing_league_file_is_refused(tmp_path):
    (tmp_path / "bin").write_bytes(b"\xff\xfe\x00")
    for name in ("bin", "none"):
        with pytest.raises(UsageError):
            RoundConfig.from_toml(tmp_path / name)


@given(st.integers(0, 10**40))
def test_eth_amounts_are_exact(wei):
    assert parse_eth(format_eth(wei), "x") == wei
    json.dumps(format_eth(wei))
