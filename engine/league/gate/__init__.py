"""The gate: decides which modules may play, and writes gas and stack metering into those that may."""

from engine.league.gate.limits import GATE_VERSION, MAX_FILE_BYTES
from engine.league.gate.service import Gate, GateLimits, SyncGate
from engine.league.gate.verdict import AgentImage, SystemImage, Verdict

__all__ = ["GATE_VERSION", "MAX_FILE_BYTES", "AgentImage", "Gate", "GateLimits", "SyncGate", "SystemImage", "Verdict"]
