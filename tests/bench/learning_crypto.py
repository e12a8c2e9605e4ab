"""Signatures, keys and proof of work, beside py_ecc and the plain way."""

from __future__ import annotations

import hmac
import statistics
import time
from collections.abc import Callable
from hashlib import sha256
from typing import Any

from py_ecc.bls import G2ProofOfPossession

from engine.learning import pow as work
from engine.learning.crypto import bls, eip2333
from engine.learning.types import ExecutionHeader

ROOT = sha256(b"a root").digest()


def rows(note: Callable[[str], None], seconds: float) -> list[dict[str, Any]]:
    """Return what was measured."""
    committee = 1000 if seconds >= 0.5 else 10
    return [
        *_signatures(seconds),
        _committee(note, seconds, committee),
        _derivation(seconds),
        _attempts(seconds),
    ]


def _signatures(seconds: float) -> list[dict[str, Any]]:
    key = bls.SecretKey(bytes(31) + b"\x07")
    signed = bls.sign(key, ROOT)

    def ours() -> None:
        bls.forget()
        assert bls.verify(key.public, ROOT, signed)

    def theirs() -> None:
        assert G2ProofOfPossession.Verify(key.public, ROOT, signed)

    def again() -> None:
        assert bls.verify(key.public, ROOT, signed)

    start = time.perf_counter()
    theirs()  # once: it takes a second
    peer = (time.perf_counter() - start) * 1e3
    return [
        _row("verify a BLS signature", _median(ours, seconds), "ms", "py_ecc", peer),
        _row("verify it again, as every further node does", _median(again, seconds), "ms", "", None),
        _row("sign by BLS", _median(lambda: bls.sign(key, ROOT), seconds), "ms", "", None),
    ]


def _committee(note: Callable[[str], None], seconds: float, size: int) -> dict[str, Any]:
    note(f"signing by a committee of {size:,}")
    keys = [bls.SecretKey(sha256(number.to_bytes(4, "big")).digest()[:31].rjust(32, b"\x00")) for number in range(size)]
    publics = [key.public for key in keys]
    total = bls.aggregate([bls.sign(key, ROOT) for key in keys])

    def verify() -> None:  # the points are known, as those of validators are; the verdict is not
        bls._VERDICTS.clear()
        assert bls.fast_aggregate_verify(publics, ROOT, total)

    return _row(f"verify a certificate of {size:,} ACKs", _median(verify, seconds), "ms", "", None)


def _derivation(seconds: float) -> dict[str, Any]:
    parent = eip2333.derive_master(bytes(range(32)))
    assert _plain_child(parent, 7) == eip2333.derive_child(parent, 7)
    ours = _median(lambda: eip2333.derive_child(parent, 7), seconds)
    peer = _median(lambda: _plain_child(parent, 7), seconds)
    return _row("derive a child key (EIP-2333)", ours, "ms", "the standard's steps by hmac", peer)


def _plain_child(parent: int, index: int) -> int:
    """Return a child key by the standard library alone."""
    material = parent.to_bytes(32, "big")
    chunks = b""
    for half in (material, bytes(255 - byte for byte in material)):
        secret, block = hmac.new(index.to_bytes(4, "big"), half, "sha256").digest(), b""
        for number in range(1, 256):
            block = hmac.new(secret, block + bytes([number]), "sha256").digest()
            chunks += sha256(block).digest()
    return eip2333.hkdf_mod_r(sha256(chunks).digest())


def _attempts(seconds: float) -> dict[str, Any]:
    header = ExecutionHeader(number=1)
    count = 4096 if seconds >= 0.5 else 64

    def ours() -> None:
        next(work.search(header, work.MAX_BITS, count))

    def plain() -> None:
        tried = header.copy()
        for nonce in range(64):
            tried.nonce = nonce
            work.hash_of(tried)

    return _row(
        "attempts at proof of work",
        count / _median(ours, seconds) * 1e3,
        "/s",
        "hashing the header anew",
        64 / _median(plain, seconds) * 1e3,
        more_is_better=True,
    )


def _median(action: Callable[[], Any], seconds: float) -> float:
    """Return the median of an action's times in milliseconds: at least three, until the seconds are over."""
    action()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        action()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def _row(
    name: str, ours: float, unit: str, peer_name: str, peer: float | None, *, more_is_better: bool = False
) -> dict[str, Any]:
    ratio = None if peer is None else ours / peer if more_is_better else peer / ours
    return {
        "name": name,
        "ours": ours,
        "unit": unit,
        "peer_name": peer_name,
        "peer": peer,
        "ratio": ratio,
        "goal": None,
        "met": None,
    }
