"""The Merkle explorer on a real round: down to a step, edits, inner nodes, search, proofs as JSON, the contract."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from app.cli import run
from app.links import Place, leaf_link, step_link
from app.viewmodels.proof import inner_above, offer_inner, walk_leaf
from engine.core.merkle import RoundTree, round_leaf_hash
from engine.core.paths import DataDir
from engine.league.leafproof import LeafProof
from engine.league.proof import StepProof
from engine.league.trees import FlatTree


async def played(wiring: Any, until: Any, *, matches: int = 4, anchor: bool = False) -> str:
    """Play a round with the shipped agents and open it in the explorer; gives its id."""
    wiring.league.add_samples()
    await until(lambda: len(wiring.roster.state.agents) == 7 and wiring.setup.state.agents == 7)
    await until(lambda: wiring.setup.state.systems)
    wiring.setup.edit({"matches": matches, "seed": 7, "system": "snake", "name": "test"}, True)
    wiring.setup.set_anchor(anchor)
    wiring.league.run()
    await until(lambda: wiring.rounds.state.rounds and wiring.rounds.state.run.state == "idle", 90)
    wiring.navigator.go(Place("merkle"))
    await until(lambda: wiring.merkle.state.facts and not wiring.merkle.state.loading, 60)
    await until(lambda: wiring.pages["merkle"].proof._badge.accessibleName() == "Verdict: PASS")
    return str(wiring.rounds.state.selected)


def proof_facts(page: Any) -> dict[str, str]:
    panel = page.proof._roots
    pairs = zip(panel._shape, panel._values, strict=True)
    return {
        label: widget.pill.accessibleName() if kind == "pill" else widget.value() if kind == "hash" else widget.text()
        for (label, kind), widget in pairs
    }


async def test_from_the_root_of_a_round_down_to_a_step(
    opened: Callable[..., Any], data_dir: DataDir, until: Any
) -> None:
    async with opened(data_dir) as wiring:
        round_id = await played(wiring, until)
        merkle, page = wiring.merkle, wiring.pages["merkle"]
        assert (merkle.state.facts.kind, merkle.state.facts.size) == ("round", 28)
        matches = {m.fixture: m for m in wiring.rounds.state.matches}
        best = max(matches.values(), key=lambda m: m.steps)
        leaf = merkle._round.leaf_of(best.fixture)
        merkle.choose(leaf)
        assert merkle.state.proof.holds
        assert merkle.state.proof.leaf[92:] == best.commitment
        await until(page._down.isEnabled)
        page._down.click()
        await until(lambda: merkle.state.facts.kind == "match" and not merkle.state.loading)
        assert merkle.state.facts.size == best.steps
        assert merkle.state.facts.root == best.trace_root.hex()
        merkle.choose(best.steps // 2)
        await until(lambda: page.tree._state.selected == best.steps // 2)
        assert page.proof._badge.accessibleName() == "Verdict: PASS"
        rows = page.proof._table.visible_rows()
        assert rows[-1][3] == best.trace_root.hex()
        assert page.tree._state.n_leaves == best.steps
        page._go_replay()
        await until(lambda: wiring.replay.state.facts and wiring.replay.state.step == best.steps // 2)
        assert wiring.replay.state.proof.lines == merkle.state.proof.lines
        assert wiring.replay.state.proof.leaf == merkle.state.proof.leaf
        wiring.commands.all["back"].run()
        assert wiring.navigator.here == Place("merkle")
        page._up.click()
        assert merkle.state.facts.kind == "round"
        assert merkle.state.chosen == leaf
        wiring.follow(step_link(round_id, best.fixture, 3))
        await until(lambda: merkle.state.facts.kind == "match" and merkle.state.step == 3)
        wiring.follow(leaf_link(round_id, 2))
        await until(lambda: merkle.state.facts.kind == "round" and merkle.state.leaf == 2)


async def test_the_trees_are_made_in_another_process(opened: Callable[..., Any], data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        before = {child.pid for child in psutil.Process().children(recursive=True)}
        await played(wiring, until, matches=1)
        workers = set(wiring.trees.pool.pids)
        assert len(workers) == 1
        assert not workers & before
    assert not [pid for pid in workers if psutil.pid_exists(pid)]


async def test_an_edited_leaf_fails_and_reverts(opened: Callable[..., Any], data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        await played(wiring, until, matches=1)
        merkle, page = wiring.merkle, wiring.pages["merkle"]
        grid = page.proof._bytes
        grid.setFocus()
        for _ in range(20):
            QTest.keyClick(grid, Qt.Key.Key_Right)
        QTest.keyClick(grid, Qt.Key.Key_Delete)
        assert merkle.state.proof.edited == (20,)
        await until(lambda: page.proof._badge.accessibleName() == "Verdict: FAIL")
        assert {row[4] for row in page.proof._table.visible_rows()} == {"changed"}
        assert not merkle.state.proof.holds
        page.proof._revert.click()
        await until(lambda: page.proof._badge.accessibleName() == "Verdict: PASS")
        assert {row[4] for row in page.proof._table.visible_rows()} == {""}
        assert proof_facts(page)["Root is"] == "local, untrusted"


async def test_an_inner_node_offered_as_a_leaf_fails(opened: Callable[..., Any], data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        await played(wiring, until, matches=1)
        merkle, page = wiring.merkle, wiring.pages["merkle"]
        for _ in range(2):
            merkle.choose(5)
            await until(lambda: page.proof._offer.isVisible())
            page.proof._offer.click()
            assert merkle.state.offered
            assert merkle.state.node == (1, 2)
            await until(lambda: page.proof._badge.accessibleName() == "Verdict: FAIL")
            assert "00" in page.proof._note.text()
            assert "is refused" in page.proof._note.text()
            page.proof._revert.click()
            await until(lambda: page.proof._badge.accessibleName() == "Verdict: PASS")
            merkle.open_match()
            await until(lambda: merkle.state.facts.kind == "match" and not merkle.state.loading)


async def test_search_leads_to_leaves(opened: Callable[..., Any], data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        await played(wiring, until)
        merkle, page = wiring.merkle, wiring.pages["merkle"]
        QTest.keyClick(wiring.window, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
        QTest.keyClicks(page._search, "looper LOSS")
        await until(lambda: merkle.state.query == "looper LOSS" and merkle.state.found)
        looper = next(agent for agent in wiring.rounds.state.result.standings if agent.agent == "looper").seat
        wanted = [m.fixture for m in wiring.rounds.state.matches if m.a == looper and m.outcome == "LOSS"]
        assert [merkle._round.fixtures[found.index] for found in merkle.state.found] == wanted
        await until(lambda: page._found.row_count() == len(wanted) == len(page.tree._state.marks))
        page._found.select((merkle.state.found[-1].index,))
        assert merkle.state.leaf == merkle.state.found[-1].index
        merkle.search(merkle.tree.node(0, 9).hex()[:12])
        await until(lambda: [found.index for found in merkle.state.found] == [9])
        merkle.search("no such thing")
        await until(lambda: page._hits.text() == "Nothing found")


async def test_proofs_are_checked_by_the_command_line(
    opened: Callable[..., Any], data_dir: DataDir, until: Any, tmp_path: Path, capsys: Any
) -> None:
    leaf, step, bad = (tmp_path / name for name in ("leaf.json", "step.json", "bad.json"))
    async with opened(data_dir) as wiring:
        await played(wiring, until, matches=1)
        merkle = wiring.merkle
        merkle.choose(4)
        merkle.edit_leaf(30, 1)  # what is edited is not what is saved
        merkle.export_proof(leaf)
        await until(leaf.exists)
        root = merkle.state.facts.root
        merkle.open_match()
        await until(lambda: merkle.state.facts.kind == "match" and not merkle.state.loading)
        merkle.choose(7)
        merkle.export_proof(step)
        await until(step.exists)
    value = json.loads(leaf.read_text())
    LeafProof.from_json(value).check(bytes.fromhex(root))
    StepProof.from_json(json.loads(step.read_text())).check()
    value["leaf"]["d_a"] = "99"
    bad.write_text(json.dumps(value))

    def check(*arguments: str) -> int:
        return run(["--data-dir", str(tmp_path / "cli"), "trace", "check", *arguments])

    loop = asyncio.get_running_loop()
    assert loop.is_running()
    assert await asyncio.to_thread(check, str(leaf), "--root", root) == 0
    assert "leaf 4 of 7 of round test #1" in capsys.readouterr().out
    assert await asyncio.to_thread(check, str(step)) == 0
    assert await asyncio.to_thread(check, str(bad)) == 3
    assert await asyncio.to_thread(check, str(leaf), "--root", "00" * 32) == 3


@pytest.mark.chain
async def test_the_contract_answers_for_good_and_tampered_proofs(
    opened: Callable[..., Any], data_dir: DataDir, until: Any
) -> None:
    async with opened(data_dir) as wiring:
        wiring.console.settings = wiring.console.settings.model_copy(update={"confirm_chain_actions": False})
        wiring.devnet.up()
        await until(lambda: wiring.devnet.state.status.state == "running" and not wiring.devnet.state.busy)
        wiring.devnet.deploy()
        await until(lambda: wiring.devnet.state.contracts and not wiring.devnet.state.busy, 60)
        await played(wiring, until, matches=1, anchor=True)
        merkle, page = wiring.merkle, wiring.pages["merkle"]
        await until(lambda: merkle.state.onchain and merkle.state.onchain.holds)
        await until(lambda: proof_facts(page)["Root is"] == "on chain")

        async def asked() -> tuple[bool, dict[str, str]]:
            merkle.verify_on_chain()
            await until(lambda: merkle.state.answer)
            answer = merkle.state.answer
            await until(lambda: proof_facts(page).get("Contract says") == str(answer.holds).lower())
            return answer.holds, proof_facts(page)

        for kind in ("round", "match"):
            merkle.choose(3)
            holds, facts = await asked()
            assert holds, kind
            assert facts["Contract"] == merkle.state.answer.contract
            assert facts["Round there"] == "open"
            assert facts["Asked at block"] == str(merkle.state.answer.block)
            merkle.edit_leaf(41, merkle.state.proof.leaf[41] ^ 4)
            assert merkle.state.answer is None
            holds, _ = await asked()
            assert not holds, kind
            merkle.revert_leaf()
            if kind == "round":
                merkle.open_match()
                await until(lambda: merkle.state.facts.kind == "match" and not merkle.state.loading)
        merkle.offer_inner()
        assert not (await asked())[0]
        wiring.devnet.down()
        await until(lambda: wiring.devnet.state.status.state == "stopped" and not wiring.devnet.state.busy)


async def test_without_a_round_it_says_what_to_do(opened: Callable[..., Any], data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        wiring.navigator.go(Place("merkle"))
        page = wiring.pages["merkle"]
        await until(page._empty.isVisible)
        page._empty.actionTriggered.emit("rounds")
        assert wiring.navigator.here == Place("leagues", "tab/round")
        wiring.follow("nash:merkle/leaf/nonsense/x")
        wiring.follow("nash:merkle/")


@pytest.mark.expects_log
async def test_an_unknown_round_is_told(opened: Callable[..., Any], data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        wiring.follow(leaf_link("ab" * 16, 3))
        await until(lambda: wiring.window.notices.texts())
        assert wiring.merkle.state.loading == ""
        assert wiring.merkle.state.facts is None


def big_tree(size: int = 100_000) -> FlatTree:
    """A tree of that many leaves; its inner hashes are not needed here."""
    bodies = b"".join(number.to_bytes(4, "big") * 31 for number in range(size))
    counts = [size]
    while counts[-1] > 1:
        counts.append((counts[-1] + 1) // 2)
    levels = tuple(bodies[: 32 * count] for count in counts)
    text = "\n".join(f"match {number}\x1fagent{number % 97}\x1fFINISHED" for number in range(size))
    return FlatTree(size, 124, bodies, levels, True, text)


async def test_a_hundred_thousand_leaves_expand_lazily(
    opened: Callable[..., Any], data_dir: DataDir, until: Any
) -> None:
    from engine.league.trees import MatchTree

    tree, asked = big_tree(), []
    async with opened(data_dir) as wiring:
        merkle, page = wiring.merkle, wiring.pages["merkle"]
        wiring.navigator.go(Place("merkle"))
        merkle._round = MatchTree("ab", "big #1", "local", bytes(32), False, tree, range(100_000))
        merkle._show_round(77_777)
        await until(lambda: page.tree._state.n_leaves == 100_000 and page.tree.isVisible())
        shown = page.tree._state.hash_of
        object.__setattr__(page.tree._state, "hash_of", lambda *node: asked.append(node) or shown(*node))
        page.tree.grab()
        page.tree.fit()
        page.tree.grab()
        page.tree.zoom_to(77_777)
        page.tree.grab()
        assert 0 < len(asked) < 1000
        merkle.search("agent5 match 99")
        await until(lambda: merkle.state.found)
        assert all("agent5" in found.text and "99" in found.text for found in merkle.state.found)
        assert len(merkle.state.proof.lines) == 17
        for query in ("agent5 match 99", "77777", tree.node(0, 99_999).hex()[:12], "no such leaf"):
            began = time.thread_time()
            tree.search(query, 200)
            assert time.thread_time() - began < 0.2  # of the processor, whatever else runs


@pytest.mark.parametrize("size", [2, 3, 5, 8, 70])
def test_no_inner_node_passes_for_a_leaf(size: int) -> None:
    bodies = [bytes([n]) * 124 for n in range(size)]
    made = RoundTree([round_leaf_hash(body) for body in bodies])
    tree = FlatTree(size, 124, b"".join(bodies), tuple(b"".join(level) for level in made.levels), True)
    for leaf in range(size):
        assert walk_leaf(tree, leaf).holds
        level, index = inner_above(tree, leaf) or (0, 0)
        walk = offer_inner(tree, level, index)
        assert walk is not None
        assert not walk.holds
        assert all(line.changed for line in walk.lines)
        assert "is refused" in walk.note
