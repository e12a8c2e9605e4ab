"""Shuffling, duties, slashable votes, finality and fork choice are those of Ethereum's specification, case by case."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np

from engine.learning.beacon.committees import ack_committee_of, committee_of, proposer_among, proposer_of
from engine.learning.beacon.ffg import Finality, weigh
from engine.learning.beacon.fork_choice import ForkChoice
from engine.learning.beacon.messages import Check, Header, vote_of
from engine.learning.beacon.registry import FAR, Registry
from engine.learning.beacon.shuffle import shuffled, shuffled_index
from engine.learning.beacon.slashings import is_double, is_surround
from engine.learning.beacon.tree import TreeBlock
from engine.learning.types import AttestationData, Checkpoint

CASES = 1000
Ask = Callable[[dict[str, Any]], Any]


def hexes(rng: random.Random) -> str:
    return rng.randbytes(32).hex()


def test_shuffling(specification: Ask) -> None:
    rng = random.Random(1)
    cases = [(rng.choice((1, 2, 3, 8, 40, rng.randrange(1, 80))), hexes(rng)) for _ in range(CASES - 4)]
    cases += [(count, hexes(rng)) for count in (255, 256, 257, 1000)]
    singles = [(rng.randrange(count), count, seed) for count, seed in cases[:100]]
    answer = specification({"shuffle": cases, "indexed": singles})
    for (count, seed), theirs in zip(cases, answer["shuffle"], strict=True):
        ours = shuffled(count, bytes.fromhex(seed)).tolist()
        assert ours == theirs
        assert ours == [shuffled_index(index, count, bytes.fromhex(seed)) for index in range(count)]
    for (index, count, seed), single in zip(singles, answer["indexed"], strict=True):
        assert shuffled_index(index, count, bytes.fromhex(seed)) == single


def test_proposers_by_balance(specification: Ask) -> None:
    rng = random.Random(2)
    cases = []
    for _ in range(CASES):
        count = rng.randrange(1, 24)
        balances = [rng.choice((32, 32, 17, 1, rng.randrange(1, 33))) * 10**9 for _ in range(count)]
        cases.append((sorted(rng.sample(range(count), rng.randrange(1, count + 1))), balances, hexes(rng)))
    answer = specification({"proposer": cases})["proposer"]
    for (indices, balances, seed), theirs in zip(cases, answer, strict=True):
        ours = proposer_among(np.array(balances, np.int64), np.array(indices, np.int64), bytes.fromhex(seed))
        assert ours == theirs


def test_duties_from_a_state(specification: Ask, chain: Any) -> None:
    rng = random.Random(3)
    genesis = chain(4).genesis
    cases, states = [], []
    for _ in range(CASES):
        slot, count = rng.randrange(16, 400), rng.randrange(8, 15)
        rows = [(rng.choice((0, 0, 0, 3, 9)), rng.choice((2**63, 2**63, 60, 90)), 32 * 10**9) for _ in range(count)]
        rows[0] = (0, 2**63, 32 * 10**9)
        mixes = {(slot // 8 - back) % 64: hexes(rng) for back in range(4)}
        cases.append((slot, rows, list(mixes.items())))
        columns = {
            "joined": np.zeros(count, np.int64),
            "activation": np.array([row[0] for row in rows], np.int64),
            "exit": np.array([min(row[1], FAR) for row in rows], np.int64),
            "balance": np.array([row[2] for row in rows], np.int64),
            "slashed": np.zeros(count, bool),
        }
        state = genesis.copy()
        state.slot, state.mixes = slot, tuple(bytes.fromhex(mixes.get(number, "00" * 32)) for number in range(64))
        state.registry = Registry((b"",) * count, (b"",) * count, columns)
        states.append(state)
    answer, compared = specification({"duties": cases})["duties"], 0
    for state, (active, proposer, committee) in zip(states, answer, strict=True):
        assert ack_committee_of(state, state.slot).tolist() == active
        assert proposer_of(state, state.slot) == proposer
        if len(active) >= 8:  # fewer come earlier in the epoch
            assert committee_of(state, state.slot).tolist() == committee
            compared += 1
    assert compared > CASES // 2


def test_slashable_votes_and_roots(specification: Ask) -> None:
    rng = random.Random(4)
    some = [hexes(rng) for _ in range(2)]

    def vote() -> Any:
        source = rng.randrange(5)
        return [7, some[0], [source, some[0]], [source + rng.randrange(4), rng.choice(some)]]

    def data(case: Any) -> AttestationData:
        slot, head, source, target = case
        checks = [Checkpoint(epoch=epoch, root=bytes.fromhex(root)) for epoch, root in (source, target)]
        return AttestationData(slot=slot, beacon_block_root=bytes.fromhex(head), source=checks[0], target=checks[1])

    pairs = [(vote(), vote()) for _ in range(CASES)]
    headers = [(rng.randrange(2**40), rng.randrange(2**20), *(hexes(rng) for _ in range(3))) for _ in range(CASES)]
    answer = specification({"slashable": pairs, "roots": headers})
    kinds = set()
    for pair, theirs in zip(pairs, answer["slashable"], strict=True):
        first, second = (vote_of(data(case)) for case in pair)
        assert (is_double(first, second) or is_surround(first, second)) is theirs
        kinds.add((is_double(first, second), is_surround(first, second)))
    assert kinds == {(False, False), (True, False), (False, True)}
    for (slot, proposer, parent, state, body), theirs in zip(headers, answer["roots"], strict=True):
        assert Header(slot, proposer, *map(bytes.fromhex, (parent, state, body))).tree_root().hex() == theirs


def test_justification_and_finalisation(specification: Ask) -> None:
    rng = random.Random(5)
    cases: list[dict[str, Any]] = []
    for _ in range(CASES):
        first = rng.randrange(4, 40)
        checks = sorted((rng.randrange(max(0, first - 4), first), hexes(rng)) for _ in range(3))
        epochs = []
        for _ in range(rng.randrange(1, 5)):
            total = rng.choice((3, 32, 99, 100, 32000)) * 10**9
            two_thirds = -(-2 * total // 3)
            near = [total, two_thirds, two_thirds - 1, 0, rng.randrange(total)]
            epochs.append([hexes(rng), hexes(rng), total, rng.choice(near), rng.choice(near)])
        # previous justified, current justified, finalized
        cases.append(
            {
                "first": first,
                "bits": rng.randrange(16),
                "checks": [checks[1], checks[2], checks[0]],
                "epochs": epochs,
            }
        )
    answer = specification({"finality": cases})["finality"]
    moved = 0
    for case, theirs in zip(cases, answer, strict=True):
        known = Finality(case["bits"], *(Check(epoch, bytes.fromhex(root)) for epoch, root in case["checks"]))
        for number, (previous, current, *stakes) in enumerate(case["epochs"]):
            epoch = case["first"] + number
            before = known.finalized
            known = weigh(
                known, Check(epoch - 1, bytes.fromhex(previous)), Check(epoch, bytes.fromhex(current)), *stakes
            )
            moved += known.finalized != before
            assert [known.bits, *([check.epoch, check.root.hex()] for check in known[1:])] == theirs[number]
    assert moved > 100


def test_the_head_of_random_trees(specification: Ask, chain: Any) -> None:
    rng = random.Random(6)
    made = [random_view(rng, chain) for _ in range(CASES // 4)]
    answer = specification({"head": [case for case, _ in made]})["head"]
    for (_, view), theirs in zip(made, answer, strict=True):
        assert view.head().hex() == theirs
    assert len({len(case["blocks"]) for case, _ in made}) > 5


def random_view(rng: random.Random, chain: Any) -> tuple[dict[str, Any], ForkChoice]:
    """A tree with blocks, checkpoints and messages at random: as a case, and as a view filled by hand."""
    world = chain(rng.randrange(4, 12))
    tree, genesis = world.tree, world.genesis
    count = len(genesis.registry)
    now = rng.randrange(8, 50)
    roots = [tree.root]
    slots = {tree.root: 0}
    rows: list[list[Any]] = [[tree.root.hex(), "", 0, [0, "00" * 32], [0, "00" * 32]]]
    blocks: list[TreeBlock] = []
    for _ in range(rng.randrange(2, 24)):
        parent = rng.choice(roots[-4:])
        if slots[parent] >= now:
            continue
        root = rng.randbytes(32)
        slots[root] = rng.randrange(slots[parent] + 1, min(now, slots[parent] + 9) + 1)
        top = slots[root] // 8
        realized, unrealized = sorted(rng.randrange(max(0, top - 3), top + 1) for _ in range(2))
        state = genesis.copy()
        state.slot, state.justified = slots[root], Check(realized, b"\x01" * 32)
        finality = Finality(0, Check(0, b""), Check(unrealized, b"\x02" * 32), Check(0, b""))
        blocks.append(TreeBlock(root, parent, slots[root], 0, state, None, None, finality, (), ()))
        rows.append([root.hex(), parent.hex(), slots[root], [realized, "01" * 32], [unrealized, "02" * 32]])
        roots.append(root)
    for block in blocks:
        tree._blocks[block.root] = block
    view = ForkChoice(tree)
    view.slot = now
    for block in blocks:
        view._add(block)
    justified, finalized = checkpoints(rng, tree, roots, slots)
    view.justified, view.finalized = justified, finalized
    slashed = [rng.random() < 0.1 for _ in range(count)]
    balances = [rng.choice((32, 32, 16, 31)) * 10**9 for _ in range(count)]
    weighing = tree[justified.root].state.copy()
    weighing.slot = max(weighing.slot, justified.epoch * 8)
    columns = dict(genesis.registry._columns) | {"balance": np.array(balances), "slashed": np.array(slashed)}
    weighing.registry = Registry(genesis.registry.pubkeys, genesis.registry.node_keys, columns)
    tree.state_at = lambda root, slot: weighing  # type: ignore[method-assign]
    messages = []
    for validator in range(count):
        if rng.random() < 0.8:
            root = rng.choice(roots)
            epoch = slots[root] // 8
            messages.append([validator, epoch, root.hex()])
            view._grow(count)
            view._message_block[validator], view._message_epoch[validator] = view._numbers[root], epoch
    equivocating = [index for index in range(count) if rng.random() < 0.1]
    view.on_slashing(tuple(equivocating))
    boosted = rng.choice(["", roots[-1].hex()])
    view._boost = bytes.fromhex(boosted)
    case = {
        "slot": now,
        "validators": list(zip(balances, slashed, strict=True)),
        "justified": [justified.epoch, justified.root.hex()],
        "finalized": [finalized.epoch, finalized.root.hex()],
        "boost": boosted,
        "equivocating": equivocating,
        "blocks": rows,
        "messages": messages,
    }
    return case, view


def checkpoints(rng: random.Random, tree: Any, roots: list[bytes], slots: dict[bytes, int]) -> tuple[Check, Check]:
    """A final checkpoint on some branch and a justified one at or after it on the same branch."""
    tip = rng.choice(roots)
    epochs = sorted(rng.randrange(0, slots[tip] // 8 + 1) for _ in range(2))
    return tuple(Check(epoch, tree.ancestor(tip, epoch * 8)) for epoch in reversed(epochs))  # type: ignore[return-value]
