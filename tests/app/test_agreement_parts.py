"""What the agents' half of the Consensus page is made of, without a window: tasks, agents, rounds, files."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.pages.agreement_live import phases_of
from app.pages.agreement_pictures import gap_state, labels_state, picture_of, plane_state, simplex_state
from app.pages.agreement_result import agent_rows, comparison, label_rows
from app.viewmodels.agreement_agents import AgentDraft, AgentList, agent_errors, config_errors, free_name, list_error
from app.viewmodels.agreement_export import export_agents, export_csv, export_json
from app.viewmodels.agreement_runs import TRAIL, AgreementRecord, Trails, verdict_of
from app.viewmodels.agreement_task import (
    FRESH,
    KINDS,
    form_of,
    is_task_file,
    read_text,
    shipped,
    text_of,
    value_at,
    with_value,
)
from app.viewmodels.node_wait import NodeWait
from engine.consensus.agents.agent_file import read_agents
from engine.consensus.config import ConsensusConfig
from engine.consensus.events import ConsensusAgentJudged, ConsensusChainStep, ConsensusIterated, ConsensusStarted
from engine.consensus.results import ChainStep, ConsensusResult, OnChain, Verdict
from engine.consensus.tasks import task_of

BOX = {"type": "custom", "title": "Meeting", "labels": ["north", "south"], "space": "box"}
SHARES = {"type": "custom", "labels": ["a", "b", "c"], "space": "simplex"}
HASH = "0x" + "ab" * 32


def record_of(document: dict[str, Any] = BOX, **values: Any) -> AgreementRecord:
    return AgreementRecord(1, task_of(document), ConsensusConfig(), ("ann", "bob", "cid"), run_id=7, **values)


def iterated(number: int, agents: tuple[str, ...], positions: Any, gap: float = 0.5) -> ConsensusIterated:
    rows = tuple(tuple(map(float, row)) for row in positions)
    middle = tuple(map(float, np.mean(positions, axis=0)))
    return ConsensusIterated(7, HASH, number, agents, rows, rows, middle, gap, False)


def result_of(record: AgreementRecord, chain: OnChain | None, **values: Any) -> ConsensusResult:
    positions = np.array([[0.25, 0.5], [0.75, 0.5]])
    return ConsensusResult(
        record.task, bytes(32), record.config, ("ann", "bob"), positions, positions, np.ones(2), np.full(2, 100.0),
        positions.mean(axis=0), **{"converged": True, "convergence_rate": 0.5, "iterations": 4, "gap": 1e-9,
                                   "seconds": 0.5, "on_chain": chain, **values},
    )  # fmt: skip


def held(equilibrium: Any, **values: Any) -> OnChain:
    made = {"chain_id": 31337, "contract": "0x" + "11" * 20, "task_hash": bytes(32), "tx": HASH, "block": 9,
            "gas_used": 120_000, "equilibrium": np.array(equilibrium), "certified": True}  # fmt: skip
    return OnChain(**{**made, **values})


# Tasks


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_fresh_task_of_every_kind_is_one_and_has_a_form(kind: str) -> None:
    text = text_of(FRESH[kind])
    document, task, problem = read_text(text)
    assert task is not None, problem
    assert document == FRESH[kind]
    fields = form_of(document)
    assert fields[0].path == ("title",)
    for field in fields[1:]:
        if value_at(document, field.path) is not None:
            again = with_value(document, field.path, value_at(document, field.path))
            assert task_of(again).hash == task.hash


def test_the_shipped_tasks_come_kind_by_kind() -> None:
    found = shipped()
    kinds = [task_of(json.loads(path.read_text())).type for _, _, path in found]
    assert kinds[:4] == ["portfolio_allocation", "market_prediction", "content_moderation", "bridge_parameters"]
    assert all(title and is_task_file(path) for _, title, path in found)


@pytest.mark.parametrize(
    ("text", "why", "line"),
    [
        ("", "Expecting value", 1),
        ('{"type": "custom",\n "labels": ["a" "b"]}', "delimiter", 2),
        ("[1]", "JSON object", 0),
        ('{"type": "custom",\n"labels": ["a"],\n"labels": ["b"]}', "twice", 3),
        ('{"type": "poker"}', "known are", 1),
        ('{"type": "custom",\n "labels": ["a", "a"]}', "a", 2),
        ('{"type": "custom", "labels": ["a", "b"],\n"space": "sphere"}', "one of", 2),
        ("[" * 100_000, "", 0),
        ('{"a": ' * 50_000, "", 0),
        (" " * ((1 << 20) + 1), "bytes", 0),
    ],
)
def test_what_is_no_task_is_refused_with_a_reason_and_a_line(text: str, why: str, line: int) -> None:
    _, task, problem = read_text(text)
    assert task is None
    assert problem.what
    assert why in problem.why
    assert problem.line == line or not why
    assert problem.text.endswith(".")


@given(st.text(max_size=200) | st.recursive(st.none() | st.integers() | st.text(max_size=8), lambda inner: st.lists(
    inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "labels", "space", "data", "x"]), inner,
                                         max_size=3), max_leaves=8).map(json.dumps))  # fmt: skip
def test_no_text_breaks_the_editor(text: str) -> None:
    document, task, problem = read_text(text)
    assert (task is None) == bool(problem.what)
    form_of(document)


def test_forms_follow_the_document() -> None:
    assert value_at(with_value(BOX, ("title",), ""), ("title",)) is None
    assert with_value({}, ("parameters", "x"), 1) == {"parameters": {"x": 1}}
    assert value_at({"parameters": 3}, ("parameters", "x")) is None
    named = {"type": "market_prediction", "data": {"series": "wti"}, "horizon": "1_day"}
    given_ = {"type": "market_prediction", "data": {"prices": [1.0, 2.0]}, "horizon": "1_day"}
    assert "data.prices" not in [field.name for field in form_of(named)]
    assert "data.series" not in [field.name for field in form_of(given_)]
    more = {**FRESH["portfolio_allocation"]["parameters"], "fee": 0.5, "note": "x", "flag": True}
    names = {field.name: field.kind for field in form_of({"type": "portfolio_allocation", "parameters": more})}
    assert (names["parameters.fee"], names["parameters.note"]) == ("number", "text")
    assert "parameters.flag" not in names


def test_game_files_are_told_from_tasks(tmp_path: Path) -> None:
    for name, text, task in (("a", '{"type": "custom"}', True), ("b", '{"kind": "matrix"}', False),
                             ("c", "no", False), ("d", '{"type": 3}', False)):  # fmt: skip
        path = tmp_path / f"{name}.json"
        path.write_text(text)
        assert is_task_file(path) is task
    assert not is_task_file(tmp_path / "missing.json")


# Agents


def test_agents_are_added_copied_removed_and_brought_back() -> None:
    listed = AgentList().with_new(3)
    assert [agent.name for agent in listed.agents] == ["agent 1", "agent 2", "agent 3"]
    keys = [agent.key for agent in listed.agents]
    copied = listed.changed(keys[:1], {"strategy": "adaptive"}).with_copies(keys[:1])
    assert [agent.name for agent in copied.agents] == ["agent 1", "agent 4", "agent 2", "agent 3"]
    assert copied.agents[1].strategy == "adaptive"
    assert len({agent.key for agent in copied.agents}) == 4
    gone = copied.without([copied.agents[0].key, copied.agents[2].key])
    assert [agent.name for agent in gone.agents] == ["agent 4", "agent 3"]
    assert gone.restored().agents == copied.agents
    assert gone.without([99]) is gone
    taken = gone.changed([gone.agents[0].key], {"name": "agent 1"}).restored()
    assert len({agent.name for agent in taken.agents}) == 4
    assert len(AgentList().with_new(5_000).agents) == 1_024


@given(st.lists(st.sampled_from(["a", "a 1", "a 2", "b", ""]), max_size=5), st.sampled_from(["a", "a 1", "", "b 9"]))
def test_a_free_name_is_free(taken: list[str], wanted: str) -> None:
    assert free_name(wanted, taken) not in taken


def test_what_is_wrong_with_agents_is_said() -> None:
    agents = (AgentDraft(1, "ann"), AgentDraft(2, "ann"), AgentDraft(3, ""), AgentDraft(4, "x" * 65),
              AgentDraft(5, "bob", exploration_rate=3.0), AgentDraft(6, "cid", memory_size=None))  # fmt: skip
    wrong = agent_errors(AgentList(agents, refused={1: "It would run code."}))
    assert set(wrong) == {1, 2, 3, 4, 5, 6}
    assert "run code" in wrong[1]
    assert "ann" in wrong[2]
    assert "exploration_rate" in wrong[5]
    assert list_error(AgentList(), 2) == "There are no agents."
    assert "quorum is 3" in list_error(AgentList(agents[:1]), 3)
    assert "and 4 more" in list_error(AgentList(agents), 2)
    assert list_error(AgentList().with_new(2), 2) == ""
    values = {"max_iterations": 0, "epsilon": None, "tier": "sky", "seed": 4}
    assert set(config_errors(values)) == {"max_iterations", "epsilon", "tier"}


def test_an_agents_file_opens_again(tmp_path: Path) -> None:
    agents = (AgentDraft(1, "ann", "pure"), AgentDraft(2, "bob", "adaptive", "builtin:bold", "silent", memory_size=5))
    export_agents(tmp_path / "agents.json", agents)
    found = read_agents(tmp_path / "agents.json")
    assert tuple(AgentDraft.of(key, spec) for key, spec in enumerate(found, 1)) == agents


# Rounds


def test_a_round_grows_and_remembers_who_left() -> None:
    record = record_of()
    record.take_start(ConsensusStarted(7, HASH, "Meeting", ("north", "south"), record.agents, ("0x1", "0x2", "0x3"),
                                       ("pure", "mixed", "mixed"), True))  # fmt: skip
    assert record.state == "running"
    assert record.addresses["bob"] == "0x2"
    assert verdict_of(record).word == "Running"
    record.take_iteration(iterated(1, record.agents, [[0, 0], [1, 0], [0, 1]], 0.5))
    record.take_iteration(iterated(2, record.agents, [[0, 0], [0.8, 0], [0, 1]], 0.1))
    record.take_judgement(ConsensusAgentJudged(7, HASH, "bob", "outlier", 3, "5 times as far"))
    record.take_judgement(ConsensusAgentJudged(7, HASH, "bob", "outlier", 3, "5 times as far"))
    record.take_iteration(iterated(3, ("ann", "cid"), [[0, 0], [0, 1]], float("inf")))
    assert record.order == ("ann", "cid", "bob")
    positions, _, consensus = record.arrays()  # type: ignore[misc]
    assert positions.tolist() == [[0, 0], [0, 1], [0.8, 0]]
    assert consensus.tolist() == [0, 0.5]
    assert list(record.gap.x) == [1, 2]
    assert [(mark.iteration, mark.text) for mark in record.marks] == [(3, "bob: outlier")]
    assert record.way("bob").tolist() == [[1, 0], [0.8, 0]]
    assert "1 left out" in verdict_of(record).text
    plane = plane_state(record.task, record)
    assert plane.faulty == (2,)
    assert (plane.x_label, plane.y_label) == ("north", "south")
    assert "far from all others" in record.judged["bob"].sentence
    assert gap_state(record).levels[0].y == record.config.convergence_threshold


def test_ways_are_thinned_but_keep_their_ends() -> None:
    trails = Trails(("ann",), 2)
    for at in range(5 * TRAIL):
        trails.add(("ann",), np.array([[at, -at]], dtype=float))
    way = trails.of("ann")
    assert len(way) <= TRAIL
    assert way[0].tolist() == [0, 0]
    assert way[-1][0] > 4 * TRAIL
    assert len(trails.of("nobody")) == 0


def test_local_and_chain_are_compared_to_the_last_digit() -> None:
    record = record_of()
    record.finish(result_of(record, held([0.5, 0.5 + 2.0**-33])))
    assert record.equal
    assert comparison(record)[0].text == "Equal"
    assert [row[4] for row in label_rows(record)] == ["Equal", "Equal"]
    assert verdict_of(record).word == "Converged"
    assert "epsilon 0.01 at iteration 4" in verdict_of(record).text
    assert "block 9" in verdict_of(record).text
    other = record_of()
    other.finish(result_of(other, held([0.5, 0.5 + 1e-8])))
    assert other.equal is False
    pill, words = comparison(other)
    assert (pill.text, pill.kind) == ("Differs", "error")
    assert "1e-08" in words
    assert verdict_of(other).kind == "error"
    assert [row[4] for row in label_rows(other)] == ["Equal", "Differs"]


def test_who_did_not_converge_is_not_called_converged() -> None:
    record = record_of()
    record.finish(result_of(record, None, converged=False, message="the gap is 0.2 after 100 iterations"))
    assert verdict_of(record).word == "Not converged"
    assert "The gap is 0.2 after 100 iterations." in verdict_of(record).text
    assert comparison(record)[0].text == "Off chain"


def test_slashed_amounts_lead_to_the_evidence() -> None:
    record = record_of()
    slash = ChainStep("slash", "done", ("0x5e",), 5, 8, "cid lost 0.05 ETH")
    record.take_step(ConsensusChainStep(7, HASH, 31337, slash.phase, slash.state, slash.txs, 5, 8, slash.text))
    verdict = Verdict("cid", "equivocation", 2, "two positions for round 2")
    record.finish(result_of(record, held([0.5, 0.5], slashed_wei={"cid": 5 * 10**16}), verdicts=(verdict,)))
    rows = {row[0]: row for row in agent_rows(record)}
    assert rows["cid"][5] == (5 * 10**16, "0x5e")
    assert "two positions for round 2" in rows["cid"][4]
    assert rows["ann"][4:] == ("Its word counts.", None)
    states = {phase.title: phase.state for phase in phases_of(record, 31337)}
    assert (states["Slash"], states["Prove"]) == ("done", "skipped")


def test_every_task_has_its_picture() -> None:
    assert picture_of(task_of(BOX)) == "plane"
    assert picture_of(task_of(SHARES)) == "simplex"
    assert picture_of(task_of({**SHARES, "labels": ["a", "b"]})) == "labels"  # two shares lie on a line
    assert picture_of(task_of({**SHARES, "labels": list("abcd")})) == "labels"
    record = record_of(SHARES)
    assert simplex_state(record.task, record).corners == ("a", "b", "c")
    shares = np.random.default_rng(1).dirichlet(np.ones(3), 3)
    record.take_iteration(iterated(1, record.agents, shares))
    drawn = simplex_state(record.task, record)
    assert [path.name for path in drawn.paths] == ["ann", "bob", "cid"]
    assert np.allclose(drawn.paths[1].points[-1], shares[1])
    assert np.allclose(labels_state(record.task, record).positions, shares)
    assert labels_state(record.task, None).positions is None


def test_a_round_without_a_quorum_is_shown_too(tmp_path: Path) -> None:
    record = record_of()
    record.take_iteration(iterated(1, record.agents, [[0, 0], [1, 0], [0, 1]]))
    empty = np.empty((0, 2))
    record.finish(ConsensusResult(record.task, bytes(32), record.config, (), empty, empty, np.empty(0), np.empty(0),
                                  np.empty(0), False, 0.0, 1, float("inf"), 0.1, "no quorum remained"))  # fmt: skip
    assert "No quorum remained." in verdict_of(record).text
    assert label_rows(record) == ()
    assert plane_state(record.task, record).positions.shape == (3, 2)  # type: ignore[union-attr]
    export_json(tmp_path / "round.json", record)
    assert json.loads((tmp_path / "round.json").read_text())["result"]["gap"] is None


def test_exports_hold_everything(tmp_path: Path) -> None:
    record = record_of(setup={"config": {"seed": 3}})
    record.take_iteration(iterated(1, record.agents, [[0, 0], [1, 0], [0, 1]], 1 / 3))
    record.finish(result_of(record, held([0.5, 0.5])))
    assert export_csv(tmp_path / "gaps.csv", record) == 1
    assert (tmp_path / "gaps.csv").read_text() == f"iteration,gap\n1,{1 / 3!r}\n"
    export_json(tmp_path / "round.json", record)
    value = json.loads((tmp_path / "round.json").read_text())
    assert value["configuration"] == {"config": {"seed": 3}}
    assert value["result"]["on_chain"]["block"] == 9
    assert value["versions"]["numpy"] == np.__version__


def test_what_waits_for_a_node_is_done_once_or_given_up() -> None:
    class Devnet:
        ups = 0

        def up(self) -> None:
            self.ups += 1

    def at(word: str, *, busy: bool = False) -> Any:
        return SimpleNamespace(status=SimpleNamespace(state=word), busy=busy)

    devnet, told, done = Devnet(), [], []
    wait = NodeWait(devnet, told.append)  # type: ignore[arg-type]
    wait.follow(at("running"))
    wait.then(lambda: done.append("first"))
    for state in (at("stopped", busy=True), at("starting"), at("running"), at("running")):
        wait.follow(state)
    assert (done, told, devnet.ups) == (["first"], [True, False], 1)
    wait.then(lambda: done.append("second"))
    wait.follow(at("failed"))  # it did not come up
    wait.follow(at("running"))
    wait.then(lambda: done.append("third"))
    wait.forget()  # the operator stopped it
    wait.follow(at("running"))
    assert (done, told) == (["first"], [True, False] * 3)
