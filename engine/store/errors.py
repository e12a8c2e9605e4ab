"""Failures of the store."""

from engine.core.errors import EngineError


class StoreError(EngineError):
    """The database cannot be read or written."""


class StoreDamagedError(StoreError):
    """The database is damaged; its copy and the newest sound backup are named in ``data``."""


class StoreBusyError(EngineError):
    """Another program works on the same data directory."""


class LedgerError(EngineError):
    """A ledger entry that would break the books."""
