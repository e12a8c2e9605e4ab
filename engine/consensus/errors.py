"""What goes wrong on the way to a consensus."""

from engine.core.errors import EngineError


class ConsensusError(EngineError):
    """A task, an agent or a round of consensus cannot be used or did not come to an end."""


class ModelRefusedError(ConsensusError):
    """A model file is not loaded: it is damaged, of another form, or would run code."""
