"""What the gate says about a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from engine.league.errors import RejectedModuleError
from engine.league.gate.limits import GATE_VERSION
from engine.league.system import SystemSpec

PACKED: Final = "packed"
MAILBOX: Final = "mailbox"
SYSTEM_ABI: Final = "system"
SYSTEM_LEGAL_ABI: Final = "system+legal"


@dataclass(frozen=True, slots=True)
class AgentImage:
    """An admitted agent, ready to play: ``sha256`` (hex) of the file as submitted is its identity."""

    sha256: str
    abi: str
    module: bytes

    @property
    def mailbox(self) -> bool:
        """Whether it takes observations as bytes."""
        return self.abi == MAILBOX


@dataclass(frozen=True, slots=True)
class SystemImage:
    """An admitted System, ready to be played on."""

    sha256: str
    spec: SystemSpec
    module: bytes
    has_is_legal: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """The gate's answer. ``sha256`` is that of the original file, ``module`` the instrumented bytes when accepted.

    ``abi`` is "packed" or "mailbox" for an agent, "system" or "system+legal" for a System, "" when rejected.
    """

    name: str
    sha256: str
    accepted: bool
    reason: str
    kind: str
    abi: str = ""
    module: bytes | None = None
    spec: SystemSpec | None = None
    gate_version: str = GATE_VERSION

    def agent(self) -> AgentImage:
        """Return the playable agent. Raises RejectedModuleError when there is none."""
        if not self.accepted or self.module is None or self.kind != "agent":
            raise self._refusal("agent")
        return AgentImage(self.sha256, self.abi, self.module)

    def system(self) -> SystemImage:
        """Return the playable System. Raises RejectedModuleError when there is none."""
        if not self.accepted or self.module is None or self.spec is None:
            raise self._refusal("system")
        return SystemImage(self.sha256, self.spec, self.module, self.abi == SYSTEM_LEGAL_ABI)

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as ``nashboard agent check --json`` prints it."""
        return {
            "file": self.name,
            "sha256": self.sha256,
            "accepted": self.accepted,
            "reason": self.reason,
            "kind": self.kind,
            "abi": self.abi or None,
            "gate": self.gate_version,
        }

    def _refusal(self, wanted: str) -> RejectedModuleError:
        reason = self.reason or f"it was checked as {self.kind}"
        return RejectedModuleError(
            f"{self.name or self.sha256[:16]} is no admitted {wanted}", reason, sha256=self.sha256
        )
