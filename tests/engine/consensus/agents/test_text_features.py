from __future__ import annotations

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.consensus.agents.text_features import BUCKETS, WINDOW, legible, letter_pieces, normalise, word_pieces


@pytest.mark.parametrize(
    "text",
    [
        "KILL them",
        "K1LL th3m",
        "k.i.l.l them",
        "k i l l them",
        "k*i*l*l them",
        "kiiiiill them",
        "k\u0456ll th\u0435m",  # Cyrillic letters
        "\uff4b\uff49\uff4c\uff4c \uff54\uff48\uff45\uff4d",  # full width
        "k\u200bi\u200dl\u2060l them",  # zero width
        "k\u0301i\u0308ll th\u00e9m",  # accents
        "\u202ekill\u202c them",  # direction marks
        "\U0001d424\U0001d422\U0001d425\U0001d425 them!!!",  # bold mathematical letters
        "  kill\t\nthem  ",
    ],
)
def test_disguises_are_undone(text: str) -> None:
    assert normalise(text) == "kill them"


def test_numbers_stay_numbers_and_single_letters_stay_words() -> None:
    assert normalise("In 2026, 25 of 100 came") == "in 2026 25 of 100 came"
    assert normalise("I am a b") == "i am a b"


@pytest.mark.parametrize(
    ("text", "share"), [("", 0.0), ("\U0001f4a3\U0001f4a5", 0.0), ("abc", 1.0), ("\u0645\u0631", 0.0)]
)
def test_legible_is_the_share_of_latin_letters(text: str, share: float) -> None:
    assert legible(normalise(text)) == share


@given(st.text(max_size=400))
def test_any_text_has_pieces_that_a_model_can_take(text: str) -> None:
    normal = normalise(text)
    assert not any(unicodedata.category(letter) in ("Cf", "Cs", "Co") for letter in normal)
    for pieces in (letter_pieces, word_pieces):
        indices, offsets = pieces(normal)
        assert offsets[0] == 0
        assert (np.diff(offsets) >= 0).all() and offsets[-1] <= len(indices)
        assert ((indices >= 0) & (indices < BUCKETS)).all()


@given(st.text(alphabet="abcdefgh ", max_size=60))
def test_case_does_not_matter(text: str) -> None:
    assert normalise(text.upper()) == normalise(text)


def test_long_texts_are_read_in_windows_that_miss_nothing() -> None:
    text = normalise("word " * 500 + "needle")
    indices, offsets = letter_pieces(text)
    assert len(offsets) > 2
    sizes = np.diff([*offsets, len(indices)])
    assert sizes.max() <= 3 * WINDOW
    last = letter_pieces("needle")[0]
    inner = [bucket for bucket in last if bucket in indices[offsets[-1] :]]
    assert len(inner) >= len(last) - 3  # all but those that touch the front


@pytest.mark.timeout(60)  # with a quadratic step it would take many minutes
@pytest.mark.parametrize("unit", ["_", "a_", "a. ", "a.", "!a", "a*", "aab", " ", "\u0301", "-", "a "])
def test_a_megabyte_of_hostile_text_is_read(unit: str) -> None:
    normal = normalise(unit * (1_000_000 // len(unit)) + "!!")
    assert len(word_pieces(normal)[1]) >= 1
