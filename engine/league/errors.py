"""Expected failures of the arena."""

from __future__ import annotations

from engine.core.errors import EngineError, UsageError, VerificationError


class LeagueError(EngineError):
    """Something in the arena failed."""


class RejectedModuleError(UsageError):
    """The gate refused a module that the caller needs; ``why`` is the gate's reason."""


class SystemSpecError(UsageError):
    """A System's description is missing or wrong."""


class SandboxError(LeagueError):
    """The sandbox itself failed; no agent and no System is to blame."""


class UnplayableError(LeagueError):
    """A worker could not play a match, several times over; nobody is blamed, another worker may."""


class TraceError(VerificationError):
    """Bytes that claim to be a trace are not one."""


class BundleError(VerificationError):
    """A match bundle cannot be read: damaged, truncated, or not as this program writes them."""


class DivergenceError(VerificationError):
    """Re-execution gave something else than a bundle claims; ``step`` in the data is the first divergent one."""


class RoundStoppedError(LeagueError):
    """The operator stopped a round; it can be resumed."""

    exit_code = 130
