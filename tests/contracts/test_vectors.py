"""The engine's hashes, trees and payouts against the vectors that the contracts are tested with."""

from __future__ import annotations

import importlib.util
import json
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from engine.chain.court import ReplayAttestation, RoundRoot
from engine.core import hashing, merkle
from engine.league.rewards import payouts
from engine.league.standings import Played, commit_round, standings_hash

HERE = Path(__file__).resolve().parent
VECTORS = HERE.parent / "vectors" / "round_and_trace.json"
SIZES = range(1, 18)


@cache
def vectors() -> dict[str, Any]:
    return json.loads(VECTORS.read_text(encoding="utf-8"))


def raw(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def raws(texts: list[str]) -> list[bytes]:
    return [raw(text) for text in texts]


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_vectors", HERE / "make_vectors.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_vectors_are_fresh() -> None:
    assert VECTORS.read_text(encoding="utf-8") == generator().render()


def test_step_hashes() -> None:
    for step in vectors()["steps"]:
        obs = hashing.sha(hashing.OBSERVATION, raw(step["observation"]))
        value = int(step["action"])
        action = (
            hashing.sha(hashing.FAULT, bytes([value]))
            if step["kind"] == "fault"
            else hashing.sha(hashing.ACTION, value.to_bytes(8, "little"))
        )
        leaf = hashing.sha(b"\x00", int(step["step"]).to_bytes(8, "big"), obs, action)
        assert (obs, action, leaf) == (raw(step["obsHash"]), raw(step["actionHash"]), raw(step["leaf"]))


def test_match_commitments() -> None:
    for case in vectors()["commitments"]:
        parts = raw(case["header"]), raw(case["traceRoot"]), int(case["nSteps"]).to_bytes(8, "big")
        assert hashing.sha(hashing.COMMITMENT, *parts) == raw(case["commitment"])


@pytest.mark.parametrize("size", SIZES)
def test_trace_trees(size: int) -> None:
    case = vectors()["traceTrees"][size - 1]
    leaves = raws(case["leaves"])
    tree = merkle.TraceTree(leaves)
    assert tree.root == raw(case["root"])
    for index, leaf in enumerate(leaves):
        path = raws(case["paths"][index])
        assert tree.path(index) == path
        assert merkle.trace_root_from_path(leaf, index, size, path) == tree.root


@pytest.mark.parametrize("size", SIZES)
def test_round_trees(size: int) -> None:
    case = vectors()["roundTrees"][size - 1]
    leaves = [merkle.round_leaf_hash(packed(case, index)) for index in range(size)]
    assert leaves == raws(case["leaves"])
    tree = merkle.RoundTree(leaves)
    assert (tree.depth, tree.root) == (int(case["depth"]), raw(case["root"]))
    assert [tree.proof(index) for index in range(size)] == [raws(proof) for proof in case["proofs"]]


def packed(case: dict[str, Any], index: int) -> bytes:
    unsigned = (int(case[key][index]).to_bytes(4, "big") for key in ("index", "a", "b"))
    signed = (int(case[key][index]).to_bytes(8, "big", signed=True) for key in ("dA", "dB"))
    words = (raw(case[key][index]) for key in ("pre", "post", "evidence"))
    return b"".join((*unsigned, *signed, *words))


def test_payouts() -> None:
    for case in vectors()["payouts"]:
        scores = [int(score) for score in case["scores"]]
        result = payouts(scores, {int(seat) for seat in case["disqualified"]}, int(case["pot"]))
        assert list(result.wei) == [int(amount) for amount in case["wei"]]
        assert result.dust == int(case["dust"])


def test_standings() -> None:
    for case in vectors()["standings"]:
        scores = [int(score) for score in case["scores"]]
        assert standings_hash(scores) == raw(case["hash"]) == hashing.keccak(raw(case["packed"]))
        assert standings_hash([0] * len(scores)) == raw(case["zero"])
        b = int(case["b"])
        gained = (int(case["dA"]), int(case["dB"]))
        seats = (int(case["a"]), None if b == 0xFFFFFFFF else b)
        # The standings before are played too: each seat's score in a match of its own.
        matches = [Played(seat, None, score, None, bytes(32)) for seat, score in enumerate(scores)]
        matches.append(Played(*seats, gained[0], None if seats[1] is None else gained[1], bytes(32)))
        last = commit_round(len(scores), matches).leaves[-1]
        assert (last.pre, last.post) == (raw(case["hash"]), raw(case["after"]))


def test_what_posters_and_verifiers_sign() -> None:
    from eth_account import Account
    from eth_account.messages import encode_typed_data

    roots = [(c, RoundRoot(raw(c["leagueId"]), raw(c["root"]))) for c in vectors()["roundRoots"]]
    words = [(c, attestation(c)) for c in vectors()["attestations"]]
    for case, value in (*roots, *words):
        domain = {"name": "Nashboard LeagueCourt", "version": "1", "chainId": int(case["chainId"])}
        message = encode_typed_data(
            {**domain, "verifyingContract": case["verifyingContract"]}, value.TYPES, value.message()
        )
        assert hashing.keccak(b"\x19" + message.version + message.header + message.body) == raw(case["digest"])
        assert Account.recover_message(message, signature=raw(case["signature"])) == case["signer"]


def attestation(case: dict[str, Any]) -> ReplayAttestation:
    commitment, leaf, engine = (raw(case[name]) for name in ("commitmentId", "leaf", "engineHash"))
    return ReplayAttestation(int(case["disputeId"]), commitment, int(case["index"]), leaf, engine)
