"""Small parts: links, fuzzy search, proofs, amounts, System values."""

from __future__ import annotations

import json

import pytest

from app.actions import fuzzy_score
from app.formats import duration, ether, short
from app.links import Navigator, Place, match_link, tx_link
from app.viewmodels.proof import sides, walk_trace
from app.viewmodels.reading import action_text, packed_fields
from engine.core.merkle import TraceTree
from engine.core.paths import assets_dir


def test_a_link_is_its_place() -> None:
    place = Place.parse(match_link("abc", 12))
    assert place == Place("replay", "match/abc/12")
    assert (place.kind, place.name) == ("match", "abc/12")
    assert Place.parse("https://example.org") is None
    assert Place.parse("nash:nowhere/x") is None
    assert tx_link("") == ""


def test_back_returns() -> None:
    seen: list[Place] = []
    navigator = Navigator(Place("overview"))
    navigator.observe(seen.append)
    navigator.go(Place("devnet"))
    assert navigator.follow(tx_link("0x1"))
    navigator.back()
    navigator.back()
    assert navigator.here == Place("overview")
    assert not navigator.can_go_back
    navigator.back()
    navigator.forward()
    assert navigator.here == Place("devnet")
    assert not navigator.follow("nonsense")
    assert [place.page for place in seen] == ["devnet", "devnet", "devnet", "overview", "devnet"]


def test_fuzzy_search_prefers_beginnings() -> None:
    titles = ["Second thing", "Stop devnet", "Start devnet", "Settings"]
    ranked = sorted(
        (t for t in titles if fuzzy_score("std", t) is not None), key=lambda t: -(fuzzy_score("std", t) or 0)
    )
    assert ranked[0] in ("Stop devnet", "Start devnet")
    assert fuzzy_score("xyz", "Start devnet") is None
    assert fuzzy_score("", "anything") is not None


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13, 31, 100])
def test_the_walk_ends_at_the_root(size: int) -> None:
    from hashlib import sha256

    bodies = [bytes([n]) * 72 for n in range(size)]
    tree = TraceTree([sha256(b"\x00" + body).digest() for body in bodies])
    for index in range(size):
        path = tree.path(index)
        assert len(sides(index, size)) == len(path)
        good = walk_trace(index, size, bodies[index], path, tree.root, bodies[index])
        assert good.holds
        assert not any(line.changed for line in good.lines)
        edited = bytes([bodies[index][0] ^ 1]) + bodies[index][1:]
        bad = walk_trace(index, size, edited, path, tree.root, bodies[index])
        assert not bad.holds
        assert bad.edited == (0,)
        assert all(line.changed for line in bad.lines)


def test_amounts_and_times() -> None:
    assert ether(10**18) == "1 ETH"
    assert ether(15 * 10**17) == "1.5 ETH"
    assert ether(0) == "0 ETH"
    assert ether(7) == "7 wei"
    assert ether(-25 * 10**16) == "-0.25 ETH"
    assert ether(12345 * 10**18) == "12,345 ETH"
    assert short("0x1234567890abcdef1234") == "0x123456…ef1234"
    assert duration(0.25) == "250 ms"
    assert duration(75) == "1 min 15 s"


def test_snake_values_read_by_name() -> None:
    spec = json.loads((assets_dir() / "systems" / "snake.json").read_text())
    assert action_text(spec["action"], 2**64 - 1) == "straight on (-1)"
    assert action_text(spec["action"], 3) == "left (3)"
    assert action_text(spec["action"], 77) == "77"
    assert action_text(spec["action"], None) == "none"
    fields = dict(packed_fields(spec["observation"], 0x00060B0304010902))
    assert fields["head x"] == "2"
    assert fields["direction"] == "left"
    assert fields["deadly moves"] == "right, down"
    assert dict(packed_fields(spec["observation"], 0xFF0000))["apple x"] == "none"
