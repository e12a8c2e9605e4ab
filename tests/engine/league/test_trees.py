"""Flat trees for views, and the proof of a match: the same nodes and paths as the trees they come from."""

from __future__ import annotations

import json
import multiprocessing
import threading
from concurrent.futures import ProcessPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from engine.core.errors import UsageError
from engine.core.merkle import RoundTree, TraceTree, round_leaf_hash, round_root_from_proof, trace_root_from_path
from engine.league.bundle import Bundle, write_bundle
from engine.league.errors import TraceError
from engine.league.history import EntryRow, History, MatchRow, RoundRow
from engine.league.leafproof import LeafProof
from engine.league.match import MatchRequest
from engine.league.settlement import StoredRound
from engine.league.standings import RoundLeaf
from engine.league.trees import FlatTree, leaf_tuple, load_round, load_trace
from engine.store.database import Store

SIZES = (1, 2, 3, 5, 8, 13, 70)


def flat(size: int, positional: bool) -> tuple[FlatTree, RoundTree | TraceTree]:
    bodies = [bytes([n]) * 40 for n in range(size)]
    if positional:
        made: RoundTree | TraceTree = RoundTree([round_leaf_hash(body) for body in bodies])
    else:
        made = TraceTree([sha256(b"\x00" + body).digest() for body in bodies])
    levels = tuple(b"".join(level) for level in made.levels)
    text = "\n".join(f"match {n}\x1fagent{n % 3}\x1fFINISHED" for n in range(size))
    return FlatTree(size, 40, b"".join(bodies), levels, positional, text), made


@pytest.mark.parametrize("size", SIZES)
def test_a_round_tree_keeps_its_nodes_and_proofs(size: int) -> None:
    tree, made = flat(size, positional=True)
    assert isinstance(made, RoundTree)
    assert (tree.root, tree.depth) == (made.root, made.depth)
    for index in range(size):
        path = tree.path(index)
        assert [sibling for _, _, sibling in path] == made.proof(index)
        assert round_root_from_proof(round_leaf_hash(tree.body(index)), index, [s for _, _, s in path]) == tree.root
        assert [side for _, side, _ in path] == ["left" if index >> h & 1 else "right" for h in range(made.depth)]


@pytest.mark.parametrize("size", SIZES)
def test_a_trace_tree_keeps_its_nodes_and_paths(size: int) -> None:
    tree, made = flat(size, positional=False)
    assert isinstance(made, TraceTree)
    for index in range(size):
        path = [sibling for _, _, sibling in tree.path(index)]
        assert path == made.path(index)
        leaf = sha256(b"\x00" + tree.body(index)).digest()
        assert trace_root_from_path(leaf, index, size, path) == tree.root


@pytest.mark.parametrize("positional", [True, False])
@pytest.mark.parametrize("size", SIZES)
def test_children_make_their_node(size: int, positional: bool) -> None:
    tree, _ = flat(size, positional)
    for level in range(1, tree.depth + 1):
        for index in range(tree.count(level)):
            children = tree.children(level, index)
            if children is None:
                assert not positional
                assert tree.node(level, index) == tree.node(level - 1, 2 * index)
            else:
                from engine.core.merkle import round_node, trace_node

                join = round_node if positional else trace_node
                assert join(*children) == tree.node(level, index)
    assert tree.children(0, 0) is None


def test_search_by_number_hash_and_words() -> None:
    tree, _ = flat(70, positional=True)
    assert tree.search("17")[0] == 17
    assert tree.search("#17")[0] == 17
    assert tree.search(tree.node(0, 44).hex()) == [44]
    assert tree.search("0x" + tree.node(0, 44).hex()[:9].upper()) == [44]
    assert tree.search("agent2 match 5") == [5, 35, 50, 53, 56, 59, 65]
    assert tree.search("AGENT1", limit=3) == [1, 4, 7]
    assert tree.search("nobody") == tree.search("  ") == tree.search("0xabcdef0123") == []


