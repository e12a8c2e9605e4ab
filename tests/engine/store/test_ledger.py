import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.store.database import Store
from engine.store.errors import LedgerError
from engine.store.ledger import Entry

BOOK = "local"


@pytest.fixture
def store(tmp_path):
    store = Store.open(tmp_path / "test.db")
    yield store
    store.close()


def entry(key, debit, credit, wei, kind="move"):
    return Entry(key, kind, debit, credit, wei)


def test_amounts_beyond_64_bits_are_exact(store):
    wei = 10**30 + 1
    with store.transaction():
        store.ledger.append(BOOK, entry("1", "world:x", "stake:a", wei))
    assert store.ledger.balance(BOOK, "stake:a") == wei
    assert store.ledger.balance(BOOK, "world:x") == -wei


def test_the_same_key_pays_once(store):
    with store.transaction():
        assert store.ledger.append(BOOK, entry("1", "world:x", "stake:a", 5))
        assert not store.ledger.append(BOOK, entry("1", "world:x", "stake:a", 5))
    assert store.ledger.balance(BOOK, "stake:a") == 5


def test_a_key_with_other_content_is_refused(store):
    with store.transaction():
        store.ledger.append(BOOK, entry("1", "world:x", "stake:a", 5))
    with pytest.raises(LedgerError, match="taken"), store.transaction():
        store.ledger.append(BOOK, entry("1", "world:x", "stake:a", 6))


@pytest.mark.parametrize("wei", [0, -1])
def test_amounts_are_positive(store, wei):
    with pytest.raises(LedgerError, match="positive"), store.transaction():
        store.ledger.append(BOOK, entry("1", "world:x", "stake:a", wei))


def test_an_overdraft_rolls_the_whole_transaction_back(store):
    with pytest.raises(LedgerError, match="overdrawn"), store.transaction():
        store.ledger.append(BOOK, entry("1", "world:x", "stake:a", 5))
        store.ledger.append(BOOK, entry("2", "stake:a", "credit:b", 6))
    assert store.ledger.balances(BOOK) == {}


@pytest.mark.parametrize("statement", ["DELETE FROM ledger", "UPDATE ledger SET wei = '1'"])
def test_history_cannot_be_rewritten(store, statement):
    with store.transaction():
        store.ledger.append(BOOK, entry("1", "world:x", "stake:a", 5))
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        store.db.execute(statement)


@given(
    st.lists(
        st.tuples(st.sampled_from(["world:x", "a", "b"]), st.sampled_from(["a", "b", "c"]), st.integers(1, 10**20)),
        max_size=20,
    )
)
def test_balances_are_the_sum_of_the_entries(tmp_path_factory, moves):
    store = Store.open(tmp_path_factory.mktemp("ledger") / "test.db")
    try:
        for key, (debit, credit, wei) in enumerate(moves):
            try:
                with store.transaction():
                    store.ledger.append(BOOK, entry(str(key), debit, credit, wei))
            except LedgerError:
                continue
        assert store.ledger.audit(BOOK) == {}
        assert sum(store.ledger.balances(BOOK).values()) == 0
    finally:
        store.close()
