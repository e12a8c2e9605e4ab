"""The list of all rounds: what is kept of it is what the store says, whoever wrote."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from engine.league.history import EntryRow, History, RoundRow
from engine.league.results import RoundSummary
from engine.league.summaries import Summaries
from engine.store.database import Store

STATES = ("playing", "played", "settled", "rejected")


class UndoneError(Exception):
    """Ends a transaction without its writes."""


def opened(history: History, number: int) -> None:
    row = RoundRow(f"{number:064x}", number, "soak", "local", {}, "cd" * 32, "playing", None, None, 0.0)
    history.open_round(row, [EntryRow(0, "ab" * 32, "one", "owner", "0x01")])


def told(history: History) -> list[RoundSummary]:
    """What the store holds, read without anything kept."""
    return [
        RoundSummary(
            r.round_id, r.number, r.name, r.state, r.book, *history.counts(r.round_id), r.results_hash, r.created
        )
        for r in history.rounds()
    ]


WRITES = st.lists(
    st.tuples(
        st.sampled_from(("open", "move")),
        st.integers(0, 9),
        st.sampled_from(STATES),
        st.sampled_from(("here", "undone", "elsewhere")),
        st.booleans(),
    ),
    max_size=25,
)


@given(writes=WRITES)
def test_the_list_is_what_the_store_holds(tmp_path_factory, writes):
    path = tmp_path_factory.mktemp("rounds") / "nashboard.db"
    with contextlib.closing(Store.open(path)) as store, contextlib.closing(Store.open(path)) as other:
        here, elsewhere = History(store), History(other)
        summaries = Summaries(here, lambda row: row.state)
        number = 0
        for what, which, state, where, looked in writes:
            history, within = (elsewhere, other) if where == "elsewhere" else (here, store)
            with contextlib.suppress(UndoneError), within.transaction():
                if what == "open":
                    number += 1
                    opened(history, number)
                else:
                    history.set_state(f"{which:064x}", state, results_hash=f"{state}{which}")
                if looked:  # what is seen inside may be taken back
                    summaries.all() if within is store else None
                if where == "undone":
                    raise UndoneError
            if looked:
                assert summaries.all() == told(here)
        assert summaries.all() == told(here)


def test_a_list_of_thousands_reads_those_that_moved(tmp_path):
    with contextlib.closing(Store.open(tmp_path / "nashboard.db")) as store:
        history = History(store)
        summaries = Summaries(history, lambda row: row.state)
        with store.transaction():
            for number in range(1, 2_001):
                opened(history, number)
                history.set_state(f"{number:064x}", "settled")
        before = summaries.all()
        steps = []
        store.db.set_progress_handler(lambda: steps.append(1), 10)
        with store.transaction():
            history.set_state(f"{7:064x}", "rejected")
        after = summaries.all()
        store.db.set_progress_handler(None, 0)
        assert len(after) == len(before) == 2_000
        assert [one.number for one, other in zip(after, before, strict=True) if one is not other] == [7]
        assert len(steps) < 50  # in tens of SQLite's own instructions; reading all of them takes a thousand
