"""One learning chain's stakes on the staking contract of a chain: who staked, what is final, who was slashed.

Everything leaves through the outbox, under keys that follow from the run alone: a program that was killed and plays
its run again neither loses a step nor takes one twice. Deposits are read from the chain each time, so that they are
what the chain says now, also after it lost blocks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from engine.chain.learning import (
    OFFENCES,
    SLASHED,
    STAKE,
    ChainSpec,
    Finality,
    Header,
    Staker,
    Verdict,
    struct_hash,
)
from engine.chain.session import Chain
from engine.learning.config import LearnConfig
from engine.learning.crypto.keys import ValidatorKeys, validator_keys
from engine.learning.staking.accounts import enrol
from engine.learning.staking.desk import Desk, StakingError, Step
from engine.learning.staking.proof import container_of, stake_keys
from engine.learning.staking.view import StakeView
from engine.learning.types import ZERO
from engine.store.database import Store

if TYPE_CHECKING:
    from engine.learning.types import Deposit

_ALL = 2**256 - 1
_NOBODY = "0x" + "00" * 20
Build = Callable[[], Awaitable[Step]]
Done = Callable[[], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Mark:
    """A block of the beacon chain that the contract is told of. Roots are 32 bytes; ZERO where there is no update."""

    slot: int
    root: bytes
    parent_root: bytes
    model_root: bytes
    update_id: bytes = ZERO
    certificate: bytes = ZERO


class StakingMirror:
    """The stakes of one run. ``open`` comes first.

    ``genesis_root`` and ``run`` (with ``created``, where numbers of runs may come again) name the chain on the
    contract. The wallet holds the accounts of all validators, which sign checkpoints and verdicts.
    """

    def __init__(
        self, chain: Chain, store: Store, run: int | str, config: LearnConfig, genesis_root: bytes, created: float = 0.0
    ) -> None:
        self._chain = chain
        self._store = store
        self._config = config
        self._contract = chain.learning
        self._spec = ChainSpec(
            genesis_root,
            sha256(f"{run}/{created}".encode()).digest(),
            0,
            config.slots_per_epoch,
            0,  # a run's clock is its own: also a wall clock's run may be paused
            config.validators,
        )
        self.name = self._spec.name(chain.operator)
        self._desk = Desk(chain, store, f"{chain.book}:pol:{self.name.hex()[:32]}")
        self._view = StakeView(chain, self.name)

    async def open(self) -> None:
        """Open the chain on the contract and stake for the genesis validators, once. Raises StakingError, RpcError."""
        if self._contract.address == _NOBODY:
            raise StakingError("There is no staking contract", "only a consensus contract was named", "Use a devnet.")
        operator, contract = self._chain.operator, self._contract
        numbers = range(self._config.validators)
        accounts = enrol(self._store, self._chain.wallet, numbers)
        await self._allow(operator, STAKE * len(numbers))
        steps = {"open": Step(operator, contract.open_chain(self._spec), "open a learning chain")}
        for number, account in zip(numbers, accounts, strict=True):
            keys = stake_keys(validator_keys(self._config.genesis_seed, number), self._config.chain_id)
            call = contract.deposit_for(self.name, account, keys)
            steps[f"genesis:{number}"] = Step(operator, call, f"stake for validator {number}")
        self._desk.write(steps)
        await self._desk.settle(list(steps))

    async def deposit_for(self, keys: ValidatorKeys) -> int:
        """Stake 32 POL for a validator that joins, by an account of its own; on a development chain it gets them first.

        Returns its number on the contract. Twice with the same keys stakes once. Raises StakingError, RpcError.
        """
        (account,) = enrol(self._store, self._chain.wallet, [keys.index])
        key = f"join:{keys.pubkey.hex()[:32]}"
        if self._chain.development:
            fund = Step(
                self._chain.operator,
                self._chain.token.drip(account, STAKE),
                f"give validator {keys.index} its stake",
            )
            self._desk.write({f"{key}:fund": fund})
            await self._desk.settle([f"{key}:fund"])
        await self._allow(account, STAKE)
        call = self._contract.deposit(self.name, stake_keys(keys, self._config.chain_id))

        async def build() -> Step:
            return Step(account, call, f"stake as validator {keys.index}")

        await self._desk.once(key, build)
        return await self._view.index_of(keys.pubkey)

    async def deposits(self, since: int = 0) -> tuple[Deposit, ...]:
        """Return the deposits of those who joined after the genesis, in their order from index ``since`` on.

        They are what the chain holds now: read again after it lost blocks, they may be others.
        """
        first = self._config.validators
        found = [container_of(values, first) for values in await self._view.deposits() if values["index"] >= first]
        return tuple(deposit for deposit in found if int(deposit.index) >= since)

    async def propose(self, mark: Mark) -> str:
        """Put a block forward as the head, signed by the proposer that the contract names; returns the transaction."""
        return await self._step(f"propose:{mark.slot}", lambda: self._proposal(mark), lambda: self._is_head(mark))

    async def finalize(self, mark: Mark) -> str:
        """Make a block that was put forward final, by signatures of more than two thirds; returns the transaction."""
        return await self._step(f"final:{mark.slot}", lambda: self._finality(mark), lambda: self._is_final(mark))

    async def checkpoint(self, mark: Mark) -> str:
        """Put a finalised block forward where that is not done, and make it final. Returns the last transaction.

        A block not above the last final one is none of the contract's business any more: "" then.
        """
        state = await self._contract.chain_of(self.name)
        if mark.slot <= state.final_slot:
            row = self._desk.row(f"final:{mark.slot}")
            return "" if row is None else row.hash or ""
        if mark.slot > state.head_slot:
            await self.propose(mark)
        return await self.finalize(mark)

    async def slashed(self, validator: int, reason: str, evidence: bytes, *, pubkey: bytes | None = None) -> str:
        """Slash a validator that the beacon chain slashed, by the verdict of more than two thirds.

        ``reason`` is a key of OFFENCES, ``evidence`` the root of what proves it (32 bytes). ``pubkey`` says whom it is
        about where deposits that the beacon chain left out moved its numbers. Returns the transaction, "" where the
        validator was slashed by somebody else. Raises StakingError, also where the others are too few for a verdict.
        """
        number = validator if pubkey is None else await self._view.index_of(pubkey)
        found = Verdict(self.name, number, OFFENCES.index(reason), evidence)

        async def build() -> Step:
            signatures = await self._view.signatures(found, accused=number)
            call = self._contract.slash_reported(found, signatures)
            return Step(self._chain.operator, call, f"slash validator {number}: {reason.replace('_', ' ')}")

        async def done() -> bool:
            return (await self._staker(number)).status == SLASHED

        return await self._step(f"slash:{number}", build, done)

    async def exit(self, validator: int) -> str:
        """Ask to leave for a validator; it keeps its duties for two more epochs. Returns the transaction."""

        async def build() -> Step:
            call = self._contract.request_exit(self.name, validator)
            return Step((await self._staker(validator)).account, call, f"ask to leave for validator {validator}")

        async def done() -> bool:
            return (await self._staker(validator)).last_era != 0

        return await self._step(f"exit:{validator}", build, done)

    async def withdraw(self, validator: int) -> str:
        """Pay a validator's stake out, after the delay. Returns the transaction."""

        async def build() -> Step:
            call = self._contract.withdraw(self.name, validator)
            return Step((await self._staker(validator)).account, call, f"pay validator {validator}'s stake out")

        return await self._step(f"withdraw:{validator}", build)

    # Inside

    async def _allow(self, account: str, amount: int) -> None:
        """Let the contract take the account's POL."""
        if await self._chain.token.allowance(account, self._contract.address) >= amount:
            return

        async def build() -> Step:
            return Step(account, self._chain.token.approve(self._contract.address, _ALL), "let POL be staked")

        await self._desk.once(f"allow:{account}", build)

    async def _step(self, key: str, build: Build, done: Done | None = None) -> str:
        row = await self._desk.once(key, build, done)
        return "" if row is None else row.hash or ""

    async def _staker(self, number: int) -> Staker:
        return await self._contract.validator_of(self.name, number)

    async def _is_head(self, mark: Mark) -> bool:
        return (await self._contract.chain_of(self.name)).head_slot >= mark.slot

    async def _is_final(self, mark: Mark) -> bool:
        return (await self._contract.chain_of(self.name)).final_slot >= mark.slot

    async def _proposal(self, mark: Mark) -> Step:
        header = self._header(mark, await self._contract.proposer_of(self.name, mark.slot))
        staker = await self._staker(header.proposer)
        call = self._contract.propose(header, self._chain.sign_stake(staker.account, header))
        return Step(self._chain.operator, call, f"put slot {mark.slot} of a learning chain forward")

    async def _finality(self, mark: Mark) -> Step:
        header = await self._proposed(mark)
        call = self._contract.finalize(header, await self._view.signatures(Finality(struct_hash(header))))
        return Step(self._chain.operator, call, f"finalise slot {mark.slot} of a learning chain")

    async def _proposed(self, mark: Mark) -> Header:
        """Return the header that was put forward for a block: who did is told by its event's number."""
        kept = await self._contract.header_at(self.name, mark.slot)
        state = await self._contract.chain_of(self.name)
        for number in range(state.deposits):
            header = self._header(mark, number)
            if struct_hash(header) == kept:
                return header
        raise StakingError(f"Slot {mark.slot} cannot be finalised", "another block of it, or none, was put forward")

    def _header(self, mark: Mark, proposer: int) -> Header:
        return Header(
            self.name,
            mark.slot,
            proposer,
            mark.root,
            mark.parent_root,
            mark.model_root,
            mark.update_id,
            mark.certificate,
        )
