"""Expected failures: what happened, why, and what to do next."""

from __future__ import annotations

from typing import Any, ClassVar


class EngineError(Exception):
    """An expected failure, shown to the operator as text; anything else is a bug.

    ``what`` says what failed, ``why`` the cause, ``next_step`` what the operator can do. ``data`` holds the
    facts as JSON-ready values, so that the window and ``--json`` show the same.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, what: str, why: str = "", next_step: str = "", **data: Any) -> None:
        super().__init__(what, why, next_step)
        self.what = what
        self.why = why
        self.next_step = next_step
        self.data = data

    def __str__(self) -> str:
        text = self.what.rstrip(".")
        if self.why:
            text += f": {self.why.rstrip('.')}"
        if self.next_step:
            text += f". {self.next_step.rstrip('.')}"
        return text + "."

    def to_json(self) -> dict[str, Any]:
        """Return the error as a JSON-ready object."""
        return {
            "error": type(self).__name__,
            "what": self.what,
            "why": self.why,
            "next": self.next_step,
            **self.data,
        }


class UsageError(EngineError):
    """The request itself is wrong: a bad value, an unknown name."""

    exit_code = 2


class VerificationError(EngineError):
    """A proof, a replay or a commitment does not hold."""

    exit_code = 3


class DependencyError(EngineError):
    """Something that the program needs is not on this machine."""

    exit_code = 4
