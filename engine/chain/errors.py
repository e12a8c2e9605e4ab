"""Expected failures of the chain."""

from __future__ import annotations

from engine.core.errors import DependencyError, EngineError


class AnvilMissingError(DependencyError):
    """No Anvil was found; ``data['tried']`` lists the paths looked at."""


class DevnetError(EngineError):
    """The local node did not start, stop or answer as it should."""


class PortBusyError(DevnetError):
    """The port is taken; ``data`` holds ``occupant`` and free ``alternatives``."""


class RpcError(EngineError):
    """The node answered a request with an error, or not at all."""


class WrongChainError(EngineError):
    """The node is not the chain that was expected."""


class ContractRevertError(EngineError):
    """A contract refused; ``data`` holds the custom ``error`` and its ``arguments``."""


class UnfundedError(RpcError):
    """An account cannot pay for its transactions; ``data`` holds ``address``, and ``free`` and ``missing`` in wei."""


class KeystoreError(EngineError):
    """A key cannot be kept, found or opened; never holds the key or a password."""
