"""Accounts and signatures. The development accounts are Anvil's well-known ones: never use them on mainnet."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount

# The phrase that Anvil and Hardhat print at start. It is public: whatever these accounts hold on a real chain is lost.
DEVELOPMENT_PHRASE = "test test test test test test test test test test test junk"
DEVELOPMENT_WARNING = "Development keys: public, never use on mainnet."
OPERATOR = 0


class Wallet:
    """Derives accounts of one mnemonic by number (BIP-44, m/44'/60'/0'/0/n). Keys never leave it."""

    def __init__(self, phrase: str) -> None:
        self._phrase = phrase
        self._account = lru_cache(maxsize=20_000)(self._derive)

    @classmethod
    def development(cls) -> Wallet:
        """Return the wallet of Anvil's development accounts."""
        return cls(DEVELOPMENT_PHRASE)

    def __repr__(self) -> str:
        return "Wallet(<secret>)"

    def address(self, number: int) -> str:
        """Return the checksummed address of account ``number``."""
        return str(self._account(number).address)

    def sign_transaction(self, number: int, fields: dict[str, Any]) -> tuple[bytes, str]:
        """Return the signed bytes and the hash (0x hex) of a transaction of account ``number``."""
        signed = self._account(number).sign_transaction(fields)
        return bytes(signed.raw_transaction), "0x" + bytes(signed.hash).hex()

    def sign_typed(self, number: int, domain: dict[str, Any], types: dict[str, Any], message: dict[str, Any]) -> bytes:
        """Return the 65-byte EIP-712 signature of account ``number`` over a message."""
        signed = self._account(number).sign_typed_data(domain_data=domain, message_types=types, message_data=message)
        return bytes(signed.signature)

    def _derive(self, number: int) -> LocalAccount:
        from eth_account import Account
        from eth_account.hdaccount import key_from_seed, seed_from_mnemonic

        seed = _seed(self._phrase, seed_from_mnemonic)
        key = key_from_seed(seed, f"m/44'/60'/0'/0/{number}")
        account: LocalAccount = Account.from_key(key)
        return account


@lru_cache(maxsize=4)
def _seed(phrase: str, derive: Any) -> bytes:
    return bytes(derive(phrase, ""))
