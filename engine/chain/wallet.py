"""Accounts and signatures. The development accounts are Anvil's well-known ones: never use them on mainnet."""

from __future__ import annotations

import hmac
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, Any, Never

from engine.chain.transactions import sign_transaction

if TYPE_CHECKING:
    from coincurve import PrivateKey
    from eth_account.signers.local import LocalAccount

# The phrase that Anvil and Hardhat print at start. It is public: whatever these accounts hold on a real chain is lost.
DEVELOPMENT_PHRASE = "test test test test test test test test test test test junk"
DEVELOPMENT_WARNING = "Development keys: public, never use on mainnet."
OPERATOR = 0
AUDITOR = 1_000_001
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # of secp256k1
VERIFIERS = range(1_000_010, 1_000_020)  # more than take part at a time: one that was slashed is replaced by the next


class Wallet:
    """Accounts by number: of one mnemonic (BIP-44, m/44'/60'/0'/0/n), or of one key. Keys never leave it."""

    def __init__(self, phrase: str, *, secret: bytes | None = None) -> None:
        self._phrase = phrase
        self._secret = secret
        self._account = lru_cache(maxsize=20_000)(self._derive)
        self._key = lru_cache(maxsize=20_000)(self._key_of)

    @classmethod
    def development(cls) -> Wallet:
        """Return the wallet of Anvil's development accounts."""
        return cls(DEVELOPMENT_PHRASE)

    @classmethod
    def of_key(cls, secret: bytes) -> Wallet:
        """Return the wallet whose operator is the account of a private key; all others are derived from that key.

        So one encrypted file is enough to keep, and nobody else can know the others.
        """
        return cls("", secret=secret)

    @property
    def public(self) -> bool:
        """Whether its keys are public, see DEVELOPMENT_WARNING."""
        return self._phrase == DEVELOPMENT_PHRASE

    def __reduce__(self) -> Never:
        raise TypeError("a wallet is not written anywhere")

    def __repr__(self) -> str:
        return "Wallet(<secret>)"

    def address(self, number: int) -> str:
        """Return the checksummed address of account ``number``."""
        return str(self._account(number).address)

    def sign_transaction(self, number: int, fields: dict[str, Any]) -> tuple[bytes, str]:
        """Return the signed bytes and the hash (0x hex) of a transaction of account ``number``."""
        return sign_transaction(self._key(number), fields)

    def sign_typed(self, number: int, domain: dict[str, Any], types: dict[str, Any], message: dict[str, Any]) -> bytes:
        """Return the 65-byte EIP-712 signature of account ``number`` over a message."""
        signed = self._account(number).sign_typed_data(domain_data=domain, message_types=types, message_data=message)
        return bytes(signed.signature)

    def _key_of(self, number: int) -> PrivateKey:
        from coincurve import PrivateKey

        return PrivateKey(bytes(self._account(number).key))

    def _derive(self, number: int) -> LocalAccount:
        from eth_account import Account
        from eth_account.hdaccount import key_from_seed, seed_from_mnemonic

        if self._secret is None:
            seed = _seed(self._phrase, seed_from_mnemonic)
            key = key_from_seed(seed, f"m/44'/60'/0'/0/{number}")
        else:
            key = self._secret if number == OPERATOR else _derived(self._secret, number)
        account: LocalAccount = Account.from_key(key)
        return account


def service_accounts(wallet: Wallet) -> dict[str, str]:
    """Return the addresses of the auditor and the verifiers with their names."""
    verifiers = {wallet.address(number): f"verifier {place}" for place, number in enumerate(VERIFIERS, 1)}
    return {wallet.address(AUDITOR): "auditor", **verifiers}


def service_number(wallet: Wallet, address: str) -> int | None:
    """Return the account number of the operator, the auditor or a verifier, None for any other address."""
    return next((number for number in (OPERATOR, AUDITOR, *VERIFIERS) if wallet.address(number) == address), None)


def _derived(secret: bytes, number: int) -> bytes:
    """Return the private key of account ``number`` beside a key: by HMAC, so that none tells anything of another."""
    for attempt in count():  # a number outside the group comes once in 2^128
        key = hmac.digest(secret, b"Nashboard account" + number.to_bytes(8) + attempt.to_bytes(1), "sha256")
        if 0 < int.from_bytes(key) < _ORDER:
            break
    return key


@lru_cache(maxsize=4)
def _seed(phrase: str, derive: Any) -> bytes:
    return bytes(derive(phrase, ""))