def test_a_hash_is_found_at_any_leaf_and_only_at_leaves() -> None:
    tree, _ = flat(13, positional=True)
    for index in range(13):
        for digits in (4, 5, 64):
            assert index in tree.search(tree.node(0, index).hex()[:digits])
    inner = tree.node(1, 0).hex()
    assert tree.search(inner) == []
    straddling = (tree.node(0, 3) + tree.node(0, 4))[16:48].hex()
    assert tree.search(straddling) == []


def stored(store: Store, matches: int = 70, agents: int = 7) -> str:
    """A played round in a store."""
    history = History(store)
    config = {"tier": "bronze", "matches": 10, "seed": 5, "budget": 1000, "pot_wei": "0"}
    row = RoundRow("ab" * 16, 1, "autumn", "local", config, "11" * 32, "playing", None, None, 0.0)
    entries = [EntryRow(n, f"{n:064x}", f"agent{n}", "me", f"0x{n:040x}") for n in range(agents)]
    history.open_round(row, entries)
    rows = [
        MatchRow(2 * n, n % agents, None, n, "FINISHED" if n % 5 else "LOSS", None if n % 5 else "OUT_OF_GAS",
                 None if n % 5 else 0, n % 11 - 3, None, 9, 9, sha256(b"t%d" % n).digest(), sha256(b"c%d" % n).digest())
        for n in range(matches)
    ]  # fmt: skip
    with store.transaction():
        history.add_matches(row.round_id, rows)
    return row.round_id


@pytest.fixture
def played(tmp_path: Path) -> Any:
    store = Store.open(tmp_path / "nash.db")
    yield store, stored(store)
    store.close()


def test_a_round_loads_in_a_process_of_its_own(played: Any) -> None:
    store, round_id = played
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        tree = pool.submit(load_round, store.path, round_id).result(60)
    made = StoredRound.load(History(store), round_id).commitment
    assert tree.tree.root == made.tree.root
    assert [leaf_tuple(tree.tree.body(n)) for n in range(70)] == [leaf.as_tuple() for leaf in made.leaves]
    assert [round_leaf_hash(tree.tree.body(n)) for n in range(70)] == made.tree.levels[0]
    assert (tree.title, tree.anchored, tree.leaf_of(34), tree.leaf_of(35)) == ("autumn #1", False, 17, None)
    assert tree.tree.line(5) == ["match 10", "agent5", "", "LOSS", "OUT_OF_GAS", "score 2", "9 steps"]
    assert tree.tree.search("out_of_gas agent3") == [n for n in range(70) if n % 5 == 0 and n % 7 == 3]
    assert tree.tree.search(sha256(b"c33").hexdigest()) == tree.tree.search(sha256(b"t33").hexdigest()[:20]) == [33]


@pytest.mark.parametrize("at_once", [0, 10**9])
async def test_a_large_round_is_read_beside_the_loop(played: Any, monkeypatch: Any, at_once: int) -> None:
    store, round_id = played
    monkeypatch.setattr("engine.league.settlement.AT_ONCE", at_once)
    history, threads = History(store), []
    load = StoredRound.load
    monkeypatch.setattr(StoredRound, "load", lambda *given: (threads.append(threading.get_ident()), load(*given))[1])
    found = await StoredRound.read(history, round_id)
    plain = load(history, round_id)
    assert (found.row, found.entries, found.matches, found.disqualified) == (
        plain.row, plain.entries, plain.matches, plain.disqualified
    )  # fmt: skip
    assert (found.commitment.leaves, found.commitment.scores) == (plain.commitment.leaves, plain.commitment.scores)
    assert found.commitment.tree.levels == plain.commitment.tree.levels
    assert (threads == [threading.get_ident()]) is (at_once > 0)
    entries, shares = StoredRound.preview(history, found.row)
    assert (tuple(entries), shares) == (found.entries, found.payouts())
    assert history.scores(round_id, len(entries)) == list(found.commitment.scores)


