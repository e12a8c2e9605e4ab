"""Expected failures of building an agent from a model."""

from __future__ import annotations

from engine.core.errors import UsageError


class ModelError(UsageError):
    """The model cannot become an agent; ``why`` names the layer, the figure or the file's fault."""
