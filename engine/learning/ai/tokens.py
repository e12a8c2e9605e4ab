"""The byte tokenizer: a token a byte, and eight more, of which three are used."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.learning.ai.model import Model

VOCABULARY = 264
BEGIN, END, PAD = 256, 257, 258


def encode(text: str) -> list[int]:
    """Return the tokens of a text between its marks: its UTF-8 bytes, so that every text has some."""
    return [BEGIN, *text.encode(), END]


def decode(tokens: list[int]) -> str:
    """Return the text of tokens; marks are left out, bytes that are no UTF-8 replaced."""
    return bytes(token for token in tokens if token < 256).decode("utf-8", "replace")


def encoder_of(model: Model) -> Callable[[str], list[int]]:
    """Return what makes tokens of a text for a model: this one, or the tokenizer in the checkpoint's folder."""
    if model.bytewise:
        return encode
    from engine.learning.ai.checkpoint import tokenizer

    return tokenizer(model)
