import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.consensus.agents.agent_file import MAX_BYTES, agents_of, default_agents, read_agents
from engine.consensus.agents.models import FAMILIES
from engine.consensus.config import AgentConfig, ConsensusConfig
from engine.consensus.errors import ConsensusError
from engine.consensus.specs import MAX_AGENTS, AgentSpec, RunSpec
from engine.consensus.tasks import read_task

ASSETS = Path(__file__).parents[4] / "assets" / "tasks"
LIST = [{"name": "a", "strategy_type": "pure"}, {"name": "b", "learning_rate": 1, "model": "nets/b.pt"}]


def written(tmp_path, name, text):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", json.dumps(LIST)),
        ("b.json", json.dumps({"agents": LIST})),
        (
            "c.toml",
            '[[agents]]\nname="a"\nstrategy_type="pure"\n[[agents]]\nname="b"\nlearning_rate=1\nmodel="nets/b.pt"',
        ),
    ],
)
def test_each_form_gives_the_same_agents(tmp_path, name, text):
    first, second = read_agents(written(tmp_path, name, text))
    assert (first.name, first.config.strategy_type, first.model, first.behaviour) == ("a", "pure", "builtin", "honest")
    assert second.config.learning_rate == 1.0
    assert second.model == str((tmp_path / "nets" / "b.pt").resolve())  # seen from the file, not from here


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("a.json", "", "no JSON"),
        ("a.json", "{", "no JSON"),
        ("a.json", "[" * 100_000, "no JSON"),
        ("a.json", b"\xff\xfe", "no JSON"),
        ("a.toml", "name = ", "no TOML"),
        ("a.json", "[]", "no agents"),
        ("a.json", "5", "no agents"),
        ("a.json", "{}", "no list named agents"),
        ("a.json", '{"agents": [], "x": 1}', "it has x"),
        ("a.json", '[{"name": "a"}, {"name": "a"}]', "Two agents have one name"),
        ("a.json", '[{"name": "a", "name": "b"}]', "comes twice"),
        ("a.json", '[{"name": "a"}, 5]', r"Agent 2 of a\.json"),
        ("a.json", '[{"strategy": "pure"}]', "no name"),
        ("a.json", '[{"name": "a", "strategy_typ": "pure"}]', "Did you mean strategy_type"),
        ("a.json", '[{"name": "a", "strategy_type": "odd"}]', "pure, mixed, adaptive"),
        ("a.json", '[{"name": "a", "learning_rate": NaN}]', "no number of JSON"),
        ("a.json", '[{"name": ""}]', "printable characters"),
        ("a.json", '[{"name": "a\\nb"}]', "printable characters"),
        ("a.json", '[{"name": "a", "model": 5}]', "must be a printable text"),
        ("a.json", json.dumps([{"name": str(n)} for n in range(MAX_AGENTS + 1)]), "too many agents"),
        ("a.json", b" " * (MAX_BYTES + 1), "too large"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, name, text, why):
    with pytest.raises(ConsensusError, match=why):
        read_agents(written(tmp_path, name, text))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConsensusError, match="cannot be read"):
        read_agents(tmp_path / "none.json")
    with pytest.raises(ConsensusError, match="cannot be read"):
        read_agents(tmp_path)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "model", "agents", "x"]), inner)
    ),
    max_leaves=8,
)


@given(json_values)
@settings(max_examples=150)
def test_whatever_is_in_a_file_only_our_error_comes_out(value):
    try:
        for agent in agents_of(value):
            assert AgentSpec.from_json(agent.to_json()) == agent
    except ConsensusError as error:
        assert len(str(error)) < 1_000


@pytest.mark.parametrize("path", sorted(ASSETS.glob("*.json")), ids=lambda path: path.stem)
def test_every_shipped_task_has_agents_of_its_own(path):
    task = read_task(path)
    agents = default_agents(task)
    assert len(agents) >= 5
    assert len({agent.model for agent in agents}) == len(agents)
    assert {agent.model.split(":")[0] for agent in agents} <= FAMILIES.keys() | {"builtin"}
    RunSpec(task, agents)


def test_a_round_needs_its_quorum():
    task = read_task(ASSETS / "portfolio.json")
    with pytest.raises(ConsensusError, match="1 are given, the quorum is 2"):
        RunSpec(task, (AgentSpec("a"),))
    spec = RunSpec(task, [AgentSpec("a"), AgentSpec("b")], ConsensusConfig(hybrid_mode=False))
    assert not spec.uses_chain


WILD = (10**400, -(10**400), 16**20_000, "x" * 100_000, "\x1b[31m", "\ud800", [], None)


@pytest.mark.parametrize("place", range(len(WILD)))
@pytest.mark.parametrize("settings_of", [ConsensusConfig.of, AgentConfig.of])
def test_a_setting_beyond_all_bounds_is_refused_in_a_line_that_can_be_shown(settings_of, place):
    """Python neither makes a float of such a number nor writes it; hexadecimal ones come in by TOML."""
    value = WILD[place]
    for name in settings_of({}).__slots__:
        with pytest.raises(ConsensusError) as refused:
            settings_of({name: value})
        assert len(str(refused.value)) < 300 and str(refused.value).isprintable()
    with pytest.raises(ConsensusError) as refused:
        settings_of({str(value)[:1] * 10_000 if isinstance(value, str) else "n": value})
    assert len(str(refused.value)) < 500
    with pytest.raises(ConsensusError):
        AgentSpec.from_json({"name": "a", "model": value if not isinstance(value, str) else 16**20_000})


@pytest.mark.parametrize("model", ["a\0.pt", "\x1b[31m.pt", ""])
def test_a_path_that_no_file_system_has_is_refused(model):
    with pytest.raises(ConsensusError, match="must be a printable text"):
        AgentSpec("a", model=model)


def test_a_number_in_hexadecimal_without_end_is_refused(tmp_path):
    path = written(tmp_path, "a.toml", f"[[agents]]\nname = 'a'\nmemory_size = 0x{'f' * 9_000}")
    with pytest.raises(ConsensusError, match="memory_size cannot be a number that large"):
        read_agents(path)


def test_a_path_into_the_home_of_nobody_is_refused(tmp_path):
    path = written(tmp_path, "a.json", '[{"name": "a", "model": "~nobody-of-that-name/x.pt"}, {"name": "b"}]')
    with pytest.raises(ConsensusError, match="The model of a cannot be '~nobody"):
        read_agents(path)
