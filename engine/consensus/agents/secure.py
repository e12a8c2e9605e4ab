"""Agents that sign their positions as readable text, so that anybody can check who said what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.consensus.agents.neural import EthereumNeuralAgent

if TYPE_CHECKING:
    import torch


class SecureEthereumAgent(EthereumNeuralAgent):
    """Signs positions by EIP-191 (personal messages). What goes on chain is signed by EIP-712 all the same."""

    def sign_position(self, position: torch.Tensor) -> bytes:
        """Return the 65-byte signature of the position's numbers as text."""
        from eth_account.messages import encode_defunct

        message = encode_defunct(text=str(position.tolist()))
        return bytes(self.identity.account.sign_message(message).signature)

    def verify_position(self, position: torch.Tensor, signature: bytes) -> bool:
        """Return whether the signature is this agent's, of just this position."""
        return signer_of(position, signature) == self.identity.address


def signer_of(position: torch.Tensor, signature: bytes) -> str:
    """Return the address that signed a position, "" where the bytes are no signature."""
    from eth_account import Account
    from eth_account.messages import encode_defunct
    from eth_keys.exceptions import BadSignature
    from eth_utils.exceptions import ValidationError

    if len(signature) != 65:
        return ""
    try:
        message = encode_defunct(text=str(position.tolist()))
        return str(Account.recover_message(message, signature=signature))
    except (BadSignature, ValidationError, ValueError, TypeError):
        return ""
