"""Write tests/vectors/round_and_trace.json: hashes, trees, signatures and payouts, computed from their definitions.

Nothing of the engine is used here, and trees are built by recursion as the RFC defines them, so that the engine and
the contracts are compared with a third opinion. Integers are decimal strings and bytes are 0x-hex: forge and Python
read both alike. Run `python tests/contracts/make_vectors.py` to write the file; a test holds it fresh.
"""

from __future__ import annotations

import json
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_hash.auto import keccak

TARGET = Path(__file__).resolve().parents[1] / "vectors" / "round_and_trace.json"
SIZES = range(1, 18)
NOBODY = 0xFFFFFFFF
ABSENT = bytes(32)


def build() -> dict[str, Any]:
    random = Random(6962)
    return {
        "steps": [_step(random, kind) for kind in ("packed", "mailbox", "fault")],
        "traceTrees": [_trace_tree(random, size) for size in SIZES],
        "roundTrees": [_round_tree(random, size) for size in SIZES],
        "commitments": [_commitment(random, n_steps) for n_steps in (0, 1, 300, 2**64 - 1)],
        "claims": [_claim(random, score) for score in (0, 42, -7, 2**63 - 1, -(2**63))],
        "payouts": [_payout(*case) for case in PAYOUTS],
        "standings": [_standings(random, *case) for case in STANDINGS],
        "roundRoots": [_round_root(random) for _ in range(3)],
        "attestations": [_attestation(random, dispute) for dispute in (1, 77, 2**256 - 1)],
    }


# SHA-256: steps, trace trees (RFC 6962 section 2.1), commitments ------------------------------------------------


def _h(domain: int, *parts: bytes) -> bytes:
    return sha256(bytes([domain]) + b"".join(parts)).digest()


def _step(random: Random, kind: str) -> dict[str, Any]:
    step, value = random.randrange(300), random.getrandbits(64)
    shown = random.randbytes(40) if kind == "mailbox" else random.getrandbits(64).to_bytes(8, "little")
    if kind == "fault":
        value = 18
        action = _h(4, bytes([value]))
    else:
        action = _h(3, value.to_bytes(8, "little"))
    obs = _h(2, shown)
    return {
        "kind": kind,
        "step": str(step),
        "observation": _hex(shown),
        "action": str(value),
        "obsHash": _hex(obs),
        "actionHash": _hex(action),
        "leaf": _hex(_h(0, step.to_bytes(8, "big"), obs, action)),
    }


def _tree_hash(leaves: list[bytes]) -> bytes:
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = _split(len(leaves))
    return _h(1, _tree_hash(leaves[:k]), _tree_hash(leaves[k:]))


