"""The trees against their recursive definitions, written here again from the RFC and from the round format."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.hashing import keccak
from engine.core.merkle import RoundTree, TraceTree, round_root_from_proof, trace_root_from_path

LEAVES = st.lists(st.binary(min_size=32, max_size=32), max_size=40)


def rfc_root(leaves: list[bytes]) -> bytes:
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + rfc_root(leaves[:split]) + rfc_root(leaves[split:])).digest()


def rfc_path(index: int, leaves: list[bytes]) -> list[bytes]:
    if len(leaves) <= 1:
        return []
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    if index < split:
        return [*rfc_path(index, leaves[:split]), rfc_root(leaves[split:])]
    return [*rfc_path(index - split, leaves[split:]), rfc_root(leaves[:split])]


@given(LEAVES)
def test_trace_tree_is_the_tree_of_the_rfc(leaves):
    tree = TraceTree(leaves)
    assert tree.root == rfc_root(leaves)
    for index, leaf in enumerate(leaves):
        assert tree.path(index) == rfc_path(index, leaves)
        assert trace_root_from_path(leaf, index, len(leaves), tree.path(index)) == tree.root


@given(LEAVES.filter(lambda leaves: len(set(leaves)) > 1), st.data())
def test_a_trace_path_binds_index_size_and_leaf(leaves, data):
    tree = TraceTree(leaves)
    index = data.draw(st.integers(0, len(leaves) - 1))
    path = tree.path(index)
    other = data.draw(st.integers(0, len(leaves) - 1).filter(lambda i: leaves[i] != leaves[index]))
    assert trace_root_from_path(leaves[other], index, len(leaves), path) != tree.root
    assert trace_root_from_path(leaves[index], other, len(leaves), path) != tree.root
    assert trace_root_from_path(leaves[index], index, len(leaves), [*path, bytes(32)]) is None
    assert trace_root_from_path(leaves[index], index, len(leaves), path[:-1]) != tree.root
    assert trace_root_from_path(leaves[index], len(leaves), len(leaves), path) is None


def test_the_last_odd_leaf_is_not_duplicated():
    a, b, c = (hashlib.sha256(bytes([i])).digest() for i in range(3))
    assert TraceTree([a, b, c]).root != TraceTree([a, b, c, c]).root


@given(LEAVES)
def test_round_tree_is_positional_and_padded_with_zero(leaves):
    tree = RoundTree(leaves)
    size = 1
    while size < len(leaves):
        size *= 2
    level = leaves + [bytes(32)] * (size - len(leaves))
    while len(level) > 1:
        level = [keccak(b"\x01" + level[i] + level[i + 1]) for i in range(0, len(level), 2)]
    assert tree.root == level[0]
    assert 2**tree.depth == size
    for index, leaf in enumerate(leaves):
        proof = tree.proof(index)
        assert len(proof) == tree.depth
        assert round_root_from_proof(leaf, index, proof) == tree.root


@pytest.mark.parametrize("tree", [TraceTree([bytes(32)]).path, RoundTree([bytes(32)]).proof])
@pytest.mark.parametrize("index", [-1, 1])
def test_a_leaf_outside_the_tree_is_refused(tree, index):
    with pytest.raises(IndexError, match="outside"):
        tree(index)
