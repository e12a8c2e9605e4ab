"""What only a development node allows: snapshots, mining by hand, moving the clock, balances out of nothing."""

from __future__ import annotations

from collections.abc import Mapping

from engine.chain.errors import DevnetError
from engine.chain.rpc import Rpc, error_text

_ETHER = 10**18
_ALLOWANCE = 10 * _ETHER  # kept on a development account for gas, beside what its transactions carry
AUTOMINE, INTERVAL, MANUAL = "automine", "interval", "manual"
QUICK = 2  # seconds: mining so often by itself, Anvil holds 1,500 whole states in memory, else 500
_OURS = 1_000_000_000  # seconds added to an interval that Anvil is not to keep: it never comes to that


class NodeControl:
    """The development methods of one Anvil."""

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    async def mining(self) -> tuple[str, int]:
        """Return how blocks come about, automine, interval or manual, and the interval in seconds (else 0)."""
        automine, interval = await self._rpc.batch([("anvil_getAutomine", []), ("anvil_getIntervalMining", [])])
        if automine.get("result"):
            return AUTOMINE, 0
        seconds = interval.get("result")
        return (INTERVAL, seconds % _OURS) if isinstance(seconds, int) and seconds else (MANUAL, 0)

    async def beat(self) -> int:
        """Return the seconds between blocks that whoever owns the node is to mine, 0 where that is not wanted."""
        seconds = await self._rpc.request("anvil_getIntervalMining")
        return seconds - _OURS if isinstance(seconds, int) and seconds > _OURS else 0

    async def hand_over(self) -> None:
        """Let Anvil itself keep the interval, however quick: its node outlives the program."""
        if seconds := await self.beat():
            await self._rpc.request("evm_setIntervalMining", seconds)

    async def set_mining(self, mode: str, seconds: int = 1) -> None:
        """Change how blocks come about; ``seconds`` counts for the mode interval alone.

        A quick interval is only written down in the node: the program that started it keeps it, see ``Beat``.
        """
        if mode not in (AUTOMINE, INTERVAL, MANUAL):
            raise DevnetError(f"There is no mining mode {mode!r}", "", f"Use {AUTOMINE}, {INTERVAL} or {MANUAL}.")
        interval = seconds if mode == INTERVAL else 0
        await self._rpc.request("evm_setIntervalMining", interval + (_OURS if 0 < interval <= QUICK else 0))
        await self._rpc.request("evm_setAutomine", mode == AUTOMINE)

    async def mine(self, blocks: int = 1) -> None:
        """Mine blocks now, with what waits in the pool."""
        await self._rpc.request("anvil_mine", hex(blocks))

    async def flush(self) -> bool:
        """Mine what automine left in the pool. Returns False in the other modes: there the operator says when."""
        mode, _ = await self.mining()
        if mode == AUTOMINE:
            await self.mine()
        return mode == AUTOMINE

    async def nudge(self) -> None:
        """Mine what waits, unless blocks come at an interval.

        Automine misses a wake-up when transactions arrive in quick batches and leaves the rest in the pool until
        the next one; in manual mode somebody has to mine.
        """
        mode, _ = await self.mining()
        if mode != INTERVAL:
            await self.mine()

    async def warp(self, seconds: int) -> None:
        """Move the chain's clock ahead and mine one block at the new time."""
        await self._rpc.request("evm_increaseTime", seconds)
        await self.mine()

    async def warp_to(self, timestamp: int) -> None:
        """Mine a block at ``timestamp``, in seconds since the epoch, and let time go on from there.

        Adding to the node's clock is not enough for an exact time: many blocks in one second run ahead of it.
        """
        head = await self._rpc.head()
        await self._rpc.request("evm_setNextBlockTimestamp", max(timestamp, int(head["timestamp"], 16) + 1))
        await self.mine()

    async def snapshot(self) -> str:
        """Return the id of a snapshot of the chain as it is; it serves one ``revert``."""
        return str(await self._rpc.request("evm_snapshot"))

    async def revert(self, snapshot: str) -> None:
        """Bring the chain back to a snapshot, which is used up by that. Raises DevnetError when it is unknown."""
        if not await self._rpc.request("evm_revert", snapshot):
            raise DevnetError(f"The snapshot {snapshot} cannot be restored", "it is unknown, or was restored before")

    async def fund(self, address: str, wei: int) -> None:
        """Set the balance of an account."""
        await self._rpc.request("anvil_setBalance", address, hex(wei))

    async def cover(self, spending: Mapping[str, int]) -> None:
        """See to it that each account can send ``spending[account]`` wei and pay for gas."""
        accounts = sorted(spending)
        balances = await self._rpc.numbers([("eth_getBalance", [account, "latest"]) for account in accounts])
        poor = [account for account, held in zip(accounts, balances, strict=True) if held < needed(spending[account])]
        wishes = [("anvil_setBalance", [account, hex(needed(spending[account]) + 100 * _ETHER)]) for account in poor]
        answers = await self._rpc.batch(wishes)
        for account, answer in zip(poor, answers, strict=True):
            if answer.get("error"):
                raise DevnetError(f"The account {account} cannot be given ether", error_text(answer["error"]))


def needed(spending: int) -> int:
    """Return what an account holds that is about to send ``spending`` wei."""
    return spending + _ALLOWANCE
