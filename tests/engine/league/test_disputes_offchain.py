"""What a dishonest host publishes, and how it is found: random rounds, tampered with at random places."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.merkle import RoundTree
from engine.league.disputes.checks import Fraud, FraudKind, Posted, roster_hash, self_proving
from engine.league.disputes.host import chosen_match, publication
from engine.league.disputes.published import Dishonesty, Publication, Publications, Published
from engine.league.disputes.walk import first_divergence
from engine.league.standings import NO_OPPONENT, Played, RoundCommitment, RoundLeaf, commit_round, standings_hash

BOUND = 100


def signed(root: bytes) -> bytes:
    return root + root + b"s"


def evidence(number: int) -> bytes:
    return hashlib.sha256(number.to_bytes(4, "big")).digest()


@st.composite
def rounds(draw: st.DrawFn, min_size: int = 1) -> RoundCommitment:
    roster = draw(st.integers(2, 9))
    size = draw(st.integers(min_size, 40))
    matches = []
    for number in range(size):
        a = draw(st.integers(0, roster - 1))
        b = draw(st.none() | st.integers(0, roster - 1).filter(lambda seat, a=a: seat != a))
        score_a, score_b = draw(st.integers(-BOUND, BOUND - 1)), draw(st.integers(-BOUND, BOUND))
        matches.append(Played(a, b, score_a, None if b is None else score_b, evidence(number)))
    return commit_round(roster, matches)


def addresses(count: int) -> list[str]:
    return [f"0x{number + 1:040x}" for number in range(count)]


def pick(honest: RoundCommitment, how: Dishonesty, seed: int, bound: int) -> int | None:
    return chosen_match(honest, range(len(honest.leaves)), how, seed, bound)


def posted_of(item: Publication) -> Posted:
    tree, scores = item.commitment.tree, item.commitment.scores
    digest = roster_hash(addresses(len(scores)), scores)
    return Posted(addresses(1)[0], tree.root, digest, tree.size, tree.depth, BOUND)


def found(item: Publication) -> list[Fraud]:
    return list(self_proving(item.shown(), posted_of(item)))


def of_leaves(leaves: list[RoundLeaf], scores: tuple[int, ...]) -> Publication:
    tree = RoundTree([leaf.hash() for leaf in leaves])
    return Publication(Dishonesty.HONEST, RoundCommitment(tuple(leaves), tree, scores))


@settings(max_examples=60, deadline=None)
@given(rounds())
def test_an_honest_round_shows_no_fraud_and_no_divergence(honest: RoundCommitment) -> None:
    item = publication(honest, Dishonesty.HONEST, None, BOUND)
    assert found(item) == []
    assert item.shown().tree().root == honest.tree.root
    assert first_divergence(item.shown().tree(), honest.tree) is None


@settings(max_examples=80, deadline=None)
@given(
    rounds(), st.sampled_from([Dishonesty.INFLATE, Dishonesty.ALTER, Dishonesty.WITHHOLD]), st.integers(0, 2**64 - 1)
)
def test_the_first_divergent_leaf_is_the_tampered_one(honest: RoundCommitment, how: Dishonesty, seed: int) -> None:
    match = pick(honest, how, seed, BOUND)
    assert match == pick(honest, how, seed, BOUND)
    item = publication(honest, how, match, BOUND, altered=evidence(10_000))
    divergence = first_divergence(item.shown().tree(), honest.tree)
    assert divergence is not None
    assert divergence.index == match
    assert divergence.compared == honest.tree.depth + 1
    assert found(item) == [], "the host's own numbers fit each other"
    assert item.shown().withheld == ((match,) if how is Dishonesty.WITHHOLD else ())


@settings(max_examples=80, deadline=None)
@given(rounds(), st.data())
def test_any_set_of_changed_leaves_is_found_at_its_first(honest: RoundCommitment, data: st.DataObject) -> None:
    changed = data.draw(st.sets(st.integers(0, len(honest.leaves) - 1), min_size=1))
    hashes = [evidence(20_000 + i) if i in changed else leaf.hash() for i, leaf in enumerate(honest.leaves)]
    divergence = first_divergence(RoundTree(hashes), honest.tree)
    assert divergence is not None
    assert divergence.index == min(changed)


def test_trees_of_other_depths_are_not_compared() -> None:
    with pytest.raises(ValueError, match="depth"):
        first_divergence(RoundTree([bytes(32)] * 4), RoundTree([bytes(32)] * 5))


@settings(max_examples=60, deadline=None)
@given(rounds())
def test_a_raised_total_is_a_wrong_end(honest: RoundCommitment) -> None:
    item = publication(honest, Dishonesty.INFLATE_TOTAL, None, BOUND)
    (fraud,) = found(item)
    assert (fraud.kind, fraud.index) == (FraudKind.TERMINAL, len(honest.leaves) - 1)
    assert max(item.commitment.scores) > max(honest.scores)


@settings(max_examples=80, deadline=None)
@given(rounds(), st.data())
def test_each_fraud_in_the_numbers_is_named_with_its_place(honest: RoundCommitment, data: st.DataObject) -> None:
    leaves, last = list(honest.leaves), len(honest.leaves) - 1
    index = data.draw(st.integers(0, last))
    leaf, other = leaves[index], evidence(30_000)
    leaves[index] = replace(leaf, post=other)
    kinds = [(fraud.kind, fraud.index) for fraud in found(of_leaves(leaves, honest.scores))]
    after = FraudKind.TERMINAL if index == last else FraudKind.BREAK
    assert kinds == [(FraudKind.ARITHMETIC, index), (after, index)]
    leaves[index] = replace(leaf, pre=other)
    kinds = [(fraud.kind, fraud.index) for fraud in found(of_leaves(leaves, honest.scores))]
    assert kinds == [(FraudKind.GENESIS, 0) if index == 0 else (FraudKind.BREAK, index - 1)]
    leaves[index] = replace(leaf, d_a=BOUND + 1)
    kinds = [(fraud.kind, fraud.index) for fraud in found(of_leaves(leaves, honest.scores))]
    assert kinds == [(FraudKind.BOUNDS, index), (FraudKind.ARITHMETIC, index)]


def test_an_arithmetic_fraud_brings_the_standings_before_it() -> None:
    honest = commit_round(2, [Played(0, None, 3, None, evidence(0)), Played(1, 0, 4, 1, evidence(1))])
    leaves = [honest.leaves[0], replace(honest.leaves[1], d_a=5)]
    (fraud,) = found(of_leaves(leaves, honest.scores))
    assert (fraud.kind, fraud.pre) == (FraudKind.ARITHMETIC, (3, 0))
    assert standings_hash(fraud.pre) == leaves[1].pre


@pytest.mark.parametrize(
    "wrong",
    [{"a": 2}, {"b": 2}, {"a": 1}, {"d_a": -BOUND - 1}, {"d_b": BOUND + 1}, {"b": NO_OPPONENT, "d_b": 1}],
)
def test_seats_and_scores_keep_their_bounds(wrong: dict[str, int]) -> None:
    honest = commit_round(2, [Played(0, 1, 3, 4, evidence(0))])
    item = of_leaves([replace(honest.leaves[0], **wrong)], honest.scores)
    assert found(item)[0].kind is FraudKind.BOUNDS


def test_a_second_root_is_equivocation_unless_it_is_the_posted_one() -> None:
    honest = commit_round(2, [Played(0, 1, 3, 4, evidence(0))])
    match = pick(honest, Dishonesty.EQUIVOCATE, 1, BOUND)
    item = publication(honest, Dishonesty.EQUIVOCATE, match, BOUND, sign=signed)
    assert item.commitment is honest
    assert item.second is not None
    assert [fraud.kind for fraud in found(item)] == [FraudKind.EQUIVOCATION]
    posted = posted_of(item)
    same = replace(item.second, root=posted.root)
    assert found(replace(item, second=same)) == []


@pytest.mark.parametrize("how", [Dishonesty.INFLATE, Dishonesty.WITHHOLD, Dishonesty.EQUIVOCATE])
def test_where_nothing_can_be_raised_the_host_has_to_post_the_truth(how: Dishonesty) -> None:
    full = commit_round(2, [Played(0, 1, BOUND, 0, evidence(0))])
    assert pick(full, how, 1, BOUND) is None
    item = publication(full, how, None, BOUND, sign=signed)
    assert (item.commitment, item.withheld, item.second) == (full, frozenset(), None)
    assert pick(full, Dishonesty.ALTER, 1, BOUND) == 0
    assert pick(full, Dishonesty.HONEST, 1, BOUND) is None


@settings(max_examples=25, deadline=None)
@given(rounds(), st.sampled_from(list(Dishonesty)))
def test_a_publication_survives_the_store(tmp_path_factory, honest: RoundCommitment, how: Dishonesty) -> None:
    from engine.league.history import EntryRow, History, RoundRow
    from engine.store.database import Store

    match = pick(honest, how, 7, BOUND)
    item = publication(honest, how, match, BOUND, altered=evidence(1), sign=signed)
    store = Store.open(tmp_path_factory.mktemp("store") / "s.db")
    try:
        row = RoundRow("r" * 32, 1, "x", "local", {}, "s", "playing", None, None, 0.0)
        History(store).open_round(row, [EntryRow(0, "a", "a", "a", "a")])
        kept = Publications(store.db)
        assert kept.get(row.round_id) is None
        with store.transaction():
            kept.add(row.round_id, item)
            kept.add(row.round_id, replace(item, dishonesty=Dishonesty.HONEST))
        again = kept.get(row.round_id)
        assert again is not None
        assert (again.dishonesty, again.match, again.withheld, again.second) == (
            how, item.match, item.withheld, item.second,
        )  # fmt: skip
        assert again.commitment.leaves == item.commitment.leaves
        assert again.commitment.scores == item.commitment.scores
        assert again.shown() == item.shown()
    finally:
        store.close()


def test_the_published_form_hides_what_is_withheld() -> None:
    honest = commit_round(3, [Played(0, 1, 3, 4, evidence(0)), Played(2, None, 1, None, evidence(1))])
    shown = Publication(Dishonesty.WITHHOLD, honest, 1, frozenset({1})).shown()
    assert isinstance(shown, Published)
    assert shown.leaves == (honest.leaves[0], None)
    assert shown.tree().root == honest.tree.root
    assert list(self_proving(shown, posted_of(Publication(Dishonesty.WITHHOLD, honest)))) == []
