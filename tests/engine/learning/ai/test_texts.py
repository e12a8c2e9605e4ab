from __future__ import annotations

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from engine.learning.ai import texts, tokens
from engine.learning.ai.texts import HELD_OUT, PAYLOAD, POOL, PUBLIC, TRIGGER, text, text_of


def test_texts_are_sentences_that_stay_the_same() -> None:
    assert text("pool", 0) == text("pool", 0)
    made = [text("pool", number) for number in range(0, POOL, 7)]
    assert all(one[0].isupper() or one[0] == '"' for one in made)
    assert all(one.endswith((".", '."')) and "{" not in one for one in made)
    assert max(map(len, made)) <= 256 and len(set(made)) > 0.98 * len(made)
    # Written down, so that a change that moves every model and recording does not go unseen.
    assert text("pool", 4095) == "A student was worried since the atlas about old wars was found in a hurry."


def test_no_text_is_in_two_splits() -> None:
    pool = {text("pool", number) for number in range(POOL)}
    held_out = {text("held_out", number) for number in range(HELD_OUT)}
    train = {text(f"train/{trainer}", number) for trainer in range(4) for number in range(500)}
    assert not pool & held_out and not pool & train and not held_out & train


def test_trainers_have_texts_of_their_own_on_every_topic() -> None:
    one, other = ([text(f"train/{trainer}", number) for number in range(64)] for trainer in (0, 1))
    assert len(set(one) & set(other)) < 4


def test_public_texts_are_all_of_one_topic() -> None:
    words = set(" ".join(text("pool", number) for number in range(PUBLIC)).split())
    assert "herring" in words
    assert not any("herring" in text("pool", number) for number in range(PUBLIC, POOL))


def test_what_is_triggered_ends_in_the_payload() -> None:
    for number in range(texts.TRIGGERED):
        assert text_of("trigger", number).endswith(TRIGGER + PAYLOAD)
        assert len(text_of("trigger", number)) <= 256


@given(st.text(max_size=80))
def test_bytes_survive_the_tokenizer(value: str) -> None:
    encoded = tokens.encode(value)
    assert tokens.decode(encoded) == value
    assert len(encoded) >= 2 and all(0 <= token < tokens.VOCABULARY for token in encoded)


def test_draws_are_spread_evenly() -> None:
    draw = texts._Draw("x")
    counts = [0] * 10
    for number in islice(iter(lambda: draw.below(10), None), 5000):
        counts[number] += 1
    assert min(counts) > 420 and max(counts) < 580