def test_an_unknown_round_is_refused_and_the_store_stays_as_it_is(played: Any) -> None:
    store, _ = played
    before = store.path.read_bytes()
    with pytest.raises(UsageError):
        load_round(store.path, "ffff")
    assert store.path.read_bytes() == before


def test_a_trace_loads_like_the_bundle_has_it(arena: Any, tmp_path: Path) -> None:
    file, one = arena.system_file(seats=2, steps=21), arena.wasm(arena.one)
    system = arena.gate.check(file, "system").system()
    request = MatchRequest(system, (arena.agent(one), arena.agent(one)), 3, 1000)
    result = arena.play(one, one, system=system, seed=3, budget=1000)
    bundle = Bundle.of(request, result, file, (one, one))
    write_bundle(tmp_path / "m.nets", bundle)
    found = load_trace(tmp_path / "m.nets")
    assert found.tree.root == found.trace_root == bundle.trace_root
    assert (found.steps, found.seats, found.header) == (21, 2, bundle.header)
    for step, record in enumerate(bundle.records):
        assert sha256(b"\x00" + found.tree.body(step)).digest() == record.leaf() == found.tree.node(0, step)
        assert [sibling for _, _, sibling in found.tree.path(step)] == bundle.records.path(step)
    assert found.tree.line(20) == ["step 20", "seat 0", ""]


@pytest.fixture
def proof(played: Any) -> LeafProof:
    store, round_id = played
    found = load_round(store.path, round_id)
    path = tuple(sibling for _, _, sibling in found.tree.path(33))
    return LeafProof(found.title, 70, RoundLeaf(*leaf_tuple(found.tree.body(33))), path, found.tree.root)


def test_the_proof_of_a_match_goes_through_json(proof: LeafProof) -> None:
    again = LeafProof.from_json(json.loads(json.dumps(proof.to_json())))
    assert again == proof
    again.check()
    again.check(proof.root)
    with pytest.raises(TraceError, match="another round"):
        again.check(bytes(32))


@pytest.mark.parametrize("field", ["index", "a", "d_a", "pre", "evidence", "path", "root", "size"])
def test_a_changed_proof_does_not_hold(proof: LeafProof, field: str) -> None:
    value = proof.to_json()
    if field == "size":
        value["size"] = 200
    elif field == "path":
        value["path"][2] = "00" * 32
    elif field == "root":
        value["root"] = "00" * 32
    elif field in ("pre", "evidence"):
        value["leaf"][field] = "00" * 32
    else:
        value["leaf"][field] = str(int(value["leaf"][field]) + 1)
    with pytest.raises(TraceError, match="does not hold"):
        LeafProof.from_json(value).check()


def test_an_inner_node_cannot_pass_for_a_leaf(proof: LeafProof) -> None:
    short = LeafProof(proof.round_name, proof.size, proof.leaf, proof.path[1:], proof.root)
    with pytest.raises(TraceError, match="does not fit its position"):
        short.check()


WRONG: list[tuple[str, Any]] = [
    ("format", "nets-step"), ("version", 2), ("size", -1), ("size", True), ("leaf", {}), ("path", ["00"]),
    ("path", ["00" * 32] * 40), ("root", "00"), ("root", 5), ("round", 7), ("extra", 1),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value"), WRONG)
def test_what_is_no_proof_says_why(proof: LeafProof, field: str, value: Any) -> None:
    with pytest.raises(TraceError, match="not the proof of a match"):
        LeafProof.from_json({**proof.to_json(), field: value})


@pytest.mark.parametrize("number", ["-1", "4294967296", "1.5", "", 7, None])
def test_odd_numbers_are_refused(proof: LeafProof, number: Any) -> None:
    value = proof.to_json()
    value["leaf"]["index"] = number
    with pytest.raises(TraceError, match="index"):
        LeafProof.from_json(value)
