"""A store of 10,000 agents and 100,000 matches opens, lists and ranks without reading what nobody asked for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import pytest

from engine.core.paths import DataDir
from engine.league.history import EntryRow, MatchRow, RoundRow
from engine.runtime import Runtime
from engine.store.database import Store

AGENTS, MATCHES = 10_000, 100_000
ROUND = "ab" * 16


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data directory with one finished Swiss of all agents, written as the league writes it."""
    folder = tmp_path_factory.mktemp("large")
    with_data = DataDir.open(folder)
    store = Store.open(with_data.database)
    hashes = [sha256(str(number).encode()).hexdigest() for number in range(AGENTS)]
    with store.transaction() as db:
        db.executemany(
            "INSERT INTO modules VALUES (?, 'agent', 'packed', '1', ?, ?)", ((h, b"original", b"code") for h in hashes)
        )
        db.executemany(
            "INSERT INTO agents (sha256, name, owner, account, address) VALUES (?,?,?,?,?)",
            ((h, f"agent-{n}", "owner", n + 1, address(n)) for n, h in enumerate(hashes)),
        )
    fill(store, hashes)
    store.close()
    yield folder


def address(number: int) -> str:
    return "0x" + (number + 1).to_bytes(20, "big").hex()


def fill(store: Store, hashes: list[str]) -> None:
    from engine.league.history import History

    history = History(store)
    config = {
        "tier": "bronze", "format": "swiss", "stages": 20, "matches": 1, "params": {}, "title": "Chess", "seed": 1,
        "budget": 1_000_000, "pot_wei": "0", "capacity": 0, "suspension": 0,
    }  # fmt: skip
    row = RoundRow(ROUND, 1, "large", "local", config, "cd" * 32, "playing", None, None, 0.0)
    history.open_round(row, (EntryRow(n, h, f"agent-{n}", "owner", address(n)) for n, h in enumerate(hashes)))
    with store.transaction():
        history.add_matches(ROUND, [match(number) for number in range(MATCHES)])
        history.set_state(ROUND, "played", results_hash="ef" * 32)


def match(number: int) -> MatchRow:
    stage, place = divmod(number, AGENTS // 2)
    a, b = place, AGENTS // 2 + (place + stage) % (AGENTS // 2)
    won = sha256(f"{a}-{b}".encode()).digest()
    return MatchRow(
        number, a, b, number, "FINISHED", None, None, 2 * (won[0] & 1), 2 - 2 * (won[0] & 1), 80, 9, won, won, stage
    )


@pytest.mark.slow
async def test_a_large_store_opens_at_once_and_shows_its_round(large: Path, capsys: pytest.CaptureFixture[str]) -> None:
    marks = [time.perf_counter()]
    async with await Runtime.open(DataDir.open(large), workers=1) as runtime:
        summary = runtime.league.rounds()[0]
        agents = runtime.league.agents()
        marks.append(time.perf_counter())
        result = runtime.league.round(summary.round_id)
        marks.append(time.perf_counter())
        assert (len(agents), summary.agents, summary.done) == (AGENTS, AGENTS, MATCHES)
        assert (result.done, result.stages, len(result.standings)) == (MATCHES, 20, AGENTS)
        assert sum(line.score for line in result.standings) == 2 * MATCHES
        assert sum(line.played for line in result.standings) == 2 * MATCHES
    opened, shown = (round(later - earlier, 2) for earlier, later in pairwise(marks))
    with capsys.disabled():
        print(f"\n10,000 agents, 100,000 matches: open and list {opened} s, table {shown} s")


def test_listing_rounds_reads_no_matches(large: Path) -> None:
    """What the start-up asks of each round is two counts, whatever its size."""
    store = Store.open(DataDir.open(large).database)
    asked: list[str] = []
    store.db.set_trace_callback(asked.append)
    from engine.league.history import History

    history = History(store)
    for row in history.rounds():
        assert history.counts(row.round_id) == (AGENTS, MATCHES)
    store.db.set_trace_callback(None)
    store.close()
    assert len(asked) == 2
    assert not any(text.startswith("SELECT * FROM matches") for text in asked)
