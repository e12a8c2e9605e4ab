"""Texts as the tensors that training takes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.learning.ai.tokens import PAD

IGNORED = -100  # what the libraries' loss leaves out


def padded(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor, Tensor]:
    """Return tokens, labels, and which places are tokens, each (texts, longest): padding on the right, not learnt."""
    longest = max(map(len, rows))
    inside = torch.arange(longest) < torch.tensor([len(row) for row in rows])[:, None]
    tokens = torch.full((len(rows), longest), PAD)
    for number, row in enumerate(rows):
        tokens[number, : len(row)] = torch.tensor(row)
    return tokens, torch.where(inside, tokens, IGNORED), inside
