"""Nonces, gas and fees: what turns a queued row into signed bytes, given out here and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from engine.chain.errors import UnfundedError, WrongChainError
from engine.chain.receipts import call_of
from engine.chain.rpc import Rpc, quantity
from engine.chain.transactions import Fees, fees_of, gas_of
from engine.chain.wallet import Wallet
from engine.store.database import Store
from engine.store.outbox import OutboxRow

# What is not used costs nothing, but an account must hold it: only a development node gives ether away. There the
# base fee may rise by an eighth a block for long; elsewhere a row that it overtakes is signed for more.
_FEE_FACTOR = {True: 20, False: 2}
_GAS_FACTOR = 2  # an earlier row may make a later one dearer than estimated
_TRANSFER_GAS = 21_000
_MANY = 8  # rows of a kind from which on only two of them are estimated
_GUESS_FACTOR = 2  # beside the other: a row of the same kind may do more than the two
_BYTE_GAS = 16  # of a byte of data that is not zero
_Kind = tuple[str, bytes, int, bool]


class Signer:
    """Signs for the accounts of one book. ``begin`` comes first, ``prepare`` before each batch."""

    def __init__(
        self, rpc: Rpc, store: Store, wallet: Wallet, book: str, number_of: Callable[[str], int], *, development: bool
    ) -> None:
        self._rpc = rpc
        self._outbox = store.outbox
        self._wallet = wallet
        self._book = book
        self._chain_id = int(book.split(":", 1)[0])
        self._number_of = number_of
        self._development = development
        self._gas_limit = 0
        self._nonces: dict[str, int] = {}
        self._stale = True
        self._budgets: dict[str, int] = {}
        self._offer = Fees(0, 0)
        self._guessed: set[str] = set()  # keys of rows whose gas is that of others of their kind
        self._alone: set[str] = set()  # keys of rows for which that was too little

    async def begin(self) -> None:
        """See that the node is the book's chain. Raises WrongChainError."""
        found = await self._rpc.chain_id()
        if found != self._chain_id:
            raise WrongChainError("The node is another chain", f"its id is {found}, expected {self._chain_id}")
        self._gas_limit = int((await self._rpc.head())["gasLimit"], 16)
        self._stale = True
        self._guessed.clear()

    def forget_nonces(self) -> None:
        """Ask the chain again before the next batch: another program sent from one of the accounts."""
        self._stale = True

    async def prepare(self, rows: Sequence[OutboxRow], flight: Iterable[OutboxRow]) -> list[dict[str, Any]]:
        """Return the answers to the rows' estimates of gas; ``flight`` are the rows under way, which cost too."""
        if self._stale:
            self._nonces.clear()
            self._stale = False
        accounts = sorted({row.tx.account for row in rows})
        await self._load_nonces([account for account in accounts if account not in self._nonces])
        self._offer = await self.offer()
        if not self._development:
            await self._load_budgets(accounts, flight)
        return await self._estimates(rows)

    async def _estimates(self, rows: Sequence[OutboxRow]) -> list[dict[str, Any]]:
        """Return what the node says of each row's gas; on a development node the first and last of a kind speak for it.

        An estimate costs the node more than the transaction. Where one is refused, all of its kind are asked for.
        """
        asked = self._samples(rows)
        answers = dict(zip(asked, await self._ask([rows[place] for place in asked]), strict=True))
        refused = {_kind(rows[place]) for place, answer in answers.items() if answer.get("error") is not None}
        rest = [place for place, row in enumerate(rows) if place not in answers and _kind(row) in refused]
        answers |= zip(rest, await self._ask([rows[place] for place in rest]), strict=True)
        most: dict[_Kind, int] = {}
        for place, answer in answers.items():
            if answer.get("error") is None:
                kind = _kind(rows[place])
                most[kind] = max(most.get(kind, 0), quantity(answer["result"], "eth_estimateGas"))
        for place, row in enumerate(rows):
            if place not in answers:
                self._guessed.add(row.tx.key)
                answers[place] = {"result": hex(_GUESS_FACTOR * most[_kind(row)] + _BYTE_GAS * len(row.tx.data))}
        return [answers[place] for place in range(len(rows))]

    def _samples(self, rows: Sequence[OutboxRow]) -> list[int]:
        """Return the places of the rows to estimate."""
        kinds: dict[_Kind, list[int]] = {}
        for place, row in enumerate(rows):
            kinds.setdefault(_kind(row), []).append(place)
        alone = [place for place, row in enumerate(rows) if row.tx.key in self._alone]
        few = (
            (places[0], places[-1]) if self._development and len(places) >= _MANY else places
            for places in kinds.values()
        )
        return sorted({*alone, *(place for places in few for place in places)})

    async def _ask(self, rows: Sequence[OutboxRow]) -> list[dict[str, Any]]:
        return await self._rpc.batch([("eth_estimateGas", [call_of(row)]) for row in rows])

    def fell_short(self, row: OutboxRow, used: int) -> bool:
        """Return whether the row reverted for want of gas that was guessed; it is then estimated by itself."""
        if row.tx.key not in self._guessed or used * 64 < gas_of(row.raw or b"") * 62:
            return False
        self._guessed.discard(row.tx.key)
        self._alone.add(row.tx.key)
        return True

    def lacking(self, row: OutboxRow, gas: int) -> int:
        """Return the wei that the account lacks to pay for the row: what it sends and all gas that it may use."""
        if self._development:
            return 0
        return max(0, row.tx.value + self._limit(gas) * self._offer.cap - self._budgets[row.tx.account])

    def unfunded(self, row: OutboxRow, missing: int | None = None) -> UnfundedError:
        """Return the error that says what the account lacks; by default for a plain transfer's gas."""
        held = self._budgets.get(row.tx.account, 0)
        lacks = self.lacking(row, _TRANSFER_GAS) if missing is None else missing
        return unfunded(row.tx.account, row.tx.purpose, held, lacks)

    def sign(self, row: OutboxRow, gas: int) -> OutboxRow:
        """Return the row with its nonce, bytes and hash; the nonce counts as given."""
        nonce = self._nonces[row.tx.account]
        signed = self._signed(row, nonce, self._limit(gas), self._offer)
        self._nonces[row.tx.account] = nonce + 1
        if not self._development:
            self._budgets[row.tx.account] -= row.tx.value + self._limit(gas) * self._offer.cap
        return signed

    async def raised(self, rows: Sequence[OutboxRow]) -> list[OutboxRow]:
        """Return the signed rows again with fees that the chain takes today in place of theirs."""
        offer = await self.offer()
        return [
            replace(
                self._signed(row, row.nonce or 0, gas_of(row.raw or b""), fees_of(row.raw or b"").replaced_by(offer)),
                replaced=row.hashes,
            )
            for row in rows
        ]

    async def offer(self) -> Fees:
        """Return the fees that a transaction signed now gets."""
        return Fees.offer(await self._rpc.number("eth_gasPrice"), _FEE_FACTOR[self._development])

    def nothing(self, account: str, nonce: int, offer: Fees) -> bytes:
        """Return a signed transaction that uses the nonce up and does nothing."""
        fields = {"to": account, "gas": _TRANSFER_GAS}
        return self._sign_fields(account, nonce, offer, fields)[0]

    def _limit(self, gas: int) -> int:
        return min(gas * _GAS_FACTOR, self._gas_limit)

    def _signed(self, row: OutboxRow, nonce: int, limit: int, fees: Fees) -> OutboxRow:
        fields = {"to": row.tx.to, "data": row.tx.data, "value": row.tx.value, "gas": limit}
        raw, digest = self._sign_fields(row.tx.account, nonce, fees, fields)
        return replace(row, state="signed", nonce=nonce, raw=raw, hash=digest)

    def _sign_fields(self, account: str, nonce: int, fees: Fees, fields: dict[str, Any]) -> tuple[bytes, str]:
        common = {
            "chainId": self._chain_id,
            "nonce": nonce,
            "maxFeePerGas": fees.cap,
            "maxPriorityFeePerGas": fees.tip,
            "type": 2,
        }
        return self._wallet.sign_transaction(self._number_of(account), {**fields, **common})

    async def _load_nonces(self, accounts: Sequence[str]) -> None:
        counts = await self._rpc.numbers([("eth_getTransactionCount", [account, "pending"]) for account in accounts])
        for account, count in zip(accounts, counts, strict=True):
            self._nonces[account] = max(count, self._outbox.held_nonce(self._book, account) + 1)

    async def _load_budgets(self, accounts: Sequence[str], flight: Iterable[OutboxRow]) -> None:
        answers = await self._rpc.batch([("eth_getBalance", [account, "latest"]) for account in accounts])
        self._budgets = {account: int(answer["result"], 16) for account, answer in zip(accounts, answers, strict=True)}
        for row in flight:
            if row.tx.account in self._budgets and row.raw is not None:
                self._budgets[row.tx.account] -= row.tx.value + gas_of(row.raw) * fees_of(row.raw).cap


def unfunded(account: str, purpose: str, free: int, missing: int) -> UnfundedError:
    """Return the error that says what an account lacks, in wei, to pay for something."""
    return UnfundedError(
        f"The account {account} cannot pay to {purpose}",
        f"insufficient funds: it has {_ether(free)} ether free, at least {_ether(missing)} more are needed",
        "Send it ether, then resume: nothing is lost.",
        address=account,
        free=str(free),
        missing=str(missing),
    )


def _kind(row: OutboxRow) -> _Kind:
    """Return what rows that cost about the same gas have in common: the function, and how much is said to it."""
    return row.tx.to, row.tx.data[:4], len(row.tx.data), row.tx.value == 0


def _ether(wei: int) -> str:
    return f"{max(0, wei) / 10**18:.6f}".rstrip("0").rstrip(".")
