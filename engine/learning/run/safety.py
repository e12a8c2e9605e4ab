"""What a validator signed, so that it never signs what it could be slashed for, whatever its node believes by then.

Source: EIP-3076, minimal conditions: a header's slot rises; a vote's target rises and its source never falls. They
are stricter than the slashing rules and need three numbers a validator. Node and network may fork, reorganise or be
killed: a run that is played again signs the same again, and so stands where it stood.
"""

from __future__ import annotations


class Safety:
    """The record of one validator."""

    __slots__ = ("header", "source", "target")

    def __init__(self) -> None:
        self.header = self.source = self.target = -1

    def may_propose(self, slot: int) -> bool:
        """Return whether a header for this slot may be signed, and count it as signed."""
        if slot <= self.header:
            return False
        self.header = slot
        return True

    def may_attest(self, source: int, target: int) -> bool:
        """Return whether a vote from this source epoch to this target epoch may be signed, and count it as signed."""
        if target <= self.target or source < self.source or source > target:
            return False
        self.source, self.target = source, target
        return True
