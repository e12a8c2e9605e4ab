"""What goes between the console and the DHT's processes."""

from __future__ import annotations

import asyncio
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.learning.errors import TransportError
from engine.learning.transport.worker import frames
from engine.learning.transport.worker.clock import PAUSE, DhtClock


async def read(data: bytes) -> tuple[frames.Header, bytes] | None:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    return await frames.read(reader)


async def test_a_frame_comes_back() -> None:
    frame = frames.encode({"op": "store", "id": 7}, b"\x00body")
    assert await read(frame) == ({"op": "store", "id": 7}, b"\x00body")
    assert await read(frame + frame[:5]) == ({"op": "store", "id": 7}, b"\x00body")
    for end in range(len(frame)):
        assert await read(frame[:end]) is None


@pytest.mark.parametrize(
    "data",
    [
        struct.pack(">I", 2**32 - 1),
        struct.pack(">I", 0),
        struct.pack(">II", 4, 400),
        struct.pack(">II", 6, 2) + b"[]",
        struct.pack(">II", 6, 2) + b"{{",
        struct.pack(">II", 6, 2) + b"\xff\xff",
    ],
)
async def test_what_is_no_frame_is_refused(data: bytes) -> None:
    with pytest.raises(TransportError):
        await read(data)


@given(st.lists(st.binary(max_size=50), max_size=5))
def test_parts_come_back(parts: list[bytes]) -> None:
    body = frames.join(parts)
    assert frames.split(body) == parts
    for end in range(1, len(body)):
        try:
            assert len(frames.split(body[:end])) < len(parts)
        except TransportError:
            continue


def test_the_dhts_clock_follows_the_chains() -> None:
    clock = DhtClock(origin=1_000_000.0, speed=60.0)
    assert clock.expiration(3600.0) == 1_000_060.0 + PAUSE
    assert clock.agrees(clock.expiration(3600.0), 3600.0)
    assert not clock.agrees(clock.expiration(3600.0) + 1.0, 3600.0)
    later = DhtClock.starting(now=7200.0, speed=60.0)
    started = DhtClock.starting(now=0.0, speed=60.0)
    assert abs(started.origin - later.origin - 120.0) < 5.0