def _audit_path(m: int, leaves: list[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    k = _split(len(leaves))
    if m < k:
        return [*_audit_path(m, leaves[:k]), _tree_hash(leaves[k:])]
    return [*_audit_path(m - k, leaves[k:]), _tree_hash(leaves[:k])]


def _split(n: int) -> int:
    """The largest power of two below n."""
    k = 1
    while 2 * k < n:
        k *= 2
    return k


def _trace_tree(random: Random, size: int) -> dict[str, Any]:
    obs = [random.randbytes(32) for _ in range(size)]
    actions = [random.randbytes(32) for _ in range(size)]
    leaves = [_h(0, i.to_bytes(8, "big"), obs[i], actions[i]) for i in range(size)]
    return {
        "size": str(size),
        "obsHashes": _hexes(obs),
        "actionHashes": _hexes(actions),
        "leaves": _hexes(leaves),
        "root": _hex(_tree_hash(leaves)),
        "paths": [_hexes(_audit_path(i, leaves)) for i in range(size)],
    }


def _commitment(random: Random, n_steps: int) -> dict[str, Any]:
    header, root = random.randbytes(32), random.randbytes(32)
    value = _h(5, header, root, n_steps.to_bytes(8, "big"))
    return {"header": _hex(header), "traceRoot": _hex(root), "nSteps": str(n_steps), "commitment": _hex(value)}


# Keccak: round leaves and the positional tree ---------------------------------------------------------------------


def _subtree(leaves: list[bytes], number: int, height: int) -> bytes:
    if height == 0:
        return leaves[number] if number < len(leaves) else ABSENT
    left, right = (_subtree(leaves, 2 * number + side, height - 1) for side in (0, 1))
    return keccak(b"\x01" + left + right)


def _round_tree(random: Random, size: int) -> dict[str, Any]:
    fields = [_round_leaf(random, index) for index in range(size)]
    leaves = [keccak(b"\x00" + leaf["packed"]) for leaf in fields]
    depth = next(d for d in range(10) if 2**d >= size)
    proofs = [[_subtree(leaves, (i >> height) ^ 1, height) for height in range(depth)] for i in range(size)]
    return {
        "size": str(size),
        "depth": str(depth),
        **{key: [str(leaf[key]) for leaf in fields] for key in ("index", "a", "b", "dA", "dB")},
        **{key: _hexes([leaf[key] for leaf in fields]) for key in ("pre", "post", "evidence")},
        "leaves": _hexes(leaves),
        "root": _hex(_subtree(leaves, 0, depth)),
        "proofs": [_hexes(proof) for proof in proofs],
    }


def _round_leaf(random: Random, index: int) -> dict[str, Any]:
    solo = index % 2 == 0
    a, b = random.randrange(32), NOBODY if solo else random.randrange(32)
    d_a, d_b = random.randint(-(2**63), 2**63 - 1), 0 if solo else random.randint(-1000, 1000)
    pre, post, evidence = (random.randbytes(32) for _ in range(3))
    packed = b"".join(n.to_bytes(4, "big") for n in (index, a, b))
    packed += b"".join(n.to_bytes(8, "big", signed=True) for n in (d_a, d_b)) + pre + post + evidence
    return {
        "index": index,
        "a": a,
        "b": b,
        "dA": d_a,
        "dB": d_b,
        "pre": pre,
        "post": post,
        "evidence": evidence,
        "packed": packed,
    }


# EIP-712 claims -----------------------------------------------------------------------------------------------------

CLAIM_TYPES = {
    "ScoreClaim": [
        {"name": "leagueId", "type": "bytes32"},
        {"name": "index", "type": "uint32"},
        {"name": "agent", "type": "address"},
        {"name": "score", "type": "int64"},
        {"name": "evidence", "type": "bytes32"},
    ]
}


def _claim(random: Random, score: int) -> dict[str, Any]:
    account = Account.from_key(random.randbytes(32))
    contract = "0x" + random.randbytes(20).hex()
    chain_id = random.choice((1, 31337))
    message = {
        "leagueId": random.randbytes(32),
        "index": random.getrandbits(32),
        "agent": account.address,
        "score": score,
        "evidence": random.randbytes(32),
    }
    domain = {"name": "Nashboard LeagueAnchor", "version": "1", "chainId": chain_id, "verifyingContract": contract}
    signable = encode_typed_data(domain, CLAIM_TYPES, message)
    signed = account.sign_message(signable)
    return {
        "chainId": str(chain_id),
        "verifyingContract": contract,
        "leagueId": _hex(message["leagueId"]),
        "index": str(message["index"]),
        "agent": account.address,
        "score": str(score),
        "evidence": _hex(message["evidence"]),
        "digest": _hex(keccak(b"\x19" + signable.version + signable.header + signable.body)),
        "signature": _hex(bytes(signed.signature)),
    }


# Payouts ------------------------------------------------------------------------------------------------------------

ETHER = 10**18
PAYOUTS = [
    (ETHER, [10, 20, 30], []),
    (ETHER, [5, 5, 5, 5], []),
    (ETHER, [7, 7, 3], []),
    (ETHER, [3, 7, 7], []),
    (ETHER + 1, [9, 5, 5, 5, 1], []),
    (ETHER, [10, 20, 30], [2]),
    (ETHER, [5, 5, 5], [0, 2]),
    (3 * ETHER // 2, [4, 4, 9, 9, 0, -3], [2, 5]),
    (ETHER, [1, 2], [0, 1]),
    (0, [1, 2, 3], []),
    (7, [3, 2, 1, 0, -1, -2], []),
    (2 * ETHER, [-(2**63), 2**63 - 1], []),
    (1, [42], []),
]


def _payout(pot: int, scores: list[int], disqualified: list[int]) -> dict[str, Any]:
    """Each agent by the definition: the mean weight of the places that its score takes, over all weights."""
    active = [seat for seat in range(len(scores)) if seat not in disqualified]
    ranking = sorted((scores[seat] for seat in active), reverse=True)
    n = len(active)
    total = sum(range(1, n + 1))
    wei = []
    for seat, score in enumerate(scores):
        places = [n - place for place, other in enumerate(ranking) if other == score]
        share = Fraction(sum(places), len(places)) if seat in active else Fraction(0)
        wei.append(int(pot * share / total) if total else 0)
    return {
        "pot": str(pot),
        "scores": [str(score) for score in scores],
        "disqualified": [str(seat) for seat in disqualified],
        "wei": [str(amount) for amount in wei],
        "dust": str(pot - sum(wei)),
    }


# Standings: packed, hashed, and a match added -----------------------------------------------------------------------

STANDINGS = [
    ([0], 0, None),
    ([0, 0, 0], 1, 2),
    ([5, -3, 2**62, -(2**63)], 2, 3),
    ([2**63 - 1, 7], 1, None),
    (list(range(-16, 17)), 0, 32),
]


def _standings(random: Random, scores: list[int], a: int, b: int | None) -> dict[str, Any]:
    d_a, d_b = random.randint(-1000, 1000), 0 if b is None else random.randint(0, 1000)
    after = list(scores)
    after[a] += d_a
    if b is not None:
        after[b] += d_b
    packed, then = (b"".join(score.to_bytes(8, "big", signed=True) for score in row) for row in (scores, after))
    return {
        "scores": [str(score) for score in scores],
        "packed": _hex(packed),
        "hash": _hex(keccak(packed)),
        "zero": _hex(keccak(bytes(8 * len(scores)))),
        "a": str(a),
        "b": str(NOBODY if b is None else b),
        "dA": str(d_a),
        "dB": str(d_b),
        "after": _hex(keccak(then)),
    }


# EIP-712: what posters and verifiers sign --------------------------------------------------------------------------

ROOT_TYPES = {"RoundRoot": [{"name": "leagueId", "type": "bytes32"}, {"name": "root", "type": "bytes32"}]}
ATTESTATION_TYPES = {
    "ReplayAttestation": [
        {"name": "disputeId", "type": "uint256"},
        {"name": "commitmentId", "type": "bytes32"},
        {"name": "index", "type": "uint32"},
        {"name": "leaf", "type": "bytes32"},
        {"name": "engineHash", "type": "bytes32"},
    ]
}


def _to_court(random: Random, types: dict[str, Any], message: dict[str, Any]) -> dict[str, Any]:
    account, contract = Account.from_key(random.randbytes(32)), "0x" + random.randbytes(20).hex()
    chain_id = random.choice((1, 31337))
    domain = {"name": "Nashboard LeagueCourt", "version": "1", "chainId": chain_id, "verifyingContract": contract}
    signable = encode_typed_data(domain, types, message)
    return {
        "chainId": str(chain_id),
        "verifyingContract": contract,
        "signer": account.address,
        **{name: _hex(value) if isinstance(value, bytes) else str(value) for name, value in message.items()},
        "digest": _hex(keccak(b"\x19" + signable.version + signable.header + signable.body)),
        "signature": _hex(bytes(account.sign_message(signable).signature)),
    }


def _round_root(random: Random) -> dict[str, Any]:
    return _to_court(random, ROOT_TYPES, {"leagueId": random.randbytes(32), "root": random.randbytes(32)})


def _attestation(random: Random, dispute: int) -> dict[str, Any]:
    message = {
        "disputeId": dispute,
        "commitmentId": random.randbytes(32),
        "index": random.getrandbits(32),
        "leaf": random.randbytes(32),
        "engineHash": random.randbytes(32),
    }
    return _to_court(random, ATTESTATION_TYPES, message)


def _hex(data: bytes) -> str:
    return "0x" + data.hex()


def _hexes(items: list[bytes]) -> list[str]:
    return [_hex(item) for item in items]


def render() -> str:
    return json.dumps(build(), indent=1) + "\n"


if __name__ == "__main__":
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(render(), encoding="utf-8")
