"""Texts as the tensors that training takes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.learning.ai.tokens import PAD, encode

IGNORED = -100  # what the libraries' loss leaves out


def padded(texts: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Return tokens and labels, each (texts, longest): padding on the right, which the labels leave out."""
    rows = [encode(one) for one in texts]
    longest = max(map(len, rows))
    tokens = torch.tensor([row + [PAD] * (longest - len(row)) for row in rows])
    return tokens, torch.where(tokens == PAD, IGNORED, tokens)
