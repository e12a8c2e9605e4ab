import pytest

from engine.chain.wallet import Wallet
from engine.consensus.config import ConsensusConfig
from engine.consensus.messages import Domain, PositionMessage, SignedPosition, position_hash, recover
from engine.consensus.results import Equivocation
from engine.consensus.rounds.records import NewRound, Records, WalletSigner, attempt_hash
from engine.consensus.specs import AgentSpec
from engine.consensus.tasks import task_of
from engine.core.errors import UsageError
from engine.store.database import Store

PARAMETERS = {"total_amount": 1, "risk_tolerance": "moderate", "investment_horizon": "1_year"}


@pytest.fixture
def wallet():
    return Wallet.development()


@pytest.fixture
def records(tmp_path, wallet):
    store = Store.open(tmp_path / "store.db")
    yield Records(store, wallet.address)
    store.close()


def new_round(title="t"):
    task = task_of({"type": "portfolio_allocation", "title": title, "parameters": PARAMETERS})
    return NewRound(task, ConsensusConfig(seed=3), (AgentSpec("ann"), AgentSpec("ben")))


def signed(wallet, number, packed, task_hash):
    message = PositionMessage(task_hash, wallet.address(number), position_hash(packed), 10, 0, 2, 99)
    return SignedPosition(message, packed, WalletSigner(wallet, number).sign(message, Domain(1)))


def test_each_name_has_one_account_for_ever(records, wallet):
    ann, ben = records.account("ann"), records.account("ben")
    assert (ann.account, ben.account) == (2_000_000, 2_000_001)
    assert ann.address == wallet.address(2_000_000)
    assert records.account("ann") == ann
    assert records.number_of(ben.address) == ben.account
    assert records.number_of(wallet.address(1)) is None
    assert records.accounts() == [ann, ben]


def test_another_wallet_has_other_addresses(tmp_path, wallet):
    store = Store.open(tmp_path / "store.db")
    old = Records(store, wallet.address).account("ann")
    new = Records(store, lambda number: f"0x{number:040x}").account("ann")
    assert (new.account, new.address) == (old.account, f"0x{old.account:040x}")
    assert Records(store, wallet.address).number_of(old.address) is None
    store.close()


def test_the_wallet_signs_as_the_message_is_recovered(wallet):
    packed = bytes(6)
    made = signed(wallet, 5, packed, bytes(32))
    assert recover(made.message, made.signature, Domain(1)) == wallet.address(5)
    assert made.problem(Domain(1)) == ""
    assert "signature is of" in made.problem(Domain(2))


def test_a_round_comes_back_as_it_was_kept(records, wallet):
    new = new_round()
    record = records.create(new, new.task.hash)
    assert (record.phase, record.on_chain, record.title) == ("negotiating", False, "t")
    assert (record.config, record.agents, record.task.hash) == (new.config, new.agents, new.task.hash)
    assert records.claim(record.run_id, "31337:x", new.task.hash)
    positions = [("ann", 100, signed(wallet, 1, bytes(6), new.task.hash))]
    records.keep_signed(record.run_id, 99, positions, {"gap": 0.5})
    kept = records.get(record.run_id)
    assert (kept.phase, kept.deadline, kept.progress, kept.on_chain) == ("signed", 99, {"gap": 0.5}, True)
    assert records.signed(record.run_id) == positions
    first, second = (signed(wallet, 2, bytes([n] * 6), new.task.hash) for n in (1, 2))
    records.keep_evidence(record.run_id, Equivocation("ben", first, second))
    assert records.evidence(record.run_id) == [Equivocation("ben", first, second)]

    records.end(record.run_id, "cancelled", "stopped")
    assert records.get(record.run_id).phase == "signed"  # it goes on from there
    records.end(record.run_id, "done", "", {"x": 1})
    assert (records.get(record.run_id).phase, records.get(record.run_id).result) == ("done", {"x": 1})
    assert records.by_hash(new.task.hash.hex()[:7]) == [records.get(record.run_id)]
    with pytest.raises(UsageError, match="no round 77"):
        records.get(77)


def test_a_hash_is_given_once_on_a_chain(records):
    new = new_round()
    one, two = (records.create(new, new.task.hash).run_id for _ in range(2))
    hashes = [attempt_hash(new.task.hash, n) for n in range(3)]
    assert len(set(hashes)) == 3
    assert records.claim(one, "chain", hashes[0])
    assert not records.claim(one, "chain", hashes[0])
    assert not records.claim(two, "chain", hashes[0])
    assert records.claim(two, "other", hashes[0])
    assert records.claim(one, "chain", hashes[1])  # it begins again: what it had stays used up
    assert not records.claim(two, "chain", hashes[0])
    assert records.claimed("chain", new.task.hash) == 1


def test_rounds_that_are_over_are_not_read_again(tmp_path, records, wallet):
    first, second = (records.create(new_round(title), bytes([n]) * 32) for n, title in enumerate(("one", "two")))
    records.end(first.run_id, "done", result={"converged": True})
    told = records.all()
    assert [(r.run_id, r.phase) for r in told] == [(second.run_id, "negotiating"), (first.run_id, "done")]
    assert told[0].agents is told[1].agents  # of the same agents one is kept
    statements = []
    records._store.db.set_trace_callback(statements.append)
    again = records.all()
    records._store.db.set_trace_callback(None)
    assert again[1] is told[1] and again[0] == told[0]
    assert sum("SELECT *" in one for one in statements) == 1
    other = Store.open(tmp_path / "store.db")  # another program ends the other one
    Records(other, wallet.address).end(second.run_id, "done", "by another", {"converged": False})
    other.close()
    assert [(r.phase, r.message) for r in records.all()] == [("done", "by another"), ("done", "")]
